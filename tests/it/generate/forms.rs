//! What can be said, as rows of data: each form is the type it has and its text with holes.
//!
//! A hole names what goes into it: `{int}`, `{text}`, … an expression of that type, `{any}` one of any type, `{=}` the same as
//! the hole before it; `{n}` a small number written out, `{like}`, `{regex}` and `{unit}` a literal of that kind; in windows
//! `{total}` an order that leaves no two rows equal, and `{some}` one that may.
//!
//! Left out, because their answers depend on the order of rows, on the clock or on chance whatever policy does: sums, averages and
//! moments of floats (a sum of floats is another sum in another order), `any_value`, aggregates of lists without an order,
//! `approx_percentile_cont` and its family (their sketches follow the order), `random`, `uuid`, `now` and its family. Lambdas, because
//! the dialect does not plan them.

use super::tree::Type::{self, Bool, Date, Float, Int, Ints, Stamp, Text, Texts};

pub type Form = (Type, &'static str);

#[rustfmt::skip]
pub const SCALARS: &[Form] = &[
    // Arithmetic, with what fails on some value.
    (Int, "({int} + {int})"), (Int, "({int} - {int})"), (Int, "({int} * {n})"), (Int, "({int} / {int})"),
    (Int, "({int} % {int})"), (Int, "(1 / ({int} - 5))"), (Int, "(100 / ({int} - 77))"), (Int, "(- {int})"),
    (Int, "({int} & {int})"), (Int, "({int} | {n})"), (Int, "({int} ^ {n})"), (Int, "({int} << {n})"), (Int, "({int} >> {n})"),
    (Int, "abs({int})"), (Int, "signum({int})::bigint"), (Int, "gcd({int}, {int})"), (Int, "lcm({int}, {n})"),
    (Int, "factorial({int} % 20)"), (Int, "factorial({int})"), (Int, "greatest({int}, {int})"), (Int, "least({int}, {int}, {n})"),
    (Int, "power({int}, {n})::bigint"), (Int, "CASE WHEN {bool} THEN {int} ELSE {int} END"),
    (Int, "CASE {int} WHEN {n} THEN {int} WHEN 5 THEN 1 / ({int} - 5) END"), (Int, "coalesce({int}, {int})"),
    (Int, "nullif({int}, {int})"), (Int, "nvl({int}, {n})"), (Int, "nvl2({int}, {int}, {n})"), (Int, "ifnull({int}, {int})"),
    (Float, "({float} + {int})"), (Float, "({float} * {float})"), (Float, "({float} / {float})"), (Float, "({int} / 7.5)"),
    (Float, "sqrt({float})"), (Float, "ln({float})"), (Float, "log10({float})"), (Float, "log(2, {float})"), (Float, "log2({float})"),
    (Float, "exp({float} / 100)"), (Float, "sin({float})"), (Float, "cos({float})"), (Float, "tan({float})"), (Float, "cot({float})"),
    (Float, "asin({float})"), (Float, "acos({float})"), (Float, "atan({float})"), (Float, "atan2({float}, {float})"),
    (Float, "sinh({float} / 50)"), (Float, "cosh({float} / 50)"), (Float, "tanh({float})"), (Float, "asinh({float})"),
    (Float, "acosh({float})"), (Float, "atanh({float})"), (Float, "cbrt({float})"), (Float, "ceil({float})"), (Float, "floor({float})"),
    (Float, "round({float}, {n})"), (Float, "trunc({float})"), (Float, "degrees({float})"), (Float, "radians({float})"),
    (Float, "nanvl({float}, {float})"), (Float, "signum({float})"), (Float, "pow({float}, {n})"), (Float, "pi()"),
    (Float, "CASE WHEN {bool} THEN {float} ELSE {float} END"),
    // Casts that may fail, and those that may not.
    (Int, "CAST({text} AS BIGINT)"), (Int, "TRY_CAST({text} AS BIGINT)"), (Int, "CAST({float} AS BIGINT)"),
    (Int, "arrow_cast({int}, 'Int8')::bigint"), (Int, "arrow_try_cast({int}, 'Int16')::bigint"), (Int, "CAST({bool} AS BIGINT)"),
    (Int, "CAST({int} AS TINYINT)::bigint"), (Int, "TRY_CAST({int} AS SMALLINT)::bigint"), (Int, "CAST({int} AS DECIMAL(6, 2))::bigint"),
    (Float, "CAST({text} AS DOUBLE)"), (Float, "TRY_CAST({text} AS DOUBLE)"), (Float, "CAST({int} AS DOUBLE)"), (Float, "CAST({int} AS REAL)::double"),
    (Text, "CAST({int} AS VARCHAR)"), (Text, "CAST({float} AS VARCHAR)"), (Text, "CAST({stamp} AS VARCHAR)"), (Text, "CAST({bool} AS VARCHAR)"),
    (Text, "arrow_typeof({any})"), (Text, "CAST({int} AS DECIMAL(20, 4))::varchar"),
    (Date, "CAST({text} AS DATE)"), (Date, "TRY_CAST({text} AS DATE)"), (Date, "CAST({stamp} AS DATE)"), (Date, "to_date({text})"),
    (Stamp, "CAST({text} AS TIMESTAMP)"), (Stamp, "TRY_CAST({text} AS TIMESTAMP)"), (Stamp, "CAST({date} AS TIMESTAMP)"),
    (Stamp, "to_timestamp({text})"), (Stamp, "to_timestamp_seconds({int})"), (Stamp, "to_timestamp_millis({int})"),
    (Stamp, "to_timestamp_micros({int})"), (Stamp, "to_timestamp_nanos({int})"), (Bool, "CAST({text} AS BOOLEAN)"),
    (Bool, "TRY_CAST({text} AS BOOLEAN)"), (Bool, "CAST({int} AS BOOLEAN)"),
    // Text.
    (Text, "lower({text})"), (Text, "upper({text})"), (Text, "initcap({text})"), (Text, "reverse({text})"), (Text, "({text} || {text})"),
    (Text, "concat({text}, {any}, {text})"), (Text, "concat_ws('-', {text}, {int})"), (Text, "left({text}, {n})"), (Text, "right({text}, {n})"),
    (Text, "substr({text}, {n}, 5)"), (Text, "substring({text} FROM {n})"), (Text, "substr_index({text}, 'e', {n})"),
    (Text, "split_part({text}, ' ', {n})"), (Text, "replace({text}, {text}, 'r')"), (Text, "translate({text}, 'aeiou', 'AEI')"),
    (Text, "overlay({text} placing 'zz' from 2 for {n})"), (Text, "repeat({text}, 2)"), (Text, "lpad({text}, 15, '*')"), (Text, "rpad({text}, 20, {text})"),
    (Text, "btrim({text})"), (Text, "ltrim({text}, 'fs')"), (Text, "rtrim({text}, 'te')"), (Text, "chr({int})"), (Text, "chr({int} % 200 + 32)"),
    (Text, "to_hex({int})"), (Text, "md5({text})"), (Text, "encode(sha256({text}), 'hex')"), (Text, "encode({text}::bytea, 'base64')"),
    (Text, "encode(sha512({text}), 'hex')"), (Text, "encode(digest({text}, 'blake3'), 'hex')"), (Text, "encode(sha224({text}), 'hex')"),
    (Text, "arrow_cast(decode({text}, 'hex'), 'Utf8')"), (Text, "arrow_cast(decode(encode({text}::bytea, 'hex'), 'hex'), 'Utf8')"),
    (Text, "CASE WHEN {bool} THEN {text} ELSE {text} END"), (Text, "coalesce({text}, {text})"), (Text, "nullif({text}, {text})"),
    (Text, "greatest({text}, {text})"), (Text, "least({text}, {text})"), (Text, "regexp_replace({text}, {regex}, '_', 'g')"),
    (Text, "array_to_string(regexp_match({text}, {regex}), ',')"), (Text, "get_field(named_struct('a', {text}, 'b', {int}), 'a')"),
    (Text, "struct({int}, {text})['c1']"), (Text, "map_extract(map([{text}], [{text}]), {text})[1]"), (Text, "map_keys(map([{text}], [{int}]))[1]"),
    (Int, "map_values(map([{text}], [{int}]))[1]"),
    (Int, "length({text})"), (Int, "character_length({text})"), (Int, "octet_length({text})"), (Int, "bit_length({text})"), (Int, "ascii({text})"),
    (Int, "strpos({text}, {text})"), (Int, "position('e' IN {text})"), (Int, "instr({text}, 'o')"), (Int, "levenshtein({text}, {text})"),
    (Int, "find_in_set({text}, 'EU,open,x')"), (Int, "regexp_count({text}, {regex})"), (Int, "regexp_instr({text}, {regex})"),
    // Truth.
    (Bool, "({int} = {int})"), (Bool, "({int} > {int})"), (Bool, "({int} >= {n})"), (Bool, "({int} < {n})"), (Bool, "({int} <> {int})"),
    (Bool, "({int} IS DISTINCT FROM {int})"), (Bool, "({int} BETWEEN {n} AND {int})"), (Bool, "({int} IN ({n}, 5, 77, {int}))"),
    (Bool, "({int} NOT IN (1, {n}))"), (Bool, "(1 / ({int} - 5) >= 0)"), (Bool, "NOT (1 / ({int} - 5) < 0)"), (Bool, "(10 / {int} > {n})"),
    (Bool, "({text} = {text})"), (Bool, "({text} < {text})"), (Bool, "({text} <> 'EU')"), (Bool, "({text} IN ('EU', 'open', 'x'))"),
    (Bool, "({text} LIKE {like})"), (Bool, "({text} NOT LIKE {like})"), (Bool, "({text} ILIKE {like})"), (Bool, "({text} SIMILAR TO {regex})"),
    (Bool, "({text} ~ {regex})"), (Bool, "({text} !~* {regex})"), (Bool, "regexp_like({text}, {regex})"), (Bool, "starts_with({text}, {text})"),
    (Bool, "ends_with({text}, {text})"), (Bool, "contains({text}, {text})"), (Bool, "({float} > {float})"), (Bool, "({float} <= {n})"), (Bool, "isnan({float})"),
    (Bool, "iszero({float})"), (Bool, "({stamp} > {stamp})"), (Bool, "({stamp} <= {stamp})"), (Bool, "({date} = {date})"), (Bool, "({date} > {date})"),
    (Bool, "({any} IS NULL)"), (Bool, "({any} IS NOT NULL)"), (Bool, "({bool} AND {bool})"), (Bool, "({bool} AND {bool})"), (Bool, "({bool} OR {bool})"),
    (Bool, "({bool} OR {bool})"), (Bool, "NOT {bool}"), (Bool, "({bool} IS TRUE)"), (Bool, "({bool} IS NOT FALSE)"), (Bool, "({bool} IS UNKNOWN)"),
    (Bool, "CASE WHEN {bool} THEN {bool} ELSE {bool} END"), (Bool, "coalesce({bool}, {bool})"),
    // Dates.
    (Int, "date_part({unit}, {stamp})::bigint"), (Int, "extract(day FROM {date})::bigint"), (Int, "to_unixtime({stamp})"), (Stamp, "from_unixtime({int})::timestamp"),
    (Stamp, "date_trunc({unit}, {stamp})"), (Stamp, "date_bin(INTERVAL '2 days', {stamp})"), (Stamp, "date_add({unit}, {int}, {stamp})"), (Stamp, "date_sub({stamp}, INTERVAL '{n} days')"),
    (Date, "date_add('day', {int}, {date})"), (Int, "date_diff({unit}, {stamp}, {stamp})"), (Int, "datediff({date}, {stamp})"),
    (Int, "DATEDIFF(month, {date}, {date})"),
    (Stamp, "({stamp} + INTERVAL '{n} hours')"),
    (Stamp, "({stamp} - INTERVAL '1 month')"), (Date, "({date} + INTERVAL '1 day')::date"), (Date, "make_date(2026, {n}, 3)"),
    (Date, "make_date(2000 + {int}, 1, 2)"), (Date, "CASE WHEN {bool} THEN {date} ELSE {date} END"), (Stamp, "coalesce({stamp}, {stamp})"), (Stamp, "greatest({stamp}, {stamp})"),
    (Text, "to_char({stamp}, '%Y/%d')"), (Text, "date_format({date}, '%m')"), (Int, "({date} - {date})::varchar::bigint"),
    (Text, "({stamp} - {stamp})::varchar"), (Text, "make_time({n}, {n}, 7)::varchar"), (Text, "to_time({text})::varchar"),
    // Lists.
    (Texts, "string_to_array({text}, ' ')"), (Texts, "make_array({text}, {text})"), (Texts, "array_append({texts}, {text})"),
    (Texts, "array_prepend({text}, {texts})"), (Texts, "array_concat({texts}, {texts})"), (Texts, "array_remove({texts}, {text})"),
    (Texts, "array_remove_all({texts}, {text})"), (Texts, "array_replace({texts}, {text}, 'r')"), (Texts, "array_sort({texts})"), (Texts, "array_distinct({texts})"),
    (Texts, "array_slice({texts}, 1, {n})"), (Texts, "array_pop_back({texts})"), (Texts, "array_reverse({texts})"), (Texts, "array_repeat({text}, 2)"),
    (Texts, "array_sort(array_union({texts}, {texts}))"), (Texts, "array_sort(array_intersect({texts}, {texts}))"), (Texts, "array_compact({texts})"),
    (Texts, "array_sort(array_except({texts}, {texts}))"), (Texts, "array_resize({texts}, 3, {text})"),
    (Ints, "make_array({int}, {int}, {n})"), (Ints, "array_sort({ints})"), (Ints, "array_pop_front({ints})"),
    (Ints, "range(1, 4)"), (Ints, "generate_series(0, 6, 2)"), (Ints, "array_append({ints}, {int})"), (Ints, "array_positions({texts}, {text})::bigint[]"), (Ints, "flatten(make_array({ints}, {ints}))"),
    (Int, "cardinality({texts})::bigint"), (Int, "array_length({ints})::bigint"), (Int, "array_position({texts}, {text})::bigint"), (Int, "{ints}[1]"), (Int, "{ints}[{n}]"),
    (Int, "array_max({ints})"), (Int, "array_min({ints})"), (Int, "array_element({ints}, {int})"), (Int, "array_ndims({texts})::bigint"), (Int, "array_any_value({ints})"),
    (Text, "{texts}[1]"), (Text, "array_element({texts}, {n})"), (Text, "array_to_string({texts}, '+')"), (Text, "array_to_string({ints}, ',')"), (Text, "array_max({texts})"),
    (Bool, "array_has({texts}, {text})"), (Bool, "array_has_any({texts}, {texts})"), (Bool, "array_has_all({ints}, {ints})"), (Bool, "empty({ints})"),
];

/// Over the rows of a group; they do not nest.
#[rustfmt::skip]
pub const AGGREGATES: &[Form] = &[
    (Int, "count(*)"), (Int, "count({any})"), (Int, "count(DISTINCT {any})"), (Int, "sum({int})"), (Int, "sum(DISTINCT {int})"), (Int, "min({int})"), (Int, "max({int})"),
    (Int, "max(1 / ({int} - 5))"), (Int, "sum({int}) FILTER (WHERE {bool})"), (Int, "count(*) FILTER (WHERE {bool})"), (Int, "bit_and({int})"), (Int, "bit_or({int})"),
    (Int, "bit_xor({int})"), (Int, "approx_distinct({text})::bigint"), (Int, "median({int})"), (Int, "(max({int}) - min({int}))"), (Int, "(sum({int}) / (count({any}) - {n}))"),
    (Int, "first_value({int} ORDER BY {=})"), (Int, "nth_value({int}, 2 ORDER BY {=})"), (Int, "cardinality(array_agg({any}))::bigint"), (Int, "sum(length({text}))"),
    (Text, "min({text})"), (Text, "max({text})"), (Text, "string_agg({text}, ',' ORDER BY {=})"), (Text, "array_to_string(array_agg({int} ORDER BY {=} DESC), ',')"),
    (Text, "array_to_string(array_agg(DISTINCT {text} ORDER BY {=}), ',')"), (Text, "last_value({text} ORDER BY {=})"), (Text, "max({text}) || min({text})"),
    (Float, "min({float})"), (Float, "max({float})"), (Float, "percentile_cont({int}, 0.5)"), (Float, "(max({float}) / count(*))"),
    (Bool, "bool_and({bool})"), (Bool, "bool_or({bool})"), (Bool, "(count(*) > {n})"), (Bool, "(min({text}) = max({=}))"), (Bool, "(1 / (sum({int}) - 5) >= 0)"),
    (Date, "min({date})"), (Date, "max({date})"), (Stamp, "min({stamp})"), (Stamp, "max({stamp})"),
];

/// Over the rows of a query.
#[rustfmt::skip]
pub const WINDOWS: &[Form] = &[
    (Int, "row_number() OVER ({total})"), (Int, "rank() OVER ({some})"), (Int, "dense_rank() OVER ({some})"), (Int, "ntile(3) OVER ({total})"), (Int, "ntile({n} + 1) OVER ({total})"),
    (Int, "lag({int}, 1) OVER ({total})"), (Int, "lead({int}, {n}, 0) OVER ({total})"), (Int, "first_value({int}) OVER ({total})"), (Int, "last_value({int}) OVER ({total})"),
    (Int, "nth_value({int}, 2) OVER ({total})"), (Int, "sum({int}) OVER ({total})"), (Int, "sum({int}) OVER ({total} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)"),
    (Int, "count(*) OVER ({some})"), (Int, "count({any}) OVER ({total} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"), (Int, "max({int}) OVER (PARTITION BY {any})"),
    (Int, "sum(1 / ({int} - 5)) OVER (PARTITION BY {any})"), (Int, "count(*) OVER ()"), (Int, "min({int}) OVER ({total} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"),
    (Int, "count(*) FILTER (WHERE {bool}) OVER ({some})"), (Int, "sum({int}) OVER ({total} GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW)"),
    (Text, "lag({text}) OVER ({total})"), (Text, "first_value({text}) OVER ({total})"), (Text, "max({text}) OVER ({some})"), (Text, "min({text}) OVER (PARTITION BY {any})"),
    (Text, "last_value({text}) OVER ({total} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"),
    (Float, "percent_rank() OVER ({some})"), (Float, "cume_dist() OVER ({some})"), (Float, "max({float}) OVER ({some})"),
    (Bool, "bool_and({bool}) OVER ({some})"), (Bool, "(rank() OVER ({some}) < 3)"), (Bool, "lag({bool}) OVER ({total})"),
    (Date, "max({date}) OVER ({some})"), (Date, "lead({date}) OVER ({total})"), (Stamp, "min({stamp}) OVER (PARTITION BY {any})"), (Stamp, "lag({stamp}, 2) OVER ({total})"),
];

#[rustfmt::skip]
pub const INTS: &[&str] = &["0", "1", "2", "3", "5", "7", "9", "10", "20", "50", "77", "100", "104", "666", "-1", "103", "104209391870183", "9223372036854775807", "NULL"];
#[rustfmt::skip]
pub const TEXTS: &[&str] = &["'EU'", "'EU-1'", "'x'", "''", "'first note'", "'1'", "'12'", "'open'", "'canary'", "'hidden-region'", "'e'", "'***'", "'2026-01-02'", "'o%'", "'4f'", "NULL"];
pub const FLOATS: &[&str] = &["0.0", "1.5", "-2.25", "10.0", "77.0", "1e300", "CAST('NaN' AS DOUBLE)", "NULL"];
pub const BOOLS: &[&str] = &["true", "false", "NULL"];
pub const DATES: &[&str] = &["DATE '2026-01-03'", "DATE '1999-12-31'", "DATE '2026-01-08'"];
pub const STAMPS: &[&str] =
    &["TIMESTAMP '2026-01-02T00:00:00'", "TIMESTAMP '1999-12-31T00:00:00'", "TIMESTAMP '2026-01-05T12:30:00'"];
pub const LIKES: &[&str] =
    &["'%note%'", "'E%'", "'canary-%'", "'%_e_%'", "'hidden-%'", "'%t'", "'f____'", "'%mesh.example'", "'cnry%'"];
pub const REGEXES: &[&str] =
    &["'n.te'", "'^[a-f]'", "'[0-9]+'", "'(e)(.)'", "'canary'", "'h$'", "'^hidden'", "'(note|long)'"];
pub const UNITS: &[&str] = &["'year'", "'month'", "'day'", "'hour'", "'quarter'", "'week'"];
