//! What `docs/POLICIES.md` shows must be true.

use super::fixture::{demo, findings, load, person, seen};
use crate::policy::{Mask, ProductAction};

const TEXT: &str = include_str!("../../../docs/POLICIES.md");

fn examples() -> String {
    let mut blocks = TEXT.split("```cedar\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut all = String::new();
    for block in &mut blocks {
        assert!(block.starts_with("// "), "an example names its file first: {block}");
        all.push_str(block);
    }
    all
}

#[test]
fn every_example_validates() {
    let examples = examples();
    assert!(examples.matches("@id").count() >= 6, "{examples}");
    assert_eq!(findings(&examples), "");
    let store = load(&examples);
    assert!(seen(&store, &person("hana"), "hr.employees").contains("salary: clear if"));
    let touchpoints =
        demo().products.iter().find(|product| product.name.to_string() == "marketing.touchpoints").cloned();
    assert!(store.may(ProductAction::Discover, &person("eve"), "", 0, &touchpoints.unwrap()));
}

#[test]
fn the_order_of_exposure_is_the_one_shown() {
    let line = TEXT.lines().find(|line| line.contains("clear > first(n)")).unwrap();
    let masks: Vec<Mask> =
        line.split('>').map(|mask| mask.trim().replace("(n)", "(2)").replace("(k)", "(2)").parse().unwrap()).collect();
    assert_eq!(masks.len(), 11);
    assert!(masks.is_sorted_by(|a, b| a < b));
}
