//! Stores that misbehave and files that are replaced: an answer is the truth or an error, never short, doubled or mixed rows.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};

use super::delta::{PROTOCOL, add, commit, log};
use super::fault::{FaultStore, Faults, Tags, next};
use super::*;

const FORMATS: [Format; 4] = [Format::Parquet, Format::Delta, Format::Csv, Format::Json];

fn columns() -> Vec<Column> {
    vec![column("id", DataType::Int64), renamed("shown", "s", DataType::Utf8)]
}

/// Rows of one version of one file; the columns of odd versions are in another order, and all versions have one size.
fn rows(file: i64, version: i64) -> Vec<(i64, String, String)> {
    let row = |i| (file * 1000 + i, format!("shown-{version:03}-{i:03}"), format!("other-{version:03}-{i:03}"));
    (0..60).map(row).collect()
}

fn text(format: Format, rows: &[(i64, String, String)], version: i64) -> Vec<u8> {
    let even = version % 2 == 0;
    let mut text = match (format, even) {
        (Format::Json, _) => String::new(),
        (_, true) => "id,s,x\n".to_owned(),
        (_, false) => "id,x,s\n".to_owned(),
    };
    for (id, shown, other) in rows {
        let line = match (format, even) {
            (Format::Json, true) => format!("{{\"id\":{id},\"s\":\"{shown}\",\"x\":\"{other}\"}}\n"),
            (Format::Json, false) => format!("{{\"id\":{id},\"x\":\"{other}\",\"s\":\"{shown}\"}}\n"),
            (_, true) => format!("{id},{shown},{other}\n"),
            (_, false) => format!("{id},{other},{shown}\n"),
        };
        text.push_str(&line);
    }
    text.into_bytes()
}

fn bytes(format: Format, file: i64, version: i64) -> Vec<u8> {
    let rows = rows(file, version);
    if matches!(format, Format::Csv | Format::Json) {
        return text(format, &rows, version);
    }
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let shown: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1.as_str())));
    let other: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2.as_str())));
    // A Delta log names the types of all its files alike, in one order.
    if version % 2 == 0 {
        parquet_bytes(vec![("id", ids), ("s", shown), ("x", other)])
    } else {
        parquet_bytes(vec![("id", ids), ("x", other), ("s", shown)])
    }
}

fn ending(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Json => "json",
        Format::Parquet | Format::Delta => "parquet",
    }
}

fn key(format: Format, file: i64) -> String {
    format!("orders/part-{file}.{}", ending(format))
}

struct FaultWorld {
    sources: Sources,
    store: Arc<FaultStore>,
    contract: TableEntry,
    format: Format,
}

impl FaultWorld {
    async fn new(format: Format, faults: Faults) -> Self {
        let store = FaultStore::new(faults);
        let mut stores = Stores::default();
        stores.insert("sales".parse().unwrap(), &Url::parse("s3://lake/").unwrap(), Arc::clone(&store) as _);
        let limits = Limits { partitions: 2, ..Limits::default() };
        let sources = Sources::new(Engine::new(&limits).unwrap(), stores).with_refresh(Duration::from_mins(10));
        let contract = entry_of("sales", s3("s3://lake/orders"), format, columns());
        let world = Self { sources, store, contract, format };
        for file in 0..2 {
            world.publish(file, 0).await;
        }
        if format == Format::Delta {
            let add = |file| add(&format!("part-{file}.parquet"), bytes(format, file, 0).len());
            let adds = (0..2).map(add).collect::<String>().replace("numRecords\\\":2", "numRecords\\\":60");
            world.store.publish(&format!("orders/{}", commit(0)), log(PROTOCOL, &adds)).await;
        }
        world
    }

    async fn publish(&self, file: i64, version: i64) {
        self.store.publish(&key(self.format, file), bytes(self.format, file, version)).await;
    }

    async fn open(&self) -> Result<Arc<RawTable>, String> {
        self.sources.open(&self.contract).await.map_err(|error| error.message)
    }

    async fn answer(&self) -> Result<Vec<(i64, String)>, String> {
        answer(self.open().await?.as_ref()).await
    }
}

async fn answer(raw: &RawTable) -> Result<Vec<(i64, String)>, String> {
    let mut answer = Vec::new();
    for batch in run(raw, None).await? {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let shown = batch.column(1).as_string::<i32>();
        answer.extend((0..batch.num_rows()).map(|i| (ids.value(i), shown.value(i).to_owned())));
    }
    answer.sort();
    Ok(answer)
}

