"""Asks one statement of both, and judges the answers."""

import datetime
import decimal
import re
import typing

import adbc_driver_manager.dbapi
import duckdb
import pyarrow as pa

from differential import compare, reasons
from differential.tree import OURS, THEIRS, Query, smaller

ARROW = {"int": pa.int64(), "text": pa.string(), "float": pa.float64(), "dec": pa.decimal128(12, 2), "date": pa.date32(), "stamp": pa.timestamp("us")}
PYTHON = {"dec": decimal.Decimal, "date": datetime.date.fromisoformat, "stamp": datetime.datetime.fromisoformat}
# What a value does to a computation; both may fail of it, or one of them where it computes what the other leaves out.
COMPUTED = re.compile(
    r"too large for its type|cannot be computed|cannot be cast|[Dd]ivi(sion|de) by zero|out of range|cast error|[Oo]verflow|Could not convert|Conversion Error"
)
UNCLEAR = re.compile(
    r"INTERNAL|nternal error|panick|(logical|physical) plan|Schema error|Arrow error|DataFusion error|invalid argument error|NOT_IMPLEMENTED(?!.*hint:)"
)


FATAL = ("different", "unclear", "failed")


class Verdict(typing.NamedTuple):
    kind: str
    """`same`, `both failed`, `reason`, `fault`, `different`, `refused`, `unclear`, `failed` or `DuckDB failed`."""
    detail: str = ""


class Asked(typing.NamedTuple):
    ours: str
    theirs: str
    values: tuple
    answer: compare.Answer
    peer: compare.Answer
    verdict: Verdict


def bound(values: list[tuple[str, object]]) -> pa.RecordBatch:
    arrays = [pa.array([PYTHON.get(kind, lambda each: each)(value)], ARROW[kind]) for kind, value in values]
    return pa.record_batch(arrays, names=[str(place) for place in range(1, len(arrays) + 1)])


def of_meshgate(cursor, sql: str, values: list) -> compare.Answer:
    try:
        if values:
            cursor.execute(sql, bound(values))
        else:
            cursor.execute(sql)
        return compare.answer(cursor.fetch_arrow_table())
    except adbc_driver_manager.dbapi.Error as error:
        return compare.Answer(error=str(error))


def of_duckdb(connection: duckdb.DuckDBPyConnection, sql: str) -> compare.Answer:
    try:
        return compare.answer(connection.execute(sql).fetch_arrow_table())
    except (duckdb.Error, pa.ArrowInvalid) as error:
        return compare.Answer(error=str(error))


def general(message: str) -> str:
    """A message without what belongs to one statement."""
    message = re.sub(r"\s+", " ", message.replace("[FlightSQL] ", ""))
    message = re.sub(r"\(correlation id \w+\)", "", message)
    message = re.sub(r"`[^`]*`|\"[^\"]*\"|'[^']*'", "…", re.sub(r"\(\w+; \w+.*?\)$|Vendor code.*", "", message))
    return re.sub(r"\b[\d.e+-]*\d\b", "#", message)[:160].strip()


def judge(ours: str, answer: compare.Answer, peer: compare.Answer, ordered: bool) -> Verdict:
    found = None
    if not answer.error and not peer.error:
        found = compare.difference(answer, peer, ordered)
        if found is None:
            return Verdict("same")
    explained = reasons.explain(ours, answer, peer, found)
    if explained:
        return Verdict(*explained)
    if answer.error and peer.error:
        return Verdict("unclear", general(answer.error)) if UNCLEAR.search(answer.error) else Verdict("both failed")
    if found:
        return Verdict("different", found)
    if peer.error:
        return Verdict("DuckDB failed", general(peer.error))
    if COMPUTED.search(answer.error):
        return Verdict("failed", general(answer.error))
    # A refusal says what to write instead; a message of the engine does not.
    clear = "hint:" in answer.error and not UNCLEAR.search(answer.error)
    return Verdict("refused" if clear else "unclear", general(answer.error))


def ask(cursor, connection: duckdb.DuckDBPyConnection, query: Query) -> Asked:
    values: list = []
    ours, theirs = query.node.write(OURS, values), query.node.write(THEIRS)
    answer, peer = of_meshgate(cursor, ours, values), of_duckdb(connection, theirs)
    return Asked(ours, theirs, tuple(values), answer, peer, judge(ours, answer, peer, query.ordered))


def shrink(cursor, connection: duckdb.DuckDBPyConnection, query: Query, first: Asked, most: int = 250) -> Asked:
    """The smallest statement found that is judged alike."""

    def alike(asked: Asked) -> bool:
        same = asked.verdict.kind == first.verdict.kind
        return same and (first.verdict.kind == "different" or asked.verdict.detail == first.verdict.detail)

    best, tries, improved = first, 0, True
    while improved and tries < most:
        improved = False
        seen = set()
        for less in sorted(smaller(query.node), key=lambda each: each.size()):
            if less.size() > query.node.size() or (less.size() == query.node.size() and less.write(OURS) >= query.node.write(OURS)):
                continue
            smallest = Query(less, query.types, query.ordered and less.texts[OURS].startswith("{0} ORDER BY"))
            written = less.write(OURS)
            if tries >= most or written in seen:
                continue
            seen.add(written)
            tries += 1
            asked = ask(cursor, connection, smallest)
            if alike(asked):
                query, best, improved = smallest, asked, True
                break
    return best
