"""Why two right answers may differ, and the faults of meshgate that are known: each with its name, its source, and how it is recognised."""

import re
import typing

from differential.compare import Answer


class Case(typing.NamedTuple):
    sql: str
    """As meshgate was asked."""
    ours: Answer
    theirs: Answer
    found: str
    """How the answers differ; empty where one of them failed."""

    def says(self, pattern: str) -> bool:
        return re.search(pattern, self.sql) is not None

    def fails(self, pattern: str) -> bool:
        return re.search(pattern, self.ours.error or "") is not None


class Reason(typing.NamedTuple):
    name: str
    why: str
    holds: typing.Callable[[Case], bool]


COMPUTED = "cannot be cast|cannot be computed|too large for its type|cast error|invalid argument error"

# Both answers are right by some standard, or DuckDB's is not.
REASONS = [
    Reason(
        "positions below one",
        "PostgreSQL takes every whole number in GROUP BY for a position, and refuses -1; DuckDB takes it for a value.",
        lambda case: case.fails("cannot find column with position -"),
    ),
    Reason(
        "no variance",
        "PostgreSQL, 9.21: corr and the regressions are NULL where a variance is 0; DuckDB's are NaN.",
        lambda case: "nan" in case.found and case.says(r"corr\(|regr_slope\("),
    ),
    Reason(
        "months of other lengths",
        "From 31 March to 30 April is no whole month to MySQL's TIMESTAMPDIFF and to PostgreSQL's age, as docs/CLIENTS.md says; to DuckDB's date_sub it is one.",
        lambda case: bool(case.found) and case.says(r"date_diff\('(month|year)'"),
    ),
    Reason(
        "narrow numbers",
        "DuckDB, Integer Types: a literal takes the type of the column beside it, and TINYINT overflows; here a literal is a BIGINT.",
        lambda case: "Overflow" in (case.theirs.error or "") and re.search(r"INT(8|16|32)|TINYINT|SMALLINT|type INT", case.theirs.error) is not None,
    ),
    Reason(
        "bounds below 1970",
        "DuckDB 1.4 compares date_trunc(…, t) with a time before 1970 as if it were an hour later: 1970-01-01 00:00 is after 1969-12-31 23:59.",
        lambda case: bool(case.found) and case.says(r"date_trunc\(") and "1969-12-31 23:59:59" in case.sql,
    ),
    Reason("years before the first", "DuckDB and PostgreSQL write `BC`; ISO 8601 has a year 0.", lambda case: "(BC)" in case.found),
    Reason(
        "cancelling sums",
        "A covariance of values that cancel out is rounding and nothing else.",
        lambda case: bool(case.found) and case.says(r"covar_\w+\(") and re.search(r"e-\d\d", case.found) is not None,
    ),
    Reason(
        "joins of subqueries",
        "DuckDB answers some subqueries in joins with `Not implemented`.",
        lambda case: "Not implemented Error" in (case.theirs.error or ""),
    ),
    Reason(
        "rows with NULLs compared",
        "PostgreSQL, 9.25.5: NULL where a NULL decides, as here; to DuckDB NULL is greater than all.",
        lambda case: bool(case.found) and case.says(r"\(\([^()]*, [^()]*\) (=|<|IN) \("),
    ),
]

# Wrong by the SQL standard or by PostgreSQL, and known. What is mended is taken out.
FAULTS = [
    Reason(
        "scales after rounding",
        "PostgreSQL, 9.3: trunc, floor, ceil and round of a number without digits have none; here they keep the scale.",
        lambda case: bool(re.search(r"'-?\d+\.0+'", case.found)) and case.says(r"CAST\(.*(trunc|floor|ceil|round)\(.*AS VARCHAR"),
    ),
    Reason(
        "lists with NULLs compared",
        "PostgreSQL, 9.19: a NULL element is greater than others.",
        lambda case: bool(case.found) and case.says(r"(xs|\)) < (\w+\.xs|array|make_array|CASE)"),
    ),
    Reason(
        "decimal literals",
        "SQL:2016, 5.3: a number with a point is exact; here it is a double.",
        lambda case: bool(case.found) and case.says(r"\* 1\.1 ="),
    ),
    Reason("cut fractions", "percentile_cont interpolates with six digits.", lambda case: bool(case.found) and case.says(r"percentile_cont\(0\.9")),
    Reason(
        "edges of floats",
        "-0.0 is not 0 in IN, CASE and nullif, and NaN is no maximum of a group.",
        lambda case: bool(case.found) and case.says(r"\.g\b|IN \(0\.0|nullif\([^()]*(\.f|::double)"),
    ),
    Reason(
        "NULL = ANY of an empty list",
        "PostgreSQL, 9.25.3: false where the array has no elements.",
        lambda case: bool(case.found) and case.says(r"= ANY \((?!SELECT)"),
    ),
    Reason(
        "aggregates of NULL",
        "An aggregate of an untyped NULL.",
        lambda case: (
            case.fails("cannot be computed|not supported for Null|Null [&|^] Null|requires Integer, but received")
            and case.says(r"(avg|sum|(bit|bool)_\w+|stddev\w*|var_\w+)\((DISTINCT )?(NULL|CASE|\(- NULL|abs\(NULL)|NULL [&|^] NULL")
        ),
    ),
    Reason(
        "names without casts",
        "Two expressions that differ by a CAST have one name inside of the engine.",
        lambda case: case.fails("projections require unique expression names|gives the name"),
    ),
    Reason(
        "years of five digits",
        "Their text, with a sign before it, is not read back.",
        lambda case: "'+1000" in case.found or (case.fails("cannot be computed|[Ee]rror parsing (timestamp|date)") and case.says("AS VARCHAR")),
    ),
    Reason(
        "aggregates in two orders",
        "One query orders the input of two aggregates in two ways.",
        lambda case: case.fails("conflicting ordering requirements"),
    ),
    Reason(
        "constants in the order of an aggregate",
        "They are taken for the place of a column.",
        lambda case: case.fails("order by column out of bounds|order by index starts|single expression required|Casting from Utf8 to Null"),
    ),
    Reason(
        "counts inside of lists",
        "array_position and its like are no BIGINT where a function of lists takes them.",
        lambda case: (
            (case.fails("UInt64") or re.search("is (decimal|float), and integer", case.found) is not None)
            and case.says(r"array_position\(|cardinality\(|array_length\(")
        ),
    ),
]


def explain(sql: str, ours: Answer, theirs: Answer, found: str | None) -> tuple[str, str] | None:
    """The kind, `reason` or `fault`, and the name."""
    case = Case(sql, ours, theirs, found or "")
    for kind, reasons in (("reason", REASONS), ("fault", FAULTS)):
        for reason in reasons:
            if reason.holds(case):
                return kind, reason.name
    return None
