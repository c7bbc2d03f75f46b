"""Generated statements of a fixed seed give the rows that DuckDB gives; `make differential` asks thousands."""

import collections

from differential import ask
from differential.query import Maker
from differential.world import FORMATS, READERS, world

SEED = 1
STATEMENTS = 150


def test_generated_statements_give_the_rows_of_duckdb(tmp_path):
    counts: collections.Counter[str] = collections.Counter()
    with world(tmp_path, SEED) as served:
        for place, reader in enumerate(READERS):
            with served.gateway.connect(reader) as connection, connection.cursor() as cursor:
                for number in range(place, STATEMENTS, len(READERS)):
                    query = Maker(SEED, number, FORMATS).statement()
                    asked = ask.ask(cursor, served.peers[reader], query)
                    counts[asked.verdict.kind] += 1
                    assert asked.verdict.kind not in ask.FATAL, f"seed {SEED}, statement {number}, as {reader}: {asked}"
    assert counts["same"] > STATEMENTS * 0.8, f"statements that are not answered show nothing: {counts}"
