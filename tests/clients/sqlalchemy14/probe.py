"""What Superset does through SQLAlchemy 1.4 and flightsql-dbapi, told as one JSON object: name -> answer.

Run in an environment of its own: `probe.py URL` asks everything, `probe.py URL SQL` that statement only.
"""

import datetime
import json
import sys

import flightsql.sqlalchemy  # noqa: F401  (registers `datafusion+flightsql://`)
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text

told: dict[str, object] = {}


def tell(name: str, ask) -> None:
    try:
        told[name] = ask()
    except Exception as error:
        told[name] = {"error": f"{type(error).__name__}: {error}"}


def everything(url: str) -> None:
    engine = create_engine(f"{url}&feature-sqlalchemy-primary-keys=on")
    # Values go as parameters of prepared statements here, and as literals in the text above.
    prepared = create_engine(f"{url}&feature-sqlalchemy-prepared-statements=on")

    def rows(statement, values=None, through=engine):
        with through.connect() as connection:
            statement = text(statement) if isinstance(statement, str) else statement
            found = connection.execute(statement, values or {}).fetchall()
            return [[str(cell) if isinstance(cell, datetime.date) else cell for cell in row] for row in found]

    def bound(statement, **values):
        return rows(statement, values, prepared)

    def counted(through):
        orders = Table("orders", MetaData(), schema="sales", autoload_with=through)
        some = select(orders.c.region, func.count()).where(orders.c.region == "EU", orders.c.order_id <= 100)
        return rows(some.group_by(orders.c.region), through=through)

    def in_one_session():
        with engine.connect() as connection:
            connection.execute(text("set schema = 'sales'"))
            try:
                return connection.execute(text("select count(*) from orders")).scalar()
            finally:
                connection.execute(text("reset schema"))

    def many():
        with prepared.connect() as connection:
            connection.execute(text("select :a"), [{"a": 1}, {"a": 2}])
        return "run"

    tell("one", lambda: rows("select 1"))
    tell("info", lambda: engine.dialect.sql_info)
    browse = inspect(engine)
    tell("schemas", browse.get_schema_names)
    tell("tables", lambda: browse.get_table_names("sales"))
    tell("all tables", browse.get_table_names)
    tell("columns", lambda: [[column["name"], str(column["type"])] for column in browse.get_columns("customers", "sales")])
    tell("primary key", lambda: browse.get_pk_constraint("order_lines", "sales"))
    tell("exist", lambda: [browse.has_table("orders", "sales"), browse.has_table("employees", "hr")])
    tell("columns of the invisible", lambda: browse.get_columns("employees", "hr"))
    tell("counted", lambda: counted(engine))
    tell("counted by parameters", lambda: counted(prepared))
    tell("emails", lambda: rows("select customer_id, email from sales.customers order by customer_id"))
    tell("types", lambda: rows("select order_id, amount, ordered_at, note from sales.orders where order_id = 2"))
    tell("bound", lambda: bound("select :a, :b, :c, :d", a=7, b="it's", c=1.5, d=True))
    tell("bound region", lambda: bound("select count(*) from sales.customers where region = :region", region="EU"))
    tell("bound again", lambda: bound("select count(*) from sales.customers where region = :region", region="US"))
    tell("bound to nothing", lambda: bound("select :a", a=None))
    tell("many", many)
    tell("hidden column", lambda: rows("select credit_limit from sales.customers"))
    tell("refused", lambda: rows("select * from hr.employees"))
    tell("absent", lambda: rows("select * from hr.absentees"))
    tell("not SQL", lambda: rows("selec 1"))
    tell("write", lambda: rows("insert into sales.orders values (1)"))
    tell("bare name", in_one_session)
    tell("after errors", lambda: rows("select 2"))


if len(sys.argv) > 2:
    tell("answer", lambda: [list(row) for row in create_engine(sys.argv[1]).connect().execute(text(sys.argv[2])).fetchall()])
else:
    everything(sys.argv[1])
print(json.dumps(told, default=str))
