//! Lists: their elements are read as columns are. A part that is not as promised is NULL in each format, and the row is marked.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Array, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

use super::delta::{PROTOCOL, add, commit, log};
use super::meaning::rows;
use super::*;
use crate::contract::NumberMarks;

fn columns() -> Vec<Column> {
    let member = DataType::Struct(vec![Field::new("n", DataType::Float64, true)].into());
    vec![
        column("plain", DataType::new_list(DataType::Float64, true)),
        column("of_members", DataType::new_list(member, true)),
    ]
}

const SHOWN: &str = "plain | of_members | drift.plain | drift.of_members\n\
                     [1.5, , 2.0] | [{n: 1.5}, {n: }, {n: 2.0}] | true | true";

/// The second number has more digits than a float.
fn typed() -> Vec<u8> {
    let numbers = Decimal128Array::from(vec![150, 12_345_678_901_234_567_890_123, 200]);
    let numbers: ArrayRef = Arc::new(numbers.with_precision_and_scale(38, 2).unwrap());
    let list = |values: ArrayRef| {
        let item = Arc::new(Field::new("element", values.data_type().clone(), true));
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([3]), values, None)) as ArrayRef
    };
    let member = Arc::new(Field::new("n", numbers.data_type().clone(), true));
    let members: ArrayRef = Arc::new(StructArray::from(vec![(member, Arc::clone(&numbers))]));
    parquet_bytes(vec![("plain", list(numbers)), ("of_members", list(members))])
}

