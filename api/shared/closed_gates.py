"""The gates of all workspaces that pauses close, as one process knows them."""

import asyncio
from collections.abc import Iterable

from domain.content import PostContent
from domain.errors import Conflict, Problem
from domain.pauses import WORKSPACE_GATE, Gate, account_gate, campaign_gate, series_gate
from store.database import Database
from store.pauses.pauses import list_paused_gates

_FRESH_S = 1.0


class ClosedGates:
    """A copy of the closed gates, at most a second old, so that requests to publish now cost no statement each.

    It only spares clients a post that would be held: the database decides whether something is sent (`begin_send`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = frozenset[tuple[str, Gate]]()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Read the gates again for the next request, because this process has changed one."""
        self._read_at = float("-inf")

    async def closed_in(self, workspace_id: str) -> frozenset[Gate]:
        """Return the closed gates of a workspace."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if now - self._read_at >= _FRESH_S:
                async with self._database.reading() as session:
                    self._closed = frozenset(await list_paused_gates(session))
                self._read_at = now
            return frozenset(gate for workspace, gate in self._closed if workspace == workspace_id)


def target_accounts(content: PostContent) -> list[tuple[str, str]]:
    """Return platform and id of the accounts that a post goes to."""
    return [(target.platform, target.account_id) for target in content.targets]


def require_open(
    closed: frozenset[Gate],
    accounts: Iterable[tuple[str, str]],
    campaign_id: str | None = None,
    series_id: str | None = None,
) -> None:
    """Raise Conflict if a pause stops a post of a campaign and a series to one of these accounts.

    Each account is a platform and an id.
    """
    if not closed:
        return
    gates = [WORKSPACE_GATE, *(account_gate(*account) for account in accounts)]
    gates += [campaign_gate(campaign_id)] if campaign_id else []
    gates += [series_gate(series_id)] if series_id else []
    for gate in gates:
        if gate in closed:
            platform, account_id = gate.account or (None, None)
            sentence = f"Publishing is paused for {gate}: schedule the post, or end the pause (GET /v1/pauses)"
            raise Conflict(Problem(sentence, "paused", gate.kind.value, platform, account_id))
