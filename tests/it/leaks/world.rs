//! Two worlds that differ only in what `ana` may not see, and the copy of what she may.

use super::rows::{Row, baskets, data, rows, with_part};

/// How the visible rows are chosen; each gives `ana` the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Equality,
    Prefix,
    Membership,
    NullableColumn,
    NestedField,
    /// A folder of files, or a value of the Delta log.
    Partition,
}

/// Where the rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Parquet,
    Delta,
    Csv,
    Json,
}

/// How many of the rows are visible: two thirds, or a tenth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Share {
    Most,
    Tenth,
}

/// Two that differ in what is hidden, and one without anything hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    First,
    Second,
    /// Filtered and masked by hand, and open to `ana`.
    Copy,
}

pub(crate) const CONDITIONS: [Condition; 6] = [
    Condition::Equality,
    Condition::Prefix,
    Condition::Membership,
    Condition::NullableColumn,
    Condition::NestedField,
    Condition::Partition,
];

pub(crate) const SOURCES: [Source; 4] = [Source::Parquet, Source::Delta, Source::Csv, Source::Json];

/// Bytes that must never reach `ana`: in hidden rows, in hidden columns, behind masks.
pub(crate) const CANARIES: [&str; 8] = [
    "canary-long-note-of-hidden-row",
    "cnryshort",
    "canary-status",
    "canary-hidden@mesh.example",
    "visible-raw-1@mesh.example",
    "4000-canary-card",
    "canary-street",
    "hidden-region-US",
];

/// The same in `sales.baskets`.
pub(crate) const CANARIES_IN_LISTS: [&str; 2] = ["canary-item", "raw-memo-of-a-visible-basket"];

/// What nobody is shown, the owner included: places, file formats' own words, texts of policies, metadata of files.
pub(crate) const NEVER: [&str; 15] = [
    "local://",
    ".parquet",
    ".ndjson",
    ".csv",
    "_delta_log",
    "file_groups",
    "pruning_predicate",
    "DataSourceExec: file",
    "bytes_scanned",
    "pandas",
    "canary-file-metadata",
    "PARQUET:",
    "delta.",
    "principal.region",
    "__drift",
];

const ORDERS: &str =
    "      - {name: order_id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, REGION_REQUIRED}
      - {name: customer_id, logicalType: integer, required: true}
      - {name: amount, logicalType: integer}
      - {name: qty, logicalType: integer}
      - {name: note, logicalType: string}
      - {name: email, logicalType: string, tags: [pii]}
      - {name: card_no, logicalType: string, classification: restricted, description: about canary-of-a-hidden-column}
      - {name: risk, logicalType: integer, tags: [risk]}
      - name: addr
        logicalType: object
        properties:
          - {name: street, logicalType: string, classification: restricted}
          - {name: zip, logicalType: string}
      - {name: status, logicalType: string}
      - {name: seen_at, logicalType: timestamp}
";

const BASKETS: &str = "      - {name: basket_id, logicalType: integer, required: true}
      - {name: items, logicalType: array, required: true, items: {logicalType: string}}
      - {name: prices, logicalType: array, items: {logicalType: integer}}
      - {name: memo, logicalType: array, items: {logicalType: string}, tags: [pii]}
";

/// Who may ask, and what governs all. `ana` and `ann` see the same; `two` has one permit for most columns and another for some
/// rows of two columns; `eve` has no role.
const PEOPLE: &str = r#"//- mesh.yaml
name: mesh
roles: [analyst, privacy-officer, eu-desk, small-desk]
tags: [pii, risk]
classifications: [public, internal, confidential, restricted]
principal_attributes:
  region?: String
  accounts?: Set<String>
//- users.toml
[users.ana]
password = "x"
roles = ["analyst"]
attributes = { region = "EU", accounts = ["EU", "none"] }
[users.ann]
password = "x"
roles = ["analyst"]
attributes = { region = "EU", accounts = ["EU", "none"] }
[users.two]
password = "x"
roles = ["eu-desk", "small-desk"]
attributes = { region = "EU", accounts = ["EU", "none"] }
[users.dpo]
password = "x"
roles = ["privacy-officer"]
[users.eve]
password = "x"
roles = []
"#;

const GOVERNANCE: &str = r#"//- governance/all.cedar
@id("dpo-reads") permit (principal in Role::"privacy-officer", action == Action::"read", resource);
@id("pii") @mask("hash") forbid (principal, action == Action::"read", resource)
when { context.column.tags.contains("pii") } unless { principal in Role::"privacy-officer" };
@id("risk") @mask("null") forbid (principal, action == Action::"read", resource)
when { context.column.tags.contains("risk") } unless { principal in Role::"privacy-officer" };
@id("secret") forbid (principal, action == Action::"read", resource)
when { context.column.classification == "restricted" } unless { principal in Role::"privacy-officer" };
"#;

/// A domain that only `dpo` knows of, and a product that everybody of role `analyst` may know of and not read.
const OTHERS: &str = r##"//- finance/domain.yaml
name: finance
owner: {team: finance-team}
support: [{channel: "#finance"}]
//- finance/budgets.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: finance-budgets
name: budgets
version: 1.0.0
status: active
domain: finance
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: budgets.parquet, format: parquet}]
schema:
  - name: budgets
    properties:
      - {name: budget_id, logicalType: integer, required: true}
      - {name: planned, logicalType: integer}
//- finance/policies/budgets.cedar
@id("budgets-are-known") permit (principal in Role::"analyst", action == Action::"discover", resource == Product::"finance.budgets");
//- hr/domain.yaml
name: hr
owner: {team: people}
//- hr/salaries.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: hr-salaries
name: salaries
version: 1.0.0
status: active
domain: hr
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: salaries.parquet, format: parquet}]
schema:
  - name: salaries
    properties:
      - {name: employee_id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: salary, logicalType: integer}
