//! The demo mesh, and answers as lines of text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use crate::contract::{Column, Contract, Dataset, Format, Location, OnDrift, Server, Status, TextLayout};
use crate::diagnostic::render_all;
use crate::identity::{AttributeValue, Principal};
use crate::mesh::{
    AttributeDeclaration, AttributeType, Domain, Files, GovernanceRule, Mesh, Product, ProductFault, Snapshot,
    TableEntry,
};
use crate::name::{QualifiedProduct, QualifiedTable};
use crate::policy::{Clause, Condition, Decision, PolicyStore};

pub const ACCEPTANCE: &str = include_str!("acceptance.cedar");
pub const NOW: i64 = 1_795_219_200_000;

pub fn decimal() -> DataType {
    DataType::Decimal128(12, 2)
}

pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// `name`, `name?` where not required, then the tags after `#`, the classification after `!`.
pub fn column(spec: &str, data_type: DataType) -> Column {
    let (spec, class) = spec.split_once('!').unwrap_or((spec, "internal"));
    let (spec, tag) = spec.split_once('#').map_or((spec, None), |(spec, tag)| (spec, Some(tag)));
    let name = spec.trim_end_matches('?');
    Column {
        name: name.parse().unwrap(),
        physical_name: name.to_owned(),
        data_type,
        fields: Vec::new(),
        list_in_files: None,
        in_json: None,
        written: None,
        written_inside: BTreeMap::new(),
        description: None,
        tags: tag.into_iter().map(|tag| tag.parse().unwrap()).collect(),
        classification: class.parse().unwrap(),
        required: !spec.ends_with('?'),
        unique: false,
        range: None,
        primary_key: None,
        partition_key: None,
        critical: false,
        quality: Vec::new(),
    }
}

pub fn record(spec: &str, fields: Vec<Column>) -> Column {
    let types: Fields =
        fields.iter().map(|field| Field::new(field.name.as_str(), field.data_type.clone(), true)).collect();
    Column { fields, ..column(spec, DataType::Struct(types)) }
}

pub fn dataset(name: &str, columns: Vec<Column>) -> Dataset {
    Dataset {
        name: name.parse().unwrap(),
        physical_name: name.to_owned(),
        description: None,
        tags: Vec::new(),
        classification: "internal".parse().unwrap(),
        row_count: None,
        on_drift: OnDrift::default(),
        columns,
        references: Vec::new(),
        quality: Vec::new(),
    }
}

pub fn product(domain: &str, name: &str, version: &str, datasets: Vec<Dataset>) -> Arc<Product> {
    let contract = Contract {
        id: format!("{domain}-{name}-{version}"),
        domain: domain.parse().unwrap(),
        product: name.parse().unwrap(),
        version: version.parse().unwrap(),
        status: Status::Active,
        purpose: None,
        usage: None,
        limitations: None,
        tags: Vec::new(),
        classification: "internal".parse().unwrap(),
        owner_team: None,
        support: Vec::new(),
        server: Server {
            name: "files".to_owned(),
            location: Location::Local { path: "x".to_owned() },
            format: Format::Parquet,
            layout: TextLayout::default(),
        },
        datasets,
        sla: Vec::new(),
        file: format!("{domain}/{name}.odcs.yaml"),
    };
    let name = QualifiedProduct { domain: domain.parse().unwrap(), product: name.parse().unwrap() };
    Arc::new(Product { name, contract: Arc::new(contract) })
}

