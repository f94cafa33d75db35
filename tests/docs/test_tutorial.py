"""Every command of docs/tutorial.md, run by a shell against a development stack."""

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
PRINTS = {
    "1": "",
    "2": r"published \['http.+', 'http.+'\]",
    "3": r"scheduled 2\S+Z 2\S+T09:00\S*\n2\S+T10:30\S*\npublished",
    "4": r"partial \[\('twitter', 'failed', '.+'\), \('mastodon', 'published', None\)\]\npublished",
    "5": "published\n1",
    "6": r"(2\S+ scheduled\n){3}3\n0",
}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    one = DevStack(tmp_path_factory.mktemp("tutorial"))
    try:
        await one.start("--no-example")
        yield one
    finally:
        one.destroy()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="curl and bash are not installed")
async def test_the_tutorial_prints_what_it_says(stack: DevStack) -> None:
    # `uv run python` is the interpreter of this project: the tests' own, so uv need not check the project.
    script = ["set -euo pipefail", 'uv() { shift; "$@"; }']
    for number, section in SECTIONS.items():
        script += [f"echo '== {number}'", *re.findall(r"```bash\n(.*?)```", section, re.DOTALL)]
    ran = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", "\n".join(script)],
        cwd=stack.folder,
        env={**os.environ, "DATA_DIR": str(stack.data), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = dict(re.findall(r"^== (\d)\n(.*?)(?=^== |\Z)", ran.stdout, re.DOTALL | re.MULTILINE))
    for number, wanted in PRINTS.items():
        assert re.fullmatch(wanted, printed[number].strip()), f"section {number}: {printed[number]}"
