"""Clients that are generated from the document compile strictly, and publish a post."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar import Litestar

from api.openapi.document import document
from tests.api.clients import tools
from tests.api.clients.tools import npm_packages, run, uvx
from tests.serving import listening
from tests.stack import Stack

pytestmark = [pytest.mark.timeout(500), pytest.mark.thorough]

_ATTRS = """
import os
import uuid

from posts_client import AuthenticatedClient
from posts_client.api.posts import create_post, create_posts, list_posts, update_post, update_posts
from posts_client.models import (
    ApiError,
    BulkResult,
    CreatePost,
    CreatePostItem,
    CreatePosts,
    Post,
    PostFilter,
    TwitterSettings,
    TwitterTarget,
    UpdatePost,
    UpdatePosts,
)

client = AuthenticatedClient(os.environ["POSTS_API"], os.environ["POSTS_KEY"])
target = TwitterTarget(
    platform="twitter",
    account_id=os.environ["POSTS_ACCOUNT"],
    platform_specific_data=TwitterSettings(reply_settings="following"),
)
wanted = CreatePost(content=os.environ["POSTS_TEXT"], platforms=[target], publish_now=True)
post = create_post.sync(client=client, body=wanted, idempotency_key=str(uuid.uuid4()))
assert isinstance(post, Post), post
draft = create_post.sync(client=client, body=CreatePost(content="a draft", tags=["one"]))
assert isinstance(draft, Post)
changed = update_post.sync(draft.id, client=client, body=UpdatePost(tags=["two"]))
assert isinstance(changed, Post) and changed.content == "a draft" and changed.tags == ["two"], changed
later = CreatePost(content="a draft with targets", platforms=[target], is_draft=True, external_id="attrs-later")
drafts = [create_post.sync_detailed(client=client, body=later) for _ in range(2)]
assert [draft.status_code for draft in drafts] == [201, 200] and isinstance(drafts[1].parsed, Post), drafts
sent_back = UpdatePost(content="another text", platforms=[*drafts[1].parsed.platforms])
changed = update_post.sync(drafts[1].parsed.id, client=client, body=sent_back)
assert isinstance(changed, Post) and changed.content == "another text", changed
assert changed.platforms[0].platform_specific_data == drafts[1].parsed.platforms[0].platform_specific_data, changed
many = [CreatePostItem(content=f"many {row}", tags=["many"], external_id=f"attrs-{row}") for row in range(3)]
created = create_posts.sync(client=client, body=CreatePosts(posts=many))
assert isinstance(created, BulkResult) and created.succeeded == 3, created
change = UpdatePosts(filter_=PostFilter(tag=["many"]), change=UpdatePost(tags=["moved"]))
updated = update_posts.sync(client=client, body=change, idempotency_key=str(uuid.uuid4()))
assert isinstance(updated, BulkResult) and updated.failed == 0 and updated.total >= 3, updated
refused = create_post.sync(client=client, body=CreatePost(content="x", platforms=[target, target], publish_now=True))
assert isinstance(refused, ApiError) and refused.errors[0].account_id == target.account_id, refused
print(post.id, post.status, post.platforms[0].status)
"""

_MODELS = """
import os
import uuid

import httpx

from models import BulkResult, CreatePost, CreatePostItem, CreatePosts, Post, TwitterSettings, TwitterTarget, UpdatePost

