//! Files of text, CSV and JSON lines: values are read as text and converted, and what cannot be converted is NULL with a marker beside it.
//!
//! The stock readers fail a query on the first bad value and quote it, which would show a hidden row. Here no value and no record fails a
//! query: a broken record is a row of NULLs whose markers are all TRUE. It fails where the reader cannot tell the records of a file apart, since
//! rows would be lost without a marker.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::cells::Cells;
use super::characters;
use super::conform::{self, Conformed, Unreadable};
use super::damaged::{Damaged, Damages};
use super::delimited::{self, CsvRecords};
use super::files::{self, DataFile, FileTable};
use super::fit::type_name;
use super::json::JsonRecords;
use super::location::Place;
use super::pinned::PinnedStore;
use super::pins::Pins;
use super::text_scan::{Reader, Shape};
use crate::contract::{Column, Dataset, TextLayout};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::ColumnPath;

/// Records longer than this are broken; it bounds what one record can hold in memory.
pub(super) const RECORD_BYTES: usize = 16 << 20;
/// A batch is full when it holds so much text, however few its rows.
pub(super) const BATCH_BYTES: usize = 8 << 20;
/// Above this a count of rows is not worth a read of the files.
const COUNTED_BYTES: u64 = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFormat {
    Csv,
    Json,
}

impl TextFormat {
    fn endings(self) -> Vec<String> {
        characters::endings(match self {
            Self::Csv => &[".csv"],
            Self::Json => &[".json", ".jsonl", ".ndjson"],
        })
    }
}

/// Headers of the CSV files that were checked.
type Headers = HashMap<Path, (ObjectMeta, Arc<Vec<String>>)>;

/// The files that were found, and what the next look need not read again.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    headers: Headers,
    files: Vec<DataFile>,
    pins: Arc<Pins>,
}

impl Known {
    /// True once a reader found another file under a key that was listed.
    pub(super) fn is_outdated(&self) -> bool {
        self.pins.is_outdated()
    }
}

pub(super) async fn open(
    place: &Place,
    dataset: &Dataset,
    format: TextFormat,
    layout: &Arc<TextLayout>,
    known: &Known,
) -> Result<(Conformed, Known)> {
    let partitions = files::partition_columns(dataset);
    let columns: Vec<Column> = dataset.columns.iter().filter(|c| c.partition_key.is_none()).cloned().collect();
    let endings = format.endings();
    let endings: Vec<&str> = endings.iter().map(String::as_str).collect();
    let found = files::list(place, &endings, &partitions).await?;
    let pins = Pins::of(&found);
    let mut damaged = Damages::default();
    let (headers, unreadable, nowhere) = match format {
        TextFormat::Csv => {
            let store = pinned(Arc::clone(&place.placement.store), &pins, &place.placement.url);
            let headers = if layout.header {
                let headers = headers(place, store, &found, layout, &known.headers, &mut damaged).await;
                let headers = headers.map_err(|why| pins.stale_or(why))?;
                damaged.admit(&partitions, &pins)?;
                headers
            } else {
                let names: Vec<String> = columns.iter().map(|column| column.physical_name.clone()).collect();
                let names = Arc::new(names);
                let header = |file: &DataFile| (file.meta.location.clone(), (file.meta.clone(), Arc::clone(&names)));
                found.iter().map(header).collect()
            };
            let (mut unreadable, mut nowhere) = absent(place, &columns, &found, &headers);
            for column in columns.iter().filter(|column| column.data_type.is_nested()) {
                let path = ColumnPath::root(column.name.clone());
                unreadable.insert(path.clone(), unheld(column));
                nowhere.insert(path, unheld(column));
            }
            (headers, unreadable, nowhere)
        }
        TextFormat::Json => (Headers::new(), Unreadable::new(), Unreadable::new()),
    };
    conform::some_readable(&columns, &unreadable)?;
    // In the order of the leaves, which the cells share.
    let leaves: Vec<ColumnPath> = columns.iter().flat_map(Column::leaves).map(|(path, _)| path).collect();
    let markers: Vec<String> = leaves.iter().map(conform::marker).collect();
    let mut fields: Vec<Field> =
        columns.iter().map(|c| Field::new(&c.physical_name, c.type_in_files(), true)).collect();
    fields.extend(markers.iter().map(|name| Field::new(name, DataType::Boolean, false)));
    let schema = Arc::new(Schema::new(fields));
    let shape = Arc::new(Shape {
        format,
        layout: Arc::clone(layout),
        columns,
        headers: headers.iter().map(|(key, (_, names))| (key.clone(), Arc::clone(names))).collect(),
    });
    let internal = |error: &DataFusionError| {
        Diagnostic::error(Kind::Internal, format!("cannot plan the read of a product: {error}"))
    };
    let url = ObjectStoreUrl::parse(place.placement.url.as_str().trim_end_matches('/')).map_err(|e| internal(&e))?;
    let partition_fields = files::partition_fields(&partitions);
    let reader =
        Reader { url, shape, schema: Arc::clone(&schema), partitions: partition_fields, pins: Arc::clone(&pins) };
    let table = FileTable::new(found.clone(), &schema, &partitions, Arc::new(reader));
    let table = Arc::new(table.with_damaged(damaged.clone()));
    let held = leaves.into_iter().zip(&markers).filter(|(path, _)| conform::unreadable_at(&nowhere, path).is_none());
    let markers = held.map(|(path, name)| (path, conform::source_column(name))).collect();
    let source = provider_as_source(table);
    // Policies read of a column what the files that have it hold.
    let conformed = conform::project(source, &dataset.columns, markers, nowhere, conform::source_column)
        .map_err(|e| internal(&e))?;
    Ok((Conformed { unreadable, damaged: damaged.first(), ..conformed }, Known { headers, files: found, pins }))
}

