"""Posts as people name them on the command line: by the post's id, or by its id or address on a platform."""

from sqlalchemy.ext.asyncio import AsyncSession

from cli.errors import UserError
from platforms.registry import platforms
from store.posts.queries import find_by_public_ids, find_by_public_url

_MOST_SHOWN = 5


async def post_named(session: AsyncSession, name: str) -> str:
    """Return the id of the post that a text names, also of one that is not known. Raises UserError if several match."""
    if name.startswith("post_"):
        return name
    public_ids = {
        (platform.name, public_id)
        for platform in platforms().values()
        if (public_id := platform.rules.post_id.read(name)) is not None and public_id != name
    }
    public_ids |= {(platform, name) for platform in platforms()}
    matching = await find_by_public_ids(session, public_ids) or await find_by_public_url(session, name)
    if len(matching) > 1:
        shown = ", ".join(matching[:_MOST_SHOWN]) + (", …" if len(matching) > _MOST_SHOWN else "")
        raise UserError(f"Several posts are public as {name}: {shown}. Give the id of one.")
    return matching[0] if matching else name
