"""Every command of the pages for a first hour and of the README's first post, run by a shell against a stack."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.stacks import DevStack

ROOT = Path(__file__).parents[2]
SECTIONS = dict(
    re.findall(r"^## (\d)\. .*?\n(.*?)(?=^## )", (ROOT / "docs/tutorial.md").read_text(), re.DOTALL | re.MULTILINE)
)
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
PRINTS = {
    "1": "",
    "2": r"published \['http.+', 'http.+'\]",
    "3": "published",
    "4": r"scheduled 2\S+Z 2\S+T09:00\S*\n2\S+T10:30\S*\npublished",
    "5": r"partial \[\('twitter', 'failed', '.+'\), \('mastodon', 'published', None\)\]\npublished",
    "6": "published\n1",
    "7": (
        r"3 0\n0 3\nactive 3\npaused\n3\nactive\npublished\n\{'published': 1, 'scheduled': 2, 'failed': 0\}\n"
        r"\['resumed', 'shifted', 'paused', 'started', 'imported', 'created'\]\nended 2"
    ),
    "8": "published\npost.published mastodon\nTrue",
}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    async with DevStack(tmp_path_factory.mktemp("tutorial")).running() as stack:
        yield stack


pytestmark = [
    pytest.mark.thorough,
    # The stack starts within the first test, which then runs the whole tutorial.
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="curl and bash are not installed"),
]


async def shell_output(script: list[str], stack: DevStack) -> str:
    """Return what a shell prints that runs these commands in the stack's folder."""
    before = set(stack.folder.iterdir())
    # `uv run python` is the interpreter of this project: the tests' own, so uv need not check the project.
    commands = ["set -euo pipefail", 'uv() { shift; "$@"; }', *script]
    ran = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", "\n".join(commands)],
        cwd=stack.folder,
        env={**os.environ, "DATA_DIR": str(stack.data), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert set(stack.folder.iterdir()) == before, "a reader's clone has new files"
    return ran.stdout


async def test_the_commands_of_the_tutorial_print_the_shown_output(stack: DevStack) -> None:
    script = []
    for number, section in SECTIONS.items():
        script += [f"echo '== {number}'", *BLOCK.findall(section)]
    printed = dict(
        re.findall(r"^== (\d)\n(.*?)(?=^== |\Z)", await shell_output(script, stack), re.DOTALL | re.MULTILINE)
    )
    for number, shown in PRINTS.items():
        assert re.fullmatch(shown, printed[number].strip()), f"section {number}: {printed[number]}"


async def test_posts_are_imported_as_written(stack: DevStack) -> None:
    names = BLOCK.findall((ROOT / "docs/send.md").read_text())[0]
    blocks = BLOCK.findall((ROOT / "docs/imports.md").read_text())
    if not shutil.which("node"):
        blocks = [block for block in blocks if not block.startswith("node")]
    printed = await shell_output([names, *(f"{block}\nprintf '\\n==\\n'" for block in blocks)], stack)
    answers = [answer.strip() for answer in printed.split("\n==\n")]
    assert len([answer for answer in answers if answer]) == len(blocks)
    assert '"created":2' in answers[0]
    assert answers[1] == "{'created': 24, 'unchanged': 0, 'updated': 0}"
    assert answers[2] in {"created 3 unchanged 0", ""}


async def test_posts_take_slots_as_written(stack: DevStack) -> None:
    names = BLOCK.findall((ROOT / "docs/send.md").read_text())[0]
    blocks = BLOCK.findall((ROOT / "docs/queues.md").read_text())
    if not shutil.which("node"):
        blocks = [block for block in blocks if not block.startswith("node")]
    printed = await shell_output([names, *(f"{block}\nprintf '\\n==\\n'" for block in blocks)], stack)
    queue, *posts = [answer.strip() for answer in printed.split("\n==\n") if answer.strip()]
    assert '"name":"Morning posts"' in queue
    assert len(posts) == len(set(posts)) == len(blocks) - 1
    assert all(post.startswith("scheduled for ") for post in posts)


async def test_a_first_post_is_sent_as_written(stack: DevStack) -> None:
    readme = (ROOT / "README.md").read_text().split("## Send a post")[1].split("\n## ")[0]
    blocks = BLOCK.findall(readme) + BLOCK.findall((ROOT / "docs/send.md").read_text())
    if not shutil.which("node"):
        blocks = [block for block in blocks if not block.startswith("node")]
    printed = await shell_output([f"{block}\nprintf '\\n==\\n'" for block in blocks], stack)
    answers = [answer.strip() for answer in printed.split("\n==\n")]
    assert len([answer for answer in answers if answer]) == len(blocks) - 1, "one block only names the stack"
    assert [answer for answer in answers if answer and "published" not in answer] == []
