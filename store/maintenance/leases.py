"""Leases of background tasks, dated by the database's clock."""

from collections.abc import Collection
from datetime import timedelta

from store.database import Pool


async def take_leases(pool: Pool, holder: str, names: Collection[str], duration: timedelta) -> set[str]:
    """Renew the leases of a process and take those that are free; return the names of those that it has now."""
    rows = await pool.rows("SELECT take_leases_v1($1, $2, $3) AS name", holder, sorted(names), duration)
    return {row["name"] for row in rows}


async def release_leases(pool: Pool, holder: str) -> None:
    """End all leases of a process."""
    await pool.rows("UPDATE leases SET until = now() WHERE holder = $1 AND until > now()", holder)
