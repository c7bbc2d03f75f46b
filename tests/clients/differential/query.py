"""Makes statements: random, typed, from a seed, so that most of them are answered."""

import random

from differential import forms, shapes
from differential.tree import EMPTY, Node, Query, many, node, text

LARGE = [
    ("id", "safe"), ("i8", "int"), ("i16", "int"), ("i32", "int"), ("i64", "int"), ("dec", "dec"), ("wide", "wide"), ("f", "float"), ("g", "real"), ("b", "bool"),
    ("txt", "text"), ("num", "num"), ("cat", "text"), ("d", "date"), ("ts", "stamp"), ("tz", "tz"), ("xs", "ints"), ("names", "texts"), ("st", "st"),
]  # fmt: skip
SMALL = [("k", "safe"), ("cat", "text"), ("name", "text"), ("w", "dec"), ("since", "date"), ("n", "safe")]
NESTED = ("ints", "texts", "st")
# An expression of the first kind may stand where the second is asked for.
WIDER = {"int": ("int", "safe"), "text": ("text", "text", "num"), "any": ("int", "safe", "dec", "text", "bool", "date", "stamp", "float")}
SIMPLE = ("int", "safe", "dec", "text", "bool", "date", "stamp", "float", "text", "int")
SCALARS = {}
for form in forms.SCALARS:
    SCALARS.setdefault(form[0], []).append(form)

Columns = list[tuple[str, str]]


