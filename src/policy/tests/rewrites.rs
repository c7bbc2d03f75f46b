//! Residuals as conditions, construct by construct; offers and masks beside them.

use std::collections::{BTreeMap, BTreeSet};

use super::fixture::{NOW, column, dataset, decimal, entry, files, mesh, person, product, record, timestamp};
use crate::identity::{AttributeValue, Principal};
use crate::mesh::Snapshot;
use crate::name::ColumnPath;
use crate::policy::{Comparison, Condition, Decision, Literal, Mask, PatternPart, PolicyStore, Term};
use arrow::datatypes::{DataType, Field};

pub fn path(dotted: &str) -> ColumnPath {
    let mut names = dotted.split('.').map(|name| name.parse().unwrap());
    let root = ColumnPath::root(names.next().unwrap());
    names.fold(root, |path, name| path.child(name))
}

#[expect(clippy::unnecessary_box_returns, reason = "conditions hold boxes")]
fn of(dotted: &str) -> Box<Term> {
    Box::new(Term::Column(path(dotted)))
}

#[expect(clippy::unnecessary_box_returns, reason = "conditions hold boxes")]
fn lit(literal: Literal) -> Box<Term> {
    Box::new(Term::Literal(literal))
}

pub fn text(word: &str) -> Literal {
    Literal::String(word.to_owned())
}

fn things() -> Snapshot {
    use DataType::{Boolean, Date32, Int64, List, UInt64, Utf8};
    let words = List(std::sync::Arc::new(Field::new_list_field(Utf8, true)));
    mesh(vec![product(
        "sales",
        "things",
        "1.0.0",
        vec![dataset(
            "things",
            vec![
                column("n", Int64),
                column("m", UInt64),
                column("word", Utf8),
                column("maybe?", Utf8),
                column("flag", Boolean),
                column("price", decimal()),
                column("day", Date32),
                column("at", timestamp()),
                column("labels", words),
                column("odd name\"!internal", Utf8),
                record("address?", vec![column("city", Utf8), column("street?", Utf8)]),
            ],
        )],
    )])
}

/// What a permit with this condition leaves for a principal.
fn permit(condition: &str) -> Result<Condition, String> {
    let snapshot = things();
    let text = format!(
        "// sales/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is sales::things) when {{ {condition} }};"
    );
    let store = PolicyStore::load(&files(&text), &snapshot);
    assert_eq!(crate::diagnostic::render_all(store.findings()), "");
    let words = |words: &[&str]| AttributeValue::StringSet(words.iter().map(|word| (*word).to_owned()).collect());
    let principal = Principal::for_tests(
        "max",
        &["analyst"],
        &[
            ("region", AttributeValue::String("EU".to_owned())),
            ("clearance", AttributeValue::Long(2)),
            ("countries", words(&["DE", "FR"])),
            ("staff", AttributeValue::Bool(true)),
        ],
    );
    match store.authorize(&principal, "fraud", NOW, entry(&snapshot, "sales.things")) {
        Decision::Exposed(exposed) => Ok(Condition::clone(&exposed.columns[0].offers[0].when[0].condition)),
        Decision::Hidden { why, .. } => Err(why),
    }
}

