//! Datasets, columns and what is promised of them.

use super::{GOOD, check, checked, good, with};

#[test]
fn our_own_extension_properties_are_closed() {
    let custom = |name: &str, value: &str| {
        GOOD.replace(
            "    properties:",
            &format!("    customProperties: [{{property: {name}, value: {value}}}]\n    properties:"),
        )
    };
    let contract = good(&custom("meshgateRowCount", "500"));
    assert_eq!(contract.datasets[0].row_count, Some(500));
    let contract = good(&custom("meshgateClassification", "restricted"));
    assert_eq!(contract.datasets[0].classification.as_str(), "restricted");
    assert_eq!(contract.datasets[0].columns[0].classification.as_str(), "restricted");
    assert_eq!(contract.classification.as_str(), "internal");
    check(
        &custom("meshgateRowcount", "500"),
        "
o.yaml:12:35: error: `meshgateRowcount` is not a property of meshgate
  hint: did you mean `meshgateRowCount`?",
    );
    check(
        &custom("meshgateRowCount", "-5"),
        "
o.yaml:12:60: error: a row count must be a whole number from 0
  hint: about how many rows the dataset has",
    );
    check(
        &with("        customProperties: [{property: meshgateClassification, value: public}]"),
        "
o.yaml:16:39: error: `meshgateClassification` has no meaning here
  hint: a property has `classification:` for this",
    );
}

#[test]
fn structs_and_lists_become_nested_types() {
    let contract = good(&with(
        "
      - name: address
        logicalType: object
        classification: public
        properties:
          - {name: street, logicalType: string, tags: [pii]}
          - {name: at, logicalType: timestamp, logicalTypeOptions: {timezone: true}, classification: restricted}
      - name: notes
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: text, logicalType: string, tags: [pii], classification: restricted}
",
    ));
    let columns = &contract.datasets[0].columns;
    assert_eq!(columns[1].data_type.to_string(), "Struct(\"street\": Utf8, \"at\": Timestamp(µs, \"UTC\"))");
    assert_eq!(columns[1].fields[0].tags[0].as_str(), "pii");
    assert!(columns[1].tags.is_empty());
    assert_eq!(columns[1].fields[0].classification.as_str(), "public");
    assert_eq!(columns[1].fields[1].classification.as_str(), "restricted");
    // A list is one cell to policy: it takes the tags and the classification of what it holds.
    assert_eq!(columns[2].data_type.to_string(), "List(Struct(\"text\": Utf8))");
    assert_eq!(columns[2].tags[0].as_str(), "pii");
    assert_eq!(columns[2].classification.as_str(), "restricted");
    check(
        &with(
            "      - {name: a, logicalType: array, physicalType: array}\n      - {name: b, logicalType: object, physicalType: STRUCT}\n      - {name: A, logicalType: string, items: {logicalType: string}}",
        ),
        "
o.yaml:16:53: warning: the list has no `items` (column `a`); the column is not served
  hint: add `items:`; without them only JSON is served, as text
o.yaml:17:54: warning: the struct has no `properties` (column `b`); the column is not served
  hint: add `properties:`; without them only JSON is served, as text
o.yaml:18:16: error: two columns are named `A`
  hint: the other stands in line 16; names may not differ in case alone
o.yaml:18:40: error: `items` belongs to `logicalType: array`, but this is `string`
  hint: write `logicalType: array`, or remove `items`",
    );
}

#[test]
fn keys_are_numbered_by_position() {
    let contract = good(&with(
        "
        primaryKeyPosition: 2
      - {name: line, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}
      - {name: year, logicalType: integer, physicalType: int, partitioned: true}
      - {name: month, logicalType: integer, partitioned: true}
",
    ));
    let keys = contract.datasets[0].primary_key();
    assert_eq!(keys.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["line", "order_id"]);
    let partitions: Vec<_> = contract.datasets[0].columns.iter().map(|c| c.partition_key).collect();
    assert_eq!(partitions, [None, None, Some(1), Some(2)]);
    check(
        &with(
            "        primaryKeyPosition: 1\n      - {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 1}\n      - {name: c, logicalType: string, partitionKeyPosition: 3}",
        ),
        "
o.yaml:17:78: error: position 1 is given twice
  hint: number the columns of the key 1, 2, 3
o.yaml:18:62: error: `partitionKeyPosition` without `partitioned: true`
  hint: add `partitioned: true`, or remove the position",
    );
}

#[test]
fn relationships_name_own_columns() {
    let contract = good(&with("        relationships: [{to: customers.customer_id}]"));
    assert_eq!(contract.datasets[0].references[0].targets, ["customers.customer_id"]);
    let object = |relationship: &str| {
        GOOD.replace("    properties:", &format!("    relationships: [{relationship}]\n    properties:"))
    };
    let contract = good(&object("{from: orders.order_id, to: x.y}"));
    assert_eq!(contract.datasets[0].references[0].columns[0].as_str(), "order_id");
    check(
        &object("{from: [order_id, ordr_id], to: [a.b, c.d]}, {from: order_id, to: [a.b, c.d]}, {to: x.y}"),
        "
o.yaml:12:28: error: `ordr_id` is not a column of this dataset
  hint: did you mean `order_id`?
o.yaml:12:87: error: the key has 1 columns here and 2 there
  hint: `from` and `to` need the same number of columns
o.yaml:12:100: error: relationship has no `from`
  hint: add `from:` with a column of this dataset",
    );
}

