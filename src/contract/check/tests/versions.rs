//! What a contract means depends on the version of the standard that it says.

use arrow::datatypes::DataType;

use super::{GOOD, check, good, with};

fn types(text: &str) -> Vec<String> {
    good(text).datasets[0].columns.iter().map(|column| column.data_type.to_string()).collect()
}

#[test]
fn bounds_of_3_0_are_flags() {
    let text = with(
        "
      - {name: n, logicalType: integer, logicalTypeOptions: {minimum: 0, exclusiveMinimum: true, maximum: 9}}
      - {name: d, logicalType: date, logicalTypeOptions: {minimum: '2024-01-01', exclusiveMinimum: true}}
",
    );
    let column = &good(&text.replace("v3.1.0", "v3.0.2")).datasets[0].columns[1];
    assert_eq!(column.range.map(|range| (range.least, range.greatest)), Some((0.0, 9.0)));
    check(
        &text,
        "
o.yaml:16:92: error: `exclusiveMinimum` must be a number, but is true or false
  hint: `exclusiveMinimum` takes a number
o.yaml:17:100: error: `exclusiveMinimum` must be text, but is true or false
  hint: put it in quotes",
    );
    let later = with("      - {name: n, logicalType: integer, logicalTypeOptions: {exclusiveMinimum: 0}}");
    check(&later, "");
    check(
        &later.replace("v3.1.0", "v3.0.0"),
        "
o.yaml:16:80: error: `exclusiveMinimum` must be true or false, but is a number
  hint: `exclusiveMinimum` takes true or false",
    );
}

#[test]
fn rules_of_3_0_need_no_operator() {
    let text = with(
        "
        quality:
          - {type: library, rule: validValues, validValues: [pounds, kg]}
          - {rule: nullCheck, description: column should not contain null values}
          - {rule: duplicateCount, mustBeLessThan: 10, unit: rows per day}
          - {rule: countCheck, type: library}
          - {type: sql, query: SELECT count(*) FROM x}
",
    )
    .replace("v3.1.0", "v3.0.1");
    check(&text, "");
    let kinds: Vec<String> = good(&text).datasets[0].columns[0].quality.iter().map(|rule| rule.kind.clone()).collect();
    assert_eq!(kinds, ["validValues", "nullCheck", "duplicateCount", "countCheck", "sql"]);
    check(
        &with("        quality: [{rule: validValues}, {rule: nullCheck, mustBe: 0, mustNotBe: 1}]")
            .replace("v3.1.0", "v3.0.2"),
        "
o.yaml:16:26: error: `validValues` does not say what is valid
  hint: add `validValues:` with the values
o.yaml:16:69: error: a quality rule has one operator, but this has `mustBe` and `mustNotBe`
  hint: write two rules",
    );
    check(
        &with("        quality: [{rule: validValues, validValues: [a]}]"),
        "
o.yaml:16:19: error: a quality rule says nothing of what its measurement must be
  hint: add one, for example `mustBe: 0`",
    );
}

#[test]
fn dates_of_3_0_may_be_moments() {
    let text = with(
        "
      - {name: at, logicalType: date, physicalType: timestamp, logicalTypeOptions: {format: 'yyyy-MM-dd HH:mm:ss', minimum: '2024-01-01', maximum: '2024-01-02 00:00:00'}}
      - {name: daily, logicalType: date, logicalTypeOptions: {format: 'HH:mm:ss'}}
      - {name: day, logicalType: date, physicalType: date}
",
    );
    let moment = "Timestamp(µs)";
    assert_eq!(types(&text.replace("v3.1.0", "v3.0.2")), ["Int64", moment, "Time64(µs)", "Date32"]);
    let range = good(&text.replace("v3.1.0", "v3.0.2")).datasets[0].columns[1].range.unwrap();
    assert!((range.greatest - range.least - 86_400e6).abs() < 0.1);
    let later = text.replace(", maximum: '2024-01-02 00:00:00'", "");
    assert_eq!(types(&later), ["Int64", "Date32", "Date32", "Date32"]);
}

#[test]
fn domain_is_that_of_the_folder() {
    let text = GOOD.replace("domain: sales\n", "");
    for version in ["v3.0.0", "v3.1.0", "v3.2.0"] {
        assert_eq!(good(&text.replace("v3.1.0", version)).domain.as_str(), "sales");
    }
    check(
        &GOOD.replace("domain: sales", "domain: hr"),
        "
o.yaml:7:9: error: the contract says domain `hr`, but lies in the folder of `sales`
  hint: write `domain: sales`, or move the file",
    );
}

