"""pandas and polars, the way their manuals say."""

import datetime

import adbc_driver_manager
import pandas
import polars
import pytest

ORDERS = "select order_id, region, ordered_at, amount, note from sales.orders where order_id <= 50 order by order_id"


def test_pandas_read_sql(demo):
    with demo.connect("dpo") as connection:
        frame = pandas.read_sql(ORDERS, connection)
    assert list(frame.columns) == ["order_id", "region", "ordered_at", "amount", "note"]
    assert frame["order_id"].tolist() == list(range(1, 51))
    assert frame["note"].isna().any()


def test_fetch_df(demo):
    with demo.connect("ana") as connection, connection.cursor() as cursor:
        cursor.execute("select region, count(*) as orders from sales.orders group by region")
        frame = cursor.fetch_df()
    assert frame["region"].tolist() == ["EU"]


def test_polars_from_a_cursor(demo):
    with demo.connect("dpo") as connection, connection.cursor() as cursor:
        cursor.execute(ORDERS)
        frame = cursor.fetch_polars()
    assert frame.schema["amount"] == polars.Decimal(12, 2)
    assert frame.schema["ordered_at"] == polars.Datetime("us")
    assert frame["ordered_at"].is_sorted()
    assert frame["ordered_at"][0] >= datetime.datetime(2023, 1, 1)


def test_polars_read_database(demo):
    with demo.connect("ana") as connection:
        frame = polars.read_database("select distinct region from sales.orders", connection)
    assert frame["region"].to_list() == ["EU"]


def test_polars_uri_without_credentials_is_refused(demo):
    # The driver takes no user from a URI, so this form always calls without credentials.
    uri = f"flightsql://{demo.address}?transport=tcp"
    with pytest.raises(adbc_driver_manager.ProgrammingError):
        polars.read_database_uri("select 1", uri, engine="adbc")


def test_polars_uri_as_anonymous(anonymous):
    uri = f"flightsql://{anonymous.address}?transport=tcp"
    frame = polars.read_database_uri("select 1 as one", uri, engine="adbc")
    assert frame["one"].to_list() == [1]
    with pytest.raises(adbc_driver_manager.ProgrammingError):
        polars.read_database_uri("select * from sales.orders", uri, engine="adbc")
