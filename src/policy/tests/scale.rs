//! A mesh of many products is decided as a small one is.

use arrow::datatypes::DataType::{Date32, Int64, Utf8};

use super::fixture::{NOW, column, dataset, decimal, files, mesh, person, product, timestamp};
use crate::policy::{Decision, PolicyStore};

fn run(products: usize) {
    let domains = products / 50;
    let mut all = Vec::new();
    for at in 0..products {
        let columns = (0..16).map(|n| column(&format!("c{n}"), Int64)).chain([
            column("name#pii", Utf8),
            column("region", Utf8),
            column("day", Date32),
            column("at", timestamp()),
            column("price", decimal()),
        ]);
        let name = format!("p{at}");
        all.push(product(&format!("d{}", at % domains), &name, "1.0.0", vec![dataset(&name, columns.collect())]));
    }
    let snapshot = mesh(all);
    let mut text = "// governance/pii.cedar\n@id(\"pii\") @mask(\"hash\") forbid (principal, action == Action::\"read\", resource)\n\
                    when { context.column.tags.contains(\"pii\") } unless { principal in Role::\"privacy-officer\" };\n"
        .to_owned();
    for domain in 0..domains {
        let policy = format!(
            "// d{domain}/policies/a.cedar\n@id(\"a{domain}\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource in Domain::\"d{domain}\")\n\
             when {{ principal has region && resource.region == principal.region }};\n"
        );
        text.push_str(&policy);
    }
    let store = PolicyStore::load(&files(&text), &snapshot);
    assert_eq!(store.findings(), []);
    let asked: Vec<_> = snapshot.tables.values().take(100).collect();
    for table in &asked {
        let decision = store.authorize(&person("ana"), "", NOW, table);
        let Decision::Exposed(exposed) = decision else { panic!("{} is hidden", table.table) };
        assert_eq!(exposed.columns.iter().filter(|column| !column.caps.is_empty()).count(), 1);
    }
    for table in &asked {
        assert!(matches!(store.authorize(&person("bob"), "", NOW, table), Decision::Exposed(_)));
    }
}

#[test]
fn a_large_mesh_loads() {
    run(200);
}
