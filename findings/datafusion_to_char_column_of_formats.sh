#!/usr/bin/env bash
# Tool:      datafusion 55.0.0 (Python package of Apache DataFusion 55), function to_char
# Behaviour: where the time is a constant and the format is a column, to_char formats the time once, with the format of the first row,
#            and answers that text for every row. No error is raised. With the time as a column, each row gets its own format.
# Expected:  the same answers in both cases: 2026, 03, 01
# Seen:      constant time: ['2026', '2026', '2026']
#            column time:   ['2026', '03', '01']
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install datafusion==55.0.0 pyarrow==21.0.0

cat > "$work/formats.py" <<'PYTHON'
import sys

from datafusion import SessionContext

context = SessionContext()


def texts(sql):
    return context.sql(sql).to_pydict()["text"]


constant = texts(
    "SELECT to_char(DATE '2026-03-01', column1) AS text FROM (VALUES ('%Y'), ('%m'), ('%d'))"
)
column = texts(
    "SELECT to_char(column2, column1) AS text FROM (VALUES ('%Y', DATE '2026-03-01'), ('%m', DATE '2026-03-01'), ('%d', DATE '2026-03-01'))"
)
print("constant time:", constant)
print("column time:  ", column)
sys.exit(0 if constant == ["2026"] * 3 and column == ["2026", "03", "01"] else 1)
PYTHON

"$work/venv/bin/python" "$work/formats.py"
