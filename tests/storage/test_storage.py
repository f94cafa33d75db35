"""The behaviour that the API and workers rely on, of every kind of store."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from storage.base import HEAD, PART, ObjectMissing, PartPlan, PartsMissing, Storage, TooLong, TooShort, new_key
from tests.storage.objects import DATA, content, pieces
from tests.storage.servers import Server

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
