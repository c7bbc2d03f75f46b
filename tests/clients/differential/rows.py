"""The rows of the two tables, from a seed: values at the edges of their types, NULLs and duplicates."""

import datetime
import decimal
import random

import pyarrow as pa

D = decimal.Decimal
DATES = ["0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01", "2000-02-29", "2024-02-29", "1900-03-01", "2023-12-31", "2024-01-01", "2026-07-15"]
STAMPS = [
    "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00", "2000-02-29 12:30:15.5",
    "2024-02-29 23:59:59", "1899-12-31 06:00:00.000001", "2024-01-01 00:00:00", "2026-07-15 08:09:10.123456", "2024-03-31 01:30:00",
]  # fmt: skip
TEXTS = [
    "",
    "a",
    "A",
    "abc",
    "ABC",
    "aBc d",
    "é",
    "É",
    "Ünï cöde",
    "日本語",
    "x_y",
    "50%",
    "a\\b",
    "it's",
    'say "hi"',
    "  padded ",
    "zz",
    "ab",
    "0",
    "naïve 😀 end",
]
NUMBERS = ["12", "-7", "0", "1.5", "007", "99999999999", "abc", "", " 5", "true"]
CATEGORIES = ["red", "green", "blue", "red", "a b"]
DECIMALS = [D("0.00"), D("1.50"), D("-1.50"), D("2.50"), D("9999999.99"), D("-9999999.99"), D("0.01"), D("123.45"), D("10.00")]
FLOATS = [0.0, 1.5, -2.25, 0.1, 1e6, -1e-6, 2.5, 3.5, 100.0]
EDGES = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1.5, -2.25, 0.1]

SCHEMA = pa.schema([
    ("id", pa.int64()), ("i8", pa.int8()), ("i16", pa.int16()), ("i32", pa.int32()), ("i64", pa.int64()), ("dec", pa.decimal128(12, 2)),
    ("wide", pa.decimal128(30, 6)), ("f", pa.float64()), ("g", pa.float32()), ("b", pa.bool_()), ("txt", pa.string()), ("num", pa.string()),
    ("cat", pa.string()), ("d", pa.date32()), ("ts", pa.timestamp("us")), ("tz", pa.timestamp("us", "UTC")),
    ("xs", pa.list_(pa.int64())), ("names", pa.list_(pa.string())), ("st", pa.struct([("a", pa.int64()), ("c", pa.string())])),
])  # fmt: skip
SMALL = pa.schema(
    [("k", pa.int32()), ("cat", pa.string()), ("name", pa.string()), ("w", pa.decimal128(12, 2)), ("since", pa.date32()), ("n", pa.int64())]
)


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def tables(seed: int, rows: int) -> tuple[pa.Table, pa.Table]:
    """The table of all types and the small one that it is joined with."""
    chance = random.Random(seed)

    def some(values, nulls=0.15):
        return None if chance.random() < nulls else chance.choice(values)

    def row(number: int) -> dict:
        stamp = some(STAMPS)
        return {
            "id": number,
            "i8": some([-128, 127, 0, 1, 5, -3, 7, 42]),
            "i16": some([-32768, 32767, 0, 1, 5, 300, -12]),
            "i32": some([-2147483648, 2147483647, 0, 1, 2, 3, 5, 7, -9, 100, 77]),
            "i64": some([-(2**63), 2**63 - 1, 0, 1, 3, 5, 10, -4, 3000000000]),
            "dec": some(DECIMALS),
            "wide": some([D("0.000001"), D("-123456789012345678901234.567890"), D("999999999999999999999999.999999"), D("1.000000"), D("2.500000")]),
            "f": some(FLOATS),
            "g": some(EDGES),
            "b": some([True, False]),
            "txt": some(TEXTS),
            "num": some(NUMBERS),
            "cat": some(CATEGORIES),
            "d": None if (date := some(DATES)) is None else datetime.date.fromisoformat(date),
            "ts": None if stamp is None else moment(stamp),
            "tz": None if (at := some(STAMPS)) is None else moment(at).replace(tzinfo=datetime.timezone.utc),
            "xs": some([[], [1], [1, 2, 3], [None, 5], [7, 7, -1], [3, 1, 2, None]]),
            "names": some([[], ["a"], ["b", "a", None], ["", "é"], ["red", "red"]]),
            "st": some([{"a": 1, "c": "x"}, {"a": None, "c": "y"}, {"a": 5, "c": None}, {"a": -3, "c": ""}]),
        }

    large = [row(number) for number in range(rows - 4)]
    large += [{**row, "id": rows - 4 + place} for place, row in enumerate(large[:4])]  # duplicates but for the number
    small = [
        {
            "k": some([0, 1, 2, 3, 5, 7, 100]),
            "cat": some(CATEGORIES),
            "name": some(TEXTS[:12]),
            "w": some(DECIMALS),
            "since": None if (date := some(DATES)) is None else datetime.date.fromisoformat(date),
            "n": some([0, 1, 3, 5, 10]),
        }
        for _ in range(14)
    ]
    return pa.Table.from_pylist(large, SCHEMA), pa.Table.from_pylist(small + small[:2], SMALL)
