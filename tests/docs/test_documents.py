"""The documents for people: their links, lists and sizes."""

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest
import yaml

from domain.post import ErrorCategory, PostStatus, TargetStatus
from runtime.settings import VaultSettings
from sandbox.faults import FaultName

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})


def test_every_link_of_a_document_has_a_target() -> None:
    for document in DOCUMENTS:
        targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text())
        assert [target for target in targets if not (document.parent / target).exists()] == [], document


def test_no_code_in_a_table_has_a_bar() -> None:
    """GitHub and the site want it written differently."""
    assert [
        path.name for path in DOCUMENTS if re.search(r"^\|.*`[^`]*\\\|[^`]*`", path.read_text(), re.MULTILINE)
    ] == []


@pytest.mark.parametrize(("page", "kilobytes"), [("README.md", 7), ("ARCHITECTURE.md", 20)])
def test_a_page_that_everybody_reads_is_short(page: str, kilobytes: int) -> None:
    assert len((ROOT / page).read_bytes()) <= kilobytes * 1024


def test_every_decision_is_listed_by_its_title() -> None:
    folder = ROOT / "docs/adr"
    listed = re.findall(
        r"^- \[(\d{4})\]\(([^)]+)\) (.*?)(?: \(.* by \d+\))?$", (folder / "README.md").read_text(), re.MULTILINE
    )
    pages = sorted(folder.glob("[0-9]*.md"))
    titles = [page.read_text().partition("\n")[0].partition(". ")[2] for page in pages]
    assert listed == [(page.name[:4], page.name, title) for page, title in zip(pages, titles, strict=True)]


def test_the_number_of_a_decision_that_was_folded_stays_reserved() -> None:
    folder = ROOT / "docs/adr"
    folded = re.findall(r"^- (\d{4}), .*\]\(([^)]+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert folded
    for number, page in folded:
        assert re.search(rf"^Replaces .*\b{int(number)}\b.*folded in here", (folder / page).read_text(), re.MULTILINE)
    numbers = [int(page.name[:4]) for page in folder.glob("[0-9]*.md")] + [int(number) for number, _ in folded]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))


def test_a_decision_has_its_four_parts_and_may_have_figures() -> None:
    for page in ROOT.glob("docs/adr/[0-9]*.md"):
        parts = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
        assert [part for part in parts if part != "Measured"] == [
            "Context",
            "Decision",
            "Consequences",
            "Alternatives",
        ], page


def test_configuration_lists_every_setting_of_the_example() -> None:
    settings = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    rows = [line for line in (ROOT / "docs/configuration.md").read_text().splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert settings - listed == set()
    read_by_commands = {f"SOCIALSYNCER_{name}" for name in ("API_URL", "API_KEY", "SANDBOX_HOST", "SANDBOX_PORT")}
    known = settings | read_by_commands | {"SOCIALSYNCER_SANDBOX_HOST_NAMES"}
    assert {name for name in listed if name.startswith("SOCIALSYNCER_")} - known == set()


def test_configuration_has_the_defaults_of_the_code() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    # Cells in which every default is a value; others have a sentence.
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ((?:`[^`|]*`(?:, )?)+) \|", page, re.MULTILINE)
    values = {
        name: value
        for names, defaults in rows
        for name, value in zip(re.findall(r"`(\w+)`", names), re.findall(r"`(.*?)`", defaults), strict=True)
    }
    fields = {
        f"SOCIALSYNCER_{name.upper()}": _written(field.get_default(call_default_factory=True))
        for name, field in VaultSettings.model_fields.items()
    }
    listed = {name: value for name, value in values.items() if name in fields}
    assert len(listed) > 20
    assert listed == {name: fields[name] for name in listed}


def _written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_metrics_lists_every_metric_of_the_code() -> None:
    meters = [
        (ROOT / file).read_text()
        for file in ("activities/meters.py", "api/shared/request_limits.py", "reconcile/measures.py")
    ]
    names = {name for text in meters for name in re.findall(r'"(socialsyncer_\w+)"', text)}
    listed = re.findall(r"^\| `(socialsyncer_\w+)", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    assert {name.removesuffix("_total") for name in listed} == names


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


@pytest.mark.parametrize("kind", [PostStatus, TargetStatus, ErrorCategory])
def test_the_page_of_statuses_explains_every_one(kind: type[StrEnum]) -> None:
    tables = re.split(r"\n\n", (ROOT / "docs/statuses.md").read_text())
    listed = [set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"errorCategory"} for table in tables]
    assert {status.value for status in kind} in listed


def test_the_sandbox_page_lists_every_fault() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/sandbox.md").read_text(), re.MULTILINE)
    assert set(listed) - {"fault"} == set(get_args(FaultName))


READERS = {
    "clients of the API",
    "contributors",
    "everyone",
    "operators",
    "people who develop against it",
    "people who judge the service",
}


def test_a_page_names_its_reader() -> None:
    for page in ROOT.glob("docs/*.md"):
        reader = re.match(r"# .*\n\n\*For (.*?)\.\*", page.read_text())
        assert reader, page
        assert reader[1] in READERS, page


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


def test_every_page_is_two_links_from_the_readme() -> None:
    assert "(docs/pages.md)" in (ROOT / "README.md").read_text()
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs/pages.md").read_text())
    assert {path.name for path in (ROOT / "docs").glob("*.md")} == {*listed, "pages.md"}


def test_uv_is_installed_in_the_same_way_everywhere() -> None:
    """Systems that manage their Python themselves (Debian, Ubuntu, Homebrew) let pip install into a folder only."""
    install = "python3 -m pip install --upgrade --target .uv uv"
    commands = re.findall(r"^.*pip install.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == [
        f"{install} && .uv/bin/uv run {command}" for command in ("socialsyncer dev", "--group test pytest")
    ]
    assert f"{install} && " in (ROOT / "CONTRIBUTING.md").read_text()
    checks = (ROOT / ".ci/run").read_text().replace(" --quiet", "")
    assert install in checks.splitlines()
    assert checks.index("uv run --group test pytest") > checks.index(install)
    assert not re.search(r"^\s*(?:uv )?pip install", "\n".join(page.read_text() for page in DOCUMENTS), re.MULTILINE)
