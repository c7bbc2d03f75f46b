//! What calls cost, from the sizes of their arguments alone.
//!
//! Each rule is an upper bound that grows with every argument, but for texts that are searched for, where the shortest costs most.

use super::pattern::Dialect;
use super::size::ValueSize;

/// What one row of a call costs at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CallCost {
    /// Bytes of the value that it makes.
    pub bytes: u64,
    /// Steps of work, each about a nanosecond in a release build.
    pub steps: u64,
}

/// Bytes that one value may take.
pub(super) const VALUE_BYTES: u64 = 32 << 20;
/// Steps that one value may take.
pub(super) const VALUE_STEPS: u64 = 100_000_000;
/// Steps that all calls of one row may take, where no smaller part of the work is left to wait behind.
pub(super) const ROW_STEPS: u64 = 400_000_000;
/// States of a pattern: each slice of the work compiles it again.
pub(super) const PATTERN_STATES: u64 = 50_000;

/// How to bound one function or operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct CostRule {
    /// The name and its aliases.
    names: &'static [&'static str],
    cost: fn(&[ValueSize]) -> CallCost,
    /// The pattern's place and dialect, where there is one.
    pub pattern: Option<(usize, Dialect)>,
}

impl CostRule {
    /// What a call with arguments of these sizes costs.
    pub fn cost(&self, arguments: &[ValueSize]) -> CallCost {
        let CallCost { bytes, steps } = (self.cost)(arguments);
        // Offsets, and the call itself.
        CallCost { bytes: bytes.saturating_add(16), steps: steps.saturating_add(20) }
    }
}

/// The rule of a function, by its name or an alias.
pub(super) fn rule(name: &str) -> Option<&'static CostRule> {
    FUNCTIONS.iter().find(|rule| rule.names.contains(&name))
}

/// Every name whose calls are bounded.
pub fn bounded_functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().flat_map(|rule| rule.names.iter().copied())
}

/// `a || b` of texts.
pub(super) const CONCATENATION: CostRule = plain(&["||"], together);
/// Operators that match by a regular expression.
pub(super) const MATCH: CostRule = searching(&["~"], |all| scanned(all, 1), Dialect::Regex);
/// `LIKE` and `ILIKE`.
pub(super) const LIKE: CostRule = searching(&["LIKE"], |all| scanned(all, 1), Dialect::Like);

const fn plain(names: &'static [&'static str], cost: fn(&[ValueSize]) -> CallCost) -> CostRule {
    CostRule { names, cost, pattern: None }
}

const fn searching(names: &'static [&'static str], cost: fn(&[ValueSize]) -> CallCost, dialect: Dialect) -> CostRule {
    CostRule { names, cost, pattern: Some((1, dialect)) }
}