#[test]
fn residuals_become_conditions() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    use Condition as C;
    let compare = |op, left, right| C::Compare(op, left, right);
    let one_of = |column: &str, words: &[&str]| C::OneOf(of(column), words.iter().map(|word| text(word)).collect());
    let is_eu = || compare(Equal, of("word"), lit(text("EU")));
    for (condition, expect) in [
        ("principal has region && resource.word == principal.region", is_eu()),
        ("\"EU\" == resource.word", is_eu()),
        ("resource.word != \"EU\"", compare(NotEqual, of("word"), lit(text("EU")))),
        ("!(resource.word == \"EU\")", compare(NotEqual, of("word"), lit(text("EU")))),
        ("resource.n >= 5", compare(GreaterOrEqual, of("n"), lit(Literal::Long(5)))),
        ("5 > resource.n", compare(Less, of("n"), lit(Literal::Long(5)))),
        ("resource.n < resource.m", compare(Less, of("n"), of("m"))),
        (
            "resource.n * 2 - 1 <= -resource.m + 7",
            compare(
                LessOrEqual,
                Box::new(Term::Subtract(
                    Box::new(Term::Multiply(of("n"), lit(Literal::Long(2)))),
                    lit(Literal::Long(1)),
                )),
                Box::new(Term::Add(Box::new(Term::Negate(of("m"))), lit(Literal::Long(7)))),
            ),
        ),
        ("principal has countries && principal.countries.contains(resource.word)", one_of("word", &["DE", "FR"])),
        ("[\"a\", \"b\"].contains(resource.word)", one_of("word", &["a", "b"])),
        ("[\"EU\"].contains(resource.word)", is_eu()),
        ("resource.flag", C::Column(path("flag"))),
        ("resource.flag == false", C::Not(Box::new(C::Column(path("flag"))))),
        ("principal has staff && resource.flag == principal.staff", C::Column(path("flag"))),
        ("resource has maybe", C::Has(path("maybe"))),
        ("!(resource has n)", C::Not(Box::new(C::Has(path("n"))))),
        (
            "resource has maybe && resource.maybe like \"a*b\\**\"",
            C::And(vec![
                C::Has(path("maybe")),
                C::Like(
                    of("maybe"),
                    vec![
                        PatternPart::Text("a".to_owned()),
                        PatternPart::Wildcard,
                        PatternPart::Text("b*".to_owned()),
                        PatternPart::Wildcard,
                    ],
                ),
            ]),
        ),
        (
            "resource has address && resource.address.city == \"Bonn\"",
            C::And(vec![C::Has(path("address")), compare(Equal, of("address.city"), lit(text("Bonn")))]),
        ),
        (
            "resource has address.street && resource.address.street == \"x\"",
            C::And(vec![C::Has(path("address.street")), compare(Equal, of("address.street"), lit(text("x")))]),
        ),
        (
            "resource.price.greaterThan(decimal(\"10.5\"))",
            compare(Greater, of("price"), lit(Literal::Decimal(105_000))),
        ),
        (
            "resource.price.lessThanOrEqual(decimal(\"-0.01\"))",
            compare(LessOrEqual, of("price"), lit(Literal::Decimal(-100))),
        ),
        ("resource.price == decimal(\"1.0\")", compare(Equal, of("price"), lit(Literal::Decimal(10_000)))),
        (
            "resource.day < datetime(\"2024-01-01\")",
            compare(Less, of("day"), lit(Literal::Datetime(1_704_067_200_000))),
        ),
        (
            "resource.at >= datetime(\"2024-01-01T10:00:00.250+0100\").offset(duration(\"-1d\"))",
            compare(GreaterOrEqual, of("at"), lit(Literal::Datetime(1_704_067_200_250 + 9 * 3_600_000 - 86_400_000))),
        ),
        ("resource.at < context.now", compare(Less, of("at"), lit(Literal::Datetime(NOW)))),
        ("resource.labels.contains(\"x\")", C::Contains(path("labels"), text("x"))),
        (
            "resource.labels.containsAll([\"x\", \"y\"])",
            C::ContainsAll(path("labels"), BTreeSet::from([text("x"), text("y")])),
        ),
        (
            "principal has countries && principal.countries.containsAny(resource.labels)",
            C::ContainsAny(path("labels"), BTreeSet::from([text("DE"), text("FR")])),
        ),
        ("resource.labels.isEmpty()", C::IsEmpty(path("labels"))),
        ("resource[\"odd name\\\"\"] == \"x\"", compare(Equal, of("odd name\""), lit(text("x")))),
        (
            "if resource.flag then resource.n > 1 else resource.n > 2",
            C::If(
                Box::new(C::Column(path("flag"))),
                Box::new(compare(Greater, of("n"), lit(Literal::Long(1)))),
                Box::new(compare(Greater, of("n"), lit(Literal::Long(2)))),
            ),
        ),
        (
            "(if resource.flag then 1 else resource.m) == resource.n",
            C::If(
                Box::new(C::Column(path("flag"))),
                Box::new(compare(Equal, of("n"), lit(Literal::Long(1)))),
                Box::new(compare(Equal, of("m"), of("n"))),
            ),
        ),
        ("resource in Domain::\"sales\" && resource is sales::things && context.purpose == \"fraud\"", C::Const(true)),
        ("resource.word == \"EU\" || resource in Product::\"sales.things\"", C::Const(true)),
    ] {
        assert_eq!(permit(condition), Ok(expect), "{condition}");
    }
}

#[test]
fn what_is_false_for_every_row_hides() {
    for condition in [
        "resource.word == \"EU\" && context.purpose == \"sales\"",
        "context.purpose == \"sales\"",
        "resource.word == \"EU\" && principal in Role::\"marketer\"",
        "[\"a\"].containsAll([\"b\"]) && resource.flag",
    ] {
        assert_eq!(permit(condition), Err("no policy shows any of it".to_owned()), "{condition}");
    }
}

