"""A namespace of Temporal is used by one installation only."""

import asyncio

import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment

from reconcile.doctor.doctor import Doctor
from reconcile.doctor.findings import FindingKind
from runtime.namespace import CopiedDatabaseError, refuse_foreign_namespace
from store.database import Database
from store.maintenance.servers import read_installation
from tests.cli.commands import bare, production, run
from tests.cli.test_migrate import COMMANDS, ended, environment, first_line
from tests.databases import new_database
from tests.stack import Stack
from workflows.client.namespace import (
    MARK_ID,
    ForeignNamespaceError,
    claim_namespace,
    read_holder,
    take_over_namespace,
)
from workflows.client.runs import Runs

__all__ = ["bare", "production"]


async def another_installation(postgres_url: str) -> str:
    url = await new_database(postgres_url)
    database = Database(url)
    async with database.transaction() as session:
        await session.execute(text("UPDATE installation SET id = 'another'"))
    await database.close()
    return url


async def test_the_first_installation_keeps_a_namespace(free_namespace: WorkflowEnvironment) -> None:
    client = free_namespace.client
    assert await read_holder(client) is None
    results = await asyncio.gather(*(claim_namespace(client, name) for name in "abab"), return_exceptions=True)
    holder = await read_holder(client)
    refused = [isinstance(result, ForeignNamespaceError) for result in results]
    assert refused == [name != holder for name in "abab"], results
    mark = await client.get_workflow_handle(MARK_ID).describe()
    assert (mark.history_length, mark.raw_description.HasField("pending_workflow_task")) == (1, False), "it waits"
    await take_over_namespace(client, "c")
    assert await read_holder(client) == "c"
    await take_over_namespace(client, "c")
    assert (await client.get_workflow_handle(MARK_ID).describe()).run_id != mark.run_id
    with pytest.raises(ForeignNamespaceError, match=r"belongs to another installation \(c\).*--take-over-namespace"):
        await claim_namespace(client, "a")
    await client.get_workflow_handle(MARK_ID).terminate()
    await claim_namespace(client, "a")
    assert await read_holder(client) == "a"


async def test_migrate_and_the_doctor_name_a_foreign_namespace(
    free_namespace: WorkflowEnvironment, production: Stack
) -> None:
    await claim_namespace(free_namespace.client, "another")
    refused = await run("migrate")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "The database is up to date. Temporal's namespace default belongs to another" in refused.stderr
    report = await Doctor(production.database, Runs(production.client)).diagnose()
    assert FindingKind.NAMESPACE in {finding.kind for finding in report.findings}
    taken = await run("migrate", "--take-over-namespace")
    assert "Temporal's namespace belongs to this database now." in taken.stdout, taken.output
    assert await read_holder(free_namespace.client) == await read_installation(production.database)
    report = await Doctor(production.database, Runs(production.client)).diagnose()
    assert FindingKind.NAMESPACE not in {finding.kind for finding in report.findings}


async def test_a_copy_waits_for_a_person(free_namespace: WorkflowEnvironment, production: Stack) -> None:
    async with production.database.transaction() as session:
        await session.execute(text("UPDATE trusted_server SET identity = 'another', timeline = '00000000'"))
    with pytest.raises(CopiedDatabaseError, match="socialsyncer restored"):
        await refuse_foreign_namespace(production.worker_database, free_namespace.client)
    report = await Doctor(production.database, Runs(production.client)).diagnose()
    assert FindingKind.ROWS_MAY_BE_LOST in {finding.kind for finding in report.findings}
    for arguments, error in (
        (["--nothing-lost", "--database"], "--nothing-lost stands alone"),
        ([], "Say to which time the databases were restored (--from), or that --nothing-lost."),
    ):
        assert error in (await run("restored", *arguments)).stderr
    restored = await run("restored", "--nothing-lost")
    assert (restored.exit_code, restored.stdout) == (
        0,
        "The rows of this server count as complete: posts are published.\n",
    )
    await refuse_foreign_namespace(production.api_database, free_namespace.client)


@pytest.mark.thorough
async def test_no_process_of_a_second_installation_works(
    free_namespace: WorkflowEnvironment, postgres_url: str
) -> None:
    first = environment(await new_database(postgres_url), free_namespace)
    async with first_line(first, *COMMANDS["api"]):
        while await read_holder(free_namespace.client) is None:  # noqa: ASYNC110 Temporal has no event for it
            await asyncio.sleep(0.1)
    other = environment(await another_installation(postgres_url), free_namespace)
    status, _, err = await ended(other, *COMMANDS["worker"])
    assert (status, "Error: Temporal's namespace default belongs to another" in err) == (1, True), err
    _, _, err = await ended(other, *COMMANDS["api"])
    assert "process.refuses_the_namespace" in err, err
    # A restored copy of the first one's database has its id.
    copy = environment(await new_database(postgres_url), free_namespace)
    assert (await ended(copy, "-P", "-m", "cli.main", "migrate"))[0] == 0
