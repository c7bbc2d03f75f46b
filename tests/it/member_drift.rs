//! Members of structs that files do not hold as promised. They fail nobody from whom policy hides them, and close the policies that
//! read them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Field, Fields, Schema};

use crate::harness::{Fixture, Mesh, check, delta_log, parquet};

const ROLES: [(&str, &str); 8] = [
    ("reader", "true"),
    ("here", "resource has address"),
    ("nowhere", "!(resource has address)"),
    ("city", r#"resource has address && resource.address has city && resource.address.city == "Paris""#),
    ("zip", "resource has address && resource.address has secret && resource.address.secret > 0"),
    ("unzip", "!(resource has address && resource.address has secret && resource.address.secret > 0)"),
    (
        "deep",
        r#"resource has address && resource.address has at && resource.address.at has door && resource.address.at.door == "x""#,
    ),
    ("owner", "true"),
];

/// All but the owner see neither `address.secret` nor `address.at.code`, nor anything of `vault` but that it is there.
fn mesh(format: &str, required: bool) -> String {
    let roles = ROLES.map(|(role, _)| role).join(", ");
    let users = ROLES.map(|(role, _)| format!("[users.{role}]\npassword = \"x\"\nroles = [\"{role}\"]\n")).concat();
    let permits = ROLES.map(|(role, when)| {
        format!(
            "@id(\"{role}\") permit (principal in Role::\"{role}\", action == Action::\"read\", resource is sales::places) when {{ {when} }};\n"
        )
    });
    let permits = permits.concat();
    format!(
        r#"//- mesh.yaml
name: mesh
roles: [{roles}]
tags: [secret, blank]
classifications: [internal, restricted]
//- users.toml
{users}
//- sales/domain.yaml
name: sales
owner: {{team: sales-team}}
//- sales/places.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: places
name: places
version: 1.0.0
status: active
domain: sales
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: lake, type: local, path: places, format: {format}}}]
schema:
  - name: places
    properties:
      - {{name: id, logicalType: integer, required: true}}
      - name: address
        logicalType: object
        properties:
          - {{name: city, logicalType: string}}
          - {{name: secret, logicalType: integer, tags: [secret], required: {required}}}
          - name: at
            logicalType: object
            properties:
              - {{name: door, logicalType: string}}
              - {{name: code, logicalType: array, items: {{logicalType: string}}, tags: [secret]}}
      - name: vault
        logicalType: object
        properties:
          - {{name: inside, logicalType: integer, tags: [blank]}}
//- sales/policies/places.cedar
{permits}
@id("secret") forbid (principal, action == Action::"read", resource is sales::places)
when {{ context.column.tags.contains("secret") }} unless {{ principal in Role::"owner" }};
@id("blank") @mask("null") forbid (principal, action == Action::"read", resource is sales::places)
when {{ context.column.tags.contains("blank") }} unless {{ principal in Role::"owner" }};
"#
    )
}

fn record(members: Vec<(&str, ArrayRef)>, there: [bool; 3]) -> ArrayRef {
    let fields: Fields =
        members.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = members.into_iter().map(|(_, array)| array).collect();
    Arc::new(StructArray::new(fields, arrays, Some(NullBuffer::from(there.to_vec()))))
}

fn texts(values: [&str; 3]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from(vec![1, 2, 3]))
}

fn lists() -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    (0..3).for_each(|_| lists.append_value([Some("a")]));
    Arc::new(lists.finish())
}

/// The members that policy hides, where a file has them.
struct Hidden {
    secret: Option<ArrayRef>,
    code: Option<ArrayRef>,
    inside: Option<ArrayRef>,
}

/// Three places, of which the last has no address and no vault.
fn places(hidden: Hidden) -> Vec<(&'static str, ArrayRef)> {
    let there = [true, true, false];
    let mut at = vec![("door", texts(["x", "y", "x"]))];
    at.extend(hidden.code.map(|code| ("code", code)));
    let mut address = vec![("city", texts(["Paris", "Rome", "Paris"]))];
    address.extend(hidden.secret.map(|secret| ("secret", secret)));
    address.push(("at", record(at, [true; 3])));
    let mut vault: Vec<(&str, ArrayRef)> = hidden.inside.map(|inside| ("inside", inside)).into_iter().collect();
    vault.push(("other", numbers()));
    vec![("id", numbers()), ("address", record(address, there)), ("vault", record(vault, there))]
}

fn whole() -> Hidden {
    Hidden { secret: Some(numbers()), code: Some(lists()), inside: Some(numbers()) }
}

/// Ways in which a hidden member is not as promised.
fn broken() -> Vec<(&'static str, Hidden)> {
    let words = || texts(["a", "b", "c"]);
    vec![
        ("another scalar", Hidden { secret: Some(words()), ..whole() }),
        ("a struct for a scalar", Hidden { secret: Some(record(vec![("x", numbers())], [true; 3])), ..whole() }),
        ("a list for a scalar", Hidden { secret: Some(lists()), ..whole() }),
        ("a scalar for a list, deeper", Hidden { code: Some(numbers()), ..whole() }),
        ("absent", Hidden { secret: None, ..whole() }),
        ("absent, deeper", Hidden { code: None, ..whole() }),
        ("the only member", Hidden { inside: Some(words()), ..whole() }),
        ("all of them", Hidden { secret: Some(words()), code: None, inside: None }),
    ]
}

