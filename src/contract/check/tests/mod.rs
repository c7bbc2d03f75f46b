//! Contracts in, all findings with their places out.

mod schema;
mod versions;
mod written;

use std::collections::BTreeSet;

use super::*;
use crate::contract::{Format, Location};
use crate::diagnostic::render_all;

const GOOD: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: orders-1
name: orders
version: 1.2.0
status: active
domain: sales
servers:
  - {server: lake, type: local, path: orders, format: parquet}
schema:
  - name: orders
    properties:
      - name: order_id
        logicalType: integer
        primaryKey: true
";

fn checked(text: &str) -> Checked {
    let tags: BTreeSet<Tag> = ["pii", "finance"].map(|tag| tag.parse().unwrap()).into();
    let classifications: Vec<Classification> =
        ["public", "internal", "restricted"].map(|word| word.parse().unwrap()).into();
    let words = Words {
        tags: &tags,
        classifications: &classifications,
        default_classification: classifications.get(1).unwrap(),
    };
    super::check(text, "o.yaml", &"sales".parse().unwrap(), words)
}

/// Every finding, hints and all.
fn check(text: &str, expect: &str) {
    let found = checked(text);
    assert_eq!(render_all(&found.findings), expect.trim(), "\n{text}");
    let broken = expect.contains(": error: ");
    assert_eq!(found.contract.is_none(), broken, "a contract with an error must not be served");
}

/// The good contract with more lines at its end (of the one property).
fn with(more: &str) -> String {
    format!("{GOOD}{}\n", more.trim_matches('\n'))
}

fn good(text: &str) -> Contract {
    let found = checked(text);
    found.contract.unwrap_or_else(|| panic!("{}", render_all(&found.findings)))
}

#[test]
fn a_good_contract_has_no_findings() {
    check(GOOD, "");
    let contract = good(GOOD);
    assert_eq!(contract.product.as_str(), "orders");
    assert_eq!(contract.version.major, 1);
    assert_eq!(contract.classification.as_str(), "internal");
    assert_eq!(contract.server.location, Location::Local { path: "orders".to_owned() });
    assert_eq!(contract.server.format, Format::Parquet);
    assert_eq!(contract.datasets[0].columns[0].primary_key, Some(1));
}

#[test]
fn three_slips_are_three_findings_with_places_and_hints() {
    let text = GOOD
        .replace("status: active", "status: [active]")
        .replace("type: local", "type: locall")
        .replace("primaryKey", "primaryKye");
    check(
        &text,
        "
o.yaml:6:9: error: `status` must be text, but is a list
  hint: `status` takes text
o.yaml:9:26: error: unsupported server type `locall` (supported: local, s3)
  hint: did you mean `local`?
o.yaml:15:9: error: unknown key `primaryKye` in property `order_id`
  hint: did you mean `primaryKey`?",
    );
}

#[test]
fn required_keys_are_missed_once() {
    let text = GOOD.replace("id: orders-1\n", "").replace("status: active\n", "").replace("domain: sales\n", "");
    check(
        &text,
        "
o.yaml:1:1: error: contract `orders` has no `id`
  hint: add `id:`, text
o.yaml:1:1: error: contract has no `status`
  hint: add `status: active` to have it served",
    );
}

#[test]
fn other_versions_and_kinds_are_refused_without_echoes() {
    check(
        &GOOD.replace("v3.1.0", "v2.2.2").replace("schema", "models"),
        "
o.yaml:1:13: error: version `v2.2.2` of the Open Data Contract Standard is not read
  hint: versions 3.0, 3.1 and 3.2 are read; `odcslint upgrade` rewrites older contracts",
    );
    check(
        &GOOD.replace("v3.1.0", "3.1.0"),
        "
o.yaml:1:13: error: version `3.1.0` of the Open Data Contract Standard is not read
  hint: versions 3.0, 3.1 and 3.2 are read: write `apiVersion: v3.1.0`",
    );
    check(
        &GOOD.replace("DataContract", "DataProduct"),
        "
o.yaml:2:7: error: `DataProduct` is not the kind of a contract
  hint: this is a product of the Open Data Product Standard; name such files `*.odps.yaml`",
    );
    for version in ["v3.0.0", "v3.0.2", "v3.2.0"] {
        check(&GOOD.replace("v3.1.0", version), "");
    }
}

#[test]
fn keys_of_a_later_version_are_refused() {
    let text = with("        deprecated: true");
    check(
        &text,
        "
o.yaml:16:9: error: `deprecated` came with version 3.2 of the standard
  hint: write `apiVersion: v3.2.0`, or remove the key",
    );
    check(&text.replace("v3.1.0", "v3.2.0"), "");
    check(
        &GOOD.replace("v3.1.0", "v3.2.0").replace("status: active\n", ""),
        "
o.yaml:1:1: warning: contract has no `status` and counts as a draft, which is not served
  hint: add `status: active` to have it served",
    );
}

#[test]
fn names_and_words_are_closed() {
    let text = GOOD
        .replace("name: orders\nversion: 1.2.0", "name: Orders\nversion: 1.2")
        .replace("status: active", "status: actve")
        .replace("domain: sales", "domain: sale")
        .replace("  - name: orders", "  - name: in")
        + "        tags: [pij, finance]\n        classification: secrt\n";
    check(
        &text,
        "
o.yaml:4:7: error: `Orders` is not a valid product name: it is not a lower-case SQL identifier
  hint: use lower-case letters, digits and `_`, starting with a letter, for example `orders`
o.yaml:5:10: error: `version` must be text, but is a number
  hint: put it in quotes
o.yaml:6:9: error: `actve` is not a status
  hint: did you mean `active`?
o.yaml:7:9: error: the contract says domain `sale`, but lies in the folder of `sales`
  hint: write `domain: sales`, or move the file
o.yaml:11:11: error: `in` is not a valid dataset name: it is a reserved word
  hint: choose another word, for example `in_data`
o.yaml:16:16: error: tag `pij` is not declared in `mesh.yaml`
  hint: did you mean `pii`?
o.yaml:17:25: error: classification `secrt` is not declared in `mesh.yaml`
  hint: use one of public, internal, restricted",
    );
}

