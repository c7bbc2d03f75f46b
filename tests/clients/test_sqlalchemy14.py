"""flightsql-dbapi on SQLAlchemy 1.4, as Superset uses it: tests/clients/sqlalchemy14/probe.py asks, in an environment of its own."""

import json
import os
import pathlib
import subprocess

import pytest

PROBE = pathlib.Path(__file__).parent / "sqlalchemy14" / "probe.py"

needs_sqlalchemy14 = pytest.mark.skipif(
    not os.environ.get("MESHGATE_SQLALCHEMY14") and not os.environ.get("CI"),
    reason="MESHGATE_SQLALCHEMY14 names no environment: `make test-clients` makes it",
)
pytestmark = needs_sqlalchemy14


def probe(*arguments: str) -> dict:
    """What the probe tells of this URL; of one statement if that is given too."""
    python = pathlib.Path(os.environ["MESHGATE_SQLALCHEMY14"]) / "bin" / "python"
    ran = subprocess.run([python, PROBE, *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout)


def url(gateway, login: str = "", options: str = "") -> str:
    return f"datafusion+flightsql://{login}{gateway.address}?insecure=true{options}"


@pytest.fixture(scope="module")
def told(demo):
    return probe(url(demo, "ana:ana@"))


def failed(answer) -> str:
    assert isinstance(answer, dict) and "error" in answer, answer
    return answer["error"]


def test_it_connects_and_knows_whom_it_talks_to(told):
    assert told["one"] == [[1]]
    info = told["info"]
    assert (info["0"], info["3"], info["504"]) == ("meshgate", True, '"')


def test_what_ana_may_see_is_browsed(told):
    assert told["schemas"] == ["logistics", "sales"]
    assert told["tables"] == ["customers", "order_lines", "orders"]
    assert set(told["all tables"]) == {*told["tables"], "carriers", "shipments"}
    columns = dict(told["columns"])
    assert "credit_limit" not in columns
    assert (columns["customer_id"], columns["email"], columns["signed_up"]) == ("BIGINT", "TEXT", "DATE")
    assert told["primary key"] == {"constrained_columns": ["order_id", "line_no"], "name": "order_lines_pkey"}
    assert told["exist"] == [True, False]
    # The client takes the first of no rows.
    assert failed(told["columns of the invisible"]).startswith("IndexError")


def test_rows_are_those_that_ana_may_see(demo, told):
    count = demo.rows("ana", "select region, count(*) from sales.orders where order_id <= 100 group by region")
    assert [tuple(row) for row in told["counted"]] == [tuple(row) for row in told["counted by parameters"]] == count
    emails = demo.rows("ana", "select customer_id, email from sales.customers order by customer_id")
    assert [tuple(row) for row in told["emails"]] == emails
    assert emails and not any("@" in email for _, email in emails)


def test_values_are_bound_by_place(told):
    assert told["bound"] == [[7, "it's", 1.5, True]]
    # The client does not look at the handle that it is answered.
    assert (told["bound region"], told["bound again"]) == ([[200]], [[0]])
    assert told["many"] == "run"
    assert "NoneType" in failed(told["bound to nothing"]), "the client has no parameters without a value"


def test_a_refusal_is_one_sentence_and_the_connection_goes_on(told):
    assert "there is no column `credit_limit` at line 1, column 8; hint: the columns are country, customer_id" in failed(told["hidden column"])
    assert "there is no table `hr.employees`" in failed(told["refused"])
    assert failed(told["refused"]).replace("employees", "absentees") == failed(told["absent"])
    assert "`selec` at line 1, column 1" in failed(told["not SQL"])
    assert "meshgate is read-only" in failed(told["write"])
    assert not any("\n" in failed(told[name]) for name in ("hidden column", "refused", "not SQL", "write"))
    assert told["after errors"] == [[2]]


def test_a_session_has_a_schema(demo, told):
    assert told["bare name"] == demo.rows("ana", "select count(*) from sales.orders")[0][0]


def test_a_token_logs_in(demo):
    assert probe(url(demo, options=f"&token={demo.token('ana')}"), "select distinct region from sales.customers") == {"answer": [["EU"]]}


@pytest.mark.parametrize("login", ["ana:bob@", "nobody:nobody@"])
def test_a_wrong_password_is_refused(demo, login):
    assert "user or password is wrong" in failed(probe(url(demo, login), "select 1")["answer"])


def test_without_a_user_it_has_no_token(demo, anonymous):
    """It sends `Bearer None` then."""
    assert "this gateway asks for credentials" in failed(probe(url(demo), "select 1")["answer"])
    assert probe(url(anonymous), "select 1") == {"answer": [[1]]}
    assert "there is no table `sales.orders`" in failed(probe(url(anonymous), "select * from sales.orders")["answer"])
