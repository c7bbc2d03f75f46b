"""What one login of adbc-driver-flightsql keeps, and what it gets over: settings, cancelled results, headers of any size."""

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import pyarrow.flight
import pytest

Code = adbc_driver_manager.AdbcStatusCode
LOGIN = {"username": "ana", "password": "ana"}
COOKIES = {adbc_driver_flightsql.DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
HEADER = adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value


def connect(gateway, **options: str):
    return adbc_driver_flightsql.dbapi.connect(gateway.url, db_kwargs=options, autocommit=True)


@pytest.fixture(params=[{}, COOKIES], ids=["without cookies", "with cookies"])
def connection(demo, request):
    with connect(demo, **LOGIN, **request.param) as connection:
        yield connection


def count(connection, sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_a_login_keeps_its_domain(demo, connection):
    assert connection.adbc_current_catalog == "mesh"
    # The driver's word for "none is set".
    with pytest.raises(adbc_driver_manager.Error) as caught:
        connection.adbc_current_db_schema  # noqa: B018
    assert caught.value.status_code == Code.NOT_FOUND
    connection.adbc_current_catalog = "mesh"
    connection.adbc_current_db_schema = "sales"
    assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("mesh", "sales")
    assert count(connection, "select count(*) from customers") == 200
    with connection.cursor() as cursor:
        cursor.execute("use logistics")
        assert cursor.fetchall() == []
    assert connection.adbc_current_db_schema == "logistics"
    assert count(connection, "select count(*) from carriers") == 40
    # Another login has none of it.
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="there is no table `carriers`"):
        demo.rows("ana", "select count(*) from carriers")


def test_what_is_not_there_is_not_set(connection):
    connection.adbc_current_db_schema = "sales"
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="'catalog'"):
        connection.adbc_current_catalog = "other"
    for domain in ("hr", "no-such-domain"):
        with pytest.raises(adbc_driver_manager.ProgrammingError, match="'schema'"):
            connection.adbc_current_db_schema = domain
    assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("mesh", "sales")


def test_a_stream_is_cancelled_and_the_connection_goes_on(connection):
    everything = count(connection, "select count(*) from sales.order_lines") ** 2
    with connection.cursor() as cursor:
        cursor.execute("select a.order_id from sales.order_lines a, sales.order_lines b")
        batches = cursor.fetch_record_batch()
        read = batches.read_next_batch().num_rows
        cursor.adbc_cancel()
        # pyarrow reads the stream, and has no error of its own for this.
        with pytest.raises(OSError, match="[Cc]ancel"):
            for batch in batches:
                read += batch.num_rows
        assert 0 < read < everything
        cursor.execute("select 2")
        assert cursor.fetchall() == [(2,)]
    assert count(connection, "select 3") == 3


def test_cancelling_nothing_is_fine(connection):
    connection.adbc_cancel()
    assert count(connection, "select 1") == 1


@pytest.mark.parametrize("kilobytes", [1, 12, 24])
def test_a_long_token_arrives(demo, kilobytes):
    """It is nobody's, which the gateway says; the transport does not mind."""
    with connect(demo, **{HEADER: f"Bearer {'x' * (kilobytes << 10)}"}) as connection:
        with pytest.raises(adbc_driver_manager.ProgrammingError, match="the bearer token is not known here") as caught:
            count(connection, "select 1")
    assert caught.value.status_code == Code.UNAUTHENTICATED
    assert len(str(caught.value)) < 400, "a refusal does not repeat what it was sent"


def test_a_token_beyond_all_measure_is_refused(demo):
    header = f"Bearer {'x' * (64 << 10)}"
    with connect(demo, **{HEADER: header}) as connection:
        # The gateway says how much it takes, and this driver heeds it.
        with pytest.raises(adbc_driver_manager.InternalError, match=r"maximum size \(32768 bytes\) set by server"):
            count(connection, "select 1")
    with pyarrow.flight.FlightClient(demo.url) as client:
        options = pyarrow.flight.FlightCallOptions(headers=[(b"authorization", header.encode())])
        # Arrow C++ sends it anyway: 431 is "Request Header Fields Too Large".
        with pytest.raises(pyarrow.flight.FlightServerError, match="431"):
            list(client.list_actions(options))
    assert demo.rows("ana", "select 1") == [(1,)]
