"""Prove that no post is published twice and none is lost: `uv run python -m benchmarks.proof`.

The proof combines every platform, every fault, every crash and every way to publish, on development stacks of its own.
PostgreSQL, Temporal, the API and the worker are real, and send over real HTTP to the sandbox, which counts the public
posts. The product has no code for the proof: parts are killed with SIGKILL at moments that the platform's requests and
database locks define. Two things need `inside.hooks` in the product's processes: to stop a worker right before the
first byte of its requests, and to set clocks wrong.

The posts of one crash are in flight together, each on an account of its own with a fault of its own. If a crash misses
a post's point, the post is run again; if that does not help, nothing is proven and the proof fails. Combinations
without a meaning are left out, and the report says so (see `Cell.left_out`).

A full run takes some 40 minutes on two idle cores, --short some seven.
"""

import argparse
import asyncio
import gc
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.proof import pauses, plans, renewals, report
from benchmarks.proof.accounts import Accounts
from benchmarks.proof.cells import Cell, chosen
from benchmarks.proof.events import Events, endpoint_under_proof
from benchmarks.proof.inside.folder import inside
from benchmarks.proof.pauses import PauseOutcome
from benchmarks.proof.plans import PlansOutcome
from benchmarks.proof.platforms import IMAGE, PLATFORMS, api_name, body
from benchmarks.proof.posts import Post
from benchmarks.proof.product import Product, ProofError
from benchmarks.proof.renewals import Renewal
from benchmarks.proof.rounds import Proof, shares
from benchmarks.proof.verdict import public_posts
from benchmarks.stack import command, stack
from benchmarks.waiting import eventually
from cli.stack.ports import free_port

_AWAY_S = 8.0
"""How long the storage is away before the worker is killed, and again after that."""
_SETTLED_WITHIN_S = 180.0
_STATUSES = "SELECT p.id, t.status, t.error_code FROM posts p JOIN targets t ON t.post_id = p.id WHERE p.id = ANY($1)"


async def storage_faults(product: Product, say: Callable[[str], None]) -> list[str]:
    """Publish a file on every platform while the storage is away; return what did not end right."""
    accounts, marks = Accounts(product.dev), {platform: f"upload-{secrets.token_hex(5)}" for platform in PLATFORMS}
    lent = dict(zip(PLATFORMS, await accounts.lend(PLATFORMS), strict=True))
    folder = Path(product.folder, "media")
    away = folder.with_name("media-away")
    await asyncio.to_thread(folder.rename, away)
    try:
        created = await asyncio.gather(
            *(_create(product, platform, lent[platform], marks[platform]) for platform in PLATFORMS)
        )
        posts = dict(zip(PLATFORMS, created, strict=True))
        await asyncio.sleep(_AWAY_S)
        had = product.kill("worker")
        await asyncio.sleep(_AWAY_S)
    finally:
        await asyncio.to_thread(away.rename, folder)
    took = await product.back(had)
    say(f"the storage was away for {2 * _AWAY_S:.0f} s, the worker back after {took:.1f} s")
    states = await _settled(product, list(posts.values()))
    shown = (await product.control("GET", "posts"))["posts"]
    return [
        f"uploads: {platform} is {states.get(posts[platform])} and public {count} times"
        for platform in PLATFORMS
        if (count := len(public_posts(marks[platform], shown))) != 1
        or states.get(posts[platform], ("",))[0] != "published"
    ]


async def _create(product: Product, platform: str, account_id: str, mark: str) -> str:
    traits = PLATFORMS[platform]
    media = traits.media or traits.upload or IMAGE
    new_post = body(platform, account_id, f"From the storage: {mark}") | {"publishNow": True}
    new_post["mediaItems"] = [media | {"url": product.uploads[media["type"]]}]
    answer = await product.api.post("/v1/posts", json=new_post, headers={"Prefer": "wait=0", "Idempotency-Key": mark})
    if answer.status_code != 201:
        raise ProofError(f"{api_name(platform)} takes no upload: {answer.text[:300]}")
    post_id: str = answer.json()["id"]
    return post_id


async def _settled(product: Product, post_ids: list[str]) -> dict[str, tuple[Any, ...]]:
    """Return the status and the error code of each post once all are published, or after some minutes."""
    states: dict[str, tuple[Any, ...]] = {}

    async def all_are_published() -> bool:
        states.update(
            {row["id"]: (row["status"], row["error_code"]) for row in await product.rows(_STATUSES, post_ids)}
        )
        return all(status == "published" for status, _ in states.values())

    await eventually(all_are_published, _SETTLED_WITHIN_S, 1)
    return states


_TOGETHER = 300
"""Posts in flight together on one stack; each platform has a queue of its own, and each post an account of its own."""


_ALL = "*/*/*/*"
T = TypeVar("T")

