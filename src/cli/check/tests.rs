//! A folder, and what `check` says of it.

use std::path::PathBuf;

use super::report::Format;
use super::run::{Args, answer};

const MESH: (&str, &str) = (
    "mesh.yaml",
    "governance: optional\nroles: [analyst, auditor]\ntags: [pii]\nclassifications: [public, internal]\n\
     principal_attributes: { region?: String, clearance?: Long }\n",
);
const DOMAIN: (&str, &str) = ("sales/domain.yaml", "name: sales\nowner: { team: Sales }\n");
const CONTRACT: (&str, &str) = (
    "sales/orders.odcs.yaml",
    "apiVersion: v3.1.0\nkind: DataContract\nid: orders\nname: orders\nversion: 1.0.0\nstatus: active\ndomain: sales\n\
     servers: [{ server: lake, type: local, path: orders, format: parquet }]\n\
     schema:\n  - name: orders\n    properties:\n      - { name: id, logicalType: integer, required: true }\n      \
     - { name: region, logicalType: string, required: true }\n      \
     - { name: amount, logicalType: number, physicalType: \"DECIMAL(12,2)\" }\n      \
     - { name: email, logicalType: string, tags: [pii] }\n      \
     - { name: at, logicalType: timestamp }\n      \
     - name: address\n        logicalType: object\n        properties:\n          \
     - { name: city, logicalType: string }\n          - { name: street, logicalType: string, tags: [pii] }\n",
);
const ANALYSTS: (&str, &str) = (
    "sales/policies/orders.cedar",
    "@id(\"analysts\")\npermit (principal in Role::\"analyst\", action == Action::\"read\", resource is sales::orders)\n\
     when { principal has region && resource.region == principal.region };\n",
);
const PII: (&str, &str) = (
    "governance/pii.cedar",
    "@id(\"pii\") @mask(\"hash\")\nforbid (principal, action == Action::\"read\", resource)\n\
     when { context.column.tags.contains(\"pii\") };\n",
);

/// Options beside the folder.
#[derive(Default)]
struct With {
    principals: Option<&'static str>,
    format: Option<Format>,
    coverage: bool,
    mutate: bool,
    strict: bool,
    /// The text of a configuration beside `catalogs`, whose data is checked too.
    config: Option<&'static str>,
}

