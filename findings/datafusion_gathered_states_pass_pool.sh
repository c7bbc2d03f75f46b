#!/usr/bin/env bash
# Tool:      datafusion 55.0.0 (Python package of Apache DataFusion 55), string_agg with GROUP BY under a memory pool of 64 MiB
# Behaviour: with two partitions the engine aggregates in two stages. The first stage gives up its groups whenever the pool refuses more,
#            and each row that it gives up is all that a group has gathered. The rows are collected into batches of many rows on their way
#            to the second stage, and that is not reserved in the pool. The process grows by several times the pool before the second
#            stage asks and is refused. With one partition there is one stage, and the growth does not follow the rows.
# Expected:  growth of the same order in both cases, whatever the number of rows (each statement is refused, as 600 MB of text do not fit)
# Seen:      1 partition: refused, grown by about 240 MiB; 2 partitions: refused, grown by about 1460 MiB
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install datafusion==55.0.0 pyarrow==21.0.0

cat > "$work/gather.py" <<'PYTHON'
import resource
import sys

from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

POOL_MIB = 64
ROWS = 60_000


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


partitions = int(sys.argv[1])
runtime = RuntimeEnvBuilder().with_fair_spill_pool(POOL_MIB << 20).with_disk_manager_os()
config = SessionConfig().with_target_partitions(partitions).with_batch_size(256)
context = SessionContext(config, runtime)
context.sql("SELECT 1").collect()
before = peak_mib()
try:
    context.sql(
        f"SELECT value % 3 AS k, length(string_agg(repeat('x', 10000), ',')) AS n FROM range(0, {ROWS}) GROUP BY 1"
    ).collect()
    outcome = "answered"
except Exception as error:  # the package raises a bare Exception
    outcome = "refused" if "Resources exhausted" in str(error) else f"failed: {error}"
print(outcome, peak_mib() - before)
PYTHON

read -r one_outcome one < <("$work/venv/bin/python" "$work/gather.py" 1)
read -r two_outcome two < <("$work/venv/bin/python" "$work/gather.py" 2)
echo "1 partition:  $one_outcome, grown by $one MiB"
echo "2 partitions: $two_outcome, grown by $two MiB"
[ "$two" -gt 640 ] && [ "$one" -lt "$((two / 2))" ]