class Maker:
    def __init__(self, seed: int, number: int, formats: tuple[str, ...]):
        self.chance = random.Random(f"{seed}/{number}")
        self.formats = formats
        self.format = self.chance.choice(formats)
        self.parameters = self.chance.random() < 0.2
        self.subqueries = 2
        self.aliases = 0

    # Expressions.

    def literal(self, kind: str) -> Node:
        chosen = self.chance.choice(forms.LITERALS[kind])
        return text(kind, chosen, f"{chosen}::bigint" if kind in ("int", "safe") else chosen)

    def parameter(self, kind: str) -> Node:
        value, literal = self.chance.choice(forms.PARAMETERS[kind])
        return Node(kind, (literal, literal), value=value if self.parameters else None)

    def column(self, kind: str, scope: Columns) -> Node | None:
        found = [name for name, type in scope if type == kind]
        if not found:
            return None
        name = self.chance.choice(found)
        # Narrow numbers are widened where they are computed with: the type of a result is another in DuckDB.
        return text(kind, name)

    def expression(self, kind: str, scope: Columns, depth: int = 2) -> Node:
        if kind.startswith("?"):
            return self.parameter(kind[1:])
        if kind.startswith("."):
            return self.column(kind[1:], scope) or text(kind[1:], "1" if kind == ".int" else "'a'")
        if kind in WIDER:
            kind = self.chance.choice(WIDER[kind])
        if kind not in SCALARS and kind in forms.LITERALS and kind != "num":
            return self.literal(kind)
        if kind == "bool" and depth > 0 and self.subqueries > 0 and scope and self.chance.random() < 0.08:
            return self.subquery(scope)
        if depth <= 0 or self.chance.random() < 0.35:
            found = self.column(kind, scope) if self.chance.random() < 0.85 else None
            if found is None and kind == "st":
                return text("st", "named_struct('a', 2, 'c', 'q')", "{'a': 2, 'c': 'q'}")
            if found is None and kind in ("ints", "texts"):
                return text(kind, *(("make_array(1, 2)", "[1, 2]") if kind == "ints" else ("make_array('a', 'b')", "['a', 'b']")))
            if found is None and kind in ("real", "wide"):
                return text(kind, "1.5::real" if kind == "real" else "CAST('2.500000' AS DECIMAL(30, 6))")
            return found or self.literal(kind)
        if kind == "st":
            return self.column(kind, scope) or text("st", "named_struct('a', 2, 'c', 'q')", "{'a': 2, 'c': 'q'}")
        if kind not in SCALARS:
            return self.column(kind, scope) or (self.literal(kind) if kind in forms.LITERALS else text(kind, "NULL"))
        return self.form(self.chance.choice(SCALARS[kind]), scope, depth)

    def form(self, form: tuple, scope: Columns, depth: int) -> Node:
        kind, holes, ours, *theirs = form
        parts = [self.expression(hole, scope, depth - 1) for hole in holes.split()]
        return node(kind, ours, *parts, theirs=theirs[0] if theirs else None)

    # Sources.

    def alias(self, letter: str = "x") -> str:
        self.aliases += 1
        return f"{letter}{self.aliases}"

    def table(self, large: bool) -> tuple[Node, Columns, str]:
        format = self.format if self.chance.random() < 0.8 else self.chance.choice(self.formats)
        alias = self.alias("t" if large else "s")
        columns = [(name, kind) for name, kind in (LARGE if large else SMALL) if format != "csv" or kind not in NESTED]
        return text("table", f"lake.{'t' if large else 's'}_{format} {alias}"), [(f"{alias}.{name}", kind) for name, kind in columns], alias

    def derived(self, depth: int) -> tuple[Node, Columns]:
        query = self.rows(depth - 1)
        alias = self.alias("q")
        return node("table", f"({{0}}) {alias}", query.node), [(f"{alias}.c{place}", kind) for place, kind in enumerate(query.types, 1)]

    def source(self, depth: int) -> tuple[Node, Columns]:
        chance = self.chance.random()
        if chance < 0.5 or depth <= 0:
            found, scope, _ = self.table(self.chance.random() < 0.75)
            return found, scope
        if chance < 0.6:
            return self.derived(depth)
        if chance < 0.64:
            alias = self.alias("v")
            rows = many("rows", [node("row", "({0}, {1})", self.literal("int"), self.literal("text")) for _ in range(3)])
            return node("table", f"(VALUES (1, 'a'), {{0}}) {alias}(m, p)", rows), [(f"{alias}.m", "int"), (f"{alias}.p", "text")]
        return self.join(depth)

    def join(self, depth: int) -> tuple[Node, Columns]:
        left, left_scope, left_alias = self.table(True)
        right, right_scope, right_alias = self.table(self.chance.random() < 0.3)
        how = self.chance.random()
        if how < 0.1:
            kind = self.chance.choice(["JOIN", "LEFT JOIN"])
            return node("join", f"{{0}} {kind} {{1}} USING (cat)", left, right), left_scope + [
                each for each in right_scope if not each[0].endswith(".cat")
            ]
        if how < 0.15:
            names = (self.alias("n"), self.alias("n"))
            first = f"(SELECT cat, id, txt FROM lake.t_{self.format}) {names[0]}"
            second = f"(SELECT cat, k, name FROM lake.s_{self.format}) {names[1]}"
            return text("join", f"{first} NATURAL JOIN {second}"), [("id", "safe"), ("k", "safe"), ("txt", "text"), ("cat", "text"), ("name", "text")]
        if how < 0.2:
            return node("join", "{0} CROSS JOIN {1}", left, right), left_scope + right_scope
        if how < 0.27:
            alias, inner, inner_scope, _ = self.alias("l"), *self.table(False)
            match = self.equality(left_scope, inner_scope)
            condition = self.expression("bool", inner_scope, 1)
            aggregate = self.chance.random() < 0.5
            items = f"max({inner_scope[3][0]}) AS m, count(*) AS p" if aggregate else f"{inner_scope[3][0]} AS m, {inner_scope[5][0]} AS p"
            word = self.chance.choice(["CROSS JOIN LATERAL {1}", "LEFT JOIN LATERAL {1} ON true"]) if aggregate else "CROSS JOIN LATERAL {1}"
            lateral = node(
                "table", f"(SELECT {items} FROM {{0}} WHERE {{1}}{{2}}) {alias}", inner, match, node("clause", " AND {0}", condition, optional=True)
            )
            return node("join", "{0} " + word, left, lateral), left_scope + [(f"{alias}.m", "dec"), (f"{alias}.p", "safe")]
        kind = self.chance.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN", "LEFT JOIN"])
        scope = left_scope + right_scope
        residual = EMPTY
        if kind != "FULL JOIN" and self.chance.random() < 0.4:
            self.subqueries, kept = 0, self.subqueries
            residual = node("clause", " AND {0}", self.expression("bool", scope, 1), optional=True)
            self.subqueries = kept
        joined = node("join", f"{{0}} {kind} {{1}} ON {{2}}{{3}}", left, right, self.equality(left_scope, right_scope), residual)
        if self.chance.random() > 0.25:
            return joined, scope
        third, third_scope, _ = self.table(False)
        kind = self.chance.choice(["JOIN", "JOIN", "LEFT JOIN"])
        return node("join", f"{{0}} {kind} {{1}} ON {{2}}", joined, third, self.equality(scope, third_scope)), scope + third_scope

    def equality(self, left: Columns, right: Columns) -> Node:
        pairs = [
            (one, other)
            for one, kind in left
            for other, also in right
            if {kind, also} <= {"int", "safe"} or (kind == also and kind in ("text", "dec", "date", "stamp", "bool"))
        ]
        one, other = self.chance.choice(pairs)
        sign = self.chance.choice(["=", "=", "=", "IS NOT DISTINCT FROM"])
        return text("bool", f"({one} {sign} {other})")

    def subquery(self, scope: Columns) -> Node:
        """A condition with a subquery, often of the rows around it."""
        self.subqueries = self.subqueries - 1 if self.chance.random() < 0.3 else 0
        inner, inner_scope, _ = self.table(False)
        both = inner_scope + scope
        how = self.chance.random()
        condition = (
            self.equality(scope, inner_scope)
            if self.chance.random() < 0.7
            and any(kind in ("int", "safe", "text", "dec", "date") for _, kind in scope)
            and self.pairs(scope, inner_scope)
            else self.expression("bool", inner_scope, 1)
        )
        where = node("clause", " WHERE {0}", condition, optional=True)
        if self.chance.random() < 0.3:
            where = node("clause", " WHERE {0} AND {1}", condition, self.expression("bool", both, 1), optional=True)
        word = self.chance.choice(["", "NOT "])
        if how < 0.35:
            return node("bool", f"({word}EXISTS (SELECT 1 FROM {{0}}{{1}}))", inner, where)
        kind = self.chance.choice(["safe", "text", "dec", "date"])
        outer, column = self.expression(kind, scope, 1), self.column(kind, inner_scope)
        if how < 0.7:
            return node("bool", f"({{0}} {word}IN (SELECT {{1}} FROM {{2}}{{3}}))", outer, column, inner, where)
        if how < 0.8:
            sign = self.chance.choice(["= ANY", "<> ALL"])
            return node("bool", f"({{0}} {sign} (SELECT {{1}} FROM {{2}}{{3}}))", outer, column, inner, where)
        function = self.chance.choice(["max", "min", "count"])
        if function == "count":
            return node("bool", "({0} < (SELECT count({1}) FROM {2}{3}))", self.expression("safe", scope, 1), column, inner, where)
        return node("bool", f"({{0}} >= (SELECT {function}({{1}}) FROM {{2}}{{3}}))", outer, column, inner, where)

    def pairs(self, left: Columns, right: Columns) -> bool:
        return any({kind, also} <= {"int", "safe"} or kind == also for _, kind in left for _, also in right)

    # Queries.

    def where(self, scope: Columns) -> Node:
        return node("clause", " WHERE {0}", self.expression("bool", scope, 3), optional=True) if self.chance.random() < 0.65 else EMPTY

    def items(self, parts: list[Node]) -> Node:
        return many("items", [node("item", f"{{0}} AS c{place}", part) for place, part in enumerate(parts, 1)])

    def kinds(self, least: int = 1, most: int = 4) -> list[str]:
        return [self.chance.choice(SIMPLE) for _ in range(self.chance.randint(least, most))]

    def rows(self, depth: int, kinds: list[str] | None = None) -> Query:
        """A query without an order of its rows, of the given types where the place asks for some."""
        how = self.chance.random()
        if depth > 0 and how < 0.12:
            return self.set_operation(depth, kinds)
        if kinds is None and depth > 0 and how < 0.4:
            return self.grouped(depth)
        if kinds is None and how < 0.55:
            return self.windowed(depth)
        return self.plain(depth, kinds)

    def plain(self, depth: int, kinds: list[str] | None = None) -> Query:
        source, scope = self.source(depth)
        kinds = kinds or self.kinds()
        if self.chance.random() < 0.06:
            kinds = [*kinds, self.chance.choice(["real", "wide", "tz"])]
        distinct = "DISTINCT " if self.chance.random() < 0.15 else ""
        parts = [self.expression(kind, scope, 2) for kind in kinds]
        return Query(node("query", f"SELECT {distinct}{{0}} FROM {{1}}{{2}}", self.items(parts), source, self.where(scope)), kinds)

    def grouped(self, depth: int) -> Query:
        source, scope = self.source(depth)
        parameters, self.parameters = self.parameters, False
        where = self.where(scope)
        how = self.chance.random()
        self.subqueries, kept = 0, self.subqueries
        keys, kinds = [], []
        for _ in range(self.chance.randint(0 if how < 0.2 else 1, 3)):
            kind = self.chance.choice(["text", "bool", "int", "text", "date", "dec"])
            key = self.column(kind, scope) if how > 0.7 or self.chance.random() < 0.5 else self.expression(kind, scope, 1)
            if key is not None and not (key.value is None and not key.parts and "." not in key.texts[0]) and key not in keys:
                keys.append(key)
                kinds.append(kind)
        aggregates = [self.chance.choice([form for form in forms.AGGREGATES if form[0] != "ints"]) for _ in range(self.chance.randint(1, 3))]
        parts = keys + [self.form(form, scope, 2) for form in aggregates]
        kinds += [form[0] for form in aggregates]
        group = EMPTY
        if keys:
            listed = many("keys", keys)
            group = node("clause", " GROUP BY {0}", listed)
            if how > 0.7 and len(keys) > 1:
                word = self.chance.choice(["ROLLUP ({0})", "CUBE ({0})", "GROUPING SETS (({0}), (" + keys[0].texts[0] + "), ())"])
                group = node("clause", f" GROUP BY {word}", listed)
                if self.chance.random() < 0.5:
                    parts.append(node("safe", "grouping({0})", keys[0]))
                    kinds.append("safe")
        having = EMPTY
        if keys and self.chance.random() < 0.25:
            comparison = self.form(
                self.chance.choice([form for form in forms.AGGREGATES if form[0] == "int" and "ORDER BY" not in form[2]]), scope, 1
            )
            having = node("clause", " HAVING {0} > {1}", comparison, self.literal("n"), optional=True)
        self.parameters, self.subqueries = parameters, kept
        return Query(node("query", "SELECT {0} FROM {1}{2}{3}{4}", self.items(parts), source, where, group, having), kinds)

    def windowed(self, depth: int) -> Query:
        source, scope, alias = self.table(True)
        chosen = [self.chance.choice(forms.WINDOWS) for _ in range(self.chance.randint(1, 2))]
        where = self.where(scope)
        self.subqueries, kept = 0, self.subqueries
        parameters, self.parameters = self.parameters, False
        parts = [text("safe", f"{alias}.id")]
        for kind, holes, ours, *theirs in chosen:
            inside = [
                self.over(hole, scope, alias) if hole in ("total", "some", "part_by") else self.expression(hole, scope, 1) for hole in holes.split()
            ]
            parts.append(node(kind, ours, *inside, theirs=theirs[0] if theirs else None))
        self.subqueries, self.parameters = kept, parameters
        return Query(node("query", "SELECT {0} FROM {1}{2}", self.items(parts), source, where), ["safe", *(form[0] for form in chosen)])

    def over(self, hole: str, scope: Columns, alias: str) -> Node:
        key = self.column(self.chance.choice(["text", "bool", "int"]), scope)
        if hole == "part_by":
            return key
        partition = node("clause", "PARTITION BY {0} ", key, optional=True) if self.chance.random() < 0.5 else EMPTY
        order = self.column(self.chance.choice(["text", "int", "date", "dec", "stamp"]), scope)
        direction = self.direction()
        last = f", {alias}.id" if hole == "total" else ""
        return node("over", f"{{0}}ORDER BY {{1}}{direction}{last}", partition, order)

    def direction(self) -> str:
        return self.chance.choice(["", " DESC"]) + self.chance.choice(["", "", " NULLS FIRST", " NULLS LAST"])

    def set_operation(self, depth: int, kinds: list[str] | None) -> Query:
        kinds = kinds or self.kinds(1, 3)
        word = self.chance.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
        first, second = self.rows(0, kinds), self.rows(0, kinds)
        return Query(node("query", f"{{0}} {word} {{1}}", first.node, second.node), kinds)

    def with_query(self, depth: int) -> Query:
        name = self.alias("w")
        how = self.chance.random()
        if how < 0.3:
            start, step = self.chance.randint(0, 3), self.chance.randint(1, 3)
            small, scope, _ = self.table(False)
            number = self.chance.choice([column for column, kind in scope if kind == "safe"])
            union = self.chance.choice(["UNION ALL", "UNION"])
            condition = node("clause", " AND {0}", self.expression("bool", scope, 1), optional=True)
            query = node(
                "query",
                f"WITH RECURSIVE {name}(c1, c2) AS (SELECT {start}::bigint, 'a' {union} SELECT c1 + {step}, c2 || 'b' FROM {name} WHERE c1 < 7) SELECT {name}.c1, {name}.c2, {number} AS c3 FROM {name} JOIN {{0}} ON {number} = {name}.c1{{1}}",
                small,
                condition,
            )
            return Query(query, ["safe", "text", "safe"])
        if how < 0.4:
            table = f"lake.s_{self.format}"
            query = text(
                "query",
                f"WITH RECURSIVE {name}(c1) AS (SELECT k FROM {table} WHERE k IS NOT NULL UNION SELECT CAST(s.n AS INT) FROM {name} JOIN {table} s ON s.k = {name}.c1 WHERE s.n IS NOT NULL) SELECT c1 FROM {name}",
            )
            return Query(query, ["safe"])
        inner = self.rows(depth - 1)
        scope = [(f"{name}.c{place}", kind) for place, kind in enumerate(inner.types, 1)]
        kinds = self.kinds(1, 3)
        parts = [self.expression(kind, scope, 2) for kind in kinds]
        if self.chance.random() < 0.4:
            other = self.alias("y")
            pair = f"{name} JOIN {name} {other} ON {name}.c1 = {other}.c1"
            return Query(
                node("query", f"WITH {name} AS ({{0}}) SELECT {{1}} FROM {pair}{{2}}", inner.node, self.items(parts), self.where(scope)), kinds
            )
        return Query(node("query", f"WITH {name} AS ({{0}}) SELECT {{1}} FROM {name}{{2}}", inner.node, self.items(parts), self.where(scope)), kinds)

    def distinct_on(self) -> Query:
        source, scope, alias = self.table(True)
        key = self.column(self.chance.choice(["text", "bool", "date"]), scope)
        kinds = self.kinds(1, 2)
        parts = [key, text("safe", f"{alias}.id"), *(self.expression(kind, scope, 1) for kind in kinds)]
        then = self.column(self.chance.choice(["text", "int", "dec"]), scope)
        tail = f"{self.direction()}, {{4}}{self.direction()}, {alias}.id"
        return Query(
            node("query", "SELECT DISTINCT ON ({3}) {0} FROM {1}{2} ORDER BY {3}" + tail, self.items(parts), source, self.where(scope), key, then),
            ["text", "safe", *kinds],
        )

    def unnested(self) -> Query:
        alias = self.alias("t")
        format = self.chance.choice([each for each in self.formats if each != "csv"])
        column, kind = self.chance.choice([("xs", "int"), ("names", "text")])
        query = node(
            "query",
            f"SELECT {{0}} FROM (SELECT id, unnest({column}) AS u FROM lake.t_{format}) {alias}{{1}}",
            self.items([text("safe", f"{alias}.id"), self.expression(kind, [(f"{alias}.u", kind)], 1)]),
            self.where([(f"{alias}.u", kind), (f"{alias}.id", "safe")]),
        )
        return Query(query, ["safe", kind])

    def statement(self) -> Query:
        how = self.chance.random()
        if how < 0.12:
            query = self.with_query(2)
        elif how < 0.16:
            return self.distinct_on()
        elif how < 0.19:
            query = self.unnested()
        elif how < 0.27:
            query = shapes.other(self)
        else:
            query = self.rows(2)
        if self.chance.random() < 0.35 and not set(query.types) & {*NESTED}:
            orders = many("orders", [text("order", f"{place}{self.direction()}") for place in range(1, len(query.types) + 1)])
            limit = EMPTY
            if self.chance.random() < 0.5:
                offset = (
                    node("clause", " OFFSET {0}", text("n", str(self.chance.randint(0, 4))), optional=True) if self.chance.random() < 0.4 else EMPTY
                )
                value = self.chance.choice([0, 1, 3, 5, 10])
                limit = node(
                    "clause",
                    " LIMIT {0}{1}",
                    Node("int", (str(value), str(value)), value=value if self.parameters and value else None),
                    offset,
                    optional=True,
                )
            return Query(node("query", "{0} ORDER BY {1}{2}", query.node, orders, limit), query.types, True)
        return query
