//! Catalogs in, snapshots and findings out.

use std::path::Path;

use super::*;
use crate::diagnostic::render_all;
use crate::name::Tag;

/// Files from one text: `//- path` before each.
fn files(text: &str) -> Files {
    let mut files = Files::default();
    for part in text.split("//- ").skip(1) {
        let (path, body) = part.split_once('\n').unwrap();
        files.texts.insert(path.trim().to_owned(), body.to_owned());
    }
    files
}

const BASE: &str = "\
//- mesh.yaml
roles: [analyst]
tags: [pii]
classifications: [public, internal]
principal_attributes: {region?: String, level: Long}
//- sales/domain.yaml
name: sales
owner: {team: Sales}
";

fn contract(path: &str, id: &str, name: &str, version: &str, status: &str, dataset: &str) -> String {
    let domain = path.split('/').next().unwrap();
    format!(
        "//- {path}\napiVersion: v3.1.0\nkind: DataContract\nid: {id}\nname: {name}\nversion: {version}\nstatus: {status}\n\
         domain: {domain}\nservers: [{{server: s, type: local, path: x, format: csv}}]\n\
         schema:\n  - name: {dataset}\n    properties:\n      - {{name: id, logicalType: integer}}\n"
    )
}

fn load_text(text: &str) -> Snapshot {
    load(&files(text)).unwrap_or_else(|findings| panic!("{}", render_all(&findings)))
}

fn tables(snapshot: &Snapshot) -> Vec<String> {
    let name = |entry: &TableEntry| format!("{} {}", entry.table, entry.product.contract.version);
    snapshot.tables.values().map(name).collect()
}

fn faults(snapshot: &Snapshot) -> Vec<String> {
    snapshot.faults.iter().map(|fault| format!("{}.{}: {}", fault.domain, fault.product, fault.why)).collect()
}

fn catalogs() -> Files {
    let mut files = Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs")).unwrap();
    files.root.clear();
    files
}

#[test]
fn the_committed_catalogs_have_no_findings() {
    let snapshot = load(&catalogs()).unwrap();
    assert_eq!(render_all(&snapshot.findings), "");
    let names: Vec<String> = snapshot.tables.keys().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "hr.employees",
            "logistics.carriers",
            "logistics.shipments",
            "marketing.touchpoints",
            "sales.customers",
            "sales.order_lines",
            "sales.orders"
        ]
    );
    assert_eq!(snapshot.products.len(), 6);
    let dataset = |name: &str| {
        snapshot.tables.values().find(|entry| entry.table.to_string() == name).map(TableEntry::dataset).unwrap()
    };
    let column =
        |table: &str, name: &str| dataset(table).columns.iter().find(|c| c.name.as_str() == name).unwrap().clone();
    assert_eq!(column("sales.orders", "order_year").partition_key, Some(1));
    assert_eq!(column("sales.orders", "amount").data_type.to_string(), "Decimal128(12, 2)");
    assert_eq!(column("sales.order_lines", "quantity").data_type.to_string(), "Int32");
    assert_eq!(column("logistics.shipments", "weight_kg").data_type.to_string(), "Float64");
    let street = &column("logistics.shipments", "address").fields[0];
    assert_eq!(street.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["operations", "pii"]);
    assert_eq!(column("hr.employees", "salary").classification.as_str(), "restricted");
    assert_eq!(dataset("hr.employees").classification.as_str(), "internal");
    assert_eq!(column("sales.customers", "credit_limit").classification.as_str(), "confidential");
    assert_eq!(dataset("logistics.carriers").classification.as_str(), "public");
    assert_eq!(dataset("sales.order_lines").primary_key().len(), 2);
    assert_eq!(dataset("sales.orders").row_count, Some(500_000));
}

