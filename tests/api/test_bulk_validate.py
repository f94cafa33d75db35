"""POST /v1/posts/bulk/validate: the verdict on each post of a request, and nothing is created."""

import uuid
from typing import Any

import pytest

from api.bulk import actions
from domain.request_limits import Policy, PolicyName
from tests.api.conftest import Client, limited_app, make_client, read_answer
from tests.api.test_bulk import create_body
from tests.stack import Stack

GOOD = {"type": "image", "url": "https://example.com/checked.jpg"}
MISSING = {"type": "image", "url": "https://nonexistent.invalid/a.jpg"}


async def verdicts(api: Client, posts: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    answer = read_answer(await api.post("/v1/posts/bulk/validate", json={"posts": posts, **more}))
    results: list[dict[str, Any]] = answer["results"]
    assert [item["position"] for item in results] == list(range(len(posts)))
    assert answer["total"] == len(posts)
    assert answer["succeeded"] == sum(item["valid"] for item in results) == len(posts) - answer["failed"]
    return results


async def test_each_post_gets_the_verdict_that_it_gets_alone(api: Client, stack: Stack) -> None:
    tag = f"tag-{uuid.uuid4()}"
    no_account = create_body(stack, tag)
    no_account["platforms"][0]["accountId"] = "tw_none"
    posts = [
        create_body(stack, tag),
        create_body(stack, tag, timezone="Berlin", zebra=1),
        no_account,
        {**no_account, "externalId": str(uuid.uuid4()), "isDraft": True},
    ]
    results = await verdicts(api, posts)
    assert [item["valid"] for item in results] == [True, False, False, True]
    for item, post in zip(results, posts, strict=True):
        alone = (await api.post("/v1/posts/validate", json=post)).json()
        assert {name: item[name] for name in alone} == alone
        assert item["externalId"] == post["externalId"]
    assert (await api.get("/v1/posts", params={"tag": tag})).json()["posts"] == []


async def test_a_changed_row_of_an_import_is_named_with_its_post(api: Client, stack: Stack) -> None:
    rows = [create_body(stack, "rows") for _ in range(2)]
    created = (await api.post("/v1/posts/bulk", json={"posts": rows})).json()["results"]
    corrected = [rows[0], {**rows[1], "content": f"{rows[1]['content']}, corrected"}]
    same, other = await verdicts(api, corrected)
    assert (same["valid"], other["valid"]) == (True, False)
    assert [(error["code"], error["postId"]) for error in other["errors"]] == [("external_id_taken", created[1]["id"])]
    refused = (await api.post("/v1/posts/bulk", json={"posts": corrected})).json()["results"][1]["error"]
    assert refused["postId"] == refused["errors"][0]["postId"] == created[1]["id"]


async def test_files_of_each_post_are_checked(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = [create_body(stack, "files", mediaItems=media) for media in ([GOOD], [MISSING], [])]
    results = await verdicts(api, posts, checkMedia=True)
    assert [[error["code"] for error in item["errors"]] for item in results] == [[], ["media_refused"], []]
    assert [item["valid"] for item in await verdicts(api, posts)] == [True, True, True]
    monkeypatch.setattr(actions, "FILES_BEGIN_WITHIN_S", -1.0)
    late = await verdicts(api, posts, checkMedia=True)
    codes = [[warning["code"] for warning in item["warnings"]] for item in late]
    assert codes == [["media_not_checked"], ["media_not_checked"], []]


async def test_request_errors_are_those_of_creating(api: Client) -> None:
    bodies: list[dict[str, Any]] = [{"posts": []}, {"posts": [{}] * 101}, {"posts": [{"content": "no key"}]}, {}]
    for body in bodies:
        answers = [await api.post(path, json=body) for path in ("/v1/posts/bulk/validate", "/v1/posts/bulk")]
        assert answers[0].status_code == 400
        assert answers[0].json() == answers[1].json()
    wrong = await api.post("/v1/posts/bulk/validate", json={"posts": [{"externalId": "a"}], "checkMedia": "yes"})
    assert (wrong.status_code, wrong.json()["param"]) == (400, "checkMedia")


async def test_its_posts_count_as_posts_of_the_workspace(stack: Stack) -> None:
    _, api_key = await stack.new_workspace()
    async with limited_app(stack, posts=Policy(PolicyName.POSTS, 1, 10)) as app, make_client(app, api_key) as api:
        posts = [create_body(stack, "counted") for _ in range(8)]
        await verdicts(api, posts)
        refused = await api.post("/v1/posts/bulk/validate", json={"posts": posts})
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
