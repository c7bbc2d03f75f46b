//! Lists with a part that is not as promised: in each format the part is NULL, and the row is marked.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Array, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field};

use super::delta::{PROTOCOL, add, commit, log};
use super::*;

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
