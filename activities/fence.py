"""A fence before the first byte of the request that makes a post public.

A worker may be frozen, by a signal or while its machine is moved, after it has written its attempt and before it sends.
Meanwhile another worker counts the attempt as lost, confirms that there is no post, and sends it. When the first worker
resumes, it must not send.
"""

from dataclasses import dataclass

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from domain.loop_share import Stopwatch
from domain.ownership import must_recheck_attempt
from platforms.errors import ErrorKind, PlatformError
from store.database import Pool
from store.publishing.sending import extend_send


@dataclass(slots=True)
class Fence:
    """The fence of one attempt. `written` is a stopwatch that was started before the attempt was written."""

    pool: Pool
    attempt_id: int
    written: Stopwatch

    async def __call__(self) -> None:
        """Return if the request may be sent now. Raises PlatformError(transient) if not; then nothing was sent."""
        while must_recheck_attempt(self.written.passed):
            # The answer holds for the time at which the query began.
            asked = Stopwatch()
            try:
                ours = await extend_send(self.pool, self.attempt_id)
            except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                raise PlatformError(ErrorKind.TRANSIENT, "The send was held up.", code="held_up") from error
            if not ours:
                raise PlatformError(ErrorKind.TRANSIENT, "Another worker has taken over this post.", code="overtaken")
            self.written = asked
