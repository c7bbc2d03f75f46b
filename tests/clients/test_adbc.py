"""adbc-driver-flightsql through DB-API: login, browsing, results, errors."""

import decimal

import adbc_driver_manager
import pyarrow
import pytest

ProgrammingError = adbc_driver_manager.ProgrammingError
NotSupported = adbc_driver_manager.NotSupportedError
# How many of the 500 customers (scale 0.01) live where.
CUSTOMERS = {"EU": 200, "US": 175, "APAC": 125}


def objects(gateway, user: str, depth: str, **filters) -> dict:
    """catalog → SQL schema → table → columns, as deep as asked for; None below that."""
    with gateway.connect(user) as connection:
        catalogs = connection.adbc_get_objects(depth=depth, **filters).read_all().to_pylist()

    def named(rows, key, below):
        return None if rows is None else {row[key]: below(row) for row in rows}

    def columns(table):
        return None if table["table_columns"] is None else [column["column_name"] for column in table["table_columns"]]

    def tables(schema):
        return named(schema["db_schema_tables"], "table_name", columns)

    return named(catalogs, "catalog_name", lambda c: named(c["catalog_db_schemas"], "db_schema_name", tables))


def domains(schemas: dict) -> set[str]:
    return set(schemas) - {"information_schema", "meshgate"}


def failure(gateway, user: str, sql: str) -> adbc_driver_manager.Error:
    with gateway.connect(user) as connection, connection.cursor() as cursor:
        with pytest.raises(adbc_driver_manager.Error) as caught:
            cursor.execute(sql)
            cursor.fetchall()
    return caught.value


def test_login_and_one_row(demo):
    assert demo.rows("ana", "select 1") == [(1,)]
    assert demo.rows("eve", "select 1") == [(1,)]


@pytest.mark.parametrize(("user", "password"), [("ana", "bob"), ("nobody", "nobody")])
def test_a_wrong_password_is_refused(demo, user, password):
    with pytest.raises(ProgrammingError) as caught:
        demo.connect(user, password)
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED
    # A wrong password and an unknown name are the same answer.
    assert "nobody" not in str(caught.value)


def test_no_credentials_are_refused(demo):
    with demo.connect(None) as connection, connection.cursor() as cursor:
        with pytest.raises(ProgrammingError) as caught:
            cursor.execute("select 1")
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED


def test_objects_at_every_depth(demo):
    assert objects(demo, "ana", "catalogs") == {"mesh": None}
    schemas = objects(demo, "ana", "db_schemas")["mesh"]
    assert domains(schemas) == {"sales", "logistics"}
    tables = objects(demo, "ana", "tables")["mesh"]
    assert {"customers", "orders", "order_lines"} <= set(tables["sales"])
    assert {"shipments", "carriers"} <= set(tables["logistics"])
    columns = objects(demo, "ana", "all")["mesh"]["sales"]["customers"]
    assert columns[:2] == ["customer_id", "name"]
    assert "email" in columns
    assert "credit_limit" not in columns


def test_objects_differ_by_principal(demo):
    everything = objects(demo, "dpo", "all")["mesh"]
    assert domains(everything) == {"sales", "logistics", "marketing", "hr"}
    assert "credit_limit" in everything["sales"]["customers"]
    nothing = objects(demo, "eve", "all")
    assert list(nothing) == ["mesh"]
    assert domains(nothing["mesh"]) == set()


def test_objects_by_filter(demo):
    found = objects(demo, "dpo", "tables", catalog_filter="mesh", db_schema_filter="sal%", table_name_filter="order\\_%")
    assert "order_lines" in found["mesh"]["sales"]
    assert "orders" not in found["mesh"]["sales"]
    assert objects(demo, "dpo", "catalogs", catalog_filter="other") == objects(demo, "dpo", "all", catalog_filter="other") == {}
    assert objects(demo, "dpo", "db_schemas", db_schema_filter="s%") == {"mesh": {"sales": None}}
    found = objects(demo, "ana", "all", db_schema_filter="sales", column_name_filter="%region%")
    assert found == {"mesh": {"sales": {"customers": ["region"], "order_lines": [], "orders": ["region"]}}}
    for kind, there in (("TABLE", {"customers", "order_lines", "orders"}), ("VIEW", set())):
        found = objects(demo, "ana", "tables", db_schema_filter="sales", table_types_filter=[kind])
        assert set(found["mesh"]["sales"]) == there, kind


