//! The SQL words offered by completion and coloured as keywords.
//!
//! The tokenizer knows about a thousand keywords, among them `name`, `status` and `region`; a column of that
//! name should not look like syntax.

/// Sorted, upper case.
pub(super) const KEYWORDS: [&str; 102] = [
    "ACCESS",
    "ALL",
    "ANALYZE",
    "AND",
    "ANTI",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BY",
    "CASE",
    "CAST",
    "COLUMNS",
    "CROSS",
    "CURRENT",
    "DATE",
    "DECIMAL",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DOUBLE",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXCLUDE",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FETCH",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "FROM",
    "FULL",
    "FUNCTIONS",
    "GROUP",
    "GROUPING",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INT",
    "INTEGER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "QUALIFY",
    "RANGE",
    "RECURSIVE",
    "RESET",
    "RIGHT",
    "ROLLUP",
    "ROW",
    "ROWS",
    "SELECT",
    "SEMI",
    "SET",
    "SETS",
    "SHOW",
    "SIMILAR",
    "SMALLINT",
    "SOME",
    "TABLE",
    "TABLES",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "TO",
    "TRUE",
    "TRY_CAST",
    "UNBOUNDED",
    "UNION",
    "UNNEST",
    "USING",
    "VALUES",
    "VARCHAR",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Sorted, lower case: the functions that people reach for.
pub(super) const FUNCTIONS: [&str; 84] = [
    "abs",
    "approx_distinct",
    "approx_median",
    "array_agg",
    "array_length",
    "arrow_typeof",
    "avg",
    "btrim",
    "ceil",
    "char_length",
    "coalesce",
    "concat",
    "concat_ws",
    "contains",
    "corr",
    "count",
    "cume_dist",
    "current_date",
    "current_timestamp",
    "date_bin",
    "date_part",
    "date_trunc",
    "dense_rank",
    "digest",
    "encode",
    "ends_with",
    "exp",
    "first_value",
    "floor",
    "from_unixtime",
    "greatest",
    "initcap",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "max",
    "md5",
    "mean",
    "median",
    "min",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "nvl",
    "percent_rank",
    "position",
    "power",
    "rank",
    "regexp_count",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "rpad",
    "rtrim",
    "sha256",
    "split_part",
    "sqrt",
    "starts_with",
    "stddev",
    "string_agg",
    "strpos",
    "substr",
    "sum",
    "to_char",
    "to_date",
    "to_timestamp",
    "upper",
    "var",
];

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search_by(|keyword| (*keyword).cmp(word.to_ascii_uppercase().as_str())).is_ok()
}

/// The candidate that was most likely meant, if any is close enough to be worth saying.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits from one word to the other, a swap of two neighbours counting once (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut last = None;
    for (i, c) in from.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, d) in to.iter().enumerate() {
            let cost = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cost(&above, j) + usize::from(c != *d)).min(cost(&above, j + 1) + 1).min(cost(&row, j) + 1);
            if j > 0 && last == Some(*d) && to.get(j - 1) == Some(&c) {
                best = best.min(cost(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
        last = Some(c);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(KEYWORDS.is_sorted());
        assert!(FUNCTIONS.is_sorted());
        assert!(is_keyword("Select") && !is_keyword("region") && !is_keyword("name"));
    }

    #[test]
    fn a_near_miss_is_named_and_a_far_one_is_not() {
        assert_eq!(closest("ordres", ["carriers", "orders"]), Some("orders"));
        assert_eq!(closest("timng", ["timing", "i"]), Some("timing"));
        assert_eq!(closest("salaries", ["orders", "customers"]), None);
    }
}
