//! CSV and JSON lines: nothing in a file fails a query, and what was lost is marked.

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::prelude::{col, lit};

use super::*;
use crate::contract::NumberMarks;
use crate::diagnostic::Kind;

fn columns() -> Vec<Column> {
    vec![column("id", DataType::Int64), column("name", DataType::Utf8), column("amount", DataType::Decimal128(12, 2))]
}

#[tokio::test]
async fn csv_is_converted_and_what_cannot_be_is_null_and_marked() {
    let world = World::new();
    let text = "name,id,extra,amount\n\
                \"a, \"\"b\"\"\nc\",1,x,1.50\n\
                ,12O,x,\n\
                short,3\n\
                long,4,x,1,2,3\n\
                five,5,x,1.999\n";
    world.put("orders/a.csv", text).await;
    let raw = world.open(&entry(Format::Csv, columns())).await;
    assert_eq!(raw.drift_marker(&root("id")), Some("drift.id"));
    let rows = run(&raw, None).await.unwrap();
    let shown = pretty_format_batches(&rows).unwrap().to_string().replace("\\n", " ");
    let body: Vec<Vec<String>> = rows_of(&rows);
    assert_eq!(rows[0].schema().field(0).name(), "id", "{shown}");
    assert_eq!(body[0], ["1", "a, \"b\"\nc", "1.50", "false", "false", "false"]);
    assert_eq!(body[1], ["", "", "", "true", "false", "false"], "12O is no integer; the empty fields are no drift");
    assert_eq!(body[2], ["", "", "", "true", "true", "true"], "a short record marks every column");
    assert_eq!(body[3], ["", "", "", "true", "true", "true"], "so does a long one");
    assert_eq!(body[4], ["5", "five", "", "false", "false", "true"], "a decimal is not rounded");
    assert_eq!(body.len(), 5);
    assert!(rows[0].column(1).is_valid(1), "an empty text is text");
    assert_eq!(world.sources.row_count(&entry(Format::Csv, columns())).await, Some(5));
}

fn rows_of(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    use datafusion::arrow::util::display::array_value_to_string;
    let cells = |batch: &RecordBatch, row| {
        batch.columns().iter().map(|c| array_value_to_string(c, row).unwrap()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| cells(batch, row))).collect()
}

#[tokio::test]
async fn every_csv_file_is_read_by_its_own_header() {
    let world = World::new();
    world.put("orders/kind=a/1.csv", "\u{feff}id,name\r\n1,one\r\n").await;
    world.put("orders/kind=b/2.csv", "name,id\n\ntwo,2").await;
    let columns =
        vec![column("id", DataType::Int32), column("name", DataType::Utf8), partition("kind", 1, DataType::Utf8)];
    let contract = entry(Format::Csv, columns);
    let raw = world.open(&contract).await;
    let shown = show(&raw, Some(col("kind").eq(lit("b")))).await.unwrap();
    assert_eq!(shown, "id | name | kind | drift.id | drift.name\n2 | two | b | false | false");
    assert_eq!(
        show(&raw, Some(col("id").eq(lit(1)))).await.unwrap().lines().last().unwrap(),
        "1 | one | a | false | false"
    );
    world.put("orders/kind=c/3.csv", "id,nom\n3,trois\n").await;
    // A column that came later is NULL in older files.
    let raw = world.open(&contract).await;
    assert!(raw.unreadable(&root("name")).is_none());
    let shown = show(&raw, Some(col("kind").eq(lit("c")))).await.unwrap();
    assert_eq!(shown.lines().last().unwrap(), "3 |  | c | false | false");
    let rows = show(&raw, Some(col("name").is_null())).await.unwrap();
    assert_eq!(rows.lines().count(), 2, "{rows}");
}

