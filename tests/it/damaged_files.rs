//! Files that turn out to be damaged while a statement runs: readers learn that the product's owner must mend them, and no place.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_compression::tokio::write::GzipEncoder;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Fixture, Mesh, check, delta_log, parquet, rows};

const MESH: &str = include_str!("fixtures/regions.txt");
const SQL: &str = "SELECT order_id, region, amount FROM sales.orders ORDER BY order_id";
const TOLD: &str = "Broken: the product's data is not what its contract promises (`sales.orders`, correlation id ";
const OWNER: &str = "give the id to sales-team (#sales): the detail is in the gateway's log";

/// The mesh whose orders lie under a key as a format.
async fn over(key: &str, format: &str, files: &[(&str, &[u8])]) -> Mesh {
    of(MESH, key, format, files).await
}

async fn of(mesh: &str, key: &str, format: &str, files: &[(&str, &[u8])]) -> Mesh {
    let mesh = mesh
        .replace("path: \"{model}.parquet\", format: parquet", &format!("path: \"{key}\", format: {format}"))
        .replace("  - name: secrets\n    properties:\n      - {name: id, logicalType: integer, required: true}\n", "");
    let fixture = Fixture::parse(&mesh);
    let store = InMemory::new();
    for (key, bytes) in files {
        store.put(&(*key).into(), bytes.to_vec().into()).await.unwrap();
    }
    let stores: BTreeMap<String, Arc<dyn ObjectStore>> = [("sales".to_owned(), Arc::new(store) as _)].into();
    Mesh::over(&fixture, stores)
}

/// What a statement meets first is the file's end or a value that its changed bytes became.
async fn is_broken_somewhere(mesh: &Mesh) {
    let answer = mesh.answer("ana", SQL).await;
    assert!(answer.starts_with("Broken: ") && answer.contains("sales-team (#sales)"), "{answer}");
}

async fn is_broken(what: &str, mesh: &Mesh) {
    for sql in [SQL, "SELECT count(*) AS n FROM sales.orders WHERE amount > 0"] {
        let answer = mesh.answer("ana", sql).await;
        assert!(answer.starts_with(TOLD) && answer.ends_with(OWNER), "{what}: {answer}");
        assert!(!answer.contains("orders."), "{what} tells a path: {answer}");
    }
    check(mesh, "ana", "SELECT 1 AS one", "one Int64\n1").await;
}

/// A first line and many orders of ana's region.
fn many(first: &str, line: impl Fn(i32) -> String) -> String {
    let lines: Vec<String> = (0..20_000).map(line).collect();
    format!("{first}{}\n", lines.join("\n"))
}

fn csv(i: i32) -> String {
    format!("{i},EU,{}", i.wrapping_mul(2_654_435))
}

async fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_text_that_is_cut_or_changed_is_broken() {
    let text = many("order_id,region,amount\n", csv);
    let whole = gzip(&text).await;
    let mesh = over("a.csv.gz", "csv", &[("a.csv.gz", &whole)]).await;
    check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n20000").await;
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 0x40;
    let last = whole.len() - 1;
    is_broken_somewhere(&over("a.csv.gz", "csv", &[("a.csv.gz", &changed)]).await).await;
    for (what, bytes) in [("cut", &whole[..whole.len() / 2]), ("without its last byte", &whole[..last])] {
        is_broken(what, &over("a.csv.gz", "csv", &[("a.csv.gz", bytes)]).await).await;
    }
    // What is damaged at its beginning is found when it is opened.
    let mesh = over("a.csv.gz", "csv", &[("a.csv.gz", &whole[..5])]).await;
    is_broken("cut in its header", &mesh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_ends_inside_an_object_is_broken() {
    let line = |i: i32| format!("{{\"order_id\": {i}, \"region\": \"EU\", \"amount\": {i}}}");
    let lines = many("", line);
    let array = format!("[{}]", (0..20_000).map(line).collect::<Vec<_>>().join(",\n"));
    let spread = (0..20_000).map(line).map(|line| line.replace(", ", ",\n ")).collect::<Vec<_>>().join("\n");
    for (what, text) in [("lines", lines), ("an array", array), ("spread", spread)] {
        let mesh = over("a.json", "json", &[("a.json", text.as_bytes())]).await;
        check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n20000").await;
        let text = text.trim_end();
        for cut in [text.len() - 4, text.len() - 20, text.len() / 2 - (text.len() / 2) % 2] {
            let cut = &text[..cut];
            if cut.ends_with('}') && what != "an array" {
                continue;
            }
            is_broken(what, &over("a.json", "json", &[("a.json", cut.as_bytes())]).await).await;
        }
    }
}

/// A member that no contract promises, or one that the reader may not see, takes no row along.
#[tokio::test(flavor = "multi_thread")]
async fn broken_value_of_a_json_object_is_broken_alone() {
    let line = |value: &[u8]| [b"{\"order_id\":2,\"region\":\"EU\",\"amount\":20,\"other\":", value, b"}\n"].concat();
    let (first, last) = (line(b"1"), line(b"3"));
    for value in [
        b"\"x\xff\"".as_slice(),
        b"\"\xed\xa0\x80\"",
        b"\"a\tb\"",
        b"\"\\\xff\"",
        br#""\q""#,
        b"01",
        b"yes",
        b"[\"\xff\", 1]",
        b"{\"a\": \"\0\"}",
    ] {
        for whole in [
            [first.clone(), line(value), last.clone()].concat(),
            [b"[".to_vec(), trimmed(&first), b",".to_vec(), trimmed(&line(value)), b"]".to_vec()].concat(),
        ] {
            let is_array = whole.starts_with(b"[");
            let mesh = over("a.ndjson", "json", &[("a.ndjson", &whole)]).await;
            let rows = if is_array { "2 | 40" } else { "3 | 60" };
            let expect = format!("n Int64 | total Int64\n{rows}");
            let sql = "SELECT count(*) AS n, sum(amount) AS total FROM sales.orders";
            assert_eq!(mesh.answer("ana", sql).await, expect, "{} in {}", value.escape_ascii(), whole.escape_ascii());
        }
    }
}

fn trimmed(line: &[u8]) -> Vec<u8> {
    line.trim_ascii().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_with_damaged_pages_is_broken() {
    let text = "order_id:i64,region:utf8,amount:i64\n1,EU,10\n2,EU,20\n3,US,30\n4,US,40\n";
    let batch = rows(text);
    let whole = parquet(&batch);
    let mut damaged = whole.clone();
    // The footer, which is whole, says where the pages lie; its own length stands before the last four bytes.
    let length = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap());
    let pages = 4..whole.len() - 8 - usize::try_from(length).unwrap();
    damaged[pages].fill(0xff);
    let log = delta_log(&batch.schema(), &[("part-0.parquet".to_owned(), whole.len())]);
    let twice: Vec<(String, usize)> = vec![("part-0.parquet".to_owned(), whole.len() - 1)];
    let shorter = delta_log(&batch.schema(), &twice);
    let log_key = "t/_delta_log/00000000000000000000.json";
    is_broken("pages", &over("orders.parquet", "parquet", &[("orders.parquet", &damaged)]).await).await;
    let files = [(log_key, log.as_bytes()), ("t/part-0.parquet", &damaged[..])];
    is_broken("pages of a Delta table", &over("t", "delta", &files).await).await;
    let files = [(log_key, log.as_bytes()), ("t/part-0.parquet", &whole[..whole.len() / 2])];
    is_broken("a file that is cut off", &over("t", "delta", &files).await).await;
    let files = [(log_key, shorter.as_bytes()), ("t/part-0.parquet", &whole[..])];
    is_broken("a file of another size", &over("t", "delta", &files).await).await;
}

/// A log of one file with a deletion vector.
fn with_vector(log: &str, vector: &str) -> String {
    log.replace(r#"["timestampNtz"]"#, r#"["timestampNtz","deletionVectors"]"#)
        .replace(r#""dataChange":true"#, &format!(r#""dataChange":true,"deletionVector":{vector}"#))
}

/// Whatever the bytes are, and wherever they are damaged, readers get the same error.
#[tokio::test(flavor = "multi_thread")]
async fn damage_of_any_kind_is_told_alike() {
    let batch = rows("order_id:i64,region:utf8,amount:i64\n1,EU,10\n2,EU,20\n3,US,30\n4,US,40\n");
    let whole = parquet(&batch);
    let end = whole.len() - 8;
    let with_length = |length: u32| [&whole[..end], &length.to_le_bytes()[..], b"PAR1"].concat();
    let footer =
        whole.len() - 8 - usize::try_from(u32::from_le_bytes(whole[end..end + 4].try_into().unwrap())).unwrap();
    let filled = |range: std::ops::Range<usize>| {
        let mut bytes = whole.clone();
        bytes[range].fill(0xff);
        bytes
    };
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("a footer of 2 GiB", with_length(i32::MAX.cast_unsigned())),
        ("a footer of 4 GiB", with_length(u32::MAX)),
        ("a footer of no bytes", with_length(0)),
        ("a footer beyond the file", with_length(u32::try_from(whole.len()).unwrap())),
        ("a footer of one value", filled(footer..end)),
        ("another mark at the end", filled(end + 4..end + 8)),
        ("one byte", vec![0]),
        ("eight bytes", vec![7; 8]),
        ("no bytes", Vec::new()),
        ("one half", whole[..whole.len() / 2].to_vec()),
        ("text", b"order_id,region,amount\n1,EU,10\n".to_vec()),
    ];
    let log_key = "t/_delta_log/00000000000000000000.json";
    let log_of = |path: &str, size: usize| delta_log(&batch.schema(), &[(path.to_owned(), size)]);
    let mut worlds: Vec<(String, Mesh)> = Vec::new();
    for (what, bytes) in &files {
        let mesh = over("orders.parquet", "parquet", &[("orders.parquet", bytes)]).await;
        worlds.push((format!("Parquet: {what}"), mesh));
        let log = log_of("part-0.parquet", bytes.len());
        let mesh = over("t", "delta", &[(log_key, log.as_bytes()), ("t/part-0.parquet", bytes)]).await;
        worlds.push((format!("Delta: {what}"), mesh));
    }
    for path in
        ["file:///data/part-0.parquet", "s3://elsewhere/part-0.parquet", "../../part-0.parquet", "/part-0.parquet"]
    {
        let log = log_of(path, whole.len());
        let mesh = over("t", "delta", &[(log_key, log.as_bytes()), ("t/part-0.parquet", &whole)]).await;
        worlds.push((format!("a log that names {path}"), mesh));
    }
    let log = log_of("part-0.parquet", whole.len());
    let path =
        r#"{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":1,"sizeInBytes":34,"cardinality":1}"#;
    let place = "t/abdeletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    for (what, vector, file) in [
        ("an absent vector", path, None),
        ("a vector of one byte", path, Some(vec![1])),
        ("a vector of other bytes", path, Some(vec![9; 64])),
        ("no vector at all", r#"{"storageType":"i","pathOrInlineDv":"","sizeInBytes":0,"cardinality":1}"#, None),
        (
            "a vector of no digits",
            r#"{"storageType":"i","pathOrInlineDv":"~~~~~","sizeInBytes":4,"cardinality":1}"#,
            None,
        ),
        (
            "a vector without its mark",
            r#"{"storageType":"i","pathOrInlineDv":"0000000000","sizeInBytes":8,"cardinality":1}"#,
            None,
        ),
        (
            "a vector elsewhere",
            r#"{"storageType":"p","pathOrInlineDv":"file:///x.bin","offset":1,"sizeInBytes":34,"cardinality":1}"#,
            None,
        ),
        (
            "a vector of an unknown kind",
            r#"{"storageType":"x","pathOrInlineDv":"y","sizeInBytes":34,"cardinality":1}"#,
            None,
        ),
    ] {
        let log = with_vector(&log, vector);
        let mut files = vec![(log_key, log.as_bytes()), ("t/part-0.parquet", &whole[..])];
        files.extend(file.as_ref().map(|bytes| (place, &bytes[..])));
        worlds.push((what.to_owned(), over("t", "delta", &files).await));
    }
    for (what, log) in [
        ("a log that is no JSON", "{".to_owned()),
        (
            "a log without a schema",
            log.lines().filter(|line| !line.contains("metaData")).collect::<Vec<_>>().join("\n"),
        ),
        (
            "a log without a protocol",
            log.lines().filter(|line| !line.contains("protocol")).collect::<Vec<_>>().join("\n"),
        ),
        ("an empty log", String::new()),
    ] {
        let mesh = over("t", "delta", &[(log_key, log.as_bytes()), ("t/part-0.parquet", &whole)]).await;
        worlds.push((what.to_owned(), mesh));
    }
    let mut others = Vec::new();
    for (what, mesh) in &worlds {
        for sql in [SQL, "SELECT count(*) AS n FROM sales.orders WHERE amount > 0"] {
            let answer = mesh.answer("ana", sql).await;
            if !(answer.starts_with(TOLD) && answer.ends_with(OWNER)) {
                others.push(format!("{what}: {answer}"));
            }
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// Files that differ only in what `ana` may not see, broken in one of them: she gets the same answers, and no error.
#[tokio::test(flavor = "multi_thread")]
async fn broken_texts_of_hidden_rows_say_nothing() {
    let csv = "order_id,region,amount,day\n1,EU,10,31.01.2024\n2,EU,20,01.02.2024\n";
    let json = "{\"order_id\": 1, \"region\": \"EU\", \"amount\": 10, \"day\": \"31.01.2024\"}\n\
                {\"order_id\": 2, \"region\": \"EU\", \"amount\": 20, \"day\": \"01.02.2024\"}\n";
    let twins = [
        (
            "csv",
            format!("{csv}3,US,30,2024-01-31\n4,\"EU\"x,40,01.01.2024\n5,EU\r,50,01.01.2024\n"),
            format!("{csv}3,US,30,31.01.2024\n"),
        ),
        (
            "json",
            format!(
                "{json}{{\"order_id\": 3, \"region\": \"US\", \"amount\": 30, \"day\": 1706659200}}\n\
                 {{\"order_id\": 4, \"region\": \"US\", \"region\": \"EU\", \"amount\": 40}}\n\
                 {{\"order_id\": 5, \"region\": NaN, \"amount\": 50}}\n"
            ),
            format!("{json}{{\"order_id\": 3, \"region\": \"US\", \"amount\": 30, \"day\": \"31.01.2024\"}}\n"),
        ),
    ];
    for (format, broken, whole) in twins {
        let key = format!("a.{format}");
        let worlds = [dated(&key, format, &broken).await, dated(&key, format, &whole).await];
        for sql in [
            "SELECT order_id, amount, day FROM sales.orders ORDER BY order_id",
            "SELECT count(*) AS n, max(day) AS day FROM sales.orders",
            "SELECT order_id FROM sales.orders WHERE day > DATE '2024-01-31'",
        ] {
            let [broken, whole] = [worlds[0].answer("ana", sql).await, worlds[1].answer("ana", sql).await];
            assert_eq!(broken, whole, "{format}: {sql}");
            assert!(!whole.contains(": "), "{format}: {sql}: {whole}");
        }
        let rows = "order_id Int64 | day Date32\n1 | 2024-01-31\n2 | 2024-02-01";
        check(&worlds[0], "ana", "SELECT order_id, day FROM sales.orders ORDER BY order_id", rows).await;
        check(&worlds[0], "bob", "SELECT order_id FROM sales.orders", "order_id Int64\n3").await;
        let told = worlds[0].answer("bob", "SELECT day FROM sales.orders").await;
        assert!(told.starts_with("Broken: a value of `day` in `sales.orders` is not what its contract"), "{told}");
    }
}

/// The mesh with a day as Germans write it.
async fn dated(key: &str, format: &str, text: &str) -> Mesh {
    let day = "      - {name: day, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}\n";
    let amount = "      - {name: amount, logicalType: integer, required: true}\n";
    of(&MESH.replace(amount, &format!("{amount}{day}")), key, format, &[(key, text.as_bytes())]).await
}
