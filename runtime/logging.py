"""Log in one shape from every process and library: JSON for machines or text for people, never a secret."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

MASK = "***"
_SECRET_NAME = re.compile(
    r"authorization|cookie|credential|passw|secret|api_?key|(access|refresh|bearer|client)_?(token|secret)|^token$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"(?P<kept>\bBearer\s+|\b(?:access_token|refresh_token|client_secret|token|password)=|://[^/\s:@]+:)[^\s&'\"@]+"
    r"|\bsk_[A-Za-z0-9_-]{8,}",
    re.IGNORECASE,
)
# They log whole URLs, and some networks want their tokens there.
_QUIET = ("httpx", "httpcore", "uvicorn.access")
# Local variables hold content and credentials.
_TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=30))
_TEMPORAL_IDS = ("workflow_id", "activity_type", "attempt")


def configure(level: str = "info", format: Literal["json", "console"] = "json", stream: TextIO | None = None) -> None:  # noqa: A002
    """Route structlog and the standard library's logging through one set of processors to `stream` (stderr).

    What was bound with `structlog.contextvars` (request_id, post_id, workflow_id) is in every line.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    closing: list[Processor]
    if format == "json":
        closing = [_TRACEBACKS, mask_secrets, structlog.processors.JSONRenderer()]
    else:
        colors = (stream or sys.stderr).isatty()
        closing = [structlog.processors.format_exc_info, mask_secrets, structlog.dev.ConsoleRenderer(colors=colors)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared,
                structlog.stdlib.ExtraAdder(allow=("temporal_workflow", "temporal_activity")),
                _lift_temporal_ids,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *closing],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Their ids are fields of the line; repeated in its text they would only be noise.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


def mask_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Put stars in place of what looks like a secret, by its name or by its shape."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {inner: _masked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(key, item) for item in value]
    if value is not None and not isinstance(value, bool) and _SECRET_NAME.search(key):
        return MASK
    if isinstance(value, str):
        return _SECRET_TEXT.sub(lambda match: (match["kept"] or "") + MASK, value)
    return value


def _lift_temporal_ids(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    for source in ("temporal_workflow", "temporal_activity"):
        details = event.pop(source, None)
        if isinstance(details, Mapping):
            event.update({key: details[key] for key in _TEMPORAL_IDS if key in details})
    return event
