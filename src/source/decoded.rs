//! How wide the rows of a Parquet file become when they are decoded.
//!
//! The decoder makes as many rows at once as it is asked for, and reserves nothing. A few kilobytes of a file can become gigabytes: a
//! dictionary holds a long value once, and each row names it. So the footer decides how many rows are decoded at once.

use std::collections::HashMap;

use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Bytes that one decoded row may take, by the name of its column in the file.
pub(super) type RowBytes = HashMap<String, u64>;

/// Long values stand together more often than not: a batch may have this many times its share of them.
const SKEW: u64 = 4;
/// Without statistics of what a dictionary becomes, its rows are taken for this wide, or for as wide as the whole chunk.
const UNKNOWN: u64 = 64 << 10;

/// What a row of each column can take. Columns of few bytes are left out.
pub(super) fn row_bytes(metadata: &ParquetMetaData, batch: usize) -> RowBytes {
    let mut widths = RowBytes::new();
    for group in metadata.row_groups() {
        let mut columns = RowBytes::new();
        for chunk in group.columns().iter().filter(|chunk| chunk.column_type() == Type::BYTE_ARRAY) {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
            let name = chunk.column_descr().path().parts().first().cloned().unwrap_or_default();
            *columns.entry(name).or_default() += chunk_row_bytes(chunk, rows, batch as u64);
        }
        for (name, bytes) in columns {
            let widest = widths.entry(name).or_default();
            *widest = bytes.max(*widest);
        }
    }
    widths
}

fn chunk_row_bytes(chunk: &ColumnChunkMetaData, rows: u64, batch: u64) -> u64 {
    let size = |bytes: i64| u64::try_from(bytes).unwrap_or(u64::MAX);
    let encoded = size(chunk.uncompressed_size());
    let by_rows = |decoded: u64| if decoded <= batch { decoded / rows } else { (decoded / rows).saturating_mul(SKEW) };
    match chunk.unencoded_byte_array_data_bytes() {
        Some(decoded) => by_rows(size(decoded)),
        None if chunk.dictionary_page_offset().is_some() && encoded.saturating_mul(rows) > batch => {
            by_rows(encoded).max(encoded.min(UNKNOWN))
        }
        None => by_rows(encoded),
    }
}

/// How many rows of these widths come to `batch` bytes, at least one and at most `usual`.
pub(super) fn rows_at_once(widths: impl Iterator<Item = u64>, batch: usize, usual: usize) -> usize {
    let row = widths.fold(0_u64, u64::saturating_add);
    let rows = (batch as u64).checked_div(row).unwrap_or(u64::MAX);
    usize::try_from(rows).unwrap_or(usize::MAX).clamp(1, usual.max(1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;

    const BATCH: usize = 16 << 20;

    fn at_once(values: impl Iterator<Item = String>) -> (usize, usize) {
        let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::try_from(values.len()).unwrap()));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("s", values)]).unwrap();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let size = file.len();
        let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
        let widths = row_bytes(reader.metadata(), BATCH);
        (rows_at_once(widths.into_values(), BATCH, 8_192), size)
    }

    #[test]
    fn repeated_long_value_is_decoded_slowly() {
        let long = "x".repeat(300_000);
        let (rows, size) = at_once((0..500).map(|_| long.clone()));
        assert!(size < 1_000_000 && rows * 300_000 <= BATCH && rows > 1, "{rows} rows at once of {size} bytes");
    }

    #[test]
    fn usual_values_are_decoded_as_usual() {
        assert_eq!(at_once((0..20_000).map(|n| format!("customer {n} of many"))).0, 8_192);
        assert_eq!(at_once((0..20_000).map(|n| format!("region {}", n % 5))).0, 8_192);
    }
}
