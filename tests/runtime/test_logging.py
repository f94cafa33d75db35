import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from runtime.logging import configure
from store.secrets.secret_values import MASK


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Log JSON into a buffer, and restore logging afterwards."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    buffer = io.StringIO()
    configure("info", "json", buffer)
    yield buffer
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def last(lines: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return line


def test_both_loggers_have_one_format_with_bound_values(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1", post_id="post_1"):
        structlog.get_logger("ours").info("post.published", took_ms=3)
        ours = last(lines)
        logging.getLogger("library").warning("it %s", "happened")
        library = last(lines)
    assert ours.keys() - {"took_ms"} == library.keys()
    assert (ours["event"], ours["took_ms"], ours["logger"], ours["level"]) == ("post.published", 3, "ours", "info")
    assert (library["event"], library["logger"], library["level"]) == ("it happened", "library", "warning")
    assert all((line["request_id"], line["post_id"]) == ("r1", "post_1") for line in (ours, library))


def test_ids_of_temporals_own_records_become_fields(lines: io.StringIO) -> None:
    extra = {
        "temporal_activity": {"workflow_id": "ws_1/k", "activity_type": "publish", "attempt": 2, "task_token": "x"}
    }
    logging.getLogger("temporalio.activity").warning("retrying", extra=extra)
    line = last(lines)
    assert (line["workflow_id"], line["activity_type"], line["attempt"]) == ("ws_1/k", "publish", 2)
    assert "task_token" not in json.dumps(line)


@pytest.mark.parametrize(
    ("fields", "unmasked"),
    [
        ({"access_token": "s3cret"}, "***"),
        ({"headers": {"Authorization": "Bearer s3cret", "accept": "json"}}, "json"),
        ({"reason": "GET /me?access_token=s3cret&fields=id failed"}, "&fields=id failed"),
        ({"reason": "Authorization: Bearer s3cret"}, "Bearer ***"),
        ({"url": "postgresql+asyncpg://user:s3cret@host/db"}, "postgresql+asyncpg://user:***@host/db"),
        ({"reason": "key sk_s3cretsecret was refused"}, "key *** was refused"),
        ({"accounts": [{"refresh_token": "s3cret"}]}, "***"),
    ],
)
def test_secrets_are_masked_by_name_and_by_shape(lines: io.StringIO, fields: dict[str, Any], unmasked: str) -> None:
    structlog.get_logger().warning("something", **fields)
    assert "s3cret" not in lines.getvalue()
    assert unmasked in lines.getvalue()


def test_secret_in_a_library_message_is_masked(lines: io.StringIO) -> None:
    logging.getLogger("library").error("refused: %s", {"client_secret=s3cret"})
    assert "s3cret" not in lines.getvalue()
    assert MASK in lines.getvalue()


def test_values_with_names_similar_to_secrets_are_kept(lines: io.StringIO) -> None:
    structlog.get_logger().info("x", idempotency_key="k-1", tokens=3, author="ada", secretary=None)
    line = last(lines)
    assert (line["idempotency_key"], line["tokens"], line["author"]) == ("k-1", 3, "ada")


def test_a_traceback_shows_no_local_variables(lines: io.StringIO) -> None:
    def fail() -> None:
        content = "a customer's draft"
        raise ValueError(len(content))

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("it.failed")
    assert last(lines)["exception"][0]["exc_type"] == "ValueError"
    assert "customer" not in lines.getvalue()


def test_libraries_that_log_whole_urls_are_quiet(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("GET https://graph.example/me?access_token=1")
    logging.getLogger("uvicorn.access").info("GET /")
    assert lines.getvalue() == ""


def test_the_level_holds_for_both_ways(lines: io.StringIO) -> None:
    configure("warning", "json", lines)
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert lines.getvalue() == ""


def test_console_lines_are_for_people(lines: io.StringIO) -> None:
    configure("info", "console", lines)
    structlog.get_logger("ours").info("post.published", api_key="s3cret")
    assert "post.published" in lines.getvalue()
    assert "api_key=***" in lines.getvalue()
