"""The 22 queries of TPC-H give the rows that DuckDB gives on the same files: to who may read all, and to who sees a part of them."""

import decimal
import json
import pathlib
import subprocess
import sys

import duckdb
import pytest

from gateway import Gateway, run

SCALE = "0.01"
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
DOMAINS = sorted(set(TABLES.values()))

READ = '@id("readers-of-{domain}") permit (principal in Role::"reader", action == Action::"read", resource in Domain::"{domain}");\n'
ANALYST = {
    "sales": """
@id("lines") permit (principal in Role::"analyst", action == Action::"read", resource is sales::lineitem)
when { ["AIR", "MAIL", "RAIL", "SHIP"].contains(resource.l_shipmode) };
@id("orders") permit (principal in Role::"analyst", action == Action::"read", resource is sales::orders)
when { ["1-URGENT", "2-HIGH", "5-LOW"].contains(resource.o_orderpriority) };
""",
    "party": """
@id("customers") permit (principal in Role::"analyst", action == Action::"read", resource is party::customer)
unless { ["c_phone", "c_acctbal"].contains(context.column.name) };
@id("phones") @mask("first(2)") permit (principal in Role::"analyst", action == Action::"read", resource is party::customer)
when { context.column.name == "c_phone" };
@id("balances") @mask("bucket(100)") permit (principal in Role::"analyst", action == Action::"read", resource is party::customer)
when { context.column.name == "c_acctbal" };
""",
}
OTHERS = '@id("analysts-of-{domain}") permit (principal in Role::"analyst", action == Action::"read", resource in Domain::"{domain}");\n'

# What the analyst's policies say, in DuckDB's words.
SEEN = {
    "lineitem": "SELECT * FROM raw.lineitem WHERE l_shipmode IN ('AIR', 'MAIL', 'RAIL', 'SHIP')",
    "orders": "SELECT * FROM raw.orders WHERE o_orderpriority IN ('1-URGENT', '2-HIGH', '5-LOW')",
    "customer": "SELECT * REPLACE (left(c_phone, 2) AS c_phone, "
    "(floor(c_acctbal / 100) * 100)::DECIMAL(15, 2) AS c_acctbal) FROM raw.customer",
}
KINDS = {"BIGINT": "integer, physicalType: bigint", "INTEGER": "integer, physicalType: int", "DATE": "date", "VARCHAR": "string"}


