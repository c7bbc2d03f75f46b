"""One demo gateway for all tests that only read from it."""

import pathlib

import pytest

from gateway import Gateway

SCALE = "0.01"


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("demo") / "mesh"


@pytest.fixture(scope="session")
def demo(demo_folder):
    arguments = ["demo", "--dir", str(demo_folder), "--scale", SCALE, "--no-repl", "--listen", "127.0.0.1:0"]
    with Gateway(*arguments) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def anonymous(demo, demo_folder, tmp_path_factory):
    """A gateway of the same mesh that answers also who brings no credentials."""
    text = (demo_folder / "meshgate.toml").read_text()
    for key in ('"catalogs"', '"users.toml"', '"data/'):
        text = text.replace(key, f'"{demo_folder}/{key[1:]}')
    text = text.replace("file:keys/", f"file:{demo_folder}/keys/")
    text = text.replace("[auth]\n", "[auth]\nanonymous = true\n")
    config = tmp_path_factory.mktemp("anonymous") / "meshgate.toml"
    config.write_text(f'{text}\n[listen]\naddress = "127.0.0.1:0"\n')
    with Gateway("serve", "--config", str(config)) as gateway:
        yield gateway
