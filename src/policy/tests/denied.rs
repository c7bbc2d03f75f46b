//! What is denied when something is wrong, and that nothing else is.

use super::fixture::{
    self, ACCEPTANCE, NOW, column, dataset, demo, entry, files, findings, load, mesh, one_error, person, product, seen,
    without,
};
use crate::identity::{AttributeValue, Principal};
use crate::policy::{Decision, PolicyStore, ProductAction};

#[test]
fn a_domain_speaks_only_of_itself() {
    for head in [
        "principal, action == Action::\"read\", resource",
        "principal, action == Action::\"read\", resource is hr::employees",
        "principal, action == Action::\"read\", resource in Domain::\"hr\"",
        "principal, action == Action::\"read\", resource in Product::\"hr.employees\"",
        "principal, action == Action::\"read\", resource is sales::orders in Domain::\"hr\"",
        "principal, action == Action::\"discover\", resource is Product in Domain::\"hr\"",
        "principal, action == Action::\"discover\", resource == Product::\"hr.employees\"",
        "principal, action == Action::\"discover\", resource is Product",
    ] {
        let text = format!("// sales/policies/a.cedar\n@id(\"a\") permit ({head});\n");
        one_error(&text, "a policy in the folder of `sales` reaches outside its domain", "Domain::\"sales\"");
        let store = load(&format!("{text}\n{ACCEPTANCE}"));
        // It grants nothing over there, and the domain that tried is denied: it may have meant to forbid.
        assert_eq!(seen(&store, &person("eve"), "hr.employees"), "hidden: no policy shows any of it");
        assert!(seen(&store, &person("hana"), "hr.employees").contains("salary"));
        assert!(seen(&store, &person("otto"), "sales.orders").contains("a refused policy"));
    }
    for head in [
        "principal, action == Action::\"read\", resource is sales::orders",
        "principal, action == Action::\"read\", resource in Domain::\"sales\"",
        "principal, action == Action::\"read\", resource in Product::\"sales.orders\"",
        "principal, action == Action::\"read\", resource is sales::orders in Product::\"sales.orders\"",
        "principal, action == Action::\"discover\", resource is Product in Domain::\"sales\"",
        "principal, action == Action::\"discover\", resource == Product::\"sales.orders\"",
    ] {
        assert_eq!(findings(&format!("// sales/policies/a.cedar\n@id(\"a\") permit ({head});\n")), "", "{head}");
    }
}

#[test]
fn a_file_that_does_not_parse_denies_its_domain() {
    let text = format!("// sales/policies/broken.cedar\n@id(\"x\") forbid (principal action, resource);\n{ACCEPTANCE}");
    let store = load(&text);
    let found = findings(&text);
    assert!(found.starts_with("sales/policies/broken.cedar:1:28: error: the file is not valid Cedar"), "{found}");
    assert!(!store.refuses_to_serve());
    for table in ["sales.orders", "sales.customers", "sales.order_lines"] {
        assert!(seen(&store, &person("dpo"), table).contains("not valid Cedar"));
        assert!(store.denied(&entry(&demo(), table).table).is_some());
    }
    assert!(seen(&store, &person("hana"), "hr.employees").contains("salary"));
}

#[test]
fn a_governance_file_that_does_not_parse_refuses_the_mesh() {
    let store = load(&format!("// governance/broken.cedar\nforbid\n{ACCEPTANCE}"));
    assert!(store.refuses_to_serve());
    for (table, entry) in &demo().tables {
        assert!(matches!(store.authorize(&person("dpo"), "", NOW, entry), Decision::Hidden { .. }), "{table}");
    }
    assert!(!store.may(ProductAction::Discover, &person("dpo"), "", NOW, &entry(&demo(), "sales.orders").product));
}

#[test]
fn policy_files_elsewhere_are_not_passed_over() {
    one_error(
        "// sales/a.cedar\n@id(\"a\") forbid (principal, action, resource in Domain::\"sales\");",
        "a policy file lies",
        "governance/",
    );
    let store = load(&format!("// sales/a.cedar\n@id(\"a\") forbid (principal, action, resource);\n{ACCEPTANCE}"));
    assert!(seen(&store, &person("dpo"), "sales.orders").starts_with("hidden"));
    assert!(seen(&store, &person("dpo"), "hr.employees").contains("salary"));
}

#[test]
fn a_policy_that_does_not_validate_denies_what_it_reaches() {
    // `segment` is of customers only.
    let text = format!(
        "// sales/policies/a.cedar\n@id(\"a\")\nforbid (principal, action == Action::\"read\", resource in Domain::\"sales\")\n\
         when {{ resource.segment == \"vip\" }};\n{ACCEPTANCE}"
    );
    let found = findings(&text);
    assert!(
        found.starts_with(
            "sales/policies/a.cedar:3:8: error: policy `a` does not fit `sales.order_lines`, `sales.orders`:"
        ),
        "{found}"
    );
    assert_eq!(found.lines().filter(|line| line.contains("error")).count(), 1, "{found}");
    let store = load(&text);
    assert!(seen(&store, &person("dpo"), "sales.orders").contains("policy `a` does not validate"));
    assert!(seen(&store, &person("dpo"), "sales.customers").contains("CAP hidden if"));
    assert!(seen(&store, &person("dpo"), "hr.employees").contains("salary"));
}

