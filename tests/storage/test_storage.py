"""Stores of media, a directory and a bucket: objects whole or not at all, and addresses that bind what they take."""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cli.stack.ports import free_port
from storage.base import (
    HEAD,
    PART,
    ObjectMissing,
    PartPlan,
    PartsMissing,
    SignedRequest,
    Storage,
    StorageUnavailable,
    TooLong,
    TooShort,
    new_key,
)
from storage.opening import open_storage
from storage.s3 import S3Storage
from storage.s3_client import Bucket
from tests.storage.objects import DATA, content, pieces
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


MIB = 2**20


async def test_an_object_is_read_as_it_was_written(store: Storage) -> None:
    key = new_key()
    assert await store.stat(key) is None
    written = await store.write(key, pieces(DATA), len(DATA))
    assert written.size == len(DATA)
    assert written.sha256 in {hashlib.sha256(DATA).digest(), None}
    facts = await store.stat(key)
    assert facts is not None
    assert (facts.key, facts.size, facts.etag) == (key, len(DATA), written.etag)
    assert abs(facts.modified_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert await store.head(key) == DATA[:HEAD]
    for start, end in ((0, None), (1, 2), (HEAD, 290_000), (299_999, None), (300_000, None), (5, 5), (0, 10**12)):
        assert await content(store, key, start, end, written.etag) == DATA[start:end], (start, end)
    if store.is_local:
        descriptor = await store.open_local(key)
        assert descriptor is not None
        with os.fdopen(descriptor, "rb") as file:
            assert file.read() == DATA
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(file.fileno(), b"x")
    else:
        assert await store.open_local(key) is None


async def test_an_object_is_replaced_and_deleted(store: Storage) -> None:
    key = new_key()
    first = await store.write(key, pieces(DATA), len(DATA))
    await store.write(key, pieces(b"second"), 6)
    assert await content(store, key) == b"second"
    if first.etag:
        with pytest.raises(ObjectMissing):
            await content(store, key, etag=first.etag)
    for _ in range(2):
        await store.delete(key)
    assert await store.stat(key) is None
    with pytest.raises(ObjectMissing):
        await store.head(key)
    with pytest.raises(ObjectMissing):
        await content(store, key)


async def test_nothing_is_stored_of_a_write_that_fails(store: Storage) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError("the client is away")

    key = new_key()
    with pytest.raises(TooLong):
        await store.write(key, pieces(DATA), len(DATA) - 1)
    with pytest.raises(ConnectionResetError):
        await store.write(key, broken(), len(DATA))

    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        await asyncio.sleep(3600)

    writing = asyncio.create_task(store.write(key, endless(), len(DATA)))
    await asyncio.sleep(0.05)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await store.stat(key) is None
    assert [facts async for facts in store.objects()] == []


async def test_an_empty_object_is_an_object(store: Storage) -> None:
    key = new_key()
    assert (await store.write(key, pieces(b""), 0)).size == 0
    assert await store.head(key) == b""
    assert await content(store, key) == b""


async def test_no_name_but_a_key_reaches_the_store(store: Storage) -> None:
    for name in ("", "../etc/passwd", "a" * 31, "A" * 32, f"{new_key()}/", f"../{new_key()[3:]}", "a" * 31 + "\n"):
        with pytest.raises(ValueError, match="not a key"):
            await store.stat(name)
        with pytest.raises(ValueError, match="not a key"):
            await store.write(name, pieces(b"x"), 1)
        with pytest.raises(ValueError, match="not a key"):
            await store.delete(name)
        with pytest.raises(ValueError, match="not a key"):
            await store.begin_multipart(name, "video/mp4", PartPlan.for_size(1))


async def test_the_store_lists_its_objects(store: Storage) -> None:
    keys = {new_key() for _ in range(5)}
    for key in keys:
        await store.write(key, pieces(key.encode()), 100)
    assert {(facts.key, facts.size) async for facts in store.objects()} == {(key, 32) for key in keys}


async def test_a_large_object_comes_in_parts(store: Storage, server: Server | None) -> None:
    if server and server.kind == "rclone":
        pytest.skip("rclone's server takes each part once, in their order")
    key, data = new_key(), os.urandom(PART + 1000)
    plan = PartPlan.for_size(len(data))
    assert plan.count == 2
    multipart = await store.begin_multipart(key, "video/mp4", plan)
    assert await store.parts(key, multipart, plan) == []
    with pytest.raises(PartsMissing) as error:
        await store.complete_multipart(key, multipart, plan)
    assert error.value.numbers == [1, 2]
    last, first = data[PART:], data[:PART]
    # In any order, and again.
    for number, bytes_of_part in ((2, last), (1, os.urandom(PART)), (1, first)):
        part = await store.write_part(key, multipart, plan, number, pieces(bytes_of_part, MIB))
        assert (part.number, part.size) == (number, len(bytes_of_part))
    for wrong, problem in ((last + b"x", TooLong), (last[:-1], TooShort)):
        with pytest.raises(problem):
            await store.write_part(key, multipart, plan, 2, pieces(wrong))
    missing = {1, 2} - {part.number for part in await store.parts(key, multipart, plan)}
    if missing:
        assert missing == {2}
        await store.write_part(key, multipart, plan, 2, pieces(last))
    assert await store.stat(key) is None
    for _ in range(2):
        written = await store.complete_multipart(key, multipart, plan)
        assert written.size == len(data)
        assert written.sha256 in {hashlib.sha256(data).digest(), None}
    assert hashlib.sha256(await content(store, key, etag=written.etag)).digest() == hashlib.sha256(data).digest()
    with pytest.raises(ObjectMissing):
        await store.write_part(key, multipart, plan, 1, pieces(first))
    for number in (0, 3):
        with pytest.raises(ValueError, match="parts are 1 to 2"):
            await store.write_part(key, multipart, plan, number, pieces(b"x"))


async def test_an_upload_in_parts_is_aborted_or_abandoned(store: Storage) -> None:
    plan = PartPlan.for_size(10)
    aborted, deleted, abandoned = new_key(), new_key(), new_key()
    ids = {key: await store.begin_multipart(key, "video/mp4", plan) for key in (aborted, deleted, abandoned)}
    for key, multipart in ids.items():
        await store.write_part(key, multipart, plan, 1, pieces(b"0123456789"))
    for _ in range(2):
        await store.abort_multipart(aborted, ids[aborted])
        await store.delete(deleted)
    assert await store.remove_abandoned(datetime.now(UTC) - timedelta(days=1)) == 0
    assert len(await store.parts(abandoned, ids[abandoned], plan)) == 1
    assert await store.remove_abandoned(datetime.now(UTC) + timedelta(days=1)) == 1
    for key, multipart in ids.items():
        with pytest.raises(ObjectMissing):
            await store.parts(key, multipart, plan)
        with pytest.raises(ObjectMissing):
            await store.complete_multipart(key, multipart, plan)
        await store.abort_multipart(key, multipart)
    assert [facts async for facts in store.objects()] == []


def test_no_plan_has_too_many_parts() -> None:
    largest = PartPlan.for_size(5 * 10**9)
    assert (largest.part_size, largest.count, largest.length(299)) == (PART, 299, 5 * 10**9 - 298 * PART)
    assert PartPlan.for_size(10**12).count <= 1000
    for size, part_size in ((0, PART), (10**12, PART), (1, 0)):
        with pytest.raises(ValueError, match="plan"):
            PartPlan(size, part_size)
