"""The demo's data behind a real S3 server over HTTP answers like the same data in a folder."""

import json
import pathlib
import subprocess
import time
import urllib.request

import adbc_driver_manager
import boto3
import pytest
from moto.server import ThreadedMotoServer

from gateway import Gateway

BUCKET = "mesh"
SCRIPT = pathlib.Path(__file__).parents[2] / "compose" / "catalogs-on-s3.sh"
DOMAINS = ("sales", "logistics", "marketing", "hr")
SECRETS = {"MESH_S3_KEY": "mesh-reader", "MESH_S3_SECRET": "mesh-reader-secret"}

# Parquet with and without partitions, Delta, CSV, JSON lines.
QUERIES = [
    "select * from sales.orders where order_year = 2024 order by order_id limit 100",
    "select order_year, count(*), sum(amount) from sales.orders group by order_year order by order_year",
    "select count(*), sum(quantity) from sales.order_lines",
    "select * from sales.customers order by customer_id",
    "select * from logistics.shipments where order_id between 1000 and 1100 order by shipment_id",
    "select count(*), count(delivered_at) from logistics.shipments",
    "select * from logistics.carriers order by carrier_id",
]
ALSO_FOR_DPO = [
    "select channel, campaign, count(*), max(at) from marketing.touchpoints group by channel, campaign order by 1, 2",
    "select * from hr.employees order by employee_id",
]


@pytest.fixture(scope="module")
def endpoint(demo, demo_folder):
    """An S3 server that holds the demo's data, each domain below a prefix of its own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=SECRETS["MESH_S3_KEY"],
            aws_secret_access_key=SECRETS["MESH_S3_SECRET"],
        )
        client.create_bucket(Bucket=BUCKET)
        data = demo_folder / "data"
        for path in sorted(data.rglob("*")):
            if path.is_file():
                client.upload_file(str(path), BUCKET, path.relative_to(data).as_posix())
        yield endpoint
    finally:
        server.stop()


def catalogs_on_s3(source: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    """The demo's contracts with every `local` server made an `s3` one, by the script that docker-compose.yml runs too."""
    subprocess.run(["sh", str(SCRIPT), str(source), str(target), BUCKET], check=True, timeout=60)
    contracts = [path.read_text() for path in target.rglob("*.odcs.yaml")]
    assert contracts
    for contract in contracts:
        assert "type: s3" in contract and "type: local" not in contract, contract
        assert f"s3://{BUCKET}/" in contract, contract
    return target


def config(folder: pathlib.Path, demo_folder: pathlib.Path, catalogs: pathlib.Path, endpoint: str, buckets: dict, keys: dict | None = None) -> str:
    text = f'catalogs = "{catalogs}"\n[listen]\naddress = "127.0.0.1:0"\n[auth]\nusers = "{demo_folder}/users.toml"\n'
    for domain in DOMAINS:
        text += f"""
[storage.domains.{domain}]
hash_key = "file:{demo_folder}/keys/{domain}.key"
[storage.domains.{domain}.s3]
bucket = "{buckets.get(domain, BUCKET)}"
prefix = "{domain}"
endpoint = "{endpoint}"
access_key_id = "env:{(keys or {}).get(domain, "MESH_S3_KEY")}"
secret_access_key = "env:MESH_S3_SECRET"
"""
    path = folder / "meshgate.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def on_s3(demo_folder, endpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    catalogs = catalogs_on_s3(demo_folder / "catalogs", folder / "catalogs")
    with Gateway("serve", "--config", config(folder, demo_folder, catalogs, endpoint, {}), environment=SECRETS) as gateway:
        yield gateway


@pytest.mark.parametrize("sql", QUERIES)
@pytest.mark.parametrize("user", ["ana", "dpo"])
def test_s3_answers_like_the_folder(demo, on_s3, user, sql):
    expected = demo.rows(user, sql)
    assert expected
    assert on_s3.rows(user, sql) == expected


@pytest.mark.parametrize("sql", ALSO_FOR_DPO)
def test_s3_answers_like_the_folder_for_the_other_domains(demo, on_s3, sql):
    expected = demo.rows("dpo", sql)
    assert expected
    assert on_s3.rows("dpo", sql) == expected


def test_eve_sees_nothing_on_s3(on_s3):
    with pytest.raises(adbc_driver_manager.ProgrammingError):
        on_s3.rows("eve", "select * from sales.orders")


