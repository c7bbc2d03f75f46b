"""Whether two answers are the same: multisets of rows, exact but for floats, and in order where the statement orders all of it."""

import decimal
import math
import typing

import pyarrow as pa

RELATIVE = 1e-9


class Answer(typing.NamedTuple):
    kinds: tuple[str, ...] = ()
    rows: tuple[tuple, ...] = ()
    error: str | None = None


def family(kind: pa.DataType) -> str:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {family(kind.value_type)}"
    tests = {
        "boolean": pa.types.is_boolean, "integer": pa.types.is_integer, "float": pa.types.is_floating, "decimal": pa.types.is_decimal,
        "date": pa.types.is_date, "text": lambda each: pa.types.is_string(each) or pa.types.is_large_string(each), "nothing": pa.types.is_null,
    }  # fmt: skip
    if pa.types.is_timestamp(kind):
        return "time with zone" if kind.tz else "time"
    return next((name for name, test in tests.items() if test(kind)), str(kind))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days and microseconds for dates and times: Python's own end at the year 9999."""
    if pa.types.is_date32(column.type):
        return column.cast(pa.int32())
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    return column


def answer(table: pa.Table) -> Answer:
    columns = [plain(column).to_pylist() for column in table.columns]
    return Answer(tuple(family(each.type) for each in table.schema), tuple(zip(*columns)) if columns else ())


def key(value):
    """Sorts the rows of both answers alike: floats that differ by rounding must not change places."""
    if value is None:
        return (0, "")
    if isinstance(value, float):
        return (1, "nan") if math.isnan(value) else (1, f"{value + 0.0:.8e}")
    if isinstance(value, decimal.Decimal):
        return (1, str(value.normalize()) if value else "0")
    return (1, str(value))


def equal(left, right) -> bool:
    if left is None or right is None:
        return left is right
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right or math.isclose(left, right, rel_tol=RELATIVE, abs_tol=1e-9)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


def unmatched(left: list[tuple], right: list[tuple]) -> tuple[list[tuple], list[tuple]]:
    """The rows that have no partner; floats may sort differently on both sides."""
    pairs = [(one, other) for one, other in zip(left, right) if not all(map(equal, one, other))]
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    for one in list(left):
        partner = next((place for place, other in enumerate(right) if all(map(equal, one, other))), None)
        if partner is not None:
            left.remove(one)
            del right[partner]
    return left, right


def difference(ours: Answer, theirs: Answer, ordered: bool) -> str | None:
    """How the answers differ, in words; None where they are the same."""
    if len(ours.rows) != len(theirs.rows):
        return f"{len(ours.rows)} rows, and {len(theirs.rows)} of DuckDB"
    left, right = list(ours.rows), list(theirs.rows)
    if not ordered:
        left, right = (sorted(rows, key=lambda row: tuple(map(key, row))) for rows in (left, right))
    if ours.rows and len(left[0]) != len(right[0]):
        return f"{len(left[0])} columns, and {len(right[0])} of DuckDB"
    if not ordered:
        left, right = unmatched(left, right)
    for one, other in zip(left, right):
        if not all(map(equal, one, other)):
            return f"{one}, and {other} of DuckDB"
    for place, (one, other) in enumerate(zip(ours.kinds, theirs.kinds), 1):
        # A constant NULL has the type that each planner likes best.
        if one != other and any(row[place - 1] is not None for row in ours.rows):
            if "nothing" not in one + other:
                return f"column {place} is {one}, and {other} of DuckDB"
    return None