const FUNCTIONS: &[CostRule] = &[
    // Text.
    plain(&["repeat"], |all| moved(at(all, 0).bytes.saturating_mul(at(all, 1).number))),
    plain(&["lpad", "rpad"], |all| {
        // A character of the fill has up to four bytes.
        let each = if all.len() > 2 { 4 } else { 1 };
        moved(at(all, 0).bytes.saturating_add(at(all, 1).number.saturating_mul(each)))
    }),
    plain(&["concat", "array_concat", "array_cat", "list_concat", "list_cat"], together),
    plain(&["concat_ws"], |all| {
        let between = at(all, 0).bytes.saturating_mul(all.len() as u64);
        moved(sum(all).saturating_add(between))
    }),
    plain(&["replace"], |all| {
        let [text, from, to] = [at(all, 0), at(all, 1), at(all, 2)];
        // Nothing is found in front of, between and behind all characters.
        let found = text.bytes.checked_div(from.least_bytes).unwrap_or(text.bytes + 1);
        let bytes = text.bytes.saturating_add(found.saturating_mul(to.bytes));
        CallCost { bytes, steps: bytes.saturating_add(text.bytes.saturating_mul(2)) }
    }),
    plain(&["translate"], |all| {
        let [text, from, to] = [at(all, 0), at(all, 1), at(all, 2)];
        let bytes = text.bytes.saturating_mul(to.bytes.max(4));
        CallCost { bytes, steps: text.bytes.saturating_add(from.bytes).saturating_mul(20) }
    }),
    plain(&["overlay"], together),
    plain(&["btrim", "trim", "ltrim", "rtrim"], |all| {
        let tried = if all.len() > 1 { at(all, 1).bytes.max(1) } else { 1 };
        CallCost { bytes: at(all, 0).bytes, steps: at(all, 0).bytes.saturating_mul(tried) }
    }),
    plain(&["strpos", "instr", "position"], |all| CallCost {
        bytes: 4,
        steps: at(all, 0).bytes.saturating_mul(at(all, 1).bytes.max(1)),
    }),
    plain(&["levenshtein"], |all| CallCost {
        bytes: 8,
        steps: at(all, 0).bytes.saturating_mul(at(all, 1).bytes).saturating_mul(3),
    }),
    plain(&["to_char", "date_format"], |all| {
        // Two characters of the format can stand for thirty.
        let bytes = at(all, 1).bytes.saturating_mul(16).saturating_add(32);
        CallCost { bytes, steps: bytes.saturating_mul(8) }
    }),
    plain(&["string_to_array", "string_to_list"], |all| {
        let (text, parts) = (at(all, 0).bytes, at(all, 0).bytes / at(all, 1).least_bytes.max(1) + 1);
        let bytes = text.saturating_add(parts.saturating_mul(5));
        CallCost { bytes, steps: bytes.saturating_mul(8) }
    }),
    // Binary.
    plain(&["encode", "decode"], |all| moved(at(all, 0).bytes.saturating_mul(2).saturating_add(8))),
    plain(&["md5", "sha224", "sha256", "sha384", "sha512", "digest"], |all| CallCost {
        bytes: 128,
        steps: at(all, 0).bytes.saturating_mul(8).saturating_add(500),
    }),
    // Regular expressions.
    searching(&["regexp_like"], |all| scanned(all, 1), Dialect::Regex),
    searching(&["regexp_count", "regexp_instr"], |all| searched(all, 8), Dialect::Regex),
    searching(
        &["regexp_match"],
        |all| {
            // As many groups as brackets.
            let groups = at(all, 1).bytes / 2 + 1;
            scanned(all, at(all, 0).bytes.saturating_add(8).saturating_mul(groups))
        },
        Dialect::Regex,
    ),
    searching(
        &["regexp_replace"],
        |all| {
            let [text, by] = [at(all, 0).bytes, at(all, 2).bytes];
            // Without flags, the first match only. What stands for a group takes two bytes and may be the whole match.
            let found = if all.len() > 3 { text + 1 } else { 1 };
            let groups = text.saturating_mul(by / 2);
            let bytes = text.saturating_add(found.saturating_mul(by)).saturating_add(groups);
            let CallCost { steps, .. } = if all.len() > 3 { searched(all, 8) } else { scanned(all, 8) };
            CallCost { bytes, steps: steps.saturating_add(bytes / 4) }
        },
        Dialect::Regex,
    ),
    // Lists.
    plain(&["array_repeat", "list_repeat"], |all| {
        moved(at(all, 0).bytes.saturating_add(16).saturating_mul(at(all, 1).number))
    }),
    plain(&["array_resize", "list_resize"], |all| {
        let each = at(all, 2).bytes.saturating_add(16);
        moved(at(all, 0).bytes.saturating_add(each.saturating_mul(at(all, 1).number)))
    }),
    plain(&["range", "generate_series"], |all| {
        // Times have no number here; what counts their steps is checked before planning.
        let ends = at(all, 0).number.saturating_add(at(all, 1).number);
        let each = at(all, 2).number.max(1);
        moved((ends / each).saturating_add(2).min(SERIES).saturating_mul(8))
    }),
    plain(
        &[
            "array_append",
            "list_append",
            "array_push_back",
            "list_push_back",
            "array_prepend",
            "list_prepend",
            "array_push_front",
            "list_push_front",
            "make_array",
            "make_list",
        ],
        together,
    ),
    plain(&["array_union", "list_union", "array_intersect", "list_intersect", "array_except", "list_except"], hashed),
    plain(&["array_distinct", "list_distinct", "array_sort", "list_sort", "flatten"], hashed),
    plain(&["arrays_zip", "list_zip"], |all| {
        let longest = all.iter().map(|list| list.elements).max().unwrap_or(0);
        moved(sum(all).saturating_add(longest.saturating_mul(16).saturating_mul(all.len() as u64)))
    }),
    plain(&["array_to_string", "list_to_string", "array_join", "list_join"], |all| {
        let list = at(all, 0);
        let each = list.element_text.saturating_add(at(all, 1).bytes).saturating_add(at(all, 2).bytes);
        // A list of lists has more elements than it says, of four bytes or more.
        let elements = list.elements.max(if list.element_text == 0 { 0 } else { list.bytes / 4 });
        let bytes = list.bytes.saturating_add(elements.saturating_mul(each));
        CallCost { bytes, steps: bytes.saturating_mul(2).saturating_add(elements.saturating_mul(20)) }
    }),
    plain(&["array_has_all", "list_has_all", "array_has_any", "list_has_any", "arrays_overlap"], |all| CallCost {
        bytes: 1,
        steps: at(all, 0).elements.saturating_mul(at(all, 1).elements).saturating_mul(10).saturating_add(sum(all)),
    }),
    plain(
        &[
            "array_has",
            "list_has",
            "array_contains",
            "list_contains",
            "array_position",
            "list_position",
            "array_indexof",
            "list_indexof",
            "array_positions",
            "list_positions",
            "array_remove",
            "list_remove",
            "array_remove_n",
            "list_remove_n",
            "array_remove_all",
            "list_remove_all",
            "array_replace",
            "list_replace",
            "array_replace_n",
            "list_replace_n",
            "array_replace_all",
            "list_replace_all",
        ],
        |all| {
            let list = at(all, 0);
            let bytes = list.bytes.saturating_add(list.elements.saturating_mul(at(all, 2).bytes.max(8)));
            CallCost { bytes, steps: list.elements.saturating_mul(10).saturating_add(bytes).saturating_add(500) }
        },
    ),
];