#[test]
fn json_without_parts_is_text() {
    let text = with(
        "
      - {name: a, logicalType: object, physicalType: JSONB}
      - {name: b, logicalType: array}
      - {name: c, physicalType: 'INT[]'}
      - {name: d, logicalType: array, physicalType: 'array<varchar(3)>'}
      - name: e
        logicalType: array
        items: {logicalType: object}
      - name: f
        logicalType: object
        properties: [{name: g, logicalType: object}]
      - {name: h, logicalType: object, properties: []}
",
    );
    check(&text, "");
    let list = |element: &str| format!("List({element})");
    let of_text = list("Utf8");
    assert_eq!(
        types(&text),
        ["Int64", "Utf8", "Utf8", &list("Int32"), &of_text, &of_text, "Struct(\"g\": Utf8)", "Utf8",]
    );
    let in_json: Vec<String> = good(&text).datasets[0].columns.iter().map(|c| c.type_in_json().to_string()).collect();
    let of_json = list("LargeUtf8");
    let json = "LargeUtf8";
    assert_eq!(
        in_json,
        ["Int64", json, json, &list("Int32"), &of_text, &of_json, "Struct(\"g\": LargeUtf8)", json],
        "texts of JSON are no other texts"
    );
}

#[test]
fn column_of_unknown_type_is_left_out() {
    let text = with(
        "
      - {name: place, physicalType: geography}
      - {name: embedding, logicalType: vector}
      - {name: wide, logicalType: integer, logicalTypeOptions: {format: i128}}
      - {name: money, logicalType: number, physicalType: NUMERIC}
      - name: address
        logicalType: object
        properties: [{name: at, physicalType: point}, {name: city, logicalType: string}]
      - name: stops
        logicalType: array
        items: {logicalType: object, properties: [{name: at, physicalType: point}, {name: no, physicalName: nr, logicalType: integer}]}
",
    )
    .replace("v3.1.0", "v3.2.0");
    let warned = |place: &str, message: &str, hint: &str| {
        format!("o.yaml:{place}: warning: {message}; the column is not served\n  hint: {hint}\n")
    };
    let logical = "add `logicalType:`, one of string, date, timestamp, time, number, integer, object, array, boolean";
    let decimal = "write precision and scale, for example `DECIMAL(12,2)`";
    check(
        &text,
        &[
            warned("16:37", "its type is not known (column `place`)", logical),
            warned(
                "17:40",
                "unsupported logical type `vector` (column `embedding`)",
                "supported: string, date, timestamp, time, number, integer, object, array, boolean",
            ),
            warned(
                "18:73",
                "unsupported number format `i128` (column `wide`)",
                "supported: i8, i16, i32, i64, u8, u16, u32, u64",
            ),
            warned("19:58", "`NUMERIC` does not say its precision and scale (column `money`)", decimal),
            warned("22:47", "its type is not known (column `at`)", logical),
            warned("25:76", "its type is not known (column `at`)", logical),
        ]
        .concat(),
    );
    let contract = good(&text);
    let dataset = &contract.datasets[0];
    let served = dataset.served();
    let names: Vec<&str> = served.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["order_id", "address", "stops"]);
    assert_eq!(served.columns[1].data_type.to_string(), "Struct(\"city\": Utf8)");
    assert_eq!(served.columns[2].data_type.to_string(), "List(Struct(\"no\": Int64))");
    assert_eq!(served.columns[2].type_in_files().to_string(), "List(Struct(\"nr\": Int64))");
    assert!(dataset.columns.iter().any(|column| column.data_type == DataType::Null));
    check(
        &GOOD.replace("logicalType: integer", "logicalType: strng"),
        "
o.yaml:14:22: error: unsupported logical type `strng` (column `order_id`)
  hint: did you mean `string`?",
    );
    check(
        &with("      - {name: place, physicalType: geography, partitioned: true}"),
        "
o.yaml:16:37: warning: its type is not known (column `place`); the column is not served
  hint: add `logicalType:`, one of string, date, timestamp, time, number, integer, object, array, boolean
o.yaml:16:48: error: a struct, list or binary column, or one of an unknown type, cannot be a partition column
  hint: partition by a plain value",
    );
}
