"""The built binary as a child process: started, awaited by the line it prints, ended by SIGTERM."""

import collections
import os
import pathlib
import re
import signal
import subprocess
import threading
import warnings

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import pyarrow.flight

ADDRESS = re.compile(r"grpc://(127\.0\.0\.1:\d+)")
START_SECONDS = 120
STOP_SECONDS = 60


def binary() -> str:
    path = os.environ.get("MESHGATE_BIN")
    if not path:
        raise RuntimeError("MESHGATE_BIN must name the built binary; `make test` sets it")
    return str(pathlib.Path(path).resolve())


class Gateway:
    """A running `meshgate`; use it as a context manager. Leaving it asserts a clean end."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None):
        self.process = subprocess.Popen(
            [binary(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1", **(environment or {})},
        )
        self.output: collections.deque[str] = collections.deque(maxlen=2_000)
        self.address: str | None = None
        self._bound = threading.Event()
        # Both pipes are read all the time, or the child would stop at a full one.
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, True), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, False), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, watch: bool) -> None:
        for line in pipe:
            self.output.append(line.rstrip("\n"))
            found = ADDRESS.search(line) if watch else None
            if found and self.address is None:
                self.address = found.group(1)
                self._bound.set()
        if watch:
            self._bound.set()

    def log(self) -> str:
        return "\n".join(self.output)

    def __enter__(self) -> "Gateway":
        self._bound.wait(START_SECONDS)
        if self.address is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no address was printed (exit {self.process.returncode}):\n{self.log()}")
        return self

    def __exit__(self, kind, *_rest) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "none, it had to be killed"
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        # An earlier failure says more than the end that it caused.
        if kind is None:
            assert code == 0, f"exit code after SIGTERM: {code}\n{self.log()}"

    @property
    def url(self) -> str:
        return f"grpc://{self.address}"

    def connect(self, user: str | None, password: str | None = None):
        """A DB-API connection; the password of a demo principal is its name."""
        login = {}
        if user is not None:
            login = {
                adbc_driver_manager.DatabaseOptions.USERNAME.value: user,
                adbc_driver_manager.DatabaseOptions.PASSWORD.value: user if password is None else password,
            }
        with warnings.catch_warnings():
            # There are no transactions to commit, and the driver says so at each connection.
            warnings.filterwarnings("ignore", message="Cannot disable autocommit")
            return adbc_driver_flightsql.dbapi.connect(self.url, db_kwargs=login)

    def token(self, user: str) -> str:
        """The bearer token of a new login."""
        with pyarrow.flight.FlightClient(self.url) as client:
            _, value = client.authenticate_basic_token(user, user)
        return value.decode().removeprefix("Bearer ")

    def rows(self, user: str, sql: str) -> list[tuple]:
        with self.connect(user) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()


def run(*arguments: str, seconds: int = 120, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Runs a command of the binary to its end."""
    return subprocess.run(
        [binary(), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
        check=False,
    )