pub fn mesh(products: Vec<Arc<Product>>) -> Snapshot {
    let mut tables = BTreeMap::new();
    let mut domains = BTreeMap::new();
    for product in &products {
        let domain = product.name.domain.clone();
        domains.entry(domain.clone()).or_insert_with(|| Domain {
            name: domain.clone(),
            description: None,
            owner_team: "team".to_owned(),
            support: Vec::new(),
        });
        for (at, dataset) in product.contract.datasets.iter().enumerate() {
            let mut table = QualifiedTable { domain: domain.clone(), table: dataset.name.clone() };
            if tables.contains_key(&table) {
                table.table = format!("{}_v{}", dataset.name, product.contract.version.major).parse().unwrap();
            }
            let entry = TableEntry { table: table.clone(), product: Arc::clone(product), dataset: at };
            tables.insert(table, entry);
        }
    }
    let set = |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    let attribute = |kind| AttributeDeclaration { kind, required: false };
    Snapshot {
        mesh: Mesh {
            name: "mesh".to_owned(),
            roles: set(&["analyst", "marketer", "people-partner", "sales-owner", "privacy-officer", "auditor"])
                .iter()
                .map(|role| role.parse().unwrap())
                .collect(),
            tags: BTreeSet::from(["pii".parse().unwrap(), "finance".parse().unwrap()]),
            classifications: set(&["public", "internal", "confidential", "restricted"])
                .iter()
                .map(|word| word.parse().unwrap())
                .collect(),
            default_classification: "restricted".parse().unwrap(),
            principal_attributes: BTreeMap::from([
                ("region".to_owned(), attribute(AttributeType::String)),
                ("clearance".to_owned(), attribute(AttributeType::Long)),
                ("countries".to_owned(), attribute(AttributeType::StringSet)),
                ("staff".to_owned(), attribute(AttributeType::Bool)),
            ]),
            purposes: None,
            governance: GovernanceRule::Optional,
        },
        domains,
        products,
        tables,
        faults: Vec::new(),
        findings: Vec::new(),
        digest: [0; 32],
    }
}

pub fn demo() -> Snapshot {
    use DataType::{Date32, Float64, Int32, Int64, Utf8};
    mesh(vec![
        product(
            "sales",
            "customers",
            "1.0.0",
            vec![dataset(
                "customers",
                vec![
                    column("customer_id", Int64),
                    column("name#pii", Utf8),
                    column("email#pii", Utf8),
                    column("phone?#pii", Utf8),
                    column("country", Utf8),
                    column("region", Utf8),
                    column("segment", Utf8),
                    column("signed_up", Date32),
                    column("credit_limit!confidential", decimal()),
                ],
            )],
        ),
        product(
            "sales",
            "orders",
            "1.0.0",
            vec![
                dataset(
                    "orders",
                    vec![
                        column("order_id", Int64),
                        column("customer_id", Int64),
                        column("region", Utf8),
                        column("ordered_at", timestamp()),
                        column("amount", decimal()),
                        column("note?", Utf8),
                        column("order_year", Int32),
                    ],
                ),
                dataset(
                    "order_lines",
                    vec![
                        column("order_id", Int64),
                        column("line_no", Int32),
                        column("product_code", Utf8),
                        column("quantity", Int32),
                        column("unit_price", decimal()),
                    ],
                ),
            ],
        ),
        product(
            "logistics",
            "shipments",
            "1.0.0",
            vec![dataset(
                "shipments",
                vec![
                    column("shipment_id", Int64),
                    column("region", Utf8),
                    column("delivered_at?", timestamp()),
                    column("weight_kg", Float64),
                    record(
                        "address?",
                        vec![column("street?#pii", Utf8), column("city?", Utf8), column("postcode?", Utf8)],
                    ),
                ],
            )],
        ),
        product(
            "logistics",
            "carriers",
            "1.0.0",
            vec![dataset(
                "carriers",
                vec![column("carrier_id!public", Int64), column("name!public", Utf8), column("mode!public", Utf8)],
            )],
        ),
        product(
            "marketing",
            "touchpoints",
            "1.0.0",
            vec![dataset(
                "touchpoints",
                vec![
                    column("customer_id", Int64),
                    column("channel", Utf8),
                    column("campaign", Utf8),
                    column("at", timestamp()),
                ],
            )],
        ),
        product(
            "hr",
            "employees",
            "1.0.0",
            vec![dataset(
                "employees",
                vec![
                    column("employee_id", Int64),
                    column("name#pii", Utf8),
                    column("email#pii", Utf8),
                    column("region", Utf8),
                    column("department", Utf8),
                    column("salary!restricted", decimal()),
                    column("manager_id?", Int64),
                ],
            )],
        ),
    ])
}