def test_table_schema(demo):
    with demo.connect("ana") as connection:
        schema = connection.adbc_get_table_schema("orders", db_schema_filter="sales")
        assert schema.field("order_id").type == pyarrow.int64()
        assert schema.field("amount").type == pyarrow.decimal128(12, 2)
        assert schema.field("ordered_at").type == pyarrow.timestamp("us")
        assert "order_year" in schema.names
        with pytest.raises(adbc_driver_manager.Error):
            connection.adbc_get_table_schema("employees", db_schema_filter="hr")


def test_ana_and_dpo_ask_the_same_and_see_different_rows(demo):
    sql = "select region, count(*) from sales.customers group by region order by region"
    assert demo.rows("ana", sql) == [("EU", CUSTOMERS["EU"])]
    assert demo.rows("bob", sql) == [("US", CUSTOMERS["US"])]
    assert demo.rows("dpo", sql) == sorted(CUSTOMERS.items())


def test_ana_and_dpo_see_different_cells(demo):
    sql = "select customer_id, name, email from sales.customers where region = 'EU' order by customer_id limit 20"
    masked, clear = demo.rows("ana", sql), demo.rows("dpo", sql)
    assert [row[0] for row in masked] == [row[0] for row in clear]
    assert all("@" in row[2] for row in clear)
    assert all(len(value) == 64 and set(value) <= set("0123456789abcdef") for row in masked for value in row[1:])


def test_a_struct_is_rebuilt_from_what_it_may_show(demo):
    sql = "select address from logistics.shipments where region = 'EU' order by shipment_id limit 5"
    masked, clear = demo.rows("ana", sql), demo.rows("dpo", sql)
    assert all(address["street"] is None and address["city"] for (address,) in masked)
    assert [a["city"] for (a,) in masked] == [a["city"] for (a,) in clear]
    assert all(address["street"] for (address,) in clear)