#[test]
fn quality_rules_have_exactly_one_operator() {
    check(
        &with(
            "
        quality:
          - {metric: nullValues, mustBe: 0}
          - {metric: nullValues}
          - {metric: nullValues, mustBe: 0, mustBeLessThan: 3}
          - {metric: nulValues, mustBe: 0}
          - {metric: rowCount, mustBe: 0}
          - {metric: invalidValues, mustBe: 0, unit: row}
          - {type: sql, query: delete from x, mustBeBetween: [9, 1]}
          - {type: custom, engine: soda}
          - {type: text, description: looks fine}
",
        ),
        "
o.yaml:18:13: error: a quality rule says nothing of what its measurement must be
  hint: add one, for example `mustBe: 0`
o.yaml:19:45: error: a quality rule has one operator, but this has `mustBe` and `mustBeLessThan`
  hint: write two rules
o.yaml:20:22: error: `nulValues` is not a value of `metric`
  hint: did you mean `nullValues`?
o.yaml:21:22: error: `rowCount` is about the whole dataset
  hint: move the rule to the schema object
o.yaml:22:22: error: `invalidValues` does not say what is valid
  hint: add `arguments:` with `validValues` or `pattern`
o.yaml:22:54: error: `row` is not a unit of quality
  hint: did you mean `rows`?
o.yaml:23:32: error: a quality query must only read
  hint: start it with SELECT or WITH
o.yaml:23:62: error: `mustBeBetween` takes two numbers, the lower first
  hint: write `[1, 100]`; both bounds are included
o.yaml:24:13: error: a custom quality rule has no `implementation`
  hint: add `implementation:`",
    );
}

#[test]
fn service_levels_have_clear_units() {
    let sla = |text: &str| GOOD.replace("schema:", &format!("slaProperties: [{text}]\nschema:"));
    let contract = good(&sla(
        "{property: latency, value: 4, unit: h, element: orders.order_id}, {property: availability, value: 99.9, unit: percent}",
    ));
    assert_eq!(contract.sla[0].value, "4");
    assert_eq!(contract.sla[1].value, "99.9");
    check(
        &sla("{property: retention, value: 6, unit: m}, {property: latency, value: soon, unit: dy, element: order.id}"),
        "
o.yaml:10:55: error: `m` may mean minutes or months
  hint: write `min` or `mo`
o.yaml:10:86: error: `latency` must be a number from 0
  hint: write a number, without quotes
o.yaml:10:98: error: `dy` is not a unit of time
  hint: did you mean `d`?
o.yaml:10:111: warning: `order.id` is not a dataset or column of this contract
  hint: write `dataset.column`",
    );
}

#[test]
fn one_place_for_two_datasets_is_refused() {
    let text = with("  - name: lines\n    properties: [{name: a, logicalType: string}]");
    check(
        &text,
        "
o.yaml:9:39: error: `orders` is one place for 2 datasets
  hint: write `{model}` where the name of the dataset stands",
    );
    assert_eq!(good(&text.replace("path: orders", "path: '{model}'")).datasets.len(), 2);
}

#[test]
fn a_physical_name_stays_below_the_path() {
    let text = |name: &str| GOOD.replace("    properties:", &format!("    physicalName: '{name}'\n    properties:"));
    assert_eq!(good(&text("dwh/orders_2")).datasets[0].physical_name, "dwh/orders_2");
    for name in ["../hr", "/etc", "a/%2E%2E/b", "s3://x", ""] {
        assert_eq!(checked(&text(name)).findings[0].message, "the physical name is not a relative name", "{name}");
    }
}

#[test]
fn a_range_has_two_ends_that_are_understood() {
    let range = |kind: &str, options: &str| {
        let column = format!("\n      - {{name: x, logicalType: {kind}, logicalTypeOptions: {{{options}}}}}\n");
        good(&with(&column)).datasets[0].columns[1].range.map(|range| (range.least, range.greatest))
    };
    assert_eq!(range("integer", "minimum: -1, maximum: 50"), Some((-1.0, 50.0)));
    assert_eq!(range("number", "exclusiveMinimum: 0, maximum: 0.1"), Some((0.0, 0.1)));
    assert_eq!(range("date", "minimum: '1970-01-02', maximum: '1971-01-01'"), Some((1.0, 365.0)));
    let moments = "minimum: '1970-01-01T00:00:01Z', maximum: '1970-01-01T01:00:00.5+01:00'";
    assert_eq!(range("timestamp", &moments.replace("01:00:00.5", "02:00:00.5")), Some((1e6, 3600.5e6)));
    assert_eq!(range("integer", "minimum: 1"), None);
    check(
        &with("\n      - {name: x, logicalType: integer, logicalTypeOptions: {minimum: 5, maximum: 1}}\n"),
        "
o.yaml:16:83: error: the maximum is less than the minimum
  hint: exchange them",
    );
    check(
        &with("\n      - {name: x, logicalType: date, logicalTypeOptions: {minimum: soon, maximum: '2026-01-01'}}\n"),
        "
o.yaml:16:68: warning: `soon` is not understood as a date
  hint: write it as in 2026-01-31 or 2026-01-31T23:59:59Z; it is ignored",
    );
}
