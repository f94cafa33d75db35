"""Refusals that lie where no post can be read back: two copies at most, or one if the owner wants to be asked."""

import json

import pytest

from domain.attempts import WhenUnreadable
from domain.post import TargetStatus
from store.models import Account, Post
from store.publishing.claims import write_when_unreadable
from tests.platforms.forms import FORMS, Form, quick
from tests.stack import Stack
from tests.workflows.test_wrong_answers import PLAYED, connect, public_texts, start

__all__ = ["quick"]

UNSEEN = [form for form in FORMS if form.confirmed == "never"]


async def lie_about(stack: Stack, form: Form, account: Account, refusal: str) -> None:
    answer = getattr(PLAYED[form.platform], refusal)(*([1] if refusal == "rate_limited" else []))
    lie = {"accountId": account.id, "status": answer.status, "body": json.loads(answer.body), "times": 50}
    await stack.fault(form.platform, "accept_then_answer", "publish", **lie)


async def person_asked(stack: Stack, post: Post) -> Post:
    """Return the post once its target is unconfirmed and a person is asked."""

    async def asked() -> bool:
        target = (await stack.read(post.id)).targets[0]
        return target.status == TargetStatus.UNCONFIRMED and not target.confirming

    assert await stack.outcomes.wait(post.id, asked, 30)
    return await stack.read(post.id)


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
@pytest.mark.parametrize("form", UNSEEN, ids=str)
@pytest.mark.parametrize("refusal", ["rate_limited", "token_expired"])
@pytest.mark.thorough
async def test_refusals_that_lie_make_two_copies_at_most_where_nothing_can_be_read(
    stack: Stack, form: Form, refusal: str
) -> None:
    account = await connect(stack, form)
    await lie_about(stack, form, account, refusal)
    post = await person_asked(stack, await start(stack, form, account))
    copies = await public_texts(stack, account)
    assert 1 <= copies <= 2
    # A person looked, and wants it again.
    await stack.resolve(post, None, published=False)
    await stack.retry(post)
    await person_asked(stack, post)
    assert await public_texts(stack, account) <= copies + 2


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
@pytest.mark.parametrize("form", [form for form in UNSEEN if form.platform in {"telegram", "discord"}], ids=str)
@pytest.mark.parametrize("refusal", ["rate_limited", "refused_content"])
async def test_owner_who_wants_to_be_asked_gets_one_copy_at_most(stack: Stack, form: Form, refusal: str) -> None:
    account = await connect(stack, form)
    async with stack.api_database.transaction() as session:
        await write_when_unreadable(session, account.workspace_id, WhenUnreadable.ASK_ME, account.id)
    await lie_about(stack, form, account, refusal)
    await person_asked(stack, await start(stack, form, account))
    assert await public_texts(stack, account) == 1


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
async def test_telegram_that_moves_a_chat_after_each_success_makes_two_copies_at_most(stack: Stack) -> None:
    account = await stack.connect("telegram")
    moved = {"ok": False, "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat"}
    body = moved | {"parameters": {"migrate_to_chat_id": int(account.user_id)}}
    lie = {"accountId": account.id, "status": 400, "body": body, "times": 50}
    await stack.fault("telegram", "accept_then_answer", "publish", **lie)
    await person_asked(stack, await start(stack, Form("telegram"), account))
    assert await public_texts(stack, account) == 2
