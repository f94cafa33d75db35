"""The client of S3: an address, botocore's settings, and its errors as those of the store."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from storage.base import ObjectMissing, PartBusy, StorageFull, StorageUnavailable
from storage.files import THREADS, disk_failure

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "412", "PreconditionFailed"})
_FULL = frozenset({"QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "507"})
_CHANGED = frozenset({"InvalidPart", "InvalidPartOrder"})
_KNOWN = frozenset({"endpoint", "region"})
_DEFAULT_REGION = "us-east-1"
"""The region that servers other than Amazon's take, unless they are set up otherwise."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket of an address `s3://bucket/prefix?endpoint=https://…&region=…`."""

    name: str
    prefix: str
    endpoint: str | None
    region: str

    @classmethod
    def parse(cls, address: str) -> "Bucket":
        """Return the bucket of an address. Raises ValueError."""
        parts = urlsplit(address)
        query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        if parts.scheme != "s3" or not parts.netloc or parts.fragment or parts.netloc != parts.hostname:
            raise ValueError("must be s3://bucket/prefix, without credentials: those are botocore's own settings")
        if unknown := query.keys() - _KNOWN:
            raise ValueError(f"knows endpoint and region, not {', '.join(sorted(unknown))}")
        endpoint, region = (values[0] if (values := query.get(name)) else None for name in ("endpoint", "region"))
        if endpoint and urlsplit(endpoint).scheme not in {"http", "https"}:
            raise ValueError("the endpoint must be an http or https address")
        prefix = parts.path.strip("/")
        return cls(parts.netloc, f"{prefix}/" if prefix else "", endpoint, region or _DEFAULT_REGION)


@functools.cache
def _descriptions() -> Loader:
    """Return botocore's descriptions of the API of S3, which a session of its own reads in a twelfth of a second."""
    return create_loader()


def open_client(bucket: Bucket) -> Any:
    """Return botocore's client. It connects at its first call, and it may be used by several threads."""
    session = Session()
    session.register_component("data_loader", _descriptions())
    return session.create_client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        config=Config(
            signature_version="s3v4",
            # Servers other than Amazon's know no other addresses, and many not the newer checksums either.
            s3={"addressing_style": "path"} if bucket.endpoint else None,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=THREADS,
        ),
    )


@contextlib.contextmanager
def failures_of_s3() -> Iterator[None]:
    """Raise botocore's errors as those of the store. Their texts are left out: they may repeat addresses and keys."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        if code in _MISSING:
            raise ObjectMissing("the store has no such object, or other bytes now") from None
        if code in _CHANGED:
            raise PartBusy("a part was replaced meanwhile") from None
        if code in _FULL:
            raise StorageFull(f"the store refuses more bytes: {code}") from None
        raise StorageUnavailable(f"the store refuses the call: {code}") from None
    except BotoCoreError as error:
        raise StorageUnavailable(f"the store is not reached: {type(error).__name__}") from None
    except OSError as error:
        # Of a file on its way to the bucket: botocore has its own errors of sockets.
        raise disk_failure(error, "the folder of this machine's temporary files") from None
