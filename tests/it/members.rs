//! Conditions on members of structs, on lists and on columns, over files whose own types are not the contract's.
//!
//! The engine hands conditions to the reader of a file. Some it drops there, silently, where a file differs: so rows are counted, in
//! both formats, over several files that all differ.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, LargeStringArray, ListArray, ListBuilder, RecordBatch,
    StringArray, StringBuilder, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema};

use crate::harness::{Fixture, Mesh, check, delta_log, parquet};

/// What a role may see, as Cedar says it, and which rows of four that are alike in each file.
const ROLES: [(&str, &str, &[usize]); 13] = [
    ("city", r#"resource has address && resource.address has city && resource.address.city == "Paris""#, &[0, 2]),
    ("cities", r#"resource has address && resource.address has city && resource.address.city like "P*""#, &[0, 2]),
    ("known", "resource has address && resource.address has city", &[0, 1, 2]),
    ("zip", "resource has address && resource.address has zip && resource.address.zip == 1", &[0, 3]),
    ("zips", "resource has address && resource.address has zip && resource.address.zip > 0", &[0, 1, 2, 3]),
    ("tag", r#"resource has tags && resource.tags.contains("a")"#, &[0, 3]),
    ("tagged", "resource has tags", &[0, 1, 3]),
    ("untagged", "!(resource has tags)", &[2]),
    ("note", r#"resource has note && resource.note == "x""#, &[0, 2]),
    ("code", "resource has code && resource.code > 1", &[1, 3]),
    (
        "both",
        r#"resource has address && resource.address has city && resource.address.city == "Paris" && resource has code && resource.code == 1"#,
        &[0, 2],
    ),
    (
        "either",
        r#"resource has address && resource.address has city && resource.address.city == "Paris" || resource has code && resource.code == 2"#,
        &[0, 1, 2],
    ),
    (
        "part",
        r#"resource.part == "EU" || resource has address && resource.address has city && resource.address.city == "Paris""#,
        &[0, 1, 2, 3],
    ),
];

fn mesh(format: &str, path: &str) -> String {
    let roles = ROLES.map(|(role, _, _)| role).join(", ");
    let users = ROLES.map(|(role, _, _)| format!("[users.{role}]\npassword = \"x\"\nroles = [\"{role}\"]\n")).concat();
    let permits = ROLES.map(|(role, when, _)| {
        format!(
            "@id(\"{role}\") permit (principal in Role::\"{role}\", action == Action::\"read\", resource is sales::places) when {{ {when} }};\n"
        )
    });
    format!(
        r#"
//- mesh.yaml
name: mesh
roles: [{roles}, masked]
tags: []
classifications: [internal, restricted]
//- users.toml
{users}
[users.masked]
password = "x"
roles = ["masked"]
//- sales/domain.yaml
name: sales
owner: {{team: sales-team}}
support: [{{channel: "sales"}}]
//- sales/places.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: sales-places
name: places
version: 1.0.0
status: active
domain: sales
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: local, type: local, path: "{path}", format: {format}}}]
schema:
  - name: places
    properties:
      - {{name: id, logicalType: integer, required: true}}
      - name: address
        logicalType: object
        properties:
          - {{name: city, logicalType: string}}
          - {{name: zip, logicalType: integer}}
      - {{name: tags, logicalType: array, items: {{logicalType: string}}}}
      - {{name: note, logicalType: string}}
      - {{name: code, logicalType: integer}}
      - {{name: part, logicalType: string, required: true, partitioned: true, partitionKeyPosition: 1}}
//- sales/policies/places.cedar
{}
@id("all") permit (principal in Role::"masked", action == Action::"read", resource is sales::places);
@id("elsewhere") @mask("redact")
forbid (principal in Role::"masked", action == Action::"read", resource is sales::places)
when {{ context.column.name == "note" }}
unless {{ resource has address && resource.address has city && resource.address.city == "Paris" }};
"#,
        permits.concat()
    )
}

/// Four rows from `first` on, as the contract has them.
fn plain(first: i64) -> Vec<(&'static str, ArrayRef)> {
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a")]);
    tags.append_value([Some("b")]);
    tags.append_null();
    tags.append_value([Some("a"), Some("b")]);
    vec![
        ("id", Arc::new(Int64Array::from_iter_values(first..first + 4))),
        ("address", address(vec![("city", city()), ("zip", zip())])),
        ("tags", Arc::new(tags.finish())),
        ("note", Arc::new(StringArray::from(vec![Some("x"), Some("y"), Some("x"), None]))),
        ("code", Arc::new(Int64Array::from(vec![1, 2, 1, 3]))),
    ]
}

fn city() -> ArrayRef {
    Arc::new(StringArray::from(vec![Some("Paris"), Some("Rome"), Some("Paris"), None]))
}

fn zip() -> ArrayRef {
    Arc::new(Int64Array::from(vec![1, 2, 2, 1]))
}

fn address(members: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields = members.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let fields: Fields = fields.collect();
    Arc::new(StructArray::new(fields, members.into_iter().map(|(_, array)| array).collect(), None))
}

/// The same with another array for one column.
fn with(mut columns: Vec<(&'static str, ArrayRef)>, name: &str, array: &ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    for (known, place) in &mut columns {
        if *known == name {
            *place = Arc::clone(array);
        }
    }
    columns
}

fn without(mut columns: Vec<(&'static str, ArrayRef)>, name: &str) -> Vec<(&'static str, ArrayRef)> {
    columns.retain(|(known, _)| *known != name);
    columns
}

fn large(text: &ArrayRef) -> ArrayRef {
    Arc::new(text.as_string::<i32>().iter().collect::<LargeStringArray>())
}

fn as_type(array: &ArrayRef, data_type: &DataType) -> ArrayRef {
    cast(array, data_type).unwrap()
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Files that hold what the contract promises in other types, and in other orders.
fn conforming() -> Vec<Vec<(&'static str, ArrayRef)>> {
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 2, 1]));
    let find = |name: &str| plain(0).into_iter().find(|(known, _)| *known == name).unwrap().1;
    let required = {
        let fields: Fields =
            vec![Field::new("zip", DataType::Int64, false), Field::new("city", DataType::Utf8, true)].into();
        Arc::new(StructArray::new(fields, vec![zip(), city()], None)) as ArrayRef
    };
    let mut reversed = plain(25);
    reversed.reverse();
    vec![
        plain(1),
        with(plain(5), "address", &address(vec![("zip", zip()), ("city", city())])),
        with(plain(9), "address", &address(vec![("city", city()), ("more", zip()), ("zip", zip())])),
        with(plain(13), "address", &address(vec![("city", city()), ("zip", Arc::clone(&narrow))])),
        with(plain(17), "address", &address(vec![("city", large(&city())), ("zip", Arc::clone(&narrow))])),
        with(plain(21), "address", &required),
        reversed,
        with(
            plain(29),
            "tags",
            &as_type(&find("tags"), &DataType::LargeList(Arc::new(Field::new("item", DataType::LargeUtf8, true)))),
        ),
        with(
            with(plain(33), "note", &as_type(&find("note"), &dictionary())),
            "code",
            &as_type(&find("code"), &DataType::Int32),
        ),
        with(plain(37), "address", &address(vec![("city", as_type(&city(), &dictionary())), ("zip", zip())])),
    ]
}

