"""The media of one workspace are read slowly enough to leave bandwidth for the others."""

from domain.post import Media, MediaType
from media.bandwidth import _MOST_WORKSPACES, Bandwidth
from media.fetch import MediaFetcher
from media.spool import Spool
from tests.media.hostile import HostileServer, answer

PIECE = 256 * 1024
VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(16 * PIECE)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_workspace_reads_a_second_ahead_and_then_waits() -> None:
    clock = Clock()
    bandwidth = Bandwidth(1000, clock)
    assert bandwidth.wait_after("a", 900) == 0
    assert round(bandwidth.wait_after("a", 200), 6) == 0.1
    # Another file of the same workspace waits too; a file of another workspace does not.
    assert round(bandwidth.wait_after("a", 100), 6) == 0.2
    assert bandwidth.wait_after("b", 1000) == 0
    clock.now += 0.5
    assert bandwidth.wait_after("a", 100) == 0
    clock.now += 60
    assert bandwidth.wait_after("a", 1000) == 0
    assert bandwidth.wait_after("a", 500) == 0.5


def test_remembered_workspaces_are_limited() -> None:
    bandwidth = Bandwidth(1000, Clock())
    for number in range(_MOST_WORKSPACES + 10):
        bandwidth.wait_after(f"{number}", 1)
    assert len(bandwidth._ahead) == _MOST_WORKSPACES


async def test_a_file_that_comes_too_fast_is_read_with_pauses() -> None:
    class Noting(Bandwidth):
        waits: list[tuple[str, float]] = []  # noqa: RUF012

        def wait_after(self, workspace_id: str, received: int) -> float:
            self.waits.append((workspace_id, super().wait_after(workspace_id, received)))
            return self.waits[-1][1] / 1000

    bandwidth = Noting(8 * PIECE, Clock())
    server = HostileServer({"/a.mp4": answer(VIDEO)})
    async with server.running():
        fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"], bandwidth=bandwidth)
        media = Media(type=MediaType.VIDEO, url=f"http://127.0.0.1:{server.port}/a.mp4")
        with Spool() as spool:
            file = await fetcher.fetch(media, spool, lambda _: None, workspace_id="ws")
            assert file.size == len(VIDEO)
        await fetcher.close()
    assert {name for name, _ in bandwidth.waits} == {"ws"}
    assert bandwidth.waits[0][1] == 0
    # 16 pieces have arrived, at 8 pieces a second; pieces that arrived together are counted together.
    assert bandwidth.waits[-1][1] > 0.5