client = httpx.Client(
    base_url=os.environ["POSTS_API"], headers={"Authorization": f"Bearer {os.environ['POSTS_KEY']}"}, timeout=60
)
json = {"Content-Type": "application/json"}
target = TwitterTarget(
    platform="twitter",
    accountId=os.environ["POSTS_ACCOUNT"],
    platformSpecificData=TwitterSettings(replySettings="following"),
)
wanted = CreatePost(content=os.environ["POSTS_TEXT"], platforms=[target], publishNow=True)
# A field that was not set is written as null.
answer = client.post("/v1/posts", content=wanted.model_dump_json(by_alias=True), headers=json)
assert answer.status_code == 201, answer.text
post = Post.model_validate(answer.json())
change = UpdatePost(tags=["two"]).model_dump_json(by_alias=True, exclude_unset=True)
draft = Post.model_validate(client.post("/v1/posts", json={"content": "a draft", "tags": ["one"]}).json())
changed = client.patch(f"/v1/posts/{draft.id}", content=change, headers=json)
assert changed.status_code == 200 and Post.model_validate(changed.json()).tags == ["two"], changed.text
many = CreatePosts(posts=[CreatePostItem(content=f"row {row}", externalId=f"models-{row}") for row in range(3)])
answer = client.post("/v1/posts/bulk", content=many.model_dump_json(by_alias=True), headers=json)
assert BulkResult.model_validate(answer.json()).succeeded == 3, answer.text
sent_back = UpdatePost(platforms=post.platforms).model_dump_json(by_alias=True, exclude_unset=True)
unchanged = client.patch(f"/v1/posts/{post.id}", content=sent_back, headers=json)
assert unchanged.status_code == 409, unchanged.text
later = CreatePost(content="a draft with targets", platforms=[target], isDraft=True).model_dump_json(by_alias=True)
draft = Post.model_validate(client.post("/v1/posts", content=later, headers=json).json())
sent_back = UpdatePost(platforms=draft.platforms).model_dump_json(by_alias=True, exclude_unset=True)
unchanged = client.patch(f"/v1/posts/{draft.id}", content=sent_back, headers=json)
assert unchanged.status_code == 200 and unchanged.json()["platforms"][0]["platformSpecificData"], unchanged.text
print(post.id, post.status.value, post.platforms[0].status.value)
"""

_PYDANTIC = """
import json
import os
import uuid

from openapi_client import ApiClient, ApiException, Configuration, PostsApi
from openapi_client import CreatePost, Target, TargetUpdate, UpdatePost

configuration = Configuration(host=os.environ["POSTS_API"], access_token=os.environ["POSTS_KEY"])
said = {
    "platform": "twitter",
    "accountId": os.environ["POSTS_ACCOUNT"],
    "platformSpecificData": {"replySettings": "following"},
}
target = Target.from_json(json.dumps(said))
with ApiClient(configuration) as client:
    posts = PostsApi(client)
    wanted = CreatePost(content=os.environ["POSTS_TEXT"], platforms=[target], publishNow=True)
    post = posts.create_post(wanted, idempotency_key=str(uuid.uuid4()))
    draft = posts.create_post(CreatePost(content="a draft", tags=["one"]))
    changed = posts.update_post(draft.id, UpdatePost(tags=["two"]))
    assert changed.content == "a draft" and changed.tags == ["two"], changed
    draft = posts.create_post(CreatePost(content="a draft with a target", platforms=[target], isDraft=True))
    sent_back = [TargetUpdate(shown) for shown in draft.platforms]
    changed = posts.update_post(draft.id, UpdatePost(content="another text", platforms=sent_back))
    assert changed.platforms[0].content == "another text", changed
    try:
        posts.create_post(CreatePost(content="x", platforms=[target, target], publishNow=True))
        raise SystemExit("the same account twice was taken")
    except ApiException as error:
        assert error.status == 400 and error.data is not None, error
        assert error.data.errors[0].account_id == said["accountId"], error
print(post.id, post.status.value, post.platforms[0].status.value)
"""

_HEY = """
import { createClient } from "./client/client";
import { createPost, updatePost } from "./client";

