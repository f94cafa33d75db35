from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from cli.errors import UserError
from cli.migrating import missing_search_attributes, register_search_attributes
from cli.stack.orphans import ProcessLedger
from cli.stack.parts import temporal_part
from cli.stack.ports import free_port
from cli.stack.process import Command
from cli.stack.supervisor import PartSupervisor
from cli.stack.temporal import NAMESPACE, RETENTION, Temporal
from tests.cli.commands import run
from tests.cli.parts import kill, until
from tests.databases import empty_database
from workflows.search_attributes import REGISTRY


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Temporal, PartSupervisor, list[str]]]:
    """Run Temporal as a stack does, after a first start that was killed while it created its tables."""
    (tmp_path / "temporal.db").touch()
    messages: list[str] = []
    temporal = Temporal(tmp_path / "temporal.db", free_port(), free_port(), REGISTRY)
    part_supervisor = PartSupervisor(
        temporal_part(temporal), tmp_path / "temporal.log", ProcessLedger(tmp_path / "run.json"), messages.append
    )
    try:
        await part_supervisor.start()
        yield temporal, part_supervisor, messages
    finally:
        await part_supervisor.stop()


async def test_history_and_settings_survive_a_kill(
    server: tuple[Temporal, PartSupervisor, list[str]], tmp_path: Path
) -> None:
    temporal, part_supervisor, messages = server
    await temporal.keep_history()
    client = await temporal.client()
    await client.start_workflow("Nobody", id="sleeping", task_queue="nobody")
    kill(part_supervisor.pid)
    await until(lambda: any("is back" in line for line in messages), 15)
    assert (await client.get_workflow_handle("sleeping").describe()).workflow_type == "Nobody"
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=NAMESPACE))
    assert described.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION
    assert await register_search_attributes(client, REGISTRY) == []


async def test_no_web_page_starts_workflows_over_its_http_api(tmp_path: Path) -> None:
    port, http_port = free_port(), free_port()
    temporal = Temporal(tmp_path / "temporal.db", port, free_port(), REGISTRY)
    plain = temporal_part(temporal)

    async def with_known_port() -> Command:
        command = await plain.start()
        return replace(command, argv=[*command.argv, "--http-port", str(http_port)])

    part = replace(plain, start=with_known_port)
    part_supervisor = PartSupervisor(
        part, tmp_path / "temporal.log", ProcessLedger(tmp_path / "run.json"), lambda _: None
    )
    url = f"http://127.0.0.1:{http_port}/api/v1/namespaces/default/workflows/forged"
    body = {"workflowType": {"name": "Nobody"}, "taskQueue": {"name": "nobody"}}
    try:
        await part_supervisor.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            for host in ("evil.example", f"127.0.0.1:{http_port}", f"localhost:{http_port}"):
                answer = await client.post(url, json=body, headers={"Host": host, "Origin": "http://evil.example"})
                assert answer.status_code == 403
    finally:
        await part_supervisor.stop()


async def test_search_attributes_are_added_once(temporal: WorkflowEnvironment) -> None:
    attributes = {"CliTestKeyword": "Keyword", "CliTestAt": "Datetime"}
    assert sorted(await register_search_attributes(temporal.client, attributes)) == sorted(attributes)
    assert await register_search_attributes(temporal.client, attributes) == []
    assert attributes.keys() <= (await _custom(temporal.client)).keys()


async def test_search_attributes_are_checked_without_the_operator_service(
    free_namespace: WorkflowEnvironment, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal Cloud refuses that service."""

    def refuse(_: object) -> None:
        raise AssertionError("the operator service was asked")

    monkeypatch.setattr("temporalio.client.Client.operator_service", property(refuse))
    assert await missing_search_attributes(free_namespace.client, REGISTRY) == []
    assert await missing_search_attributes(free_namespace.client, {"CheckedHere": "Keyword"}) == ["CheckedHere"]
    with pytest.raises(UserError, match="has a search attribute PostStatus of another type than KeywordList"):
        await missing_search_attributes(free_namespace.client, {"PostStatus": "KeywordList"})
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", await empty_database(postgres_url))
    monkeypatch.setenv("SOCIALSYNCER_SEARCH_ATTRIBUTES", "check")
    monkeypatch.setenv("TEMPORAL_ADDRESS", str(free_namespace.client.service_client.config.target_host))
    result = await run("migrate")
    assert (result.exit_code, "search attributes are there (none added)" in result.stdout) == (0, True), result.stderr
    monkeypatch.setattr("cli.migrating.REGISTRY", {**REGISTRY, "CheckedHere": "Keyword"})
    result = await run("migrate")
    assert result.exit_code == 1
    assert 'tcld namespace search-attributes add --namespace default --search-attribute "CheckedHere=Keyword"' in (
        result.stderr
    )
    assert "temporal operator search-attribute create --namespace default --name CheckedHere" in result.stderr


async def test_a_search_attribute_of_another_type_is_one_sentence(temporal: WorkflowEnvironment) -> None:
    with pytest.raises(UserError, match="has a search attribute PostStatus of another type than KeywordList"):
        await register_search_attributes(temporal.client, {"PostStatus": "KeywordList"})


def test_a_missing_wheel_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(UserError, match="Temporal is not installed: run `uv sync`"):
        Temporal(tmp_path / "temporal.db", 1, 2, {})


async def _custom(client: Client) -> dict[str, int]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    answer = await client.operator_service.list_search_attributes(request)
    return dict(answer.custom_attributes)
