"""The chart renders what Kubernetes takes, for every combination of values, and it agrees with the code."""

import inspect
import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import worker
from deploy.chart_settings import OF_THE_CHART, PLATFORMS, SCHEMA, platform_names, schema
from platforms.registry import platforms
from runtime.settings import MigrateSettings, VaultSettings
from tests.deploy.chart import CHART, VALUES, Manifest, find_manifest, read_values, render
from tests.deploy.crd_schemas import SCHEMAS

helm_python = pytest.importorskip("helm_python", reason="not installed: uv sync --group dev")
kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="not installed: uv sync --group dev")
ROOT = Path(__file__).parents[2]
OTHERS = sorted(path.stem for path in VALUES.glob("*.yaml") if path.stem != "basic")
EVERYTHING = ("basic", *OTHERS)
OLDEST, NEWEST = "1.29", "1.37"
"""The version of Kubernetes in Chart.yaml, and the newest that the validator knows."""


def validate(manifest: Manifest, version: str = NEWEST) -> None:
    if known_fields := SCHEMAS.get(manifest["kind"]):
        jsonschema.validate(manifest, known_fields)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def find_container(manifest: Manifest) -> Manifest:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def read_env(manifest: Manifest) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in find_container(manifest)["env"]}


def list_pods(manifests: list[Manifest]) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in {"Deployment", "Job"}]


def test_every_combination_of_values_is_valid(thorough: bool) -> None:
    """Validate all combinations; in a short run, those of at most two and that of all."""
    validated = set[str]()
    for count in range(len(OTHERS) + 1) if thorough else (0, 1, 2, len(OTHERS)):
        for names in itertools.combinations(OTHERS, count):
            for manifest in render(read_values("basic", *names)):
                text = json.dumps(manifest, sort_keys=True)
                if text not in validated:
                    validated.add(text)
                    validate(manifest)
    for manifest in render(read_values(*EVERYTHING)):
        validate(manifest, OLDEST)


def test_a_release_has_these_objects() -> None:
    manifests = render(read_values(*EVERYTHING))
    objects = sorted(f"{manifest['kind']} {manifest['metadata']['name']}" for manifest in manifests)
    assert objects == (VALUES.parent / "chart_objects.txt").read_text().splitlines()


def test_a_misspelt_field_is_found() -> None:
    deployment = find_manifest(render(read_values("basic")), "Deployment", "-api")
    deployment["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(deployment)


@pytest.mark.parametrize(
    "values",
    [
        {"setting": {}},
        {"settings": {"SOCIALSYNCER_MAX_POST": 1}},
        {"settings": {"SOCIALSYNCER_DATABASE_URL": "postgresql://a:b@c/d"}},
        {"worker": {"groups": [{"name": "a", "replicas": 1, "platforms": ["myspace"]}]}},
        {"api": {"replicas": 0}},
    ],
    ids=["unknown", "misspelt", "secret", "platform", "nothing"],
)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError):
        render(read_values("basic") | values)


def test_every_setting_can_be_given() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "run `uv run python -m deploy.chart_settings`"
    assert PLATFORMS.read_text() == platform_names()
    fields = {name for kind in (MigrateSettings, VaultSettings) for name in kind.model_fields}
    properties = schema()["properties"]
    secrets = [
        part["properties"]["values"]["properties"]
        for name, part in properties["secrets"]["properties"].items()
        if name != "bucket"
    ]
    values = {*properties["settings"]["properties"], *itertools.chain(*secrets), *OF_THE_CHART}
    assert values == {f"SOCIALSYNCER_{name.upper()}" for name in fields}
    api = properties["secrets"]["properties"]["api"]["properties"]["values"]["properties"]
    assert "SOCIALSYNCER_ENCRYPTION_KEYS" not in api
    assert "SOCIALSYNCER_DATABASE_URL" in api


def test_numbers_and_booleans_reach_the_settings() -> None:
    env = read_env(find_manifest(render(read_values("basic", "settings")), "Deployment", "-api"))
    assert (env["SOCIALSYNCER_MAX_POSTS"], env["SOCIALSYNCER_RENEWALS"]) == ("2000000", "true")
    values = {name.removeprefix("SOCIALSYNCER_").lower(): value for name, value in env.items() if name in OF_THE_CHART}
    assert values["api_drain_s"] == "10"
    VaultSettings.model_validate({"database_url": "postgresql://a:b@c/d", "encryption_keys": "A" * 43 + "=", **values})


def test_ports_and_probes_are_those_of_the_code() -> None:
    manifests = render(read_values("basic", "settings"))
    api, workers = (find_manifest(manifests, "Deployment", name) for name in ("-api", "-worker-all"))
    ports = {port["name"]: port["containerPort"] for port in find_container(api)["ports"]}
    env = read_env(api)
    assert ports == {"http": int(env["SOCIALSYNCER_API_PORT"]), "metrics": int(env["SOCIALSYNCER_METRICS_PORT"]) + 1}
    ports = {port["name"]: port["containerPort"] for port in find_container(workers)["ports"]}
    env = read_env(workers)
    assert ports == {
        "health": int(env["SOCIALSYNCER_WORKER_HEALTH_PORT"]),
        "metrics": int(env["SOCIALSYNCER_METRICS_PORT"]),
    }
    for deployment in (api, workers):
        container = find_container(deployment)
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert (
            container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/healthz"
        )
    # The api refuses requests for other hosts.
    assert find_container(api)["readinessProbe"]["httpGet"]["httpHeaders"] == [
        {"name": "Host", "value": "posts.example.com"}
    ]


