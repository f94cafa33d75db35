"""Every code that a client may receive is listed, and explained in docs/errors.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.openapi.document import document
from domain.codes import PROBLEM_CODES, TARGET_CODES
from domain.post import ErrorCategory, HoldReason
from platforms.codes import _PUBLIC, known_codes, public_codes
from tests.api.conftest import Client, problems
from tests.sources import syntax_nodes
from tests.stack import Stack

ROOT = Path(__file__).parents[2]
PLATFORMS_OWN = {"duration_check_failed", "privacy_level_option_mismatch"}
"""TikTok's codes that our module writes, because TikTok does not report them as an error."""


def explained(heading: str) -> set[str]:
    text = (ROOT / "docs/errors.md").read_text()
    section = text.split(f"`{heading}`\n", maxsplit=1)[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(cells))) - {heading}


def test_every_code_is_explained_and_no_other() -> None:
    assert explained("code") == PROBLEM_CODES
    assert explained("errorCode") == TARGET_CODES


def test_the_document_lists_every_code() -> None:
    schemas = document()["components"]["schemas"]
    listed = {
        frozenset(choice["enum"])
        for title, schema in schemas.items()
        if title not in {"ConnectAccount", "MediaFile"}  # an authorization's code, and a choice of the codes
        for name, field in schema.get("properties", {}).items()
        if name in {"code", "errorCode"}
        for choice in field.get("anyOf", [field])
        if choice.get("type") != "null"
    }
    assert listed == {PROBLEM_CODES, TARGET_CODES}
    (choice, _) = schemas["MediaFile"]["properties"]["errorCode"]["anyOf"]
    assert set(choice["enum"]) < PROBLEM_CODES | TARGET_CODES


def written_codes() -> Iterator[tuple[str, str]]:
    """Yield every code that is a literal argument of a platform's or a medium's error, with its file."""
    for package in ("platforms", "media", "accounts", "activities"):
        for path in (ROOT / package).rglob("*.py"):
            for node in syntax_nodes(path.read_text()):
                if not isinstance(node, ast.Call):
                    continue
                arguments = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                if called in {"_rejected", "_transient"} and node.args:
                    arguments.append(node.args[0])
                for value in arguments:
                    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                        yield str(path.relative_to(ROOT)), value.value


def test_every_internal_code_maps_to_a_public_code() -> None:
    written = set(written_codes())
    assert len(written) > 80
    ours = {(path, code) for path, code in written if code == code.lower() and code not in PLATFORMS_OWN}
    unknown = {(path, code) for path, code in ours if known_codes(code).code is None}
    assert unknown == set(), "add it to domain/codes.py and docs/errors.md, or to platforms/codes.py"


def test_a_platforms_own_code_is_kept_apart() -> None:
    assert known_codes("190") == (None, "190")
    assert public_codes("190", ErrorCategory.AUTH) == ("account_refused", "190")
    assert public_codes("http_400", ErrorCategory.REJECTED) == ("platform_refused", "http_400")
    assert public_codes("187", ErrorCategory.RATE_LIMITED, HoldReason.CAP) == ("platform_cap", "187")
    assert public_codes("media_ratio", ErrorCategory.REJECTED) == ("media_ratio", None)
    assert public_codes("no_blob", ErrorCategory.PLATFORM) == ("upload_lost", None)
    for category in ErrorCategory:
        assert public_codes(None, category).code in TARGET_CODES
    assert set(_PUBLIC.values()) <= TARGET_CODES
    assert TARGET_CODES.isdisjoint(_PUBLIC)


async def test_a_failed_target_has_a_code_of_ours_and_the_platforms_own(api: Client, stack: Stack) -> None:
    await stack.fault(
        "twitter",
        "reject",
        "publish",
        status=403,
        body={"type": "about:blank", "title": "Forbidden", "detail": "You are not permitted to perform this action."},
    )
    body = {
        "content": "Refused with a code of X's own",
        "platforms": [{"platform": "twitter", "accountId": stack.accounts["twitter"].id}],
        "publishNow": True,
    }
    post = (await api.send_post(body)).json()
    (target,) = post["platforms"]
    assert (target["status"], target["errorCode"]) == ("failed", "platform_refused")
    assert target["platformCode"]
    (attempt,) = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
    assert (attempt["errorCode"], attempt["platformCode"]) == (None, target["platformCode"])


async def test_a_problem_names_the_target_that_it_concerns(api: Client, stack: Stack) -> None:
    accounts = [(name, (await stack.connect(name)).id) for name in ("twitter", "twitter", "mastodon")]
    targets = [{"platform": platform, "accountId": account_id} for platform, account_id in accounts]
    answer = await api.send_post({"content": "x" * 600, "platforms": targets, "publishNow": True})
    assert answer.status_code == 422
    places = [(problem["param"], problem["platform"], problem["accountId"]) for problem in problems(answer)]
    assert places == [("content", *account) for account in accounts]


@pytest.mark.parametrize(
    ("target", "platform"),
    [({"platform": "twiter", "accountId": "a"}, "twiter"), ({"platform": 5, "accountId": "a"}, None)],
)
async def test_malformed_target_is_named_by_its_readable_fields(
    api: Client, target: dict[str, object], platform: str | None
) -> None:
    answer = await api.send_post({"content": "x", "platforms": [target], "publishNow": True})
    (problem,) = problems(answer)
    assert (problem["param"], problem.get("platform"), problem["accountId"]) == ("platforms.0.platform", platform, "a")


async def test_problems_without_target_name_no_target(api: Client) -> None:
    (problem,) = problems(await api.send_post({"content": 5}))
    assert set(problem) == {"error", "code", "param"}
