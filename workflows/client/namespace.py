"""The mark that reserves a namespace of Temporal for one installation.

The names of queues have no prefix, so a second installation in the same namespace would take posts of the first one.
The mark is a workflow that never begins: its memo has the id that the database of its installation has. Any client may
start it, also where it has no rights to the namespace itself (Temporal Cloud). No worker gets a task of it.
"""

from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from workflows.client.failures import answering, is_not_found

MARK_ID = "socialsyncer-installation"
"""The id of the mark's workflow."""
_TYPE = "Installation"
_QUEUE = "socialsyncer-installation"
"""No worker polls it."""
_MEMO = "installation"
_BEGINS_AFTER = timedelta(days=36_500)
_SUMMARY = "this namespace belongs to one installation"
_DETAILS = (
    "It reserves this namespace for the installation {installation} (`SELECT id FROM installation`). It does nothing. "
    "Without it, the next process that starts would reserve the namespace for its own database."
)
_TIMEOUT_S = 10.0


class ForeignNamespaceError(Exception):
    """An error: the namespace belongs to another installation. The message says what to do."""

    def __init__(self, namespace: str, holder: str, installation: str) -> None:
        super().__init__(
            f"Temporal's namespace {namespace} belongs to another installation ({holder}) than this database "
            f"({installation}). Two installations in one namespace would publish each other's posts. Set "
            "TEMPORAL_NAMESPACE to a namespace of its own, or SOCIALSYNCER_DATABASE_URL to the other database. If the "
            "other database is gone for good, run `socialsyncer migrate --take-over-namespace`."
        )


async def read_holder(client: Client) -> str | None:
    """Return the id of the installation to which the namespace belongs; None if to none. Raises Unavailable."""
    async with answering(_TIMEOUT_S):
        try:
            mark = await client.get_workflow_handle(MARK_ID).describe()
        except RPCError as error:
            if not is_not_found(error):
                raise
            return None
        if mark.status is not WorkflowExecutionStatus.RUNNING:
            return None
        return str(await mark.memo_value(_MEMO, ""))


async def claim_namespace(client: Client, installation: str) -> None:
    """Reserve the namespace for an installation, unless it has it already.

    Raises ForeignNamespaceError if another one has it, Unavailable.
    """
    holder = await read_holder(client)
    if holder is None:
        try:
            await _mark(client, installation, WorkflowIDConflictPolicy.FAIL)
        except WorkflowAlreadyStartedError:
            # Another process has started at the same time.
            holder = await read_holder(client)
    if holder not in {None, installation}:
        raise ForeignNamespaceError(client.namespace, str(holder), installation)


async def take_over_namespace(client: Client, installation: str) -> None:
    """Reserve the namespace for an installation, even if another one has it. Raises Unavailable."""
    if await read_holder(client) != installation:
        await _mark(client, installation, WorkflowIDConflictPolicy.TERMINATE_EXISTING)


async def _mark(client: Client, installation: str, if_marked: WorkflowIDConflictPolicy) -> None:
    async with answering(_TIMEOUT_S):
        await client.start_workflow(
            _TYPE,
            id=MARK_ID,
            task_queue=_QUEUE,
            memo={_MEMO: installation},
            start_delay=_BEGINS_AFTER,
            static_summary=_SUMMARY,
            static_details=_DETAILS.format(installation=installation),
            id_conflict_policy=if_marked,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