#[tokio::test]
async fn column_missing_from_csv_is_told() {
    let world = World::new();
    world.put("orders/1.csv", "id,name\n1,one\n").await;
    world.put("orders/2.csv", "id,nom\n2,deux\n").await;
    let required = Column { required: true, ..column("name", DataType::Utf8) };
    let columns = vec![column("id", DataType::Int32), required, column("naem", DataType::Utf8)];
    let raw = world.open(&entry(Format::Csv, columns)).await;
    let why = raw.unreadable(&root("name")).unwrap();
    assert_eq!(why.message, "`orders/2.csv` has no column `name`, promised as text");
    let why = raw.unreadable(&root("naem")).unwrap();
    assert_eq!(why.message, "`orders/1.csv` has no column `naem`, promised as text");
    let shown = show(&raw, None).await.unwrap();
    let header = "id | name | naem | drift.id | drift.name | drift.naem";
    assert_eq!(shown, format!("{header}\n1 | one |  | false | false | true\n2 |  |  | false | false | true"));
}

#[tokio::test]
async fn one_struct_does_not_take_out_a_csv_file() {
    let world = World::new();
    world.put("orders/a.csv", "id,address\n1,x\n").await;
    let address = structure("address", vec![column("city", DataType::Utf8)]);
    let raw = world.open(&entry(Format::Csv, vec![column("id", DataType::Int32), address])).await;
    assert!(raw.unreadable(&root("address")).unwrap().message.contains("a CSV file cannot hold"));
    let shown = show(&raw, None).await.unwrap();
    assert_eq!(shown, "id | address | drift.id | drift.address.city\n1 |  | false | true");
}

#[tokio::test]
async fn bytes_that_are_no_text_fail_no_query() {
    let world = World::new();
    let mut bytes = b"id,name\n1,\xff\xfe\n2,".to_vec();
    bytes.extend(vec![b'x'; 100_000]);
    world.put("orders/a.csv", bytes).await;
    let columns = vec![column("id", DataType::Int64), column("name", DataType::Utf8)];
    let rows = rows_of(&run(world.open(&entry(Format::Csv, columns)).await.as_ref(), None).await.unwrap());
    assert_eq!(rows[0], ["1", "", "false", "true"]);
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn a_struct_cannot_be_promised_for_csv() {
    let world = World::new();
    world.put("orders/a.csv", "address\nx\n").await;
    let contract = entry(Format::Csv, vec![structure("address", vec![column("city", DataType::Utf8)])]);
    let error = world.refused(&contract).await;
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("a CSV file cannot hold"), "{error}");
}

