//! A whole mesh in one string.
//!
//! `//- path` starts a file. Paths below `data/<domain>/` are rows: CSV with a header of `name:type` cells, written as what the path
//! says: `x.parquet`, `x/` (a Delta table), `x@column/` (one partitioned by that column), or as they stand (`x.csv`, `x.ndjson`). Everything else belongs to `catalogs/`, but
//! `users.toml`. Types: i32 i64 utf8 bool f64 dec ts date dict, list and ilist (of text and of i64, between `;`), fsb (four bytes);
//! `addr.street:utf8` is a field of a struct. `//- without-keys` is a mesh whose domains have no key for hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder, StructArray,
};
use arrow::compute::{cast, filter_record_batch};
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::parquet::file::properties::WriterProperties;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

/// Rows in a row group: small, so that a handful of rows makes several.
const ROW_GROUP: usize = 4;

#[derive(Debug, Default)]
pub struct Fixture {
    pub catalogs: BTreeMap<String, String>,
    pub users: String,
    /// Domain → relative path → bytes.
    pub data: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    pub without_keys: bool,
}

impl Fixture {
    pub fn parse(text: &str) -> Self {
        let mut fixture = Self::default();
        for part in text.split("//- ").skip(1) {
            let (path, body) = part.split_once('\n').expect("a path on its own line");
            let path = path.trim();
            if path == "without-keys" {
                fixture.without_keys = true;
            } else if path == "users.toml" {
                body.clone_into(&mut fixture.users);
            } else if let Some(place) = path.strip_prefix("data/") {
                let (domain, file) = place.split_once('/').expect("data/<domain>/<file>");
                fixture.data.entry(domain.to_owned()).or_default().extend(files(file, body));
            } else {
                fixture.catalogs.insert(path.to_owned(), body.to_owned());
            }
        }
        fixture
    }

    /// One in-memory store for each domain; keys are relative to the domain's root.
    pub async fn stores(&self) -> BTreeMap<String, Arc<InMemory>> {
        let mut stores = BTreeMap::new();
        for (domain, files) in &self.data {
            let store = InMemory::new();
            for (path, bytes) in files {
                store.put(&path.as_str().into(), bytes.clone().into()).await.expect("memory takes it");
            }
            stores.insert(domain.clone(), Arc::new(store));
        }
        stores
    }
}

fn files(path: &str, body: &str) -> Vec<(String, Vec<u8>)> {
    if path.ends_with(".parquet") {
        vec![(path.to_owned(), parquet(&rows(body)))]
    } else if let Some(folder) = path.strip_suffix('/') {
        match folder.split_once('@') {
            Some((folder, column)) => partitioned_delta(folder, column, &rows(body)),
            None => delta(folder, &rows(body)),
        }
    } else {
        vec![(path.to_owned(), body.as_bytes().to_vec())]
    }
}

/// Reads the typed CSV.
pub fn rows(body: &str) -> RecordBatch {
    let (header, rest) = body.trim_start().split_once('\n').unwrap_or((body.trim(), ""));
    let columns: Vec<(&str, DataType)> = header
        .trim()
        .split(',')
        .map(|cell| cell.split_once(':').expect("name:type"))
        .map(|(name, kind)| (name, data_type(kind)))
        .collect();
    // What CSV has no word for is read as text first.
    let flat: Vec<Field> = columns
        .iter()
        .map(|(name, kind)| {
            let as_text = matches!(kind, DataType::Dictionary(_, _) | DataType::List(_) | DataType::FixedSizeBinary(_));
            let read = if as_text { DataType::Utf8 } else { kind.clone() };
            Field::new(*name, read, true)
        })
        .collect();
    let schema = Arc::new(Schema::new(flat));
    let mut reader =
        ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(100_000).build(std::io::Cursor::new(rest)).unwrap();
    let batch = reader.next().map_or_else(|| RecordBatch::new_empty(Arc::clone(&schema)), |batch| batch.unwrap());
    nest(&columns, &batch)
}

/// Puts `addr.street` into a struct `addr`.
fn nest(columns: &[(&str, DataType)], flat: &RecordBatch) -> RecordBatch {
    let mut out: Vec<(String, ArrayRef)> = Vec::new();
    let mut structs: BTreeMap<String, Vec<(Arc<Field>, ArrayRef)>> = BTreeMap::new();
    for ((name, kind), array) in columns.iter().zip(flat.columns()) {
        let array = typed(array, kind);
        match name.split_once('.') {
            None => out.push(((*name).to_owned(), array)),
            Some((parent, child)) => {
                if !structs.contains_key(parent) {
                    out.push((parent.to_owned(), Arc::clone(&array)));
                }
                let field = Arc::new(Field::new(child, kind.clone(), true));
                structs.entry(parent.to_owned()).or_default().push((field, array));
            }
        }
    }
    for (name, array) in &mut out {
        if let Some(parts) = structs.remove(name) {
            let (fields, arrays): (Vec<Arc<Field>>, Vec<ArrayRef>) = parts.into_iter().unzip();
            *array = Arc::new(StructArray::new(Fields::from(fields), arrays, None));
        }
    }
    let fields: Vec<Field> =
        out.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), out.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn typed(array: &ArrayRef, kind: &DataType) -> ArrayRef {
    match kind {
        DataType::List(item) if *item.data_type() == DataType::Int64 => {
            let mut out = ListBuilder::new(Int64Builder::new());
            for text in array.as_string::<i32>() {
                out.append_option(text.map(|text| parts(text).map(|part| part.parse().ok()).collect::<Vec<_>>()));
            }
            Arc::new(out.finish())
        }
        DataType::List(_) => {
            let mut out = ListBuilder::new(StringBuilder::new());
            for text in array.as_string::<i32>() {
                out.append_option(text.map(|text| parts(text).map(Some).collect::<Vec<_>>()));
            }
            Arc::new(out.finish())
        }
        DataType::FixedSizeBinary(width) => {
            let values = array.as_string::<i32>().iter().map(|text| text.map(str::as_bytes));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *width).unwrap())
        }
        plain => cast(array, plain).unwrap(),
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').filter(|part| !part.is_empty())
}

