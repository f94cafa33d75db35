"""The server of the database: whether its rows are known to be complete.

A standby that is promoted, and a copy that is restored, may lack commits that processes have seen. No send begins
(check_server_v1) until a worker or a person says that nothing is lost, or `socialsyncer restored` has dealt with it.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from store.database import Pool

TOO_OLD = timedelta(minutes=5)
"""The age from which a transaction is reported. The longest of this service is a command's batch; our choice."""


async def oldest_transaction(session: AsyncSession) -> timedelta:
    """Return the age of the oldest transaction that the owner of the tables may see; zero if there is none."""
    return await session.scalar(select(func.oldest_transaction_v1())) or timedelta(0)


async def read_installation(pool: Pool) -> str:
    """Return the id that the database got when it was migrated."""
    (row,) = await pool.rows("SELECT id FROM installation")
    return str(row["id"])


_TRUST = text("""
UPDATE trusted_server SET (identity, timeline) = (SELECT server_identity_v1(), timeline FROM server_position_v1())
""")
_IS_COPY = """
SELECT identity <> server_identity_v1() AS is_copy FROM trusted_server
"""
_IS_TRUSTED = text("""
SELECT coalesce(trusted.timeline = server.timeline, true) FROM trusted_server AS trusted, server_position_v1() AS server
""")
_PROMOTED_TIMELINE = text("""
SELECT untrusted_timeline_v1() FROM trusted_server WHERE identity = server_identity_v1()
""")


@dataclass(frozen=True, slots=True)
class ServerPosition:
    """The state of a server at an instant."""

    timeline: str
    """It changes at each promotion, and at each recovery to a point in time."""
    log_end: int
    """The end of its log, in bytes."""
    waits_for_standby: bool
    """Whether a commit waits until a standby has it."""
    trusted_timeline: str
    """The timeline on which the rows are known to be complete."""

    @property
    def is_trusted(self) -> bool:
        """Return whether the rows are known to be complete."""
        return self.timeline == self.trusted_timeline


async def trust_server(session: AsyncSession) -> None:
    """Save that the rows of this server are complete, or that what they lack is dealt with."""
    await session.execute(_TRUST)


async def trust_promotion(pool: Pool, position: ServerPosition) -> None:
    """Save that a promoted server has all commits of the one before."""
    await pool.rows(
        "UPDATE trusted_server SET timeline = $1 WHERE timeline = $2", position.timeline, position.trusted_timeline
    )


async def is_server_trusted(session: AsyncSession) -> bool:
    """Return whether the rows of this server are known to be complete. A server that does not tell is trusted."""
    return bool(await session.scalar(_IS_TRUSTED))


async def promoted_timeline(session: AsyncSession) -> str | None:
    """Return the timeline of this server if it was promoted, and nothing was sent since; None for a copy."""
    timeline: str | None = await session.scalar(_PROMOTED_TIMELINE)
    return timeline


async def is_copy(pool: Pool) -> bool:
    """Return whether the database was copied to where it is, and no person has said that it is to be used there."""
    (row,) = await pool.rows(_IS_COPY)
    return bool(row["is_copy"])