_DOCTOR_RUNS, _BETWEEN_RUNS_S = 8, 15.0
"""How often the doctor is asked, and the seconds between, so that what heals by itself has healed."""


_FOR_CASES = 2
"""More stacks for the other cases alone: a case consists of waiting, and its worker can serve no other case."""
_FEW_CASES = 3
"""As many cases are run by the stacks of the cells, once these have ended."""


@dataclass(frozen=True, slots=True)
class _Cases:
    """The cases beside the cells: the stacks share them."""

    renewals: deque[renewals.Case]
    platform_names: Sequence[str]
    pauses: deque[pauses.Case]
    posts: int
    """The number of posts of a pause."""
    plans: deque[plans.PlanStrike]
    planned_posts: int
    """The number of posts of an import."""


@dataclass(slots=True)
class _Ended:
    """The results of stacks, and the disagreements that the product's own doctor finds at the end."""

    posts: list[Post] = field(default_factory=list)
    renewals: list[Renewal] = field(default_factory=list)
    pauses: list[PauseOutcome] = field(default_factory=list)
    plans: list[PlansOutcome] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    events: Events = field(default_factory=Events)

    def __add__(self, other: "_Ended") -> "_Ended":
        return _Ended(*(getattr(self, own.name) + getattr(other, own.name) for own in fields(self)))

    @property
    def is_right(self) -> bool:
        """Return whether everything ended as it must."""
        posts = report.right(self.posts) or not self.posts
        renewed = all(renewal.is_right for renewal in self.renewals)
        cases = renewed and all(outcome.is_right for outcome in (*self.pauses, *self.plans))
        return posts and cases and not self.disagreements and not self.events.faults

    @property
    def sections(self) -> list[report.Section]:
        """Return the reports on the cases beside the cells."""
        return [
            *([report.renewals_section(self.renewals)] if self.renewals else []),
            *([report.pauses_section(self.pauses)] if self.pauses else []),
            *([report.plans_section(self.plans)] if self.plans else []),
        ]


async def prove(cells: list[Cell], together: int, stacks: int, cases: _Cases) -> _Ended:
    """Run the cells on fresh stacks, and the other cases on two more, all concurrently.

    A crash consists mostly of waiting: for delayed answers, for servers, until an absence counts as certain. A stack
    that has run its cells takes its share of the cases that are left.
    """
    began = time.monotonic()

    def say_as(name: str) -> Callable[[str], None]:
        return lambda line: print(f"[{time.monotonic() - began:5.0f} s] {name}: {line}", flush=True)

    work = shares(cells, stacks)
    if len(cases.renewals) + len(cases.pauses) + len(cases.plans) > _FEW_CASES:
        work += [[]] * (stacks + _FOR_CASES - len(work))
    work = work or [[]]
    ends = await asyncio.gather(
        *(_prove_on_one(share, together, say_as(name), cases) for name, share in zip("ABCDEFGH", work, strict=False))
    )
    return sum(ends, _Ended())


async def _prove_on_one(cells: list[Cell], together: int, say: Callable[[str], None], cases: _Cases) -> _Ended:
    with inside() as folder:
        port = free_port()
        hosts = {"SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS": f"127.0.0.1:{port}"}
        async with stack({**folder.environment, **hosts}) as dev:
            say("the stack is up")
            product = Product(dev, folder)
            try:
                await product.upload_files()
                async with endpoint_under_proof(product, port) as endpoint:
                    proof = Proof(product, say)
                    await proof.run(cells, together)
                    renewed = await renewals.Renewals(product, say, cases.platform_names).run(cases.renewals)
                    paused = await pauses.Pauses(product, say, cases.posts).run(cases.pauses)
                    planned = await plans.Plans(product, say, cases.planned_posts).run(cases.plans)
                    stored = await storage_faults(product, say) if cells else []
                    say("the doctor looks")
                    runs = _DOCTOR_RUNS if report.right(proof.posts) or not proof.posts else 1
                    disagreements = await _disagreements(dev, [*proof.posts, *proof.run_again], runs)
                    await endpoint.compare(product)
                say("done")
                return _Ended(proof.posts, renewed, paused, planned, [*stored, *disagreements], endpoint.events)
            finally:
                await product.close()


async def _disagreements(dev: dict[str, Any], posts: list[Post], runs: int) -> list[str]:
    """Return the disagreements of rows, workflows and platforms that do not heal within a short time."""
    for run in range(runs):
        await asyncio.sleep(_BETWEEN_RUNS_S if run else 0)
        doctor_report = json.loads(await command(dev, "doctor", "--json", may_fail=True))
        findings = [
            f"{finding['kind']}: {finding.get('postId', '')} {finding['what']}"
            for finding in doctor_report["findings"]
            if not report.is_rightly_found(finding, posts)
        ]
        if not findings and not doctor_report["couldNotCheck"]:
            break
    return [*findings, *doctor_report["couldNotCheck"]]


