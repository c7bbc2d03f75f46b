//! Policies that say nothing, and policies that look like it.

use super::fixture::{demo, load, without};
use crate::policy::PolicyStore;

fn told(text: &str) -> Vec<String> {
    let store = load(text);
    let dead = store.dead(&demo());
    store.findings().iter().chain(&dead).map(|finding| finding.message.clone()).collect()
}

fn permit(conditions: &str) -> Vec<String> {
    told(&format!(
        "// sales/policies/a.cedar\n@id(\"a\")\npermit (principal in Role::\"analyst\", action == Action::\"read\", \
         resource in Domain::\"sales\") {conditions};\n"
    ))
}

#[test]
fn conditions_that_cannot_all_hold_are_told() {
    for dead in [
        "when { false }",
        "when { principal has region } unless { principal has region }",
        "when { principal has region && principal.region == \"EU\" && principal.region == \"US\" }",
        "unless { principal in Role::\"analyst\" }",
        "when { context.column.name == \"email\" && context.column.name == \"phone\" }",
        "when { context.column.name == \"email\" } unless { context.column.tags.contains(\"pii\") }",
        "when { principal has clearance && principal.clearance >= 2 && principal.clearance < 2 }",
        "when { principal has clearance && principal.clearance >= 2 && 1 >= principal.clearance }",
        "when { principal has clearance && !(principal.clearance > 2) && principal.clearance == 3 }",
        "when { context.product.name == \"sales.orders\" && context.column.name == \"phone\" }",
        "when { resource in Domain::\"hr\" }",
        "when { context.purpose == \"a\" && context.purpose == \"b\" }",
    ] {
        let told = permit(dead);
        // Cedar's validator has words of its own for what it finds by the types.
        let never = ["policy `a` can never apply", "policy `a` can never be satisfied"];
        assert!(matches!(told.as_slice(), [one] if never.contains(&one.as_str())), "{dead}: {told:?}");
    }
}

#[test]
fn what_may_hold_is_not_told() {
    for alive in [
        "",
        "when { principal has region && principal.region == \"EU\" }",
        "when { principal has region && (principal.region == \"EU\" || principal.region == \"US\") }",
        "when { principal in Role::\"marketer\" }",
        "when { principal has clearance && principal.clearance >= 2 && principal.clearance <= 2 }",
        "when { principal has clearance && principal.clearance != 2 && principal.clearance >= 2 }",
        "when { context.column.name == \"email\" && context.column.tags.contains(\"pii\") }",
        "when { context.purpose == \"a\" } unless { context.purpose == \"b\" }",
        "when { resource in Domain::\"sales\" }",
        "when { context.purpose like \"a*\" && context.purpose like \"b*\" }",
    ] {
        assert_eq!(permit(alive), [""; 0], "{alive}");
    }
}

#[test]
fn a_head_that_reaches_nothing_is_told_unless_a_broken_contract_may_be_why() {
    let text = "// governance/a.cedar\n@id(\"a\")\npermit (principal, action == Action::\"read\", \
                resource is sales::orders in Product::\"sales.customers\");\n";
    let nothing = "policy `a` can never apply: nothing that is served is what its head speaks of";
    assert_eq!(told(text), [nothing]);
    let snapshot = without(demo(), "hr", "employees");
    let store = PolicyStore::load(&super::fixture::files(text), &snapshot);
    assert_eq!(store.dead(&snapshot).len(), 1, "hr has nothing to do with it");
    let snapshot = without(demo(), "sales", "customers");
    let text = text.replace("governance/", "sales/policies/");
    let store = PolicyStore::load(&super::fixture::files(&text), &snapshot);
    assert_eq!(store.dead(&snapshot), []);
}

#[test]
fn a_permit_that_a_forbid_always_hides_is_told_with_the_forbid() {
    let with = |forbids: &str| {
        let permit = "// sales/policies/a.cedar\n@id(\"a\")\npermit (principal in Role::\"analyst\", action == Action::\"read\", \
                      resource is sales::customers) when { principal has region && resource.region == principal.region \
                      && context.column.tags.contains(\"pii\") };\n";
        told(&format!("{permit}// governance/f.cedar\n{forbids}"))
    };
    let forbid = |id: &str, rest: &str| {
        format!("@id(\"{id}\") forbid (principal, action == Action::\"read\", resource) {rest};\n")
    };
    let all = ["policy `a` is always overridden by `f`"];
    assert_eq!(with(&forbid("f", "")), all);
    assert_eq!(with(&forbid("f", "when { context.column.tags.contains(\"pii\") }")), all);
    assert_eq!(with(&forbid("f", "when { principal in Role::\"analyst\" }")), all);
    assert_eq!(with(&forbid("f", "when { principal has region }")), all);
    let parts = forbid("f", "when { context.column.name == \"email\" }")
        + &forbid("g", "when { context.column.name != \"email\" } unless { principal in Role::\"marketer\" && false }");
    assert_eq!(with(&parts), ["policy `a` is always overridden by `f`, `g`"]);
    for open in [
        forbid("f", "unless { principal in Role::\"privacy-officer\" }"),
        forbid("f", "when { context.column.name == \"email\" }"),
        forbid("f", "when { principal has clearance }"),
        forbid("f", "when { context.purpose == \"x\" }"),
        forbid("f", "").replace("@id", "@mask(\"hash\") @id"),
        forbid("f", "").replace("principal,", "principal in Role::\"marketer\","),
    ] {
        assert_eq!(with(&open), [""; 0], "{open}");
    }
}

#[test]
fn the_acceptance_policies_all_say_something() {
    assert_eq!(told(super::fixture::ACCEPTANCE), [""; 0]);
}
