"""The workflow for n8n fits n8n's nodes, and its requests do what its page says."""

import asyncio
import json
import re
import shutil
import tarfile
from datetime import UTC, datetime
from hashlib import sha256
from hmac import new as new_hmac
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from api.openapi.document import document
from clients.building.npm import run_program
from domain.webhooks import new_secret, sign
from tests.stack import Stack

ROOT = Path(__file__).parents[2]
N8N = "n8n-nodes-base@2.41.2"
API = "https://posts.example.com"
WORKFLOW: dict[str, Any] = json.loads((ROOT / "deploy/n8n/posts.json").read_text())
NODES: dict[str, dict[str, Any]] = {node["name"]: node for node in WORKFLOW["nodes"]}
# Fields of every node.
_OF_ANY_NODE = {"id", "name", "type", "typeVersion", "position", "parameters"}
_EVALUATE = """
const { text, scope } = JSON.parse(process.argv[1]);
const value = (code) => new Function(...Object.keys(scope), `return (${code})`)(...Object.values(scope));
const whole = /^=\\{\\{(.*)\\}\\}$/s.exec(text);
const filled = () => text.slice(1).replace(/\\{\\{(.*?)\\}\\}/g, (_, code) => value(code));
process.stdout.write(String(whole ? value(whole[1]) : filled()));
"""


async def evaluate(text: str, **scope: Any) -> str:
    """Return the value of a parameter, whose expressions n8n evaluates as JavaScript."""
    if not text.startswith("="):
        return text
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed, which evaluates the expressions")
    argument = json.dumps({"text": text, "scope": scope})
    return await asyncio.to_thread(run_program, ROOT, node, "-e", _EVALUATE, argument)


def test_the_workflow_is_complete_and_has_no_secret() -> None:
    assert len(NODES) == len(WORKFLOW["nodes"]) == len({node["id"] for node in WORKFLOW["nodes"]})
    ends = {end["node"] for outputs in WORKFLOW["connections"].values() for main in outputs["main"] for end in main}
    starts = {name for name, node in NODES.items() if node["type"].endswith((".webhook", "Trigger"))}
    assert set(WORKFLOW["connections"]) | ends == set(NODES)
    assert starts | ends == set(NODES), "every node is reached"
    assert all("credentials" not in node for node in NODES.values())
    text = json.dumps(WORKFLOW)
    assert "sk_" not in text
    assert "whsec_" not in text
    page = (ROOT / "docs/n8n.md").read_text()
    assert all(f"*{name}*" in page for name in NODES if name not in {"Start", "Refuse"})


def test_a_request_that_changes_something_is_repeated_with_its_key() -> None:
    operations = document()["paths"]
    for node in (node for node in NODES.values() if node["type"].endswith(".httpRequest")):
        parameters = node["parameters"]
        path = re.sub(r"{{.*}}", "{postId}", parameters["url"].removeprefix("=").removeprefix(API))
        assert parameters["method"].lower() in operations[path]
        assert (node["retryOnFail"], node["maxTries"] <= 5) == (True, True)
        if parameters["method"] != "GET":
            (header,) = parameters["headerParameters"]["parameters"]
            assert header["name"] == "Idempotency-Key"
            # The same in all tries of an item, and another one for another item.
            assert set(re.findall(r"{{ (.*?) }}", header["value"])) == {"$execution.id", "$itemIndex"}


