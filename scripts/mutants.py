#!/usr/bin/env python3
"""Breaks the enforcement in each way of tests/mutants.toml and shows that a test notices.

    scripts/mutants.py [NAME …]     all, or some; prints a Markdown table, exits 1 if one survives
    scripts/mutants.py --write      also writes the table into docs/SECURITY.md

A mutant is one replacement of text in a copy of the tree; a mutant that does not compile is an error, not a catch.
Python 3.11, nothing but its standard library. About a minute for each mutant on two cores.
"""

import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/meshgate/target")).resolve()
# In one place always, so that only what a mutant changes is compiled again.
COPY = TARGET / "mutants"
BEGIN, END = "<!-- mutants: written by scripts/mutants.py -->", "<!-- end of mutants -->"


def copy_tree():
    """What git tracks, with what is changed and not committed."""
    COPY.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    wanted = {name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()}
    for old in [path for path in COPY.rglob("*") if path.is_file()]:
        if str(old.relative_to(COPY)) not in wanted:
            old.unlink()
    for name in wanted:
        put(COPY / name, (ROOT / name).read_bytes())
        if os.access(ROOT / name, os.X_OK):
            (COPY / name).chmod(0o755)


def put(path, content):
    """Leaves a file alone that is right already: cargo goes by the time of its last change."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def mutate(mutant):
    path = COPY / mutant["file"]
    text = path.read_text()
    for change in [mutant, *([mutant["also"]] if "also" in mutant else [])]:
        found = text.count(change["find"])
        if found != 1:
            raise SystemExit(f"error: {mutant['name']}: its text stands {found} times in {mutant['file']}")
        text = text.replace(change["find"], change["put"])
    path.write_text(text)


def run_tests(tests):
    """The names of the tests that fail; none is a survivor."""
    binary, _, filters = tests.partition(" ")
    where = {"lib": ["--lib"], "it": ["--test", "it"]}[binary]
    # Nobody debugs a mutant; without line tables it links sooner.
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET), "CARGO_PROFILE_DEV_DEBUG": "0", "RUST_BACKTRACE": "0"}
    built = subprocess.run(["cargo", "test", *where, "--no-run"], cwd=COPY, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        raise SystemExit(f"error: a mutant does not compile\n{built.stderr[-3000:]}")
    command = ["cargo", "test", *where, "--", *filters.split()]
    try:
        ran = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired:
        return ["the tests do not end"]
    total = sum(int(n) for n in re.findall(r"running (\d+) tests?", ran.stdout))
    if total == 0:
        raise SystemExit(f"error: `{tests}` names no test")
    return sorted(set(re.findall(r"^test (\S+).*\.\.\. FAILED", ran.stdout, re.MULTILINE)))


def main():
    mutants = tomllib.loads((ROOT / "tests/mutants.toml").read_text())["mutant"]
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    unknown = set(names) - {mutant["name"] for mutant in mutants}
    if unknown:
        raise SystemExit(f"error: there is no mutant {', '.join(sorted(unknown))}")
    rows, survivors = [], []
    wanted = [mutant for mutant in mutants if not names or mutant["name"] in names]
    # A test that fails in any case would notice everything.
    copy_tree()
    for tests in sorted({mutant["tests"] for mutant in wanted}):
        failed = run_tests(tests)
        if failed:
            raise SystemExit(f"error: with nothing broken, these fail: {', '.join(failed)}")
    for mutant in wanted:
        copy_tree()
        mutate(mutant)
        failed = run_tests(mutant["tests"])
        if not failed:
            survivors.append(mutant["name"])
        shown = ", ".join(f"`{name}`" for name in failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
        rows.append(f"| `{mutant['name']}` | {mutant['breaks']} | {shown or '**nothing**'} |")
        print(rows[-1], flush=True)
    copy_tree()
    if survivors:
        raise SystemExit(f"error: no test notices {', '.join(survivors)}")
    if "--write" in sys.argv:
        if names:
            raise SystemExit("error: `--write` writes the whole table; name no mutants")
        page = ROOT / "docs/SECURITY.md"
        text = page.read_text()
        head, rest = text.split(BEGIN)
        table = "\n".join(["| mutant | what is broken | tests that notice |", "|---|---|---|", *rows])
        page.write_text(f"{head}{BEGIN}\n{table}\n{rest[rest.index(END):]}")


if __name__ == "__main__":
    main()
