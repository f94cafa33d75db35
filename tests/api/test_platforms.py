"""The platforms' rules as clients read them."""

from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
from sqlalchemy import select

from platforms.registry import platforms
from store.apps import announce_apps
from store.models import AppSetup
from tests.api.conftest import Client, problems
from tests.stack import Stack


async def test_every_platforms_rules_are_served(api: Client) -> None:
    response = await api.get("/v1/platforms")
    assert response.status_code == 200
    listed = {entry["platform"]: entry for entry in response.json()["platforms"]}
    assert list(listed) == sorted(platforms())
    for name, platform in platforms().items():
        view, rules = listed[name], platform.rules
        assert view["label"] == platform.label
        assert (view["text"]["limit"], view["text"]["unit"]) == (rules.text.limit, rules.text.unit)
        assert view["media"]["maxOf"] == dict(rules.media.max_of)
        assert {file["type"] for file in view["files"]} == {rule.kind for rule in rules.files}
        assert {file["type"] for file in view["files"]} <= set(view["media"]["maxOf"])
        assert all(file["source"] for file in view["files"])
        jsonschema_rs.validator_for(view["settings"])


async def test_limits_differ_by_platform(api: Client) -> None:
    listed = {platform["platform"]: platform for platform in (await api.get("/v1/platforms")).json()["platforms"]}
    assert listed["twitter"]["text"]["premiumLimit"] == 25_000
    assert listed["telegram"]["text"]["limit"] == 4096
    assert listed["telegram"]["text"]["withMedia"] == {"image": 1024, "video": 1024, "gif": 1024, "document": 1024}
    assert listed["tiktok"]["text"]["withMedia"] == {"video": 2200}
    assert listed["instagram"]["media"] | {"source": ""} == {
        "required": True,
        "maxItems": 10,
        "maxOf": {"image": 10, "video": 10},
        "mixes": True,
        "source": "",
    }
    [image] = [file for file in listed["instagram"]["files"] if file["type"] == "image"]
    assert (image["contentTypes"], image["maxBytes"], image["minSeconds"]) == (["image/jpeg"], 8 * 2**20, None)
    assert "shareToFeed" in listed["instagram"]["settings"]["properties"]


async def test_unknown_parameters_are_refused(api: Client) -> None:
    response = await api.get("/v1/platforms?platform=twitter")
    assert response.status_code == 400
    assert problems(response)[0]["code"] == "unknown_parameter"


async def test_a_key_is_needed(api: Client) -> None:
    assert (await api.get("/v1/platforms", headers={"Authorization": "Bearer sk_no"})).status_code == 401


async def test_connection_method_and_availability_are_listed(api: Client, stack: Stack) -> None:
    async def connecting() -> dict[str, dict[str, Any]]:
        listed = (await api.get("/v1/platforms")).json()["platforms"]
        return {entry["platform"]: entry["connect"] for entry in listed}

    methods = await connecting()
    # The worker has reported for which platforms there is an app.
    assert methods["twitter"] == {"method": "oauth", "configured": True, "options": {}}
    assert methods["linkedin"]["options"] == {"as": ["member", "pages", "both"]}
    assert methods["mastodon"] == {"method": "oauth", "configured": True, "options": {"instance": []}}
    assert methods["telegram"] == {"method": "code", "configured": True, "options": {}}
    assert methods["discord"]["options"] == {"kind": ["webhook", "bot"]}
    now = datetime.now(UTC)
    async with stack.database.transaction() as session:
        before = (await session.scalars(select(AppSetup))).one()
        await announce_apps(session, ["mastodon"], {api.workspace_id: ["reddit"], "ws_other": ["tiktok"]}, now)
    try:
        methods = await connecting()
    finally:
        async with stack.database.transaction() as session:
            await announce_apps(session, before.platforms, before.platforms_by_workspace, now)
    by_oauth = {name for name, method in methods.items() if method["method"] == "oauth" and method["configured"]}
    assert by_oauth == {"mastodon", "reddit"}
