"""sqlalchemy-adbc on SQLAlchemy 2."""

import datetime
import decimal

import pandas
import pytest
from sqlalchemy import MetaData, String, Table, bindparam, create_engine, exc, func, inspect, select, text

LOGIN = "&username={0}&password={0}"


def engine_of(gateway, options: str, login: str = ""):
    return create_engine(f"adbc+flightsql://{login}{gateway.address}?tls=false{options}")


@pytest.fixture(scope="module")
def engine(demo):
    engine = engine_of(demo, LOGIN.format("ana"))
    yield engine
    engine.dispose()


def rows(engine, sql: str, **values) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql), values)]


def failure(engine, sql: str, kind: type[exc.DBAPIError]) -> str:
    with engine.connect() as connection:
        with pytest.raises(kind) as caught:
            connection.execute(text(sql)).fetchall()
        connection.rollback()
        # The same connection, not another of the pool.
        assert connection.execute(text("select 1")).scalar() == 1
    return str(caught.value.orig).strip()


def test_domains_and_columns_are_browsed(engine):
    browse = inspect(engine)
    assert browse.get_schema_names() == ["logistics", "sales"]
    columns = {column["name"]: str(column["type"]) for column in browse.get_columns("customers", schema="sales")}
    assert "credit_limit" not in columns
    assert (columns["customer_id"], columns["email"], columns["signed_up"]) == ("BIGINT", "VARCHAR", "DATE")
    assert browse.has_table("orders", schema="sales") and not browse.has_table("employees", schema="hr")
    with pytest.raises(exc.NoSuchTableError):
        Table("employees", MetaData(), schema="hr", autoload_with=engine)


def test_a_reflected_table_is_asked(demo, engine):
    orders = Table("orders", MetaData(), schema="sales", autoload_with=engine)
    some = select(orders.c.region, func.count()).where(orders.c.region == "EU", orders.c.order_id <= 100).group_by(orders.c.region)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(some)]
    assert found == demo.rows("ana", "select region, count(*) from sales.orders where order_id <= 100 group by region")


def test_cells_are_masked(demo, engine):
    sql = "select customer_id, email from sales.customers order by customer_id"
    found = rows(engine, sql)
    assert found == demo.rows("ana", sql)
    assert found and not any("@" in email for _, email in found)


@pytest.mark.parametrize(
    "value",
    [7, 1.5, "it's", b"\0x", True, None, decimal.Decimal("1.50"), datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1, 2, 3, 4), datetime.time(1, 2, 3)],
    ids=repr,
)
def test_a_value_of_each_type_is_bound(engine, value):
    ((found,),) = rows(engine, "select :value", value=value)
    assert found == value and type(found) is type(value)


def test_values_are_bound_by_place(engine):
    sql = "select count(*) from sales.customers where region = :region and customer_id > :above"
    assert rows(engine, sql, region="EU", above=0) == [(200,)]
    assert rows(engine, sql, region="US", above=0) == [(0,)]
    listed = text("select count(*) from sales.customers where region in :regions").bindparams(bindparam("regions", expanding=True, type_=String))
    with engine.connect() as connection:
        assert connection.execute(listed, {"regions": ["US", "EU", "APAC"]}).scalar() == 200


def test_pandas_reads_through_an_engine(engine):
    frame = pandas.read_sql("select region, count(*) as customers from sales.customers group by region", engine)
    assert frame.to_dict("list") == {"region": ["EU"], "customers": [200]}
    frame = pandas.read_sql(text("select count(*) as customers from sales.customers where region = :r"), engine, params={"r": "EU"})
    assert frame["customers"].tolist() == [200]


def test_a_session_has_a_schema_and_commits_are_empty(engine):
    with engine.connect() as connection:
        connection.execute(text("set schema = 'sales'"))
        connection.commit()
        connection.rollback()
        try:
            assert connection.execute(text("select count(*) from customers")).scalar() == 200
        finally:
            connection.execute(text("reset schema"))


def test_a_refusal_is_one_sentence_and_the_connection_goes_on(engine):
    found = failure(engine, "select credit_limit from sales.customers", exc.ProgrammingError)
    assert "there is no column `credit_limit` at line 1, column 8" in found and "\n" not in found
    hidden = failure(engine, "select * from hr.employees", exc.ProgrammingError)
    absent = failure(engine, "select * from hr.absentees", exc.ProgrammingError)
    assert "there is no table `hr.employees`" in hidden and hidden.replace("employees", "absentees") == absent
    found = failure(engine, "insert into sales.orders values (1)", exc.NotSupportedError)
    assert "meshgate is read-only" in found and "\n" not in found


def test_a_token_logs_in(demo):
    assert rows(engine_of(demo, "", login=f":{demo.token('ana')}@"), "select distinct region from sales.customers") == [("EU",)]


@pytest.mark.parametrize(
    ("options", "words"),
    [("&username=ana&password=bob", "user or password is wrong"), ("", "this gateway asks for credentials")],
)
def test_without_the_right_password_it_is_refused(demo, options, words):
    with pytest.raises(exc.ProgrammingError, match=words):
        rows(engine_of(demo, options), "select 1")


def test_a_header_says_what_the_session_is_for(demo):
    engine = engine_of(demo, LOGIN.format("ana") + "&header.x-meshgate-purpose=audit")
    assert rows(engine, "show meshgate.purpose") == [("meshgate.purpose", "audit")]
