//! Two worlds that differ only in what `ana` may not see.

/// How the visible rows are chosen; each gives `ana` the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
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
pub enum Source {
    Parquet,
    Delta,
    Csv,
    Json,
}

pub const CONDITIONS: [Condition; 6] = [
    Condition::Equality,
    Condition::Prefix,
    Condition::Membership,
    Condition::NullableColumn,
    Condition::NestedField,
    Condition::Partition,
];

pub const SOURCES: [Source; 4] = [Source::Parquet, Source::Delta, Source::Csv, Source::Json];

/// Bytes that must never reach `ana`: in hidden rows, in hidden columns, behind masks.
pub const CANARIES: [&str; 8] = [
    "canary-long-note-of-hidden-row",
    "cnryshort",
    "canary-status",
    "canary-hidden@mesh.example",
    "visible-raw-1@mesh.example",
    "4000-canary-card",
    "canary-street",
    "hidden-region-US",
];

const VISIBLE: [(i64, i64, i64, i64, &str); 8] = [
    (1, 7, 10, 1, "first note"),
    (2, 8, 20, 2, "second note which is longer than twelve bytes"),
    (3, 7, 30, 3, ""),
    (4, 9, 40, 1, "fourth"),
    (5, 7, 50, 2, "fifth note, also rather long, with a comma"),
    (6, 8, 60, 3, "x"),
    (7, 9, 70, 1, "seventh"),
    (8, 7, 80, 2, "eighth and last of the visible ones"),
];

/// One row; `nested` and `extra` follow the condition.
struct Row {
    order_id: i64,
    region: String,
    customer_id: i64,
    amount: i64,
    qty: i64,
    note: String,
    email: String,
    card_no: String,
    risk: i64,
    zip: String,
    street: String,
    status: String,
    seen_at: String,
}

fn rows(second_world: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = VISIBLE
        .iter()
        .map(|(order_id, customer_id, amount, qty, note)| Row {
            order_id: *order_id,
            region: "EU".to_owned(),
            customer_id: *customer_id,
            amount: *amount,
            qty: *qty,
            note: (*note).to_owned(),
            email: format!("visible-raw-{order_id}@mesh.example"),
            card_no: if second_world { format!("5111 {order_id}") } else { "4000-canary-card".to_owned() },
            risk: if second_world { 5 } else { order_id * 11 },
            zip: "EU-1".to_owned(),
            street: if second_world { "elsewhere".to_owned() } else { "canary-street".to_owned() },
            status: "open".to_owned(),
            seen_at: format!("2026-01-0{order_id}T00:00:00"),
        })
        .collect();
    let hidden = |order_id: i64, amount: i64, note: &str| Row {
        order_id,
        region: "hidden-region-US".to_owned(),
        customer_id: 666,
        amount,
        qty: 0,
        note: note.to_owned(),
        email: "canary-hidden@mesh.example".to_owned(),
        card_no: "4000-canary-card".to_owned(),
        risk: 5,
        zip: "US-9".to_owned(),
        street: "canary-street".to_owned(),
        status: "canary-status".to_owned(),
        seen_at: "1999-12-31T00:00:00".to_owned(),
    };
    if second_world {
        rows.push(hidden(100, 77, "1"));
    } else {
        // In the second and third row group: the first erroring value is not at the start of the file.
        rows.insert(5, hidden(101, 5, "canary-long-note-of-hidden-row"));
        rows.push(hidden(102, 0x5EC4_E75E_C4E7, "cnryshort"));
        rows.push(hidden(103, 5, "12"));
        rows.push(hidden(104, i64::MIN, "canary-long-note-of-hidden-row"));
    }
    rows
}

const CONTRACT_COLUMNS: &str =
    "      - {name: order_id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, REGION_REQUIRED}
      - {name: customer_id, logicalType: integer, required: true}
      - {name: amount, logicalType: integer}
      - {name: qty, logicalType: integer}
      - {name: note, logicalType: string}
      - {name: email, logicalType: string, tags: [pii]}
      - {name: card_no, logicalType: string, classification: restricted}
      - {name: risk, logicalType: integer, tags: [risk]}
      - name: addr
        logicalType: object
        properties:
          - {name: street, logicalType: string, classification: restricted}
          - {name: zip, logicalType: string}
      - {name: status, logicalType: string}
      - {name: seen_at, logicalType: timestamp}
";

