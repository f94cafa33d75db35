"""The documents for people."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_links_to_what_exists(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/adr"
    listed = re.findall(r"\]\((\d{4}-[^)]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_configuration_lists_every_setting_of_the_example() -> None:
    settings = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    rows = [line for line in (ROOT / "docs/configuration.md").read_text().splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert settings - listed == set()
    read_by_commands = {f"SOCIALSYNCER_{name}" for name in ("API_URL", "API_KEY", "SANDBOX_HOST", "SANDBOX_PORT")}
    known = settings | read_by_commands | {"SOCIALSYNCER_SANDBOX_HOST_NAMES"}
    assert {name for name in listed if name.startswith("SOCIALSYNCER_")} - known == set()


def test_metrics_lists_what_alerts_and_the_dashboard_use() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    alerts = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    dashboard = (ROOT / "deploy/grafana/dashboard.json").read_text()
    used = re.findall(r"\bsocialsyncer_\w+", alerts + dashboard)
    listed = set(re.findall(r"^\| `(socialsyncer_\w+)", page, re.MULTILINE))
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in used} - listed == set()
    rules = [rule for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    rows = dict(re.findall(r"^\| `(\w+)` \| (page|ticket) \|", page, re.MULTILINE))
    assert rows == {rule["alert"]: rule["labels"]["severity"] for rule in rules}


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    listed = set(re.findall(r"([\w-]+\.md)$", navigation, re.MULTILINE))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - listed == set()
    assert re.findall(r"^  - ([\w-]+):$", navigation, re.MULTILINE) == [
        "Tutorial",
        "How-to",
        "Reference",
        "Explanation",
    ]
