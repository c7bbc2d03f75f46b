"""The Arrow Flight SQL JDBC driver, of two versions, as DBeaver, Tableau and Metabase use it: tests/clients/jdbc/Probe.java asks."""

import os
import pathlib
import subprocess

import pytest

PROBE = pathlib.Path(__file__).parent / "jdbc" / "Probe.java"
# Java 17 keeps the buffers of java.nio to itself otherwise.
OPEN = "--add-opens=java.base/java.nio=ALL-UNNAMED"

# Each finds the row that it compares with.
SETTERS = [
    *["Byte", "Short", "Int", "Int of a bigint", "Long", "Float", "Double", "BigDecimal", "Boolean", "String", "Bytes"],
    *["Date", "Time", "Timestamp", "Object"],
]

# What each version answers alike; the demo has 200 of its 500 customers in Ana's region.
EXPECTED = {
    "product": "meshgate",
    "quote": '"',
    "read-only": "true",
    "transactions": "false",
    "types of tables": "[TABLE, VIEW]",
    "catalogs": "[mesh]",
    "schemas": "[logistics, sales]",
    "tables": "[customers TABLE, order_lines TABLE, orders TABLE]",
    "tables of Metabase": "[order_lines, orders]",
    "columns": "[customer_id -5 BIGINT, name 12 VARCHAR, email 12 VARCHAR, phone 12 VARCHAR, country 12 VARCHAR, "
    "region 12 VARCHAR, segment 12 VARCHAR, signed_up 91 DATE]",
    "primary key": "[order_id 1, line_no 2]",
    "imported keys": "[customers customer_id customer_id]",
    "exported keys": "[logistics shipments, sales order_lines]",
    "cross reference": "[order_id]",
    "procedures": "[]",
    "functions": "[]",
    "methods that fail": "[]",
    "converts": "true",
    "indexes": "[]",
    "one": "[1]",
    "regions": "[EU 200]",
    "probe of Metabase": "[]",
    "label": "Total",
    "after an error": "[2]",
    "set": "false",
    "bare name": "[true]",
    "reset": "false",
    "parameters": "5",
    "bound": "[7 it's 1.50 true null]",
    "typed US": "[0]",
    **{f"set {setter}": "[1]" for setter in SETTERS},
    "set Null": "[0]",
    "in time": "ended",
    "million": "1000000 499999500000",
    "cancelled": "done",
    "after a cancel": "[3]",
}


def drivers() -> dict[str, pathlib.Path]:
    """The drivers that `make test-clients` has fetched, by version."""
    folder = os.environ.get("MESHGATE_JDBC")
    if not folder:
        return {}
    return {path.stem.rsplit("-", 1)[1]: path for path in pathlib.Path(folder).glob("flight-sql-jdbc-driver-*.jar")}


def ask(version: str, url: str, *sql: str) -> tuple[dict[str, str], subprocess.CompletedProcess]:
    """What the probe tells of this URL; of one statement if that is given too."""
    ran = subprocess.run(
        ["java", OPEN, "-cp", str(drivers()[version]), str(PROBE), url, *sql],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = [line.split(": ", 1) for line in ran.stdout.splitlines() if ": " in line]
    return {line[0]: line[1] for line in lines}, ran


def url(gateway, options: str) -> str:
    return f"jdbc:arrow-flight-sql://{gateway.address}/?useEncryption=false&{options}"


def probe(gateway, version: str, options: str) -> tuple[dict[str, str], subprocess.CompletedProcess]:
    return ask(version, url(gateway, options))


needs_jdbc = pytest.mark.skipif(
    not drivers() and not os.environ.get("CI"), reason="MESHGATE_JDBC names no drivers: `make test-clients` fetches them"
)
pytestmark = needs_jdbc


@pytest.mark.parametrize("version", ["18.3.0", "15.0.2"])
def test_tools_browse_ask_bind_and_cancel(demo, version):
    told, ran = probe(demo, version, "user=ana&password=ana")
    assert {name: told.get(name) for name in EXPECTED} == EXPECTED, ran.stderr[-3000:]
    # As many as the demo has for her: dates and numbers arrive as they were meant.
    assert told["typed EU"] == f"[{demo.rows('ana', 'select count(*) from sales.orders')[0][0]}]"
    assert {"CONCAT", "LENGTH", "UCASE"} <= set(told["functions of texts"].split(", "))
    assert told["hidden column"].startswith("error there is no column `credit_limit` at line 1, column 8")
    assert told["not SQL"].startswith("error expected an SQL statement, found `selec`")
    assert "meshgate is read-only" in told["write"]
    # 15.0.2 counts what a cancelled result held as leaked, and says so when the connection is closed.
    assert ran.stdout.endswith("closed\n") or version == "15.0.2", ran.stderr[-3000:]


def test_a_catalog_in_the_url_is_taken(demo):
    """Tools with one catalog for each connection set it. (18.3.0 complains when such a connection is closed, whatever the server.)"""
    told, ran = probe(demo, "18.3.0", "user=ana&password=ana&catalog=mesh")
    assert told.get("regions") == EXPECTED["regions"], ran.stderr[-3000:]
    told, ran = probe(demo, "18.3.0", "user=ana&password=ana&catalog=other")
    assert told == {} and "Cannot set session option for catalog" in ran.stderr


def test_what_the_driver_does_not_know_is_a_header(demo):
    """It has no decompression, and says so: it was the server that compressed."""
    told, _ = ask("18.3.0", url(demo, "user=ana&password=ana&arrow-compression=zstd"), "select 1")
    assert "compression" in told["answer"], told
    told, _ = ask("18.3.0", url(demo, "user=ana&password=ana&arrow-compression=none"), "select 1")
    assert told["answer"] == "[1]"


def test_a_wrong_password_is_refused(demo):
    told, ran = probe(demo, "18.3.0", "user=ana&password=bob")
    assert told == {} and "UNAUTHENTICATED" in ran.stderr
