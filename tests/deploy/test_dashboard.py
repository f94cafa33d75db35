"""The Grafana dashboard asks for series that exist, in expressions that Prometheus can parse."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.test_alerts import tool_path

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
OF_TEMPORAL = {"temporal_activity_execution_failed_total", "temporal_workflow_task_execution_failed_total"}


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def made_metrics() -> set[str]:
    """Return the names that the code registers, without the suffixes that Prometheus sees."""
    sources = [
        ROOT / name for name in ("reconcile/measures.py", "activities/meters.py", "api/shared/request_limits.py")
    ]
    return {name for source in sources for name in re.findall(r'"(socialsyncer_\w+)"', source.read_text())}


def test_every_expression_uses_served_metrics() -> None:
    asked = {
        name for expression in expressions() for name in re.findall(r"\b(?:socialsyncer|temporal)_\w+", expression)
    }
    ours = {re.sub(r"_(total|bucket)$", "", name) for name in asked - OF_TEMPORAL}
    assert ours <= made_metrics()
    assert len(asked) > 8


def test_prometheus_parses_every_expression(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"record": f"panel:{number}", "expr": expression.replace("$platform", ".*")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(
        [tool_path("promtool", "promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
