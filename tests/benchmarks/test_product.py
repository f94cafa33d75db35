"""Statements that the proof blocks never run: not even a dead worker's last one once the lock is released."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from benchmarks.proof.inside.folder import Inside
from benchmarks.proof.product import Product
from tests.stack import Stack

_INSERT = (
    "INSERT INTO attempts (target_id, step, state, started_at) SELECT id, 'publish', 'sending', now() FROM targets"
)
_WAITING = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'attempts'::regclass"


async def test_sessions_waiting_for_the_lock_are_ended(stack: Stack, tmp_path: Path) -> None:
    account = await stack.connect("twitter")
    post = await stack.save("never attempted", [account])
    # Posts of other tests are still in progress.
    attempts = "SELECT count(*) FROM attempts JOIN targets ON targets.id = target_id WHERE post_id = $1"
    # PostgreSQL's own URL scheme, for asyncpg.
    url = stack.database_url.replace("+asyncpg", "")
    product = Product(
        {"apiUrl": "http://api", "sandboxUrl": "", "apiKey": "", "dataDir": "", "databaseUrl": url}, Inside(tmp_path)
    )
    dying = await asyncpg.connect(url, ssl=False)
    async with product.no_attempt_can_be_written():
        last_words = asyncio.create_task(dying.execute(_INSERT))
        while not (waiting := await product.rows(_WAITING)):
            assert not last_words.done()
            await asyncio.sleep(0.05)
        assert len(waiting) == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await last_words
    assert (await product.rows(attempts, post.id))[0]["count"] == 0
    dying.terminate()
    await product.close()