/// Values that a series has at most.
const SERIES: u64 = 1_000_001;

fn at(all: &[ValueSize], place: usize) -> ValueSize {
    all.get(place).copied().unwrap_or_default()
}

fn sum(all: &[ValueSize]) -> u64 {
    all.iter().fold(0, |sum, size| sum.saturating_add(size.bytes))
}

/// A value that is copied from others.
fn moved(bytes: u64) -> CallCost {
    CallCost { bytes, steps: bytes }
}

fn together(all: &[ValueSize]) -> CallCost {
    moved(sum(all).saturating_add(16 * all.len() as u64))
}

/// Each element is hashed, compared or moved by itself.
fn hashed(all: &[ValueSize]) -> CallCost {
    let elements = all.iter().fold(0_u64, |sum, list| sum.saturating_add(list.elements));
    let bytes = sum(all).saturating_add(16);
    CallCost { bytes, steps: bytes.saturating_add(elements.saturating_mul(100)) }
}

/// One search through the first argument: at worst, each byte meets each state of the pattern.
fn scanned(all: &[ValueSize], bytes: u64) -> CallCost {
    let states = at(all, 1).states.max(1);
    CallCost { bytes, steps: at(all, 0).bytes.saturating_add(16).saturating_mul(states).saturating_mul(2) }
}

/// A search that goes on behind each match: it may look at all the rest each time, and take one byte of it.
fn searched(all: &[ValueSize], bytes: u64) -> CallCost {
    let once = scanned(all, bytes);
    let text = at(all, 0).bytes;
    CallCost { steps: once.steps.saturating_add(text.saturating_mul(text) / 32), ..once }
}