def peer(root: pathlib.Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with the extension that holds the texts of the queries, and the tables in `raw` and, as the analyst sees them, in `seen`."""
    connection = duckdb.connect()
    # Beside the package `duckdb`, where that of the extension puts it; nothing is fetched.
    extensions = pathlib.Path(duckdb.__file__).parents[1] / "duckdb_ext" / "extensions"
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET extension_directory = ?", [str(extensions)])
    connection.execute("LOAD tpch")
    connection.execute("CREATE SCHEMA raw; CREATE SCHEMA seen")
    for table, domain in TABLES.items():
        file = root / domain / table / "part-0.parquet"
        connection.execute(f"CREATE TABLE raw.{table} AS SELECT * FROM '{file}'")
        connection.execute(f"CREATE TABLE seen.{table} AS {SEEN.get(table, f'SELECT * FROM raw.{table}')}")
    return connection


def contract(domain: str, connection: duckdb.DuckDBPyConnection) -> str:
    lines = [
        f"apiVersion: v3.1.0\nkind: DataContract\nid: {domain}\nname: {domain}\nversion: 1.0.0\nstatus: active\ndomain: {domain}",
        'servers: [{server: local, type: local, path: "{model}/*.parquet", format: parquet}]\nschema:',
    ]
    for table in (table for table, owner in TABLES.items() if owner == domain):
        lines.append(f"  - name: {table}\n    properties:")
        for name, kind, *_ in connection.execute(f"DESCRIBE raw.{table}").fetchall():
            kind = KINDS.get(kind, f"number, physicalType: '{kind}'")
            lines.append(f"      - {{name: {name}, logicalType: {kind}, required: true}}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A gateway over generated tables in four domains, and DuckDB over the same files."""
    home = tmp_path_factory.mktemp("tpch")
    generator = pathlib.Path(sys.executable).with_name("tpchgen-cli")
    for table, domain in TABLES.items():
        folder = home / domain / table
        folder.mkdir(parents=True)
        arguments = ["parquet", "--scale-factor", SCALE, "--tables", table, "--output-dir", folder]
        subprocess.run([generator, *arguments], check=True, capture_output=True)
        (made,) = folder.glob("*.parquet")
        made.rename(folder / "part-0.parquet")
    connection = peer(home)
    catalogs = home / "catalogs"
    catalogs.mkdir()
    (catalogs / "mesh.yaml").write_text(
        "roles: [reader, analyst]\ntags: []\nclassifications: [internal, restricted]\ndefaultClassification: internal\n"
    )
    config = 'catalogs = "catalogs"\n[auth]\nusers = "users.toml"\n[listen]\naddress = "127.0.0.1:0"\n'
    for domain in DOMAINS:
        (catalogs / domain / "policies").mkdir(parents=True)
        (catalogs / domain / "domain.yaml").write_text(f"name: {domain}\nowner: {{team: t}}\nsupport: [{{channel: '#c'}}]\n")
        (catalogs / domain / f"{domain}.odcs.yaml").write_text(contract(domain, connection))
        policies = READ + ANALYST.get(domain, OTHERS)
        (catalogs / domain / "policies" / "all.cedar").write_text(policies.replace("{domain}", domain))
        config += f'[storage.domains.{domain}]\nroot = "{home / domain}"\n'
    (home / "meshgate.toml").write_text(config)
    for user in ("reader", "analyst"):
        arguments = ["user", "add", user, "--role", user, "--users", str(home / "users.toml")]
        added = run(*arguments, environment={"MESHGATE_PASSWORD": user})
        assert added.returncode == 0, added.stderr
    with Gateway("serve", "--config", str(home / "meshgate.toml")) as gateway:
        yield gateway, connection


def domains(text: str, connection: duckdb.DuckDBPyConnection) -> str:
    """The query with each table as `domain.table`; DuckDB's own parser tells where a table is named and where a column like it."""
    places = []

    def walk(node):
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE" and node["table_name"] in TABLES:
                places.append((node["query_location"], TABLES[node["table_name"]]))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()[0]))
    for place, domain in sorted(set(places), reverse=True):
        text = f"{text[:place]}{domain}.{text[place:]}"
    return text


def comparable(rows: list[tuple]) -> list[tuple]:
    """With numbers as they compare: an average of decimals has six digits after the point in one engine, and all of a double in the other."""

    def value(cell):
        if isinstance(cell, (decimal.Decimal, float)):
            return pytest.approx(float(cell), rel=1e-9, abs=1e-6)
        return cell

    return [tuple(value(cell) for cell in row) for row in rows]


def plain(rows: list[tuple]) -> list[tuple]:
    return [tuple(float(cell) if isinstance(cell, decimal.Decimal) else cell for cell in row) for row in rows]


@pytest.mark.parametrize("user, schema", [("reader", "raw"), ("analyst", "seen")])
def test_the_22_queries_give_the_rows_of_duckdb(world, user, schema):
    gateway, connection = world
    connection.execute(f"USE {schema}")
    queries = connection.execute("SELECT query_nr, query FROM tpch_queries() ORDER BY 1").fetchall()
    assert len(queries) == 22
    rows = 0
    with gateway.connect(user) as client, client.cursor() as cursor:
        for number, text in queries:
            expected = connection.execute(text).fetchall()
            cursor.execute(domains(text, connection))
            answered = cursor.fetchall()
            assert plain(answered) == comparable(expected), f"query {number} of {user}"
            rows += len(expected)
    assert rows > 500, "queries that answer nothing show nothing"