fn unheld(column: &Column) -> Diagnostic {
    Diagnostic::error(
        Kind::Invalid,
        format!(
            "column `{}` is promised as {}, which a CSV file cannot hold",
            column.name,
            type_name(&column.data_type)
        ),
    )
    .hint("publish the product as Parquet, Delta or JSON lines")
}

fn twice(file: &str, column: &Column) -> Diagnostic {
    let what = format!("`{file}` has two columns `{}`: which of them is promised cannot be told", column.physical_name);
    Diagnostic::error(Kind::Invalid, what).hint("give one of them another name, and write the file again")
}

pub(super) fn pinned(store: Arc<dyn ObjectStore>, pins: &Arc<Pins>, url: &Url) -> Arc<dyn ObjectStore> {
    Arc::new(PinnedStore::new(store, Arc::clone(pins), url.scheme() == "local"))
}

async fn headers(
    place: &Place,
    store: Arc<dyn ObjectStore>,
    found: &[DataFile],
    layout: &TextLayout,
    known: &Headers,
    damaged: &mut Damages,
) -> Result<Headers> {
    let store = &store;
    let looks = stream::iter(found.to_vec()).map(|file| async move {
        let key = &file.meta.location;
        if let Some(header) = known.get(key).filter(|(meta, _)| *meta == file.meta) {
            return Ok((key.clone(), Ok(header.clone())));
        }
        let text = text_of(Arc::clone(store), key.clone(), layout);
        match delimited::header(text, key, layout.delimiter).await {
            Ok(names) => Ok((key.clone(), Ok((file.meta.clone(), Arc::new(names))))),
            Err(error) => match Damaged::find(&error) {
                Some(damaged) => Ok((key.clone(), Err(damaged.clone()))),
                None => Err(files::unreachable(place, &error)),
            },
        }
    });
    let mut headers = Headers::new();
    for (key, looked) in looks.buffered(8).try_collect::<Vec<_>>().await? {
        match looked {
            Ok(header) => drop(headers.insert(key, header)),
            Err(why) => damaged.note(key, why),
        }
    }
    Ok(headers)
}