#[tokio::test]
async fn json_scalars_are_taken_as_text_and_wrong_ones_are_marked() {
    let world = World::new();
    let text = r#"{"id": 1, "name": "a \"q\" ü", "amount": 1234567890.12}
{"amount": "2.5", "id": "2", "name": 7, "unknown": {"x": [1, {"y": "}"}]}}
{"id": "12O", "name": {"first": "x"}, "amount": 1.999}
{"id": 4.0, "name": null}
not json
{"id": 6, "name": "cut

{"id": 18446744073709551616, "name": true, "amount": 1e2}
[1]
{"id": 9, "id": 10, "name": "twice"}
{"id": 11, "name": "last", "other": 1, "other": 2}"#;
    world.put("orders/a.ndjson", text).await;
    let raw = world.open(&entry(Format::Json, columns())).await;
    let rows = rows_of(&run(&raw, None).await.unwrap());
    assert_eq!(
        rows,
        [
            ["1", "a \"q\" ü", "1234567890.12", "false", "false", "false"],
            ["2", "7", "2.50", "false", "false", "false"],
            ["", "", "", "true", "true", "true"],
            ["4", "", "", "false", "false", "false"],
            ["", "", "", "true", "true", "true"],
            ["", "", "", "true", "true", "true"],
            ["", "true", "100.00", "true", "false", "false"],
            ["", "", "", "true", "true", "true"],
            ["", "twice", "", "true", "false", "false"],
            ["11", "last", "", "false", "false", "false"],
        ]
    );
    assert_eq!(world.sources.row_count(&entry(Format::Json, columns())).await, Some(10));
    assert_eq!(show(&raw, Some(col("id").eq(lit(11_i64)))).await.unwrap().lines().count(), 2);
    assert_eq!(show(&raw, Some(col("\"drift.id\"").is_true())).await.unwrap().lines().count(), 7);
}

#[tokio::test]
async fn json_structs_and_lists_are_rebuilt() {
    let world = World::new();
    let text = r#"{"at": "2024-05-01T10:00:00Z", "address": {"plz": 10115, "city": "Berlin"}, "sizes": [1, "2", null]}
{"at": "yesterday", "address": "Berlin", "sizes": [1, "x"]}
{"address": null, "sizes": 5}
{"address": {"city": ["x"]}, "sizes": []}"#;
    world.put("orders/a.jsonl", text).await;
    let sizes = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    let contract = entry(
        Format::Json,
        vec![
            column("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
            structure("address", vec![column("city", DataType::Utf8), renamed("postcode", "plz", DataType::Utf8)]),
            column("sizes", sizes),
        ],
    );
    let raw = world.open(&contract).await;
    let city = root("address").child("city".parse().unwrap());
    assert_eq!(raw.drift_marker(&city), Some("drift.address.city"));
    assert_eq!(raw.drift_marker(&root("address")), None);
    let rows = rows_of(&run(&raw, None).await.unwrap());
    let no = "false";
    assert_eq!(rows[0], ["2024-05-01T10:00:00Z", "{city: Berlin, postcode: 10115}", "[1, 2, ]", no, no, no, no]);
    assert_eq!(rows[1], ["", "", "[1, ]", "true", "true", "true", "true"]);
    assert_eq!(rows[2], ["", "", "", no, no, no, "true"]);
    assert_eq!(rows[3], ["", "{city: , postcode: }", "[]", no, "true", no, no]);
}

#[tokio::test]
async fn many_rows_come_in_batches_from_several_files() {
    let world = World::new();
    for file in 0..3 {
        let lines: Vec<String> = (0..10_000).map(|i| format!("{},n{i}", file * 10_000 + i)).collect();
        world.put(&format!("orders/{file}.csv"), format!("id,name\n{}\n", lines.join("\n"))).await;
    }
    let contract = entry(Format::Csv, vec![column("id", DataType::Int64), column("name", DataType::Utf8)]);
    let batches = run(world.open(&contract).await.as_ref(), None).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 30_000);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 8192));
    let mut all: Vec<i64> = rows_of(&batches).iter().map(|row| row[0].parse().unwrap()).collect();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..30_000));
}

#[tokio::test]
async fn rows_can_be_counted_without_columns() {
    let world = World::new();
    world.put("orders/a.csv", "id,name\n1,a\n2\n3,c\n").await;
    world.put("json/a.json", "{\"id\":1}\nnope\n").await;
    let columns = || vec![column("id", DataType::Int64), column("name", DataType::Utf8)];
    for (contract, rows) in
        [(entry(Format::Csv, columns()), "3"), (entry_of("sales", local("json"), Format::Json, columns()), "2")]
    {
        let raw = world.open(&contract).await;
        let count = datafusion::functions_aggregate::expr_fn::count(lit(1_i64));
        let none: Vec<Expr> = Vec::new();
        let counted = LogicalPlanBuilder::from(plan(&raw)).aggregate(none, vec![count]).unwrap();
        let raw = RawTable::new(counted.build().unwrap(), Arc::clone(raw.session()), BTreeMap::new());
        assert_eq!(show(&raw, None).await.unwrap().lines().last().unwrap(), rows);
    }
}

