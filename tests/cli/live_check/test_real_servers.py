"""A live check of the two real servers that the tests can start: snac, and Bluesky's reference server."""

import pytest

from cli.live_check.command import Check, file_named
from cli.live_check.files import CheckFiles
from cli.live_check.report import LiveReport
from platforms.live import load_live_check
from platforms.registry import platforms
from tests.platforms.bluesky import pds
from tests.platforms.conftest import running, sandbox
from tests.platforms.mastodon import snac
from tests.platforms.rig import Rig, Sandbox

__all__ = ["running", "sandbox"]

pytestmark = pytest.mark.thorough


async def checked(rig: Rig, only: list[str]) -> LiveReport:
    assert set(only) <= {sample.name for sample in load_live_check(rig.platform).samples}
    return await Check(rig.platform, rig.connection(), CheckFiles(file_named, None), settings={}, only=only).run()


def held(report: LiveReport, assumption: str) -> set[bool | None]:
    return {verdict.holds for verdict in report.verdicts if verdict.assumption == assumption}


@pytest.mark.skipif(snac.PROGRAM is None, reason="snac is not installed: Debian package snac2")
async def test_deviations_of_snac_are_found(sandbox: Sandbox) -> None:
    """It ignores Idempotency-Key, and has no call that deletes: the report names the posts that remain."""
    async with snac.running_snac() as server:
        report = await checked(await server.open_account(sandbox), ["text", "image"])
    text = "\n".join(report.lines())
    otherwise = [(verdict.sample, verdict.assumption) for verdict in report.otherwise]
    assert otherwise == [("text", "repeat"), ("text", "removed"), ("image", "removed")], text
    assert held(report, "found") == {True}, text
    assert text.count("DELETE BY HAND: http") == 3, text


@pytest.mark.skipif(pds.reason_to_skip() is not None, reason=str(pds.reason_to_skip()))
async def test_bluesky_reference_server_meets_all_assumptions(sandbox: Sandbox) -> None:
    async with pds.running_pds() as server:
        report = await checked(await server.open_account(sandbox), ["text", "image", "gallery"])
    text = "\n".join(report.lines())
    assert report.otherwise == [], text
    assert platforms()["bluesky"].label in text
    for assumption in ("found", "repeat", "removed"):
        assert held(report, assumption) == {True}, text
