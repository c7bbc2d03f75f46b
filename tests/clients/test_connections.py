"""Every connection of docs/CLIENTS.md connects as it is written; only the address is another."""

import pathlib
import re

import adbc_driver_flightsql.dbapi
import pandas
import polars
import pyarrow.flight
import pytest
import sqlalchemy
from gateway import run
from test_flight import login, statement
from test_jdbc import ask, needs_jdbc
from test_sqlalchemy14 import needs_sqlalchemy14, probe

SERVED = "127.0.0.1:8815"
# Those of clients that cannot be run stand in a section of their own.
PAGE = re.sub(r"^## Replayed, not run\n.*?^(?=## )", "", (pathlib.Path(__file__).parents[2] / "docs" / "CLIENTS.md").read_text(), flags=re.MULTILINE | re.DOTALL)
SPANS = re.findall(r"`([^`\n]+)`", PAGE)
CONNECTIONS = [span for span in SPANS if SERVED in span]
FRAMES = [span for span in SPANS if re.match(r"(pandas|polars)\.read_\w+\(sql, connection\)", span)]
COMMANDS = [span for span in SPANS if span.startswith("meshgate sql")]

# What Ana sees of it, and nobody else.
SQL = "select distinct region from sales.customers"
SEEN = ["EU"]


def adbc(connection: str) -> list:
    with eval(connection) as connected, connected.cursor() as cursor:
        cursor.execute(SQL)
        return [region for (region,) in cursor.fetchall()]


def flight(connection: str) -> list:
    with eval(connection) as client:
        options = login(client, "ana")
        info = client.get_flight_info(statement(SQL), options)
        return client.do_get(info.endpoints[0].ticket, options).read_all()["region"].to_pylist()


def jdbc(url: str) -> list:
    told, ran = ask("18.3.0", url, SQL)
    assert "answer" in told, ran.stderr[-3000:]
    return told["answer"].strip("[]").split(", ")


def sqlalchemy_2(url: str) -> list:
    with sqlalchemy.create_engine(url).connect() as connection:
        return list(connection.execute(sqlalchemy.text(SQL)).scalars())


def sqlalchemy_14(url: str) -> list:
    answer = probe(url, SQL)["answer"]
    assert isinstance(answer, list), answer
    return [region for (region,) in answer]


def without_login(expression: str) -> list:
    """It brings no credentials, so it sees no region."""
    return eval(expression, {"polars": polars, "sql": "select 'EU' as region"})["region"].to_list()


WAYS = {
    "adbc_driver_flightsql.dbapi.connect(": (adbc, ()),
    "pyarrow.flight.FlightClient(": (flight, ()),
    "polars.read_database_uri(": (without_login, ()),
    "jdbc:": (jdbc, needs_jdbc),
    "adbc+flightsql:": (sqlalchemy_2, ()),
    "datafusion+flightsql:": (sqlalchemy_14, needs_sqlalchemy14),
}


def ways() -> list:
    found = []
    for connection in CONNECTIONS:
        way, marks = next((way for start, way in WAYS.items() if connection.startswith(start)), (None, ()))
        found.append(pytest.param(connection, way, marks=marks, id=connection))
    return found


def test_the_page_names_connections():
    assert len(CONNECTIONS) == PAGE.count(SERVED), "an address outside of `…` is not looked at here"
    starts = {start for start in WAYS for connection in CONNECTIONS if connection.startswith(start)}
    assert starts == set(WAYS)
    assert {span.split(".")[0] for span in FRAMES} == {"pandas", "polars"} and COMMANDS


@pytest.mark.parametrize(("connection", "way"), ways())
def test_a_connection_connects(demo, anonymous, connection, way):
    assert way, "nothing here connects by it: add it to WAYS"
    gateway = anonymous if way is without_login else demo
    written = connection.replace(SERVED, gateway.address).replace("TOKEN", demo.token("ana"))
    assert way(written) == SEEN


@pytest.mark.parametrize("read", FRAMES)
def test_a_frame_is_read(demo, read):
    with demo.connect("ana") as connection:
        frame = eval(read, {"pandas": pandas, "polars": polars, "sql": SQL, "connection": connection})
    assert list(frame["region"]) == SEEN


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(demo, command):
    _, *words = command.split()
    result = run(*words, "--url", demo.url, "-c", SQL, environment={"MESHGATE_PASSWORD": "ana"})
    assert result.returncode == 0 and SEEN[0] in result.stdout, result.stderr