@pytest.mark.thorough
def test_each_node_is_one_of_n8n(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, which brings n8n's descriptions of its nodes")
    try:
        archive = tmp_path / run_program(tmp_path, "npm", "pack", N8N, "--silent").strip()
    except click.ClickException as error:
        pytest.skip(f"npm cannot get {N8N} here: {error.message[-300:]}")
    with tarfile.open(archive) as package:
        described = package.extractfile("package/dist/types/nodes.json")
        assert described is not None
        types = json.load(described)
    for node in NODES.values():
        (description,) = [
            description
            for description in types
            if f"n8n-nodes-base.{description['name']}" == node["type"] and node["typeVersion"] in versions(description)
        ]
        check_parameters(node["parameters"], description["properties"], node["typeVersion"])
        assert set(node) <= _OF_ANY_NODE | {"retryOnFail", "maxTries", "waitBetweenTries", "webhookId"}


def versions(description: dict[str, Any]) -> list[float]:
    """Return the versions of a node that a description is for: one or several."""
    version = description["version"]
    return version if isinstance(version, list) else [version]


def check_parameters(parameters: dict[str, Any], properties: list[dict[str, Any]], version: float) -> None:
    """Check that each parameter is one that n8n shows for the others, with a value that it offers."""
    defaults = {p["name"]: p.get("default") for p in reversed(properties) if is_shown(p, {}, version, strictly=False)}
    values = {**defaults, **parameters}
    for name, value in parameters.items():
        shown = [p for p in properties if p["name"] == name and is_shown(p, values, version)]
        assert shown, f"{name} is no parameter here"
        options = shown[0].get("options", [])
        if shown[0]["type"] == "options":
            assert value in [option["value"] for option in options], (name, value)
        elif shown[0]["type"] == "collection":
            assert set(value) <= {option["name"] for option in options}, (name, value)
        elif shown[0]["type"] == "boolean":
            assert isinstance(value, bool), (name, value)


def is_shown(described: dict[str, Any], values: dict[str, Any], version: float, *, strictly: bool = True) -> bool:
    """Return whether n8n shows a parameter, by its version and, if `strictly`, by the other parameters."""

    def applies(name: str, allowed: list[Any]) -> bool:
        if name == "@version":
            return any(
                version >= bound["_cnd"]["gte"] if isinstance(bound, dict) else version == bound for bound in allowed
            )
        return name != "@tool" and values.get(name.removeprefix("/")) in allowed

    rules = described.get("displayOptions", {})
    show, hide = (
        [applies(name, allowed) for name, allowed in rules.get(kind, {}).items() if strictly or name == "@version"]
        for kind in ("show", "hide")
    )
    return all(show) and not any(hide)


@pytest.mark.thorough
async def test_its_requests_create_a_post_once_and_read_it(address: str, stack: Stack) -> None:
    names = [field["name"] for field in NODES["Posts"]["parameters"]["assignments"]["assignments"]]
    assert set(names) == {"content", "platform", "accountId", "scheduledFor", "timezone", "externalId"}
    account = stack.accounts["twitter"].id
    item = dict(
        zip(names, ("Sent by n8n", "twitter", account, "2031-01-01T09:00", "Europe/Berlin", "n8n-1"), strict=True)
    )
    create = NODES["Create post"]["parameters"]
    (header,) = create["headerParameters"]["parameters"]
    key = await evaluate(header["value"], **{"$execution": {"id": "17"}, "$itemIndex": 0})
    body = await evaluate(create["jsonBody"], **{"$json": item})
    headers = {"Authorization": f"Bearer {stack.api_key}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
        tries = [
            await client.post(create["url"].removeprefix(API), content=body, headers={header["name"]: key})
            for _ in range(2)
        ]
        assert [response.status_code for response in tries] == [201, 201]
        assert key == "n8n-17-0"
        post_id = tries[0].json()["id"]
        event = {"body": {"data": {"postId": post_id}}}
        url = await evaluate(NODES["Get post"]["parameters"]["url"], **{"$json": event})
        post = (await client.get(url.removeprefix(API))).json()
    assert (post["content"], post["scheduledFor"], post["externalId"]) == (
        "Sent by n8n",
        "2031-01-01T08:00:00Z",
        "n8n-1",
    )


@pytest.mark.thorough
async def test_it_accepts_the_services_signature_alone() -> None:
    body, secret = b'{"event":"post.published"}', new_secret()
    signing = NODES["Sign body"]["parameters"]
    assert (signing["type"], signing["encoding"], signing["binaryPropertyName"]) == ("SHA256", "hex", "data")
    headers = sign([secret], "evt_1", datetime.now(UTC), body)
    (condition,) = NODES["Is it genuine"]["parameters"]["conditions"]["conditions"]
    for text, is_genuine in ((secret, True), (new_secret(), False)):
        signature = new_hmac(text.encode(), body, sha256).hexdigest()
        item = {
            "headers": {name.lower(): value for name, value in headers.items()},
            signing["dataPropertyName"]: signature,
        }
        sides = [await evaluate(condition[side], **{"$json": item}) for side in ("leftValue", "rightValue")]
        assert (sides[0] == sides[1]) == is_genuine
