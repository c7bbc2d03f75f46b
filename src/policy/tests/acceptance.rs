//! The acceptance table of the demo, as rules.

use super::fixture::{ACCEPTANCE, NOW, demo, load, person, seen};
use crate::policy::{Clause, ColumnRules, Comparison, Condition, Decision, Literal, Mask, Rule, Term};

/// The condition that people of a region get.
fn region(name: &str) -> String {
    format!(
        "{:?}",
        Condition::Compare(
            Comparison::Equal,
            Box::new(Term::Column(crate::name::ColumnPath::root("region".parse().unwrap()))),
            Box::new(Term::Literal(Literal::String(name.to_owned()))),
        )
    )
}

#[track_caller]
fn check(who: &str, table: &str, expect: &str) {
    let store = load(ACCEPTANCE);
    assert_eq!(store.findings(), []);
    let expect = expect.replace("EU", &region("EU")).replace("US", &region("US"));
    let expect: Vec<&str> = expect.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(seen(&store, &person(who), table), expect.join("\n"), "{who} on {table}");
}

const NOTHING: &str = "hidden: no policy shows any of it";

#[test]
fn all_nineteen_policies_load() {
    let store = load(ACCEPTANCE);
    assert_eq!(store.findings(), []);
    assert_eq!(store.policies().count(), 19);
    assert!(!store.refuses_to_serve());
    assert_ne!(store.digest, load("").digest);
}

#[test]
fn analysts_see_their_region() {
    for (who, region) in [("ana", "EU"), ("bob", "US")] {
        let here = |text: &str| text.replace("HERE", region);
        check(
            who,
            "sales.customers",
            &here(
                "customer_id,country,region,segment,signed_up: clear if HERE
             name,email,phone: clear if HERE CAP hash
             credit_limit: -",
            ),
        );
        check(
            who,
            "sales.orders",
            &here("order_id,customer_id,region,ordered_at,amount,note,order_year: clear if HERE"),
        );
        check(who, "sales.order_lines", "order_id,line_no,product_code,quantity,unit_price: clear");
        check(
            who,
            "logistics.shipments",
            &here(
                "shipment_id,region,delivered_at,weight_kg,address.city,address.postcode: clear if HERE
             address.street: null if HERE CAP hash",
            ),
        );
        check(who, "logistics.carriers", "carrier_id,name,mode: clear");
        check(who, "marketing.touchpoints", NOTHING);
        check(who, "hr.employees", NOTHING);
    }
}

#[test]
fn marketers_see_domains_of_addresses() {
    check(
        "mia",
        "sales.customers",
        "customer_id,country,region,segment,signed_up: clear
         name,phone: clear CAP hash
         email: email_domain
         credit_limit: -",
    );
    check("mia", "sales.orders", NOTHING);
    check("mia", "marketing.touchpoints", "customer_id,channel,campaign,at: clear");
    check("mia", "logistics.shipments", NOTHING);
}

#[test]
fn partners_see_salaries_cell_by_cell() {
    check(
        "hana",
        "hr.employees",
        "employee_id,region,department,manager_id: clear
         name,email: clear CAP hash
         salary: clear if EU | bucket(10000)",
    );
    check("hana", "sales.customers", NOTHING);
}

#[test]
fn owners_see_the_end_of_personal_data() {
    check(
        "otto",
        "sales.customers",
        "customer_id,country,region,segment,signed_up,credit_limit: clear
         name,email,phone: last(4)",
    );
    check("otto", "sales.orders", "order_id,customer_id,region,ordered_at,amount,note,order_year: clear");
    check("otto", "sales.order_lines", "order_id,line_no,product_code,quantity,unit_price: clear");
    check("otto", "logistics.carriers", "carrier_id,name,mode: clear");
    check("otto", "logistics.shipments", NOTHING);
}

#[test]
fn the_privacy_officer_sees_everything_and_eve_nothing() {
    let store = load(ACCEPTANCE);
    for (table, entry) in &demo().tables {
        let Decision::Exposed(exposed) = store.authorize(&person("dpo"), "", NOW, entry) else {
            panic!("{table} is hidden from dpo");
        };
        for ColumnRules { path, offers, caps } in exposed.columns {
            let clear = Rule {
                mask: Mask::Clear,
                when: vec![Clause {
                    policy: "privacy-officer-reads-everything".into(),
                    condition: Condition::Const(true).into(),
                }],
            };
            assert_eq!((&*offers, &*caps), (&[clear][..], &[][..]), "{table}.{path}");
        }
        assert!(matches!(store.authorize(&person("eve"), "", NOW, entry), Decision::Hidden { .. }), "{table}");
    }
}

#[test]
fn a_decision_names_the_policies_that_bear_on_it() {
    let Decision::Exposed(exposed) = super::fixture::decide(&load(ACCEPTANCE), &person("ana"), "sales.customers")
    else {
        panic!("hidden");
    };
    assert_eq!(exposed.policies, ["analysts-read-customers-of-their-region", "pii-is-masked"]);
    assert!(!exposed.reads_clock);
}
