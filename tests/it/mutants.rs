//! The list of ways to break the enforcement keeps up with the code, and the page that shows it keeps up with the list.

use std::path::Path;

use toml::Table;

fn mutants() -> Vec<Table> {
    let list: Table = read("tests/mutants.toml").parse().unwrap();
    list["mutant"].as_array().unwrap().iter().map(|mutant| mutant.as_table().unwrap().clone()).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_mutant_still_fits_the_code() {
    let mutants = mutants();
    assert!(mutants.len() >= 15, "{}", mutants.len());
    for mutant in &mutants {
        let text = read(mutant["file"].as_str().unwrap());
        for change in [Some(mutant), mutant.get("also").and_then(toml::Value::as_table)].into_iter().flatten() {
            let found = text.matches(change["find"].as_str().unwrap()).count();
            assert_eq!(found, 1, "{}: its text must stand once in {}", mutant["name"], mutant["file"]);
        }
    }
}

#[test]
fn the_page_shows_every_mutant_of_the_list_and_no_other() {
    let page = read("docs/SECURITY.md");
    let table = page.split("<!-- mutants").nth(1).and_then(|rest| rest.split("<!-- end of mutants").next()).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), mutants().len(), "`make mutants` writes the table anew");
    for row in rows {
        let known = mutants().iter().any(|mutant| {
            let (name, breaks) = (mutant["name"].as_str().unwrap(), mutant["breaks"].as_str().unwrap());
            row.starts_with(&format!("| `{name}` | {breaks} | `"))
        });
        assert!(known, "`make mutants` writes the table anew: {row}");
    }
}