/// Takes a product out, as a broken contract does.
pub fn without(mut snapshot: Snapshot, domain: &str, name: &str) -> Snapshot {
    snapshot.products.retain(|product| product.name.to_string() != format!("{domain}.{name}"));
    snapshot.tables.retain(|_, entry| entry.product.name.to_string() != format!("{domain}.{name}"));
    snapshot.faults.push(ProductFault {
        domain: domain.parse().unwrap(),
        product: name.to_owned(),
        file: format!("{domain}/{name}.odcs.yaml"),
        why: "broken".to_owned(),
    });
    snapshot
}

/// Splits one text at `// path` headers that end in `.cedar`.
pub fn files(text: &str) -> Files {
    let mut files = Files::default();
    let mut current = String::new();
    for line in text.lines() {
        let path = line
            .trim()
            .strip_prefix("// ")
            .filter(|path| path.rsplit_once('.').is_some_and(|(_, kind)| kind == "cedar"));
        if let Some(path) = path {
            current = path.trim_start_matches("catalogs/").to_owned();
        } else if !current.is_empty() {
            let text = files.texts.entry(current.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    files
}

pub fn load(text: &str) -> PolicyStore {
    PolicyStore::load(&files(text), &demo())
}

/// All findings, one line each, hints indented.
pub fn findings(text: &str) -> String {
    render_all(load(text).findings())
}

pub fn person(name: &str) -> Principal {
    let region = |region: &str| ("region", AttributeValue::String(region.to_owned()));
    let clearance = |level| ("clearance", AttributeValue::Long(level));
    match name {
        "ana" => Principal::for_tests("ana", &["analyst"], &[region("EU"), clearance(1)]),
        "bob" => Principal::for_tests("bob", &["analyst"], &[region("US"), clearance(1)]),
        "mia" => Principal::for_tests("mia", &["marketer"], &[region("EU")]),
        "hana" => Principal::for_tests("hana", &["people-partner"], &[region("EU")]),
        "otto" => Principal::for_tests("otto", &["sales-owner"], &[clearance(2)]),
        "dpo" => Principal::for_tests("dpo", &["privacy-officer"], &[clearance(3)]),
        other => Principal::for_tests(other, &[], &[]),
    }
}

pub fn entry<'a>(snapshot: &'a Snapshot, table: &str) -> &'a TableEntry {
    snapshot.tables.values().find(|entry| entry.table.to_string() == table).unwrap()
}

pub fn decide(store: &PolicyStore, principal: &Principal, table: &str) -> Decision {
    store.authorize(principal, "", NOW, entry(&demo(), table))
}

/// One line for each group of columns with the same rules; `hidden: why` for a hidden dataset.
pub fn seen(store: &PolicyStore, principal: &Principal, table: &str) -> String {
    show(&decide(store, principal, table))
}

pub fn show(decision: &Decision) -> String {
    let exposed = match decision {
        Decision::Hidden { why, .. } => return format!("hidden: {why}"),
        Decision::Exposed(exposed) => exposed,
    };
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for column in &exposed.columns {
        let rules = |rules: &[crate::policy::Rule]| {
            rules.iter().map(|rule| format!("{}{}", rule.mask, clauses(&rule.when))).collect::<Vec<_>>().join(" | ")
        };
        let mut line = if column.offers.is_empty() { "-".to_owned() } else { rules(&column.offers) };
        if !column.caps.is_empty() {
            line = format!("{line} CAP {}", rules(&column.caps));
        }
        match groups.iter_mut().find(|group| group.0 == line) {
            Some(group) => group.1.push(column.path.to_string()),
            None => groups.push((line, vec![column.path.to_string()])),
        }
    }
    groups.into_iter().map(|(line, columns)| format!("{}: {line}", columns.join(","))).collect::<Vec<_>>().join("\n")
}

fn clauses(when: &[Clause]) -> String {
    if when.iter().any(|clause| *clause.condition == Condition::Const(true)) {
        return String::new();
    }
    let text: Vec<String> = when.iter().map(|clause| format!("{:?}", clause.condition)).collect();
    format!(" if {}", text.join(" or "))
}

#[track_caller]
pub fn one_error(text: &str, message: &str, hint: &str) {
    let store = load(text);
    let errors: Vec<String> = store.findings().iter().map(crate::diagnostic::render_human).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains(&format!("error: {message}")), "{errors:#?}");
    assert!(errors[0].contains(hint), "{errors:#?}");
}
