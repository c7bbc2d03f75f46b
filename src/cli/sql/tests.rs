//! The scriptable mode against a server on a socket.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::console::{Console, Out, Screen};
use super::render::Paint;
use super::script::run_on;
use super::session::Session;
use super::shell::{Outcome, Shell};
use super::{Args, Format};
use crate::client::Login;
use crate::client::fake::Fake;

/// What was written.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn console(out: impl Write + Send + 'static, err: &Buffer, size: Option<(usize, usize)>) -> Console {
    let paint = Paint { colour: false };
    Console {
        out: Out { inner: Box::new(out), escape: false, closed: false },
        err: Box::new(err.clone()),
        err_paint: paint,
        screen: Screen { fixed: size, terminal: size.is_some(), paint, pager: None },
    }
}

fn args(url: &str, commands: &[&str], format: Format) -> Args {
    Args {
        url: url.to_owned(),
        user: Some("ana".to_owned()),
        password: Some("ana".into()),
        token: None,
        purpose: None,
        command: commands.iter().map(|text| (*text).to_owned()).collect(),
        file: None,
        format,
    }
}

async fn check(commands: &[&str], format: Format, code: u8, out: &str, err: &str) {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let got = run_on(args(&fake.url, commands, format), console(written.clone(), &said, None)).await;
    assert_eq!((written.text().as_str(), said.text().as_str(), got), (out, err, code));
}

const WRONG: &str = "\
error (invalid): no column `wrong` at line 1, column 8
  │
1 │ select wrong
  │        ^^^^^
  hint: did you mean `right`?
";

#[tokio::test]
async fn results_and_nothing_else_on_standard_output() {
    check(&["select 1; -- done", "select 1"], Format::Csv, 0, "n\n1\nn\n1\n", "").await;
    check(&["select 1"], Format::Json, 0, "[{\"n\":1}]\n", "").await;
    check(&["set x = 1; select 1"], Format::Ndjson, 0, "{\"n\":1}\n", "").await;
    check(&["-- nothing"], Format::Table, 0, "", "").await;
    let table = "┌────────┐\n│      n │\n│ bigint │\n├────────┤\n│      1 │\n└────────┘\n";
    check(&["select 1"], Format::Table, 0, table, "").await;
}

#[tokio::test]
async fn the_first_failure_stops_with_exit_code_1() {
    check(&["select 1; select wrong; select 1", "select 1"], Format::Csv, 1, "n\n1\n", WRONG).await;
    let late = "error (limit reached): the query needs more memory\n  hint: ask for fewer rows\n";
    check(&["select late", "select 1"], Format::Ndjson, 1, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n", late).await;
}

#[tokio::test]
async fn backslash_commands_work_in_scripts() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let commands = ["\\d sales.orders", "\\q", "select wrong"];
    let code = run_on(args(&fake.url, &commands, Format::Table), console(written.clone(), &said, None)).await;
    assert_eq!((code, said.text().as_str()), (0, ""));
    let text = written.text();
    assert!(text.contains("│ order_id │ bigint │ no   │ the key │"), "{text}");
}

#[tokio::test]
async fn masked_columns_are_marked_and_why_says_why() {
    let table = "┌──────┐\n│ t ▒  │\n│ text │\n├──────┤\n│ 3f9a │\n└──────┘\n▒ masked: t (hash); `\\why` says why\n";
    check(&["select masked"], Format::Table, 0, table, "").await;
    // Programs get what they always got.
    check(&["select masked"], Format::Csv, 0, "t\n3f9a\n", "").await;
    check(&["select masked"], Format::Json, 0, "[{\"t\":\"3f9a\"}]\n", "").await;

    let why = "sales.orders_v1: product sales.orders, owner sales-team (#sales)\n  (rows)  all   every row by analysts\n  \
               t       hash  masked\\u{1b}[2J by pii\n";
    check(&["\\why select masked;"], Format::Table, 0, why, "").await;
    // The last statement, however many questions were asked of it.
    let twice = format!("t\n3f9a\n{why}{why}");
    check(&["select masked", "\\why", "\\why"], Format::Csv, 0, &twice, "").await;
    let none =
        "error (invalid): there is no statement to explain yet\n  hint: name one: `\\why SELECT * FROM domain.table`\n";
    check(&["\\why"], Format::Table, 1, "", none).await;
    let wrong = WRONG.replace("column 8", "column 23").replace("select wrong", "EXPLAIN ACCESS select wrong");
    let wrong = wrong.replace("  │        ^^^^^", &format!("  │ {}^^^^^", " ".repeat(22)));
    check(&["\\why select wrong"], Format::Table, 1, "", &wrong).await;
}

