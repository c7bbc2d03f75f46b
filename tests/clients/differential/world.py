"""One mesh over the generated rows in four formats, its readers, and DuckDB with what each of them sees."""

import contextlib
import pathlib
import typing

import duckdb
import pyarrow as pa
import pyarrow.compute

from differential import formats, rows
from gateway import Gateway, run

READERS = ("reader", "analyst")
FORMATS = tuple(formats.WRITERS)
ROWS = 48

PROPERTIES = {
    pa.int8(): "integer, physicalType: tinyint", pa.int16(): "integer, physicalType: smallint", pa.int32(): "integer, physicalType: int",
    pa.int64(): "integer, physicalType: bigint", pa.float64(): "number, physicalType: double", pa.float32(): "number, physicalType: real",
    pa.bool_(): "boolean", pa.string(): "string", pa.date32(): "date", pa.timestamp("us"): "timestamp",
    pa.timestamp("us", "UTC"): "timestamp, logicalTypeOptions: {timezone: true}",
}  # fmt: skip

# What the analyst sees of a table of all types: some rows; texts, dates and numbers masked; one column in clear in some rows only.
POLICIES = """
@id("{table}-clear") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ resource has i32 && resource.i32 > -50 }}
unless {{ ["txt", "d", "i64", "dec", "num", "f"].contains(context.column.name) }};
@id("{table}-start-of-texts") @mask("first(2)") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ context.column.name == "txt" && resource has i32 && resource.i32 > -50 }};
@id("{table}-months") @mask("month") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ context.column.name == "d" && resource has i32 && resource.i32 > -50 }};
@id("{table}-bands") @mask("bucket(10)") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ context.column.name == "dec" && resource has i32 && resource.i32 > -50 }};
@id("{table}-clear-where-true") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ ["dec", "i64", "f"].contains(context.column.name) && resource has i32 && resource.i32 > -50 && resource has b && resource.b }};
@id("{table}-stars") @mask("redact") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ context.column.name == "num" && resource has i32 && resource.i32 > -50 }};
"""
SEEN = """SELECT * REPLACE (
    CASE WHEN txt IS NULL THEN NULL WHEN length(txt) <= 2 THEN '***' ELSE left(txt, 2) END AS txt,
    CASE WHEN num IS NULL THEN NULL ELSE '***' END AS num,
    CAST(date_trunc('month', d) AS DATE) AS d,
    CASE WHEN b THEN i64 END AS i64, CASE WHEN b THEN f END AS f,
    CASE WHEN b THEN dec ELSE CAST(floor(dec / 10) * 10 AS DECIMAL(12, 2)) END AS dec)
    FROM raw.{table} WHERE i32 > -50"""
SMALL = """
@id("{table}-rows") permit (principal in Role::"analyst", action == Action::"read", resource is lake::{table})
when {{ resource has k && resource.k != 3 }};
"""
SMALL_SEEN = "SELECT * FROM raw.{table} WHERE k <> 3"


class World(typing.NamedTuple):
    gateway: Gateway
    peers: dict[str, duckdb.DuckDBPyConnection]
    """For each reader a DuckDB whose schema `lake` holds what that reader sees."""


def properties(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"number, physicalType: 'DECIMAL({kind.precision},{kind.scale})'"
    if pa.types.is_list(kind):
        return f"array, items: {{name: item, logicalType: {properties(kind.value_type)}}}"
    if pa.types.is_struct(kind):
        return f"object, properties: [{', '.join(f'{{name: {each.name}, logicalType: {properties(each.type)}}}' for each in kind)}]"
    return PROPERTIES[kind]


def contract(table: str, format: str, schema: pa.Schema) -> str:
    lines = [
        f"apiVersion: v3.1.0\nkind: DataContract\nid: {table}\nname: {table}\nversion: 1.0.0\nstatus: active\ndomain: lake",
        f"servers: [{{server: local, type: local, path: {table}, format: {format}}}]\nschema:\n  - name: {table}\n    properties:",
    ]
    lines += [f"      - {{name: {each.name}, logicalType: {properties(each.type)}}}" for each in schema]
    return "\n".join(lines) + "\n"


def fitted(table: pa.Table, format: str) -> pa.Table:
    """The rows as the format can tell them: CSV has neither lists nor structs, and its empty field is the empty text."""
    if format != "csv":
        return table
    flat = table.select([each.name for each in table.schema if not pa.types.is_nested(each.type)])
    for place, each in enumerate(flat.schema):
        if each.type == pa.string():
            flat = flat.set_column(place, each, pyarrow.compute.fill_null(flat[each.name], ""))
    return flat


@contextlib.contextmanager
def world(home: pathlib.Path, seed: int):
    """Makes the files, starts the gateway over them and fills DuckDB."""
    large, small = rows.tables(seed, ROWS)
    catalogs = home / "catalogs"
    (catalogs / "lake" / "policies").mkdir(parents=True)
    (catalogs / "mesh.yaml").write_text(
        "roles: [reader, analyst]\ntags: []\nclassifications: [internal, restricted]\ndefaultClassification: internal\n"
    )
    (catalogs / "lake" / "domain.yaml").write_text("name: lake\nowner: {team: t}\nsupport: [{channel: '#c'}]\n")
    policies = '@id("readers") permit (principal in Role::"reader", action == Action::"read", resource in Domain::"lake");\n'
    peers = {reader: duckdb.connect() for reader in READERS}
    for peer in peers.values():
        peer.execute(
            "CREATE SCHEMA raw; CREATE SCHEMA lake; SET TimeZone = 'UTC'; SET threads = 1; SET order_by_non_integer_literal = true; SET default_null_order = 'nulls_last_on_asc_first_on_desc'"
        )
    for format, write in formats.WRITERS.items():
        for letter, whole, policy, seen in (("t", large, POLICIES, SEEN), ("s", small, SMALL, SMALL_SEEN)):
            table, name = fitted(whole, format), f"{letter}_{format}"
            (home / "data" / name).mkdir(parents=True)
            write(table, home / "data" / name)
            (catalogs / "lake" / f"{name}.odcs.yaml").write_text(contract(name, format, table.schema))
            policies += policy.format(table=name)
            for reader, peer in peers.items():
                peer.register("arrow", table)
                peer.execute(f"CREATE TABLE raw.{name} AS SELECT * FROM arrow")
                peer.unregister("arrow")
                text = seen.format(table=name) if reader == "analyst" else f"SELECT * FROM raw.{name}"
                peer.execute(f"CREATE TABLE lake.{name} AS {text}")
    (catalogs / "lake" / "policies" / "all.cedar").write_text(policies)
    config = 'catalogs = "catalogs"\n[auth]\nusers = "users.toml"\n[listen]\naddress = "127.0.0.1:0"\n[storage.domains.lake]\nroot = "data"\n'
    (home / "meshgate.toml").write_text(config)
    for user in READERS:
        arguments = ["user", "add", user, "--role", user, "--users", str(home / "users.toml")]
        added = run(*arguments, environment={"MESHGATE_PASSWORD": user})
        assert added.returncode == 0, added.stderr
    with Gateway("serve", "--config", str(home / "meshgate.toml")) as gateway:
        yield World(gateway, peers)
