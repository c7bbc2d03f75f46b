//! Twin worlds whose hidden cells are bad: no text, no time, or not of the promised type. The reader finds no difference.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{ByteArrayType, Int64Type, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use url::Url;

use super::fixture::{client_of_stored, entry, exposed, is, query, rule, rules};
use crate::config::Limits;
use crate::contract::Column;
use crate::engine::Engine;
use crate::govern::GovernedTable;
use crate::policy::{Condition, Exposed};
use crate::source::{Sources, Stores};

fn bytes(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn column(name: &str, data_type: DataType) -> Column {
    super::fixture::column(name, data_type, false)
}

fn ids() -> ArrayRef {
    Arc::new(Int64Array::from(vec![1, 2, 3]))
}

/// The second row is hidden from the reader.
fn regions() -> ArrayRef {
    Arc::new(StringArray::from(vec!["EU", "US", "EU"]))
}

/// Times as old writers keep them: nanoseconds of a Julian day.
fn int96(hidden_day: u32) -> Vec<u8> {
    let message = "message m { required int64 id; required binary region (UTF8); required int96 at; }";
    let schema = Arc::new(parse_message_type(message).unwrap());
    let time = |millis: u32, day: u32| {
        let mut time = Int96::new();
        time.set_data(millis * 1_000_000, 0, day);
        time
    };
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1, 2, 3], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&["EU".into(), "US".into(), "EU".into()], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let times = [time(1, 2_440_588), time(2, hidden_day), time(3, 2_440_588)];
    column.typed::<Int96Type>().write_batch(&times, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

async fn sources(bytes: Vec<u8>) -> Arc<Sources> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    store.put(&"orders/a.parquet".into(), bytes.into()).await.unwrap();
    let mut stores = Stores::default();
    stores.insert("sales".parse().unwrap(), &Url::parse("memory:///").unwrap(), store);
    Arc::new(Sources::new(Engine::new(&Limits::default()).unwrap(), stores))
}

/// The answer to the reader. After a refusal that advises to ask again, the reader asks once more.
async fn answers(columns: &[Column], seen: &Exposed, bytes: Vec<u8>, statements: &[&str]) -> Vec<Vec<String>> {
    let sources = sources(bytes).await;
    let mut answers = Vec::new();
    for sql in statements {
        let table = || {
            let key = Some("key".to_owned().into());
            let (entry, source) = (entry(columns.to_vec()), Arc::clone(&sources));
            GovernedTable::new(entry, seen.clone(), source, key, false).expect("something is visible")
        };
        let first = query(&client_of_stored(table()).await, sql).await;
        let again = matches!(&first, Err(why) if why.contains("changed while it was read"));
        let answer = if again { query(&client_of_stored(table()).await, sql).await } else { first };
        answers
            .push(answer.unwrap_or_else(|why| vec![why.split(", correlation").next().unwrap_or_default().to_owned()]));
    }
    answers
}

/// The columns, in clear where the region is EU.
fn europe(columns: &[&str]) -> Exposed {
    let seen = |name: &&str| rules(name, vec![rule("clear", &[is("region", "EU")])], vec![]);
    exposed(columns.iter().map(seen).collect())
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

#[tokio::test]
async fn text_in_hidden_row_changes_nothing() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one", "hidden-text", "three"]));
    let clean = bytes(vec![("id", ids()), ("region", regions()), ("note", texts)]);
    let mut bad = clean.clone();
    let found: Vec<usize> = (0..bad.len() - 11).filter(|at| &bad[*at..*at + 11] == b"hidden-text").collect();
    assert!(!found.is_empty());
    for at in found {
        bad[at + 3] = 0xff;
    }
    let columns = [column("id", DataType::Int64), column("region", DataType::Utf8), column("note", DataType::Utf8)];
    let seen = europe(&["id", "region", "note"]);
    let statements = [
        "select id, note from orders order by id",
        "select count(*), count(note), max(note) from orders",
        "select id from orders where note > 'a' order by id",
        "select id from orders where note is null",
        "select id, length(note) from orders where region = 'EU' order by id",
    ];
    let one = answers(&columns, &seen, clean.clone(), &statements).await;
    assert_eq!(one[0], ["1|one", "3|three"]);
    assert_eq!(one, answers(&columns, &seen, bad.clone(), &statements).await);

    // A reader of the row is refused the lost text and nothing else, and a policy that reads the text denies.
    let everything = exposed(
        ["id", "note"].iter().map(|name| rules(name, vec![rule("clear", &[super::fixture::ALWAYS])], vec![])).collect(),
    );
    let asked = ["select id, note from orders order by id", "select count(*), max(id) from orders"];
    let all = answers(&columns, &everything, bad.clone(), &asked).await;
    assert!(all[0][0].contains("a value of `note` in `sales.orders` is not what its contract promises"), "{all:?}");
    assert_eq!(all[1], ["3|3"]);
    let forbidden = not(is("note", "one"));
    let closed = exposed(
        ["id", "note"]
            .iter()
            .map(|name| rules(name, vec![rule("clear", std::slice::from_ref(&forbidden))], vec![]))
            .collect(),
    );
    let rest = answers(&columns, &closed, bad, &["select id from orders order by id"]).await;
    assert_eq!(rest[0], ["3"], "the lost text is not `one`, and nobody knows what it is");
}

#[tokio::test]
async fn time_in_hidden_row_changes_nothing() {
    let columns = [
        column("id", DataType::Int64),
        column("region", DataType::Utf8),
        column("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ];
    let seen = europe(&["id", "region", "at"]);
    let statements = [
        "select id, at from orders order by id",
        "select count(*), max(at) from orders",
        "select id from orders where at > timestamp '1970-01-01T00:00:00.001' order by id",
        "select id from orders where at is null",
    ];
    let millis = |hidden: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(vec![1, hidden, 3])) };
    let nanos =
        |hidden: i64| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(vec![1_000_000, hidden, 3_000_000])) };
    let file = |times: ArrayRef| bytes(vec![("id", ids()), ("region", regions()), ("at", times)]);
    let clean = answers(&columns, &seen, file(millis(2)), &statements).await;
    assert_eq!(clean[2], ["3"]);
    for bad in [file(millis(i64::MAX)), file(millis(i64::MIN)), file(nanos(i64::MAX)), file(nanos(i64::MIN + 1))] {
        assert_eq!(clean, answers(&columns, &seen, bad, &statements).await);
    }
    for day in [2_440_588, u32::MAX / 2, u32::MAX / 2 + 1] {
        assert_eq!(clean, answers(&columns, &seen, int96(day), &statements).await, "day {day}");
    }
    let everything = exposed(
        ["id", "at"].iter().map(|name| rules(name, vec![rule("clear", &[super::fixture::ALWAYS])], vec![])).collect(),
    );
    let all = answers(&columns, &everything, file(millis(i64::MAX)), &["select id from orders where at is null"]).await;
    assert!(all[0][0].contains("a value of `at`"), "{all:?}");
    // Whether there is a time is nothing that a lost one can tell.
    for condition in [Condition::Has(super::fixture::path("at")), not(Condition::Has(super::fixture::path("at")))] {
        let closed = exposed(vec![rules("id", vec![rule("clear", std::slice::from_ref(&condition))], vec![])]);
        let rest = answers(&columns, &closed, file(millis(i64::MAX)), &["select id from orders order by id"]).await;
        let kept: Vec<&str> = if matches!(condition, Condition::Not(_)) { vec![] } else { vec!["1", "3"] };
        assert_eq!(rest[0], kept, "{condition:?}");
    }
}

