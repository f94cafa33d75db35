"""Bytes that arrive in pieces of any size."""

from collections.abc import AsyncIterable, AsyncIterator

BLOCK = 2**19
"""Bytes that are written at a time: a thread for each piece of a connection would cost more than the writing."""


async def blocks(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes | bytearray]:
    """Yield the bytes in blocks of at least BLOCK bytes; the last one may be shorter."""
    block = bytearray()
    async for chunk in chunks:
        if not block and len(chunk) >= BLOCK:
            yield chunk
            continue
        block += chunk
        if len(block) >= BLOCK:
            yield block
            block = bytearray()
    if block:
        yield block
