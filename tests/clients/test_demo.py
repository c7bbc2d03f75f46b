"""`meshgate demo` as a command: what it makes, what it refuses, how it ends."""

import socket

import pytest

from conftest import SCALE
from gateway import Gateway, run


def arguments(folder, listen="127.0.0.1:0", scale=SCALE) -> list[str]:
    return ["demo", "--dir", str(folder), "--scale", scale, "--no-repl", "--listen", listen]


def assert_one_sentence(result, *words: str) -> None:
    assert result.returncode == 1, result.stderr
    first, *hints = result.stderr.strip().splitlines()
    for word in words:
        assert word in first
    assert all(hint.lstrip().startswith("hint:") for hint in hints), result.stderr
    assert "panicked" not in result.stderr and "backtrace" not in result.stderr.lower()


def test_the_folder_is_all_there(demo, demo_folder):
    for name in ("meshgate.toml", "users.toml", "catalogs/mesh.yaml", "keys/sales.key", "data/logistics/carriers.csv"):
        assert (demo_folder / name).is_file(), name


def test_the_banner_names_products_and_connections(demo):
    banner = demo.log()
    for word in ("customers", "orders", "shipments", "touchpoints", "employees", "jdbc:", "adbc"):
        assert word in banner, f"{word}\n{banner}"


def test_a_second_start_reuses_the_folder_and_keeps_edits(tmp_path):
    folder = tmp_path / "mesh"
    with Gateway(*arguments(folder)):
        pass
    users = folder / "users.toml"
    users.write_text(users.read_text() + "\n# edited\n")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix in {".parquet", ".yaml", ".cedar"}}
    with Gateway(*arguments(folder)) as again:
        assert again.rows("ana", "select count(*) from logistics.carriers") == [(40,)]
    assert before and before == {path: path.stat().st_mtime_ns for path in before}
    assert users.read_text().endswith("# edited\n")


def test_another_scale_is_refused(demo, demo_folder):
    assert_one_sentence(run(*arguments(demo_folder, scale="0.02")), "0.01", "0.02")


def test_prepare_only_makes_a_folder_to_serve(tmp_path):
    folder = tmp_path / "mesh"
    result = run("demo", "--prepare-only", "--dir", str(folder), "--scale", SCALE)
    assert result.returncode == 0, result.stderr
    assert "grpc://" not in result.stdout
    with Gateway(*arguments(folder)) as gateway:
        assert "making" not in gateway.log()
        assert gateway.rows("ana", "select count(*) from logistics.carriers") == [(40,)]


def test_a_busy_port(demo_folder, demo):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert_one_sentence(run(*arguments(demo_folder, listen=f"127.0.0.1:{port}")), str(port))


def test_a_folder_below_a_file(tmp_path):
    (tmp_path / "plain").write_text("")
    assert_one_sentence(run(*arguments(tmp_path / "plain" / "demo")), "plain")


def test_an_address_beyond_loopback(demo_folder, demo):
    result = run(*arguments(demo_folder, listen="0.0.0.0:0"))
    assert result.returncode == 1
    assert "serve" in result.stderr


@pytest.mark.parametrize("words", [["no-such-command"], ["demo", "--scale", "much"], ["serve", "--no-such-option"]])
def test_misuse(words):
    assert run(*words).returncode == 2
