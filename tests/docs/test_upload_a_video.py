"""The programs of docs/upload-a-video.md upload a file and create a post that names it."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.dependencies import Dependencies
from storage.directory import DirectoryStorage
from tests.api.media.files import MP4
from tests.serving import app_over, listening
from tests.stack import Stack
from tests.uploads import sign_with_storage

PAGE = (Path(__file__).parents[2] / "docs/upload-a-video.md").read_text()
PROGRAMS = {"bash": ("bash", "sh"), "python": (sys.executable, "py"), "js": ("node", "mjs")}
NEEDED = {"bash": ("curl", "jq"), "python": (), "js": ("node",)}


@pytest.fixture
async def url(stack: Stack, tmp_path: Path) -> AsyncIterator[str]:
    storage = DirectoryStorage(tmp_path, least_free=0)
    await storage.prepare()
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes, storage=storage)
    await sign_with_storage(stack.database, deps.readiness)
    async with app_over(deps) as app, listening(app) as url:
        yield url
    await storage.close()


async def test_the_programs_of_the_page_upload_a_video(stack: Stack, url: str, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(MP4)
    account = (await stack.connect("youtube")).id
    environment = {**os.environ, "POSTS_API": url, "POSTS_KEY": stack.api_key, "ACCOUNT_ID": account, "NO_PROXY": "*"}
    posts = []
    for language, (program, ending) in PROGRAMS.items():
        match = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
        assert match
        if any(shutil.which(name) is None for name in NEEDED[language]):
            continue
        script = tmp_path / f"example.{ending}"
        # Each with a request of its own.
        script.write_text(match[1].replace("film-2030-12-01", f"film-{language}"))
        process = await asyncio.create_subprocess_exec(
            program, str(script), cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, language
        posts.append(json.loads(output))
    assert posts
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {stack.api_key}"}) as client:
        for post in posts:
            address = post["mediaItems"][0]["url"]
            assert (await client.get(httpx.URL(address).path)).content == MP4
            (await client.delete(f"/v1/posts/{post.get('id')}")).raise_for_status()
