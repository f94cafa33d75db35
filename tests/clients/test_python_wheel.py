"""The wheel of the Python client, in an empty environment, is typed, publishes, and does what its page says."""

import asyncio
import hashlib
import re
import sys
import time
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from clients.building.sources import product_version
from tests.api.clients.tools import run
from tests.api.media.files import JPEG, MP4
from tests.clients.building import ROOT, installed
from tests.clients.conftest import LimitedApi
from tests.stack import Stack

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]


@pytest.mark.usefixtures("client_package")
async def test_both_clients_publish(address: str, stack: Stack) -> None:
    from socialsyncer_client import AsyncClient, Client, models

    account = stack.accounts["twitter"].id

    def publish() -> tuple[str, str]:
        with Client(address, stack.api_key) as api:
            target = models.TwitterTarget(platform="twitter", account_id=account)
            body = models.CreatePost(content="From the client", platforms=[target], publish_now=True)
            created = api.create_post(body, wait=0)
            return created.id, api.wait_for(created, timeout=60).status

    post_id, status = await asyncio.to_thread(publish)
    assert status == "published"
    async with AsyncClient(address, stack.api_key) as api:
        assert (await api.get_post(post_id)).platforms[0].status == "published"
        target = {"platform": "twitter", "accountId": account}
        body = {"content": "From the async client", "platforms": [target], "publishNow": True}
        assert (await api.wait_for(await api.create_post(body), timeout=60)).status == "published"
        assert account in [known.account_id async for known in api.iterate_accounts(limit=3)]
    assert len(await stack.public("From the client")) == len(await stack.public("From the async client")) == 1


@pytest.mark.usefixtures("client_package")
async def test_both_clients_wait_for_a_used_up_limit(limited_api: LimitedApi) -> None:
    from socialsyncer_client import AsyncClient, Client

    calls = limited_api.burst + 2
    async with AsyncClient(limited_api.address, limited_api.key) as api:
        began = time.monotonic()
        await asyncio.gather(*(api.list_platforms() for _ in range(calls)))
        assert 1.5 <= time.monotonic() - began < 15
    # Calls that ran side by side were refused once: their repeats come one by one.
    assert limited_api.statuses[200] == calls
    assert limited_api.statuses[429] <= 4

    def read() -> None:
        with Client(limited_api.address, limited_api.key) as api:
            for _ in range(3):
                api.list_platforms()

    await asyncio.to_thread(read)
    assert limited_api.statuses[200] == calls + 3
    assert limited_api.statuses[429] <= 5


class LosesAnswers(httpx.HTTPTransport):
    """A connection that loses the first answer to each part of a file."""

    lost: ClassVar[set[str]] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method == "PUT" and request.url.path not in self.lost:
            self.lost.add(request.url.path)
            response.close()
            raise httpx.ReadError("lost")
        return response


@pytest.mark.usefixtures("client_package")
async def test_a_large_file_arrives_whole(address: str, stack: Stack, tmp_path: Path) -> None:
    from socialsyncer_client import AsyncClient, Client

    content = MP4 + bytes(14 * 2**20)
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with Client(address, stack.api_key, transport=LosesAnswers()) as api:
        clip = await asyncio.to_thread(api.upload, file)
    assert (clip.state, clip.sha256, len(LosesAnswers.lost)) == ("ready", hashlib.sha256(content).hexdigest(), 2)
    file.write_bytes(JPEG)
    async with AsyncClient(address, stack.api_key) as async_api:
        picture = await async_api.upload(file, content_type="image/jpeg")
        assert picture.content_type == "image/jpeg"
        assert {media.id async for media in async_api.iterate_media()} >= {clip.id, picture.id}


PAGE = (ROOT / "docs/clients.md").read_text().split("\n## Python\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NETWORKS = ("bluesky", "facebook", "linkedin", "mastodon", "threads", "twitter")
PRINTS = (
    "published\n",
    "3\n400 missing_required_field platforms\n",
    "",
    r"60 created \[\]\n1 corrected\n60 moved\n7 made drafts\n8 due in March\npaused 53 scheduled 7 drafts\n",
    "ready 1\n",
    "ready image/jpeg\n",
    r"post.published post_\S+ None\n",
    "",
)
"""What each program of the page prints."""


@pytest.fixture(scope="module")
async def environment(python_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that has the wheel and what it needs."""
    wheel, archive = sorted(python_files, key=lambda file: file.suffix != ".whl")
    assert archive.name == f"socialsyncer_client-{product_version()}.tar.gz"
    return await asyncio.to_thread(installed, [wheel], tmp_path_factory.mktemp("environment") / "python")


async def test_the_page_shows_what_its_programs_print(
    environment: Path, address: str, stack: Stack, fetching: None, tmp_path: Path
) -> None:
    (campaign,) = [block for block in BLOCKS if "campaign_from_csv" in block]
    assert len([line for line in campaign.splitlines() if line]) <= 20
    (tmp_path / "photo.jpg").write_bytes(JPEG)
    workspace, key = await stack.new_workspace()
    for network in NETWORKS:
        await stack.connect(network, workspace_id=workspace)
    variables = {"SOCIALSYNCER_API_URL": address, "SOCIALSYNCER_API_KEY": key, "WEBHOOK_SECRET": "whsec_AAAA"}
    python = ("env", *(f"{name}={value}" for name, value in variables.items()), str(environment), "-W", "error", "-c")
    await run(tmp_path, *python, "from socialsyncer_client import Client; Client().list_events()")
    for shown, block in zip(PRINTS, BLOCKS, strict=True):
        printed = await run(tmp_path, *python, block)
        assert re.fullmatch(shown, printed), f"{block}\n{printed}"


EVENTS = """
from socialsyncer_client import AnyEvent, Client, EventBody


def receive(event: EventBody) -> str:
    if event["event"] == "post.failed":
        return event["data"]["postId"] + str(event["data"]["errorCode"])
    if event["event"] in ("post.completed", "post.scheduled"):
        return ",".join(outcome["accountId"] for outcome in event["data"]["platforms"])
    return event["data"].get("endsAt", "") if event["event"] == "account.expiring" else event["id"]


def read(event: AnyEvent) -> str:
    return event.data["name"] if event.event == "campaign.ended" else event.id


def follow(client: Client) -> list[str]:
    late = [event.data["dueAt"] for event in client.list_events().events if event.event == "post.late"]
    return late + [read(event) for event in client.follow_events()]


def rotate(client: Client) -> tuple[str, str]:
    created = client.create_webhook({"url": "https://hooks.example.com/", "events": ["*"]})
    return created.secret, client.rotate_secret(created.id, {}).secret
"""


async def test_the_package_is_typed(environment: Path, tmp_path: Path) -> None:
    programs = [tmp_path / f"program_{number}.py" for number, _ in enumerate([*BLOCKS, EVENTS])]
    for program, block in zip(programs, [*BLOCKS, EVENTS], strict=True):
        program.write_text(block)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\npython_version = 3.10\n")
    options = ("--python-executable", str(environment), "--config-file", "mypy.ini")
    for arguments in (["-p", "socialsyncer_client"], [program.name for program in programs]):
        await run(tmp_path, sys.executable, "-m", "mypy", *options, *arguments)
