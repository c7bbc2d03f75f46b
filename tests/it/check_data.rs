//! `meshgate check --data` as a process: what it says of products that keep their contracts, and of those that do not.

use std::fmt::Write as _;

use serde_json::Value;

use crate::process::Folder;

const MESH: &str = "
//- mesh.yaml
name: mesh
roles: [analyst]
tags: []
classifications: [internal]
governance: optional
principal_attributes: {region?: String}
//- sales/domain.yaml
name: sales
owner: {team: Sales}
";
/// No float is written like the middle one.
const NUMBERS: &str = "id:i64,amount:i64\n1,10\n2,9007199254740993\n3,30\n";
const WHOLE: &str = "id:i64,amount:i64\n1,10\n2,20\n";

fn contract(name: &str, format: &str, more: &str) -> String {
    format!(
        "//- sales/{name}.odcs.yaml\napiVersion: v3.1.0\nkind: DataContract\nid: {name}\nname: {name}\nversion: 1.0.0\n\
         status: active\ndomain: sales\n{more}\nservers: [{{server: lake, type: local, path: {name}, format: {format}}}]\n\
         schema:\n  - name: {name}\n    properties:\n      - {{name: id, logicalType: integer, required: true}}\n      \
         - {{name: amount, logicalType: number}}\n"
    )
}

/// Name, format, more keys of the contract, and files with their text.
type Product<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