def main() -> None:
    """Parse the command line, run, and exit with 1 if a post did not end as it must."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proof",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--short", action="store_true", help="every platform, a few faults and crashes that are over soon"
    )
    parser.add_argument("--renewals", action="store_true", help="the renewals of tokens alone")
    parser.add_argument("--pauses", action="store_true", help="the pauses alone")
    parser.add_argument("--plans", action="store_true", help="imports, queues, series and chains alone")
    parser.add_argument("--only", default=_ALL, metavar="PLATFORM/MODE/FAULT/CRASH", help="each part may be *")
    parser.add_argument("--platforms", default="", help=f"comma-separated: {', '.join(PLATFORMS)}")
    parser.add_argument("--together", type=int, default=_TOGETHER, help="posts in flight together")
    parser.add_argument("--stacks", type=int, default=0, help="stacks side by side; 3, or 4 if --short")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome of every post")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as a page")
    arguments = parser.parse_args()
    platforms = [name for name in arguments.platforms.split(",") if name]
    if unknown := set(platforms) - set(PLATFORMS):
        parser.error(f"unknown platforms: {', '.join(sorted(unknown))}")
    try:
        cells = chosen(arguments.only, platforms=platforms, shortened=arguments.short)
    except ValueError as error:
        parser.error(str(error))
    cases = _cases(arguments)
    if arguments.renewals or arguments.pauses or arguments.plans:
        cells = []
    elif not cells:
        parser.error("no cell has this name, or it is left out: " + "; ".join(report.left_out()))
    began = time.monotonic()
    try:
        stacks = arguments.stacks or (4 if arguments.short else 3)
        ended = asyncio.run(prove(cells, arguments.together, stacks, cases))
    except (ProofError, TimeoutError) as error:
        raise SystemExit(f"The proof cannot continue: {error!r}") from error
    took, posts, disagreements = time.monotonic() - began, ended.posts, ended.disagreements
    if arguments.json:
        arguments.json.write_text(json.dumps(report.rows(posts), indent=1))
    if arguments.markdown:
        page = report.markdown(posts, disagreements, took, _chosen_by(arguments), ended.sections, f"{ended.events}")
        arguments.markdown.write_text(page)
    _print(ended, took)
    gc.collect()
    raise SystemExit(0 if ended.is_right else 1)


def _print(ended: _Ended, took: float) -> None:
    """Print the tables, the failures, and the verdict as the last line but one."""
    posts, disagreements = ended.posts, ended.disagreements
    if posts:
        print(f"\n{report.ends(posts)}\n\n{report.table(posts)}\n")
    lines = [f"doctor: {disagreement}" for disagreement in disagreements]
    print("\n".join([*report.failures(posts), *lines, *report.left_out()]))
    for section in ended.sections:
        print("\n".join(["", section.table, "", *section.failures, section.total]))
    print("\n".join([*(f"events: {fault}" for fault in ended.events.faults), f"{ended.events}"]))
    if posts:
        print(report.totals(posts, disagreements))
    print(f"{took:.0f} s")


def _cases(arguments: argparse.Namespace) -> _Cases:
    """Return the renewals and pauses that the options choose; single cells are tried without them."""
    short, alone = arguments.short, arguments.renewals or arguments.pauses or arguments.plans

    def chosen_cases(all_cases: Sequence[T], few_cases: Sequence[T], *, asked: bool) -> deque[T]:
        is_chosen = arguments.only == _ALL and (asked or not alone)
        return deque((few_cases if short else all_cases) if is_chosen else ())

    return _Cases(
        chosen_cases(renewals.ALL, renewals.SHORT, asked=arguments.renewals),
        renewals.FEW_ACCOUNTS if short else renewals.ACCOUNTS,
        chosen_cases(pauses.ALL, pauses.SHORT, asked=arguments.pauses),
        pauses.FEW_POSTS if short else pauses.POSTS,
        chosen_cases(plans.ALL, plans.SHORT, asked=arguments.plans),
        plans.FEW_POSTS if short else plans.POSTS,
    )


def _chosen_by(arguments: argparse.Namespace) -> str:
    """Return the command-line options that chose the cells."""
    short = "--short" if arguments.short else ""
    alone = " ".join(f"--{name}" for name in ("renewals", "pauses", "plans") if getattr(arguments, name))
    only = f"--only '{arguments.only}'" if arguments.only != _ALL else ""
    platforms = f"--platforms {arguments.platforms}" if arguments.platforms else ""
    return " ".join(filter(None, (short, alone, only, platforms)))


if __name__ == "__main__":
    main()
