//! Contracts and policies over the tables, and the files that a gateway starts from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use meshgate::identity::hash_password;
use secrecy::SecretString;

use super::{DOMAINS, TABLES, Tables};

/// May read everything as it is.
pub const READER: &str = "reader";
/// Sees about half of the lines and orders, and a part of each customer's phone and balance.
pub const ANALYST: &str = "analyst";

/// Roles that nobody here has; of these are the policies that fill a mesh.
const STRANGERS: usize = 50;

/// The format that contracts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    Delta,
}

/// A folder to start a gateway from.
#[derive(Debug)]
pub struct Mesh {
    pub catalogs: PathBuf,
    pub config: PathBuf,
}

const READERS: &str = r#"@id("readers-of-{domain}") permit (principal in Role::"reader", action == Action::"read", resource in Domain::"{domain}");
"#;

const ANALYSTS: [(&str, &str); 4] = [
    (
        "sales",
        r#"
@id("lines") permit (principal in Role::"analyst", action == Action::"read", resource is sales::lineitem)
when { ["AIR", "MAIL", "RAIL", "SHIP"].contains(resource.l_shipmode) };
@id("orders") permit (principal in Role::"analyst", action == Action::"read", resource is sales::orders)
when { ["1-URGENT", "2-HIGH", "5-LOW"].contains(resource.o_orderpriority) };
"#,
    ),
    (
        "party",
        r#"
@id("customers") permit (principal in Role::"analyst", action == Action::"read", resource is party::customer)
unless { ["c_phone", "c_acctbal"].contains(context.column.name) };
@id("phones") @mask("first(2)") permit (principal in Role::"analyst", action == Action::"read", resource is party::customer)
when { context.column.name == "c_phone" };
@id("balances") @mask("bucket(100)") permit (principal in Role::"analyst", action == Action::"read", resource is party::customer)
when { context.column.name == "c_acctbal" };
"#,
    ),
    (
        "supply",
        "@id(\"supply\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource in Domain::\"supply\");\n",
    ),
    (
        "reference",
        "@id(\"reference\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource in Domain::\"reference\");\n",
    ),
];

/// What an analyst sees of a table, by hand, as a query of it.
pub fn by_hand(table: &str) -> Option<&'static str> {
    match table {
        "lineitem" => Some("SELECT * FROM lineitem WHERE l_shipmode IN ('AIR', 'MAIL', 'RAIL', 'SHIP')"),
        "orders" => Some("SELECT * FROM orders WHERE o_orderpriority IN ('1-URGENT', '2-HIGH', '5-LOW')"),
        "customer" => Some(
            "SELECT c_custkey, c_name, c_address, c_nationkey, \
             CASE WHEN char_length(c_phone) > 2 THEN left(c_phone, 2) ELSE '***' END AS c_phone, \
             CAST(floor(c_acctbal / 100) * 100 AS DECIMAL(15, 2)) AS c_acctbal, c_mktsegment, c_comment FROM customer",
        ),
        _ => None,
    }
}