#[tokio::test]
async fn type_of_hidden_column_changes_nothing() {
    let columns = [column("id", DataType::Int64), column("region", DataType::Utf8), column("salary", DataType::Int64)];
    let file = |salary: Option<ArrayRef>| {
        let rest = salary.map(|salary| ("salary", salary));
        bytes([("id", ids()), ("region", regions())].into_iter().chain(rest).collect())
    };
    let seen = europe(&["id", "region"]);
    let statements = [
        "select * from orders order by id",
        "select count(*) from orders",
        "select salary from orders",
        "select id from orders where salary > 1",
    ];
    let clean = answers(&columns, &seen, file(Some(ids())), &statements).await;
    assert_eq!(clean[0], ["1|EU", "3|EU"]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["12O", "x", "y"]));
    for bad in [file(Some(Arc::clone(&texts))), file(None)] {
        assert_eq!(clean, answers(&columns, &seen, bad.clone(), &statements).await);
        // The gateway refuses the column to its readers, and refuses nothing else.
        let more = europe(&["id", "salary"]);
        let refused = answers(
            &columns,
            &more,
            bad.clone(),
            &[
                "select salary from orders",
                "select id from orders where salary > 1",
                "select id from orders order by id",
            ],
        )
        .await;
        assert!(refused[0][0].contains("data is not what its contract promises"), "{refused:?}");
        assert!(refused[1][0].contains("data is not what its contract promises"), "{refused:?}");
        assert_eq!(refused[2], ["1", "3"]);
        // A policy that reads it lets nothing through, whatever it says.
        for condition in [is("salary", "x"), not(Condition::Has(super::fixture::path("salary")))] {
            let Condition::Not(_) = condition else { continue };
            let closed = exposed(vec![rules("id", vec![rule("clear", &[condition])], vec![])]);
            let rest = answers(&columns, &closed, bad.clone(), &["select id from orders"]).await;
            assert!(rest[0].is_empty(), "{rest:?}");
        }
    }
}