def refused(gateway, sql: str) -> str:
    """What the officer, who may see all, is told of a product that cannot be read."""
    with pytest.raises(adbc_driver_manager.Error) as caught:
        gateway.rows("dpo", sql)
    text = str(caught.value)
    assert "\n" not in text
    for word in ("s3://", "http://", BUCKET + "/", "no-such-bucket", *SECRETS.values(), "403", "404"):
        assert word not in text, f"places are for the owner's log: {text}"
    return text


def assert_the_rest_is_served(gateway, demo) -> None:
    for table in ("sales.orders", "sales.customers", "marketing.touchpoints", "hr.employees"):
        count = f"select count(*) from {table}"
        assert gateway.rows("dpo", count) == demo.rows("dpo", count)


def log_of(gateway, domain: str, *words: str) -> None:
    """Waits for the line of the log that says why the domain's products are taken out."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if any(domain in line and all(word in line for word in words) for line in gateway.log().splitlines()):
            return
        time.sleep(0.2)
    raise AssertionError(f"no line with {domain} and {words}:\n{gateway.log()}")


def test_a_missing_bucket_takes_out_its_domain_only(demo, demo_folder, endpoint, tmp_path):
    catalogs = catalogs_on_s3(demo_folder / "catalogs", tmp_path / "catalogs")
    path = config(tmp_path, demo_folder, catalogs, endpoint, {"logistics": "no-such-bucket"})
    # The contracts name the bucket too, and the two must agree.
    for contract in (catalogs / "logistics").rglob("*.odcs.yaml"):
        contract.write_text(contract.read_text().replace(f"s3://{BUCKET}/", "s3://no-such-bucket/"))
    with Gateway("serve", "--config", path, environment=SECRETS) as gateway:
        for table in ("logistics.carriers", "logistics.shipments"):
            refused(gateway, f"select * from {table}")
        assert_the_rest_is_served(gateway, demo)
        log_of(gateway, "logistics", "no-such-bucket")


@pytest.fixture
def accounts(endpoint):
    """Turns on the server's check of credentials, and makes an account that it knows."""
    root = {"aws_access_key_id": "root", "aws_secret_access_key": "root", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=endpoint, **root)
    iam.create_user(UserName="reader")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="reader")["AccessKey"]

    def checks(after: str) -> None:
        request = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", data=after.encode(), method="POST")
        request.add_header("Content-Type", "text/plain")
        urllib.request.urlopen(request, timeout=30).close()

    checks("0")
    yield {"MESH_S3_KEY": key["AccessKeyId"], "MESH_S3_SECRET": key["SecretAccessKey"]}
    checks("inf")


def test_a_wrong_key_takes_out_its_domain_only(demo, demo_folder, endpoint, accounts, tmp_path):
    catalogs = catalogs_on_s3(demo_folder / "catalogs", tmp_path / "catalogs")
    path = config(tmp_path, demo_folder, catalogs, endpoint, {}, keys={"logistics": "MESH_S3_OTHER"})
    with Gateway("serve", "--config", path, environment={**accounts, "MESH_S3_OTHER": "a-wrong-key"}) as gateway:
        for table in ("logistics.carriers", "logistics.shipments"):
            assert "a-wrong-key" not in refused(gateway, f"select * from {table}")
        assert_the_rest_is_served(gateway, demo)
        log_of(gateway, "logistics.carriers", "access is refused")
        log_of(gateway, "logistics.shipments", "403 Forbidden")
        for secret in (*accounts.values(), "a-wrong-key"):
            assert secret not in gateway.log()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("mesh/logistics", "is outside the domain's prefix"),
        ("mesh/sales-of-others", "is outside the domain's prefix"),
        ("another/sales", "names a bucket that is not the domain's"),
        ("mesh/sales/../logistics", "leaves its prefix"),
    ],
)
def test_a_contract_that_names_another_place_is_refused(demo, demo_folder, endpoint, tmp_path, place, why):
    """`sales` may name places below s3://mesh/sales only; the others read on from the same bucket."""
    catalogs = catalogs_on_s3(demo_folder / "catalogs", tmp_path / "catalogs")
    for contract in (catalogs / "sales").rglob("*.odcs.yaml"):
        contract.write_text(contract.read_text().replace(f"s3://{BUCKET}/sales/", f"s3://{place}/"))
    with Gateway("serve", "--config", config(tmp_path, demo_folder, catalogs, endpoint, {}), environment=SECRETS) as gateway:
        for table in ("sales.orders", "sales.order_lines", "sales.customers"):
            refused(gateway, f"select * from {table}")
        for table in ("logistics.carriers", "marketing.touchpoints"):
            count = f"select count(*) from {table}"
            assert gateway.rows("dpo", count) == demo.rows("dpo", count)
        log_of(gateway, "sales", f"s3://{place}/", why)
