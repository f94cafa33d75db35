"""The files that production starts from: every variable is described, and the compose file works at the first start."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import make_url

from cli.keys import new_secrets
from cli.main import main
from cli.stack.postgres import programs
from domain.temporal_limits import DYNAMIC_CONFIG
from runtime.settings import MigrateSettings, Settings, VaultSettings
from store.migrate import upgrade
from store.roles import Component, Role
from worker import STOP_MARGIN_S

ROOT = Path(__file__).parents[2]
ONCE = {"temporal-schema", "temporal-namespace", "migrate"}
OURS = {"migrate", "api", "worker", "operator"}
SECRETS = new_secrets()
SERVICES = (ROOT / "deploy/services.yml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _resolved() -> dict[str, Any]:
    """Return the services as docker compose resolves them, or as the file contains them if docker is not installed."""
    program = shutil.which("docker-compose")
    if program is None:
        return {**yaml.safe_load(SERVICES)["services"]}
    environment = {"PATH": "/usr/bin:/bin", **SECRETS}
    command = [program, "-f", str(ROOT / "docker-compose.yml"), "--profile", "operator", "config", "--format", "json"]
    output = subprocess.run(command, env=environment, capture_output=True, check=True, text=True, cwd=ROOT).stdout
    services = json.loads(output)["services"]
    return {**services}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return _resolved()


def test_compose_file_has_all_services(services: dict[str, Any]) -> None:
    assert services.keys() == {
        "postgres",
        "temporal",
        "temporal-ui",
        "web-ui",
        "api",
        "worker",
        "operator",
        "backup",
        *ONCE,
    }
    for name in OURS | {"web-ui"}:
        assert services[name]["image"] == f"socialsyncer:{PROJECT['project']['version']}", name
    assert not any("elastic" in str(service).lower() for service in services.values())


def test_the_page_on_production_names_this_version() -> None:
    page = (ROOT / "docs/production.md").read_text()
    versions = re.findall(r"socialsyncer(?::|-(?=\d))(\d[\w.]*)", page)
    assert set(versions) == {PROJECT["project"]["version"]}


def test_dependencies_wait_for_health_or_success(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how["condition"] == expected, (name, other)
            assert other in ONCE or "healthcheck" in services[other], (name, other)


def test_the_api_and_the_worker_start_on_a_finished_foundation(services: dict[str, Any]) -> None:
    def all_before(name: str) -> set[str]:
        direct = set(services[name].get("depends_on", {}))
        return direct.union(*map(all_before, direct))

    for name in ("api", "worker"):
        assert all_before(name) == {"postgres", "temporal", *ONCE}


def test_services_restart_and_jobs_do_not(services: dict[str, Any]) -> None:
    for name, service in services.items():
        expected = {"operator": "no", "backup": "no"}.get(name, "on-failure" if name in ONCE else "unless-stopped")
        assert service["restart"].startswith(expected), name


def test_worker_has_enough_time_to_stop(services: dict[str, Any]) -> None:
    match = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", services["worker"]["stop_grace_period"])
    assert match
    longest = Settings.model_fields["worker_grace_s"].default + STOP_MARGIN_S
    assert 60 * int(match[1] or 0) + int(match[2] or 0) > longest


def test_only_this_machine_reaches_the_ports(services: dict[str, Any]) -> None:
    for service in services.values():
        for port in service.get("ports", []):
            assert (port["host_ip"] if isinstance(port, dict) else port.partition(":")[0]) == "127.0.0.1"


def test_the_web_ui_is_reached_through_the_check_of_names_and_origins_alone(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if service.get("ports")} == {"api", "web-ui"}
    assert "ports" not in services["temporal-ui"]
    assert set(services["web-ui"]["networks"]) == {"default"}
    assert "--to=http://temporal-ui:8080" in services["web-ui"]["command"]
    assert not services["web-ui"].get("environment")


def mentions(service: dict[str, Any], secret: str) -> bool:
    """Return whether a service receives a secret, by its value or, without docker-compose, by its variable."""
    text = json.dumps(service)
    return SECRETS[secret] in text or f"${{{secret}:" in text


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("POSTGRES_PASSWORD", {"postgres"}),
        ("POSTGRES_OWNER_PASSWORD", {"postgres", "migrate", "operator", "backup"}),
        ("POSTGRES_TEMPORAL_PASSWORD", {"postgres", "temporal", "temporal-schema", "backup"}),
        ("SOCIALSYNCER_API_ROLE_PASSWORD", {"migrate", "api"}),
        ("SOCIALSYNCER_WORKER_ROLE_PASSWORD", {"migrate", "worker"}),
        ("SOCIALSYNCER_ENCRYPTION_KEYS", {"worker", "operator"}),
    ],
)
def test_each_secret_is_where_it_is_needed_and_nowhere_else(
    services: dict[str, Any], secret: str, holders: set[str]
) -> None:
    assert {name for name, service in services.items() if mentions(service, secret)} == holders


def test_no_secret_is_on_a_command_line(services: dict[str, Any]) -> None:
    for service in services.values():
        for where in ("command", "entrypoint", "healthcheck", "build"):
            assert not any(mentions({where: service.get(where)}, secret) for secret in SECRETS)


def test_every_container_may_do_little(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"], name
        assert service["mem_limit"], name
        # docker-compose writes no zeros.
        assert service["ulimits"]["core"] in (0, {}), name
        assert not service.get("privileged"), name
        assert bool(service.get("cap_add")) is (name == "postgres"), name
    for name in OURS | {"postgres", "web-ui"}:
        assert services[name]["read_only"] is True, name
        assert any(re.match(r"/tmp:size=\d+m", folder) for folder in services[name]["tmpfs"]), name
        assert services[name].get("user") is None, "the image's own is no root"


def test_media_are_on_the_workers_own_volume(services: dict[str, Any]) -> None:
    assert services["worker"]["environment"]["TMPDIR"] == "/work"
    having = {
        name for name, service in services.items() if re.search(r'[:"]/work"', json.dumps(service.get("volumes")))
    }
    assert having == {"worker"}


def test_the_api_and_the_worker_share_the_uploads(services: dict[str, Any]) -> None:
    mounting = {
        name for name, service in services.items() if re.search(r'[:"]/media[":]', json.dumps(service.get("volumes")))
    }
    assert mounting == {"api", "worker", "operator"}
    for name in mounting:
        assert re.search("file:/media", services[name]["environment"]["SOCIALSYNCER_STORAGE"]), name


def test_only_what_uses_postgres_reaches_it(services: dict[str, Any]) -> None:
    reach = {name for name, service in services.items() if "database" in service.get("networks", {})}
    assert reach == {"postgres", "temporal", "temporal-schema", "backup", *OURS}
    assert set(services["postgres"]["networks"]) == {"database"}
    networks = yaml.safe_load(SERVICES)["networks"]
    assert networks["database"] == {"internal": True}


@pytest.fixture
def psql(postgres_url: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run psql on the session's server, as the image's entry point runs scripts."""
    address = make_url(postgres_url)
    where = ("-h", str(address.host), "-p", str(address.port), "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-qtA")

    def run(*arguments: str, user: str = "postgres", database: str = "postgres") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(programs() / "psql"), *where, "-U", user, "-d", database, *arguments],
            env={"PATH": "/usr/bin:/bin", **SECRETS},
            capture_output=True,
            check=False,
            text=True,
        )

    return run


