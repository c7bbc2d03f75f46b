"""`python -m differential --seed 1 --statements 20000`: asks, prints how the statements ended, and every difference at its smallest."""

import argparse
import collections
import contextlib
import json
import pathlib
import sys
import tempfile
import time

from differential import ask
from differential.query import Maker
from differential.world import FORMATS, READERS, world


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--statements", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first statement; with --statements 1 it asks one again")
    parser.add_argument("--shrink", type=int, default=40, help="how many statements of one kind are made smaller")
    parser.add_argument("--log", type=pathlib.Path, help="a file for one JSON object for each statement that did not end the same")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    rows = 0
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meshgate-differential-")))
        log = stack.enter_context(chosen.log.open("w")) if chosen.log else None
        served = stack.enter_context(world(home, chosen.seed))
        cursors = {reader: stack.enter_context(stack.enter_context(served.gateway.connect(reader)).cursor()) for reader in READERS}
        for number in range(chosen.first, chosen.first + chosen.statements):
            reader = READERS[number % 2]
            query = Maker(chosen.seed, number, FORMATS).statement()
            asked = ask.ask(cursors[reader], served.peers[reader], query)
            kind, detail = asked.verdict
            place = (kind, "" if kind == "different" else detail)
            counts[place] += 1
            rows += len(asked.answer.rows) if kind == "same" else 0
            if kind in ask.FATAL and counts[place] <= chosen.shrink:
                asked = ask.shrink(cursors[reader], served.peers[reader], query, asked)
                show(chosen.seed, number, reader, asked)
            if log and kind not in ("same", "both failed", "reason", "fault"):
                entry = {
                    "number": number,
                    "reader": reader,
                    "kind": kind,
                    "detail": asked.verdict.detail,
                    "ours": asked.ours,
                    "theirs": asked.theirs,
                    "values": asked.values,
                }
                log.write(json.dumps({**entry, "error": asked.answer.error, "peer": asked.peer.error}) + "\n")
                log.flush()
            if number % 500 == 499:
                print(f"… {number + 1} statements, {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    print(f"\n{chosen.statements} statements of seed {chosen.seed} in {time.monotonic() - begin:.0f} s; {rows} rows were the same")
    for (kind, detail), count in sorted(counts.items(), key=lambda each: (each[0][0], -each[1])):
        print(f"{count:7}  {kind}{': ' if detail else ''}{detail}")
    return 1 if any(counts[place] for place in counts if place[0] in ask.FATAL) else 0


def show(seed: int, number: int, reader: str, asked: ask.Asked) -> None:
    print(f"\nseed {seed}, statement {number}, as {reader}: {asked.verdict.kind}: {asked.verdict.detail}")
    print(f"  {asked.ours}{f'   -- {list(asked.values)}' if asked.values else ''}")
    if asked.theirs != asked.ours:
        print(f"  DuckDB: {asked.theirs}")
    for name, answer in (("meshgate", asked.answer), ("DuckDB", asked.peer)):
        print(f"  {name}: {answer.error or f'{len(answer.rows)} rows, {list(answer.rows)[:3]}'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
