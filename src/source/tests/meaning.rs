//! Texts that could be read in two ways: no value is a guess, and no row is lost without a word.

use datafusion::arrow::array::{Array as _, AsArray as _};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::*;

/// Rows as `id|name` with `!` behind what is marked, or why the file cannot be read.
async fn read(format: Format, text: &str) -> Result<Vec<String>, String> {
    let world = World::new();
    let (key, format) = (if format == Format::Csv { "orders/a.csv" } else { "orders/a.json" }, format);
    world.put(key, text.to_owned()).await;
    let contract = entry(format, vec![column("id", DataType::Int64), column("name", DataType::Utf8)]);
    let raw = world.sources.open(&contract).await.map_err(|why| why.message)?;
    Ok(rows(&run(&raw, None).await?))
}

/// The same of any columns, each with one marker.
pub(super) fn rows(batches: &[RecordBatch]) -> Vec<String> {
    use datafusion::arrow::util::display::array_value_to_string;
    let mut rows = Vec::new();
    for batch in batches {
        let half = batch.num_columns() / 2;
        for row in 0..batch.num_rows() {
            let cell = |column: usize| {
                let value = batch.column(column);
                let text = if value.is_null(row) { "-".to_owned() } else { array_value_to_string(value, row).unwrap() };
                let marked = batch.column(half + column).as_boolean().value(row);
                format!("{text}{}", if marked { "!" } else { "" })
            };
            rows.push((0..half).map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    rows
}

const BROKEN: &str = "-!|-!";

#[tokio::test]
async fn csv_records_mean_one_thing_or_are_broken() {
    let long = "x".repeat(9_000);
    for (text, expected) in [
        ("id,name\n1,\"a\"b\n2,c\n", vec![BROKEN, "2|c"]),
        ("id,name\n1,\"a\" \n2,c\n", vec![BROKEN, "2|c"]),
        ("id,name\n1,5\" pipe\n2,c\n", vec!["1|5\" pipe", "2|c"]),
        ("id,name\n1,5\" pipe", vec!["1|5\" pipe"]),
        ("id,name\n1, \"a\"\n", vec!["1| \"a\""]),
        ("id,name\n1,\"a\nb \"\"c\"\"\"\n2,\n", vec!["1|a\nb \"c\"", "2|"]),
        ("id,name\n1,a\rb\n2,c\n", vec![BROKEN, "2|c"]),
        ("id,name\n1,\"a\rb\"\n2,c\n", vec!["1|a\rb", "2|c"]),
        ("id,name\r\n1,a\r\n\r\n2,\"b\"\r\n3,c\r", vec!["1|a", "2|b", "3|c"]),
        ("id,name\r\n1,\"a\r\"\r\n2,c\r\n", vec!["1|a\r", "2|c"]),
        ("id,name\r1,a\r2,b\r", vec!["1|a", "2|b"]),
        ("id,name\n\n1,a\n\n\n2,b\n", vec!["1|a", "2|b"]),
        ("id,name\n1,a\0b\n2,c\n", vec!["1|a\0b", "2|c"]),
        ("id,name\n1\0,a\n", vec!["-!|a"]),
        (&*format!("id,name\n1,{long}\"\n2,\"{long}\"\n"), vec![&*format!("1|{long}\""), &*format!("2|{long}")]),
    ] {
        assert_eq!(read(Format::Csv, text).await.unwrap(), expected, "{text:?}");
    }
}

#[tokio::test]
async fn quoted_text_that_is_too_long_breaks_its_record_alone() {
    let over = "y\n".repeat(super::super::text::RECORD_BYTES / 2 + 1);
    let text = format!("id,name\n1,a\n2,\"{over}\"\n3,c\n");
    assert_eq!(read(Format::Csv, &text).await.unwrap(), ["1|a", BROKEN, "3|c"]);
}

#[tokio::test]
async fn csv_ends_where_records_cannot_be_told_apart() {
    for (text, why) in [
        ("id,name\n1,a\n2,\"b\n3,c\n", "a quote of the record that begins in line 3 is never closed"),
        ("id,name\n1,a\n2,\"b", "a quote of the record that begins in line 3 is never closed"),
        ("id,name\n\n1,\"b\n2,c\n3,\"d\"\n4,e\n", "the quotes of the record that begins in line 3 mean no one thing"),
        ("id,\"name\"x\n1,a\n", "its header has text behind a closing quote"),
        ("id,\"name\n1,a\n", "a quote in its header is never closed"),
    ] {
        let told = read(Format::Csv, text).await.unwrap_err();
        assert!(told.contains("`orders/a.csv` cannot be read: ") && told.contains(why), "{text:?}: {told}");
    }
}

#[tokio::test]
async fn name_that_stands_twice_in_a_header_takes_its_column_out() {
    let world = World::new();
    world.put("orders/1.csv", "id,name\n1,a\n").await;
    world.put("orders/2.csv", "name,id,x,x,name\nb,2,,,c\n").await;
    let contract = entry(Format::Csv, vec![column("id", DataType::Int64), column("name", DataType::Utf8)]);
    let raw = world.open(&contract).await;
    let why = raw.unreadable(&root("name")).unwrap();
    assert_eq!(why.message, "`orders/2.csv` has two columns `name`: which of them is promised cannot be told");
    assert!(raw.unreadable(&root("id")).is_none(), "what is not promised may stand twice");
    assert!(matches!(world.sources.state(&contract), State::Partial { .. }));
    // Policies read of it what the files say that have it once.
    let read = rows(&run(&raw, None).await.unwrap());
    assert_eq!(read, ["1|a", "2|-!"]);
    world.put("orders/1.csv", "id,id,name,name\n1,1,a,a\n").await;
    world.put("orders/2.csv", "id,id,name,name\n1,1,a,a\n").await;
    assert!(world.refused(&contract).await.message.contains("has two columns `id`"));
}

#[tokio::test]
async fn json_members_mean_one_thing_or_are_broken() {
    for (text, expected) in [
        ("{\"id\": 1, \"name\": \"a\", \"name\": \"b\"}\n{\"id\": 2}\n", vec!["1|-!", "2|-"]),
        ("{\"id\": 1, \"\\u0069d\": 1, \"name\": \"a\"}", vec!["-!|a"]),
        ("{\"id\": NaN, \"name\": \"a\"}", vec!["-!|a"]),
        ("{\"id\": 1, \"name\": NaN}\n{\"id\": 2, \"name\": -Infinity}", vec!["1|-!", "2|-!"]),
        ("{\"id\": 1, \"name\": \"NaN\"}", vec!["1|NaN"]),
        ("{\"id\": 1, \"other\": NaN, \"name\": 7}", vec!["1|7"]),
    ] {
        assert_eq!(read(Format::Json, text).await.unwrap(), expected, "{text}");
    }
    let world = World::new();
    let text = "{\"s\": {\"x\": 1, \"x\": 2}, \"l\": [{\"n\": 1}]}\n{\"s\": {\"x\": 3, \"y\": 1, \"y\": 2}, \"l\": [{\"n\": NaN, \"z\": NaN}]}\n\
                {\"s\": {\"x\": 4}, \"l\": [{\"n\": 1, \"n\": 2}]}\n";
    world.put("orders/a.json", text).await;
    let fields = Fields::from(vec![Field::new("n", DataType::Float64, true)]);
    let list = DataType::new_list(DataType::Struct(fields), true);
    let contract = entry(Format::Json, vec![structure("s", vec![column("x", DataType::Int64)]), column("l", list)]);
    let read = rows(&run(world.open(&contract).await.as_ref(), None).await.unwrap());
    assert_eq!(read, ["{x: }!|[{n: 1.0}]", "{x: 3}|[{n: NaN}]", "{x: 4}|[{n: }]!"]);
}

#[tokio::test]
async fn json_objects_are_read_however_lines_fall() {
    let whole = vec!["1|a", "2|b", "3|c"];
    let one = |id: u8, name: &str| format!("{{\"id\": {id}, \"name\": \"{name}\"}}");
    let wide = |id: u8, name: &str| format!("{{\n  \"id\": {id},\n  \"name\":\n  \"{name}\"\n}}");
    for text in [
        format!("{}\n{}\n{}\n", one(1, "a"), wide(2, "b"), one(3, "c")),
        format!("{}\n{}\n{}", wide(1, "a"), one(2, "b"), wide(3, "c")),
        format!("{}\n\n{}\n{}", one(1, "a"), wide(2, "b"), wide(3, "c")),
        format!("{}\n{} {}\n", one(1, "a"), one(2, "b"), one(3, "c")),
        format!("{}\n{}{}", one(1, "a"), one(2, "b"), one(3, "c")),
    ] {
        assert_eq!(read(Format::Json, &text).await.unwrap(), whole, "{text}");
    }
    // A broken line costs itself.
    for (broken, rows) in [
        ("{\"id\": 9, \"name\": \"cut", 1),
        ("{\"id\": 9", 1),
        ("{\"id\": 9, \"x\": {\"y\": 1", 1),
        ("{\"id\": 9,\n\"name\": 1 2\n}", 1),
        ("{\"id\": 9} x", 1),
        ("nope", 1),
    ] {
        let text = format!("{}\n{broken}\n{}\n", one(1, "a"), one(2, "b"));
        let read = read(Format::Json, &text).await.unwrap();
        let (lost, kept): (Vec<_>, Vec<_>) = read.into_iter().partition(|row| row == BROKEN);
        assert_eq!((lost.len(), kept), (rows, vec!["1|a".to_owned(), "2|b".to_owned()]), "{text}");
    }
}

#[tokio::test]
async fn broken_value_takes_no_other_along_in_silence() {
    // One object for certain: it alone is broken, or a value of it.
    let read_as = |text: &'static str| read(Format::Json, text);
    for (text, first) in [
        ("[{\"id\": 1 2}, {\"id\": 2, \"name\": \"b\"}]", BROKEN),
        ("[{\"id\": nope}, {\"id\": 2, \"name\": \"b\"}]", "-!|-"),
        ("[{\"id\": 1, \"x\": {\"y\": nope}, \"z\": \"{}]\"}, {\"id\": 2, \"name\": \"b\"}]", "1|-"),
        ("{\n\"id\": nope\n}\n{\n\"id\": 2, \"name\": \"b\"\n}", "-!|-"),
    ] {
        assert_eq!(read_as(text).await.unwrap(), [first, "2|b"], "{text}");
    }
    for (text, why) in [
        (
            "[{\"id\": 1, \"name\": \"a},\n{\"id\": 2, \"name\": \"b\"},\n{\"id\": 3, \"name\": c\"}]",
            "in line 3 is no JSON",
        ),
        ("[{\"id\": 1, \"name\": \"a}, {\"id\": 2, \"name\": \"b\"}]", "it ends inside"),
        ("[{\"id\": 1, \"x\": {\"y\": 1}, {\"id\": 2}}, {\"id\": 3}]", "in line 1 is no JSON"),
        // A line that goes on takes the next ones in; an array on a line, or before lines, holds objects of its own.
        ("{\"id\": 1}\n{\"id\": 2, \"x\":\n{\"id\": 3}\n{\"id\": 4}\n", "is no JSON"),
        ("{\"id\": 1}\n{\"id\": 2, \"x\": [1,\n{\"id\": 3}\n{\"id\": 4}\n", "is no JSON"),
        ("{\"id\": 1}\n[{\"id\": 2}, {\"id\": 3}]\n", "in line 2 is no JSON"),
        ("{\"id\": 1} {\"id\": 2} x {\"id\": 3}\n", "in line 1 is no JSON"),
        ("[[{\"id\": 1}, {\"id\": 2}]]", "in line 1 is no JSON"),
        ("[]\n{\"id\": 1}\n", "in line 2 is no JSON"),
        ("[{}]\n{\"id\": 1}\n", "in line 2 is no JSON"),
        ("{\n\"id\": 1, \"name\": \"a\n}\n{\"id\": 2, \"name\": \"b\"}\n{\"id\": 3, \"name\": c\"}", "is no JSON"),
    ] {
        let told = read_as(text).await.unwrap_err();
        assert!(told.contains("`orders/a.json` cannot be read: ") && told.contains(why), "{text}: {told}");
    }
}
