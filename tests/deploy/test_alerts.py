"""The example alerts, evaluated by Prometheus' own promtool over the series of incidents.

One incident must be one page: what follows from it must not fire beside it.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.incidents import BEGINS_S, ENDS_S, FAILING_STEPS, INCIDENTS, LAST_S, SEQUENCES, UP, incident_series

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"


def tool_path(name: str, package: str) -> str:
    tool = shutil.which(name)
    if tool is None:
        pytest.skip(f"{name} (Debian: {package}) is not installed")
    return tool


def promtool(tmp_path: Path, cases: list[dict[str, object]]) -> subprocess.CompletedProcess[str]:
    tool = tool_path("promtool", "promtool")
    file = tmp_path / "incidents.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "15s", "tests": cases}))
    return subprocess.run([tool, "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60)


def firing(at_s: int, alerts: list[str]) -> dict[str, object]:
    return {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{at_s}s",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts],
    }


def fired_by(at_s: int, alerts: list[str]) -> dict[str, object]:
    """Return the expectation that these alerts and no others have fired at any time."""
    return firing(at_s, alerts) | {
        "expr": 'group by (alertname) (last_over_time(ALERTS{alertstate="firing"}[3h]))',
    }


@pytest.mark.thorough
def test_alertmanager_reads_the_example_and_sends_each_severity_to_its_receiver() -> None:
    amtool, file = tool_path("amtool", "prometheus-alertmanager"), str(ALERTS.with_name("alertmanager.yml"))
    for arguments, expected in (
        (["check-config", file], "SUCCESS"),
        (["config", "routes", "test", f"--config.file={file}", "severity=page"], "pages"),
        (["config", "routes", "test", f"--config.file={file}", "severity=ticket"], "tickets"),
    ):
        run = subprocess.run([amtool, *arguments], capture_output=True, text=True, check=False, timeout=60)
        assert run.returncode == 0, run.stderr
        assert expected in run.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_fires_its_alerts_in_time_and_no_others(name: str, tmp_path: Path) -> None:
    incident = INCIDENTS[name]
    moments = [
        firing(BEGINS_S - 15, []),
        firing(BEGINS_S + incident.within_s, incident.fires),
        firing(ENDS_S - 15, incident.fires),
        firing(incident.calm_at_s, []),
        fired_by(incident.calm_at_s, incident.fires),
    ]
    case: dict[str, object] = {
        "interval": "15s",
        "input_series": incident_series(incident),
        "promql_expr_test": moments,
    }
    outcome = promtool(tmp_path, [case])
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("name", SEQUENCES)
def test_one_incident_is_one_page(name: str, tmp_path: Path) -> None:
    changing, fires = SEQUENCES[name]
    series = [{"series": metric, "values": changing.get(metric, f"{value}x150")} for metric, value in UP.items()]
    series += [{"series": metric, "values": values} for metric, values in changing.items() if metric not in UP]
    case: dict[str, object] = {"interval": "15s", "input_series": series, "promql_expr_test": [fired_by(LAST_S, fires)]}
    outcome = promtool(tmp_path, [case])
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_an_alert_names_the_processes_that_are_away(tmp_path: Path) -> None:
    series = [{"series": metric, "values": f"{value}x60"} for metric, value in UP.items() if "worker" not in metric]
    series.append({"series": 'up{job="socialsyncer",instance="worker:9464"}', "values": "1x16 0x40"})
    case: dict[str, object] = {
        "interval": "15s",
        "input_series": series,
        "alert_rule_test": [
            {
                "eval_time": "6m",
                "alertname": "MetricsDown",
                "exp_alerts": [
                    {
                        "exp_labels": {"severity": "page"},
                        "exp_annotations": {
                            "runbook": "docs/runbook.md#1-is-it-us",
                            "summary": "Processes of socialsyncer serve no metrics: worker:9464",
                            "description": "Start a process that is down, and restart one that hangs. "
                            "`socialsyncer doctor` shows the consequences.",
                        },
                    }
                ],
            }
        ],
    }
    outcome = promtool(tmp_path, [case])
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_failing_steps_are_reported_while_they_fail_soon_after_an_outage(
    tmp_path: Path,
) -> None:
    changing = {
        'socialsyncer_part_up{part="temporal"}': "1x16 0x8 1x80",
        FAILING_STEPS: "0x16 3+3x8 27x12 30+3x6 48x40",
    }
    series = [{"series": metric, "values": f"{value}x150"} for metric, value in UP.items() if metric not in changing]
    series += [{"series": metric, "values": values} for metric, values in changing.items()]
    fails_until_s = 15 * (16 + 8 + 12 + 6)
    case: dict[str, object] = {
        "interval": "15s",
        "input_series": series,
        "promql_expr_test": [firing(15 * (16 + 8 + 12), []), firing(fails_until_s, ["StepsFail"])],
    }
    outcome = promtool(tmp_path, [case])
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_an_unmet_expectation_is_reported(tmp_path: Path) -> None:
    incident = INCIDENTS["a worker is dead"]
    case: dict[str, object] = {
        "interval": "15s",
        "input_series": incident_series(incident),
        "promql_expr_test": [firing(BEGINS_S + 60, [])],
    }
    assert promtool(tmp_path, [case]).returncode != 0


def test_promtool_finds_no_fault_in_the_rules() -> None:
    checked = subprocess.run(
        [tool_path("promtool", "promtool"), "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_alert_of_a_part_that_catches_up_ends_with_its_outage(tmp_path: Path) -> None:
    changing, _ = SEQUENCES["Temporal was away, and its posts are caught up"]
    series = [{"series": metric, "values": changing.get(metric, f"{value}x150")} for metric, value in UP.items()]
    case: dict[str, object] = {
        "interval": "15s",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": 'group by (part) (last_over_time(ALERTS{alertname="PartDown",alertstate="firing"}[1h]))',
                "eval_time": f"{LAST_S}s",
                "exp_samples": [{"labels": '{part="temporal"}', "value": 1}],
            }
        ],
    }
    outcome = promtool(tmp_path, [case])
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_a_summary_writes_durations_and_increases_for_people() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    measured = [rule for rule in rules if any(word in rule["expr"] for word in ("_seconds", "increase(", "changes("))]
    raw = {rule["alert"] for rule in measured if "{{ $value }}" in rule["annotations"]["summary"]}
    assert measured
    assert raw == set()