def test_salary_is_decided_cell_by_cell(demo):
    sql = "select region, salary from hr.employees order by employee_id"
    seen, clear = demo.rows("hana", sql), demo.rows("dpo", sql)
    assert len(seen) == len(clear) == 20
    for (region, shown), (_, salary) in zip(seen, clear):
        assert isinstance(salary, decimal.Decimal)
        assert shown == (salary if region == "EU" else salary // 10_000 * 10_000)


def test_a_join_across_domains(demo):
    sql = """
        select count(*) from sales.orders o
        join logistics.shipments s on s.order_id = o.order_id
        join logistics.carriers c on c.carrier_id = s.carrier_id
        join sales.customers k on k.customer_id = o.customer_id
    """
    assert demo.rows("dpo", sql) == [(4_000,)]
    (ana,), (bob,) = demo.rows("ana", sql), demo.rows("bob", sql)
    assert 0 < ana[0] and 0 < bob[0] and ana[0] + bob[0] < 4_000


def test_many_rows_arrive_whole(demo):
    with demo.connect("dpo") as connection, connection.cursor() as cursor:
        cursor.execute("select order_id, line_no, product_code, quantity, unit_price from sales.order_lines")
        table = cursor.fetch_arrow_table()
    assert table.num_rows == 15_000
    assert table.schema.field("unit_price").type == pyarrow.decimal128(12, 2)
    assert len(set(zip(table["order_id"].to_pylist(), table["line_no"].to_pylist()))) == 15_000


Code = adbc_driver_manager.AdbcStatusCode
FAILURES = [
    ("ana", "selec 1 from", ProgrammingError, Code.INVALID_ARGUMENT, "`selec` at line 1, column 1"),
    ("ana", "select '", ProgrammingError, Code.INVALID_ARGUMENT, "unterminated string"),
    ("ana", "select nope from sales.orders", ProgrammingError, Code.INVALID_ARGUMENT, "there is no column `nope`"),
    ("ana", "select 1; select 2", ProgrammingError, Code.INVALID_ARGUMENT, "one statement"),
    ("ana", "select 1 / 0", ProgrammingError, Code.INVALID_ARGUMENT, "divide by zero"),
    ("ana", "select * from sales.nope", ProgrammingError, Code.NOT_FOUND, "there is no table `sales.nope`"),
    ("eve", "select * from sales.orders", ProgrammingError, Code.NOT_FOUND, "there is no table `sales.orders`"),
    ("dpo", "insert into sales.orders values (1)", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
    ("dpo", "update sales.orders set amount = 1", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
    ("dpo", "delete from sales.orders", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
    ("dpo", "create table t as select 1", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
    ("dpo", "create external table t stored as csv location '/etc/passwd'", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
    ("dpo", "drop table sales.orders", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
    ("dpo", "copy sales.orders to '/tmp/out.csv'", NotSupported, Code.NOT_IMPLEMENTED, "read-only"),
]


@pytest.mark.parametrize(("user", "sql", "kind", "code", "words"), FAILURES)
def test_a_failure_has_its_kind_and_one_line(demo, user, sql, kind, code, words):
    error = failure(demo, user, sql)
    assert type(error) is kind and error.status_code == code
    text = str(error)
    assert words in text
    # The statement underlined is for terminals: folded into one line its mark points nowhere.
    assert "\n" not in text and "^" not in text and len(text) < 400, text
    assert demo.rows("ana", "select 1") == [(1,)]


@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT 1;", " \n select 1 ; ", "-- of one\nselect 1", "/* a; b */ select 1 -- end", "(select 1)"])
def test_a_statement_in_many_clothes(demo, sql):
    assert demo.rows("ana", sql) == [(1,)]


def test_an_unknown_table_and_a_forbidden_one_are_the_same_answer(demo):
    absent = failure(demo, "ana", "select * from hr.absentees")
    hidden = failure(demo, "ana", "select * from hr.employees")
    assert absent.status_code == hidden.status_code == adbc_driver_manager.AdbcStatusCode.NOT_FOUND
    assert str(hidden).replace("employees", "absentees") == str(absent)


def test_a_hidden_column_and_an_unknown_one_are_the_same_answer(demo):
    absent = failure(demo, "ana", "select credit_limes from sales.customers")
    hidden = failure(demo, "ana", "select credit_limit from sales.customers")
    assert isinstance(hidden, ProgrammingError)
    assert str(hidden).replace("credit_limit", "credit_limes") == str(absent)


def test_a_statement_can_be_run_twice_on_one_cursor(demo):
    with demo.connect("ana") as connection, connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("select count(*) from logistics.carriers")
            assert cursor.fetchone() == (40,)


def test_a_purpose_is_set_shown_and_kept_by_the_login(demo):
    with demo.connect("ana") as connection, connection.cursor() as cursor:
        for execute, purpose in ((cursor.execute, "support"), (cursor.executescript, "audit")):
            execute(f"set meshgate.purpose = '{purpose}'")
            cursor.execute("show meshgate.purpose")
            assert cursor.fetchall()[0][-1] == purpose
        cursor.execute("reset meshgate.purpose")
        cursor.execute("show meshgate.purpose")
        assert cursor.fetchall()[0][-1] in ("", None)
    # Another login has none.
    assert demo.rows("ana", "show meshgate.purpose")[0][-1] in ("", None)


def test_access_is_explained_and_masks_are_marked(demo):
    with demo.connect("ana") as connection, connection.cursor() as cursor:
        cursor.execute("explain access select * from sales.customers")
        table = cursor.fetch_arrow_table()
        assert table.column_names == ["product", "dataset", "column", "exposure", "policies", "reason", "owner", "support"]
        exposures = dict(zip(table["column"].to_pylist(), table["exposure"].to_pylist(), strict=True))
        assert exposures["(rows)"] == "filtered"
        assert exposures["email"] == "hash"
        assert "credit_limit" not in exposures
        cursor.execute("select email, country from sales.customers limit 1")
        schema = cursor.fetch_arrow_table().schema
        assert (schema.field("email").metadata or {}).get(b"meshgate.exposure") == b"hash"
        assert (schema.field("country").metadata or {}).get(b"meshgate.exposure") is None
