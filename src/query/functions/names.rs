//! The reviewed names, aliases among them.

/// How a function may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Free,
    /// Allocates as much as this argument says, outside of what the engine reserves.
    Sized(usize),
    /// As `Sized`, by its first two arguments (or zero and its only one) and the step between them.
    Series,
    Refused(&'static str),
}

/// Each size argument may say at most this.
pub(super) const LARGEST: u64 = 1_000_000;

/// Sizes nest (`replace(repeat(…), 'x', repeat(…))`), so those above [`SMALL`] may multiply to at most this.
pub(super) const LARGEST_PRODUCT: u64 = 100_000_000;
pub(super) const SMALL: u64 = 100;

pub(super) fn rule(name: &str) -> Option<Rule> {
    SPECIAL
        .iter()
        .find(|(special, _)| *special == name)
        .map(|(_, rule)| *rule)
        .or_else(|| FREE.iter().any(|line| line.split(' ').any(|free| free == name)).then_some(Rule::Free))
}

/// Every name that may be called.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    let special = SPECIAL.iter().filter(|(_, rule)| !matches!(rule, Rule::Refused(_))).map(|(name, _)| *name);
    special.chain(FREE.iter().flat_map(|line| line.split(' ')))
}

const FILES: &str = "it tells of the files behind a product";
const METADATA: &str = "it tells of metadata that is not part of a product";

const SPECIAL: &[(&str, Rule)] = &[
    ("input_file_name", Rule::Refused(FILES)),
    ("file_row_index", Rule::Refused(FILES)),
    ("arrow_metadata", Rule::Refused(METADATA)),
    ("arrow_field", Rule::Refused(METADATA)),
    ("with_metadata", Rule::Refused(METADATA)),
    ("version", Rule::Refused("it tells of the engine")),
    ("repeat", Rule::Sized(1)),
    ("lpad", Rule::Sized(1)),
    ("rpad", Rule::Sized(1)),
    ("array_repeat", Rule::Sized(1)),
    ("list_repeat", Rule::Sized(1)),
    ("array_resize", Rule::Sized(1)),
    ("list_resize", Rule::Sized(1)),
    ("range", Rule::Series),
    ("generate_series", Rule::Series),
];

const FREE: &[&str] = &[
    // planned by the engine itself, never registered
    "unnest make_map",
    // planned for operators, never registered
    "interval_between interval_times interval_divided",
    // core
    "nullif arrow_cast arrow_try_cast cast_to_type try_cast_to_type nvl ifnull nvl2 overlay arrow_typeof named_struct",
    "get_field coalesce greatest least union_extract union_tag struct row",
    // dates and times
    "current_date today current_time date_bin date_part datepart date_trunc datetrunc from_unixtime make_date make_time",
    "now current_timestamp to_char date_format to_date to_local_time to_time to_unixtime to_timestamp",
    "to_timestamp_seconds to_timestamp_millis to_timestamp_micros to_timestamp_nanos",
    // our own
    "date_add dateadd timestampadd date_sub date_diff timestampdiff datediff justify_interval",
    // mathematics
    "abs acos acosh asin asinh atan atan2 atanh cbrt ceil cos cosh cot degrees exp factorial floor gcd isnan iszero lcm",
    "ln log log2 log10 nanvl pi power pow radians random rand signum sin sinh sqrt tan tanh round trunc",
    // text, binary
    "regexp_count regexp_match regexp_instr regexp_like regexp_replace digest md5 sha224 sha256 sha384 sha512 encode decode",
    "character_length length char_length find_in_set initcap left reverse right strpos instr position substr substring",
    "substr_index substring_index translate ascii bit_length btrim trim chr concat concat_ws ends_with levenshtein lower",
    "ltrim octet_length replace rtrim split_part starts_with to_hex upper uuid contains",
    // lists
    "array_compact list_compact array_to_string list_to_string array_join list_join string_to_array string_to_list",
    "array_dims list_dims cardinality array_ndims list_ndims array_append list_append array_push_back list_push_back",
    "array_prepend list_prepend array_push_front list_push_front array_concat array_cat list_concat list_cat array_except",
    "list_except array_element array_extract list_element list_extract array_pop_back list_pop_back array_pop_front",
    "list_pop_front array_slice list_slice array_any_value list_any_value make_array make_list array_has list_has",
    "array_contains list_contains array_has_all list_has_all array_has_any list_has_any arrays_overlap empty array_empty",
    "list_empty array_length list_length array_normalize list_normalize array_add list_add array_avg list_avg",
    "array_product list_product array_scale list_scale array_subtract list_subtract array_sum list_sum cosine_distance",
    "inner_product dot_product array_distance list_distance flatten array_max list_max array_min array_sort list_sort",
    "array_reverse list_reverse array_distinct list_distinct array_intersect list_intersect array_union list_union",
    "arrays_zip list_zip array_position list_position array_indexof list_indexof array_positions list_positions",
    "array_remove list_remove array_remove_all list_remove_all array_remove_n list_remove_n array_replace_n list_replace_n",
    "array_replace_all list_replace_all array_replace list_replace array_any_match any_match list_any_match array_filter",
    "list_filter array_first list_first array_transform list_transform",
    // maps
    "map map_entries map_extract element_at map_keys map_values",
    // aggregates
    "any_value array_agg first_value last_value covar_samp covar covar_pop corr sum max min median count regr_slope",
    "regr_intercept regr_count regr_r2 regr_avgx regr_avgy regr_sxx regr_syy regr_sxy var var_sample var_samp var_pop",
    "var_population stddev stddev_samp stddev_pop approx_median approx_distinct approx_percentile_cont",
    "approx_percentile_cont_with_weight percentile_cont quantile_cont string_agg bit_and bit_or bit_xor bool_and bool_or",
    "avg mean grouping nth_value",
    // windows
    "cume_dist row_number lead lag rank dense_rank percent_rank ntile",
];
