"""The folder by which the proof sends commands to the processes of a stack; `hooks` carries them out."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.proof.inside.hooks import CLOCKS, HELD, HOLD, RENEWALS, RENEWING, STOPPED


class Inside:
    """The folder of one stack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment with which the processes of a stack read the folder."""
        path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(filter(None, path)), "PROOF_INSIDE": str(self._folder)}

    @contextmanager
    def requests_are_held(self) -> Iterator[None]:
        """Hold public requests on their connections, right before their first byte."""
        (self._folder / HELD).write_text("")
        (self._folder / HOLD).touch()
        try:
            yield
        finally:
            (self._folder / HOLD).unlink()

    def held(self) -> set[str]:
        """Return the ids of the workflows whose public request was held since the block began."""
        with suppress(FileNotFoundError):
            return set((self._folder / HELD).read_text().splitlines())
        return set()

    def hold_renewals(self, point: str) -> None:
        """Hold renewals at a point until they are released."""
        (self._folder / RENEWING).write_text("")
        (self._folder / RENEWALS).write_text(point)

    def release_renewals(self) -> None:
        """Release the renewals."""
        (self._folder / RENEWALS).unlink(missing_ok=True)

    def renewing(self) -> set[str]:
        """Return the ids of the accounts whose renewal was held."""
        with suppress(FileNotFoundError):
            return set((self._folder / RENEWING).read_text().splitlines())
        return set()

    @contextmanager
    def own_parts_do_not_start(self) -> Iterator[None]:
        """Keep the API and the worker from starting: their processes wait before their first line."""
        (self._folder / STOPPED).touch()
        try:
            yield
        finally:
            (self._folder / STOPPED).unlink()

    def set_clocks(self, seconds: Mapping[str, float]) -> None:
        """Set the clocks of parts wrong by this many seconds, from their next start on."""
        (self._folder / CLOCKS).write_text(json.dumps(seconds))


@contextmanager
def inside() -> Iterator[Inside]:
    """Create the folder of one stack."""
    with tempfile.TemporaryDirectory(prefix="socialsyncer-proof-") as folder:
        yield Inside(Path(folder))