fn write(columns: Vec<(&'static str, ArrayRef)>) -> Vec<u8> {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Fields>());
    parquet(&RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect()).unwrap())
}

/// The folder of a file.
fn part(file: usize) -> &'static str {
    if file.is_multiple_of(2) { "EU" } else { "US" }
}

/// What each role reads are those rows of each file that it may see, however it is asked.
async fn expect_each(mesh: &Mesh, files: usize, visible: impl Fn(&str, usize, usize) -> bool) {
    for (role, _, rows) in ROLES {
        let all = (0..files).flat_map(|file| (0..4).map(move |row| (file, row)));
        let seen = all.filter(|(file, row)| {
            let may = rows.contains(row) && (role != "part" || part(*file) == "EU" || [0, 2].contains(row));
            if role == "untagged" { may || !visible(role, *file, *row) } else { may && visible(role, *file, *row) }
        });
        let ids: Vec<String> = seen.map(|(file, row)| (file * 4 + row + 1).to_string()).collect();
        check(mesh, role, "SELECT id FROM sales.places ORDER BY id", &format!("id Int64\n{}", ids.join("\n"))).await;
        if role == "city" {
            expect_count(mesh, role, ids.len()).await;
        }
    }
}

/// The same number of rows whatever else is asked of the reader.
async fn expect_count(mesh: &Mesh, who: &str, count: usize) {
    for from in [
        "sales.places",
        "sales.places WHERE id > 0",
        // Dynamic filters, of a sort and of a join.
        "(SELECT id FROM sales.places ORDER BY id LIMIT 100)",
        "sales.places p JOIN (SELECT unnest(range(1, 80)) AS k) v ON p.id = v.k",
    ] {
        check(mesh, who, &format!("SELECT count(*) AS n FROM {from}"), &format!("n Int64\n{count}")).await;
    }
    // A plan that is run again and again.
    let again = "WITH RECURSIVE r AS (SELECT CAST(0 AS BIGINT) AS n, CAST(0 AS BIGINT) AS id UNION ALL \
                 SELECT r.n + 1, p.id FROM r JOIN sales.places p ON r.n < 2 AND (r.n = 0 OR r.id = p.id)) \
                 SELECT count(*) AS n FROM r WHERE n = 2";
    check(mesh, who, again, &format!("n Int64\n{count}")).await;
}

