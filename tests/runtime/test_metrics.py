"""The metrics that Prometheus reads; the example alerts use no others."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
import yaml
from pydantic import SecretStr

from cli.stack.ports import free_port
from runtime.app import create_app_from_env
from runtime.metrics import API_AFTER_WORKER, serve_metrics
from runtime.settings import Settings
from tests.runtime.conftest import configured
from tests.runtime.processes import worker_process
from tests.serving import started
from tests.stack import Stack

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"


class Metrics:
    """The metrics of a process: the value of every series by name and labels."""

    def __init__(self, text: str) -> None:
        samples = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)
        self._series = [
            (name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for name, labels, value in samples
        ]
        self.names = {name for name, _, _ in self._series}

    def value(self, metric: str, **labels: str) -> float:
        (value,) = [value for name, its, value in self._series if name == metric and labels.items() <= its.items()]
        return value

    def has(self, metric: str) -> bool:
        return metric in self.names

    def settled(self, platform: str) -> dict[str, float]:
        name = "socialsyncer_targets_settled_total"
        statuses = ("published", "failed", "unconfirmed")
        return {status: self.value(name, platform=platform, status=status) for status in statuses}


async def metrics_at(port: int) -> Metrics:
    async with httpx.AsyncClient(trust_env=False) as client:
        return Metrics((await client.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status().text)


async def once(port: int, metric: str, **labels: str) -> Metrics:
    """Return the metrics of a process once a metric is above zero."""
    for _ in range(300):
        metrics = await metrics_at(port)
        if metrics.has(metric) and metrics.value(metric, **labels):
            return metrics
        await asyncio.sleep(0.2)
    raise AssertionError(f"{metric} stays nothing")


@pytest.mark.thorough
async def test_worker_metrics_count_outcomes(alone: Stack, tmp_path: Path) -> None:
    port, account = free_port(), await alone.connect("twitter")
    post = await alone.save("late", [account])
    await alone.start(post)
    await asyncio.sleep(1.5)
    settings = {"SOCIALSYNCER_METRICS_PORT": str(port), "SOCIALSYNCER_LATE_AFTER_S": "1"}
    async with worker_process(alone, tmp_path, grace_s=1, platforms="twitter", settings=settings):
        await alone.settled(post.id)
        await alone.fault(
            "twitter",
            "reject",
            "publish",
            status=403,
            body={
                "type": "about:blank",
                "title": "Forbidden",
                "detail": "You are not permitted to perform this action.",
            },
        )
        await alone.publish("refused", [account])
        await alone.fault("twitter", "accept_then_drop", "publish")
        await alone.publish("unconfirmed", [account])
        held = await alone.save("held", [await alone.revoked("twitter")])
        await alone.start(held)
        metrics = await once(port, "socialsyncer_targets_waiting", platform="twitter", **{"for": "account"})
        assert metrics.value("socialsyncer_targets_waiting", platform="mastodon", **{"for": "account"}) == 0
        assert metrics.settled("twitter") == {"published": 2, "failed": 1, "unconfirmed": 0}
        assert metrics.settled("mastodon") == {"published": 0, "failed": 0, "unconfirmed": 0}
        assert metrics.value("socialsyncer_sends_unconfirmed_total", platform="twitter") == 1
        assert metrics.value("socialsyncer_targets_held_total", platform="twitter") == 1
        assert metrics.value("socialsyncer_posts_late") == 0
        assert metrics.value("socialsyncer_posts_found_late_total") <= 1, "it may have begun before the first check"
        count = metrics.value("socialsyncer_publish_lateness_seconds_count", platform="twitter")
        in_a_second = metrics.value("socialsyncer_publish_lateness_seconds_bucket", platform="twitter", le="1")
        assert (count, in_a_second < count) == (4, True)
        assert metrics.value("socialsyncer_part_up", part="worker") == 1
        await alone.fault("twitter", "reject", "publish", status=402)
        await alone.start(await alone.save("no credits", [account]))
        metrics = await once(port, "socialsyncer_app_refused", platform="twitter", app="")
        asked = set(re.findall(r"\b(?:socialsyncer|temporal)_\w+", "\n".join(expressions())))
        # Reported from the first failure on; reported by APIs.
        unseen = {"temporal_workflow_task_execution_failed_total", "temporal_activity_execution_failed_total"}
        unseen |= {"socialsyncer_requests_refused_total", "socialsyncer_uploads_disk_bytes"}
        assert asked - unseen <= metrics.names


async def test_api_metrics_count_late_posts_without_worker(alone: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with configured(alone, monkeypatch):
        monkeypatch.setenv("SOCIALSYNCER_METRICS_PORT", str(port - API_AFTER_WORKER))
        monkeypatch.setenv("SOCIALSYNCER_LATE_AFTER_S", "0.5")
        post = await alone.save("nobody takes it", [alone.accounts["twitter"]])
        await alone.start(post)
        await asyncio.sleep(0.6)
        async with started(create_app_from_env()):
            metrics = await once(port, "socialsyncer_posts_late")
            assert metrics.value("socialsyncer_posts_found_late_total") >= 1
            assert metrics.value("socialsyncer_part_up", part="database") == 1


def test_a_port_that_is_taken_is_one_sentence() -> None:
    settings = Settings(
        _env_file=None,
        database_url=SecretStr("postgresql://nobody@127.0.0.1/none"),
        metrics_port=free_port(),
    )
    first = serve_metrics(settings)
    with pytest.raises(SystemExit, match=r"SOCIALSYNCER_METRICS_PORT.*in use"):
        serve_metrics(settings)
    del first


def expressions() -> list[str]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]