fn folder(products: &[Product<'_>]) -> Folder {
    let mut text = MESH.to_owned();
    for (name, format, more, files) in products {
        text += &contract(name, format, more);
        for (file, body) in *files {
            write!(text, "//- data/sales/{name}{file}\n{body}").unwrap();
        }
    }
    Folder::new(&text)
}

/// The exit code and both channels.
fn check(folder: &Folder, words: &[&str]) -> (i32, String) {
    let words = [&["check", "--data", "--config", "meshgate.toml"], words].concat();
    let output = folder.command(&words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn whole_products_pass_in_every_format() {
    let csv = "id,amount\n1,10\n2,\n";
    let folder = folder(&[
        ("a", "csv", "", &[("/1.csv", csv), ("/2.csv", "amount,id\n0.5,3\n")]),
        ("b", "json", "", &[("/1.json", "{\"id\":1,\"amount\":10}\n{\"id\":2}\n")]),
        ("c", "parquet", "", &[("/1.parquet", WHOLE)]),
        ("d", "delta", "", &[("/", WHOLE)]),
    ]);
    let (code, text) = check(&folder, &["--strict"]);
    let expected = "a: csv, 2 files, 3 rows\n  a/1.csv: 2 rows\n  a/2.csv: 1 row\n\
                    sales.b: json, 1 file, 2 rows\n  b/1.json: 2 rows\n\
                    sales.c: parquet, 1 file, 2 rows\n  c/1.parquet: 2 rows\n\
                    sales.d: delta, 1 file, 2 rows\n  d/part-0.parquet: 2 rows\n\
                    4 products, 0 errors, 0 warnings\n";
    assert_eq!((code, text), (0, format!("sales.{expected}")));
}

#[test]
fn broken_values_are_counted_without_being_shown() {
    let csv = "id,amount\n1,10\n2,canary-word\n3\n,40\n";
    let folder = folder(&[
        ("a", "csv", "", &[("/1.csv", "id,amount\n1,10\n"), ("/2.csv", csv)]),
        ("b", "json", "", &[("/1.json", "{\"id\":1,\"amount\":\"canary-word\"}\n{\"id\":2}\n[]\n")]),
        ("c", "parquet", "", &[("/1.parquet", NUMBERS)]),
        ("d", "delta", "", &[("/", NUMBERS)]),
        ("e", "csv", "customProperties: [{property: meshgateOnDrift, value: \"null\"}]", &[("/1.csv", csv)]),
    ]);
    let (code, text) = check(&folder, &[]);
    assert_eq!(code, 1, "{text}");
    for line in [
        "sales/a.odcs.yaml:1:1: error: 2 values of `amount` in `sales.a` are not what the contract promises: `a/2.csv`, first in record 2",
        "sales/a.odcs.yaml:1:1: error: 1 value of `id` in `sales.a` is not what the contract promises: `a/2.csv`, in record 3",
        "sales/a.odcs.yaml:1:1: warning: 1 value of `id` in `sales.a` is NULL, though the contract requires the column: `a/2.csv`, in record 4",
        "sales/b.odcs.yaml:1:1: error: 2 values of `amount` in `sales.b` are not what the contract promises: `b/1.json`, first in record 1",
        "sales/c.odcs.yaml:1:1: error: 1 value of `amount` in `sales.c` is not what the contract promises: `c/1.parquet`, in record 2",
        "sales/d.odcs.yaml:1:1: error: 1 value of `amount` in `sales.d` is not what the contract promises: `d/part-0.parquet`, in record 2",
        "sales/e.odcs.yaml:1:1: warning: 2 values of `amount` in `sales.e` are not what the contract promises: `e/1.csv`, first in record 2",
        "sales.a: csv, 2 files, 5 rows",
        "sales.d: delta, 1 file, 3 rows",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("canary") && !text.contains("90071992"), "a value is shown: {text}");

    let (code, text) = check(&folder, &["--format", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let of = &report["data"][0]["files"][1];
    assert_eq!((code, &of["file"], &of["rows"]), (1, &"a/2.csv".into(), &4.into()), "{text}");
    let broken = serde_json::json!([
        { "column": "amount", "count": 2, "first_record": 2 },
        { "column": "id", "count": 1, "first_record": 3 },
    ]);
    assert_eq!((&of["broken"], &report["data"][0]["rows"]), (&broken, &5.into()), "{text}");
}

#[test]
fn files_that_are_gone_swapped_or_cut_are_told() {
    let text = "id,amount\n1,10\n";
    let products = ["gone", "swapped", "cut", "lost", "packed", "named"];
    let folder = folder(&[
        ("gone", "csv", "", &[]),
        ("swapped", "parquet", "", &[("/1.parquet", WHOLE), ("/2.csv", text)]),
        ("cut", "parquet", "", &[("/1.parquet", WHOLE)]),
        ("lost", "delta", "", &[("/", WHOLE)]),
        ("packed", "csv", "", &[("/1.csv.gz", text)]),
        ("named", "csv", "", &[("/1.csv", "id,amuont\n1,10\n")]),
    ]);
    let data = folder.path().join("data/sales");
    std::fs::rename(data.join("swapped/2.csv"), data.join("swapped/2.parquet")).unwrap();
    let whole = std::fs::read(data.join("cut/1.parquet")).unwrap();
    std::fs::write(data.join("cut/1.parquet"), &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_file(data.join("lost/part-0.parquet")).unwrap();
    let (code, text) = check(&folder, &[]);
    assert_eq!(code, 1, "{text}");
    for (product, line) in products.into_iter().zip([
        "`sales.gone` cannot be opened (unavailable): there is no `.csv` or",
        "`sales.swapped` cannot be opened (invalid): `swapped/2.parquet` cannot be read: it is no whole Parquet file",
        "`sales.cut` cannot be opened (invalid): `cut/1.parquet` cannot be read: it is no whole Parquet file",
        "`lost/part-0.parquet` of `sales.lost` cannot be read: the log of its table names it, and it is not there",
        "`sales.packed` cannot be opened (",
        "column `amount` of `sales.named` cannot be read: `named/1.csv` has no column `amount`, promised as a 64-bit float",
    ]) {
        assert!(text.contains(&format!("sales/{product}.odcs.yaml:1:1: error: {line}")), "{line}\n{text}");
    }
    for words in ["External", "Parquet error", "Arrow error", "EOF"] {
        assert!(!text.contains(words), "words of libraries: {text}");
    }
    assert!(text.contains("sales.gone: csv, not opened") && text.contains("sales.named: csv, 1 file, 1 row"), "{text}");
}

/// Each damaged file is named, and what was counted in a file with a fault is no more than a part.
#[test]
fn each_damaged_file_is_named() {
    let lines: Vec<String> = (0..20_000).map(|i| format!("{i},{}", if i == 7 { "word" } else { "1" })).collect();
    let many = format!("id,amount\n{}\n\"never closed\n", lines.join("\n"));
    let folder = folder(&[
        ("flat", "parquet", "", &[("/1.parquet", WHOLE), ("/2.parquet", WHOLE), ("/3.parquet", WHOLE)]),
        ("open", "csv", "", &[("/1.csv", &many), ("/2.csv", "id,amount\n1,1\n")]),
    ]);
    let data = folder.path().join("data/sales");
    for damaged in ["flat/1.parquet", "flat/3.parquet"] {
        std::fs::write(data.join(damaged), "no Parquet at all").unwrap();
    }
    let (code, text) = check(&folder, &[]);
    assert_eq!(code, 1, "{text}");
    for line in [
        "`sales.flat` cannot be opened (invalid): `flat/1.parquet` cannot be read: it is no whole Parquet file",
        "  hint: `flat/3.parquet` cannot be read: it is no whole Parquet file",
        "`open/1.csv` of `sales.open` cannot be read to its end (at least 16384 rows are whole): a quote of the record",
        "error: at least 1 value of `amount` in `sales.open` is not what the contract promises: `open/1.csv`, in record 8",
        "sales.open: csv, 2 files, at least 16385 rows",
        "  open/1.csv: at least 16384 rows",
        "  open/2.csv: 1 row",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("flat/2.parquet"), "{text}");
}

#[test]
fn configuration_must_be_there_and_right() {
    let folder = folder(&[]);
    let run = |words: &[&str]| {
        let output = folder.command(words).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = run(&["check", "--data", "--config", "nope.toml"]);
    assert!(code == 1 && text.starts_with("error: cannot read the configuration `nope.toml`"), "{text}");
    assert!(text.contains("name it with `--config`"), "{text}");
    std::fs::write(folder.path().join("wrong.toml"), "catalog = 'catalogs'\n").unwrap();
    let (code, text) = run(&["check", "--data", "--config", "wrong.toml"]);
    assert!(code == 1 && text.starts_with("wrong.toml:1:1: error: unknown field `catalog`"), "{text}");
    let (code, text) = run(&["check", "--config", "meshgate.toml"]);
    assert!(code == 2 && text.contains("--data"), "{text}");
}