/// The text of a fixture: `ana` sees the eight rows of region EU, in either world.
pub fn world(second_world: bool, condition: Condition, source: Source) -> String {
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
    let required = if condition == Condition::NullableColumn { "required: false" } else { "required: true" };
    let columns = CONTRACT_COLUMNS.replace("REGION_REQUIRED", required);
    // CSV has no structs.
    let columns = if source == Source::Csv {
        columns.split("      - name: addr").next().unwrap().to_owned()
            + "      - {name: status, logicalType: string}\n      - {name: seen_at, logicalType: timestamp}\n"
    } else {
        columns
    };
    let partitioned = condition == Condition::Partition;
    let columns = if partitioned {
        columns
            + "      - {name: part, logicalType: string, required: true, partitioned: true, partitionKeyPosition: 1}\n"
    } else {
        columns
    };
    let (file, format) = match source {
        Source::Parquet => ("orders.parquet", "parquet"),
        Source::Delta => ("orders/", "delta"),
        Source::Csv => ("orders.csv", "csv"),
        Source::Json => ("orders.ndjson", "json"),
    };
    let path = if partitioned { "orders/" } else { file };
    let rows = rows(second_world);
    let data = match (partitioned, source) {
        (false, _) => format!("//- data/sales/{file}\n{}", data(&rows, source)),
        (true, Source::Delta) => format!("//- data/sales/orders@part/\n{}", with_part(&rows, &data(&rows, source))),
        (true, _) => {
            let (shown, hidden): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.region == "EU");
            let part = |name, rows: &[Row]| format!("//- data/sales/orders/part={name}/{file}\n{}", data(rows, source));
            part("EU", &shown) + &part("hidden-region-US", &hidden)
        }
    };
    format!(
        r##"//- mesh.yaml
name: mesh
roles: [analyst, privacy-officer]
tags: [pii, risk]
classifications: [public, internal, confidential, restricted]
principal_attributes:
  region?: String
  accounts?: Set<String>
//- users.toml
[users.ana]
password = "x"
roles = ["analyst"]
attributes = {{ region = "EU", accounts = ["EU", "none"] }}
[users.dpo]
password = "x"
roles = ["privacy-officer"]
[users.eve]
password = "x"
roles = []
//- governance/all.cedar
@id("dpo-reads") permit (principal in Role::"privacy-officer", action == Action::"read", resource);
@id("pii") @mask("hash") forbid (principal, action == Action::"read", resource)
when {{ context.column.tags.contains("pii") }} unless {{ principal in Role::"privacy-officer" }};
@id("risk") @mask("null") forbid (principal, action == Action::"read", resource)
when {{ context.column.tags.contains("risk") }} unless {{ principal in Role::"privacy-officer" }};
@id("secret") forbid (principal, action == Action::"read", resource)
when {{ context.column.classification == "restricted" }} unless {{ principal in Role::"privacy-officer" }};
//- sales/domain.yaml
name: sales
owner: {{team: sales-team}}
support: [{{channel: "#sales"}}]
//- sales/orders.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: sales-orders
name: orders
version: 1.0.0
status: active
domain: sales
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: local, type: local, path: {path}, format: {format}}}]
schema:
  - name: orders
    properties:
{columns}//- sales/policies/orders.cedar
@id("analysts") permit (principal in Role::"analyst", action == Action::"read", resource is sales::orders)
when {{ {when} }};
//- hr/domain.yaml
name: hr
owner: {{team: people}}
//- hr/salaries.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: hr-salaries
name: salaries
version: 1.0.0
status: active
domain: hr
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: local, type: local, path: salaries.parquet, format: parquet}}]
schema:
  - name: salaries
    properties:
      - {{name: employee_id, logicalType: integer, required: true}}
      - {{name: salary, logicalType: integer}}
//- data/hr/salaries.parquet
employee_id:i64,salary:i64
1,100
2,200
{data}"##
    )
}

/// The typed CSV with one column more.
fn with_part(rows: &[Row], csv: &str) -> String {
    let parts = std::iter::once("part:utf8").chain(rows.iter().map(|row| row.region.as_str()));
    let lines: Vec<String> = csv.lines().zip(parts).map(|(line, part)| format!("{line},{part}")).collect();
    lines.join("\n") + "\n"
}

fn data(rows: &[Row], source: Source) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut out = String::new();
    match source {
        Source::Json => {
            for row in rows {
                let line = serde_json::json!({
                    "order_id": row.order_id, "region": row.region, "customer_id": row.customer_id, "amount": row.amount,
                    "qty": row.qty, "note": row.note, "email": row.email, "card_no": row.card_no, "risk": row.risk,
                    "addr": {"street": row.street, "zip": row.zip}, "status": row.status,
                    "seen_at": row.seen_at,
                });
                out += &format!("{line}\n");
            }
        }
        Source::Parquet | Source::Delta => {
            out += "order_id:i64,region:utf8,customer_id:i64,amount:i64,qty:i64,note:utf8,email:utf8,card_no:utf8,risk:i64,addr.street:utf8,addr.zip:utf8,status:dict,seen_at:ts\n";
            for row in rows {
                out += &format!(
                    "{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                    row.order_id,
                    row.region,
                    row.customer_id,
                    row.amount,
                    row.qty,
                    quote(&row.note),
                    row.email,
                    quote(&row.card_no),
                    row.risk,
                    row.street,
                    row.zip,
                    row.status,
                    row.seen_at
                );
            }
        }
        Source::Csv => {
            out += "order_id,region,customer_id,amount,qty,note,email,card_no,risk,status,seen_at\n";
            for row in rows {
                out += &format!(
                    "{},{},{},{},{},{},{},{},{},{},{}\n",
                    row.order_id,
                    row.region,
                    row.customer_id,
                    row.amount,
                    row.qty,
                    quote(&row.note),
                    row.email,
                    quote(&row.card_no),
                    row.risk,
                    row.status,
                    row.seen_at
                );
            }
        }
    }
    out
}
