"""Every Python block of the README runs as it stands; only the port is another."""

import pathlib
import re
import subprocess
import sys

import pytest

README = pathlib.Path(__file__).parents[2] / "README.md"
SERVED = "127.0.0.1:8815"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_readme_has_python():
    assert BLOCKS
    assert all(SERVED in block for block in BLOCKS), "a block that names no address asks no gateway"


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_runs(demo, block):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.replace(SERVED, demo.address)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr, result.stderr
    # Ana's region, and no other.
    assert "EU" in result.stdout and "US" not in result.stdout, result.stdout
