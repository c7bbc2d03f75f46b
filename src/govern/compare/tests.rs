//! Both directions of every kind of change, without data.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use arrow::datatypes::DataType::{Date32, Int64, Utf8};

use super::super::tests::fixture::{ALWAYS, column, compare as condition, entry, exposed, is, path, rule, rules};
use super::Shift::{Both, Gains};
use super::{Difference, Seen, Shift, compare};
use crate::policy::Comparison::{Greater, GreaterOrEqual, Less};
use crate::policy::{Comparison, Condition, Literal, PatternPart, Rule, Term};

fn seen(columns: &[(&str, DataType, Vec<Rule>, Vec<Rule>)]) -> Option<Seen> {
    let declared = columns.iter().map(|(name, kind, ..)| column(name, kind.clone(), false)).chain([
        column("region", Utf8, true),
        column("amount", Int64, false),
        column("tags", DataType::new_list(Utf8, true), false),
    ]);
    let entry = entry(declared.collect());
    let stated = columns.iter().map(|(name, _, offers, caps)| rules(name, offers.clone(), caps.clone()));
    Seen::of(entry.dataset(), &exposed(stated.collect()))
}

/// Two columns in clear where the condition holds.
fn rows(when: &Condition) -> Option<Seen> {
    seen(&["id", "email"].map(|name| (name, Utf8, vec![rule("clear", std::slice::from_ref(when))], Vec::new())))
}

fn shift(before: Option<&Seen>, after: Option<&Seen>) -> Option<Shift> {
    compare(before, after).map(|difference| difference.shift)
}

fn regions(words: &[&str]) -> Condition {
    let words = words.iter().map(|word| Literal::String((*word).to_owned())).collect();
    Condition::OneOf(Box::new(Term::Column(path("region"))), words)
}

fn amount(op: Comparison, value: i64) -> Condition {
    condition(op, "amount", Literal::Long(value))
}

fn holds(words: &[&str], any: bool) -> Condition {
    let words: BTreeSet<Literal> = words.iter().map(|word| Literal::String((*word).to_owned())).collect();
    if any { Condition::ContainsAny(path("tags"), words) } else { Condition::ContainsAll(path("tags"), words) }
}

fn starts(text: &str) -> Condition {
    let pattern = vec![PatternPart::Text(text.to_owned()), PatternPart::Wildcard];
    Condition::Like(Box::new(Term::Column(path("region"))), pattern)
}

fn not(condition: &Condition) -> Condition {
    Condition::Not(Box::new(condition.clone()))
}

#[test]
fn a_changed_condition_has_a_direction() {
    let (eu, us) = (is("region", "EU"), is("region", "US"));
    let large = amount(Greater, 10);
    let has = Condition::Has(path("region"));
    let contains = |word: &str| Condition::Contains(path("tags"), Literal::String(word.to_owned()));
    // Read from left to right; the other way round must say the opposite.
    let table = [
        (Condition::And(vec![eu.clone(), large.clone()]), eu.clone(), Some(Gains)),
        (eu.clone(), Condition::Or(vec![eu.clone(), large.clone()]), Some(Gains)),
        (eu.clone(), regions(&["EU", "US"]), Some(Gains)),
        (eu.clone(), ALWAYS, Some(Gains)),
        (not(&regions(&["EU", "US"])), not(&eu), Some(Gains)),
        (amount(Greater, 20), large.clone(), Some(Gains)),
        (amount(Comparison::Equal, 15), large.clone(), Some(Gains)),
        (contains("a"), holds(&["a", "b"], true), Some(Gains)),
        (holds(&["a", "b"], false), contains("a"), Some(Gains)),
        (Condition::IsEmpty(path("tags")), not(&contains("a")), Some(Gains)),
        (Condition::And(vec![starts("E"), large.clone()]), starts("E"), Some(Gains)),
        (eu.clone(), us.clone(), Some(Both)),
        (eu.clone(), large.clone(), Some(Both)),
        (amount(Less, 12), large.clone(), Some(Both)),
        // Not understood, so it may be either.
        (eu.clone(), starts("E"), Some(Both)),
        // The same, said otherwise.
        (large.clone(), amount(GreaterOrEqual, 11), None),
        (Condition::And(vec![has, eu.clone()]), eu.clone(), None),
        (not(&Condition::Or(vec![eu.clone(), us.clone()])), Condition::And(vec![not(&us), not(&eu)]), None),
        (
            Condition::If(Box::new(eu.clone()), Box::new(large.clone()), Box::new(Condition::Const(false))),
            Condition::And(vec![large, eu]),
            None,
        ),
    ];
    for (before, after, expect) in table {
        let (one, other) = (rows(&before), rows(&after));
        assert_eq!(shift(one.as_ref(), other.as_ref()), expect, "{before:?} → {after:?}");
        let back = expect.map(|shift| if shift == Gains { Shift::Loses } else { shift });
        assert_eq!(shift(other.as_ref(), one.as_ref()), back, "{after:?} → {before:?}");
        if let Some(difference) = compare(one.as_ref(), other.as_ref()) {
            assert_eq!((difference.rows, difference.columns.as_slice()), (Some(difference.shift), [].as_slice()));
        }
    }
}

