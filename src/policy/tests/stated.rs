//! Conditions as the text states them, and the text without them.

use super::fixture::{demo, files};
use crate::policy::PolicyStore;

fn stated(policy: &str) -> Vec<(String, String)> {
    let files = files(&format!("// governance/x.cedar\n{policy}"));
    let store = PolicyStore::load(&files, &demo());
    assert_eq!(store.findings(), []);
    let policies = store.stated(&files);
    let policy = &policies[0];
    let without = policy.conditions.iter().map(|condition| {
        let text = policy.without(condition, &files).texts["governance/x.cedar"].clone();
        let text =
            text.split_once("resource)").unwrap_or(("", &text)).1.split_whitespace().collect::<Vec<_>>().join(" ");
        (condition.text.clone(), text)
    });
    without.collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn every_part_of_a_chain_is_a_condition() {
    let all = r#"@id("a") permit (principal, action == Action::"read", resource)
        when { principal has region && // && not this
               (principal.region == "a && b" || context.column.name == "email") }
        unless { context.column.tags.contains("pii") };"#;
    assert_eq!(
        stated(all),
        pairs(&[
            (
                "principal has region",
                r#"when { (principal.region == "a && b" || context.column.name == "email") } unless { context.column.tags.contains("pii") };"#
            ),
            (
                r#"principal.region == "a && b" || context.column.name == "email""#,
                r#"when { principal has region } unless { context.column.tags.contains("pii") };"#
            ),
            (
                r#"principal.region == "a && b""#,
                r#"when { principal has region && // && not this (context.column.name == "email") } unless { context.column.tags.contains("pii") };"#
            ),
            (
                r#"context.column.name == "email""#,
                r#"when { principal has region && // && not this (principal.region == "a && b") } unless { context.column.tags.contains("pii") };"#
            ),
            (
                r#"context.column.tags.contains("pii")"#,
                r#"when { principal has region && // && not this (principal.region == "a && b" || context.column.name == "email") } ;"#
            ),
        ])
    );
}

#[test]
fn an_if_is_one_condition_and_the_head_says_who() {
    let policy = r#"@id("a") permit (principal in Role::"analyst", action == Action::"read", resource)
        when { if context.column.name == "a" || true then true && true else false };"#
        .replace("\"a\"", "\"email\"")
        .replace("@id(\"email\")", "@id(\"a\")");
    let found = stated(&policy);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, r#"principal in Role::"analyst""#);
    assert_eq!(found[1].1, ";", "the clause goes with its one condition");
}
