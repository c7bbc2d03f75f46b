//! Asking less gives the same answers.

use std::collections::BTreeMap;

use super::fixture::{ACCEPTANCE, NOW, demo, files, mesh, person, product};
use crate::contract::Dataset;
use crate::diagnostic::Severity;
use crate::identity::Principal;
use crate::mesh::Snapshot;
use crate::policy::fit::CellFacts;
use crate::policy::plan::Asking;
use crate::policy::scope::speaks_of;
use crate::policy::slice::{Audiences, Class, Classes};
use crate::policy::{ColumnRules, Condition, Decision, PolicyStore};

/// Every way to ask about a column, also those that are not understood.
const ODD: [&str; 12] = [
    r#"when { context.column.name == "email" }"#,
    r#"when { context.column.name like "c*" && resource.region == "EU" }"#,
    r#"when { ["phone", "name"].contains(context.column.name) }"#,
    r#"unless { context.column.tags.contains("pii") || context.column.classification == "confidential" }"#,
    r#"when { context.column.tags.containsAny(["pii", "finance"]) && !(context.column.name == "name") }"#,
    r#"when { context.column.tags.isEmpty() && context.column.classification != "internal" }"#,
    r#"when { if context.column.name == "country" then resource.region == "US" else context.column.name == "segment" }"#,
    r"when { principal has region && context.column.name == principal.region }",
    r#"when { (context.column.name == "email") == (resource.region == "EU") }"#,
    r"when { context.column.name == resource.segment }",
    r#"when { context.column == {name: "phone", tags: ["pii"], classification: "internal"} }"#,
    r#"when { context.product.name == "sales.customers" && resource.country == "DE" }"#,
];

/// The one of them that policies may not be.
const RECORD: usize = 10;

fn policies<'a>(odd: impl Iterator<Item = (usize, &'a &'a str)>) -> String {
    let odd = odd.map(|(at, when)| {
        format!(
            "@id(\"odd{at}\") @mask(\"null\") forbid (principal, action == Action::\"read\", resource is sales::customers) {when};\n\
             @id(\"odder{at}\") @mask(\"redact\") permit (principal, action == Action::\"read\", resource is sales::customers) {when};\n"
        )
    });
    format!("{ACCEPTANCE}\n// sales/policies/odd.cedar\n{}", odd.collect::<String>())
}

/// The demo's customers with their columns in another order.
fn rotated(by: usize) -> Snapshot {
    let demo = demo();
    let products = demo.products.iter().map(|known| {
        let datasets = known.contract.datasets.iter().map(|dataset| {
            let mut columns = dataset.columns.clone();
            let by = by % columns.len();
            columns.rotate_left(by);
            Dataset { columns, ..dataset.clone() }
        });
        let (domain, name) = (known.name.domain.to_string(), known.name.product.to_string());
        product(&domain, &name, "1.0.0", datasets.collect())
    });
    mesh(products.collect())
}

fn decided(text: &str, snapshot: &Snapshot, people: &[Principal]) -> Vec<BTreeMap<String, ColumnRules>> {
    let store = PolicyStore::load(&files(text), snapshot);
    assert_eq!(store.findings().iter().filter(|finding| finding.severity == Severity::Error).count(), 0);
    let entry = snapshot.tables.values().find(|entry| entry.table.to_string() == "sales.customers").unwrap();
    let decide = |who: &Principal| match store.authorize(who, "", NOW, entry) {
        Decision::Hidden { why, .. } => panic!("{}: {why}", who.name()),
        Decision::Exposed(exposed) => {
            exposed.columns.into_iter().map(|column| (column.path.to_string(), column)).collect()
        }
    };
    people.iter().map(decide).collect()
}

/// The first column of a group speaks for it, so every column is first once.
#[test]
fn every_column_of_a_group_would_give_the_same_answer() {
    let text = policies(ODD.iter().enumerate().filter(|(at, _)| *at != RECORD));
    let people = ["ana", "mia", "otto"].map(person);
    let first = decided(&text, &rotated(0), &people);
    assert!(first.iter().all(|columns| columns.len() == 9), "{first:?}");
    for by in 1..9 {
        assert_eq!(decided(&text, &rotated(by), &people), first, "from column {by}");
    }
}