#[tokio::test]
async fn a_file_is_named_with_line_and_column() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.sql");
    std::fs::write(&file, "select 1;\n\n  select wrong;").unwrap();
    let said = Buffer::default();
    let mut args = args(&fake.url, &[], Format::Csv);
    args.file = Some(file.clone());
    assert_eq!(run_on(args, console(Buffer::default(), &said, None)).await, 1);
    assert!(
        said.text().starts_with(&format!("{}:3:10: error (invalid): no column", file.display())),
        "{}",
        said.text()
    );
}

#[tokio::test]
async fn a_login_that_fails_is_said() {
    let fake = Fake::start().await;
    let said = Buffer::default();
    let mut args = args(&fake.url, &["select 1"], Format::Csv);
    args.password = Some("guess".into());
    assert_eq!(run_on(args, console(Buffer::default(), &said, None)).await, 1);
    assert_eq!(said.text(), "error (not logged in): wrong user or password\n");

    let said = Buffer::default();
    let mut args = self::args(&fake.url, &["select 1"], Format::Csv);
    (args.user, args.password) = (None, None);
    assert_eq!(run_on(args, console(Buffer::default(), &said, None)).await, 1);
    assert!(said.text().ends_with("hint: log in with `--user NAME` or `--token`\n"), "{}", said.text());
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_failure() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let fake = Fake::start().await;
    for format in [Format::Csv, Format::Ndjson, Format::Json, Format::Markdown, Format::Arrow, Format::Table] {
        let said = Buffer::default();
        let code = run_on(args(&fake.url, &["select million"], format), console(Closed, &said, None)).await;
        assert_eq!((code, said.text().as_str()), (0, ""), "{format:?}");
    }
    fake.is_idle().await;
}

async fn shell(fake: &Fake, written: &Buffer, said: &Buffer, size: Option<(usize, usize)>) -> Shell {
    let login = Login::Password { user: "ana".to_owned(), password: "ana".into() };
    let session = Session::open(&fake.url, login, None).await.unwrap();
    let mut shell = Shell::new(session, console(written.clone(), said, size), Format::Table, true);
    shell.timing = false;
    shell
}

#[tokio::test]
async fn a_million_rows_are_cut_to_the_screen() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let mut shell = shell(&fake, &written, &said, Some((80, 15))).await;
    assert_eq!(shell.run("select million;", None, 0).await, Outcome::Done);
    let text = written.text();
    assert!(text.lines().count() < 15, "{text}");
    assert!(text.contains("│      2 │\n│   …    │\n│ 999997 │\n"), "{text}");
    assert!(text.ends_with("1,000,000 rows, 6 shown\n"), "{text}");
    let before = written.bytes().len();
    shell.run("\\x on\nselect million", None, 0).await;
    assert!(written.text().get(before..).unwrap().lines().count() < 16, "{}", written.text());
}

#[tokio::test]
async fn a_new_login_follows_a_restart_and_says_so() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let mut shell = shell(&fake, &written, &said, None).await;
    fake.state.logins.fetch_add(1, Ordering::SeqCst);
    assert_eq!(shell.run("select 1", None, 0).await, Outcome::Done);
    assert_eq!(said.text(), "logged in again\n");
    assert!(shell.logged_in_again);
    // What was set has ended with the login: the next statement must not run as if it had not.
    assert_eq!(shell.run("set x = 'y'", None, 0).await, Outcome::Done);
    fake.state.logins.fetch_add(1, Ordering::SeqCst);
    assert_eq!(shell.run("select 1", None, 0).await, Outcome::Failed);
    assert!(said.text().contains("what the session had set"), "{}", said.text());
    assert_eq!(shell.run("select 1", None, 0).await, Outcome::Done);
}