/// Writes a mesh of the tables with `policies` policies below `home`: four that permit all to a reader, those for the analyst where
/// there is room, and others.
pub fn mesh(home: &Path, tables: &Tables, format: Format, policies: usize) -> Mesh {
    let home = home.join(format!("mesh-{format:?}-{policies}").to_lowercase());
    let _ = std::fs::remove_dir_all(&home);
    let catalogs = home.join("catalogs");
    let put = |path: &str, text: &str| {
        let path = home.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let strangers: Vec<String> = (0..STRANGERS).map(|at| format!("r{at}")).collect();
    put(
        "catalogs/mesh.yaml",
        &format!(
            "roles: [{READER}, {ANALYST}, {}]\ntags: []\nclassifications: [internal, restricted]\ndefaultClassification: internal\n",
            strangers.join(", ")
        ),
    );
    let mut told: Vec<String> = DOMAINS.iter().map(|domain| READERS.replace("{domain}", domain)).collect();
    if policies > 5 {
        for (text, (_, more)) in told.iter_mut().zip(ANALYSTS) {
            text.push_str(more);
        }
    }
    let so_far: usize = told.iter().map(|text| text.matches("@id").count()).sum();
    for at in so_far..policies {
        let (table, domain) = TABLES[at % TABLES.len()];
        let text = &mut told[DOMAINS.iter().position(|name| *name == domain).unwrap()];
        let role = at % STRANGERS;
        let column = &tables.known[at % TABLES.len()].schema.field(0).name().clone();
        let _ = writeln!(
            text,
            "@id(\"x{at}\") permit (principal in Role::\"r{role}\", action == Action::\"read\", resource is {domain}::{table}) \
             when {{ resource.{column} == {at} }};"
        );
    }
    let mut config =
        "catalogs = \"catalogs\"\n[auth]\nusers = \"users.toml\"\n[listen]\naddress = \"127.0.0.1:0\"\nconnections = 1024\nconnections_per_address = 1024\n"
        .to_owned();
    for (domain, policies) in DOMAINS.iter().zip(told) {
        put(
            &format!("catalogs/{domain}/domain.yaml"),
            &format!("name: {domain}\nowner: {{team: t}}\nsupport: [{{channel: '#c'}}]\n"),
        );
        put(&format!("catalogs/{domain}/{domain}.odcs.yaml"), &contract(domain, tables, format));
        put(&format!("catalogs/{domain}/policies/all.cedar"), &policies);
        let _ = writeln!(config, "[storage.domains.{domain}]\nroot = \"{}\"", tables.root.join(domain).display());
    }
    let mut users = String::new();
    for name in [READER, ANALYST] {
        let hash = hash_password(&SecretString::from(name)).unwrap();
        let _ = writeln!(users, "[users.{name}]\npassword = \"{hash}\"\nroles = [\"{name}\"]");
    }
    put("users.toml", &users);
    put("meshgate.toml", &config);
    Mesh { catalogs, config: home.join("meshgate.toml") }
}

fn contract(domain: &str, tables: &Tables, format: Format) -> String {
    let (path, format) = match format {
        Format::Parquet => ("{model}/*.parquet", "parquet"),
        Format::Delta => ("{model}", "delta"),
    };
    let mut contract = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {domain}\nname: {domain}\nversion: 1.0.0\nstatus: active\ndomain: {domain}\n\
         servers: [{{server: local, type: local, path: \"{path}\", format: {format}}}]\nschema:\n"
    );
    for ((table, _), known) in TABLES.iter().zip(&tables.known).filter(|((_, owner), _)| *owner == domain) {
        let rows = known.rows;
        let _ = write!(
            contract,
            "  - name: {table}\n    customProperties: [{{property: meshgateRowCount, value: {rows}}}]\n    properties:\n"
        );
        for (at, field) in known.schema.fields().iter().enumerate() {
            let kind = match field.data_type() {
                DataType::Int64 => "integer, physicalType: bigint",
                DataType::Int32 => "integer, physicalType: int",
                DataType::Date32 => dates(field.name()),
                DataType::Decimal128(..) => "number, physicalType: 'DECIMAL(15,2)'",
                _ => "string",
            };
            let position = match (*table, at) {
                ("partsupp", 0 | 1) => Some(at + 1),
                ("lineitem", 3) => Some(2),
                (_, 0) => Some(1),
                _ => None,
            };
            let key = position.map_or_else(String::new, |at| format!(", primaryKey: true, primaryKeyPosition: {at}"));
            let _ = writeln!(contract, "      - {{name: {}, logicalType: {kind}, required: true{key}}}", field.name());
        }
    }
    contract
}

/// Dates with the ranges that the specification of TPC-H gives them (clause 4.2.3).
fn dates(column: &str) -> &'static str {
    match column {
        "o_orderdate" => "date, logicalTypeOptions: {minimum: '1992-01-01', maximum: '1998-08-02'}",
        "l_shipdate" => "date, logicalTypeOptions: {minimum: '1992-01-02', maximum: '1998-12-01'}",
        "l_commitdate" => "date, logicalTypeOptions: {minimum: '1992-01-31', maximum: '1998-10-31'}",
        "l_receiptdate" => "date, logicalTypeOptions: {minimum: '1992-01-03', maximum: '1998-12-31'}",
        _ => "date",
    }
}
