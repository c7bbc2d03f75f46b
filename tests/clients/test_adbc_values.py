"""Values that adbc-driver-flightsql binds: by cursor.execute, by executemany, by polars; and what it asks before pandas may."""

import datetime
import decimal
import math

import adbc_driver_manager
import pandas
import polars
import pyarrow
import pytest

Code = adbc_driver_manager.AdbcStatusCode

VALUES = [
    -(2**63),
    2**63 - 1,
    1.5,
    "it's",
    "",
    b"\0x",
    True,
    None,
    decimal.Decimal("1.50"),
    datetime.date(2024, 2, 29),
    datetime.time(1, 2, 3, 4),
    datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
    datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
    datetime.timedelta(days=1, microseconds=1),
    [1, None, 2],
    {"a": 1, "b": "x"},
]


@pytest.fixture
def cursor(demo):
    with demo.connect("ana") as connection, connection.cursor() as cursor:
        yield cursor


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_each_type_is_bound(cursor, value):
    cursor.execute("select ?", (value,))
    ((found,),) = cursor.fetchall()
    assert found == value and type(found) is type(value)


def test_not_a_number_is_bound(cursor):
    cursor.execute("select ?", (math.nan,))
    assert math.isnan(cursor.fetchone()[0])


def test_values_are_bound_by_place_and_anew(cursor):
    sql = "select count(*) from sales.customers where region = ? and signed_up < ? and customer_id <> ?"
    for region, count in (("EU", 200), ("US", 0), ("EU", 200)):
        cursor.execute(sql, (region, datetime.date(2100, 1, 1), decimal.Decimal(0)))
        assert cursor.fetchall() == [(count,)]


def test_nothing_equals_a_value_that_is_missing(cursor):
    sql = "select count(*) from logistics.carriers where name = ? and carrier_id > ?"
    cursor.execute(sql, (None, 0))
    assert cursor.fetchall() == [(0,)]


def test_a_bound_value_is_never_sql(cursor):
    cursor.execute("select count(*) from sales.customers where region = ?", ("EU' or true or region = '",))
    assert cursor.fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("sql", "values", "words"),
    [
        ("select ?, ?", (1,), "2 parameters, 1 values were given"),
        ("select ?", (1, 2), "1 parameters, 2 values were given"),
        ("select ?", None, "no values were bound"),
        ("select $region", (1,), "parameters have no names"),
        ("select count(*) from sales.orders where order_id > ?", ("x",), "parameter 1 is VARCHAR, which cannot be read as BIGINT"),
    ],
)
def test_values_that_do_not_fit_are_refused(cursor, sql, values, words):
    with pytest.raises(adbc_driver_manager.ProgrammingError, match=words) as caught:
        cursor.execute(sql, values)
    assert caught.value.status_code == Code.INVALID_ARGUMENT and "\n" not in str(caught.value)
    cursor.execute("select ?", (3,))
    assert cursor.fetchall() == [(3,)]


@pytest.mark.parametrize(
    ("sql", "values", "kind", "words"),
    [
        ("select ?", [(1,), (2,)], adbc_driver_manager.ProgrammingError, "more rows than one; hint: run the statement once for each row"),
        ("select ?", [(1,)], adbc_driver_manager.ProgrammingError, "it answers rows; hint: run it as a query"),
        ("set schema = 'sales'", [(1,)], adbc_driver_manager.ProgrammingError, "the statement has no parameters"),
        ("set schema = 'sales'", [(1,), (2,)], adbc_driver_manager.ProgrammingError, "more rows than one"),
        ("insert into sales.orders values (?)", [(1,), (2,)], adbc_driver_manager.NotSupportedError, "meshgate is read-only"),
    ],
)
def test_executemany_is_refused_and_says_why(cursor, sql, values, kind, words):
    with pytest.raises(kind, match=words) as caught:
        cursor.executemany(sql, values)
    assert "\n" not in str(caught.value)
    cursor.execute("show schema")
    assert cursor.fetchall()[0][-1] in ("", None), "nothing was set"


def test_rows_are_not_taken_in(cursor):
    with pytest.raises(adbc_driver_manager.NotSupportedError, match="is not offered"):
        cursor.adbc_ingest("carriers", pyarrow.table({"carrier_id": [1]}), mode="append", db_schema_name="logistics")
    cursor.execute("select count(*) from logistics.carriers")
    assert cursor.fetchall() == [(40,)]


def test_polars_binds(demo):
    with demo.connect("ana") as connection:
        sql = "select count(*) as customers from sales.customers where region = ?"
        frame = polars.read_database(sql, connection, execute_options={"parameters": ["EU"]})
    assert frame.to_dict(as_series=False) == {"customers": [200]}


def test_pandas_reads_by_a_statement_of_a_hundred_kilobytes(demo):
    """It asks for a table of that name first."""
    names = ", ".join(f"'%_{place:094}'" for place in range(1_000))
    sql = f"select count(*) as customers from sales.customers where region in ({names}, 'EU')"
    assert len(sql) > 100_000
    with demo.connect("ana") as connection:
        assert pandas.read_sql(sql, connection)["customers"].tolist() == [200]
