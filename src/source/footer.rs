//! Parquet footers: whether they agree with themselves and the size of their files, and how texts are read that are none.

use std::ops::Range;
use std::sync::Arc;

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::page::PageReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{SchemaDescriptor, Type};

/// A footer that counts two numbers of rows would show as many rows as the columns that are asked for have.
///
/// # Errors
/// What does not agree, for the owner's log.
pub(super) fn check(metadata: &ParquetMetaData, size: u64) -> Result<(), String> {
    let mut rows = 0_i64;
    for (i, group) in metadata.row_groups().iter().enumerate() {
        if group.num_rows() < 0 {
            return Err(format!("row group {i} counts {} rows", group.num_rows()));
        }
        rows = rows.checked_add(group.num_rows()).ok_or("its row groups count more rows than there are numbers")?;
        for chunk in group.columns() {
            let described = chunk.column_descr();
            let flat = described.max_rep_level() == 0;
            if chunk.num_values() < 0 || flat && chunk.num_values() != group.num_rows() {
                return Err(format!(
                    "row group {i} counts {} rows and {} values of `{}`",
                    group.num_rows(),
                    chunk.num_values(),
                    described.path().string()
                ));
            }
            if !lies_inside(chunk, size) {
                return Err(format!(
                    "column `{}` of row group {i} lies outside of the file",
                    described.path().string()
                ));
            }
        }
    }
    let counted = metadata.file_metadata().num_rows();
    if counted == rows { Ok(()) } else { Err(format!("it counts {counted} rows, and its row groups {rows}")) }
}

/// Whether a footer is no longer than its file, by the last bytes of it: the reader of footers does not look.
///
/// # Errors
/// What does not agree. Bytes that are no end of a Parquet file are left to the reader.
pub(super) fn check_length(end: &[u8], size: u64) -> Result<(), String> {
    let Some((rest, b"PAR1")) = end.split_last_chunk::<4>() else { return Ok(()) };
    let Some((_, length)) = rest.split_last_chunk::<4>() else { return Ok(()) };
    let length = u64::from(u32::from_le_bytes(*length));
    if length.saturating_add(8) <= size {
        return Ok(());
    }
    Err(format!("its footer says that it has {length} bytes, and the file has {size}"))
}

fn lies_inside(chunk: &ColumnChunkMetaData, size: u64) -> bool {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()).min(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    match (u64::try_from(start), end.and_then(|end| u64::try_from(end).ok())) {
        (Ok(_), Some(end)) => chunk.compressed_size() >= 0 && end <= size,
        _ => false,
    }
}

/// Whether the pages of a column chunk hold as many values as the footer says. A reader that runs out of pages ends early without a word.
///
/// # Errors
/// What does not agree. Bytes that are not a whole chunk, or no pages, are left to the reader.
pub(super) fn check_pages(metadata: &ParquetMetaData, range: &Range<u64>, bytes: &Bytes) -> Result<(), String> {
    let chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    for chunk in chunks.filter(|chunk| extent(chunk).as_ref() == Some(range)) {
        let window = Arc::new(Window { start: range.start, bytes: bytes.clone() });
        let total = usize::try_from(chunk.num_values()).unwrap_or(0);
        let Ok(mut pages) = SerializedPageReader::new(window, chunk, total, None) else { return Ok(()) };
        let mut held = 0_i64;
        while let Ok(Some(page)) = pages.peek_next_page() {
            let values = page.num_levels.or(page.num_rows).unwrap_or(0);
            held = held.saturating_add(if page.is_dict { 0 } else { i64::try_from(values).unwrap_or(i64::MAX) });
            if pages.skip_next_page().is_err() {
                return Ok(());
            }
        }
        if held != chunk.num_values() {
            let (name, said) = (chunk.column_descr().path().string(), chunk.num_values());
            return Err(format!("column `{name}` has {held} values in its pages where its footer counts {said}"));
        }
    }
    Ok(())
}

/// Where the pages of a chunk lie in their file.
fn extent(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size())?;
    Some(u64::try_from(start).ok()?..u64::try_from(end).ok()?)
}

/// Some bytes of a file, under their offsets in it.
struct Window {
    start: u64,
    bytes: Bytes,
}

impl Window {
    fn from(&self, at: u64) -> ParquetResult<Bytes> {
        let at = at.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|at| *at <= self.bytes.len());
        at.map(|at| self.bytes.slice(at..)).ok_or_else(|| ParquetError::EOF("outside of the chunk".to_owned()))
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.from(start)?;
        if length > rest.len() {
            return Err(ParquetError::EOF("outside of the chunk".to_owned()));
        }
        Ok(rest.slice(..length))
    }
}

/// The key under which writers keep an Arrow schema, which would make texts of bytes again.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// The footer of the same file as if its texts, other than those in structs and lists, were bytes: they are then read without a look
/// at what they are, since one that is none would fail the read of all the others.
///
/// # Errors
/// Where the footer cannot be written again.
pub(super) fn texts_as_bytes(metadata: &ParquetMetaData) -> ParquetResult<ParquetMetaData> {
    let said = metadata.file_metadata();
    let root = said.schema_descr().root_schema();
    let fields = root.get_fields().iter().map(bytes_for_text).collect::<ParquetResult<Vec<_>>>()?;
    let schema = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    let others = said.key_value_metadata().map(|all| all.iter().filter(|one| one.key != ARROW_SCHEMA).cloned());
    let said = FileMetaData::new(
        said.version(),
        said.num_rows(),
        said.created_by().map(str::to_owned),
        others.map(Iterator::collect),
        Arc::new(SchemaDescriptor::new(Arc::new(schema))),
        said.column_orders().cloned(),
    );
    let mut written = Vec::new();
    ParquetMetaDataWriter::new(&mut written, &ParquetMetaData::new(said, metadata.row_groups().to_vec())).finish()?;
    ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(written))
}

fn bytes_for_text(field: &Arc<Type>) -> ParquetResult<Arc<Type>> {
    let Type::PrimitiveType { basic_info, physical_type: Physical::BYTE_ARRAY, .. } = field.as_ref() else {
        return Ok(Arc::clone(field));
    };
    let is_text = basic_info.converted_type() == ConvertedType::UTF8
        || matches!(basic_info.logical_type_ref(), Some(LogicalType::String));
    if !is_text {
        return Ok(Arc::clone(field));
    }
    let builder = Type::primitive_type_builder(field.name(), Physical::BYTE_ARRAY);
    let id = basic_info.has_id().then(|| basic_info.id());
    builder.with_repetition(basic_info.repetition()).with_id(id).build().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_counted_twice_must_agree() {
        let schema = Type::group_type_builder("schema").build().unwrap();
        let said = |rows| {
            FileMetaData::new(2, rows, None, None, Arc::new(SchemaDescriptor::new(Arc::new(schema.clone()))), None)
        };
        assert!(check(&ParquetMetaData::new(said(0), Vec::new()), 100).is_ok());
        let why = check(&ParquetMetaData::new(said(1), Vec::new()), 100).unwrap_err();
        assert_eq!(why, "it counts 1 rows, and its row groups 0");
    }
}
