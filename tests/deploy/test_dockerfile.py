"""The image, as far as it can be built and started without Docker: every command of the Dockerfile, run in a folder."""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import yaml
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.testing import WorkflowEnvironment

from cli.keys import new_secrets
from cli.stack.ports import free_port
from deploy.images import images
from deploy.packages import pins
from tests.cli.parts import until
from tests.deploy.dockerfile import ROOT, Image, environment, stages, words

pytestmark = [
    pytest.mark.thorough,
    # A new machine downloads all packages first.
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="the image's build makes a user and gives folders to it"),
]
SERVICES = yaml.safe_load((ROOT / "deploy/services.yml").read_text())["services"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Carry out both stages in one place, because an environment of Python does not work in another."""
    folder = tmp_path_factory.mktemp("image")
    root, build = folder / "root", folder / "build"
    # In place of the base image's Python; of its version, if this machine has that.
    version = images()["PYTHON_IMAGE"].partition(":")[2].partition("-")[0]
    has_version = (
        subprocess.run(["uv", "python", "find", "--no-python-downloads", version], check=False).returncode == 0
    )
    python = version if has_version else sys.executable
    subprocess.run(["uv", "venv", "--quiet", "--seed", "--python", python, str(folder / "python")], check=True)
    first, last = stages()
    built = Image(root, folder / "python")
    built.build(first)
    root.rename(build)
    built.root = build
    final = Image(root, folder / "python")
    (root / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "login.defs"):
        (root / "etc" / name).touch()
    final.build(last, built)
    return final


@contextmanager
def running(image: Image, command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as a container does: in the image's folder, with its environment and this one."""
    process = popen(image, command, variables)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def popen(image: Image, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    program = image.root / "opt/socialsyncer/bin" / command[0]
    return subprocess.Popen(
        [program, *command[1:]],
        cwd=image.workdir,
        env={**image.variables, "PATH": f"{program.parent}:/usr/bin:/bin", **variables},
    )


def exit_code(image: Image, command: list[str], variables: dict[str, str]) -> int:
    return popen(image, command, variables).wait(60)


def with_port(command: list[str], port: int) -> list[str]:
    """Return a health check that asks another port than that in the container."""
    return [word.replace(":8000/", f":{port}/").replace(":8001/", f":{port}/") for word in command]


def test_the_image_has_the_pinned_packages_and_no_others(image: Image) -> None:
    environment = image.root / "opt/socialsyncer"
    assert (environment / "requirements.txt").read_text() == (ROOT / "deploy/requirements.txt").read_text()
    listed = subprocess.run(
        ["uv", "pip", "freeze", "--quiet", "--python", str(environment)], check=True, capture_output=True, text=True
    ).stdout
    installed = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    pinned = {name: pin.version for name, pin in pins((environment / "requirements.txt").read_text()).items()}
    assert installed.items() <= pinned.items()
    assert "\nsocialsyncer @ " in listed
    assert len(installed) > 40
    assert list(environment.rglob("socialsyncer-*.dist-info/licenses/LICENSE"))


def test_processes_belong_to_a_user_who_can_write_in_one_folder(image: Image) -> None:
    assert re.search(r"^socialsyncer:.:10001:10001:", (image.root / "etc/passwd").read_text())
    work, start = (image.root / "work").stat(), (image.root / "srv/socialsyncer").stat()
    assert (work.st_uid, work.st_gid, work.st_mode & 0o777) == (10001, 10001, 0o700)
    assert (start.st_uid, start.st_mode & 0o022) == (0, 0)
    assert image.workdir == image.root / "srv/socialsyncer"


async def test_the_images_commands_migrate_serve_work_and_pass_their_health_checks(
    image: Image, postgres_url: str, free_namespace: WorkflowEnvironment
) -> None:
    name = f"image_{secrets.token_hex(4)}"
    engine = create_async_engine(f"{postgres_url}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    owner, passwords = make_url(f"{postgres_url}/{name}"), new_secrets()
    roles = {
        part: (f"{name}_{part}", passwords[f"SOCIALSYNCER_{part.upper()}_ROLE_PASSWORD"]) for part in ("api", "worker")
    }
    shared = {
        "TEMPORAL_ADDRESS": free_namespace.client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": free_namespace.client.namespace,
    }

    def database(user: str, password: str) -> dict[str, str]:
        url = owner.set(username=user, password=password).render_as_string(hide_password=False)
        return {**shared, "SOCIALSYNCER_DATABASE_URL": url}

    of_owner = {**shared, "SOCIALSYNCER_DATABASE_URL": owner.render_as_string(hide_password=False)}
    migrating = dict(of_owner)
    for part, (user, password) in roles.items():
        migrating |= {
            f"SOCIALSYNCER_{part.upper()}_ROLE": user,
            f"SOCIALSYNCER_{part.upper()}_ROLE_PASSWORD": password,
        }
    assert exit_code(image, SERVICES["migrate"]["command"], migrating) == 0
    operator = [*SERVICES["operator"]["entrypoint"], "keys", "create", "--workspace", "acme"]
    assert exit_code(image, operator, of_owner) == 0

    last = stages()[-1]
    assert words(last, "CMD") == SERVICES["api"]["command"]
    api_port, worker_port = free_port(), free_port()
    api = database(*roles["api"]) | {"SOCIALSYNCER_API_PORT": str(api_port), "SOCIALSYNCER_API_HOST": "127.0.0.1"}
    worker = database(*roles["worker"]) | {
        "SOCIALSYNCER_ENCRYPTION_KEYS": passwords["SOCIALSYNCER_ENCRYPTION_KEYS"],
        "SOCIALSYNCER_WORKER_HEALTH_PORT": str(worker_port),
        "TMPDIR": image.inside(SERVICES["worker"]["environment"]["TMPDIR"]),
    }
    api_check = with_port(words(last, "HEALTHCHECK"), api_port)
    worker_check = with_port(SERVICES["worker"]["healthcheck"]["test"][1:], worker_port)
    assert exit_code(image, api_check, {}) == 1, "nothing runs yet"
    with (
        running(image, words(last, "CMD"), api) as api_process,
        running(image, SERVICES["worker"]["command"], worker) as worker_process,
    ):
        for check, process in ((api_check, api_process), (worker_check, worker_process)):
            await until(lambda: exit_code(image, check, {}) == 0 or process.poll() is not None)  # noqa: B023
            assert process.poll() is None
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{api_port}/openapi.json")
            assert answer.is_success
    # Uvicorn ends by the signal itself, after everything is closed.
    assert (api_process.returncode, worker_process.returncode) == (-signal.SIGTERM, 0)


def test_the_images_environment_is_that_of_the_dockerfile() -> None:
    variables = environment(stages()[-1])
    assert variables["SOCIALSYNCER_API_HOST"] == "0.0.0.0"
    assert variables["PATH"].startswith("/opt/socialsyncer/bin:")