def test_processes_end_before_they_are_killed() -> None:
    for names in (("basic",), EVERYTHING):
        manifests = render(read_values(*names))
        parts = ("-api", "-worker-text" if "groups" in names else "-worker-all")
        for deployment in (find_manifest(manifests, "Deployment", part) for part in parts):
            grace, env = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], read_env(deployment)
            if deployment["metadata"]["name"].endswith("-api"):
                # docker-compose.yml gives 70 seconds for what uvicorn needs after the drain.
                assert grace >= int(env["SOCIALSYNCER_API_DRAIN_S"]) + 70
            else:
                assert grace > int(env["SOCIALSYNCER_WORKER_GRACE_S"]) + worker.STOP_MARGIN_S
                assert grace >= 60


def test_every_platform_has_its_queue() -> None:
    values = read_values("basic") | {"keda": {"enabled": True}}
    scaled = find_manifest(render(values), "ScaledObject")
    queues = {trigger["metadata"]["taskQueue"] for trigger in scaled["spec"]["triggers"]}
    assert queues == {"posts", *(f"publish-{name}" for name in platforms())}
    groups = find_manifest(render(read_values("basic", "groups")), "Deployment", "-video")
    assert find_container(groups)["args"][-1] == "--platforms=tiktok,youtube"
    assert "--platforms" in inspect.getsource(worker)


def test_pods_are_confined() -> None:
    for names in (("basic",), EVERYTHING):
        for manifest in list_pods(render(read_values(*names))):
            pod, container = manifest["spec"]["template"]["spec"], find_container(manifest)
            assert pod["automountServiceAccountToken"] is False
            security = pod["securityContext"]
            assert (security["runAsUser"], security["runAsNonRoot"]) == (10001, True)
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_all_pods_go_where_the_operator_lets_them() -> None:
    nodes = {
        "nodeSelector": {"pool": "posts"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    }
    # Without the annotation a service mesh would add a container to the job, which then never ends.
    metadata = {"podLabels": {"team": "social"}, "podAnnotations": {"sidecar.istio.io/inject": "false"}}
    values = read_values("basic") | dict.fromkeys(("api", "worker", "migrate", "operator"), nodes) | metadata
    pods = list_pods(render(values))
    assert len(pods) == 4
    for manifest in pods:
        validate(manifest)
        template = manifest["spec"]["template"]
        assert nodes.items() <= template["spec"].items(), manifest["metadata"]["name"]
        assert template["metadata"]["labels"]["team"] == "social"
        assert template["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


def test_secrets_are_files_and_each_part_has_its_own() -> None:
    manifests = render(read_values("basic", "own-secrets"))
    for manifest in list_pods(manifests):
        assert "pw-" not in json.dumps(manifest)
        volumes = {volume["name"]: volume for volume in manifest["spec"]["template"]["spec"]["volumes"]}
        part = find_container(manifest)["name"]
        if part != "operator":
            assert volumes["secrets"]["secret"]["secretName"].endswith(f"-{part}")
    api = find_manifest(manifests, "Secret", "-api")["stringData"]
    assert list(api) == ["socialsyncer_database_url"]
    assert "socialsyncer_encryption_keys" in find_manifest(manifests, "Secret", "-worker")["stringData"]


def test_network_policies_leave_out_the_cluster_and_metadata() -> None:
    manifests = render(read_values(*EVERYTHING))
    for part in ("api", "worker"):
        spec = find_manifest(manifests, "NetworkPolicy", f"-{part}")["spec"]
        blocks = [peer["ipBlock"] for rule in spec["egress"] for peer in rule.get("to", []) if "ipBlock" in peer]
        everywhere = next(block for block in blocks if block["cidr"] == "0.0.0.0/0")
        assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(everywhere["except"])
        ports = {port["port"] for rule in spec["ingress"] for port in rule["ports"]}
        assert ports == ({8000, 9465} if part == "api" else {9464})
        assert {5432, 6432, 7233, 443, 53} <= {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        assert {"port": 9000} in [port for rule in spec["egress"] for port in rule["ports"]]
    migrate = find_manifest(manifests, "NetworkPolicy", "-migrate")["spec"]
    assert migrate["ingress"] == []
    assert 443 not in {port["port"] for rule in migrate["egress"] for port in rule["ports"]}


def test_alerts_select_the_job_of_the_monitored_pods() -> None:
    manifests = render(read_values("basic", "outside"))
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert find_manifest(manifests, "PrometheusRule")["spec"] == alerts
    (endpoint,) = find_manifest(manifests, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"][0]["replacement"] == "socialsyncer"


def test_the_chart_has_the_version_of_the_code() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (version, version)
    assert find_container(find_manifest(render(read_values("basic")), "Job"))["image"] == f"socialsyncer:{version}"