#[tokio::test]
async fn unfit_element_is_null_in_each_format() {
    let world = World::new();
    world.put("orders/a.parquet", typed()).await;
    assert_eq!(world.show(&entry(Format::Parquet, columns())).await, SHOWN);

    let array = |element: &str| format!(r#"{{\"type\":\"array\",\"elementType\":{element},\"containsNull\":true}}"#);
    let number = r#"\"decimal(38,2)\""#;
    let member = format!(
        r#"{{\"type\":\"struct\",\"fields\":[{{\"name\":\"n\",\"type\":{number},\"nullable\":true,\"metadata\":{{}}}}]}}"#
    );
    let text = log(PROTOCOL, &add("part-0.parquet", typed().len()))
        .replace(r#"\"name\":\"id\",\"type\":\"long\""#, &format!(r#"\"name\":\"plain\",\"type\":{}"#, array(number)))
        .replace(
            r#"\"name\":\"s\",\"type\":\"string\""#,
            &format!(r#"\"name\":\"of_members\",\"type\":{}"#, array(&member)),
        );
    world.put(&format!("table/{}", commit(0)), text.replace(r#"{\"numRecords\":2}"#, r#"{\"numRecords\":1}"#)).await;
    world.put("table/part-0.parquet", typed()).await;
    assert_eq!(world.show(&entry_of("sales", local("table"), Format::Delta, columns())).await, SHOWN);

    let line = r#"{"plain": [1.5, "many", 2], "of_members": [{"n": 1.5}, {"n": {}}, {"n": 2}]}"#;
    world.put("orders/a.json", line).await;
    assert_eq!(world.show(&entry(Format::Json, columns())).await, SHOWN);
    let line = r#"{"plain": [1.5, [], 2], "of_members": [{"n": 1.5}, {"n": 1, "n": 2}, {"n": 2}]}"#;
    world.put("orders/a.json", line).await;
    assert_eq!(world.show(&entry(Format::Json, columns())).await, SHOWN);
}

/// An object or array whose parts the contract does not say is the text of its JSON.
#[tokio::test]
async fn json_of_unsaid_parts_is_text() {
    let world = World::new();
    let line = r#"{"any": {"a": [1, 2.50], "a": null}, "at": {"any": [1,{"b":"x"}]}, "all": [{"c": 1}, "x", 7], "none": {"a": 1}}"#;
    let others = r#"{"any": "{}", "at": {"any": 1.50}, "all": [NaN, {"c": NaN}]}
                    {"any": {"a": NaN}, "at": {"any": null}, "all": null}"#;
    world.put("orders/a.json", format!("{line}\n{others}\n")).await;
    let any = || Column { in_json: Some(DataType::LargeUtf8), ..column("any", DataType::Utf8) };
    let all = column("all", DataType::new_list(DataType::Utf8, true));
    let all = Column { in_json: Some(DataType::new_list(DataType::LargeUtf8, true)), ..all };
    let none = column("none", DataType::Utf8);
    let shown = world.show(&entry(Format::Json, vec![any(), structure("at", vec![any()]), all, none])).await;
    assert_eq!(
        shown,
        "any | at | all | none | drift.any | drift.at.any | drift.all | drift.none\n\
         {\"a\": [1, 2.50], \"a\": null} | {any: [1,{\"b\":\"x\"}]} | [{\"c\": 1}, x, 7] |  | false | false | false | true\n\
         {} | {any: 1.50} | [, ] |  | false | false | true | false\n\
         {any: } |  |  | true | false | false | false"
    );
}

/// JSON texts of one type, and what each means.
type Meanings = (DataType, &'static [(&'static str, &'static str)]);

const BROKEN: &str = "broken";

/// Reads each text as a column, as a member of a struct, and as an element of lists.
async fn assert_read_alike(marks: NumberMarks, (data_type, meanings): Meanings) {
    let member = DataType::Struct(vec![Field::new("m", data_type.clone(), true)].into());
    let list = |item: DataType| DataType::new_list(item, true);
    let columns = vec![
        column("plain", data_type.clone()),
        structure("member", vec![column("m", data_type.clone())]),
        column("list", list(data_type.clone())),
        column("lists", list(list(data_type.clone()))),
        column("members", list(member.clone())),
        structure("inside", vec![column("m", list(list(member)))]),
    ];
    let line = |text: &str| {
        format!(
            r#"{{"plain": {text}, "member": {{"m": {text}}}, "list": [{text}], "lists": [[{text}]], "members": [{{"m": {text}}}], "inside": {{"m": [[{{"m": {text}}}]]}}}}"#
        )
    };
    let world = World::new();
    let lines: Vec<String> = meanings.iter().map(|(text, _)| line(text)).collect();
    world.put("orders/a.json", lines.join("\n")).await;
    let mut contract = entry(Format::Json, columns);
    let product = Arc::make_mut(&mut contract.product);
    Arc::make_mut(&mut product.contract).server.layout.marks = marks;
    let read = rows(&run(world.open(&contract).await.as_ref(), None).await.unwrap());
    let expected = meanings.iter().map(|(_, value)| {
        let (plain, value, mark) = if *value == BROKEN { ("-", "", "!") } else { (*value, *value, "") };
        format!("{plain}{mark}|{{m: {value}}}{mark}|[{value}]{mark}|[[{value}]]{mark}|[{{m: {value}}}]{mark}|{{m: [[{{m: {value}}}]]}}{mark}")
    });
    for ((text, _), (read, expected)) in meanings.iter().zip(read.iter().zip(expected)) {
        assert_eq!(*read, expected, "{text} as {data_type}");
    }
    assert_eq!(read.len(), meanings.len());
}

#[tokio::test]
async fn elements_are_read_as_columns() {
    let stamp = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let meanings: [Meanings; 13] = [
        (
            DataType::Int64,
            &[
                ("42.0", "42"),
                ("4.2e1", "42"),
                ("\"42\"", "42"),
                ("\"1,234,567\"", "1234567"),
                ("1.5", BROKEN),
                ("0.5", BROKEN),
                ("2.9999999999999999999", BROKEN),
                ("9223372036854775808", BROKEN),
                ("\"1,234\"", BROKEN),
                ("true", BROKEN),
                ("NaN", BROKEN),
                ("{\"a\": 1}", BROKEN),
                ("[1]", BROKEN),
            ],
        ),
        (DataType::Int8, &[("127", "127"), ("127.5", BROKEN), ("128", BROKEN)]),
        (DataType::UInt64, &[("18446744073709551615", "18446744073709551615"), ("-1", BROKEN)]),
        (
            DataType::Decimal128(10, 2),
            &[
                ("1.5", "1.50"),
                ("1.25e3", "1250.00"),
                ("\"1,234.5\"", "1234.50"),
                ("1.009", BROKEN),
                ("\"1.255\"", BROKEN),
                ("123456789.5", BROKEN),
            ],
        ),
        (
            DataType::Float64,
            &[
                ("0.1", "0.1"),
                ("NaN", "NaN"),
                ("-Infinity", "-inf"),
                ("\"1 234.5\"", "1234.5"),
                ("1e400", BROKEN),
                ("1e-400", BROKEN),
                ("\"many\"", BROKEN),
            ],
        ),
        (DataType::Float32, &[("0.1", "0.1"), ("1e39", BROKEN)]),
        (
            DataType::Boolean,
            &[
                ("true", "true"),
                ("1", "true"),
                ("0", "false"),
                ("\"true\"", "true"),
                ("\"t\"", "true"),
                ("\"yes\"", "true"),
                ("\"TRUE\"", "true"),
                ("2", BROKEN),
                ("\"maybe\"", BROKEN),
            ],
        ),
        (
            DataType::Date32,
            &[
                ("\"2024-01-31\"", "2024-01-31"),
                ("\"2024-01-31T00:00:00Z\"", "2024-01-31"),
                ("\"2024-01-31T10:00:00\"", BROKEN),
                ("19000", BROKEN),
            ],
        ),
        (
            stamp(None),
            &[
                ("\"2024-01-31 10:00\"", "2024-01-31T10:00:00"),
                ("\"2024-01-31T10:00:15.25\"", "2024-01-31T10:00:15.250"),
                ("\"2024-01-31T23:59:60\"", BROKEN),
                ("1700000000", BROKEN),
                ("1.5", BROKEN),
            ],
        ),
        (stamp(Some("UTC")), &[("\"2024-01-31T12:30+02:00\"", "2024-01-31T10:30:00Z"), ("1700000000", BROKEN)]),
        (
            DataType::Time64(TimeUnit::Microsecond),
            &[("\"10:00\"", "10:00:00"), ("\"23:59:60\"", BROKEN), ("36000", BROKEN)],
        ),
        (
            DataType::Utf8,
            &[
                ("\"a\\n\"", "a\n"),
                ("1.50", "1.50"),
                ("true", "true"),
                ("NaN", BROKEN),
                ("{\"a\": 1}", BROKEN),
                ("[1]", BROKEN),
            ],
        ),
        (DataType::Binary, &[("\"ab\"", "6162"), ("\"zz\"", "7a7a")]),
    ];
    for meanings in meanings {
        assert_read_alike(NumberMarks::Unsaid, meanings).await;
    }
    let comma: Meanings = (DataType::Decimal128(10, 2), &[("\"1.234,50\"", "1234.50"), ("\"1,234.5\"", BROKEN)]);
    assert_read_alike(NumberMarks::DecimalComma, comma).await;
}

#[tokio::test]
async fn unfit_part_marks_its_row_alone() {
    let list = |item: DataType| DataType::new_list(item, true);
    let fields = vec![Field::new("n", DataType::Float64, true), Field::new("t", DataType::Utf8, true)];
    let objects = list(DataType::Struct(fields.into()));
    for (text, to, shown) in [
        ("[1, 2]", list(DataType::Int64), "[1, 2]"),
        ("[1, null]", list(DataType::Int64), "[1, ]"),
        (r#"[1, "x", 3]"#, list(DataType::Int64), "[1, , 3]!"),
        (r#"[1, {"a": 2}, [3]]"#, list(DataType::Int64), "[1, , ]!"),
        (r#"[[1], ["x"], 7, null]"#, list(list(DataType::Int64)), "[[1], [], , ]!"),
        ("[[], null, [1]]", list(list(DataType::Int64)), "[[], , [1]]"),
        ("7", list(DataType::Int64), "-!"),
        ("\"[7]\"", list(DataType::Int64), "-!"),
        (r#"[{"n": "x", "t": "a"}, {"t": "b"}]"#, objects.clone(), "[{n: , t: a}, {n: , t: b}]!"),
        (r#"[{"n": 1, "n": 2, "t": "a"}, 5]"#, objects.clone(), "[{n: , t: a}, ]!"),
        (r#"[{"n": NaN, "t": "x", "u": NaN, "u": 1}, null]"#, objects.clone(), "[{n: NaN, t: x}, ]"),
        (r#"[{"n": 1, "t": NaN}]"#, objects, "[{n: 1.0, t: }]!"),
    ] {
        let world = World::new();
        // Sound rows before and behind it stay whole.
        world.put("orders/a.json", format!("{{\"l\": [null]}}\n{{\"l\": {text}}}\n{{\"l\": []}}\n{{}}\n")).await;
        let contract = entry(Format::Json, vec![column("l", to)]);
        let read = rows(&run(world.open(&contract).await.as_ref(), None).await.unwrap());
        assert_eq!(read, ["[]", shown, "[]", "-"], "{text}");
    }
}