#[test]
fn what_columns_cannot_express_hides_the_dataset() {
    for condition in [
        "resource.labels == [\"a\", \"b\"]",
        "resource.labels.contains(resource.word)",
        "[\"a\"].containsAll(resource.labels)",
    ] {
        let why = permit(condition).unwrap_err();
        assert!(why.starts_with("policy `a`: "), "{condition}: {why}");
    }
}

/// Two permits stay two: what each shows, it shows under its own condition only.
#[test]
fn two_permits_stay_apart_cell_by_cell() {
    let snapshot = things();
    let head = "principal, action == Action::\"read\", resource is sales::things";
    let text = format!(
        "// sales/policies/a.cedar\n\
         @id(\"words\") permit ({head}) when {{ resource.word == \"EU\" && context.column.name == \"word\" }};\n\
         @id(\"numbers\") permit ({head}) when {{ resource.n > 5 && context.column.name == \"n\" }};\n\
         @id(\"both\") permit ({head}) when {{ resource.flag && (context.column.name == \"n\" || context.column.name == \"word\") }};\n\
         @id(\"some\") @mask(\"hash\") permit ({head}) when {{ context.column.name == \"word\" }};"
    );
    let store = PolicyStore::load(&files(&text), &snapshot);
    assert_eq!(store.findings(), []);
    let Decision::Exposed(exposed) = store.authorize(&person("eve"), "", NOW, entry(&snapshot, "sales.things")) else {
        panic!("hidden");
    };
    let rules: BTreeMap<String, Vec<(Mask, Vec<&str>)>> = exposed
        .columns
        .iter()
        .map(|column| {
            let rule = |rule: &'_ crate::policy::Rule| rule.mask;
            let names = column
                .offers
                .iter()
                .map(|offer| (rule(offer), offer.when.iter().map(|clause| &*clause.policy).collect()));
            (column.path.to_string(), names.collect())
        })
        .collect();
    assert_eq!(rules["word"], [(Mask::Clear, vec!["both", "words"]), (Mask::Hash, vec!["some"])]);
    assert_eq!(rules["n"], [(Mask::Clear, vec!["both", "numbers"])]);
    assert_eq!(rules["price"], []);
    assert_eq!(exposed.policies, ["both", "numbers", "some", "words"]);
}

#[test]
fn masks_that_do_not_fit_are_found_and_do_not_count() {
    let snapshot = things();
    let head = "principal, action == Action::\"read\", resource is sales::things";
    let load = |text: String| PolicyStore::load(&files(&text), &snapshot);
    let wide = load(format!("// sales/policies/a.cedar\n@id(\"a\") @mask(\"year\") permit ({head});"));
    assert_eq!(
        crate::diagnostic::render_human(&wide.findings()[0]).lines().next().unwrap(),
        "sales/policies/a.cedar:1:24: error: policy `a` offers `year`, which does not fit `n` of `sales.things` and 9 more columns"
    );
    let Decision::Exposed(exposed) = wide.authorize(&person("eve"), "", NOW, entry(&snapshot, "sales.things")) else {
        panic!("hidden");
    };
    let shown: Vec<String> = exposed
        .columns
        .iter()
        .filter(|column| !column.offers.is_empty())
        .map(|column| column.path.to_string())
        .collect();
    assert_eq!(shown, ["day", "at"]);
    for (condition, severity) in [
        ("context.column.name == \"day\" || [\"at\"].contains(context.column.name)", None),
        ("context.column.name like \"da*\" && principal has region", None),
        ("context.column.tags.contains(\"pii\")", None),
        ("principal has countries && principal.countries.contains(context.column.name)", Some("warning")),
        ("context.column.classification == \"internal\"", Some("error")),
    ] {
        let store = load(format!(
            "// sales/policies/a.cedar\n@id(\"a\") @mask(\"year\") permit ({head}) when {{ {condition} }};"
        ));
        let found = crate::diagnostic::render_all(store.findings());
        let found: Vec<&str> = found.lines().filter(|line| line.contains("does not fit")).collect();
        match severity {
            None => assert_eq!(found, Vec::<&str>::new(), "{condition}"),
            Some(severity) => assert!(found[0].contains(severity), "{condition} {found:?}"),
        }
    }
}

#[test]
fn the_clock_is_told() {
    let snapshot = things();
    let policy = |condition: &str| {
        format!(
            "// sales/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is sales::things) when {{ {condition} }};"
        )
    };
    for (condition, reads) in [("resource.at < context.now", true), ("resource.n > 1", false)] {
        let store = PolicyStore::load(&files(&policy(condition)), &snapshot);
        let Decision::Exposed(exposed) = store.authorize(&person("eve"), "", NOW, entry(&snapshot, "sales.things"))
        else {
            panic!("hidden");
        };
        assert_eq!(exposed.reads_clock, reads);
    }
}
