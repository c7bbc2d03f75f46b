//! What keeps it closed: unknown words, bad files, errors, and policies that reach too far.

use super::fixture::{
    self, ACCEPTANCE, NOW, column, dataset, decide, demo, entry, files, findings, load, mesh, person, product, seen,
    without,
};
use crate::identity::{AttributeValue, Principal};
use crate::policy::{Decision, PolicyStore};

/// One governance forbid with this condition, in a file of its own.
fn forbid(condition: &str) -> String {
    format!(
        "// governance/a.cedar\n@id(\"a\")\nforbid (principal, action == Action::\"read\", resource)\n{condition};\n"
    )
}

#[track_caller]
fn one_error(text: &str, message: &str, hint: &str) {
    let store = load(text);
    let errors: Vec<String> = store.findings().iter().map(crate::diagnostic::render_human).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains(&format!("error: {message}")), "{errors:#?}");
    assert!(errors[0].contains(hint), "{errors:#?}");
}

#[test]
fn every_misspelt_name_is_an_error_with_a_suggestion() {
    for (condition, message, hint) in [
        (
            r#"when { context.column.tags.contains("PII") }"#,
            "there is no tag `PII` in this mesh",
            "did you mean `pii`?",
        ),
        (r#"when { context.column.tags.containsAny(["pii", "financ"]) }"#, "there is no tag `financ`", "`finance`"),
        (r#"when { context.product.tags.containsAll(["pi"]) }"#, "there is no tag `pi`", "`pii`"),
        (r#"when { context.column.tags == ["Pii"] }"#, "there is no tag `Pii`", "`pii`"),
        (r#"unless { context["column"]["tags"].contains("pij") }"#, "there is no tag `pij`", "`pii`"),
        (
            r#"when { context.column.classification == "confidental" }"#,
            "there is no classification `confidental`",
            "`confidential`",
        ),
        (
            r#"when { "Restricted" != context.product.classification }"#,
            "there is no classification `Restricted`",
            "`restricted`",
        ),
        (
            r#"when { ["public", "intern"].contains(context.column.classification) }"#,
            "there is no classification `intern`",
            "`internal`",
        ),
        (r#"unless { principal in Role::"privcy-officer" }"#, "there is no role `privcy-officer`", "`privacy-officer`"),
        (r#"unless { principal in [Role::"analyst", Role::"Analyst"] }"#, "there is no role `Analyst`", "`analyst`"),
        (r#"when { resource in Domain::"slaes" }"#, "there is no domain `slaes`", "`sales`"),
        (r#"when { resource in Product::"sales.order" }"#, "there is no product `sales.order`", "`sales.orders`"),
        (r#"when { context.product.name == "sales.ordrs" }"#, "there is no product `sales.ordrs`", "`sales.orders`"),
        (r#"when { context.product.status == "Active" }"#, "there is no status `Active`", "`active`"),
        (
            r"when { resource is sales::order }",
            "there is no dataset for the row type `sales::order`",
            "`sales::orders`",
        ),
        (
            r#"when { resource == sales::orders::"1" }"#,
            "a row of `sales::orders` has no name of its own",
            "resource is sales::orders",
        ),
        (
            r#"when { context.column.name == "emial" }"#,
            "no dataset that this policy reaches has a column `emial`",
            "`email`",
        ),
        (
            r#"when { context.column.name == "adress.street" }"#,
            "no dataset that this policy reaches",
            "`address.street`",
        ),
        (r#"when { context.column.name == "address" }"#, "no dataset that this policy reaches", "`address."),
        (r#"when { context.column.name like "adress.*" }"#, "no column that this policy reaches is named", "pattern"),
        (r"when { resource has regon }", "no dataset that this policy reaches has a column `regon`", "`region`"),
    ] {
        let text = forbid(condition);
        one_error(&text, message, hint);
        let everything = format!("{text}\n{ACCEPTANCE}");
        let why = seen(&load(&everything), &person("dpo"), "sales.orders");
        assert!(why.contains("a refused policy"), "a refused forbid vanished: {condition}: {why}");
    }
}

#[test]
fn findings_point_at_the_word() {
    let text = "// governance/a.cedar\n// why\n@id(\"a\")\nforbid (principal, action, resource)\nwhen {\n    context.column.tags.contains(\"PII\")\n};\n";
    assert_eq!(
        findings(text),
        "governance/a.cedar:5:34: error: there is no tag `PII` in this mesh\n  hint: did you mean `pii`?"
    );
}

#[test]
fn heads_are_closed_too() {
    for (head, message) in [
        (r#"principal in Role::"analysts", action, resource"#, "there is no role `analysts`"),
        (r#"principal, action == Action::"write", resource"#, "there is no action `write`"),
        (r#"principal, action, resource in Domain::"sale""#, "there is no domain `sale`"),
        (r"principal, action, resource is sales::ordrs", "there is no dataset for the row type `sales::ordrs`"),
        (r#"principal, action, resource == sales::orders::"1""#, "a row of `sales::orders` has no name of its own"),
        (r"principal == ?principal, action, resource", "policy templates are not supported"),
    ] {
        let text = format!("// governance/a.cedar\n@id(\"a\") forbid ({head});");
        one_error(&text, message, "");
        let everything = format!("{text}\n{ACCEPTANCE}");
        for table in ["sales.orders", "hr.employees"] {
            assert!(seen(&load(&everything), &person("dpo"), table).starts_with("hidden"), "{head}");
        }
    }
}

#[test]
fn annotations_are_closed() {
    for (policy, message) in [
        ("permit (principal, action == Action::\"read\", resource);", "the policy has no `@id`"),
        (
            "@id(\"a\") @msk(\"hash\") permit (principal, action == Action::\"read\", resource);",
            "`@msk` is not an annotation",
        ),
        (
            "@id(\"a\") @mask(\"hidden\") permit (principal, action == Action::\"read\", resource);",
            "a permit cannot offer",
        ),
        (
            "@id(\"a\") @mask(\"first(2)\") forbid (principal, action == Action::\"read\", resource);",
            "a forbid cannot cap",
        ),
        (
            "@id(\"a\") @mask(\"Hash\") forbid (principal, action == Action::\"read\", resource);",
            "the policy's mask cannot",
        ),
    ] {
        let text = format!("// governance/a.cedar\n{policy}");
        one_error(&text, message, "");
        assert!(seen(&load(&format!("{text}\n{ACCEPTANCE}")), &person("dpo"), "sales.orders").starts_with("hidden"));
    }
    let twice = "// governance/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource);\n\
                 // sales/policies/b.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource in Domain::\"sales\");";
    one_error(twice, "the policy id `a` is taken", "governance/a.cedar:1:");
}

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
    assert!(!store.discover(&person("dpo"), "", NOW, &entry(&demo(), "sales.orders").product));
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
fn optional_columns_and_attributes_must_be_asked_for() {
    for (condition, word) in [
        ("resource.note == \"x\"", "note"),
        ("resource.region == principal.region", "region"),
        ("resource.amount == 5", "decimal"),
        ("resource.nothing == 5", "nothing"),
        ("principal.salary == 5", "salary"),
    ] {
        let text = format!(
            "// sales/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is sales::orders) when {{ {condition} }};"
        );
        let found = findings(&text);
        assert!(found.contains("policy `a` does not fit `sales.orders`") && found.contains(word), "{found}");
        assert!(seen(&load(&text), &person("ana"), "sales.orders").contains("does not validate"));
    }
}

#[test]
fn columns_without_a_cedar_type_are_named() {
    let text = "// logistics/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is logistics::shipments)\nwhen { resource.weight_kg == 5 };";
    let found = findings(text);
    assert!(
        found.starts_with(
            "logistics/policies/a.cedar:2:17: error: policy `a` reads `weight_kg` of `logistics.shipments`"
        ),
        "{found}"
    );
    assert_eq!(found.matches("error").count(), 1, "{found}");
    let has = text.replace("resource.weight_kg == 5", "!(resource has weight_kg)");
    assert!(findings(&has).contains("reads `weight_kg`"));
    assert!(seen(&load(&has), &person("ana"), "logistics.shipments").starts_with("hidden"));
}

#[test]
fn constructs_that_no_filter_can_run_are_found_at_load() {
    for condition in [
        "resource.ordered_at.toDate() == datetime(\"2024-01-01\")",
        "context.now.durationSince(resource.ordered_at) < duration(\"1d\")",
        "resource.ordered_at.offset(duration(\"1d\")) < context.now",
    ] {
        let text = format!(
            "// sales/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is sales::orders) when {{ {condition} }};"
        );
        one_error(&text, "this construct over a column cannot become a filter", "compare the column itself");
    }
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
fn a_broken_contract_sets_only_its_own_domains_policies_aside() {
    let snapshot = without(demo(), "sales", "orders");
    let store = PolicyStore::load(&files(ACCEPTANCE), &snapshot);
    let found = crate::diagnostic::render_all(store.findings());
    assert_eq!(found.matches("warning: policy").count(), 3, "{found}");
    assert!(!found.contains("error"), "{found}");
    let Decision::Exposed(_) = store.authorize(&person("otto"), "", NOW, entry(&snapshot, "sales.customers")) else {
        panic!("the rest of the domain is served");
    };
    let global =
        "// governance/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is sales::orders);";
    let store = PolicyStore::load(&files(global), &snapshot);
    assert!(
        crate::diagnostic::render_all(store.findings())
            .contains("error: there is no dataset for the row type `sales::orders`")
    );
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

#[test]
fn discovery_is_its_own_action() {
    let text = "// sales/policies/a.cedar\n@id(\"d\") permit (principal in Role::\"marketer\", action == Action::\"discover\", resource in Domain::\"sales\")\nwhen { context.product.status == \"active\" && !resource.tags.contains(\"finance\") };\n\
                // governance/b.cedar\n@id(\"n\") forbid (principal, action == Action::\"discover\", resource) when { resource.classification == \"restricted\" };\n\
                @id(\"r\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource);";
    assert_eq!(findings(text), "");
    let store = load(text);
    let snapshot = demo();
    let orders = &entry(&snapshot, "sales.orders").product;
    assert!(store.discover(&person("mia"), "", NOW, orders));
    assert!(!store.discover(&person("eve"), "", NOW, orders));
    assert!(!store.discover(&person("ana"), "", NOW, orders));
    assert!(!store.discover(&person("mia"), "", NOW, &entry(&demo(), "hr.employees").product));
    assert!(matches!(decide(&store, &person("mia"), "sales.orders"), Decision::Hidden { .. }));
    one_error(&text.replace("\"finance\"", "\"finanec\""), "there is no tag `finanec`", "`finance`");
}

/// Whatever names the mesh lets through, policies can speak of.
#[test]
fn names_that_look_like_keywords_work() {
    use arrow::datatypes::DataType::Int64;
    let mut failed = Vec::new();
    for word in [
        "action",
        "principal",
        "resource",
        "context",
        "permit",
        "forbid",
        "when",
        "unless",
        "type",
        "entity",
        "namespace",
        "datetime",
        "decimal",
        "duration",
        "ipaddr",
        "set",
        "string",
        "long",
        "bool",
        "record",
        "product",
        "user",
        "role",
        "domain",
        "_x",
        "x1",
        "enum",
        "tags",
        "attributes",
        "extension",
        "error",
        "ip",
        "unknown",
        "applies_to",
    ] {
        if word.parse::<crate::name::DomainName>().is_err() {
            continue;
        }
        let snapshot = mesh(vec![product(word, word, "1.0.0", vec![dataset(word, vec![column(word, Int64)])])]);
        let text = format!(
            "// {word}/policies/a.cedar\n@id(\"a\") permit (principal, action == Action::\"read\", resource is {word}::{word}) when {{ resource.{word} > 1 }};"
        );
        let store = PolicyStore::load(&files(&text), &snapshot);
        let decision = store.authorize(&person("eve"), "", NOW, entry(&snapshot, &format!("{word}.{word}")));
        if !fixture::show(&decision).contains("clear if") {
            failed.push((word, fixture::show(&decision), crate::diagnostic::render_all(store.findings())));
        }
    }
    assert_eq!(failed, []);
}
