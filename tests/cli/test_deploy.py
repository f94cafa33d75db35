"""The files that production starts from: every variable described, a compose file that comes up the first time."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.limits import DYNAMIC_CONFIG
from runtime.settings import MigrateSettings, Settings, VaultSettings
from worker import WIND_UP_S

ROOT = Path(__file__).parents[2]
ONCE = {"temporal-schema", "temporal-namespace", "migrate"}
SECRETS = {"POSTGRES_PASSWORD": "secret", "SOCIALSYNCER_ENCRYPTION_KEYS": "key"}


def _resolved() -> dict[str, Any]:
    """Return the services as docker compose sees them, or as the file has them where it is not installed."""
    program = shutil.which("docker-compose")
    if program is None:
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        return {**services}
    environment = {"PATH": "/usr/bin:/bin", **SECRETS}
    command = [program, "-f", str(ROOT / "docker-compose.yml"), "config", "--format", "json"]
    found = subprocess.run(command, env=environment, capture_output=True, check=True, text=True, cwd=ROOT).stdout
    services = json.loads(found)["services"]
    return {**services}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return _resolved()


def test_the_parts_are_there(services: dict[str, Any]) -> None:
    assert services.keys() == {"postgres", "temporal", "temporal-ui", "api", "worker", *ONCE}
    assert services["postgres"]["image"].startswith("postgres:18")
    assert services["temporal"]["image"].startswith("temporalio/server:1.")
    versions = {services[name]["image"].partition(":")[2] for name in ("temporal", "temporal-schema")}
    assert len(versions) == 1, "the schema's tool and the server must be of one version"
    assert not any("elastic" in str(service).lower() for service in services.values())


def test_whoever_waits_waits_for_health_or_success(services: dict[str, Any]) -> None:
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


def test_what_runs_on_is_started_again_and_what_runs_once_is_not(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["restart"].startswith("on-failure" if name in ONCE else "unless-stopped"), name


def test_a_worker_that_is_stopped_is_given_the_time_it_takes(services: dict[str, Any]) -> None:
    given = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", services["worker"]["stop_grace_period"])
    assert given
    longest = Settings.model_fields["worker_grace_s"].default + WIND_UP_S
    assert 60 * int(given[1] or 0) + int(given[2] or 0) > longest


def test_only_this_machine_reaches_the_ports(services: dict[str, Any]) -> None:
    for service in services.values():
        for port in service.get("ports", []):
            assert (port["host_ip"] if isinstance(port, dict) else port.partition(":")[0]) == "127.0.0.1"


def test_what_the_compose_file_mounts_exists() -> None:
    mounted = re.findall(r"- \./(\S+?):", (ROOT / "docker-compose.yml").read_text())
    assert mounted
    assert all((ROOT / path).exists() for path in mounted)


def test_dynamic_config_says_what_the_service_needs() -> None:
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


def test_the_example_holds_no_secret() -> None:
    text = (ROOT / ".env.example").read_text()
    for name in SECRETS:
        assert f"\n{name}=\n" in text


def test_the_image_gets_every_package_and_nothing_secret() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= kept
    assert kept - packages == {"worker.py", "pyproject.toml", "README.md"}