#[test]
fn locations_stay_below_their_root() {
    for (path, why) in [
        ("/etc", "`/etc` is not a relative path"),
        ("../hr/employees", "`../hr/employees` leaves the domain's root"),
        ("a/%2e%2e/b", "`a/%2e%2e/b` leaves the domain's root"),
        ("file:x", "`file:x` is not a relative path"),
        ("''", "the path is empty"),
    ] {
        check(
            &GOOD.replace("path: orders", &format!("path: {path}")),
            &format!(
                "o.yaml:9:39: error: {why}\n  hint: write a path relative to the domain's root, which the operator configures"
            ),
        );
    }
    let s3 = |url: &str| GOOD.replace("type: local, path: orders", &format!("type: s3, location: '{url}'"));
    assert_eq!(
        good(&s3("s3://lake/sales/{model}")).server.location,
        Location::S3 { url: "s3://lake/sales/{model}".to_owned() }
    );
    for url in ["https://lake/sales", "s3://key:pw@lake/x", "s3:///x", "s3://lake"] {
        let finding = &checked(&s3(url)).findings[0];
        assert!(finding.message.ends_with("is not an S3 location"), "{url}: {finding:?}");
    }
    assert!(checked(&s3("s3://lake/../x")).findings[0].message.ends_with("leaves its prefix"));
}

#[test]
fn servers_formats_and_types_that_are_not_served_say_so() {
    let text = GOOD
        .replace(
            "type: local, path: orders, format: parquet",
            "type: postgres, host: db, port: 5432, database: d, schema: s",
        )
        .replace("logicalType: integer", "logicalType: vector");
    check(
        &text,
        "
o.yaml:9:26: error: unsupported server type `postgres` (supported: local, s3)
  hint: the product is listed but not served; serve its data as files, of type `local` or `s3`
o.yaml:11:5: error: no column of the dataset is served
  hint: the findings of its columns say why
o.yaml:14:22: warning: unsupported logical type `vector` (column `order_id`); the column is not served
  hint: supported: string, date, timestamp, time, number, integer, object, array, boolean",
    );
    check(
        &GOOD.replace("parquet", "avro"),
        "
o.yaml:9:55: error: unsupported format `avro` (supported: parquet, delta, csv, json)
  hint: convert the data to one of them",
    );
    check(
        &GOOD.replace("format: parquet", "format: json, delimiter: array"),
        "
o.yaml:9:61: error: unknown key `delimiter` in server
  hint: remove it, or write it as an entry of `customProperties`; known keys: id, server, type, description, \
         environment, roles, customProperties, path, format, encoding",
    );
}

#[test]
fn of_several_servers_production_counts() {
    let text = GOOD.replace(
        "  - {server: lake",
        "  - {server: dev, type: bigquery, project: p, dataset: d}\n  - {server: lake, environment: production",
    );
    assert_eq!(good(&text).server.name, "lake");
    let none = GOOD
        .replace("  - {server: lake, type: local, path: orders, format: parquet}\n", "")
        .replace("servers:", "servers: []");
    check(&none, "o.yaml:8:10: error: contract has no server\n  hint: add `servers:` with one of type `local` or `s3`");
}

#[test]
fn credentials_are_refused_wherever_they_stand() {
    let text = GOOD.replace(
        "format: parquet}",
        "format: parquet, password: x, customProperties: [{property: awsSecretKey, value: y}]}",
    ) + "        customProperties:\n          - {property: apiToken, value: z}\n          - {property: costCenter, value: 7}\n";
    let credential = "\n  hint: credentials never stand in a contract; the operator configures them";
    check(
        &text,
        &format!(
            "o.yaml:9:64: error: unknown key `password` in server{credential}\n\
             o.yaml:9:107: error: `awsSecretKey` looks like a credential{credential}\n\
             o.yaml:17:24: error: `apiToken` looks like a credential{credential}"
        ),
    );
}

#[test]
fn both_forms_of_team_are_read() {
    let team = |text: &str| GOOD.replace("schema:", &format!("team: {text}\nschema:"));
    assert_eq!(
        good(&team("{name: Sales Data, members: [{username: otto}]}")).owner_team.as_deref(),
        Some("Sales Data")
    );
    assert_eq!(good(&team("[{username: otto, role: owner}]")).owner_team, None);
    check(
        &team("Sales"),
        "
o.yaml:10:7: error: `team` must be a mapping or a list, but is text
  hint: `team` takes a mapping or a list",
    );
}

#[test]
fn text_that_is_no_contract_is_one_finding() {
    for text in ["", "- a\n- b\n", "just words", "a: b: c", "\u{0}", "schema: &a [*a]"] {
        let found = checked(text);
        assert!(found.contract.is_none());
        assert!(!found.findings.is_empty(), "{text:?}");
        assert!(found.findings.iter().all(|finding| finding.place.is_some() && !finding.hints.is_empty()), "{found:?}");
    }
}

#[test]
fn a_flood_of_findings_is_cut() {
    let flood: Vec<String> = (0..5_000).map(|n| format!("unknown{n}: 1")).collect();
    let found = checked(&format!("{GOOD}{}", flood.join("\n")));
    assert!(found.contract.is_none());
    assert_eq!(found.findings.len(), 501);
    assert_eq!(found.findings[500].message, "more than 500 findings; the rest of this file is not told");
}