/// Columns that are not shown because some file lacks them or has them twice, by the first of the files: required ones, and those that no file has. The
/// latter once more.
fn absent(place: &Place, columns: &[Column], found: &[DataFile], headers: &Headers) -> (Unreadable, Unreadable) {
    let (mut required, mut lacking) = (Unreadable::new(), Vec::new());
    for (key, (_, names)) in found.iter().filter_map(|file| headers.get_key_value(&file.meta.location)) {
        let fields = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>();
        let (name, found) = (place.relative(key), Schema::new(fields));
        let mut lacks = BTreeMap::new();
        for column in columns {
            let path = ColumnPath::root(column.name.clone());
            if names.iter().filter(|name| *name == &column.physical_name).count() > 1 {
                required.entry(path).or_insert_with(|| twice(&name, column));
            }
            // Whether it is there: each file holds texts.
            let compared = conform::compare(&name, &found, column, &|_| false);
            for (path, why) in compared.broken {
                required.entry(path).or_insert(why);
            }
            lacks.extend(compared.absent);
        }
        lacking.push(lacks);
    }
    let nowhere = conform::nowhere(&lacking.iter().collect::<Vec<_>>());
    let nowhere = columns.iter().filter_map(|column| {
        let why = nowhere.iter().find(|(path, _)| path.first() == Some(&column.physical_name))?.1;
        Some((ColumnPath::root(column.name.clone()), (*why).clone()))
    });
    let nowhere: Unreadable = nowhere.collect();
    required.extend(nowhere.clone());
    (required, nowhere)
}

/// The file under a key, as UTF-8.
pub(super) fn text_of(
    store: Arc<dyn ObjectStore>,
    key: Path,
    layout: &TextLayout,
) -> BoxStream<'static, object_store::Result<Bytes>> {
    let (name, fetched) =
        (key.clone(), async move { Ok::<_, object_store::Error>(store.get(&key).await?.into_stream()) });
    characters::as_utf8(stream::once(fetched).try_flatten().boxed(), &name, &layout.encoding)
}

/// Counts records, where the files are small enough to be worth it.
pub(super) async fn row_count(
    place: &Place,
    known: &Known,
    format: TextFormat,
    layout: &Arc<TextLayout>,
) -> Option<u64> {
    let files = &known.files;
    let store = pinned(Arc::clone(&place.placement.store), &known.pins, &place.placement.url);
    if files.iter().map(|f| f.meta.size).sum::<u64>() > COUNTED_BYTES {
        return None;
    }
    let mut rows = 0_u64;
    for file in files {
        let mut records: Box<dyn Records> = match format {
            TextFormat::Csv => Box::new(CsvRecords::new(&[], None, layout)),
            TextFormat::Json => Box::new(JsonRecords::new(Vec::new(), layout.marks)),
        };
        let mut bytes = text_of(Arc::clone(&store), file.meta.location.clone(), layout);
        while let Some(chunk) = bytes.next().await {
            let mut chunk = chunk.ok()?;
            while !chunk.is_empty() {
                let used = records.decode(&chunk, usize::MAX);
                chunk = chunk.slice(used..);
            }
        }
        records.decode(&[], usize::MAX);
        if records.fault().is_some() {
            return None;
        }
        rows = rows.checked_add(u64::try_from(records.cells().rows()).ok()?)?;
    }
    Some(rows)
}

/// Splits bytes into records and fills cells.
pub(super) trait Records: Send {
    /// Takes bytes until the cells are full; answers how many it took. An empty slice ends the file.
    fn decode(&mut self, bytes: &[u8], rows: usize) -> usize;
    fn cells(&mut self) -> &mut Cells;
    /// True once the bytes turned out to be of another file than the one that was looked at.
    fn is_foreign(&self) -> bool {
        false
    }
    /// Why the reader no longer knows where records begin: some may be lost.
    fn fault(&self) -> Option<&str>;
}
