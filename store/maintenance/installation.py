"""The id of the installation to which a database belongs."""

from store.database import Pool


async def read_installation(pool: Pool) -> str:
    """Return the id that the database got when it was migrated."""
    (row,) = await pool.rows("SELECT id FROM installation")
    return str(row["id"])
