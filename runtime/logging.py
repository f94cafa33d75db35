"""Log in one shape from every process and library: JSON for machines or text for people, never a secret."""

import json
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

from domain.printable import make_printable
from runtime.log_masking import mask_event

# They log whole URLs, and some platforms want their tokens there.
_QUIET = ("botocore", "httpx", "httpcore", "urllib3", "uvicorn.access")
# Local variables hold content and credentials.
_TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=30))
_ENCODE = json.JSONEncoder().encode
_TEMPORAL_IDS = ("workflow_id", "activity_type", "attempt")


class _Handler(logging.StreamHandler[TextIO]):
    """A handler that prints no raw words of a line which it cannot write."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 the standard library's name
        """Write that a line is missing. The standard library would print its arguments as they are."""
        _say_lost(record.name)


def _say_lost(logger: str) -> None:
    reason = type(sys.exc_info()[1]).__name__
    sys.stderr.write(f'{{"event": "log.line_lost", "logger": "{logger}", "reason": "{reason}"}}\n')


class _Logger:
    """A logger of our own code: a record of the standard library would cost more than the rest of a line."""

    def __init__(self, stream: TextIO, closing: Sequence[Processor], name: str = "root") -> None:
        self.name = name
        self._stream = stream
        self._closing = closing

    def write(self, event: EventDict) -> None:
        """Write a line, or report that it is missing: the caller continues in any case."""
        line: Any = event
        try:
            for processor in self._closing:
                line = processor(self, "", line)
            # One call: a thread cannot write between a line and its end.
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except Exception:  # noqa: BLE001 see the docstring
            _say_lost(self.name)

    debug = info = warning = error = critical = write


def configure(level: str = "info", format: Literal["json", "console"] = "json", stream: TextIO | None = None) -> None:  # noqa: A002
    """Route structlog and the standard library's logging through one set of processors to `stream` (stderr).

    Values bound with `structlog.contextvars` (request_id, post_id, workflow_id) are in every line.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]
    # Masked last, so that nothing escapes it. Only the time, which holds no secret, is added later.
    closing: list[Processor] = [_TRACEBACKS, mask_event, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    if format == "json":
        closing.append(_as_json)
    else:
        colors = (stream or sys.stderr).isatty()
        closing += [_for_a_terminal, structlog.dev.ConsoleRenderer(colors=colors)]
    structlog.configure(
        processors=[*shared, _as_argument],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=partial(_Logger, stream or sys.stderr, closing),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream or sys.stderr)
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
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            # A handler that a library has set up for itself would go past the masks.
            logger.handlers, logger.propagate = [], True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Their ids are fields of the line; repeated in its text they would only be noise.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


def _lift_temporal_ids(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    for source in ("temporal_workflow", "temporal_activity"):
        details = event.pop(source, None)
        if isinstance(details, Mapping):
            event.update({key: details[key] for key in _TEMPORAL_IDS if key in details})
    return event


def _as_argument(_logger: WrappedLogger, _name: str, event: EventDict) -> tuple[tuple[EventDict], dict[str, Any]]:
    """Return a line unchanged for its logger: the later processors may fail, but not in the code that logs the line."""
    return (event,), {}


def _as_json(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    # A masked event is plain: JSON has a notation for each value.
    return _ENCODE(event)


def log_uncaught() -> None:
    """Send what Python would print by itself through the log and its masks: uncaught exceptions and warnings."""
    log = structlog.get_logger("uncaught")

    def log_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("exception.uncaught", exc_info=(kind, error, trace))

    def log_thread(failed: threading.ExceptHookArgs) -> None:
        if not issubclass(failed.exc_type, SystemExit):
            log.critical("exception.uncaught", exc_info=failed[:3], thread=failed.thread and failed.thread.name)

    def log_destructor(failed: "sys.UnraisableHookArgs") -> None:
        log.error("exception.unraisable", exc_info=(failed.exc_type, failed.exc_value, failed.exc_traceback))

    sys.excepthook, threading.excepthook, sys.unraisablehook = log_main, log_thread, log_destructor
    logging.captureWarnings(capture=True)


def _for_a_terminal(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Format tracebacks as text, and write out control characters: a terminal would obey them."""
    shown = {key: make_printable(value) if isinstance(value, str) else value for key, value in event.items()}
    if isinstance(event.get("exception"), list):
        shown["exception"] = "\n".join(_traceback(event["exception"]))
    return shown


def _traceback(exceptions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for error in exceptions:
        yield make_printable(f"{error['exc_type']}: {error['exc_value']}", keep="\n")
        for frame in error["frames"]:
            yield make_printable(f"    {frame['filename']}:{frame['lineno']} in {frame['name']}")
        for inner in error.get("exceptions", ()):
            yield from _traceback(inner)
