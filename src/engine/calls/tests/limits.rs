//! What is refused, reserved and ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::super::call::BoundedCall;
use super::super::cost::{bounded_functions, rule};
use super::{SINGLE, control, functions, invoke, list, text, texts, whole};
use crate::diagnostic::{Diagnostic, Kind};
use crate::engine::{CalledOff, StatementControl};

fn refusal(result: Result<ColumnarValue>) -> Diagnostic {
    let error = result.expect_err("the call was not refused");
    let root = error.find_root();
    match root {
        DataFusionError::External(inner) => inner.downcast_ref::<Diagnostic>().cloned(),
        _ => None,
    }
    .unwrap_or_else(|| panic!("not a refusal: {error}"))
}

/// Answers a text, and notes how often and with how many rows it was called, and what was reserved meanwhile.
#[derive(Debug)]
struct Probe {
    signature: Signature,
    calls: Arc<AtomicUsize>,
    reserved: Arc<AtomicUsize>,
    control: Arc<StatementControl>,
    /// The call in which the statement is cancelled.
    cancelled_in: usize,
}

impl Probe {
    fn new(control: &Arc<StatementControl>, cancelled_in: usize) -> Self {
        let (calls, reserved) = (Arc::default(), Arc::default());
        Self {
            signature: Signature::variadic_any(Volatility::Immutable),
            calls,
            reserved,
            control: Arc::clone(control),
            cancelled_in,
        }
    }

    fn bounded(self, name: &str) -> BoundedCall {
        let control = Arc::clone(&self.control);
        BoundedCall::of_function(Arc::new(ScalarUDF::new_from_impl(self)), rule(name).unwrap(), &control)
    }
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.calls, &other.calls)
    }
}

impl Eq for Probe {}

impl std::hash::Hash for Probe {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.calls).hash(state);
    }
}

impl ScalarUDFImpl for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.cancelled_in {
            drop(self.control.cancel_on_drop());
        }
        self.reserved.fetch_max(self.control.memory_pool().reserved(), Ordering::Relaxed);
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(vec!["x"; args.number_rows]))))
    }
}