#[test]
fn a_changed_mask_has_a_direction() {
    let offer = |mask: &str, cap: &str, kind: &DataType| {
        let caps = if cap.is_empty() { Vec::new() } else { vec![rule(cap, &[ALWAYS])] };
        let columns = [
            ("id", Int64, vec![rule("clear", &[ALWAYS])], Vec::new()),
            ("x", kind.clone(), vec![rule(mask, &[ALWAYS])], caps),
        ];
        seen(&columns)
    };
    for (kind, before, after, expect, texts) in [
        (Utf8, ("clear", "hash"), ("clear", ""), Gains, ("hash", "clear")),
        (Utf8, ("null", ""), ("redact", ""), Gains, ("null", "redact")),
        (Utf8, ("redact", ""), ("hash", ""), Gains, ("redact", "hash")),
        (Utf8, ("first(2)", ""), ("first(4)", ""), Both, ("first(2)", "first(4)")),
        (Utf8, ("first(2)", "hash"), ("first(2)", ""), Gains, ("hash of first(2)", "first(2)")),
        (Utf8, ("first(4)", ""), ("last(4)", ""), Both, ("first(4)", "last(4)")),
        (Utf8, ("email_domain", ""), ("hash", ""), Both, ("email_domain", "hash")),
        (Date32, ("year", ""), ("month", ""), Gains, ("year", "month")),
        (Int64, ("bucket(20)", ""), ("bucket(10)", ""), Gains, ("bucket(20)", "bucket(10)")),
        (Int64, ("bucket(15)", ""), ("bucket(10)", ""), Both, ("bucket(15)", "bucket(10)")),
    ] {
        let (one, other) = (offer(before.0, before.1, &kind), offer(after.0, after.1, &kind));
        let difference = compare(one.as_ref(), other.as_ref()).unwrap();
        assert_eq!((difference.shift, difference.rows, difference.columns.len()), (expect, None, 1), "{texts:?}");
        let column = &difference.columns[0];
        assert_eq!((column.before.as_deref(), column.after.as_deref()), (Some(texts.0), Some(texts.1)));
        let back = compare(other.as_ref(), one.as_ref()).unwrap().shift;
        assert_eq!(back, if expect == Gains { Shift::Loses } else { Both }, "{texts:?}");
    }
}

#[test]
fn columns_and_datasets_come_and_go() {
    let clear = || vec![rule("clear", &[ALWAYS])];
    let one = seen(&[("id", Int64, clear(), Vec::new())]);
    let two = seen(&[("id", Int64, clear(), Vec::new()), ("email", Utf8, clear(), Vec::new())]);
    let Difference { shift, rows, columns, .. } = compare(one.as_ref(), two.as_ref()).unwrap();
    assert_eq!((shift, rows, columns.len()), (Gains, None, 1));
    assert_eq!((columns[0].path.to_string().as_str(), &columns[0].before), ("email", &None));
    assert_eq!(compare(two.as_ref(), one.as_ref()).unwrap().shift, Shift::Loses);
    assert_eq!(compare(None, two.as_ref()).unwrap().columns.len(), 2);
    assert_eq!(compare(two.as_ref(), None).unwrap().rows, Some(Shift::Loses));
    assert_eq!(compare(one.as_ref(), one.as_ref()), None);
    assert_eq!(compare(None, None), None);
}

#[test]
fn a_loss_does_not_hide_a_gain() {
    // Fewer rows, and in them more of the email.
    let side = |when: &Condition, caps: Vec<Rule>| {
        let clear = vec![rule("clear", std::slice::from_ref(when))];
        seen(&[("id", Int64, clear.clone(), Vec::new()), ("email", Utf8, clear, caps)])
    };
    let before = side(&ALWAYS, vec![rule("hash", &[ALWAYS])]);
    let after = side(&is("region", "EU"), Vec::new());
    let difference = compare(before.as_ref(), after.as_ref()).unwrap();
    assert_eq!((difference.shift, difference.rows), (Both, Some(Shift::Loses)));
    assert_eq!(difference.columns[0].shift, Gains);
    // A cap under a condition, widened: the same rows, some of them masked.
    let before = side(&ALWAYS, vec![rule("hash", &[is("region", "EU")])]);
    let after = side(&ALWAYS, vec![rule("hash", &[regions(&["EU", "US"])])]);
    let difference = compare(before.as_ref(), after.as_ref()).unwrap();
    assert_eq!((difference.shift, difference.rows), (Shift::Loses, None));
    assert_eq!(difference.columns[0].before.as_deref(), Some("hash where region = 'EU'; else clear"));
    assert_eq!(difference.columns[0].after.as_deref(), Some("hash where region in ('EU', 'US'); else clear"));
}

#[test]
fn what_is_too_much_to_compare_may_be_a_gain() {
    let patterns: Vec<Condition> = (0..20).map(|n| starts(&format!("x{n}"))).collect();
    let before = rows(&Condition::Or(patterns.clone()));
    let after = rows(&Condition::Or(patterns[1..].to_vec()));
    let difference = compare(before.as_ref(), after.as_ref()).unwrap();
    assert_eq!((difference.shift, difference.rows, difference.decided), (Both, Some(Both), false));
    // Many values are few worlds.
    let many: Vec<String> = (0..5_000).map(|n| format!("r{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(shift(rows(&regions(&many)).as_ref(), rows(&regions(&many[1..])).as_ref()), Some(Shift::Loses));
}

#[test]
fn rows_are_told_as_they_are_written() {
    let text = |seen: Option<Seen>| seen.unwrap().rows();
    assert_eq!(text(rows(&ALWAYS)), "all");
    assert_eq!(text(rows(&is("region", "EU"))), "region = 'EU'");
    let clear = |when: Condition| vec![rule("clear", &[when])];
    let withheld = vec![rule("hidden", &[amount(Greater, 5)])];
    let two = seen(&[
        ("id", Int64, clear(is("region", "EU")), withheld),
        ("email", Utf8, clear(is("region", "US")), Vec::new()),
    ]);
    assert_eq!(text(two.clone()), "(region = 'EU' and not (amount > 5)) or region = 'US'");
    let columns: Vec<String> = two.unwrap().columns().map(|(path, text)| format!("{path}: {text}")).collect();
    assert_eq!(columns[1], "email: clear where region = 'US'; else hidden");
}
