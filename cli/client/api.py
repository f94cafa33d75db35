"""The HTTP API as commands call it: its address, a workspace's key, and requests that are repeated safely."""

import random
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from cli.client.refusals import RefusedError, UnavailableError
from cli.data_dir import DEFAULT_DATA_DIR, Folder
from cli.errors import UserError

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_KEY_FILE = 4096
_PAGE = 100
TIMEOUT_S = 90.0
"""The API answers an import within a minute, and waits for other outcomes up to 60 seconds."""
MOST_TRIES = 4
_LONGEST_WAIT_S = 60.0
_TRY_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Api:
    """The address of an API, and a key of the workspace."""

    url: str
    key: str = field(repr=False)


def find_api(data_dir: Path | None, url: str | None, key: str | None, key_file: Path | None = None) -> Api:
    """Return the API to call: that of the stack in `data_dir` if one is named. Raises UserError."""
    if data_dir is not None:
        running = Folder(data_dir).running()
        return Api(running.api_url, running.api_key)
    if key_file is not None:
        key = _read_key(key_file)
    if not url or not key:
        raise UserError(
            "Set SOCIALSYNCER_API_URL, and SOCIALSYNCER_API_KEY or --key-file. "
            f"To call the API of a development stack, add --data-dir {DEFAULT_DATA_DIR}."
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise UserError("SOCIALSYNCER_API_URL must begin with https://: the API key would be sent in clear.")
    return Api(url.rstrip("/"), key)


def _read_key(path: Path) -> str:
    """Return the only line of a file. Raises UserError, whose message repeats nothing of the file."""
    try:
        with path.open("rb") as file:
            key = file.read(_LONGEST_KEY_FILE).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a key"
        raise UserError(f"{path} cannot be read: {reason}.") from None
    if not key or len(key.split()) > 1:
        raise UserError(f"{path} must contain an API key and nothing else.")
    return key


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. `replayed`: it is that of a request that an earlier command has sent."""

    body: dict[str, Any]
    replayed: bool


class ApiClient:
    """A connection to an API. Its methods raise RefusedError and UnavailableError."""

    def __init__(self, api: Api, transport: httpx.BaseTransport | None = None) -> None:
        self.http = httpx.Client(
            base_url=api.url,
            headers={"Authorization": f"Bearer {api.key}"},
            timeout=TIMEOUT_S,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return an answer, after repeats if the API is busy or does not answer."""
        return self._ask("GET", path, params=params).body

    def pages(self, path: str, params: Mapping[str, Any], items: str, most: int) -> Iterator[dict[str, Any]]:
        """Yield up to `most` items of a list, page by page."""
        cursor: dict[str, str] = {}
        while most > 0:
            page = self.get(path, {**params, "limit": min(most, _PAGE), **cursor})
            yield from page[items]
            most -= len(page[items])
            if not page["hasMore"]:
                return
            cursor = {"cursor": page["cursor"]}

    def change(self, method: str, path: str, key: str | None = None, **request: Any) -> Answer:
        """Send a change once: repeats have the same Idempotency-Key. If no answer comes, the error names the key."""
        key = key or str(uuid.uuid4())
        headers = {**request.pop("headers", {}), "Idempotency-Key": key}
        try:
            return self._ask(method, path, headers=headers, **request)
        except UnavailableError as error:
            if error.may_have_effect:
                raise error.with_key(key) from error
            raise

    def post_once(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request that has no Idempotency-Key, and is therefore never repeated."""
        return self._ask("POST", path, 1, json=body).body

    def _ask(self, method: str, path: str, tries: int = MOST_TRIES, **request: Any) -> Answer:
        was_sent = False
        for number in range(1, tries + 1):
            try:
                response = self.http.request(method, path, **request)
            except httpx.TransportError as error:
                was_sent = was_sent or not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
                wait_s, problem = backoff(number), f"The API does not answer ({type(error).__name__})."
            else:
                if response.status_code not in _TRY_AGAIN:
                    is_replay = number == 1 and response.headers.get("Idempotent-Replayed") == "true"
                    return Answer(read_answer(response), is_replay)
                # The API says 429 and 503 before it does anything; a proxy's answers prove nothing.
                was_sent = was_sent or response.status_code in {502, 504}
                wait_s, problem = _retry_after(response, backoff(number)), _sentence(response)
            if number == tries or wait_s > _LONGEST_WAIT_S:
                break
            time.sleep(wait_s)
        raise UnavailableError(problem, may_have_effect=was_sent and method != "GET")


def backoff(number: int) -> float:
    """Return the seconds to wait after a try: a half, one, two, each a quarter more or less."""
    return float(2 ** (number - 2) * random.uniform(0.75, 1.25))  # noqa: S311 no secret


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isascii() and seconds.isdecimal() else otherwise


def read_answer(response: httpx.Response) -> dict[str, Any]:
    """Return the body of a success. Raises RefusedError, and UserError for what no API of ours answers."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UserError("The API's answer cannot be read. Is SOCIALSYNCER_API_URL that of the API?")
    if not response.is_success:
        raise RefusedError(response.status_code, body)
    return body


def _sentence(response: httpx.Response) -> str:
    try:
        return RefusedError(response.status_code, response.json()).message
    except (ValueError, AttributeError):
        return f"The API answers with status {response.status_code}."
