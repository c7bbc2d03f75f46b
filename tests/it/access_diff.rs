//! `meshgate access diff` as CI runs it: two states of a mesh, and who gains or loses.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::demo::binary;
use crate::harness::Fixture;

const MESH: &str = include_str!("fixtures/regions.txt");
const PRINCIPALS: &str = "ana: { roles: [analyst], attributes: { region: EU } }\n\
                          bob: { roles: [analyst], attributes: { region: US }, purpose: audits }\n\
                          eve: {}\n";
const WHEN: &str = "when { principal has region && resource.region == principal.region };";

/// A folder with `base/`, `head/` and `data/`, and what the command says there.
struct Folder(TempDir);

struct Answer {
    code: i32,
    out: String,
    error: String,
}

impl Folder {
    fn new(base: &str, head: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("principals.yaml", PRINCIPALS);
        folder.catalogs("base", base);
        folder.catalogs("head", head);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn catalogs(&self, folder: &str, text: &str) {
        let fixture = Fixture::parse(text);
        for (path, text) in &fixture.catalogs {
            self.write(&format!("{folder}/{path}"), text);
        }
        for (domain, files) in &fixture.data {
            for (path, bytes) in files {
                self.write(&format!("data/{domain}/{path}"), bytes);
            }
        }
    }

    fn run(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Answer {
        let output = Command::new(program).args(arguments).current_dir(self.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
    }

    fn diff(&self, arguments: &[&str]) -> Answer {
        let all = [&["access", "diff"], arguments, &["--principals", "principals.yaml"]].concat();
        self.run(binary(), &all)
    }

    fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=t", "-c", "user.email=t@mesh.example", "-c", "commit.gpgsign=false"];
        let answer = self.run("git", &[&who, arguments].concat());
        assert_eq!(answer.code, 0, "git {arguments:?}: {}", answer.error);
    }
}

/// The report from one state to the other.
#[track_caller]
fn check(base: &str, head: &str, expect: &str) {
    let answer = Folder::new(base, head).diff(&["base", "head"]);
    assert_eq!((answer.code, answer.error.as_str()), (0, ""));
    assert_eq!(answer.out.trim_end(), expect, "\n{}", answer.out);
}

/// Both directions of one change to the policies of `sales`.
#[track_caller]
fn both(with: &str, gains: &str, loses: &str) {
    let changed = MESH.replace(WHEN, with);
    assert_ne!(changed, MESH);
    check(MESH, &changed, gains);
    check(&changed, MESH, loses);
}

#[test]
fn rows_that_come_and_go_are_told_with_their_conditions() {
    both(
        "when { principal has region && (resource.region == principal.region || resource.amount < 5) };",
        "base → head: 2 of 3 principals gain, none loses\n\n\
         ana gains\n  sales.orders: gains\n    rows: region = 'EU' → region = 'EU' or amount < 5\n\n\
         bob for audits gains\n  sales.orders: gains\n    rows: region = 'US' → region = 'US' or amount < 5",
        "base → head: 2 of 3 principals lose, none gains\n\n\
         ana loses\n  sales.orders: loses\n    rows: region = 'EU' or amount < 5 → region = 'EU'\n\n\
         bob for audits loses\n  sales.orders: loses\n    rows: region = 'US' or amount < 5 → region = 'US'",
    );
}

#[test]
fn the_purpose_of_a_principal_counts() {
    both(
        &format!(
            "{WHEN}\n@id(\"audits\") permit (principal, action == Action::\"read\", resource is sales::secrets) when {{ context.purpose == \"audits\" }};"
        ),
        "base → head: 1 of 3 principals gains, none loses\n\n\
         bob for audits gains\n  sales.secrets: gains\n    rows: none → all\n    id: absent → clear",
        "base → head: 1 of 3 principals loses, none gains\n\n\
         bob for audits loses\n  sales.secrets: loses\n    rows: all → none\n    id: clear → absent",
    );
}

#[test]
fn masks_are_told_by_column() {
    both(
        &format!(
            "{WHEN}\n@id(\"cap\") @mask(\"hash\") forbid (principal, action == Action::\"read\", resource is sales::orders)\n\
             when {{ context.column.name == \"amount\" && principal in Role::\"analyst\" && resource.amount > 15 }};"
        ),
        "base → head: 2 of 3 principals lose, none gains\n\n\
         ana loses\n  sales.orders: loses\n    amount: clear → hash where amount > 15; else clear\n\n\
         bob for audits loses\n  sales.orders: loses\n    amount: clear → hash where amount > 15; else clear",
        "base → head: 2 of 3 principals gain, none loses\n\n\
         ana gains\n  sales.orders: gains\n    amount: hash where amount > 15; else clear → clear\n\n\
         bob for audits gains\n  sales.orders: gains\n    amount: hash where amount > 15; else clear → clear",
    );
}

#[test]
fn what_may_be_done_with_a_product_counts() {
    let may = |action: &str| {
        format!(
            "{WHEN}\n@id(\"may\") permit (principal, action == Action::\"{action}\", resource == Product::\"sales.orders\");"
        )
    };
    // Who reads it knows of it already.
    both(
        &may("discover"),
        "base → head: 1 of 3 principals gains, none loses\n\neve gains\n  sales.orders: gains `discover`",
        "base → head: 1 of 3 principals loses, none gains\n\neve loses\n  sales.orders: loses `discover`",
    );
    for action in ["audit", "edit"] {
        let changed = MESH.replace(WHEN, &may(action));
        let folder = Folder::new(MESH, &changed);
        let gained = folder.diff(&["base", "head", "--fail-on", "widening"]);
        assert_eq!(gained.code, 1);
        assert_eq!(gained.out.matches(&format!("sales.orders: gains `{action}`")).count(), 3, "{}", gained.out);
        let lost = folder.diff(&["head", "base", "--fail-on", "widening"]);
        assert_eq!((lost.code, lost.out.matches(&format!("loses `{action}`")).count()), (0, 3), "{}", lost.out);
    }
}

#[test]
fn products_appear_and_disappear() {
    let returns = MESH[MESH.find("//- sales/orders.odcs").unwrap()..MESH.find("  - name: secrets").unwrap()]
        .replace("orders", "returns");
    let more = MESH.replace(WHEN, &format!("{WHEN}\n@id(\"all\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource in Product::\"sales.returns\");"));
    let more = format!("{more}{returns}");
    // The policy names what only the second state has.
    let gains = |name: &str| {
        format!(
            "\n\n{name} gains\n  sales.returns: gains\n    rows: none → all\n    order_id, region, amount: absent → clear"
        )
    };
    check(
        MESH,
        &more,
        &format!(
            "base → head: 2 of 3 principals gain, none loses\n+ product sales.returns{}{}",
            gains("ana"),
            gains("bob for audits")
        ),
    );
    let lost = Folder::new(MESH, &more).diff(&["head", "base"]).out;
    assert!(
        lost.starts_with("head → base: 2 of 3 principals lose, none gains\n- product sales.returns\n\nana loses\n"),
        "{lost}"
    );
}

#[test]
fn a_change_that_means_the_same_is_none() {
    let same = MESH.replace(WHEN, "when { principal has region } unless { resource.region != principal.region };");
    check(MESH, &same, "base → head: nothing changes for 3 principals");
    check(MESH, MESH, "base → head: nothing changes for 3 principals");
}

#[test]
fn widening_fails_and_what_cannot_be_ruled_out_is_widening() {
    let fails = |with: &str| {
        let folder = Folder::new(MESH, &MESH.replace(WHEN, with));
        let answer = folder.diff(&["base", "head", "--fail-on", "widening"]);
        assert_eq!(folder.diff(&["base", "head"]).code, 0, "{}", answer.error);
        answer.code
    };
    assert_eq!(fails(WHEN), 0);
    assert_eq!(
        fails("when { principal has region && resource.region == principal.region && resource.amount > 1 };"),
        0
    );
    assert_eq!(fails("when { principal has region && resource.region == principal.region && false };"), 0);
    assert_eq!(fails("when { true };"), 1);
    // Other rows, not fewer.
    assert_eq!(fails("when { resource.amount > 1 };"), 1);
    // Fewer rows as a person reads it; a pattern is not compared with a value.
    assert_eq!(fails("when { principal has region && resource.region like \"EU\" };"), 1);
}

#[test]
fn an_error_in_the_policies_is_a_loss_with_a_note() {
    let broken = MESH.replace("resource.region", "resource.regoin");
    let folder = Folder::new(MESH, &broken);
    let answer = folder.diff(&["base", "head"]);
    assert!(
        answer.out.starts_with("base → head: 2 of 3 principals lose, none gains\nnote: `head` has 1 error "),
        "{}",
        answer.out
    );
    // And mending it is a gain.
    assert_eq!(folder.diff(&["head", "base", "--fail-on", "widening"]).code, 1);
}

#[test]
fn rows_are_counted_over_data() {
    let wider = MESH.replace(WHEN, "when { resource.amount > 15 };");
    let folder = Folder::new(MESH, &wider);
    let answer = folder.diff(&["base", "head", "--data", "data"]);
    assert_eq!(answer.error, "");
    assert!(answer.out.contains("ana gains and loses\n"), "{}", answer.out);
    assert!(answer.out.contains("    rows (2 → 3): region = 'EU' → amount > 15\n"), "{}", answer.out);
    folder.write(
        "meshgate.toml",
        "catalogs = 'base'\n[auth]\nusers = 'none.toml'\n[storage.domains.sales]\nroot = 'data/sales'\n",
    );
    let answer = folder.diff(&["base", "head", "--data", "meshgate.toml", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    let ana = &report["changes"][0]["datasets"][0];
    assert_eq!((ana["counts"]["before"]["rows"].as_u64(), ana["counts"]["after"]["rows"].as_u64()), (Some(2), Some(3)));
    assert_eq!((ana["change"].as_str(), ana["rows"]["after"].as_str()), (Some("both"), Some("amount > 15")));
    assert_eq!(report["widens"], true);
    // Data that is not there is told, and the report stands.
    fs::remove_file(folder.path().join("data/sales/orders.parquet")).unwrap();
    let answer = folder.diff(&["base", "head", "--data", "data"]);
    assert_eq!(answer.code, 0);
    assert!(answer.out.contains("rows (the product cannot be read now"), "{}", answer.out);
    assert_eq!(folder.diff(&["base", "head", "--data", "nowhere"]).code, 2);
}

#[test]
fn revisions_are_read_without_checking_them_out() {
    let folder = Folder::new(MESH, &MESH.replace(WHEN, "when { true };"));
    fs::rename(folder.path().join("base"), folder.path().join("catalogs")).unwrap();
    folder.git(&["init", "--quiet", "--initial-branch", "main"]);
    folder.git(&["add", "catalogs"]);
    folder.git(&["commit", "--quiet", "-m", "before"]);
    fs::rename(folder.path().join("catalogs"), folder.path().join("elsewhere")).unwrap();
    fs::create_dir(folder.path().join("down")).unwrap();
    fs::rename(folder.path().join("head"), folder.path().join("down/mesh")).unwrap();
    folder.git(&["add", "-A"]);
    folder.git(&["commit", "--quiet", "-m", "after"]);
    let expect = ": 2 of 3 principals gain, none loses";
    let answer = folder.diff(&["main~1", "main:down/mesh", "--fail-on", "widening"]);
    assert_eq!((answer.code, answer.error.as_str()), (1, ""));
    assert!(answer.out.starts_with(&format!("main~1 → main:down/mesh{expect}")), "{}", answer.out);
    // A revision and a folder; the working tree is as it was.
    let answer = folder.diff(&["HEAD~1:catalogs", "down/mesh"]);
    assert!(answer.out.starts_with(&format!("HEAD~1:catalogs → down/mesh{expect}")), "{}{}", answer.out, answer.error);
    assert_eq!(folder.run("git", &["status", "--porcelain"]).out, "");
    for (base, expect) in [
        ("nosuch", "error: there is neither a folder nor a git revision `nosuch`"),
        ("--output=x", "error: "),
        ("-x", "error: "),
        ("main", "error: the revision `main` has no folder `catalogs`"),
        ("main:down/mesh/mesh.yaml", "error: the revision `main` has no folder"),
        ("main:../x", "error: the revision `main` has no folder"),
        ("main:down", "error: there is no `mesh.yaml` in `main:down`"),
    ] {
        let answer = folder.diff(&[base, "down/mesh"]);
        assert_eq!(answer.code, 2, "{base}: {}", answer.out);
        assert!(answer.error.starts_with(expect), "{base}: {}", answer.error);
    }
}

#[test]
fn revisions_follow_links_as_folders_do() {
    let folder = Folder::new(MESH, MESH);
    let link = |target: &str, path: &str| std::os::unix::fs::symlink(target, folder.path().join(path)).unwrap();
    let (policies, real) = (folder.path().join("head/sales/policies"), folder.path().join("head/..2024/policies"));
    fs::create_dir(folder.path().join("head/..2024")).unwrap();
    fs::rename(&policies, real).unwrap();
    link("..2024", "head/..data");
    link("../..data/policies", "head/sales/policies");
    folder.git(&["init", "--quiet", "--initial-branch", "main"]);
    folder.git(&["add", "-A"]);
    folder.git(&["commit", "--quiet", "-m", "linked"]);
    for head in ["head", "main:head"] {
        let answer = folder.diff(&["base", head]);
        assert!(answer.out.contains("nothing changes for 3 principals"), "{head}: {}{}", answer.out, answer.error);
    }
    fs::remove_file(&policies).unwrap();
    link("../..data/nothing", "head/sales/policies");
    folder.git(&["commit", "--quiet", "-a", "-m", "dangling"]);
    for head in ["head", "main:head"] {
        let answer = folder.diff(&["base", head]);
        assert!(answer.out.contains("none gains"), "{head}: {}{}", answer.out, answer.error);
    }
}

#[test]
fn without_git_and_without_people_the_reason_is_told() {
    let folder = Folder::new(MESH, MESH);
    let answer = Command::new(binary())
        .args(["access", "diff", "main", "head", "--principals", "principals.yaml"])
        .current_dir(folder.path())
        .env("PATH", "")
        .output()
        .unwrap();
    let error = String::from_utf8(answer.stderr).unwrap();
    assert!(answer.status.code() == Some(2) && error.starts_with("error: cannot run `git`: "), "{error}");
    folder.write("principals.yaml", "ana: { roles: [analyts] }\n");
    let answer = folder.diff(&["base", "head"]);
    assert_eq!(answer.code, 2);
    assert!(answer.error.starts_with("principals.yaml:1:16: error: there is no role `analyts`"), "{}", answer.error);
}

#[test]
fn text_of_policies_is_no_markup() {
    let wild = r#"when { principal has region && [principal.region, "a|b`c\n<b>"].contains(resource.region) };"#;
    let answer = Folder::new(MESH, &MESH.replace(WHEN, wild)).diff(&["base", "head", "--format", "markdown"]);
    assert_eq!(answer.error, "");
    let row = answer.out.lines().find(|line| line.starts_with("| **ana** |")).unwrap();
    assert_eq!(
        row,
        r"| **ana** | `sales.orders` | rows | `region = 'EU'` | `` region in ('EU', 'a\|b`c\u{a}<b>') `` | gains |"
    );
}

/// The text between two markers of the page.
fn block<'a>(page: &'a str, after: &str, fence: &str) -> &'a str {
    let rest = &page[page.find(after).unwrap_or_else(|| panic!("`{after}` is not on the page"))..];
    let start = rest.find(fence).unwrap() + fence.len();
    let rest = &rest[start..];
    &rest[..rest.find("\n```").unwrap()]
}

#[test]
fn the_markdown_of_the_page_is_what_the_command_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/POLICIES.md")).unwrap();
    let folder = Folder(tempfile::tempdir().unwrap());
    let copied = folder.run("cp", &["-r", root.join("catalogs").to_str().unwrap(), "catalogs"]);
    assert_eq!(copied.code, 0, "{}", copied.error);
    folder.write("principals.yaml", block(&page, "## Who gains, who loses", "```yaml\n"));
    folder.git(&["init", "--quiet", "--initial-branch", "main"]);
    folder.git(&["add", "-A"]);
    folder.git(&["commit", "--quiet", "-m", "before"]);
    let change = |path: &str, from: &str, to: &str| {
        let path = folder.path().join("catalogs").join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    change(
        "sales/policies/orders.cedar",
        "resource.region == principal.region",
        r#"[principal.region, "APAC"].contains(resource.region)"#,
    );
    change(
        "governance/pii.cedar",
        "\n      || (principal in Role::\"marketer\" && context.column.name == \"email\")",
        "",
    );
    change(
        "logistics/policies/carriers.cedar",
        "@id(",
        "@id(\"everybody-may-know-of-carriers\")\npermit (principal, action == Action::\"discover\", resource == Product::\"logistics.carriers\");\n\n@id(",
    );
    folder.git(&["checkout", "--quiet", "-b", "apac-orders"]);
    folder.git(&["commit", "--quiet", "-a", "-m", "after"]);
    let answer = folder.diff(&["main", "apac-orders", "--format", "markdown", "--fail-on", "widening"]);
    assert_eq!((answer.code, answer.error.as_str()), (1, ""));
    assert_eq!(answer.out.trim_end(), block(&page, "## Who gains, who loses", "```markdown\n"), "\n{}", answer.out);
}
