"""What stands in the bytes that a client receives, and which types they have."""

import pandas
import pyarrow
import pytest

PERSONAL = ("name", "email", "phone")


def batches(gateway, user: str, sql: str) -> list[pyarrow.RecordBatch]:
    with gateway.connect(user) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetch_record_batch())


def received(found: list[pyarrow.RecordBatch]) -> bytes:
    """All buffers, whole: also what lies behind a NULL, before an offset or after the last row."""
    parts = []

    def add(array: pyarrow.Array) -> None:
        if pyarrow.types.is_dictionary(array.type):
            add(array.dictionary)
        # A slice tells of its own rows only; its buffers are those of the array that it was cut from.
        parts.extend(buffer.to_pybytes() for buffer in array.buffers() if buffer is not None)

    for batch in found:
        for column in batch.columns:
            add(column)
    return b"\0".join(parts)


@pytest.fixture(scope="module")
def secrets(demo) -> dict[str, list[bytes]]:
    rows = batches(demo, "dpo", f"select {', '.join(PERSONAL)} from sales.customers")
    table = pyarrow.Table.from_batches(rows)
    return {column: [value.encode() for value in table[column].to_pylist() if value] for column in PERSONAL}


def test_the_officer_receives_every_value(demo, secrets):
    """The search below finds what is there."""
    found = received(batches(demo, "dpo", "select * from sales.customers"))
    assert all(value in found for values in secrets.values() for value in values)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from sales.customers",
        "select email from sales.customers where customer_id < 50",
        "select name, email, phone from sales.customers limit 3",
        "select max(email), min(name), count(distinct phone) from sales.customers",
        "select upper(email), email || name from sales.customers order by email",
        "select o.order_id, c.* from sales.orders o join sales.customers c on c.customer_id = o.customer_id",
    ],
)
def test_no_raw_value_of_anybody_reaches_ana(demo, secrets, sql):
    rows = batches(demo, "ana", sql)
    assert sum(batch.num_rows for batch in rows)
    found = received(rows).lower()
    for values in secrets.values():
        assert values
        for value in values:
            assert value.lower() not in found, value


def test_mia_receives_the_domain_of_an_email_and_no_more(demo, secrets):
    found = received(batches(demo, "mia", "select email from sales.customers"))
    assert secrets["email"][0].partition(b"@")[2] in found
    assert not any(value in found for value in secrets["email"])


def plain(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    if types.is_dictionary(kind) or types.is_string_view(kind) or types.is_binary_view(kind) or types.is_run_end_encoded(kind):
        return False
    return all(plain(kind.field(place).type) for place in range(kind.num_fields))


@pytest.mark.parametrize(
    "sql",
    [
        "select * from sales.customers limit 5",
        "select * from sales.orders limit 5",
        "select * from logistics.shipments limit 5",
        "select * from logistics.carriers limit 5",
        "select * from marketing.touchpoints limit 5",
        "select * from hr.employees limit 5",
        "select arrow_cast(region, 'Dictionary(Int32, Utf8)') as d, arrow_cast(region, 'Utf8View') as v from sales.orders limit 5",
        "select make_array(arrow_cast('a', 'Utf8View')) as list, named_struct('d', arrow_cast('a', 'Dictionary(Int8, Utf8)')) as s",
    ],
)
def test_views_and_dictionaries_are_lowered(demo, sql):
    for batch in batches(demo, "dpo", sql):
        for field in batch.schema:
            assert plain(field.type), field


def test_sql_text_as_a_table_pattern(demo):
    """pandas asks GetTables for a table of the name of the statement before it sends it."""
    sql = "select region, '100%_\\' as odd, count(*) as orders from sales.orders where status like '%' group by region"
    with demo.connect("ana") as connection:
        frame = pandas.read_sql(sql, connection)
        assert frame["region"].tolist() == ["EU"]
        found = connection.adbc_get_objects(depth="tables", table_name_filter=sql).read_all().to_pylist()
    assert not [schema["db_schema_tables"] for catalog in found for schema in catalog["catalog_db_schemas"] if schema["db_schema_tables"]]


def test_the_metadata_of_one_who_sees_nothing(demo):
    with demo.connect("eve") as connection:
        assert connection.adbc_get_info()["vendor_name"] == "meshgate"
        assert "BASE TABLE" in connection.adbc_get_table_types() or "TABLE" in connection.adbc_get_table_types()
        found = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        text = str(found)
    assert [catalog["catalog_name"] for catalog in found] == ["mesh"]
    for word in ("sales", "logistics", "marketing", "hr", "customers", "orders", "email", "salary"):
        assert f"'{word}'" not in text, word
    assert demo.rows("eve", "show tables") == []
    assert demo.rows("eve", "select * from information_schema.columns where table_schema <> 'information_schema'") == []