async def test_the_roles_of_the_database_are_enough_and_none_is_a_superuser(
    postgres_url: str, psql: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    created = psql("-f", str(ROOT / "deploy/postgres/roles.sql"))
    assert (created.returncode, created.stderr) == (0, "")
    owner = make_url(postgres_url).set(username="socialsyncer", database="socialsyncer")
    # Under other names than in production: roles belong to the whole server, and other tests have created those.
    roles = [
        Role(part, f"deployed_{part}", SECRETS[f"SOCIALSYNCER_{part.upper()}_ROLE_PASSWORD"]) for part in Component
    ]
    await upgrade(owner.render_as_string(hide_password=False), roles)
    query = "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname ~ '^(social|temp|depl)'"
    powers = set(psql("-c", query).stdout.split())
    assert powers >= {"socialsyncer|f|f|t", "temporal|f|f|f", "deployed_api|f|f|f", "deployed_worker|f|f|f"}
    for role in roles:
        assert psql("-c", "SELECT count(*) FROM posts", user=role.name, database="socialsyncer").stdout == "0\n"
    # As Temporal's schema tool does: create tables, and an extension if PostgreSQL trusts it.
    for database in ("temporal", "temporal_visibility"):
        created = psql("-c", "CREATE TABLE schema_version (id int)", user="temporal", database=database)
        assert (created.returncode, created.stderr) == (0, "")
    for user, database in (("temporal", "socialsyncer"), ("socialsyncer", "temporal"), ("temporal", "postgres")):
        denied = psql("-c", "SELECT 1", user=user, database=database)
        assert "permission denied for database" in denied.stderr, (user, database)


def test_mounted_files_exist() -> None:
    mounted = re.findall(r"- \./(\S+?):", SERVICES)
    assert mounted
    assert all((ROOT / path).exists() for path in mounted)


def test_dynamic_config_sets_the_needed_limits() -> None:
    values = yaml.safe_load((ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())
    assert values["matching.enableFairness"] == [{"value": True}]
    assert {name: values[name] for name in DYNAMIC_CONFIG} == {
        name: [{"value": value}] for name, value in DYNAMIC_CONFIG.items()
    }


def test_every_setting_is_described_in_the_example() -> None:
    text = (ROOT / ".env.example").read_text()
    described = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    prefix = str(Settings.model_config["env_prefix"])
    known = {prefix + name.upper() for kind in (VaultSettings, MigrateSettings) for name in kind.model_fields}
    assert {name for name in described if name.startswith(prefix)} == known


def test_every_setting_of_the_file_reaches_the_containers(services: dict[str, Any]) -> None:
    """A setting in .env that has no effect is worse than one that is refused."""
    prefix = str(Settings.model_config["env_prefix"])
    # The file has a PostgreSQL of its own, without a pooler.
    fixed = {
        "database_url",
        "database_direct_url",
        "database_pooler",
        "api_host",
        "api_port",
        "worker_health_host",
        "worker_health_port",
    }
    for name in ("api", "worker", "operator"):
        variables = {key for key in services[name]["environment"] if key.startswith(prefix)}
        assert {prefix + field.upper() for field in set(Settings.model_fields) - fixed} <= variables, name


def test_the_example_holds_no_secret_and_names_all() -> None:
    text = (ROOT / ".env.example").read_text()
    for name in SECRETS:
        assert f"\n#{name}=\n" in text


def test_generated_secrets_complete_the_example(tmp_path: Path) -> None:
    secrets = CliRunner().invoke(main, ["keys", "env"]).stdout
    names = [line.partition("=")[0] for line in secrets.splitlines()]
    needed = set(re.findall(r"\$\{(\w+):\?make it", SERVICES))
    assert set(names) == needed == set(SECRETS)
    assert secrets != CliRunner().invoke(main, ["keys", "env"]).stdout
    for value in re.findall(r"_PASSWORD=(.*)", secrets):
        assert re.fullmatch(r"[0-9a-f]{48}", value)


def test_the_image_gets_every_package_and_nothing_secret() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "clients", "deploy", "tests"}
    requirements = {"deploy/requirements.txt", "deploy/requirements-build.txt"}
    assert sent == packages | requirements | {"LICENSE", "README.md", "pyproject.toml", "worker.py"}


def test_a_pooler_can_be_put_before_the_database_without_an_edit(services: dict[str, Any]) -> None:
    for name in ("api", "worker"):
        environment = services[name]["environment"]
        assert {"SOCIALSYNCER_DATABASE_DIRECT_URL", "SOCIALSYNCER_DATABASE_POOLER"} <= set(environment)
        for setting in ("DATABASE_URL", "DATABASE_DIRECT_URL"):
            assert f"SOCIALSYNCER_{setting}: ${{{name.upper()}_{setting}:-" in SERVICES


def test_a_worker_is_not_unhealthy_while_the_database_is_away(services: dict[str, Any]) -> None:
    assert "/healthz" in str(services["worker"]["healthcheck"])