async function main() {
  const client = createClient({ baseUrl: process.env.POSTS_API!, auth: process.env.POSTS_KEY! });
  const target = {
    platform: "twitter" as const,
    accountId: process.env.POSTS_ACCOUNT!,
    platformSpecificData: { replySettings: "following" as const },
  };
  const { data: post, error } = await createPost({
    client,
    headers: { "Idempotency-Key": crypto.randomUUID() },
    body: { content: process.env.POSTS_TEXT!, platforms: [target], publishNow: true },
  });
  if (!post) throw new Error(error.error);
  const draft = await createPost({ client, body: { content: "a draft", tags: ["one"] }, throwOnError: true });
  const changed = await updatePost({
    client, path: { postId: draft.data.id }, body: { tags: ["two"] }, throwOnError: true,
  });
  if (changed.data.content !== "a draft" || changed.data.tags[0] !== "two") throw new Error("not merged");
  const later = await createPost({
    client, body: { content: "a draft with a target", platforms: [target], isDraft: true }, throwOnError: true,
  });
  const sentBack = await updatePost({
    client, path: { postId: later.data.id }, throwOnError: true,
    body: { ...later.data, content: "another text", platforms: later.data.platforms },
  });
  if (sentBack.data.platforms[0]?.content !== "another text") throw new Error("not changed");
  const refused = await createPost({ client, body: { content: "x", platforms: [target, target], publishNow: true } });
  if (refused.error?.errors[0]?.accountId !== target.accountId) throw new Error("the target is not named");
  console.log(post.id, post.status, post.platforms[0]?.status);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
"""

_FETCH = """
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

async function main() {
  const client = createClient<paths>({
    baseUrl: process.env.POSTS_API!, headers: { Authorization: `Bearer ${process.env.POSTS_KEY}` },
  });
  const target: components["schemas"]["Target"] = {
    platform: "twitter",
    accountId: process.env.POSTS_ACCOUNT!,
    platformSpecificData: { replySettings: "following" },
  };
  const { data: post, error } = await client.POST("/v1/posts", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { content: process.env.POSTS_TEXT!, platforms: [target], publishNow: true },
  });
  if (!post) throw new Error(error.error);
  const draft = await client.POST("/v1/posts", { body: { content: "a draft", tags: ["one"] } });
  if (!draft.data) throw new Error(draft.error.error);
  const changed = await client.PATCH("/v1/posts/{postId}", {
    params: { path: { postId: draft.data.id } }, body: { tags: ["two"] },
  });
  if (changed.data?.content !== "a draft" || changed.data.tags[0] !== "two") throw new Error("not merged");
  const later = await client.POST("/v1/posts", {
    body: { content: "a draft with a target", platforms: [target], isDraft: true },
  });
  if (!later.data) throw new Error(later.error.error);
  const sentBack = await client.PATCH("/v1/posts/{postId}", {
    params: { path: { postId: later.data.id } },
    body: { ...later.data, content: "another text", platforms: later.data.platforms },
  });
  if (sentBack.data?.platforms[0]?.content !== "another text") throw new Error("not changed");
  const refused = await client.POST("/v1/posts", {
    body: { content: "x", platforms: [target, target], publishNow: true },
  });
  if (refused.error?.errors[0]?.accountId !== target.accountId) throw new Error("the target is not named");
  console.log(post.id, post.status, post.platforms[0]?.status);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
"""

_TSCONFIG = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "target": "es2022",
        "module": "commonjs",
        "moduleResolution": "node10",
        "types": ["node"],
        "lib": ["es2022", "dom", "dom.iterable"],
        "outDir": "out",
    },
    "include": ["*.ts", "client/**/*.ts"],
}


@pytest.fixture
async def environment(app: Litestar, stack: Stack, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, str]]:
    """Serve the API, and yield the environment variables with which a program finds it."""
    async with listening(app) as url:
        yield {
            "POSTS_API": url,
            "POSTS_KEY": stack.api_key,
            "POSTS_ACCOUNT": stack.accounts["twitter"].id,
            "POSTS_TEXT": f"Published by {request.node.name}",
        }


_CLIENT_YML = """literal_enums: true
content_type_overrides: {text/csv: application/octet-stream, application/x-ndjson: application/octet-stream}
"""


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """Return a folder with the OpenAPI document."""
    (tmp_path / "openapi.json").write_text(json.dumps(document()))
    return tmp_path


def setting_arguments(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


async def check_published(output: str, stack: Stack, text: str) -> None:
    assert output.split()[-2:] == ["published", "published"], output
    assert len(await stack.public(text)) == 1


async def test_openapi_python_client(described: Path, environment: dict[str, str], stack: Stack) -> None:
    # As docs/clients.md says.
    (described / "client.yml").write_text(_CLIENT_YML)
    await uvx(
        described,
        tools.PYTHON_CLIENT,
        *("openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--config", "client.yml"),
        *("--output-path", "posts_client", "--fail-on-warning"),
    )
    (described / "program.py").write_text(_ATTRS)
    # The generator's code for connections is the same for every document, so it is not checked here.
    (described / "mypy.ini").write_text("[mypy]\n[mypy-posts_client.client]\nignore_errors = true\n")
    needed = ("httpx", "attrs", "python-dateutil", "types-python-dateutil")
    await uvx(described, tools.MYPY, "mypy", "--strict", "posts_client", "program.py", beside=needed)
    command = ("env", *setting_arguments(environment), "python", "program.py")
    output = await uvx(described, tools.MYPY, *command, beside=needed)
    await check_published(output, stack, environment["POSTS_TEXT"])


async def test_datamodel_code_generator(described: Path, environment: dict[str, str], stack: Stack) -> None:
    await uvx(
        described,
        tools.MODELS,
        *("datamodel-codegen", "--input", "openapi.json", "--input-file-type", "openapi", "--output", "models.py"),
        *("--output-model-type", "pydantic_v2.BaseModel", "--disable-warnings"),
    )
    (described / "program.py").write_text(_MODELS)
    output = await uvx(
        described, "httpx", "env", *setting_arguments(environment), "python", "program.py", beside=("pydantic",)
    )
    await check_published(output, stack, environment["POSTS_TEXT"])


async def test_openapi_generator(described: Path, environment: dict[str, str], stack: Stack) -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed, which runs the generator")
    # As docs/clients.md says.
    paths = {name: part for name, part in document().items() if name != "webhooks"}
    (described / "paths.json").write_text(json.dumps(paths))
    warnings = await uvx(
        described, tools.GENERATOR, "openapi-generator-cli", "generate", "-g", "python", "-i", "paths.json", "-o", "."
    )
    assert "renamed" not in warnings, warnings
    assert "'host' (OAS 2.0) or 'servers' (OAS 3.0) not defined" not in warnings, warnings
    (described / "program.py").write_text(_PYDANTIC)
    needed = ("urllib3", "python-dateutil", "pydantic", "typing-extensions")
    # The generated package is not written for `--strict`; only the program that uses it is checked so.
    options = ("--strict", "--follow-imports=silent", "--allow-untyped-calls", "program.py")
    await uvx(described, tools.MYPY, "mypy", *options, beside=needed)
    command = ("env", *setting_arguments(environment), "python", "program.py")
    output = await uvx(described, tools.MYPY, *command, beside=needed)
    await check_published(output, stack, environment["POSTS_TEXT"])


async def typescript(folder: Path, packages: Path, program: str, environment: dict[str, str]) -> str:
    """Compile a program strictly and return what it prints."""
    (folder / "tsconfig.json").write_text(json.dumps(_TSCONFIG))
    (folder / "program.ts").write_text(program)
    await run(folder, str(packages / "node_modules/.bin/tsc"))
    return await run(folder, "env", *setting_arguments(environment), "node", "out/program.js")


async def test_hey_api(described: Path, environment: dict[str, str], stack: Stack) -> None:
    packages = await npm_packages()
    (described / "node_modules").symlink_to(packages / "node_modules")
    await run(described, str(packages / "node_modules/.bin/openapi-ts"), "-i", "openapi.json", "-o", "client")
    output = await typescript(described, packages, _HEY, environment)
    await check_published(output, stack, environment["POSTS_TEXT"])


async def test_openapi_typescript(described: Path, environment: dict[str, str], stack: Stack) -> None:
    packages = await npm_packages()
    (described / "node_modules").symlink_to(packages / "node_modules")
    await run(described, str(packages / "node_modules/.bin/openapi-typescript"), "openapi.json", "-o", "api.d.ts")
    output = await typescript(described, packages, _FETCH, environment)
    await check_published(output, stack, environment["POSTS_TEXT"])
