"""Writes one Arrow table as each of the formats that are served."""

import csv
import datetime
import decimal
import json
import math
import pathlib
import uuid

import pyarrow as pa
import pyarrow.parquet


def halves(table: pa.Table) -> list[pa.Table]:
    middle = table.num_rows // 2
    return [table.slice(0, middle), table.slice(middle)]


def parquet(table: pa.Table, folder: pathlib.Path) -> None:
    for number, part in enumerate(halves(table)):
        pyarrow.parquet.write_table(part, folder / f"part-{number}.parquet", row_group_size=9, use_dictionary=number == 0)


def text(value, quoted: bool) -> str:
    """One value as CSV has it, or JSON (`quoted`)."""
    if value is None:
        return "null" if quoted else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        word = "NaN" if math.isnan(value) else "Infinity" if value == math.inf else "-Infinity" if value == -math.inf else repr(value)
        return word
    if isinstance(value, (int, decimal.Decimal)):
        return str(value) if isinstance(value, int) else format(value, "f")
    if isinstance(value, list):
        return "[" + ", ".join(text(each, quoted) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {text(each, quoted)}" for name, each in value.items()) + "}"
    if isinstance(value, (datetime.date, datetime.datetime)):
        value = value.isoformat().replace("+00:00", "Z")
    return json.dumps(value) if quoted else value


def as_csv(table: pa.Table, folder: pathlib.Path) -> None:
    for number, part in enumerate(halves(table)):
        with open(folder / f"part-{number}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(part.column_names)
            writer.writerows([text(value, False) for value in row.values()] for row in part.to_pylist())


def as_json(table: pa.Table, folder: pathlib.Path) -> None:
    for number, part in enumerate(halves(table)):
        (folder / f"part-{number}.json").write_text("".join(text(row, True) + "\n" for row in part.to_pylist()), encoding="utf-8")


WORDS = {pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long", pa.float64(): "double", pa.float32(): "float",
         pa.bool_(): "boolean", pa.string(): "string", pa.date32(): "date", pa.timestamp("us"): "timestamp_ntz", pa.timestamp("us", "UTC"): "timestamp"}  # fmt: skip


def word(kind: pa.DataType):
    """A type as a Delta schema writes it."""
    if pa.types.is_list(kind):
        return {"type": "array", "elementType": word(kind.value_type), "containsNull": True}
    if pa.types.is_struct(kind):
        return {"type": "struct", "fields": [field(each) for each in kind]}
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return WORDS[kind]


def field(each: pa.Field) -> dict:
    return {"name": each.name, "type": word(each.type), "nullable": True, "metadata": {}}


def statistics(part: pa.Table) -> dict:
    """Bounds of whole numbers, dates and texts, and counts of NULLs, as a writer records them."""
    bounded = [name for name in part.column_names if pa.types.is_integer(part[name].type) or part[name].type in (pa.date32(), pa.string())]
    values = {name: [value for value in part[name].to_pylist() if value is not None] for name in bounded}

    def plain(value):
        return value.isoformat() if isinstance(value, datetime.date) else value

    return {
        "numRecords": part.num_rows,
        "minValues": {name: plain(min(found)) for name, found in values.items() if found},
        "maxValues": {name: plain(max(found)) for name, found in values.items() if found},
        "nullCount": {name: part[name].null_count for name in bounded},
    }


def delta(table: pa.Table, folder: pathlib.Path) -> None:
    """Partitioned by `cat`; a second commit removes one file and adds its rows again in two, the second with all its statistics."""
    (folder / "_delta_log").mkdir()
    schema = json.dumps({"type": "struct", "fields": [field(each) for each in table.schema]})
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"]}
    first = [
        {"protocol": protocol},
        {"metaData": {"id": str(uuid.uuid4()), "format": {"provider": "parquet", "options": {}}, "schemaString": schema,
                      "partitionColumns": ["cat"], "configuration": {}, "createdTime": 0}},
    ]  # fmt: skip
    second = []

    def add(part: pa.Table, category: str | None, known: bool) -> dict:
        name = f"part-{uuid.uuid4()}.parquet"
        part = part.drop_columns(["cat"])
        pyarrow.parquet.write_table(part, folder / name, row_group_size=7)
        entry = {
            "path": name,
            "partitionValues": {"cat": category},
            "size": (folder / name).stat().st_size,
            "modificationTime": 0,
            "dataChange": True,
        }
        return {"add": {**entry, "stats": json.dumps(statistics(part))} if known else entry}

    categories = table["cat"].to_pylist()
    for number, category in enumerate(dict.fromkeys(categories)):
        part = table.take([row for row, value in enumerate(categories) if value == category])
        entry = add(part, category, number % 2 == 0)
        first.append(entry)
        if number == 1:
            second.append({"remove": {"path": entry["add"]["path"], "dataChange": True, "deletionTimestamp": 0}})
            second += [add(half, category, True) for half in halves(part) if half.num_rows]
    for version, lines in enumerate((first, second)):
        (folder / f"_delta_log/{version:020}.json").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")


WRITERS = {"parquet": parquet, "delta": delta, "csv": as_csv, "json": as_json}