fn truth(versions: [i64; 2]) -> Vec<(i64, String)> {
    let files = versions.into_iter().zip(0..).flat_map(|(version, file)| rows(file, version));
    files.map(|(id, shown, _)| (id, shown)).collect()
}

/// Each file is as it was at one time, and whole.
fn is_of_versions(answer: &[(i64, String)], newest: [i64; 2]) -> bool {
    let part = |file: i64| answer.iter().filter(move |(id, _)| id / 1000 == file).cloned().collect::<Vec<_>>();
    let known =
        |file: i64, version: i64| rows(file, version).into_iter().map(|(id, shown, _)| (id, shown)).eq(part(file));
    answer.len() == 120 && newest.into_iter().zip(0..).all(|(newest, file)| (0..=newest).any(|v| known(file, v)))
}

#[tokio::test]
async fn replaced_file_is_refused_and_then_read() {
    for format in FORMATS {
        for tags in [Tags::Strong, Tags::Weak, Tags::None] {
            for ignores_conditions in [true, false] {
                let what = format!("{format:?} {tags:?} {ignores_conditions}");
                let world = FaultWorld::new(format, Faults { tags, ignores_conditions, ..Faults::default() }).await;
                assert_eq!(world.answer().await.unwrap(), truth([0, 0]), "{what}");
                let raw = world.open().await.unwrap();
                world.publish(1, 1).await;
                let refused = answer(&raw).await.unwrap_err();
                assert!(refused.contains("not the file that was there"), "{what}: {refused}");
                assert_eq!(world.answer().await.unwrap(), truth([0, 1]), "{what}: the next look is at once");
            }
        }
    }
}

/// Nothing else can tell the two files apart: neither tag, time nor size.
#[tokio::test]
async fn csv_header_of_the_bytes_decides() {
    let world = World::new();
    let world = World { sources: world.sources.with_refresh(Duration::from_mins(1)), store: world.store };
    let contract = entry(Format::Csv, columns());
    world.put("orders/a.csv", "id,s,x\n1,shown,hidden\n").await;
    world.open(&contract).await;
    let header = Some(Arc::new(vec!["id".to_owned(), "s".to_owned(), "x".to_owned()]));
    let mut records = super::super::delimited::CsvRecords::new(&columns(), header, &TextLayout::default());
    let used = super::super::text::Records::decode(&mut records, b"id,x,s\n1,hidden,shown\n", 100);
    assert!(super::super::text::Records::is_foreign(&records), "{used}");
    assert_eq!(super::super::text::Records::cells(&mut records).rows(), 0, "no row is read by another's header");
}

#[tokio::test]
async fn body_of_another_length_fails() {
    for format in FORMATS {
        let faults = [
            Faults { cut: 1, ..Faults::default() },
            Faults { cut: 1000, ..Faults::default() },
            Faults { longer: 5, ..Faults::default() },
            Faults { breaks_off: true, ..Faults::default() },
        ];
        for faults in faults {
            let world = FaultWorld::new(format, Faults::default()).await;
            let raw = world.open().await.unwrap();
            world.store.set(faults);
            let refused = answer(&raw).await;
            assert!(refused.is_err(), "{format:?} {faults:?}: {} rows", refused.unwrap().len());
            world.store.set(Faults::default());
            assert_eq!(world.answer().await.unwrap(), truth([0, 0]), "{format:?} {faults:?}");
        }
    }
}

#[tokio::test]
async fn key_listed_twice_is_read_once() {
    for format in [Format::Parquet, Format::Csv, Format::Json] {
        let world = FaultWorld::new(format, Faults { doubled: true, ..Faults::default() }).await;
        assert_eq!(world.answer().await.unwrap(), truth([0, 0]), "{format:?}");
        let faults = Faults { doubled: true, doubled_as_other: true, ..Faults::default() };
        let world = FaultWorld::new(format, faults).await;
        let refused = world.open().await.unwrap_err();
        assert!(refused.contains("was listed twice"), "{format:?}: {refused}");
    }
}

