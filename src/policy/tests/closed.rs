//! What keeps it closed: unknown words, bad files, errors, and policies that reach too far.

use super::fixture::{
    self, ACCEPTANCE, NOW, column, dataset, decide, demo, entry, files, findings, load, mesh, one_error, person,
    product, seen,
};
use crate::policy::{Decision, PolicyStore, ProductAction};

/// One governance forbid with this condition, in a file of its own.
fn forbid(condition: &str) -> String {
    format!(
        "// governance/a.cedar\n@id(\"a\")\nforbid (principal, action == Action::\"read\", resource)\n{condition};\n"
    )
}

#[test]
fn purposes_are_closed_where_the_mesh_lists_them() {
    let of = |purposes: Option<&[&str]>, condition: &str| {
        let mut mesh = demo();
        mesh.mesh.purposes = purposes.map(|words| words.iter().map(|word| word.parse().unwrap()).collect());
        let store = PolicyStore::load(&files(&forbid(condition)), &mesh);
        store.findings().iter().map(|finding| format!("{}; {}", finding.message, finding.hints.join("; "))).collect()
    };
    let known: &[&str] = &["fraud-detection", "support"];
    for (condition, expect) in [
        (
            r#"when { context.purpose == "fraud-detektion" }"#,
            "there is no purpose `fraud-detektion` in this mesh; did you mean `fraud-detection`?",
        ),
        (
            r#"unless { ["support", "audits"].contains(context.purpose) }"#,
            "there is no purpose `audits` in this mesh; known are `fraud-detection`, `support`",
        ),
        (
            r#"when { "Support" != context["purpose"] }"#,
            "there is no purpose `Support` in this mesh; did you mean `support`?",
        ),
        (
            r#"when { context.purpose like "froud*" }"#,
            "no purpose of this mesh is like this pattern; check the pattern, or add the purpose to `purposes` in mesh.yaml; they compare exactly",
        ),
    ] {
        let found: Vec<String> = of(Some(known), condition);
        assert_eq!(found, [expect], "{condition}");
        let found: Vec<String> = of(None, condition);
        assert!(found.is_empty(), "{condition}: {found:?}");
    }
    for condition in [
        r#"when { context.purpose == "support" || context.purpose == "" }"#,
        r#"unless { context.purpose like "fraud-*" }"#,
    ] {
        let found: Vec<String> = of(Some(known), condition);
        assert!(found.is_empty(), "{condition}: {found:?}");
    }
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
        // What rows are called where no policy names their type.
        (r"principal, action, resource is Row", "there is no dataset for the row type `Row`"),
        (r#"principal, action, resource == sales::orders::"1""#, "a row of `sales::orders` has no name of its own"),
        (r"principal == ?principal, action, resource", "policy templates are not supported"),
    ] {
        let text = format!("// governance/a.cedar\n@id(\"a\") forbid ({head});");
        one_error(&text, message, "");
        // A wrong resource that names its domain denies that domain, any other everything.
        let store = load(&format!("{text}\n{ACCEPTANCE}"));
        assert!(seen(&store, &person("dpo"), "sales.orders").starts_with("hidden"), "{head}");
        let elsewhere = seen(&store, &person("dpo"), "hr.employees");
        assert_eq!(elsewhere.starts_with("hidden"), !head.contains("is sales::ord"), "{head}: {elsewhere}");
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
fn discovery_is_its_own_action() {
    let text = "// sales/policies/a.cedar\n@id(\"d\") permit (principal in Role::\"marketer\", action == Action::\"discover\", resource in Domain::\"sales\")\nwhen { context.product.status == \"active\" && !resource.tags.contains(\"finance\") };\n\
                // governance/b.cedar\n@id(\"n\") forbid (principal, action == Action::\"discover\", resource) when { resource.classification == \"restricted\" };\n\
                @id(\"r\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource);";
    assert_eq!(findings(text), "");
    let store = load(text);
    let snapshot = demo();
    let orders = &entry(&snapshot, "sales.orders").product;
    assert!(store.may(ProductAction::Discover, &person("mia"), "", NOW, orders));
    assert!(!store.may(ProductAction::Discover, &person("eve"), "", NOW, orders));
    assert!(!store.may(ProductAction::Discover, &person("ana"), "", NOW, orders));
    assert!(!store.may(ProductAction::Discover, &person("mia"), "", NOW, &entry(&demo(), "hr.employees").product));
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