/// Which notes `masked` reads in clear: those of Paris.
async fn expect_masks(mesh: &Mesh, files: usize) {
    let sql = "SELECT count(*) AS n, count(CASE WHEN note = 'x' THEN 1 END) AS clear, \
               count(CASE WHEN note IN ('y') THEN 1 END) AS elsewhere FROM sales.places";
    let answer = format!("n Int64 | clear Int64 | elsewhere Int64\n{} | {} | 0", files * 4, files * 2);
    check(mesh, "masked", sql, &answer).await;
}

async fn parquet_mesh(files: Vec<Vec<(&'static str, ArrayRef)>>) -> Mesh {
    let mut fixture = Fixture::parse(&mesh("parquet", "places/"));
    let data = fixture.data.entry("sales".to_owned()).or_default();
    for (number, columns) in files.into_iter().enumerate() {
        data.insert(format!("places/part={}/{number:02}.parquet", part(number)), write(columns));
    }
    over(&fixture).await
}

async fn delta_mesh(files: Vec<Vec<(&'static str, ArrayRef)>>) -> Mesh {
    let mut fixture = Fixture::parse(&mesh("delta", "places"));
    let data = fixture.data.entry("sales".to_owned()).or_default();
    let mut adds = Vec::new();
    for (number, columns) in files.into_iter().enumerate() {
        let bytes = write(columns);
        adds.push((format!("{number:02}.parquet"), bytes.len()));
        data.insert(format!("places/{number:02}.parquet"), bytes);
    }
    let fields = plain(0).into_iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true));
    let fields = fields.chain([Field::new("part", DataType::Utf8, true)]);
    let mut log = delta_log(&Schema::new(fields.collect::<Fields>()), &adds);
    log = log.replace(r#""partitionColumns":[]"#, r#""partitionColumns":["part"]"#);
    for number in 0..adds.len() {
        let values = format!(r#""partitionValues":{{"part":"{}"}}"#, part(number));
        log = log.replacen(r#""partitionValues":{}"#, &values, 1);
    }
    data.insert("places/_delta_log/00000000000000000000.json".to_owned(), log.into_bytes());
    over(&fixture).await
}

async fn over(fixture: &Fixture) -> Mesh {
    let stores = fixture.stores().await.into_iter();
    Mesh::over(fixture, stores.map(|(domain, store)| (domain, store as Arc<dyn object_store::ObjectStore>)).collect())
}

#[tokio::test]
async fn conditions_hold_over_differing_parquet_files() {
    let files = conforming();
    let count = files.len();
    let mesh = parquet_mesh(files).await;
    expect_each(&mesh, count, |_, _, _| true).await;
    expect_masks(&mesh, count).await;
}

#[tokio::test]
async fn conditions_hold_over_differing_delta_files() {
    let files = conforming();
    let count = files.len();
    let mesh = delta_mesh(files).await;
    expect_each(&mesh, count, |_, _, _| true).await;
    expect_masks(&mesh, count).await;
}

/// Files of a Delta table that are older than its columns, and that are not what the log says.
#[tokio::test]
async fn conditions_hold_where_a_delta_log_lies() {
    let numbers: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([1, 2, 1, 3].map(|n| Some([Some(n)]))));
    let files = vec![
        plain(1),
        with(plain(5), "address", &address(vec![("city", city())])),
        without(plain(9), "address"),
        without(without(plain(13), "tags"), "code"),
        // Text that is a list of numbers.
        with(plain(17), "note", &numbers),
        plain(21).into_iter().map(|(name, array)| (if name == "note" { "NOTE" } else { name }, array)).collect(),
    ];
    let count = files.len();
    let mesh = delta_mesh(files).await;
    expect_each(&mesh, count, |role, file, row| {
        let lacking: &[&str] = match file {
            1 => &["zip", "zips"],
            2 => &["zip", "zips", "city", "cities", "known", "both"],
            // Where there are no tags, no row has any.
            3 => &["tag", "tagged", "untagged", "code", "both"],
            4 | 5 => &["note"],
            _ => &[],
        };
        match (role, file) {
            ("either", 2) => row == 1,
            ("either", 3) => row != 1,
            _ => !lacking.contains(&role),
        }
    })
    .await;
}
