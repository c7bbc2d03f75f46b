"""The gateway over ADBC beside ROAPI over ADBC and DuckDB in process, on the files and the mesh that `race` made.

race.py FOLDER SCALE MESHGATE, after `cargo bench --bench gateway -- race --scale SCALE points`, which makes both. FOLDER is `tmp` of
Cargo's target folder, MESHGATE the binary. Arms take turns; ratios are medians of those of each turn.
"""

import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import duckdb

TABLES = {
    "lineitem": "sales",
    "orders": "sales",
    "customer": "party",
    "supplier": "supply",
    "part": "supply",
    "partsupp": "supply",
    "nation": "reference",
    "region": "reference",
}
TURNS = 15
ADDRESS = re.compile(r"grpc://(127\.0\.0\.1:\d+)")
NUMBERS = "l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_shipdate"
TEXTS = "l_returnflag, l_linestatus, l_shipinstruct, l_shipmode, l_comment"
WORKLOADS = {
    "W1: one order by key": "SELECT * FROM {sales}orders WHERE o_orderkey = 4711",
    "W1: about 10,000 orders": "SELECT * FROM {sales}orders WHERE o_orderkey < 40000",
    "W2: sums by flag": "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice * (1 - l_discount)), count(*) "
    "FROM {sales}lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY l_returnflag, l_linestatus",
    "W2: three tables": "SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)), o_orderdate FROM {party}customer, {sales}orders, "
    "{sales}lineitem WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND "
    "o_orderdate < DATE '1995-03-15' AND l_shipdate > DATE '1995-03-15' GROUP BY l_orderkey, o_orderdate ORDER BY 2 DESC LIMIT 10",
    "W3: numbers of all lines": f"SELECT {NUMBERS} FROM {{sales}}lineitem",
    "W3: texts of all lines": f"SELECT {TEXTS} FROM {{sales}}lineitem",
}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def connect(address: str, user: str | None = None):
    options = adbc_driver_manager.DatabaseOptions
    login = {options.USERNAME.value: user, options.PASSWORD.value: user} if user else {}
    return adbc_driver_flightsql.dbapi.connect(f"grpc://{address}", db_kwargs=login, autocommit=True)


def meshgate(binary: str, config: pathlib.Path):
    process = subprocess.Popen([binary, "serve", "--config", config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = next(filter(None, map(ADDRESS.search, process.stdout)))
    return process, connect(found.group(1), "reader")


def roapi(files: pathlib.Path):
    address = f"127.0.0.1:{free_port()}"
    # Read from the file by each query, as the gateway does, and not held in memory.
    option = "{format: parquet, use_memory_table: false}"
    tables = [
        f"  - {{name: {table}, uri: '{files / domain / table / 'part-0.parquet'}', option: {option}}}\n" for table, domain in TABLES.items()
    ]
    config = pathlib.Path(tempfile.mkdtemp()) / "roapi.yaml"
    config.write_text("tables:\n" + "".join(tables))
    program = pathlib.Path(sys.executable).with_name("roapi")
    others = [f"--addr-http=127.0.0.1:{free_port()}", f"--addr-postgres=127.0.0.1:{free_port()}"]
    process = subprocess.Popen(
        [program, f"--config={config}", f"--addr-flight-sql={address}", *others], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(300):
        time.sleep(0.1)
        try:
            connection = connect(address)
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchall()
            return process, connection
        except adbc_driver_manager.Error:
            continue
    process.kill()
    raise SystemExit("error: ROAPI did not answer within 30 seconds")


def asked(connection, sql: str) -> tuple[float, int]:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetch_arrow_table().num_rows
    return time.perf_counter() - started, rows


def alone(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, int]:
    started = time.perf_counter()
    rows = connection.execute(sql).fetch_arrow_table().num_rows
    return time.perf_counter() - started, rows


def main() -> None:
    home, scale, binary = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    files = home / f"sf{scale}"
    inside = duckdb.connect()
    inside.execute("SET threads = 2")
    for table, domain in TABLES.items():
        inside.execute(f"CREATE VIEW {table} AS SELECT * FROM '{files / domain / table / 'part-0.parquet'}'")
    ours, gateway = meshgate(binary, home / "mesh-parquet-5" / "meshgate.toml")
    theirs, peer = roapi(files)
    try:
        print(f"### Peers (scale {scale}, {TURNS} turns)\n")
        print("| workload | meshgate, ms | ROAPI, ms | ROAPI / meshgate | DuckDB in process, ms | meshgate / DuckDB |\n|---|---|---|---|---|---|")
        for name, text in WORKLOADS.items():
            governed = text.format(sales="sales.", party="party.")
            plain = text.format(sales="", party="")
            times = []
            for turn in range(TURNS + 1):
                arms = [asked(gateway, governed), asked(peer, plain), alone(inside, plain)]
                assert len({rows for _, rows in arms}) == 1, f"{name}: {arms}"
                if turn:
                    times.append([seconds for seconds, _ in arms])
            own, roapi_took, duckdb_took = (statistics.median(arm) * 1e3 for arm in zip(*times))
            slower = statistics.median(turn[1] / turn[0] for turn in times)
            against = statistics.median(turn[0] / turn[2] for turn in times)
            print(f"| {name} | {own:.1f} | {roapi_took:.1f} | {slower:.2f} | {duckdb_took:.1f} | {against:.2f} |")
    finally:
        gateway.close()
        peer.close()
        for process in (ours, theirs):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