/// Every type, and both formats: whatever the bytes are, the query ends well, or says that the reader cannot tell records apart.
#[test]
fn no_bytes_fail_a_query() {
    use proptest::prelude::*;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    let scalars = [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(12, 2),
        DataType::Decimal128(38, 10),
        DataType::Utf8,
        DataType::Binary,
        DataType::Date32,
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    ];
    let mut columns: Vec<Column> = scalars.into_iter().enumerate().map(|(i, t)| column(&format!("c{i}"), t)).collect();
    let csv = entry(Format::Csv, columns.clone());
    columns.push(column("l", list));
    columns.push(structure("s", vec![column("x", DataType::Int64)]));
    let json = entry_of("sales", local("json"), Format::Json, columns);
    let header: Vec<String> = (0..13).map(|i| format!("c{i}")).collect();
    let value = prop_oneof![
        "[-+0-9.eE:TZ/ ]{0,40}",
        ".{0,12}",
        "[0-9]{1,400}",
        "-?[0-9]{1,5}e[-+]?[0-9]{1,6}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}.{0,20}",
        Just("9999999999-99-99".to_owned()),
        Just("\u{661}\u{662}".to_owned()),
        Just("\"a\nb\",x".to_owned()),
    ];
    let records = proptest::collection::vec(proptest::collection::vec(value, 13), 1..4);
    let noise = proptest::collection::vec(any::<u8>(), 0..60);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 96, ..ProptestConfig::default() });
    runner
        .run(&(records, noise), |(records, noise)| {
            let mut text = header.join(",").into_bytes();
            let mut lines = Vec::new();
            for record in records {
                text.push(b'\n');
                text.extend(record.join(",").into_bytes());
                for form in ["string", "raw"] {
                    let members = record.iter().enumerate().map(|(i, v)| match form {
                        "string" => format!("\"c{i}\":{}", serde_json::to_string(v).unwrap()),
                        _ => format!("\"c{i}\":{v},\"l\":[{v}],\"s\":{{\"x\":{v}}}"),
                    });
                    lines.extend(format!("{{{}}}\n", members.collect::<Vec<_>>().join(",")).into_bytes());
                }
            }
            text.extend(&noise);
            lines.extend(&noise);
            runtime.block_on(async {
                let world = World::new();
                world.put("orders/a.csv", text).await;
                world.put("json/a.json", lines).await;
                for contract in [&csv, &json] {
                    let raw = world.open(contract).await;
                    let read = run(&raw, None).await;
                    let is_told = |why: &String| why.contains("cannot be read: ");
                    read.map(drop).or_else(|why| if is_told(&why) { Ok(()) } else { Err(TestCaseError::fail(why)) })?;
                }
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test]
async fn long_records_make_short_batches_and_too_long_ones_are_broken() {
    let world = World::new();
    let long = "x".repeat(3 << 20);
    let over = "y".repeat(super::super::text::RECORD_BYTES + 1);
    let lines: Vec<String> = (0..6).map(|i| format!("{i},{long}")).collect();
    world.put("orders/a.csv", format!("id,name\n{}\n6,{over}\n7,z\n", lines.join("\n"))).await;
    let json: Vec<String> = (0..6).map(|i| format!("{{\"id\":{i},\"name\":\"{long}\"}}")).collect();
    let json = format!("{}\n{{\"id\":6,\"name\":\"{over}\"}}\n{{\"id\":7}}\n", json.join("\n"));
    world.put("json/a.json", json).await;
    let columns = || vec![column("id", DataType::Int64), column("name", DataType::Utf8)];
    for contract in [entry(Format::Csv, columns()), entry_of("sales", local("json"), Format::Json, columns())] {
        let batches = run(world.open(&contract).await.as_ref(), None).await.unwrap();
        assert!(batches.len() > 2, "{}", batches.len());
        let rows = rows_of(&batches);
        assert_eq!(rows.len(), 8);
        assert_eq!((rows[6][0].as_str(), rows[6][2].as_str()), ("", "true"));
        assert_eq!((rows[7][0].as_str(), rows[7][2].as_str()), ("7", "false"));
    }
}

#[tokio::test]
async fn json_arrays_and_indented_objects_are_rows() {
    let objects = [
        r#"{"id": 1, "name": "Ada", "amount": 1.5}"#,
        r#"{"id": 2.0, "name": "{Bo]"}"#,
        r#"{"id": 3, "amount": "3.0"}"#,
    ];
    let indented = ["1, \"name\": \"Ada\", \"amount\": 1.5", "2.0, \"name\": \"{Bo]\"", "3, \"amount\": \"3.0\""]
        .map(|members| format!("{{\n  \"id\": {}\n}}", members.replace(", ", ",\n  ")));
    for (text, broken) in [
        (objects.join("\n"), 0),
        (format!("[{}]", objects.join(",")), 0),
        (format!("\u{feff}[\n{}\n]\n", indented.join(",\n")), 0),
        (indented.join("\n"), 0),
        (format!("[{}] x", objects.join(",")), 1),
    ] {
        let world = World::new();
        world.put("orders/a.json", text.clone()).await;
        let raw = world.open(&entry(Format::Json, columns())).await;
        let rows = rows_of(&run(&raw, None).await.unwrap());
        let (lost, whole): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row[3] == "true");
        let whole: Vec<String> = whole.iter().map(|row| row[..3].join(" | ")).collect();
        assert_eq!(whole, ["1 | Ada | 1.50", "2 | {Bo] | ", "3 |  | 3.00"], "{text}");
        assert_eq!(lost.len(), broken, "{text}");
    }
}

#[tokio::test]
async fn csv_is_read_as_its_contract_says() {
    let layout = |delimiter, header, marks, encoding: &str| TextLayout {
        delimiter,
        header,
        marks,
        encoding: encoding.to_owned(),
    };
    let usual = NumberMarks::Unsaid;
    for (name, bytes, layout) in [
        ("a.csv", b"id,name,amount\n7,Z\xc3\xbcrich,\"1,234.50\"\n".to_vec(), TextLayout::default()),
        ("a.csv", b"7;Z\xfcrich;1.234,50\n".to_vec(), layout(b';', false, NumberMarks::DecimalComma, "windows-1252")),
        ("a.csv", b"amount\tid\tname\n1234.5\t7.0\tZ\xc3\xbcrich\n".to_vec(), layout(b'\t', true, usual, "utf-8")),
        (
            "a.csv",
            [0xfeff]
                .into_iter()
                .chain("id,name,amount\n7,Zürich,1 234.50\n".encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect(),
            TextLayout::default(),
        ),
    ] {
        let world = World::new();
        world.put(&format!("orders/{name}"), bytes).await;
        let mut contract = entry(Format::Csv, columns());
        let mut product = contract.product.as_ref().clone();
        let mut said = product.contract.as_ref().clone();
        said.server.layout = layout;
        product.contract = Arc::new(said);
        contract.product = Arc::new(product);
        let raw = world.open(&contract).await;
        let shown = show(&raw, None).await.unwrap();
        assert!(shown.lines().nth(1).is_some_and(|row| row.starts_with("7 | Zürich | 1234.50 | false")), "{shown}");
        assert_eq!(shown.lines().count(), 2);
        assert_eq!(world.sources.row_count(&contract).await, Some(1));
    }
}

#[tokio::test]
async fn json_that_ends_inside_a_value_is_damaged() {
    let objects = r#"{"id": 1, "name": "Ada"},{"id": 2}"#;
    let lines = objects.replace("},{", "}\n{");
    for text in [
        format!("[{objects}"),
        format!("[{objects},"),
        format!("[{objects},{{\"id\""),
        format!("{lines}\n{{\"id\": 3"),
        format!("{lines}\n{{\"id\": 3, \"name\": \"cut"),
        format!("{lines}\n{{"),
        "{\n\"id\": 1\n}\n{\n\"id\": 2".to_owned(),
    ] {
        let world = World::new();
        world.put("orders/a.json", text.clone()).await;
        let contract = entry(Format::Json, columns());
        let why = run(world.open(&contract).await.as_ref(), None).await.expect_err(&text);
        assert!(why.contains("`orders/a.json` cannot be read: it ends inside of an object"), "{text}: {why}");
        assert_eq!(world.sources.row_count(&contract).await, None, "{text}");
    }
}
