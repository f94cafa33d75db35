"""Checks of a post against its accounts and its platforms' rules, with the field of the request that is at fault."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel, ValidationError

from accounts.facts import account_facts
from api.http.body import MAX_PROBLEMS
from api.http.body_validation import as_problem, in_contract_order, known_names
from api.posts.bodies.schemas import PostBody
from domain.content import PostContent, TargetContent
from domain.errors import Problem
from domain.loop_share import LoopShare, loop_share
from platforms.base import AccountFacts, AnyPlatform, Draft
from platforms.drafts import read_draft
from platforms.registry import platforms
from platforms.rules import Violation
from platforms.texts.expensive import CHARACTERS_OF_PIECE, MOST_CHARACTERS, PieceEnds, TooMuchText, one_request
from store.models import ConnectedAccount

_ROOT_SETTINGS = {"tiktok": "tiktokSettings", "facebook": "facebookSettings"}


async def find_platform_problems(
    content: PostContent, accounts: Mapping[str, ConnectedAccount], size: int
) -> list[Problem]:
    """Return the result of `collect_platform_problems`; a large body of `size` bytes takes turns with others."""
    async with loop_share(size) as turn:
        return await collect_platform_problems(content, accounts, turn)


async def collect_platform_problems(
    content: PostContent,
    accounts: Mapping[str, ConnectedAccount],
    turn: LoopShare,
    only: Collection[int] | None = None,
) -> list[Problem]:
    """Return everything the accounts and platforms of a post would refuse, in the contract's order.

    `turn`: the share of the event loop that the caller has. While it holds the lock of a row it must not wait for one,
    only pause: others may have one and wait for the row. `only`: the positions of the targets that are meant; None for
    all.
    """
    problems: list[Problem] = []
    try:
        with one_request(piece=CHARACTERS_OF_PIECE):
            for part in _parts(content, accounts, only):
                problems += await _read_part(part, MAX_PROBLEMS - len(problems), turn)
                await turn.pause()
    except TooMuchText:
        return [_TOO_MUCH_TEXT]
    return in_contract_order(PostBody, problems)


async def _read_part(part: Callable[[], Iterator[Problem]], most: int, turn: LoopShare) -> list[Problem]:
    """Return the first problems of a part, which is begun again after each piece: what it has computed is cached."""
    while True:
        try:
            return list(islice(part(), most))
        except PieceEnds:
            await turn.pause()


def _parts(
    content: PostContent, accounts: Mapping[str, ConnectedAccount], only: Collection[int] | None
) -> Iterator[Callable[[], Iterator[Problem]]]:
    for position, target in enumerate(content.targets):
        if only is None or position in only:
            yield partial(_target_problems, content, target, position, accounts.get(target.account_id))
    yield partial(_idle_root_settings, content)


def text_problems(
    content: PostContent, targets: Iterable[TargetContent], accounts: Mapping[str, ConnectedAccount], text: str
) -> list[Problem]:
    """Return what the platforms of these targets would refuse about another text in place of theirs."""
    return _collected(chain(*(_text_problems(content, target, accounts, text) for target in targets)))


def _collected(problems: Iterator[Problem]) -> list[Problem]:
    """Return the first problems, as many as an answer lists."""
    try:
        with one_request():
            return in_contract_order(PostBody, islice(problems, MAX_PROBLEMS))
    except TooMuchText:
        return [_TOO_MUCH_TEXT]


_TOO_MUCH_TEXT = Problem(
    f"The post's texts are too long to be checked: those for X, Mastodon and Telegram may have {MOST_CHARACTERS:,} "
    "characters in all, and a text counts once for each of the three that it goes to",
    "invalid_field_value",
    "content",
)


def refused_accounts(content: PostContent, accounts: Mapping[str, ConnectedAccount]) -> list[Problem]:
    """Return a warning for each account that its platform refuses now: posts to it are held until that is over."""
    return [
        Problem(
            f"{account.refusal} Until then its posts are held",
            "account_refused",
            f"platforms.{position}.accountId",
            target.platform,
            target.account_id,
        )
        for position, target in enumerate(content.targets)
        if (account := accounts.get(target.account_id)) and account.refused_at
    ]


def platform_cautions(content: PostContent) -> list[Problem]:
    """Return warnings about a valid post: parts that its platforms may refuse later, or show differently."""
    problems: list[Problem] = []
    for position, target in enumerate(content.targets):
        platform = platforms()[target.platform]
        draft = read_draft(platform, *content.sent_to(target))
        field_path = _FieldPath(position, target)
        problems += [field_path.problem(caution) for caution in platform.cautions(platform.label, draft)]
    return problems[:MAX_PROBLEMS]


def _target_problems(
    content: PostContent, target: TargetContent, position: int, account: ConnectedAccount | None
) -> Iterator[Problem]:
    platform = platforms()[target.platform]
    if account is None or account.platform != target.platform:
        where = f"platforms.{position}.accountId"
        sentence = (
            f"{platform.label} account {target.account_id} is not connected; GET /v1/accounts lists those that are"
        )
        yield Problem(sentence, "account_not_found", where, target.platform, target.account_id)
        # Beside it, only violations of limits that hold for every account are reported: its own are unknown.
        facts = AccountFacts(target.account_id, "", "", premium=True)
    else:
        facts = account_facts(account)
    text, media = content.text_for(target), tuple(content.media_for(target))
    merged = content.settings_for(target)
    field_path = _FieldPath(position, target)
    try:
        settings = _strictly(platform, merged)
    except ValidationError as error:
        yield from _settings_problems(error, platform, field_path)
        violations = platform.rules.check(platform.label, text, media, premium=facts.premium)
    else:
        violations = platform.violations(Draft(text, media, settings), facts)
    yield from (field_path.problem(violation) for violation in violations)


def _strictly(platform: AnyPlatform, settings: dict[str, Any]) -> BaseModel:
    # As JSON, because strict then still lets a string be a date or an enum's value, but never a number or a flag.
    return platform.settings.model_validate_json(json.dumps(settings), strict=True)  # type: ignore[no-any-return]


class _FieldPath:
    """The paths in the request of one target's fields."""

    def __init__(self, position: int, target: TargetContent) -> None:
        self._position = position
        self._target = target

    def problem(self, violation: Violation) -> Problem:
        """Return a platform's violation with the path of the field at fault."""
        if violation.part == "content":
            own = "customContent" if self._target.custom_content is not None else None
        elif violation.part == "mediaItems":
            own = "customMedia" if self._target.custom_media is not None else None
        else:
            path = (*self.settings(violation.path), *violation.path)
            return self.of_target(Problem(violation.error, violation.code, ".".join(str(part) for part in path)))
        param = f"platforms.{self._position}.{own}" if own else violation.part
        return self.of_target(Problem(violation.error, violation.code, param))

    def of_target(self, problem: Problem) -> Problem:
        """Return a problem with the platform and account that it concerns."""
        return replace(problem, platform=self._target.platform, account_id=self._target.account_id)

    def settings(self, path: tuple[int | str, ...]) -> tuple[int | str, ...]:
        """Return where a setting was written: at the target, or at the root and merged under it."""
        root = _ROOT_SETTINGS.get(self._target.platform)
        if root and path and path[0] not in self._target.settings:
            return (root,)
        return ("platforms", self._position, "platformSpecificData")