#[test]
fn an_error_inside_any_policy_hides_the_dataset() {
    let permit = "// governance/p.cedar\n@id(\"p\") permit (principal, action == Action::\"read\", resource);\n";
    let people = Principal::for_tests("max", &[], &[("clearance", AttributeValue::Long(i64::MAX))]);
    for condition in [
        // The whole policy fails for this caller.
        "principal has clearance && principal.clearance + 1 > 100",
        // It fails behind something the row decides; the response does not count that as an error.
        "resource.order_id > 5 && principal has clearance && principal.clearance + 1 > 100",
    ] {
        for effect in ["forbid", "permit"] {
            let text = format!(
                "{permit}// sales/policies/a.cedar\n@id(\"a\") {effect} (principal, action == Action::\"read\", resource is sales::orders) when {{ {condition} }};"
            );
            assert_eq!(findings(&text), "");
            let store = load(&text);
            assert!(seen(&store, &people, "sales.orders").starts_with("hidden: policy `a`"), "{effect} {condition}");
            assert!(seen(&store, &person("ana"), "sales.orders").contains("order_id"));
            assert!(seen(&store, &people, "sales.customers").contains("email"));
        }
    }
}

#[test]
fn unknown_roles_and_attributes_never_widen_access() {
    let text = "// governance/p.cedar\n@id(\"p\") permit (principal, action == Action::\"read\", resource)\nwhen { principal has region || principal has clearance || principal has staff };";
    let store = load(text);
    assert_eq!(findings(text), "");
    let odd = Principal::for_tests(
        "odd",
        &["Analyst", "root"],
        &[
            ("region", AttributeValue::Long(1)),
            ("clearance", AttributeValue::String("9".to_owned())),
            ("staff", AttributeValue::StringSet(std::collections::BTreeSet::new())),
            ("undeclared", AttributeValue::Bool(true)),
        ],
    );
    assert!(seen(&store, &odd, "sales.orders").starts_with("hidden: no policy"));
    assert!(seen(&store, &person("ana"), "sales.orders").contains("clear"));
}

#[test]
fn a_broken_contract_does_not_break_its_domains_policies() {
    let snapshot = without(demo(), "sales", "orders");
    let forbid = "// sales/policies/z.cedar\n@id(\"z\") forbid (principal, action == Action::\"read\", resource in Domain::\"sales\")\n\
                  unless { resource is sales::orders || resource in Product::\"sales.orders\" || context.column.name == \"amount\" || principal in Role::\"sales-owner\" };";
    let store = PolicyStore::load(&files(&format!("{ACCEPTANCE}\n{forbid}")), &snapshot);
    let found = crate::diagnostic::render_all(store.findings());
    assert_eq!(found.matches("warning: dataset `sales.order").count(), 3, "{found}");
    assert_eq!(found.matches("of policy `z` is set aside").count(), 3, "{found}");
    assert!(!found.contains("error"), "{found}");
    let see = |who: &str| fixture::show(&store.authorize(&person(who), "", NOW, entry(&snapshot, "sales.customers")));
    // The rest of the domain is served, and a forbid that names the missing product still forbids.
    assert!(see("otto").contains("segment"));
    assert!(see("ana").starts_with("hidden"));
    // Elsewhere the name is an error; it names its domain, so that is what is denied.
    let global =
        "// governance/a.cedar\n@id(\"a\") forbid (principal, action == Action::\"read\", resource is sales::orders);";
    let store = PolicyStore::load(&files(&format!("{ACCEPTANCE}\n{global}")), &snapshot);
    assert!(
        crate::diagnostic::render_all(store.findings())
            .contains("error: there is no dataset for the row type `sales::orders`")
    );
    assert!(store.denied(&entry(&snapshot, "sales.customers").table).is_some());
    assert!(store.denied(&entry(&snapshot, "hr.employees").table).is_none());
}