/// Results are the truth of each file at one time, or an error.
#[test]
fn faults_never_change_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..100_u64 {
        let format = FORMATS[usize::try_from(seed % 4).unwrap()];
        runtime.block_on(async {
            let tags = [Tags::Strong, Tags::Weak, Tags::None][usize::try_from(seed / 4 % 3).unwrap()];
            let world = FaultWorld::new(format, Faults { tags, ..Faults::default() }).await;
            // A failure is asked about again at once.
            let world = FaultWorld { sources: world.sources.with_refresh(Duration::ZERO), ..world };
            let mut drawn = next(next(seed + 1));
            let mut newest = [0, 0];
            for _ in 0..4 {
                drawn = next(drawn);
                world.store.draw_from(Some(drawn));
                let opened = world.open().await;
                drawn = next(drawn);
                if drawn >> 40 & 1 == 1 {
                    let file = usize::try_from(drawn >> 41 & 1).unwrap();
                    newest[file] += 1;
                    world.publish(i64::try_from(file).unwrap(), newest[file]).await;
                }
                let Ok(raw) = opened else { continue };
                match answer(&raw).await {
                    Ok(rows) => {
                        right += 1;
                        assert!(is_of_versions(&rows, newest), "seed {seed} {format:?} {tags:?}: {} rows", rows.len());
                    }
                    Err(_) => wrong += 1,
                }
            }
            world.store.draw_from(None);
            assert_eq!(
                world.answer().await.unwrap(),
                truth(newest),
                "seed {seed} {format:?} {tags:?}: it does not recover"
            );
        });
    }
    assert!(right > 50 && wrong > 50, "{right} answers and {wrong} errors");
}

#[tokio::test]
async fn log_counts_are_not_believed() {
    let count = async |raw: &RawTable| {
        let count = datafusion::functions_aggregate::expr_fn::count(datafusion::prelude::lit(1_i64));
        let none: Vec<Expr> = Vec::new();
        let counted = LogicalPlanBuilder::from(plan(raw)).aggregate(none, vec![count]).unwrap();
        let raw = RawTable::new(counted.build().unwrap(), Arc::clone(raw.session()), BTreeMap::new());
        show(&raw, None).await.map(|shown| shown.lines().last().unwrap().to_owned())
    };
    let world = World::new();
    let bytes = bytes(Format::Delta, 0, 0);
    world.put("orders/part-0.parquet", bytes.clone()).await;
    let lying = add("part-0.parquet", bytes.len()).replace("numRecords\\\":2", "numRecords\\\":7");
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &lying)).await;
    let raw = world.open(&entry(Format::Delta, columns())).await;
    assert_eq!(count(&raw).await.unwrap(), "60");
    // A partition column alone is answered from the log as well.
    let log = log(PROTOCOL, &lying.replace("\"partitionValues\":{}", "\"partitionValues\":{\"s\":\"EU\"}"))
        .replace("\"partitionColumns\":[]", "\"partitionColumns\":[\"s\"]");
    world.put(&format!("parted/{}", commit(0)), log).await;
    world.put("parted/part-0.parquet", bytes).await;
    let parted = entry_of("sales", local("parted"), Format::Delta, vec![renamed("shown", "s", DataType::Utf8)]);
    let rows = run(world.open(&parted).await.as_ref(), None).await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 60);
    assert_eq!(rows[0].num_columns(), 1);
}

#[tokio::test]
async fn log_size_must_be_the_objects() {
    let world = World::new();
    let bytes = bytes(Format::Delta, 0, 0);
    world.put("orders/part-0.parquet", bytes.clone()).await;
    for wrong in [bytes.len() - 1, bytes.len() + 1, 8] {
        world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &add("part-0.parquet", wrong))).await;
        let raw = world.open(&entry(Format::Delta, columns())).await;
        let refused = answer(&raw).await;
        assert!(refused.is_err(), "{wrong} of {}: {refused:?}", bytes.len());
    }
}

#[tokio::test]
async fn log_that_names_a_file_twice_fails() {
    let world = World::new();
    let bytes = bytes(Format::Delta, 0, 0);
    world.put("orders/part-0.parquet", bytes.clone()).await;
    for other in ["./part-0.parquet", "part%2D0.parquet", "part-0.parquet"] {
        let adds = format!("{}{}", add("part-0.parquet", bytes.len()), add(other, bytes.len()));
        world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &adds)).await;
        let outcome = match world.sources.open(&entry(Format::Delta, columns())).await {
            Ok(raw) => answer(&raw).await,
            Err(error) => Err(error.message),
        };
        assert!(
            outcome.as_ref().map_or(true, |rows| rows.len() == 60),
            "{other}: {:?}",
            outcome.map(|rows| rows.len())
        );
    }
}