#[test]
fn the_contract_in_the_documentation_is_one() {
    let docs = include_str!("../../docs/CONTRACTS.md");
    let block = docs.lines().skip_while(|line| line.trim() != "apiVersion: v3.1.0");
    let contract: Vec<&str> = block.map_while(|line| line.strip_prefix("       ")).collect();
    let mut files = catalogs();
    files.texts.insert("sales/returns.odcs.yaml".to_owned(), contract.join("\n"));
    let snapshot = load(&files).unwrap();
    assert_eq!(render_all(&snapshot.findings), "");
    assert!(snapshot.tables.keys().any(|table| table.to_string() == "sales.returns"));
}

/// A file of the committed catalogs with `mesh.yaml` and its own domain around it, in a version of its text.
fn damaged(whole: &Files, path: &str, text: String) {
    let mut files = whole.clone();
    let domain = path.split('/').next().unwrap();
    files
        .texts
        .retain(|other, _| other == "mesh.yaml" || other.starts_with("governance/") || other.starts_with(domain));
    let contracts = files.texts.keys().filter(|path| path.contains(".odcs.")).count();
    files.texts.insert(path.to_owned(), text);
    // What is left may still be whole enough; each contract is then served as it says, or told as a fault.
    match load(&files) {
        Err(findings) => assert!(path == "mesh.yaml" && !findings.is_empty()),
        Ok(snapshot) => {
            assert_eq!(snapshot.products.len() + snapshot.faults.len(), contracts, "{path}");
            assert!(snapshot.faults.is_empty() || render_all(&snapshot.findings).contains(": error: "), "{path}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_ends_in_findings_and_never_in_a_panic() {
    let whole = catalogs();
    for (path, text) in whole.texts.iter().filter(|(path, _)| !path.contains(".cedar")) {
        for (cut, _) in text.char_indices().filter(|(at, _)| at % 127 == 0) {
            damaged(&whole, path, text[..cut].to_owned());
        }
    }
}

#[test]
fn a_file_without_any_one_of_its_lines_ends_in_findings_and_never_in_a_panic() {
    let whole = catalogs();
    for (path, text) in whole.texts.iter().filter(|(path, _)| !path.contains(".cedar")) {
        let lines: Vec<&str> = text.lines().collect();
        for gone in (0..lines.len()).filter(|line| !lines[*line].trim_start().starts_with('#')) {
            damaged(&whole, path, [&lines[..gone], &lines[gone + 1..]].concat().join("\n"));
        }
    }
}

#[test]
fn a_broken_contract_takes_out_its_product_only() {
    let good = contract("sales/orders.odcs.yaml", "o", "orders", "1.0.0", "active", "orders");
    let bad = contract("sales/deep/bad.odcs.yaml", "b", "returns", "1.0.0", "activ", "returns");
    let unreadable = "//- sales/torn.odcs.yaml\nname: [\n";
    let snapshot = load_text(&format!("{BASE}{good}{bad}{unreadable}"));
    assert_eq!(tables(&snapshot), ["sales.orders 1.0.0"]);
    assert_eq!(snapshot.faults.len(), 2);
    assert_eq!(faults(&snapshot)[0], "sales.returns: `activ` is not a status");
    assert!(faults(&snapshot)[1].starts_with("sales.torn: this is not readable YAML: "), "{:?}", faults(&snapshot));
    assert_eq!(snapshot.findings[0].place.as_ref().unwrap().to_string(), "sales/deep/bad.odcs.yaml:6:9");
}

#[test]
fn two_contracts_that_claim_one_dataset_are_both_out() {
    let a = contract("sales/a.odcs.yaml", "a", "alpha", "1.0.0", "active", "orders");
    let b = contract("sales/b.odcs.yaml", "b", "beta", "1.4.0", "active", "orders");
    let draft = contract("sales/c.odcs.yaml", "c", "gamma", "1.5.0", "draft", "orders");
    let snapshot = load_text(&format!("{BASE}{a}{b}{draft}"));
    assert_eq!(
        render_all(&snapshot.findings),
        "\
sales/a.odcs.yaml:10:11: error: two contracts claim the dataset `sales.orders` at version 1; the other is at sales/b.odcs.yaml:10:11
  hint: rename one dataset, retire one contract or raise its major version; neither is served
sales/b.odcs.yaml:10:11: error: two contracts claim the dataset `sales.orders` at version 1; the other is at sales/a.odcs.yaml:10:11
  hint: rename one dataset, retire one contract or raise its major version; neither is served"
    );
    assert!(snapshot.tables.is_empty());
    assert_eq!(snapshot.faults.iter().map(|fault| fault.product.as_str()).collect::<Vec<_>>(), ["alpha", "beta"]);
    assert_eq!(snapshot.products.len(), 1, "the draft is known, though not served");
}

#[test]
fn an_id_is_used_once_for_each_version() {
    let a = contract("sales/a.odcs.yaml", "same", "alpha", "1.0.0", "active", "a");
    let b = contract("sales/b.odcs.yaml", "same", "beta", "1.0.0", "active", "b");
    let snapshot = load_text(&format!("{BASE}{a}{b}"));
    assert_eq!(snapshot.faults.len(), 2);
    assert!(snapshot.findings[0].message.starts_with("two contracts have the id `same` and version 1.0.0"));
    let other = contract("sales/b.odcs.yaml", "other", "alpha", "1.1.0", "active", "a");
    let snapshot = load_text(&format!("{BASE}{a}{other}"));
    assert_eq!(snapshot.findings.len(), 2, "told once for each, not again for the datasets");
    assert!(snapshot.findings[0].message.starts_with("two contracts are the product `sales.alpha` at version 1"));
    assert!(snapshot.tables.is_empty());
    let next = contract("sales/b.odcs.yaml", "same", "alpha", "2.0.0", "active", "a");
    assert!(load_text(&format!("{BASE}{a}{next}")).faults.is_empty());
}

#[test]
fn the_plain_name_is_the_highest_active_version() {
    let version = |n: u32, status: &str| {
        contract(&format!("sales/v{n}.odcs.yaml"), "o", "orders", &format!("{n}.1.0"), status, "orders")
    };
    let one = load_text(&format!("{BASE}{}", version(1, "active")));
    assert_eq!(tables(&one), ["sales.orders 1.1.0"]);
    let two = load_text(&format!("{BASE}{}{}", version(1, "deprecated"), version(2, "active")));
    assert_eq!(tables(&two), ["sales.orders 2.1.0", "sales.orders_v1 1.1.0", "sales.orders_v2 2.1.0"]);
    let newer_deprecated = load_text(&format!("{BASE}{}{}", version(1, "active"), version(2, "deprecated")));
    assert_eq!(tables(&newer_deprecated)[0], "sales.orders 1.1.0");
    let draft = load_text(&format!("{BASE}{}{}", version(1, "active"), version(2, "draft")));
    assert_eq!(tables(&draft), ["sales.orders 1.1.0"]);
    let retired = load_text(&format!("{BASE}{}", version(1, "retired")));
    assert!(retired.tables.is_empty() && retired.products.len() == 1);
}

#[test]
fn a_dataset_with_the_name_of_a_pinned_version_is_told() {
    let v1 = contract("sales/v1.odcs.yaml", "o", "orders", "1.0.0", "active", "orders");
    let v2 = contract("sales/v2.odcs.yaml", "o", "orders", "2.0.0", "active", "orders");
    let odd = contract("sales/w.odcs.yaml", "w", "odd", "1.0.0", "active", "orders_v1");
    let snapshot = load_text(&format!("{BASE}{v1}{v2}{odd}"));
    assert_eq!(
        render_all(&snapshot.findings),
        "\
sales/w.odcs.yaml:10:11: error: the dataset `sales.orders_v1` has the name of version 1 of `sales.orders` (at sales/v1.odcs.yaml:10:11)
  hint: rename the dataset; until then version 1 cannot be pinned"
    );
    let entry = snapshot.tables.values().find(|entry| entry.table.table.as_str() == "orders_v1").unwrap();
    assert_eq!(entry.product.name.to_string(), "sales.odd");
}

#[test]
fn a_domain_without_an_owner_is_not_served() {
    let orders = contract("sales/orders.odcs.yaml", "o", "orders", "1.0.0", "active", "orders");
    let base = BASE.replace("name: sales\nowner: {team: Sales}", "name: sale\nowner: {tem: Sales}");
    let snapshot = load_text(&format!("{base}{orders}"));
    assert_eq!(
        render_all(&snapshot.findings),
        "\
sales/domain.yaml:1:7: error: the domain says it is `sale`, but lies in the folder `sales`
  hint: did you mean `sales`?
sales/domain.yaml:2:8: error: owner has no `team`
  hint: add `team:`, text
sales/domain.yaml:2:9: error: unknown key `tem` in owner
  hint: did you mean `team`?"
    );
    assert!(snapshot.tables.is_empty() && snapshot.domains.is_empty());
    assert_eq!(
        faults(&snapshot),
        ["sales.orders: the domain's `domain.yaml` is missing or has an error (sales/domain.yaml)"]
    );
    let other = contract("hr/people.odcs.yaml", "p", "people", "1.0.0", "active", "people");
    let snapshot = load_text(&format!("{BASE}{orders}{other}"));
    assert_eq!(tables(&snapshot), ["sales.orders 1.0.0"]);
    assert_eq!(snapshot.findings[0].message, "the domain `hr` has no `domain.yaml`");
    let snapshot = load_text(&format!("{BASE}//- Sales-EU/orders.odcs.yaml\na: 1\n"));
    assert_eq!(
        snapshot.findings[0].message,
        "`Sales-EU` is not a valid domain name: it is not a lower-case SQL identifier"
    );
}

#[test]
fn keys_that_lead_nowhere_are_warned_of() {
    let orders = contract("sales/orders.odcs.yaml", "o", "orders", "1.0.0", "active", "orders")
        + "      - {name: a, logicalType: integer, relationships: [{to: orders.id}, {to: hr.people.id}, {to: schema/orders/properties/id}, {to: hr/people.odcs.yaml#schema/people/properties/id}]}\n\
           \x20     - {name: b, logicalType: integer, relationships: [{to: hr.poeple.id}, {to: orders.x}]}\n";
    let people = "//- hr/domain.yaml\nname: hr\nowner: {team: HR}\n".to_owned()
        + &contract("hr/people.odcs.yaml", "p", "people", "1.0.0", "active", "people");
    let snapshot = load_text(&format!("{BASE}{orders}{people}"));
    assert_eq!(
        render_all(&snapshot.findings),
        "\
sales/orders.odcs.yaml:14:62: warning: the key points to `hr.poeple.id`, which is not served
  hint: did you mean the dataset `hr.people`?
sales/orders.odcs.yaml:14:82: warning: the key points to `orders.x`, which is not served
  hint: write `dataset.column`, or `domain/file.odcs.yaml#schema/dataset/properties/column` for another domain"
    );
    assert_eq!(snapshot.tables.len(), 2);
}

#[test]
fn mesh_yaml_is_read_whole_or_refused() {
    let snapshot = load_text(BASE);
    assert_eq!(snapshot.mesh.name, "mesh");
    assert_eq!(snapshot.mesh.default_classification.as_str(), "internal", "the highest, where nothing is said");
    let attributes: Vec<_> =
        snapshot.mesh.principal_attributes.iter().map(|(k, v)| (k.as_str(), v.kind, v.required)).collect();
    assert_eq!(attributes, [("level", AttributeType::Long, true), ("region", AttributeType::String, false)]);
    let findings = load(&files(
        "//- mesh.yaml
name: My Mesh
roles: [analyst, analyst]
tag: [pii]
classifications: [public]
defaultClassification: publc
principal_attributes:
  region?: string
  a b: Long
",
    ))
    .unwrap_err();
    assert_eq!(
        render_all(&findings),
        "\
mesh.yaml:1:7: error: `My Mesh` is not a name for the mesh: it is not a lower-case SQL identifier
  hint: use lower-case letters, digits and `_`, starting with a letter, for example `my_mesh`
mesh.yaml:2:18: error: `analyst` stands twice under `roles`
  hint: remove one
mesh.yaml:3:1: error: unknown key `tag` in mesh `My Mesh`
  hint: did you mean `tags`?
mesh.yaml:5:24: error: `publc` is not one of the `classifications`
  hint: did you mean `public`?
mesh.yaml:7:12: error: `string` is not an attribute type
  hint: did you mean `String`?
mesh.yaml:8:3: error: `a b` is not a name for an attribute
  hint: use letters, digits and `_`; `?` at the end makes it optional"
    );
    assert_eq!(load(&Files::default()).unwrap_err()[0].message, "there is no `mesh.yaml`");
}

#[test]
fn the_digest_follows_every_byte_of_contracts_and_mesh() {
    let orders = contract("sales/orders.odcs.yaml", "o", "orders", "1.0.0", "active", "orders");
    let digest = |text: &str| load_text(text).digest;
    let base = digest(&format!("{BASE}{orders}"));
    assert_eq!(base, digest(&format!("{BASE}{orders}")));
    assert_ne!(base, digest(&format!("{BASE}{}", orders.replace("1.0.0", "1.0.1"))));
    assert_ne!(base, digest(&format!("{BASE}{}", orders.replace("sales/orders", "sales/order2"))));
}

#[test]
fn a_file_that_cannot_be_read_takes_out_only_what_it_says() {
    let whole = BASE.to_owned()
        + &contract("sales/orders.odcs.yaml", "o", "orders", "1.0.0", "active", "orders")
        + &contract("sales/lines.odcs.yaml", "l", "lines", "1.0.0", "active", "lines")
        + "//- hr/domain.yaml\nname: hr\nowner: {team: People}\n"
        + &contract("hr/people.odcs.yaml", "p", "people", "1.0.0", "active", "people");
    let folder = tempfile::tempdir().unwrap();
    let read = |bad: &str, bytes: &[u8]| {
        for (path, text) in files(&whole).texts {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(folder.path().join(bad), bytes).unwrap();
        let mut files = Files::read(folder.path()).unwrap();
        files.root.clear();
        files
    };
    let snapshot = load(&read("sales/orders.odcs.yaml", b"name: \xff")).unwrap();
    assert_eq!(tables(&snapshot), ["hr.people 1.0.0", "sales.lines 1.0.0"]);
    assert_eq!(faults(&snapshot), ["sales.orders: the file cannot be read: it is not UTF-8 text"]);
    assert_eq!(
        render_all(&snapshot.findings),
        "\
sales/orders.odcs.yaml:1:1: error: the file cannot be read: it is not UTF-8 text
  hint: a catalog file is UTF-8 text of at most 4 MiB
  hint: it is a regular file that ends in `.cedar`, `.yaml` or `.yml`; links stay inside the catalog folder"
    );
    let snapshot = load(&read("sales/lines.odcs.yaml", &vec![b'#'; (4 << 20) + 1])).unwrap();
    assert_eq!(faults(&snapshot), ["sales.lines: the file cannot be read: it is larger than 4 MiB"]);
    let snapshot = load(&read("hr/domain.yaml", b"\xff")).unwrap();
    assert_eq!(tables(&snapshot), ["sales.lines 1.0.0", "sales.orders 1.0.0"]);
    let findings = load(&read("mesh.yaml", b"\xff")).unwrap_err();
    assert_eq!(findings[0].message, "the file cannot be read: it is not UTF-8 text");
}