//- data/hr/salaries.parquet
employee_id:i64,salary:i64
1,100
2,200
"##;

/// The text of a fixture: `ana` sees the eight rows of region EU, in either world.
pub(crate) fn world(second_world: bool, condition: Condition, source: Source) -> String {
    let which = if second_world { World::Second } else { World::First };
    text(which, condition, source, Share::Most)
}

/// The same in every world and size.
pub(crate) fn text(which: World, condition: Condition, source: Source, share: Share) -> String {
    let partitioned = condition == Condition::Partition;
    let (file, format) = match source {
        Source::Parquet => ("orders.parquet", "parquet"),
        Source::Delta => ("orders/", "delta"),
        Source::Csv => ("orders.csv", "csv"),
        Source::Json => ("orders.ndjson", "json"),
    };
    let orders = if partitioned { "orders/" } else { file };
    // CSV has no lists.
    let (basket_file, basket_format) = match source {
        Source::Parquet | Source::Csv => ("baskets.parquet", "parquet"),
        Source::Delta => ("baskets/", "delta"),
        Source::Json => ("baskets.ndjson", "json"),
    };
    let budgets = if which == World::Second {
        "budget_id:i64,planned:i64\n7,1\n"
    } else {
        "budget_id:i64,planned:i64\n1,5\n2,5\n"
    };
    [
        PEOPLE,
        if which == World::Copy { "" } else { GOVERNANCE },
        "//- sales/domain.yaml\nname: sales\nowner: {team: sales-team}\nsupport: [{channel: \"#sales\"}]\n",
        &contract("orders", orders, format, &columns(which, condition, source)),
        &contract(
            "baskets",
            basket_file,
            basket_format,
            &BASKETS.replace(", tags: [pii]", if which == World::Copy { "" } else { ", tags: [pii]" }),
        ),
        &policies(which, condition),
        OTHERS,
        &format!("//- data/finance/budgets.parquet\n{budgets}"),
        &order_files(which, share, source, partitioned, file),
        &format!("//- data/sales/{basket_file}\n{}", baskets(which, source)),
    ]
    .concat()
}

fn contract(name: &str, path: &str, format: &str, columns: &str) -> String {
    format!(
        "//- sales/{name}.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: sales-{name}
name: {name}
version: 1.0.0
status: active
domain: sales
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: local, type: local, path: {path}, format: {format}}}]
schema:
  - name: {name}
    properties:
{columns}"
    )
}

fn columns(which: World, condition: Condition, source: Source) -> String {
    let required = if condition == Condition::NullableColumn { "required: false" } else { "required: true" };
    let part =
        "      - {name: part, logicalType: string, required: true, partitioned: true, partitionKeyPosition: 1}\n";
    let columns = ORDERS.replace("REGION_REQUIRED", required);
    let columns = if condition == Condition::Partition { columns + part } else { columns };
    let mut out = String::new();
    let mut within_addr = false;
    for line in columns.lines() {
        within_addr = line.contains("name: addr") || (within_addr && !line.starts_with("      - "));
        // CSV has no structs, and the copy has not what is kept from everybody but the owner.
        let dropped = (source == Source::Csv && within_addr)
            || (which == World::Copy && line.contains("classification: restricted"));
        if !dropped {
            out += line;
            out += "\n";
        }
    }
    if which == World::Copy { out.replace(", tags: [pii]", "").replace(", tags: [risk]", "") } else { out }
}

fn policies(which: World, condition: Condition) -> String {
    let when = match condition {
        Condition::Equality => "principal has region && resource.region == principal.region",
        Condition::Prefix => r#"resource.region like "E*""#,
        Condition::Membership => "principal has accounts && principal.accounts.contains(resource.region)",
        Condition::NullableColumn => {
            "resource has region && principal has region && resource.region == principal.region"
        }
        Condition::NestedField => r#"resource has addr && resource.addr has zip && resource.addr.zip == "EU-1""#,
        Condition::Partition => r#"resource.part == "EU""#,
    };
    let (orders, baskets) =
        if which == World::Copy { ("true", "true") } else { (when, r#"resource.items.contains("eu")"#) };
    format!(
        r#"//- sales/policies/orders.cedar
@id("analysts") permit (principal in Role::"analyst", action == Action::"read", resource is sales::orders)
when {{ {orders} }};
@id("desk") permit (principal in Role::"eu-desk", action == Action::"read", resource is sales::orders)
when {{ !["amount", "qty", "seen_at"].contains(context.column.name) && {orders} }};
@id("small") permit (principal in Role::"small-desk", action == Action::"read", resource is sales::orders)
when {{ ["order_id", "amount", "qty"].contains(context.column.name)
    && resource has amount && resource.amount >= 20 && resource.amount <= 60 }};
@id("baskets") permit (principal in Role::"analyst", action == Action::"read", resource is sales::baskets)
when {{ {baskets} }};
"#
    )
}

fn order_files(which: World, share: Share, source: Source, partitioned: bool, file: &str) -> String {
    let rows = rows(which, share);
    match (partitioned, source) {
        (false, _) => format!("//- data/sales/{file}\n{}", data(&rows, source, which)),
        (true, Source::Delta) => {
            format!("//- data/sales/orders@part/\n{}", with_part(&rows, &data(&rows, source, which)))
        }
        (true, _) => {
            let (shown, hidden): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.region == "EU");
            let part =
                |name, rows: &[Row]| format!("//- data/sales/orders/part={name}/{file}\n{}", data(rows, source, which));
            // Nothing of the hidden partition is in the copy, not even its folder.
            part("EU", &shown) + &if hidden.is_empty() { String::new() } else { part("hidden-region-US", &hidden) }
        }
    }
}
