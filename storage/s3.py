"""A store in a bucket of S3, or of a server that speaks its API. Clients send their bytes there themselves.

Credentials come from botocore's own sources: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_SHARED_CREDENTIALS_FILE,
or the role of the machine.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import IO, Any, TypeVar

from storage.base import (
    MOST_NAMED,
    ObjectMissing,
    ObjectStat,
    Part,
    PartPlan,
    PartsMissing,
    SignedRequest,
    Storage,
    TooLong,
    TooShort,
    Written,
    is_key,
    object_path,
)
from storage.files import StorageThreads, blocks
from storage.s3_client import Bucket, failures_of_s3, open_client

_CALL_S = 75.0
"""For one call and its repetition; botocore waits 5 s for a connection and 30 s for bytes."""
_UPLOAD_S = 600.0
"""Until the server has taken an object, or has put one together."""
_PIECE = 256 * 1024

T = TypeVar("T")


class S3Storage(Storage):
    """Objects in a bucket."""

    is_local = False

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self._bucket = bucket
        self._threads = StorageThreads()
        self._client = open_client(bucket)

    async def prepare(self) -> None:
        """Check that the bucket is there: a person creates it."""
        await self._run(_CALL_S, partial(self._client.list_objects_v2, Bucket=self._bucket.name, MaxKeys=1))

    async def has(self, key: str) -> bool:
        """Return whether an object is there."""
        return await self._threads.run(_CALL_S, partial(_calling, partial(self._stat, key))) is not None

    async def write(self, key: str, chunks: AsyncIterable[bytes], most: int) -> Written:
        """Collect the bytes on this machine's disk, and store them by one request."""
        place = self._place(key)
        async with self._temporary_file() as file:
            size, sha256 = await self._collect(file, chunks, most)
            answer = await self._run(_UPLOAD_S, partial(self._client.put_object, Body=file, **place))
        return Written(size, sha256, answer["ETag"])

    async def stat(self, key: str) -> ObjectStat | None:
        """Return size, etag and time of an object; None if it is not there."""
        return await self._run(_CALL_S, partial(self._stat, key))

    async def read(self, key: str, start: int = 0, end: int | None = None, etag: str = "") -> AsyncIterator[bytes]:
        """Yield the bytes from an offset up to another one, of an object with this etag."""
        if end is None or end > start:
            get = partial(self._get, etag, Range=f"bytes={start}-{'' if end is None else end - 1}", **self._place(key))
            body = await self._run(_CALL_S, get, _close)
            try:
                while body is not None and (piece := await self._run(_CALL_S, partial(body.read, _PIECE))):
                    yield piece
            finally:
                self._threads.later(partial(_close, body))

    async def open_local(self, key: str) -> int | None:
        """Return None: objects are no files of this machine."""
        return None

    async def delete(self, key: str) -> None:
        """Delete an object, and what has come of uploads to it."""
        place = self._place(key)
        removals = (partial(self._client.delete_object, **place), partial(self._abort_all, place["Key"]))
        for removal in removals:
            # Servers over a file system say so of a folder that is not there.
            with suppress(ObjectMissing):
                await self._run(_CALL_S, removal)

    async def begin_multipart(self, key: str, content_type: str, plan: PartPlan) -> str:
        """Begin an upload in parts, and return its id."""
        begin = partial(self._client.create_multipart_upload, ContentType=content_type, **self._place(key))
        return str((await self._run(_CALL_S, begin))["UploadId"])

    async def write_part(
        self, key: str, multipart: str, plan: PartPlan, number: int, chunks: AsyncIterable[bytes]
    ) -> Part:
        """Collect a part on this machine's disk, and store it. Raises TooLong, TooShort, ObjectMissing."""
        place, length = self._place(key), plan.length(number)
        async with self._temporary_file() as file:
            size, _ = await self._collect(file, chunks, length)
            if size < length:
                raise TooShort(f"{size} of {length} bytes")
            upload = partial(self._client.upload_part, UploadId=multipart, PartNumber=number, Body=file, **place)
            await self._run(_UPLOAD_S, upload)
        return Part(number, length)

    async def parts(self, key: str, multipart: str, plan: PartPlan) -> list[Part]:
        """Return the parts that the store has, if they have the right length."""
        listed = await self._run(_CALL_S, partial(self._list_parts, key, multipart, plan))
        return [Part(part["PartNumber"], part["Size"]) for part in listed]

    async def complete_multipart(self, key: str, multipart: str, plan: PartPlan) -> Written:
        """Let the store put the parts together."""
        try:
            await self._run(_UPLOAD_S, partial(self._complete, key, multipart, plan))
        except ObjectMissing:
            # Completed by an earlier call, or aborted.
            if (stat := await self.stat(key)) is None or stat.size != plan.size:
                raise
        else:
            stat = await self.stat(key)
        if stat is None:
            raise ObjectMissing("the object was deleted meanwhile")
        return Written(stat.size, None, stat.etag)

    async def abort_multipart(self, key: str, multipart: str) -> None:
        """Delete what has come of an upload in parts."""
        with suppress(ObjectMissing):
            await self._run(
                _CALL_S, partial(self._client.abort_multipart_upload, UploadId=multipart, **self._place(key))
            )

    async def sign_put(self, key: str, content_type: str, size: int | None, seconds: int) -> SignedRequest | None:
        """Return a signed PUT of the object. Its type is bound, and its length if it is known."""
        bound = {"ContentType": content_type} | ({} if size is None else {"ContentLength": size})
        url = await self._sign("put_object", bound | self._place(key), seconds)
        return SignedRequest("PUT", url, {"Content-Type": content_type})

    async def sign_part(
        self, key: str, multipart: str, plan: PartPlan, number: int, seconds: int
    ) -> SignedRequest | None:
        """Return a signed PUT of a part, with its length."""
        bound = {"UploadId": multipart, "PartNumber": number, "ContentLength": plan.length(number)}
        return SignedRequest("PUT", await self._sign("upload_part", bound | self._place(key), seconds), {})

    async def objects(self) -> AsyncIterator[ObjectStat]:
        """Yield all objects, a page at a time."""
        token: dict[str, str] = {}
        while True:
            page = await self._run(
                _CALL_S,
                partial(self._client.list_objects_v2, Bucket=self._bucket.name, Prefix=self._bucket.prefix, **token),
            )
            for entry in page.get("Contents", []):
                if is_key(key := entry["Key"].rpartition("/")[2]):
                    yield ObjectStat(key, entry["Size"], entry["ETag"], entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def remove_abandoned(self, before: datetime) -> int:
        """Abort uploads in parts that were begun before."""
        return await self._run(_UPLOAD_S, partial(self._abort_all, self._bucket.prefix, before))

    async def close(self) -> None:
        """Release the connections and threads."""
        self._threads.close()
        self._client.close()

    async def _run(self, within_s: float, work: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
        self.refuse_if_foreign()
        return await self._threads.run(within_s, partial(_calling, work), discard)

    @asynccontextmanager
    async def _temporary_file(self) -> AsyncIterator[IO[bytes]]:
        # Unbuffered: a buffer that finds no room as the file is closed raises once more.
        def make() -> IO[bytes]:
            return tempfile.TemporaryFile(prefix="socialsyncer-", buffering=0)

        with await self._run(_CALL_S, make, _close) as file:
            yield file

    async def _collect(self, file: IO[bytes], chunks: AsyncIterable[bytes], most: int) -> tuple[int, bytes]:
        digest, size = hashlib.sha256(), 0

        def write(data: bytes | bytearray) -> None:
            _write(file, data)
            digest.update(data)

        async for block in blocks(chunks):
            size += len(block)
            if size > most:
                raise TooLong(f"more than {most} bytes")
            await self._run(_CALL_S, partial(write, block))
        file.seek(0)
        return size, digest.digest()

    async def _sign(self, operation: str, parameters: dict[str, Any], seconds: int) -> str:
        sign = partial(self._client.generate_presigned_url, operation, Params=parameters, ExpiresIn=seconds)
        return await self._run(_CALL_S, sign)

    def _place(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket.name, "Key": self._bucket.prefix + object_path(key)}

    def _stat(self, key: str) -> ObjectStat | None:
        place = self._place(key)
        try:
            facts = self._client.head_object(**place)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchKey"}:
                raise
            # HEAD has no body, so it does not say whether the object or the bucket is missing. This does.
            self._client.list_objects_v2(Bucket=self._bucket.name, Prefix=place["Key"], MaxKeys=1)
            return None
        return ObjectStat(key, facts["ContentLength"], facts["ETag"], facts["LastModified"])

    def _get(self, etag: str, **how: Any) -> Any:
        """Return the body of an object's range; None if it begins behind the last byte. Raises ObjectMissing."""
        try:
            answer = self._client.get_object(**how)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"InvalidRange", "416"}:
                raise
            return None
        # Compared here, because not every server heeds If-Match.
        if etag not in {"", answer["ETag"]}:
            answer["Body"].close()
            raise ObjectMissing("the object has other bytes now")
        return answer["Body"]

    def _list_parts(self, key: str, multipart: str, plan: PartPlan) -> list[dict[str, Any]]:
        listed = self._pages_of_parts(self._place(key) | {"UploadId": multipart})
        return [
            part
            for part in listed
            if part["PartNumber"] <= plan.count and part["Size"] == plan.length(part["PartNumber"])
        ]

    def _pages_of_parts(self, place: dict[str, Any]) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        page: dict[str, Any] = {"IsTruncated": True, "NextPartNumberMarker": 0}
        while page.get("IsTruncated"):
            page = self._client.list_parts(PartNumberMarker=page["NextPartNumberMarker"], **place)
            parts += page.get("Parts", [])
        return parts

    def _complete(self, key: str, multipart: str, plan: PartPlan) -> None:
        listed = self._list_parts(key, multipart, plan)
        missing = sorted(set(range(1, plan.count + 1)) - {part["PartNumber"] for part in listed})
        if missing:
            raise PartsMissing(missing[:MOST_NAMED])
        named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in listed]
        self._client.complete_multipart_upload(UploadId=multipart, MultipartUpload={"Parts": named}, **self._place(key))

    def _abort_all(self, prefix: str, before: datetime | None = None) -> int:
        count = 0
        for upload in list(self._uploads(prefix)):
            place = {"Bucket": self._bucket.name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            with suppress(self._client.exceptions.NoSuchUpload):
                if before is None or self._last_changed(upload, place) < before:
                    self._client.abort_multipart_upload(**place)
                    count += 1
        return count

    def _last_changed(self, upload: dict[str, Any], place: dict[str, Any]) -> datetime:
        times: list[datetime] = [part["LastModified"] for part in self._pages_of_parts(place)]
        initiated: datetime = upload["Initiated"]
        return max([initiated, *times])

    def _uploads(self, prefix: str) -> Iterator[dict[str, Any]]:
        marker: dict[str, str] = {}
        while True:
            page = self._client.list_multipart_uploads(Bucket=self._bucket.name, Prefix=prefix, **marker)
            yield from page.get("Uploads", [])
            if not page.get("IsTruncated"):
                return
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def _calling(work: Callable[[], T]) -> T:
    with failures_of_s3():
        return work()


def _write(file: IO[bytes], data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _close(body: Any) -> None:
    if body is not None:
        body.close()
