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