fn data_type(kind: &str) -> DataType {
    match kind.trim() {
        "i32" => DataType::Int32,
        "i64" => DataType::Int64,
        "utf8" => DataType::Utf8,
        "bool" => DataType::Boolean,
        "f64" => DataType::Float64,
        "dec" => DataType::Decimal128(12, 2),
        "ts" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "tz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "date" => DataType::Date32,
        "list" => DataType::new_list(DataType::Utf8, true),
        "ilist" => DataType::new_list(DataType::Int64, true),
        "fsb" => DataType::FixedSizeBinary(4),
        "dict" => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        other => panic!("unknown fixture type `{other}`"),
    }
}

/// Several row groups, with statistics, and with the words that writers leave in a file's metadata.
pub fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut out = Vec::new();
    let words = KeyValue::new("pandas".to_owned(), "{\"column\": \"canary-file-metadata\"}".to_owned());
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_key_value_metadata(Some(vec![words]))
        .build();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    out
}

/// A Delta table of one commit with one file.
fn delta(folder: &str, batch: &RecordBatch) -> Vec<(String, Vec<u8>)> {
    let bytes = parquet(batch);
    let log = delta_log(&batch.schema(), &[("part-0.parquet".to_owned(), bytes.len())]);
    vec![
        (format!("{folder}/_delta_log/00000000000000000000.json"), log.into_bytes()),
        (format!("{folder}/part-0.parquet"), bytes),
    ]
}

/// One file for each value of a text column, which is in the log only.
fn partitioned_delta(folder: &str, column: &str, batch: &RecordBatch) -> Vec<(String, Vec<u8>)> {
    let at = batch.schema().index_of(column).unwrap();
    let values = batch.column(at).as_string::<i32>();
    let distinct: BTreeSet<&str> = values.iter().flatten().collect();
    let mut rest = batch.clone();
    rest.remove_column(at);
    let (mut out, mut adds) = (Vec::new(), Vec::new());
    for value in distinct {
        let mask: BooleanArray = values.iter().map(|found| Some(found == Some(value))).collect();
        let bytes = parquet(&filter_record_batch(&rest, &mask).unwrap());
        let path = format!("{column}={value}/part-0.parquet");
        adds.push((path.clone(), bytes.len(), BTreeMap::from([(column, value)])));
        out.push((format!("{folder}/{path}"), bytes));
    }
    let log = log(&batch.schema(), &[column], &adds);
    out.push((format!("{folder}/_delta_log/00000000000000000000.json"), log.into_bytes()));
    out
}

/// The first commit of a table, naming the files as given.
pub fn delta_log(schema: &Schema, adds: &[(String, usize)]) -> String {
    let adds: Vec<_> = adds.iter().map(|(path, size)| (path.clone(), *size, BTreeMap::new())).collect();
    log(schema, &[], &adds)
}

/// `adds` are paths, sizes and partition values.
fn log(schema: &Schema, partitions: &[&str], adds: &[(String, usize, BTreeMap<&str, &str>)]) -> String {
    let fields: Vec<serde_json::Value> = schema.fields().iter().map(|field| delta_field(field)).collect();
    let schema_string = serde_json::json!({ "type": "struct", "fields": fields }).to_string();
    let mut lines = vec![
        serde_json::json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"] } }),
        serde_json::json!({ "metaData": { "id": "fixture", "format": { "provider": "parquet", "options": {} },
            "schemaString": schema_string, "partitionColumns": partitions, "configuration": {}, "createdTime": 0 } }),
    ];
    lines.extend(adds.iter().map(|(path, size, values)| {
        serde_json::json!({ "add": { "path": path, "partitionValues": values, "size": size, "modificationTime": 0, "dataChange": true } })
    }));
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

fn delta_field(field: &Field) -> serde_json::Value {
    serde_json::json!({ "name": field.name(), "type": delta_type(field.data_type()), "nullable": true, "metadata": {} })
}

fn delta_type(kind: &DataType) -> serde_json::Value {
    match kind {
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "long".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(p, s) => format!("decimal({p},{s})").into(),
        DataType::Timestamp(_, _) => "timestamp_ntz".into(),
        DataType::Date32 => "date".into(),
        DataType::List(item) => {
            serde_json::json!({ "type": "array", "elementType": delta_type(item.data_type()), "containsNull": true })
        }
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|field| delta_field(field)).collect();
            serde_json::json!({ "type": "struct", "fields": fields })
        }
        _ => "string".into(),
    }
}
