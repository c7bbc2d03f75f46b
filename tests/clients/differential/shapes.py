"""Statements of rarer shapes: rows out of nothing, windows over groups, QUALIFY, nested set operations, subqueries in SELECT."""

from __future__ import annotations

import typing

from differential import forms
from differential.tree import EMPTY, Query, many, node, text

if typing.TYPE_CHECKING:
    from differential.query import Maker


def values(maker: Maker) -> Query:
    kinds = maker.kinds(1, 3)
    rows = [
        node("row", "({0})", many("cells", [maker.expression(kind, [], 1) for kind in kinds], least=len(kinds)))
        for _ in range(maker.chance.randint(2, 4))
    ]
    # The first row settles the types.
    first = node(
        "row",
        "({0})",
        many(
            "cells",
            [text(kind, forms.PARAMETERS[kind][0][1]) if kind in forms.PARAMETERS else maker.literal(kind) for kind in kinds],
            least=len(kinds),
        ),
    )
    names = ", ".join(f"c{place}" for place in range(1, len(kinds) + 1))
    return Query(node("query", f"SELECT {names} FROM (VALUES {{0}}) AS v({names})", many("rows", [first, *rows])), kinds)


def windows_over_groups(maker: Maker) -> Query:
    source, scope = maker.source(1)
    key = maker.column(maker.chance.choice(["text", "bool", "int", "date"]), scope) or text("text", "'a'")
    number = maker.expression("safe", [each for each in scope if each[1] == "safe"], 0)
    where = maker.where(scope)
    window = maker.chance.choice(
        [
            ("rank() OVER (ORDER BY count(*) DESC, {0} NULLS LAST)", None),
            ("sum(count(*)) OVER ()", "(sum(count(*)) OVER ())::bigint"),
            ("sum(count(*)) OVER (ORDER BY {0} NULLS FIRST)", "(sum(count(*)) OVER (ORDER BY {0} NULLS FIRST))::bigint"),
            ("lag(count(*)) OVER (ORDER BY {0} NULLS FIRST)", None),
            ("max(sum({1})) OVER ()", "(max(sum({1})) OVER ())::bigint"),
        ]
    )
    over = node("safe", window[0], key, number, theirs=window[1])
    return Query(
        node("query", "SELECT {0} AS c1, count(*) AS c2, {1} AS c3 FROM {2}{3} GROUP BY {0}", key, over, source, where), ["text", "safe", "safe"]
    )


def qualified(maker: Maker) -> Query:
    _, _, alias = table = maker.table(True)
    key = maker.column(maker.chance.choice(["text", "bool"]), table[1])
    order = maker.column(maker.chance.choice(["int", "dec", "date"]), table[1])
    function = maker.chance.choice(["row_number()", "row_number()", "count(*)"])
    window = f"{function} OVER (PARTITION BY {{2}} ORDER BY {{3}}{maker.direction()}, {alias}.id)"
    return Query(
        node(
            "query",
            f"SELECT {alias}.id AS c1, {{2}} AS c2 FROM {{0}}{{1}} QUALIFY {window} <= {maker.chance.randint(1, 3)}",
            table[0],
            maker.where(table[1]),
            key,
            order,
        ),
        ["safe", "text"],
    )


def nested_sets(maker: Maker) -> Query:
    kinds = maker.kinds(1, 2)
    first, second, third = (maker.plain(0, kinds).node for _ in range(3))
    one, other = (maker.chance.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"]) for _ in range(2))
    shape = maker.chance.choice([f"({{0}} {one} {{1}}) {other} {{2}}", f"{{0}} {one} ({{1}} {other} {{2}})", f"{{0}} {one} {{1}} {other} {{2}}"])
    return Query(node("query", shape, first, second, third), kinds)


def scalar_subqueries(maker: Maker) -> Query:
    outer, outer_scope, alias = maker.table(True)
    inner, inner_scope, _ = maker.table(False)
    match = maker.equality(outer_scope, inner_scope)
    function = maker.chance.choice(["count(*)", "max({0})", "min({0})", "sum({0})"])
    column = maker.column("safe", inner_scope)
    theirs = f"({function})::bigint"
    extra = node("clause", " AND {0}", maker.expression("bool", inner_scope, 1), optional=True) if maker.chance.random() < 0.5 else EMPTY
    query = node("safe", "(SELECT {0} FROM {1} WHERE {2}{3})", node("safe", function, column, theirs=theirs), inner, match, extra)
    return Query(node("query", f"SELECT {alias}.id AS c1, {{0}} AS c2 FROM {{1}}{{2}}", query, outer, maker.where(outer_scope)), ["safe", "safe"])


def cases_of_unions(maker: Maker) -> Query:
    """Two formats beside each other under one aggregate."""
    union, scope = maker.derived(1)
    kind = maker.chance.choice(["int", "text", "date", "dec"])
    form = maker.chance.choice([form for form in forms.AGGREGATES if form[0] == kind])
    where = maker.where(scope)
    maker.subqueries, maker.parameters = 0, False
    return Query(node("query", "SELECT {0} AS c1 FROM {1}{2}", maker.form(form, scope, 1), union, where), [kind])


SHAPES = (values, windows_over_groups, windows_over_groups, qualified, nested_sets, scalar_subqueries, scalar_subqueries, cases_of_unions)


def other(maker: Maker) -> Query:
    return maker.chance.choice(SHAPES)(maker)