fn write(columns: Vec<(&'static str, ArrayRef)>) -> (Schema, Vec<u8>) {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Fields>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let bytes = parquet(&RecordBatch::try_new(Arc::new(schema.clone()), arrays).unwrap());
    (schema, bytes)
}

async fn over(format: &str, required: bool, files: Vec<Hidden>) -> Mesh {
    over_with_log(format, required, files, None).await
}

/// A Delta log says the types of `logged`, or those of the first file.
async fn over_with_log(format: &str, required: bool, files: Vec<Hidden>, logged: Option<Hidden>) -> Mesh {
    let mut fixture = Fixture::parse(&mesh(format, required));
    let data = fixture.data.entry("sales".to_owned()).or_default();
    let mut adds = Vec::new();
    let mut types = logged.map(|logged| write(places(logged)).0);
    for (number, hidden) in files.into_iter().enumerate() {
        let (schema, bytes) = write(places(hidden));
        types.get_or_insert(schema);
        adds.push((format!("{number}.parquet"), bytes.len()));
        data.insert(format!("places/{number}.parquet"), bytes);
    }
    if format == "delta" {
        let log = delta_log(&types.unwrap(), &adds);
        data.insert("places/_delta_log/00000000000000000000.json".to_owned(), log.into_bytes());
    }
    let stores = fixture.stores().await.into_iter();
    Mesh::over(&fixture, stores.map(|(domain, store)| (domain, store as Arc<dyn object_store::ObjectStore>)).collect())
}

const STATEMENTS: [&str; 10] = [
    "SELECT * FROM sales.places ORDER BY id",
    "SELECT id, address FROM sales.places ORDER BY id",
    "SELECT id, address['city'] AS city FROM sales.places ORDER BY id",
    "SELECT id, address['at']['door'] AS door FROM sales.places ORDER BY id",
    "SELECT id FROM sales.places WHERE address['city'] = 'Paris'",
    "SELECT count(*) AS n, count(address) AS there, count(vault) AS vaults FROM sales.places",
    "SELECT id FROM sales.places WHERE vault IS NULL",
    "SELECT address['secret'] FROM sales.places",
    "DESCRIBE sales.places",
    "SELECT domain, product, data FROM meshgate.products",
];

/// Who reads nothing of what is broken.
const BLIND: [&str; 5] = ["reader", "here", "nowhere", "city", "deep"];

async fn same(what: &str, worlds: [&Mesh; 2]) {
    for who in BLIND {
        for sql in STATEMENTS {
            let [whole, broken] = [worlds[0].answer(who, sql).await, worlds[1].answer(who, sql).await];
            assert_eq!(broken, whole, "{what}, {who}: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_member_fails_no_statement() {
    for format in ["parquet", "delta"] {
        let all_whole = over(format, false, vec![whole(), whole()]).await;
        let rows = "id Int64 | city Utf8\n1 | Paris\n1 | Paris\n2 | Rome\n2 | Rome\n3 | NULL\n3 | NULL";
        check(&all_whole, "reader", "SELECT id, address['city'] AS city FROM sales.places ORDER BY id", rows).await;
        for ((what, one), (_, other)) in broken().into_iter().zip(broken()) {
            let mesh = over(format, false, vec![one, other]).await;
            same(&format!("{format}, {what}"), [&all_whole, &mesh]).await;
        }
    }
}

/// The log keeps the contract's promise, and the files do not keep that of the log.
#[tokio::test(flavor = "multi_thread")]
async fn hidden_member_of_a_lying_log_fails_no_statement() {
    let all_whole = over("delta", false, vec![whole(), whole()]).await;
    for (what, hidden) in broken() {
        let mesh = over_with_log("delta", false, vec![whole(), hidden], Some(whole())).await;
        same(&format!("the log is whole, {what}"), [&all_whole, &mesh]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_member_of_one_file_fails_no_statement() {
    for required in [true, false] {
        let all_whole = over("parquet", required, vec![whole(), whole()]).await;
        for (what, hidden) in broken() {
            let mesh = over("parquet", required, vec![whole(), hidden]).await;
            same(&format!("one file, required {required}, {what}"), [&all_whole, &mesh]).await;
        }
    }
}

/// A broken promise is one for whoever reads it, be it a policy.
#[tokio::test(flavor = "multi_thread")]
async fn broken_member_closes_its_policies() {
    for format in ["parquet", "delta"] {
        for (what, hidden) in
            broken().into_iter().filter(|(what, _)| what.contains("for a scalar") || *what == "absent")
        {
            let mesh = over(format, false, vec![hidden]).await;
            for who in ["zip", "unzip"] {
                assert_eq!(
                    mesh.answer(who, "SELECT id FROM sales.places").await,
                    "id Int64",
                    "{format}, {what}: {who}"
                );
            }
            check(&mesh, "owner", "SELECT id FROM sales.places WHERE vault IS NULL", "id Int64\n3").await;
            for sql in
                ["SELECT address FROM sales.places", "SELECT id FROM sales.places WHERE address['city'] = 'Rome'"]
            {
                let answer = mesh.answer("owner", sql).await;
                assert!(answer.starts_with("Broken: the product's data is not what"), "{format}, {what}: {answer}");
            }
            let data = "SELECT data FROM meshgate.products";
            check(&mesh, "owner", data, "data Utf8\npartial").await;
            check(&mesh, "reader", data, "data Utf8\nserved").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_member_closes_policies_where_required() {
    for (required, rows) in [(true, "id Int64\n3\n3"), (false, "id Int64\n1\n2\n3\n3")] {
        let mesh = over("parquet", required, vec![whole(), Hidden { secret: None, ..whole() }]).await;
        check(&mesh, "zip", "SELECT id FROM sales.places ORDER BY id", "id Int64\n1\n2").await;
        check(&mesh, "unzip", "SELECT id FROM sales.places ORDER BY id", rows).await;
    }
}