def _settings_problems(error: ValidationError, platform: AnyPlatform, field_path: _FieldPath) -> Iterator[Problem]:
    for detail in error.errors(include_url=False, include_input=False):
        # A field missing at the root may be given there or at the target; people look at the target.
        prefix = field_path.settings(detail["loc"] if detail["type"] != "missing" else ())
        yield field_path.of_target(as_problem(detail, known_names(platform.settings, detail["loc"]), prefix))


def _text_problems(
    content: PostContent, target: TargetContent, accounts: Mapping[str, ConnectedAccount], text: str
) -> Iterator[Problem]:
    platform = platforms()[target.platform]
    draft = read_draft(platform, text, content.media_for(target), content.settings_for(target))
    for violation in platform.check(draft, account_facts(accounts[target.account_id])):
        if violation.part == "content":
            yield Problem(violation.error, violation.code, "content", target.platform, target.account_id)


def _idle_root_settings(content: PostContent) -> Iterator[Problem]:
    """Find misspelled root settings of a platform that no target of this post uses."""
    used = {target.platform for target in content.targets}
    for platform_name, name in _ROOT_SETTINGS.items():
        settings = content.tiktok_settings if platform_name == "tiktok" else content.facebook_settings
        platform = platforms().get(platform_name)
        if not settings or platform is None or platform_name in used:
            continue
        try:
            _strictly(platform, settings)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                if detail["type"] != "missing":
                    yield as_problem(detail, known_names(platform.settings, detail["loc"]), (name,))