#[test]
fn columns_are_told_apart_where_a_policy_does() {
    let demo = demo();
    let entry = demo.tables.values().find(|entry| entry.table.to_string() == "sales.customers").unwrap();
    let columns: Vec<CellFacts> = entry
        .dataset()
        .leaves()
        .into_iter()
        .map(|(path, column)| CellFacts::new(&entry.product, &path, column))
        .collect();
    let names = |classes: &Classes, class: usize| -> String {
        let of_class = classes.of_column.iter().zip(&columns).filter(|(at, _)| **at == class);
        of_class.map(|(_, facts)| facts.name.as_str()).collect::<Vec<_>>().join(",")
    };
    let store = PolicyStore::load(&files(&policies(ODD.iter().enumerate().filter(|(at, _)| *at != RECORD))), &demo);
    for (at, expect) in [
        (0, "email"),
        (1, "customer_id,country,credit_limit"),
        (2, "name,phone"),
        (3, "customer_id,country,region,segment,signed_up"),
        (4, "email,phone"),
        (5, "credit_limit"),
        (11, "customer_id,name,email,phone,country,region,segment,signed_up,credit_limit"),
    ] {
        let policy = store.policies.iter().find(|policy| policy.id == format!("odd{at}")).unwrap();
        let classes = Classes::of(policy, &columns);
        let asked: Vec<String> = (0..classes.each.len())
            .filter(|class| !matches!(classes.each[*class], Class::Never))
            .map(|class| names(&classes, class))
            .collect();
        assert_eq!(asked, [expect], "{}", ODD[at]);
        assert!(!classes.each.iter().any(|class| matches!(class, Class::Open)), "{}", ODD[at]);
    }
    // What is not understood tells every column apart, and rules none out.
    for at in [7, 8, 9] {
        let policy = store.policies.iter().find(|policy| policy.id == format!("odd{at}")).unwrap();
        let classes = Classes::of(policy, &columns);
        let open = classes.each.iter().filter(|class| matches!(class, Class::Open));
        assert_eq!((open.count(), classes.each.len()), (columns.len(), columns.len()), "{}", ODD[at]);
    }
}

#[test]
fn the_index_of_heads_finds_whom_they_speak_of() {
    let heads = [
        "principal",
        "principal is User",
        "principal == User::\"ana\"",
        "principal in User::\"bob\"",
        "principal in Role::\"analyst\"",
        "principal == Role::\"analyst\"",
        "principal is User in Role::\"marketer\"",
    ];
    let policies = heads.iter().enumerate().map(|(at, head)| {
        format!("@id(\"h{at}\") forbid ({head}, action == Action::\"read\", resource is sales::customers);\n")
    });
    let text = format!("// sales/policies/a.cedar\n{}", policies.collect::<String>());
    let store = PolicyStore::load(&files(&text), &demo());
    let all: Vec<usize> = (0..store.policies.len()).collect();
    assert!(all.len() >= 6, "{:?}", store.findings());
    let index = Audiences::of(&all, &store.policies);
    for who in ["ana", "bob", "mia", "dpo", "eve"] {
        let who = person(who);
        let expect: Vec<usize> =
            all.iter().copied().filter(|at| speaks_of(&store.policies[*at].pst.principal, &who)).collect();
        assert_eq!(index.of_principal(&who).into_iter().collect::<Vec<_>>(), expect, "{}", who.name());
    }
}

/// Whatever is asked about a column is answered as Cedar would.
#[test]
fn what_is_left_of_a_policy_says_the_same_as_the_policy() {
    let demo = demo();
    let entry = demo.tables.values().find(|entry| entry.table.to_string() == "sales.customers").unwrap();
    let store = PolicyStore::load(&files(&policies(ODD.iter().enumerate().filter(|(at, _)| *at != RECORD))), &demo);
    let guarded = &store.tables[&entry.table];
    let mut compared = 0;
    for who in ["ana", "mia", "otto"].map(person) {
        let question = store.question(&who, ("", NOW), guarded).unwrap().unwrap();
        let columns = &question.prepared.columns;
        for (at, (_, classes)) in question.plan.policies.iter().enumerate() {
            for (column, class) in classes.of_column.iter().enumerate() {
                let part = (at, *class);
                let policy = question.policy(part).unwrap();
                let left = match &classes.each[*class] {
                    Class::Never => Condition::Const(false),
                    // What it is asked about does not matter any more.
                    Class::Answered(left) => {
                        let other = (column + 1) % columns.len();
                        Condition::clone(&question.ask(&Asking::of(&[(part, left)]).unwrap(), other).unwrap()[&part])
                    }
                    Class::Open => continue,
                };
                let whole = question.ask(&Asking::of(&[(part, &policy.cedar)]).unwrap(), column).unwrap();
                let whole = &whole[&part];
                assert_eq!(left, **whole, "{}, {}, {}", who.name(), policy.id, columns[column].name);
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}
