//! The files: one Parquet file for each table, and beside it the log that makes the folder a Delta table.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake::operations::convert_to_delta::ConvertToDeltaBuilder;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

use super::TABLES;

const ROW_GROUP: usize = 1 << 20;

/// Where the files are, and what is in them.
#[derive(Debug)]
pub struct Tables {
    /// `<root>/<domain>/<table>/part-0.parquet`
    pub root: PathBuf,
    /// In the order of [`TABLES`].
    pub known: Vec<Known>,
}

#[derive(Debug)]
pub struct Known {
    pub schema: SchemaRef,
    pub rows: usize,
}

impl Tables {
    pub fn folder(&self, at: usize) -> PathBuf {
        folder(&self.root, at)
    }
}

fn folder(root: &Path, at: usize) -> PathBuf {
    let (table, domain) = TABLES[at];
    root.join(domain).join(table)
}

/// Writes the tables at a scale (1 is six million lines) below `home`, once.
pub async fn make(home: &Path, scale: f64) -> Tables {
    let root = home.join(format!("sf{scale}"));
    let complete = root.join("complete");
    if !complete.exists() {
        let _ = std::fs::remove_dir_all(&root);
        for (at, (table, _)) in TABLES.iter().enumerate() {
            let folder = folder(&root, at);
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join("part-0.parquet");
            match *table {
                "lineitem" => write(&path, LineItemArrow::new(LineItemGenerator::new(scale, 1, 1))),
                "orders" => write(&path, OrderArrow::new(OrderGenerator::new(scale, 1, 1))),
                "customer" => write(&path, CustomerArrow::new(CustomerGenerator::new(scale, 1, 1))),
                "supplier" => write(&path, SupplierArrow::new(SupplierGenerator::new(scale, 1, 1))),
                "part" => write(&path, PartArrow::new(PartGenerator::new(scale, 1, 1))),
                "partsupp" => write(&path, PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1))),
                "nation" => write(&path, NationArrow::new(NationGenerator::new(scale, 1, 1))),
                _ => write(&path, RegionArrow::new(RegionGenerator::new(scale, 1, 1))),
            }
            let url = url::Url::from_directory_path(&folder).unwrap();
            ConvertToDeltaBuilder::new().with_location(url).await.unwrap();
        }
        std::fs::write(&complete, "").unwrap();
    }
    let known = (0..TABLES.len()).map(|at| known(&folder(&root, at))).collect();
    Tables { root, known }
}

fn known(folder: &Path) -> Known {
    let file = File::open(folder.join("part-0.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap();
    Known { schema: SchemaRef::clone(reader.schema()), rows }
}

fn write<E: std::fmt::Debug>(path: &Path, batches: impl Iterator<Item = Result<RecordBatch, E>>) {
    let mut writer: Option<ArrowWriter<File>> = None;
    for batch in batches {
        let batch = batch.unwrap();
        let writer = writer.get_or_insert_with(|| {
            let properties = WriterProperties::builder()
                .set_max_row_group_row_count(Some(ROW_GROUP))
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
                .build();
            // As most writers do: without an Arrow schema, which would have text read as views by whoever does not ask for the contract's types.
            let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
            ArrowWriter::try_new_with_options(File::create(path).unwrap(), batch.schema(), options).unwrap()
        });
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
}