#[tokio::test]
async fn results_go_to_files_by_their_ending() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let mut shell = shell(&fake, &written, &said, None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let at = |name: &str| file(name).display().to_string();
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();

    let script = format!("\\o {}\nselect 1; select 1;\n\\o {}\nselect 1;\n\\o\n", at("a b.csv"), at("x.json"));
    assert_eq!(shell.run(&script, None, 0).await, Outcome::Done);
    assert_eq!((read("a b.csv"), read("x.json")), ("n\n1\nn\n1\n".to_owned(), "[{\"n\":1}]\n".to_owned()));

    // A statement that fails leaves the older file alone, and a second result does not spoil the first.
    assert_eq!(shell.run(&format!("\\o {}\nselect wrong", at("x.json")), None, 0).await, Outcome::Failed);
    assert_eq!(read("x.json"), "[{\"n\":1}]\n");
    assert_eq!(shell.run("select 1; select 1", None, 0).await, Outcome::Failed);
    assert!(said.text().contains("holds a result already"), "{}", said.text());
    assert_eq!(read("x.json"), "[{\"n\":1}]\n");

    assert_eq!(shell.run("\\o table.xlsx", None, 0).await, Outcome::Failed);
    assert!(said.text().contains("use .csv, .json, .ndjson, .md or .arrow"), "{}", said.text());
}

#[tokio::test]
async fn files_include_files_and_never_for_ever() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let mut shell = shell(&fake, &written, &said, None).await;
    let folder = tempfile::tempdir().unwrap();
    let outer = folder.path().join("outer.sql");
    std::fs::write(&outer, "\\i inner.sql\nselect 1;").unwrap();
    std::fs::write(folder.path().join("inner.sql"), "\\format csv\nselect 1;").unwrap();
    assert_eq!(shell.run(&format!("\\i {}", outer.display()), None, 0).await, Outcome::Done);
    assert!(written.text().ends_with("n\n1\nn\n1\n"), "{}", written.text());

    std::fs::write(&outer, "\\i outer.sql").unwrap();
    assert_eq!(shell.run(&format!("\\i {}", outer.display()), None, 0).await, Outcome::Failed);
    assert!(said.text().contains("is included too deep"), "{}", said.text());
}

#[tokio::test]
async fn who_and_what() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let mut shell = shell(&fake, &written, &said, None).await;
    assert_eq!(shell.run("\\whoami\n\\dp\n\\d", None, 0).await, Outcome::Done);
    let text = written.text();
    assert!(text.starts_with(&format!("ana at {}, for the purpose `fraud-detection`\n", fake.url)), "{text}");
    assert!(text.contains("│ sales  │ orders      │ table │ what customers bought │"), "{text}");
    assert_eq!(shell.names.known().domains, ["sales"]);
}

#[tokio::test]
async fn cancelling_a_statement_stops_the_server() {
    let fake = Fake::start().await;
    let (written, said) = (Buffer::default(), Buffer::default());
    let mut shell = shell(&fake, &written, &said, None).await;
    tokio::select! {
        _ = shell.run("select forever", None, 0) => panic!("it never ends"),
        () = async {
            while fake.state.live.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        } => {}
    }
    fake.is_idle().await;
    assert_eq!(shell.run("select 1", None, 0).await, Outcome::Done);
}

#[test]
fn the_prompt_can_run_beside_a_server() {
    // `demo` gives it a task of its own.
    fn is_send(_: impl Send) {}
    is_send(super::interactive(super::Options {
        url: String::new(),
        login: Login::Anonymous,
        purpose: None,
        format: Format::Table,
        stop: tokio_util::sync::CancellationToken::new(),
    }));
}
