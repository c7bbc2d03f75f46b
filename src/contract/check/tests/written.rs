//! How texts write dates and times.

use super::{GOOD, check, good};
use crate::contract::{EpochUnit, TimeFormat};

/// A contract of CSV files whose second column says this.
fn csv(property: &str) -> String {
    format!("{}      - {property}\n", GOOD.replace("format: parquet", "format: csv"))
}

fn said(property: &str) -> Option<TimeFormat> {
    good(&csv(property)).datasets[0].columns[1].written.clone()
}

#[test]
fn patterns_and_units_reach_their_columns() {
    let date = "{name: day, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}";
    assert!(matches!(said(date), Some(TimeFormat::Pattern(_))));
    let epoch =
        "{name: at, logicalType: timestamp, customProperties: [{property: meshgateEpoch, value: milliseconds}]}";
    assert_eq!(said(epoch), Some(TimeFormat::Epoch(EpochUnit::Milliseconds)));
    assert_eq!(said("{name: at, logicalType: timestamp}"), None);
    assert_eq!(said("{name: n, logicalType: integer, logicalTypeOptions: {format: i32}}"), None);
    // Other files hold dates as dates.
    let parquet = format!("{GOOD}      - {{name: day, logicalType: date, logicalTypeOptions: {{format: YYYY}}}}\n");
    assert_eq!(good(&parquet).datasets[0].columns[1].written, None);
    let field = "{name: s, logicalType: object, properties: [{name: d, logicalType: date, logicalTypeOptions: {format: yyyyMMdd}}]}";
    let contract = good(&csv(field).replace("format: csv", "format: json"));
    assert!(contract.datasets[0].columns[1].fields[0].written.is_some());
}

#[test]
fn patterns_inside_lists_reach_their_parts() {
    let day = "{logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}";
    let at = "logicalType: timestamp, customProperties: [{property: meshgateEpoch, value: seconds}]";
    let inside = |items: &str| {
        let property = format!("{{name: l, logicalType: array, items: {items}}}");
        let contract = good(&csv(&property).replace("format: csv", "format: json"));
        let written = contract.datasets[0].columns[1].written_inside.clone();
        let kind = |written| if matches!(written, TimeFormat::Pattern(_)) { "pattern" } else { "epoch" };
        written.into_iter().map(|(path, written)| format!("{} {}", path.join("."), kind(written))).collect::<Vec<_>>()
    };
    assert_eq!(inside(day), [" pattern"]);
    assert_eq!(inside(&format!("{{{at}}}")), [" epoch"]);
    assert_eq!(inside(&format!("{{logicalType: array, items: {day}}}")), [" pattern"]);
    let days = format!("{{name: days, physicalName: d, logicalType: array, items: {day}}}");
    let deep = format!("{{name: deep, logicalType: object, properties: [{{name: at, {at}}}]}}");
    let items = format!("{{logicalType: object, properties: [{days}, {deep}, {{name: other, logicalType: date}}]}}");
    assert_eq!(inside(&items), ["d pattern", "deep.at epoch"]);
    assert_eq!(inside("{logicalType: date}"), [""; 0]);
}

#[test]
fn letters_that_are_not_read_are_named() {
    check(
        &csv("{name: day, logicalType: date, logicalTypeOptions: {format: YYYY-MM-dd}}"),
        "
o.yaml:16:69: error: `YYYY` in a pattern of dates and times is not read (`YYYY-MM-dd`)
  hint: write `yyyy` for the year, and `dd` for the day of the month",
    );
    check(
        &csv("{name: days, logicalType: array, items: {logicalType: date, logicalTypeOptions: {format: YYYY-MM-dd}}}"),
        "
o.yaml:16:98: error: `YYYY` in a pattern of dates and times is not read (`YYYY-MM-dd`)
  hint: write `yyyy` for the year, and `dd` for the day of the month",
    );
}

#[test]
fn epochs_belong_to_timestamps_in_texts() {
    let epoch = |kind: &str, value: &str| {
        csv(&format!(
            "{{name: at, logicalType: {kind}, customProperties: [{{property: meshgateEpoch, value: {value}}}]}}"
        ))
    };
    check(
        &epoch("timestamp", "hours"),
        "
o.yaml:16:96: error: `meshgateEpoch` is a unit of time
  hint: write one of `seconds`, `milliseconds`, `microseconds`",
    );
    check(
        &epoch("date", "seconds"),
        "
o.yaml:16:91: error: `meshgateEpoch` has no meaning here
  hint: it says how CSV and JSON write a `timestamp`",
    );
    check(
        &epoch("timestamp", "seconds").replace("format: csv", "format: parquet"),
        "
o.yaml:16:96: error: `meshgateEpoch` has no meaning here
  hint: it says how CSV and JSON write a `timestamp`",
    );
    check(
        &GOOD.replace(
            "    properties:",
            "    customProperties: [{property: meshgateEpoch, value: seconds}]\n    properties:",
        ),
        "
o.yaml:12:35: error: `meshgateEpoch` has no meaning here
  hint: it belongs to a property, with a `value`",
    );
}

#[test]
fn texts_without_offset_are_of_no_other_zone() {
    let zoned = |more: &str| {
        csv(&format!(
            "{{name: at, logicalType: timestamp, logicalTypeOptions: {{timezone: true, defaultTimezone: Europe/Berlin{more}}}}}"
        ))
    };
    check(
        &zoned(""),
        "
o.yaml:16:98: error: texts without an offset are read in UTC, not in `Europe/Berlin`
  hint: write times in UTC, or with offsets and a `format` that ends with `XXX`",
    );
    check(&zoned(", format: yyyy-MM-dd HH:mmXXX"), "");
    check(&zoned("").replace("Europe/Berlin", "UTC"), "");
    let items = csv(
        "{name: l, logicalType: array, items: {logicalType: timestamp, logicalTypeOptions: {timezone: true, defaultTimezone: Europe/Berlin}}}",
    );
    check(
        &items,
        "
o.yaml:16:125: error: texts without an offset are read in UTC, not in `Europe/Berlin`
  hint: write times in UTC, or with offsets and a `format` that ends with `XXX`",
    );
    check(&zoned("").replace("timezone: true, ", ""), "");
    check(&zoned("").replace("format: csv", "format: parquet"), "");
}
