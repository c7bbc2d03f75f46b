"""pyarrow.flight: basic login, a statement's FlightInfo, tickets that belong to one principal."""

import base64

import pyarrow
import pyarrow.flight as flight
import pytest

SQL = "select region, count(*) as customers from sales.customers group by region order by region"


def statement(sql: str) -> flight.FlightDescriptor:
    """CommandStatementQuery in a protobuf Any, by hand: both messages have nothing but short fields."""

    def field(number: int, value: bytes) -> bytes:
        length, encoded = len(value), b""
        while length > 0x7F:
            encoded += bytes([length & 0x7F | 0x80])
            length >>= 7
        return bytes([number << 3 | 2]) + encoded + bytes([length]) + value

    kind = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, kind) + field(2, field(1, sql.encode())))


def login(client: flight.FlightClient, user: str) -> flight.FlightCallOptions:
    header = client.authenticate_basic_token(user.encode(), user.encode())
    assert header[0] == b"authorization" and header[1].startswith(b"Bearer ")
    return flight.FlightCallOptions(headers=[header])


@pytest.fixture
def client(demo):
    with flight.connect(demo.url) as client:
        yield client


def test_a_statement(client):
    options = login(client, "dpo")
    info = client.get_flight_info(statement(SQL), options)
    assert info.schema.names == ["region", "customers"]
    assert len(info.endpoints) == 1
    # Counts would tell of hidden rows.
    assert info.total_records == -1 and info.total_bytes == -1
    table = client.do_get(info.endpoints[0].ticket, options).read_all()
    assert table.schema.equals(info.schema)
    assert table.to_pydict() == {"region": ["APAC", "EU", "US"], "customers": [125, 200, 175]}


def test_one_client_two_logins(client):
    ana, bob = login(client, "ana"), login(client, "bob")
    for options, region in ((ana, "EU"), (bob, "US")):
        info = client.get_flight_info(statement(SQL), options)
        assert client.do_get(info.endpoints[0].ticket, options).read_all()["region"].to_pylist() == [region]


def test_two_logins_that_alternate_on_one_connection(client):
    """The same text, the same connection, streams that are open at once: nobody gets a row of the other."""
    sql = "select customer_id, region from sales.customers"
    regions = {"ana": "EU", "bob": "US"}
    options = {user: login(client, user) for user in regions}
    alone = {user: None for user in regions}
    for turn in range(20):
        users = list(regions) if turn % 2 else list(reversed(regions))
        infos = {user: client.get_flight_info(statement(sql), options[user]) for user in users}
        readers = {user: client.do_get(infos[user].endpoints[0].ticket, options[user]) for user in reversed(users)}
        for user in users:
            rows = readers[user].read_all()
            assert set(rows["region"].to_pylist()) == {regions[user]}
            ids = sorted(rows["customer_id"].to_pylist())
            alone[user] = alone[user] or ids
            assert ids == alone[user]
    assert not set(alone["ana"]) & set(alone["bob"])


def test_basic_on_any_call(client):
    token = base64.b64encode(b"ana:ana")
    for header in (token, token.rstrip(b"=")):
        options = flight.FlightCallOptions(headers=[(b"authorization", b"Basic " + header)])
        info = client.get_flight_info(statement(SQL), options)
        assert client.do_get(info.endpoints[0].ticket, options).read_all().num_rows == 1


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer none")],
        [(b"authorization", b"Basic " + base64.b64encode(b"ana:wrong"))],
        [(b"authorization", b"Basic %%%")],
        [(b"authorization", b"Digest x")],
    ],
)
def test_bad_credentials(client, headers):
    with pytest.raises(flight.FlightUnauthenticatedError):
        client.get_flight_info(statement("select 1"), flight.FlightCallOptions(headers=headers))


def test_a_wrong_password(client):
    with pytest.raises(flight.FlightUnauthenticatedError):
        client.authenticate_basic_token(b"ana", b"dpo")


def test_a_ticket_of_another_principal_and_a_broken_one(client):
    ana, bob = login(client, "ana"), login(client, "bob")
    ticket = client.get_flight_info(statement(SQL), ana).endpoints[0].ticket
    with pytest.raises(flight.FlightError):
        client.do_get(ticket, bob).read_all()
    sealed = ticket.ticket
    for place in (len(sealed) // 2, len(sealed) - 1):
        broken = bytearray(sealed)
        broken[place] ^= 1
        # INVALID_ARGUMENT, for which pyarrow has no Flight error.
        with pytest.raises(pyarrow.ArrowInvalid, match="the ticket is not valid here"):
            client.do_get(flight.Ticket(bytes(broken)), ana).read_all()
    # The rightful owner still gets it.
    assert client.do_get(ticket, ana).read_all().num_rows == 1


def test_what_is_not_offered_says_so(client):
    options = login(client, "ana")
    with pytest.raises(NotImplementedError):
        list(client.do_action(flight.Action("no-such-action", b""), options))
    assert client.get_flight_info(statement("select 1"), options).schema.names


def test_a_dataset_is_listed_and_fetched_by_its_path(client):
    options = login(client, "ana")
    paths = [tuple(info.descriptor.path) for info in client.list_flights(options=options)]
    assert (b"sales", b"orders") in paths and all(domain != b"hr" for domain, _ in paths)
    info = client.get_flight_info(flight.FlightDescriptor.for_path("sales", "orders"), options)
    table = client.do_get(info.endpoints[0].ticket, options).read_all()
    assert table.num_rows > 0 and set(table["region"].to_pylist()) == {"EU"}