/// Each of the counts of a footer in turn is not what the others say.
#[tokio::test]
async fn footer_that_contradicts_itself_is_refused() {
    use ::parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
    let bytes = bytes(Format::Parquet, 0, 0);
    let whole = bytes::Bytes::from(bytes.clone());
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&whole).unwrap();
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap());
    let body = &bytes[..bytes.len() - 8 - usize::try_from(footer).unwrap()];
    let group = metadata.row_group(0).clone();
    let more = |rows: i64, values: i64, file: i64| {
        let columns = group.columns().iter().map(|chunk| chunk.clone().into_builder().set_num_values(values).build());
        let group = group.clone().into_builder().set_num_rows(rows);
        let group = group.set_column_metadata(columns.map(Result::unwrap).collect()).build().unwrap();
        let said = metadata.file_metadata();
        let said = ::parquet::file::metadata::FileMetaData::new(
            said.version(),
            file,
            None,
            said.key_value_metadata().cloned(),
            said.schema_descr_ptr(),
            said.column_orders().cloned(),
        );
        let metadata = ::parquet::file::metadata::ParquetMetaData::new(said, vec![group]);
        let mut written = body.to_vec();
        ParquetMetaDataWriter::new(&mut written, &metadata).finish().unwrap();
        written
    };
    let world = World::new();
    let contract = entry(Format::Parquet, columns());
    world.put("orders/a.parquet", more(60, 60, 60)).await;
    assert_eq!(answer(world.open(&contract).await.as_ref()).await.unwrap().len(), 60, "the control");
    for (rows, values, file) in [(61, 60, 61), (59, 60, 59), (60, 59, 60), (60, 61, 60)] {
        world.put("orders/a.parquet", more(rows, values, file)).await;
        let refused = world.refused(&contract).await;
        assert!(refused.message.contains("it is no whole Parquet file"), "{refused}");
        let delta = more(rows, values, file);
        world.put("delta/part-0.parquet", delta.clone()).await;
        world.put(&format!("delta/{}", commit(0)), log(PROTOCOL, &add("part-0.parquet", delta.len()))).await;
        let raw = world.open(&entry_of("sales", local("delta"), Format::Delta, columns())).await;
        assert!(answer(&raw).await.is_err(), "{rows} {values} {file}");
    }
    // All counts agree, and the pages hold others.
    for lie in [70, 50] {
        world.put("orders/a.parquet", more(lie, lie, lie)).await;
        let outcome = match world.sources.open(&contract).await {
            Ok(raw) => answer(&raw).await,
            Err(error) => Err(error.message),
        };
        assert!(outcome.is_err(), "{lie}: {:?} rows", outcome.map(|rows| rows.len()));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn local_file_written_in_place_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let storage = crate::config::DomainStorage { root: Some(home.path().to_owned()), ..Default::default() };
    let config = crate::config::Storage { domains: BTreeMap::from([("sales".to_owned(), storage)]) };
    for format in FORMATS {
        let world = World::with(Arc::default(), Stores::from_config(&config).unwrap());
        let world = World { sources: world.sources.with_refresh(Duration::from_mins(1)), store: world.store };
        let folder = format!("{format:?}");
        let path = home.path().join(&folder).join(format!("part-0.{}", ending(format)));
        std::fs::create_dir_all(home.path().join(&folder).join("_delta_log")).unwrap();
        std::fs::write(&path, bytes(format, 0, 0)).unwrap();
        let log = log(PROTOCOL, &add("part-0.parquet", bytes(format, 0, 0).len()));
        std::fs::write(home.path().join(&folder).join(commit(0)), log).unwrap();
        let contract = entry_of("sales", local(&folder), format, columns());
        let raw = world.open(&contract).await;
        assert_eq!(answer(&raw).await.unwrap().len(), 60, "{format:?}");
        let written = std::fs::metadata(&path).unwrap().modified().unwrap();
        // Of the same size, into the same inode, with the time set back.
        std::fs::write(&path, bytes(format, 0, 1)).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        let refused = answer(&raw).await.unwrap_err();
        assert!(refused.contains("not the file that was there"), "{format:?}: {refused}");
        let raw = world.open(&contract).await;
        assert_eq!(answer(&raw).await.unwrap()[0].1, "shown-001-000", "{format:?}");
        std::fs::write(&path, &bytes(format, 0, 1)[..200]).unwrap();
        let refused = answer(&raw).await.unwrap_err();
        assert!(refused.contains("not the file that was there"), "{format:?}: {refused}");
    }
}