#[test]
fn rules_name_functions_that_exist() {
    let mut known = BTreeSet::new();
    for function in functions() {
        known.insert(function.name().to_owned());
        known.extend(function.aliases().iter().cloned());
        // A plan knows a function by its first name.
        let aliased = function.aliases().iter().any(|alias| rule(alias).is_some());
        assert!(!aliased || rule(function.name()).is_some(), "{} is bounded by an alias only", function.name());
    }
    let unknown: Vec<&str> = bounded_functions().filter(|name| !known.contains(*name)).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

/// Calls that cost too much for a single value, each with a word of its refusal.
fn costly() -> Vec<(&'static str, Vec<ColumnarValue>, &'static str)> {
    let long = "a".repeat(1_000_000);
    let long = long.as_str();
    vec![
        ("repeat", vec![texts(&["ab", long]), whole(1_000)], "32 MiB"),
        ("lpad", vec![texts(&["a", "b"]), whole(50_000_000)], "32 MiB"),
        ("rpad", vec![texts(&["a", "b"]), whole(9_000_000), text("é")], "32 MiB"),
        ("concat", std::iter::repeat_n(texts(&["a", long]), 40).collect(), "32 MiB"),
        ("concat_ws", std::iter::repeat_n(texts(&["a", long]), 20).collect(), "32 MiB"),
        ("replace", vec![texts(&["a", long]), text("a"), text(&"b".repeat(100))], "32 MiB"),
        ("replace", vec![texts(&["a", long]), text(""), text(&"b".repeat(100))], "32 MiB"),
        ("translate", vec![texts(&["a", long]), text("a"), text(&"e\u{301}".repeat(50))], "32 MiB"),
        ("overlay", vec![texts(&["a", &long.repeat(20)]), texts(&["a", &long.repeat(20)]), whole(1)], "32 MiB"),
        ("btrim", vec![texts(&["a", long]), text(&"bcde".repeat(100))], "steps"),
        ("strpos", vec![texts(&["a", long]), text(&"ab".repeat(200))], "steps"),
        ("levenshtein", vec![texts(&["a", long]), texts(&["b", long])], "steps"),
        ("to_char", vec![times(), text(&"%c".repeat(2_000_000))], "32 MiB"),
        ("string_to_array", vec![texts(&["a", &long.repeat(10)]), text("a")], "32 MiB"),
        ("encode", vec![texts(&["a", &long.repeat(20)]), text("hex")], "32 MiB"),
        ("sha256", vec![texts(&["a", &long.repeat(20)])], "steps"),
        ("regexp_like", vec![texts(&["a", long]), text("(a|b){300}c")], "steps"),
        ("regexp_like", vec![texts(&["a", "b"]), text("((a{100}){100}){10}")], "regular expression"),
        ("regexp_match", vec![texts(&["a", long]), text(&"(a?)".repeat(40))], "32 MiB"),
        ("regexp_count", vec![texts(&["a", long]), text(".*[^A-Z]|[A-Z]")], "steps"),
        ("regexp_instr", vec![texts(&["a", long]), text(".*[^A-Z]|[A-Z]")], "steps"),
        ("regexp_replace", vec![texts(&["a", long]), text("a"), text(&"$0".repeat(100)), text("g")], "32 MiB"),
        ("array_repeat", vec![texts(&["a", long]), whole(1_000)], "32 MiB"),
        ("array_resize", vec![list(3), whole(9_000_000), whole(1)], "32 MiB"),
        ("array_to_string", vec![list(100_000), text(&"-".repeat(1_000))], "32 MiB"),
        ("array_has_all", vec![list(10_000), list(10_000)], "steps"),
        ("array_has_any", vec![list(10_000), list(10_000)], "steps"),
        ("array_union", vec![list(1_000_000), list(1_000_000)], "steps"),
        ("array_except", vec![list(1_000_000), list(1_000_000)], "steps"),
        ("array_intersect", vec![list(1_000_000), list(1_000_000)], "steps"),
        ("array_distinct", vec![list(1_000_001)], "steps"),
        ("array_concat", vec![list(1_000_000); 5], "32 MiB"),
        ("array_replace_all", vec![list(40_000), whole(1), text(&"b".repeat(1_000))], "32 MiB"),
    ]
}

fn times() -> ColumnarValue {
    ColumnarValue::Array(Arc::new(TimestampMicrosecondArray::from(vec![0, 1_700_000_000_000_000])))
}

#[test]
fn costly_values_are_refused_before_they_are_made() {
    for (name, args, word) in costly() {
        let control = control();
        let probe = Probe::new(&control, 0);
        let calls = Arc::clone(&probe.calls);
        // The first value is cheap, and might be made before the second is looked at.
        let refused = refusal(invoke(&probe.bounded(name), args, 2));
        assert_eq!(refused.kind, Kind::Exhausted, "{name}");
        assert!(refused.message.contains(word), "{name}: {}", refused.message);
        assert!(!refused.hints.is_empty(), "{name}");
        assert!(calls.load(Ordering::Relaxed) <= 1, "{name} was called");
        assert_eq!(control.memory_pool().reserved(), 0, "{name}");
    }
}

#[test]
fn costly_constants_are_refused_too() {
    let long = "a".repeat(1_000_000);
    let control = control();
    let probe = Probe::new(&control, 0);
    let calls = Arc::clone(&probe.calls);
    let refused = refusal(invoke(&probe.bounded("levenshtein"), vec![text(&long), text(&long)], 1));
    assert_eq!((refused.kind, calls.load(Ordering::Relaxed)), (Kind::Exhausted, 0));
}

#[test]
fn output_is_reserved_before_it_is_made() {
    let control = StatementControl::for_tests(4 << 20);
    let column = |rows: usize| ColumnarValue::Array(Arc::new(StringArray::from(vec!["x"; rows])));
    let probe = Probe::new(&control, 0);
    let (calls, reserved) = (Arc::clone(&probe.calls), Arc::clone(&probe.reserved));
    let call = probe.bounded("repeat");
    invoke(&call, vec![column(2_000), whole(1_000)], 2_000).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(reserved.load(Ordering::Relaxed) >= 2_000_000, "{reserved:?}");
    assert_eq!(control.memory_pool().reserved(), 0, "nobody holds the values");
    let refused = refusal(invoke(&call, vec![column(1), whole(5_000_000)], 1));
    assert_eq!(refused.kind, Kind::Exhausted);
    assert!(refused.message.contains("`probe` needs 5 MiB"), "{}", refused.message);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "it was refused, and called all the same");
}

#[test]
fn cancelled_statements_end_between_slices() {
    let control = control();
    let probe = Probe::new(&control, 3);
    let calls = Arc::clone(&probe.calls);
    let long = "a".repeat(4_000);
    let column = ColumnarValue::Array(Arc::new(StringArray::from(vec![long.as_str(); 100])));
    let call = probe.bounded("levenshtein").with_pace(SINGLE);
    let refused = invoke(&call, vec![column.clone(), column], 100).unwrap_err();
    assert!(CalledOff::is_cause_of(&refused), "{refused}");
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[test]
fn first_slices_are_small() {
    let control = control();
    let probe = Probe::new(&control, 2);
    let calls = Arc::clone(&probe.calls);
    let long = "a".repeat(95);
    let column = ColumnarValue::Array(Arc::new(StringArray::from(vec![long.as_str(); 8_192])));
    // The pace of every day: a batch of 220 million steps is begun with two million of them.
    let refused = invoke(&probe.bounded("levenshtein"), vec![column.clone(), column], 8_192).unwrap_err();
    assert!(CalledOff::is_cause_of(&refused), "{refused}");
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}
