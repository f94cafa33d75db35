"""The process of the sandbox, as `socialsyncer dev` runs it."""

from pathlib import Path

from cli.stack.ports import PortRequest, require_free
from runtime.logging import configure, log_uncaught
from runtime.process import tune_gc
from runtime.settings import comma_separated
from sandbox.server import run


def serve_sandbox(
    host: str, port: int, data_dir: Path, *, realistic: bool, strict: bool = False, names: str = ""
) -> None:
    """Serve the sandbox until stopped. Raises UserError."""
    configure("info", "json")
    require_free([PortRequest("--port", port)])
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_uncaught()
    tune_gc()
    run(host, port, data_dir, realistic=realistic, strict=strict, names=comma_separated(names))