fn check_with(files: &[(&str, &str)], with: &With) -> (u8, String) {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| -> PathBuf {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    std::fs::create_dir_all(folder.path().join("catalogs")).unwrap();
    for (path, text) in files {
        put(&format!("catalogs/{path}"), text);
    }
    let principals = with.principals.map(|text| put("principals.yaml", text));
    let args = Args {
        folder: Some(folder.path().join("catalogs")),
        principals,
        data: with.config.is_some(),
        config: with.config.map(|text| put("meshgate.toml", text)),
        format: with.format.unwrap_or(Format::Human),
        coverage: with.coverage,
        mutate: with.mutate,
        strict: with.strict,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (code, text) = runtime.block_on(answer(&args));
    (code, text.replace(&format!("{}/", folder.path().display()), ""))
}

fn check(files: &[(&str, &str)]) -> (u8, String) {
    check_with(files, &With::default())
}

/// The mesh with this test file.
fn tested(suite: &str) -> (u8, String) {
    check(&[MESH, DOMAIN, CONTRACT, ANALYSTS, PII, ("sales/policies/orders.test.yaml", suite)])
}

const ROWS: &str = "\
dataset: orders
principals:
  ana: { roles: [analyst], attributes: { region: EU } }
  eve: {}
rows:
  - { id: 1, region: EU, amount: 10.5, email: a@example.com, at: 2026-01-01T10:00:00Z, address: { city: Bonn, street: A 1 } }
  - { id: 2, region: US, amount: 20, email: b@example.com }
tests:
";

#[test]
fn the_exit_code_follows_the_errors() {
    assert_eq!(check(&[MESH]), (0, "0 products, 0 errors, 0 warnings".to_owned()));
    let (code, text) = check(&[MESH, ("notes.yaml", "a: 1\n")]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("catalogs/notes.yaml:1:1: warning: `notes.yaml` is not read\n  hint: "), "{text}");
    assert!(text.ends_with("0 products, 0 errors, 1 warning"), "{text}");
    assert_eq!(check_with(&[MESH, ("notes.yaml", "a: 1\n")], &With { strict: true, ..With::default() }).0, 1);
    let unstated = ("mesh.yaml", &*MESH.1.replace("governance: optional\n", ""));
    let (code, text) = check(&[unstated]);
    assert!(code == 0 && text.starts_with("warning: the mesh has no policy in `catalogs/governance`\n"), "{text}");
    assert!(!check(&[unstated, PII]).1.contains("the mesh has no policy in"));
    let required = ("mesh.yaml", &*MESH.1.replace("optional", "required"));
    let (code, text) = check(&[required]);
    let refused = "catalogs/mesh.yaml:1:13: error: the mesh requires policies in `catalogs/governance`, but has none\n";
    assert!(code == 1 && text.starts_with(refused), "{text}");
    let broken = ("governance/a.cedar", "@id(\"a\")\npermit (principal in Role::\"nobody\", action, resource);\n");
    let (code, text) = check(&[MESH, broken]);
    assert_eq!(code, 1, "{text}");
    assert!(text.starts_with("catalogs/governance/a.cedar:2:22: error: there is no role `nobody`"), "{text}");
    assert!(check(&[]).1.starts_with("error: there is no `mesh.yaml` in `catalogs`\n  hint: "));
}

#[test]
fn findings_are_told_to_programs_and_beside_pull_requests() {
    let files = [MESH, ("notes.yaml", "a: 1\n")];
    let (_, text) = check_with(&files, &With { format: Some(Format::Github), ..With::default() });
    assert!(
        text.starts_with("::warning file=catalogs/notes.yaml,line=1,col=1::`notes.yaml` is not read%0Ahint: "),
        "{text}"
    );
    let (_, text) = check_with(&files, &With { format: Some(Format::Json), ..With::default() });
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((json["errors"].as_u64(), json["warnings"].as_u64()), (Some(0), Some(1)), "{text}");
    assert_eq!(json["findings"][0]["file"], "catalogs/notes.yaml");
    assert_eq!(json["findings"][0]["severity"], "warning");
}

#[test]
fn a_test_holds_rows_values_exposures_and_absence() {
    let suite = format!(
        "{ROWS}  - name: analysts see their region\n    as: ana\n    expect:\n      rows: [{{ id: 1, amount: 10.50, address: {{ city: Bonn }} }}]\n      \
         count: 1\n      columns: [id, region, amount, email, at, address]\n      \
         exposures: {{ id: clear, email: hash, address.street: hash }}\n  \
         - name: nobody else\n    as: eve\n    expect: absent\n"
    );
    assert_eq!(tested(&suite), (0, "1 product, 2 tests (0 failed), 0 errors, 0 warnings".to_owned()));
}

#[test]
fn what_does_not_hold_is_told_in_its_place() {
    let suite = format!(
        "{ROWS}  - name: wrong\n    as: ana\n    expect:\n      rows: [{{ id: 1, amount: 10.51 }}, {{ id: 2 }}]\n      count: 2\n      \
         columns: [id]\n      absent: [email]\n      exposures: {{ email: clear, address.street: hidden }}\n  \
         - name: nobody\n    as: ana\n    expect: absent\n  - name: eve too\n    as: eve\n    expect: {{ count: 0 }}\n"
    );
    let (code, text) = tested(&suite);
    assert_eq!(code, 1);
    let expect = "\
catalogs/sales/policies/orders.test.yaml:12:14: error: test `wrong`: other rows are shown than are expected (1 and 2)
  hint: row { id: 1, amount: 10.51 }: `amount` is 10.50, expected 10.51
  hint: expected, not shown: { id: 2 }
catalogs/sales/policies/orders.test.yaml:13:14: error: test `wrong`: 1 rows are shown, not 2
catalogs/sales/policies/orders.test.yaml:14:16: error: test `wrong`: other columns are shown than are expected
  hint: shown, not expected: address, amount, at, email, region
catalogs/sales/policies/orders.test.yaml:15:16: error: test `wrong`: `email` is expected to be absent, but is shown
catalogs/sales/policies/orders.test.yaml:16:27: error: test `wrong`: `email` shows hash, expected clear
catalogs/sales/policies/orders.test.yaml:16:50: error: test `wrong`: `address.street` shows hash, expected hidden
catalogs/sales/policies/orders.test.yaml:19:13: error: test `nobody`: `sales.orders` is read: 1 rows of 6 columns; expected that it does not exist
  hint: policies that decide: analysts, pii
catalogs/sales/policies/orders.test.yaml:22:13: error: test `eve too`: `sales.orders` does not exist; expected that it is read
  hint: why: no policy shows any of it
1 product, 3 tests (3 failed), 8 errors, 0 warnings";
    assert_eq!(text, expect, "\n{text}");
}

#[test]
fn tests_that_cannot_be_read_are_told_and_the_others_run() {
    let suite = "\
dataset: orders
principals: { ana: { roles: [analyts] }, bob: { roles: [analyst], attributes: { region: US } } }
rows:
  - { id: 1, region: US }
tests:
  - { name: a, as: bob, expect: { count: 1 } }
  - { name: a, as: bob, expect: { count: 1 } }
  - { name: b, as: bobb, expect: absent }
  - { name: c, as: bob, dataset: order, expect: absent }
  - { name: d, as: bob, dataset: hr.salaries, expect: absent }
  - { name: e, as: bob, rows: [{ id: one, regoin: US }], expect: { count: 1 } }
  - { name: f, as: bob, expect: { colour: blue } }
  - { name: g, as: bob, expect: {} }
  - { name: h, as: bob, expect: { exposures: { email: blurred, address: clear, nosuch: clear } } }
  - { name: i, as: bob, now: yesterday, expect: { rows: [{ idd: 1 }] } }
  - { name: j, as: bob, expect: gone }
  - { as: bob, expect: absent }
  - 7
";
    let (code, text) = tested(suite);
    assert_eq!(code, 1);
    let at = |line: &str| {
        let prefix = "catalogs/sales/policies/orders.test.yaml:";
        line.strip_prefix(prefix).map(|rest| rest.replacen(" error:", "", 1))
    };
    let found: Vec<String> = text.lines().filter_map(at).collect();
    assert_eq!(
        found,
        [
            "2:30: there is no role `analyts` in this mesh",
            "7:13: two tests are named `a`",
            "8:20: there is no principal `bobb` in this file",
            "9:34: there is no dataset `order`",
            "10:34: a test in the folder of `sales` is about `hr.salaries`",
            "11:38: column `id`: `one` is no BIGINT",
            "11:43: there is no column `regoin`",
            "12:35: unknown key `colour` in expectation",
            "13:33: the test expects nothing",
            "14:55: `blurred` is not a mask; use one of clear, first(n), last(n), email_domain, month, year, bucket(k), hash, redact, null, hidden",
            "14:64: `address` is a struct",
            "14:80: there is no column `nosuch`",
            "15:30: `yesterday` is no moment",
            "15:60: there is no column `idd`",
            "16:33: `gone` is not a value of `expect`",
            "17:5: test has no `name`",
            "18:5: `test` must be a mapping, but is a number",
        ],
        "\n{text}"
    );
    assert!(text.contains(", 1 test (0 failed), "), "the one that can be read runs: {text}");
    for (suite, expect) in [
        ("", "1:1: `test file` has no value"),
        ("tests: []\n", "1:8: there is no test"),
        ("tests: [\n", "this is not readable YAML"),
        ("- a\n", "1:1: `test file` must be a mapping, but is a list"),
    ] {
        let (code, text) = tested(suite);
        assert!(code == 1 && text.replacen(" error:", "", 1).contains(expect), "{suite:?}: {text}");
    }
    let stray = ("sales/orders.test.yaml", "tests: []\n");
    let (code, text) = check(&[MESH, DOMAIN, CONTRACT, stray]);
    assert!(code == 1 && text.contains("1:1: error: a test file lies where none is read"), "{text}");
}

#[test]
fn purpose_and_time_reach_the_policies_under_test() {
    let policy = (
        "sales/policies/fraud.cedar",
        "@id(\"fraud\")\npermit (principal, action == Action::\"read\", resource is sales::orders)\n\
         when { context.purpose == \"fraud\" && resource has at && resource.at <= context.now };\n",
    );
    let suite = "\
dataset: orders
rows: [{ id: 1, region: EU, at: 2026-02-01T00:00:00Z }, { id: 2, region: EU, at: 2026-03-01T00:00:00Z }]
tests:
  - { name: before, as: { purpose: fraud }, now: 2026-02-15T00:00:00Z, expect: { rows: [{ id: 1 }] } }
  - { name: after, as: { purpose: fraud }, now: 2026-03-15T00:00:00Z, expect: { count: 2 } }
  - { name: other, as: { purpose: fraud }, purpose: other, now: 2026-03-15T00:00:00Z, expect: absent }
";
    let (code, text) = check(&[MESH, DOMAIN, CONTRACT, policy, ("sales/policies/fraud.test.yaml", suite)]);
    assert_eq!((code, text.as_str()), (0, "1 product, 3 tests (0 failed), 0 errors, 0 warnings"));
    let closed = ("mesh.yaml", &*format!("{}purposes: [fraud]\n", MESH.1));
    let (code, text) = check(&[closed, DOMAIN, CONTRACT, policy, ("sales/policies/fraud.test.yaml", suite)]);
    let at = "catalogs/sales/policies/fraud.test.yaml:6:53: error: there is no purpose `other` in this mesh";
    assert!(code == 1 && text.starts_with(at) && text.contains("2 tests (0 failed)"), "{text}");
}

#[test]
fn a_product_may_be_known_of_without_being_read() {
    let policy = (
        "sales/policies/discover.cedar",
        "@id(\"known\")\npermit (principal, action == Action::\"discover\", resource == Product::\"sales.orders\");\n",
    );
    let suite = "dataset: orders\ntests:\n  - { name: a, as: {}, expect: discoverable }\n  - { name: b, as: {}, expect: absent }\n";
    let (code, text) = check(&[MESH, DOMAIN, CONTRACT, policy, ("sales/policies/a.test.yaml", suite)]);
    assert_eq!(code, 1);
    assert!(
        text.contains("test `b`: `sales.orders` may be known of but not read; expected that it does not exist"),
        "{text}"
    );
    assert!(text.contains("2 tests (1 failed)"), "{text}");
}

#[test]
fn coverage_names_what_no_test_makes_decide() {
    let suite = format!("{ROWS}  - {{ name: a, as: ana, expect: {{ count: 1 }} }}\n");
    let files = [MESH, DOMAIN, CONTRACT, ANALYSTS, PII, ("sales/policies/orders.test.yaml", suite.as_str())];
    let (code, text) = check_with(&files, &With { coverage: true, ..With::default() });
    assert_eq!(code, 0);
    let expect = "\
catalogs/sales/policies/orders.cedar:2:9: warning: condition `principal in Role::\"analyst\"` of policy `analysts` is true wherever a test asks it
catalogs/sales/policies/orders.cedar:3:8: warning: condition `principal has region` of policy `analysts` is true wherever a test asks it
coverage: 10 of 12 ways to decide
1 product, 1 test (0 failed), 0 errors, 2 warnings";
    assert_eq!(text, expect, "\n{text}");
    let (_, text) = check_with(&[MESH, DOMAIN, CONTRACT, ANALYSTS], &With { coverage: true, ..With::default() });
    assert!(text.contains("policy `analysts` is not decided both ways: no test asks it about a cell"), "{text}");
    let all = format!(
        "{suite}  - {{ name: b, as: eve, expect: absent }}\n  - {{ name: c, as: {{ roles: [analyst] }}, expect: absent }}\n"
    );
    let files = [MESH, DOMAIN, CONTRACT, ANALYSTS, PII, ("sales/policies/orders.test.yaml", all.as_str())];
    let (_, text) = check_with(&files, &With { coverage: true, ..With::default() });
    assert_eq!(text, "coverage: 12 of 12 ways to decide\n1 product, 3 tests (0 failed), 0 errors, 0 warnings");
}

#[test]
fn a_condition_that_no_test_needs_survives_its_removal() {
    let suite =
        format!("{ROWS}  - {{ name: a, as: ana, expect: {{ rows: [{{ id: 1 }}], exposures: {{ email: hash }} }} }}\n");
    let files = [MESH, DOMAIN, CONTRACT, ANALYSTS, PII, ("sales/policies/orders.test.yaml", suite.as_str())];
    let (code, text) = check_with(&files, &With { mutate: true, ..With::default() });
    assert_eq!(code, 0);
    let expect = "\
catalogs/sales/policies/orders.cedar:2:9: warning: no test fails without the condition `principal in Role::\"analyst\"` of policy `analysts`
  hint: add a test whose rows or principal need it, or drop it if nothing does
4 mutants: 2 noticed, 1 not valid, 1 survived
1 product, 1 test (0 failed), 0 errors, 1 warning";
    assert_eq!(text, expect, "\n{text}");
}

#[test]
fn principals_tell_what_none_of_them_can_do() {
    let two = ("sales/lines.odcs.yaml", &*CONTRACT.1.replace("orders", "lines"));
    let with = |principals| With { principals: Some(principals), ..With::default() };
    let (code, text) = check_with(
        &[MESH, DOMAIN, CONTRACT, two, ANALYSTS],
        &with("ana: { roles: [analyst], attributes: { region: EU } }\n"),
    );
    assert_eq!(code, 0);
    assert!(
        text.contains("catalogs/sales/lines.odcs.yaml:1:1: warning: none of the principals can read `sales.lines`"),
        "{text}"
    );
    assert!(!text.contains("can read `sales.orders`"), "{text}");
    assert!(text.contains("warning: no policy permits `edit`"), "{text}");
    let edit = (
        "sales/policies/edit.cedar",
        "@id(\"edit\")\npermit (principal in Role::\"auditor\", action == Action::\"edit\", resource == Product::\"sales.orders\");\n",
    );
    let files = [MESH, DOMAIN, CONTRACT, two, ANALYSTS, edit];
    let (code, text) = check_with(&files, &with("ana: { roles: [analyst, auditor] }\n"));
    assert_eq!(code, 1);
    assert!(
        text.contains("lines.odcs.yaml:1:1: error: none of the principals may `edit` the product `sales.lines`"),
        "{text}"
    );
    assert!(!text.contains("`edit` the product `sales.orders`"), "{text}");
    let (code, text) = check_with(&files, &with("ana: { roles: [analyts] }\n"));
    assert!(code == 1 && text.contains("principals.yaml:1:16: error: there is no role `analyts`"), "{text}");
}

/// The repository's own catalogs, with files added or replaced.
fn demo(more: &[(&str, &str)], with: &With) -> (u8, String) {
    fn read(folder: &std::path::Path, root: &std::path::Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, root, out);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                out.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("catalogs");
    let mut files = Vec::new();
    read(&root, &root, &mut files);
    let own = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    check_with(&own.chain(more.iter().copied()).collect::<Vec<_>>(), with)
}

#[test]
fn the_demo_catalogs_are_tested_through_and_through() {
    let (code, text) = demo(&[], &With { coverage: true, mutate: true, ..With::default() });
    assert_eq!(code, 0, "\n{text}");
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("warning: ")).collect();
    // Both are true: another permit, or the order of masks, already says what these conditions say. They are kept for readers.
    assert_eq!(
        warnings,
        [
            "catalogs/hr/policies/employees.cedar:10:8: warning: no test fails without the condition `context.column.name == \"salary\"` of policy `partners-read-salaries-of-their-region`",
            "catalogs/logistics/policies/shipments.cedar:13:8: warning: no test fails without the condition `context.column.name == \"address.street\"` of policy `analysts-read-no-street`",
        ],
        "\n{text}"
    );
}

#[test]
fn the_documented_test_holds() {
    let docs = include_str!("../../../docs/POLICIES.md");
    let example = docs.split("```yaml\n# catalogs/").nth(1).expect("a test as an example").split("```").next().unwrap();
    let (path, _) = example.split_once('\n').unwrap();
    assert!(example.lines().count() > 20 && path.ends_with(".test.yaml"), "{example}");
    let (code, text) = demo(&[(path, &format!("# {example}"))], &With::default());
    assert_eq!(code, 0, "\n{text}");
    assert!(text.contains("(0 failed)"), "{text}");
}

#[test]
fn data_is_checked_without_policies() {
    let csv = ("sales/orders.odcs.yaml", &*CONTRACT.1.replace("format: parquet", "format: csv"));
    let data =
        ("../data/sales/orders/a.csv", "id,region,amount,email,at\n1,EU,1.5,a@example.com,2026-01-01\n2,EU,x,,y\n");
    let configured =
        "catalogs = 'catalogs'\n[auth]\nusers = 'users.toml'\n[storage.domains.sales]\nroot = 'data/sales'\n";
    let with = || With { config: Some(configured), ..With::default() };
    let (code, text) = check_with(&[MESH, DOMAIN, csv, data], &with());
    let expected = "\
catalogs/sales/orders.odcs.yaml:1:1: error: 1 value of `amount` in `sales.orders` is not what the contract promises: `orders/a.csv`, in record 2
  hint: correct the data, or the column in the contract; statements that read such a value fail
catalogs/sales/orders.odcs.yaml:1:1: error: 1 value of `at` in `sales.orders` is not what the contract promises: `orders/a.csv`, in record 2
  hint: correct the data, or the column in the contract; statements that read such a value fail
catalogs/sales/orders.odcs.yaml:1:1: error: column `address` of `sales.orders` cannot be read: column `address` is promised as a struct of (city: text, street: text), which a CSV file cannot hold
  hint: publish the product as Parquet, Delta or JSON lines
sales.orders: csv, 1 file, 2 rows
  orders/a.csv: 2 rows
1 product, 3 errors, 0 warnings";
    assert_eq!((code, text.as_str()), (1, expected), "{text}");
    // A domain without storage is one without data.
    let unset = With { config: Some("catalogs = 'catalogs'\n[auth]\nusers = 'users.toml'\n"), ..With::default() };
    let (code, text) = check_with(&[MESH, DOMAIN, csv, data], &unset);
    assert!(code == 1 && text.contains("`sales.orders` cannot be opened ("), "{text}");
}