#[test]
fn no_domain_can_push_out_anothers_policy() {
    let permit = |id: &str, domain: &str| {
        format!(
            "// {domain}/policies/a.cedar\n@id(\"{id}\") permit (principal, action == Action::\"read\", resource in Domain::\"{domain}\");\n"
        )
    };
    let text = format!("{}{}", permit("x", "hr"), permit("x", "marketing"));
    one_error(&text, "the policy id `x` is taken", "hr/policies/a.cedar:1:");
    let store = load(&text);
    assert!(seen(&store, &person("eve"), "hr.employees").contains("clear"));
    assert!(seen(&store, &person("eve"), "marketing.touchpoints").contains("clear"));
    let text = format!("{ACCEPTANCE}{}", permit("pii-is-masked", "hr"));
    let store = load(&text);
    assert!(seen(&store, &person("ana"), "sales.customers").contains("CAP hash"));
    assert!(seen(&store, &person("eve"), "hr.employees").contains("name,email: clear CAP hash"));
}

#[test]
fn a_head_that_can_hold_for_nothing_is_an_error() {
    for (head, message) in [
        (
            "principal, action == Action::\"discover\", resource is sales::orders",
            "the actions of this policy are asked about products",
        ),
        (
            "principal, action == Action::\"read\", resource is Product",
            "the actions of this policy are asked about rows",
        ),
        ("principal, action, resource is Domain", "the policy's resource is neither rows"),
        ("principal, action, resource is User", "the policy's resource is neither rows"),
        ("principal, action, resource in Role::\"analyst\"", "the policy's resource is neither rows"),
        ("principal is sales::orders, action, resource", "a caller is never a `sales::orders`"),
        ("principal in Domain::\"sales\", action, resource", "a caller is never in `Domain::\"sales\"`"),
    ] {
        one_error(&format!("// governance/a.cedar\n@id(\"a\") forbid ({head});"), message, "");
    }
}

#[test]
fn a_policy_too_large_for_the_stack_is_refused() {
    let policy = |condition: &str| {
        format!(
            "// sales/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is sales::orders) when {{ {condition} }};"
        )
    };
    let many = |n: usize, with: &str| vec!["resource.order_id == 1"; n].join(with);
    let nested = |n: usize, open: &str| format!("{}resource.order_id == 1{}", open.repeat(n), ")".repeat(n));
    for condition in [
        many(20_000, " || "),
        many(20_000, " && "),
        nested(5_000, "("),
        nested(5_000, "!("),
        format!("{}resource.order_id{} == 1", "-".repeat(5_000), ""),
        format!("{}false", "if resource.order_id == 1 then true else ".repeat(5_000)),
        // Types decide each of the tests, so that Cedar has twice as much to evaluate behind each.
        format!("{}false", "if resource is sales::customers then true else ".repeat(17)),
        format!("{}true{}", "if true then ".repeat(9), " else false".repeat(9)),
        format!("resource{} == 1", ".order_id".repeat(5_000)),
    ] {
        one_error(&policy(&condition), "the policy is nested too deeply or has too many operators", "sets");
        assert!(seen(&load(&policy(&condition)), &person("eve"), "sales.orders").starts_with("hidden"));
    }
    for condition in [
        many(70, " || "),
        nested(38, "("),
        "!!(resource.order_id == 1)".to_owned(),
        format!("[{}].contains(resource.region)", vec!["\"a-b-c-d.e\""; 5_000].join(", ")),
        format!("{}false", "if resource.order_id == 1 then true else ".repeat(16)),
        format!("{}true{}", "if resource.order_id == 1 then ".repeat(8), " else false".repeat(8)),
    ] {
        assert_eq!(findings(&policy(&condition)), "");
        assert!(seen(&load(&policy(&condition)), &person("eve"), "sales.orders").contains("clear if"));
    }
}

#[test]
fn a_store_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<PolicyStore>();
}

#[test]
fn both_live_majors_are_under_the_same_policies() {
    use arrow::datatypes::DataType::{Int64, Utf8};
    let old =
        product("sales", "orders", "1.2.0", vec![dataset("orders", vec![column("id", Int64), column("zone", Utf8)])]);
    let new =
        product("sales", "orders", "2.0.0", vec![dataset("orders", vec![column("id", Int64), column("region", Utf8)])]);
    let snapshot = mesh(vec![new, old]);
    let both = "// sales/policies/a.cedar\n@id(\"p\") permit (principal, action == Action::\"read\", resource is sales::orders);\n\
                @id(\"f\") forbid (principal, action == Action::\"read\", resource is sales::orders) when { resource.id > 7 };";
    let store = PolicyStore::load(&files(both), &snapshot);
    assert_eq!(store.findings(), []);
    for table in ["sales.orders", "sales.orders_v1"] {
        let decision = store.authorize(&person("eve"), "", NOW, entry(&snapshot, table));
        assert!(fixture::show(&decision).contains("CAP hidden if"), "{table}");
    }
    let one = both.replace("resource.id > 7", "resource.region == \"EU\"");
    let store = PolicyStore::load(&files(&one), &snapshot);
    assert_eq!(store.findings().len(), 1);
    assert!(store.denied(&entry(&snapshot, "sales.orders").table).is_none());
    assert!(store.denied(&entry(&snapshot, "sales.orders_v1").table).is_some());
}
