#!/usr/bin/env bash
# Tool:      datafusion 55.0.0 (Python package of Apache DataFusion 55), IS NOT DISTINCT FROM in ON of an inner join
# Behaviour: the optimizer makes one join key of that condition, and says of the whole join that NULL equals NULL. An ordinary `=` in
#            WHERE that joins the same tables becomes a second key of this join, and matches NULLs too. In a chain of joins, one of them
#            says for all: with an ordinary join last, the first one matches no NULLs any more. No error is raised.
# Expected:  WHERE: no row, since b = v is UNKNOWN for NULLs. Chain: (1, 10) and (None, 20).
# Seen:      WHERE: [(4, 4, None, None)]
#            chain: [(1, 10)]
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install datafusion==55.0.0 pyarrow==21.0.0

cat > "$work/joins.py" <<'PYTHON'
import sys

from datafusion import SessionContext

context = SessionContext()
LEFT = "(VALUES (1, CAST(NULL AS INT)), (2, 20), (NULL, 30), (4, NULL)) t(a, b)"
RIGHT = "(VALUES (1, 10), (NULL, 20), (4, NULL)) u(k, v)"
THIRD = "(VALUES (10), (20), (NULL)) w(x)"


def rows(sql):
    return [tuple(row.values()) for row in context.sql(sql).to_pylist()]


where = rows(f"SELECT a, k, b, v FROM {LEFT} JOIN {RIGHT} ON a IS NOT DISTINCT FROM k WHERE b = v")
chain = rows(f"SELECT a, x FROM {LEFT} JOIN {RIGHT} ON a IS NOT DISTINCT FROM k JOIN {THIRD} ON x = v ORDER BY a")
print("WHERE:", where)
print("chain:", chain)
sys.exit(0 if where == [(4, 4, None, None)] and chain == [(1, 10)] else 1)
PYTHON

"$work/venv/bin/python" "$work/joins.py"
