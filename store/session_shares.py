"""The shares of workspaces in a pool of sessions, so that no workspace can take all of them."""

import asyncio
from collections import OrderedDict, deque

from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.holder import current_holder
from domain.session_held import is_session_held
from domain.shares import Exhausted, Share, Shares


class SessionShares:
    """A share of sessions for each workspace; a workspace that has its share waits for its own sessions.

    Code that runs for no workspace takes none, and neither does code that already has a session: it would wait for
    itself.
    """

    def __init__(self, total: int, timeout: float) -> None:
        self._shares = Shares(total)
        self._has_shares = self._shares.most > 0
        self._timeout = timeout
        self._waiting: OrderedDict[str, deque[asyncio.Future[Share]]] = OrderedDict()

    async def take(self) -> Share | None:
        """Take a session's share, to be passed to `release`. Raises sqlalchemy's TimeoutError."""
        holder = current_holder()
        if holder is None or not self._has_shares or is_session_held():
            return None
        if holder not in self._waiting:
            try:
                return self._shares.take(holder)
            except Exhausted:
                pass
        return await self._wait(holder)

    def release(self, share: Share | None) -> None:
        """Give a share back, to those who wait."""
        if share is not None:
            share.release()
            self._serve()

    async def _wait(self, holder: str) -> Share:
        turn: asyncio.Future[Share] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(holder, deque()).append(turn)
        try:
            async with asyncio.timeout(self._timeout):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.release(turn.result())
            turn.cancel()
            if isinstance(error, TimeoutError):
                raise PoolTimeout("the workspace has its share of the connections") from None
            raise

    def _serve(self) -> None:
        """Let one request of each waiting workspace continue if its workspace may have one more."""
        for holder in list(self._waiting):
            turns = self._waiting[holder]
            while turns and turns[0].done():
                turns.popleft()
            if turns:
                try:
                    share = self._shares.take(holder)
                except Exhausted:
                    continue
                turns.popleft().set_result(share)
                self._waiting.move_to_end(holder)
            if not turns:
                del self._waiting[holder]
