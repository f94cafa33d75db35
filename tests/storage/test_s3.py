"""S3: addresses that clients use themselves, credentials, and servers that are away."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cli.stack.ports import free_port
from storage.base import PART, ObjectMissing, PartPlan, SignedRequest, StorageUnavailable, new_key
from storage.opening import open_storage
from storage.s3 import S3Storage
from storage.s3_client import Bucket
from tests.storage.objects import DATA, content
from tests.storage.servers import KEY_ID, NAME, SECRET, Server
from tests.storage.signature import signature


@pytest.fixture
async def bucket(s3_server: Server) -> AsyncIterator[S3Storage]:
    store = s3_server.open()
    yield store
    await store.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def put(client: httpx.AsyncClient, signed: SignedRequest | None, body: bytes, **headers: str) -> int:
    assert signed
    answer = await client.request(signed.method, signed.url, headers=signed.headers | headers, content=body)
    return answer.status_code


async def test_a_client_stores_an_object_by_a_signed_address(bucket: S3Storage, client: httpx.AsyncClient) -> None:
    key = new_key()
    signed = await bucket.sign_put(key, "video/mp4", len(DATA), 60)
    assert signed
    assert signed.headers == {"Content-Type": "video/mp4"}
    assert await bucket.stat(key) is None
    assert await put(client, signed, DATA) == 200
    facts = await bucket.stat(key)
    assert facts
    assert (facts.size, await content(bucket, key, etag=facts.etag)) == (len(DATA), DATA)
    # The address still holds, so its holder may replace what was looked at. That is then missing, and never read.
    assert await put(client, signed, os.urandom(len(DATA))) == 200
    with pytest.raises(ObjectMissing):
        await bucket.head(key, facts.etag)


async def test_a_signed_address_binds_type_length_key_and_time(
    bucket: S3Storage, client: httpx.AsyncClient, s3_server: Server
) -> None:
    key, other = new_key(), new_key()
    signed = await bucket.sign_put(key, "video/mp4", len(DATA), 60)
    assert signed
    assert await put(client, signed, DATA, **{"Content-Type": "text/html"}) == 403
    assert await put(client, signed, DATA[:-1]) == 403
    assert await put(client, signed, DATA + b"x") == 403
    assert await put(client, SignedRequest("PUT", signed.url.replace(key, other), signed.headers), DATA) in {400, 403}
    assert (await client.get(signed.url)).status_code == 403
    brief = await bucket.sign_put(key, "video/mp4", len(DATA), 1)
    await asyncio.sleep(2.1)
    assert await put(client, brief, DATA) in {400, 403}
    assert await bucket.stat(key) is None
    assert await bucket.stat(other) is None


async def test_a_client_stores_parts_by_signed_addresses(bucket: S3Storage, client: httpx.AsyncClient) -> None:
    key, data = new_key(), os.urandom(PART + 1000)
    plan = PartPlan.for_size(len(data))
    multipart = await bucket.begin_multipart(key, "video/mp4", plan)
    for number, body in ((1, data[:PART]), (2, data[PART:])):
        signed = await bucket.sign_part(key, multipart, plan, number, 60)
        assert number == 1 or await put(client, signed, body + b"x") == 403
        assert await put(client, signed, body) == 200
    assert [part.number for part in await bucket.parts(key, multipart, plan)] == [1, 2]
    written = await bucket.complete_multipart(key, multipart, plan)
    assert await content(bucket, key, etag=written.etag) == data


async def test_an_address_has_the_signature_of_the_specification(bucket: S3Storage) -> None:
    plan = PartPlan.for_size(PART)
    host = urlsplit(bucket._client.meta.endpoint_url).netloc
    for signed, length in (
        (await bucket.sign_put(new_key(), "video/mp4", 7, 3600), 7),
        (await bucket.sign_put(new_key(), "image/png", None, 3600), None),
        (await bucket.sign_part(new_key(), "2~an/id+with=signs", plan, 1, 3600), PART),
    ):
        assert signed
        query = {name: values[0] for name, values in parse_qs(urlsplit(signed.url).query).items()}
        sent = {"host": host, "content-length": str(length)}
        sent |= {name.lower(): value for name, value in signed.headers.items()}
        bound = {"host", *(["content-length"] if length is not None else []), *map(str.lower, signed.headers)}
        assert set(query["X-Amz-SignedHeaders"].split(";")) == bound
        assert query["X-Amz-Expires"] == "3600"
        assert query["X-Amz-Signature"] == signature("PUT", signed.url, sent, SECRET)


async def test_wrong_credentials_and_buckets_are_unavailable(
    s3_server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They may not look like a missing object: posts would fail for good."""
    nowhere = S3Storage(Bucket.parse(s3_server.address.replace(f"/{NAME}/", "/none-such/")))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    refused = s3_server.open()
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    unsigned = s3_server.open()
    with caplog.at_level(logging.INFO):
        for store in (nowhere, refused, unsigned):
            for call in (store.stat, store.head, store.delete):
                with pytest.raises(StorageUnavailable) as error:
                    await call(new_key())
                shown = f"{error.value}{store!r}{vars(store)}"
                assert not [word for word in (SECRET, KEY_ID, "another-secret") if word in shown + caplog.text]
            await store.close()


async def test_a_server_that_is_away_is_unavailable_in_time() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        store = open_storage(f"s3://{NAME}?endpoint=http://127.0.0.1:{free_port()}")
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            await store.stat(new_key())
        assert time.monotonic() - began < 20
        await store.close()


def test_addresses_are_read_strictly(tmp_path: Path) -> None:
    bucket = Bucket.parse("s3://media/one/two/?endpoint=https://s3.example.com&region=eu-central-1")
    assert bucket == Bucket("media", "one/two/", "https://s3.example.com", "eu-central-1")
    assert Bucket.parse("s3://media") == Bucket("media", "", None, "us-east-1")
    for address in (
        "s3://",
        "s3:media",
        "s3:///media",
        "s3://key:secret@media",
        "s3://media#x",
        "s3://media?region",
        "s3://media?endpoint=ftp://x",
        "s3://media?secret=abc",
        "S3 ://media",
    ):
        with pytest.raises(ValueError, match=r"s3|endpoint|bad query"):
            open_storage(address)
