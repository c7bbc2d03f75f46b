"""Statements as trees: each node is its text in both dialects with holes for its parts, so that it can be written out and made smaller."""

import dataclasses
import typing

from differential.forms import PARAMETERS, TYPES

OURS, THEIRS = 0, 1


@dataclasses.dataclass(frozen=True)
class Node:
    kind: str
    """A type of `forms`, or what part of a statement this is."""
    texts: tuple[str, str]
    parts: tuple["Node", ...] = ()
    separator: str | None = None
    """Where set, the node is a list of its parts and `texts` are not used."""
    least: int = 1
    """How many parts a list keeps."""
    optional: bool = False
    value: object = None
    """A value that meshgate is given as a parameter."""

    def write(self, dialect: int, values: list | None = None) -> str:
        if self.value is not None and dialect == OURS and values is not None:
            values.append((self.kind, self.value))
            return "?"
        # Holes are filled from left to right, which is the order of parameters.
        if self.separator is not None:
            return self.separator.join(part.write(dialect, values) for part in self.parts)
        if not self.parts:
            return self.texts[dialect]
        text, written = self.texts[dialect], []
        while True:
            before, hole, rest = text.partition("{")
            written.append(before)
            if not hole:
                return "".join(written)
            number, _, text = rest.partition("}")
            written.append(self.parts[int(number)].write(dialect, values))

    def size(self) -> int:
        return 1 + sum(part.size() for part in self.parts)


class Query(typing.NamedTuple):
    node: Node
    types: list[str]
    ordered: bool = False
    """The order of all rows is settled by the statement."""


def text(kind: str, ours: str, theirs: str | None = None) -> Node:
    return Node(kind, (ours, ours if theirs is None else theirs))


def node(kind: str, ours: str, *parts: Node, theirs: str | None = None, optional: bool = False) -> Node:
    return Node(kind, (ours, ours if theirs is None else theirs), parts, optional=optional)


def many(kind: str, parts: typing.Iterable[Node], separator: str = ", ", least: int = 1) -> Node:
    return Node(kind, ("", ""), tuple(parts), separator, least)


EMPTY = text("empty", "")


def within(root: Node, kind: str) -> typing.Iterator[Node]:
    for part in root.parts:
        if part.kind == kind:
            yield part
        yield from within(part, kind)


def smaller(root: Node) -> typing.Iterator[Node]:
    """The tree with one place made smaller, the largest savings first."""
    if root.optional and root.parts:
        yield EMPTY
    if root.kind in TYPES or root.kind == "query":
        yield from within(root, root.kind)
    if root.kind in TYPES and root.parts:
        yield text(root.kind, "NULL")
        for _, literal in PARAMETERS.get(root.kind, [])[:1]:
            yield text(root.kind, literal)
    if root.value is not None:
        yield dataclasses.replace(root, value=None)
    if root.separator is not None and len(root.parts) > root.least:
        for place in range(len(root.parts)):
            yield dataclasses.replace(root, parts=root.parts[:place] + root.parts[place + 1 :])
    for place, part in enumerate(root.parts):
        for less in smaller(part):
            yield dataclasses.replace(root, parts=root.parts[:place] + (less,) + root.parts[place + 1 :])
