"""The media of one workspace are read slowly enough to leave bandwidth for the others."""

from domain.post import Media, MediaType
from domain.rates import Rates
from media.fetch import MediaFetcher
from media.spool import Spool
from tests.media.hostile import HostileServer, answer

PIECE = 256 * 1024
VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(16 * PIECE)


async def test_a_file_that_comes_too_fast_is_read_with_pauses() -> None:
    class Noting(Rates):
        waits: list[tuple[str, float]] = []  # noqa: RUF012

        def wait_after(self, holder: str, amount: float = 1) -> float:
            self.waits.append((holder, super().wait_after(holder, amount)))
            return self.waits[-1][1] / 1000

    bandwidth = Noting(8 * PIECE, 8 * PIECE, clock=lambda: 100.0)
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
