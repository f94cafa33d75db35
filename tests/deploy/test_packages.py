"""The packages of the image: the files with their SHA-256 fit pyproject.toml, and tests run with the same versions."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.packages import FILES, header, newest_date, pins, project

ROOT = Path(__file__).parents[2]
TEXTS = {file.path: (ROOT / file.path).read_text() for file in FILES}


def requirements(text: str) -> list[Requirement]:
    """Return the lines of a requirements file that name a package, without their hashes."""
    return [Requirement(line.removesuffix(" \\")) for line in re.findall(r"^\w.*", text, re.MULTILINE)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file.path).name)
def test_every_package_has_hashes_and_no_line_names_an_index_or_a_path(file: object) -> None:
    text = TEXTS[getattr(file, "path", "")]
    # Another version for another Python would be one that the tests do not run with.
    assert [requirement.name for requirement in requirements(text)] == list(pins(text))
    assert all(pin.hashes for pin in pins(text).values())
    assert not re.search(r"://|^-|^\S*/", text, re.MULTILINE)


def test_files_are_of_the_date_in_pyproject() -> None:
    assert all(TEXTS[file.path].startswith(header(file, newest_date())) for file in FILES)


def test_files_have_what_pyproject_names() -> None:
    for path, direct in (
        ("deploy/requirements.txt", project()["project"]["dependencies"]),
        ("deploy/requirements-build.txt", project()["dependency-groups"]["build"]),
    ):
        pinned = pins(TEXTS[path])
        for requirement in map(Requirement, direct):
            assert requirement.specifier.contains(pinned[requirement.name].version), (path, requirement.name)
    assert set(project()["build-system"]["requires"]) < set(project()["dependency-groups"]["build"])


def test_tests_run_with_the_packages_of_the_image() -> None:
    """The versions of another resolution are not those that users get."""
    pinned = {
        requirement.name: str(requirement.specifier).removeprefix("==")
        for requirement in requirements(TEXTS["deploy/requirements.txt"])
        if requirement.marker is None or requirement.marker.evaluate()
    }
    assert {name: version(name) for name in pinned} == pinned


def test_the_image_installs_pinned_packages_only() -> None:
    text = (ROOT / "Dockerfile").read_text()
    installing = re.findall(r"(?:uv )?pip (?:install|sync) .*", text)
    assert len(installing) == 3
    assert all("--require-hashes" in line or "--no-deps --offline" in line for line in installing)
    last = text[text.rindex("\nFROM ") :]
    assert "USER 10001:10001" in last
    assert "PYTHONSAFEPATH=1" in last
    assert "WORKDIR /srv/socialsyncer" in last


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a copy of pyproject.toml and the files."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.packages", "check"], cwd=folder, capture_output=True, check=False, text=True
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.thorough
def test_the_files_fit_and_the_index_serves_what_they_name(copied: Path) -> None:
    fits = check(copied)
    assert fits.returncode == 0, fits.stdout + fits.stderr
    assert re.search(r"^deploy/requirements.txt: \d\d packages of the image", fits.stdout)


@pytest.mark.thorough
def test_check_names_each_thing_that_does_not_fit(copied: Path) -> None:
    pyproject, file = copied / "pyproject.toml", copied / "deploy/requirements.txt"
    text = pyproject.read_text()
    text = text.replace('  "av>=18,<19",\n', '  "iniconfig>=2",\n').replace("2026-11-20T", "2026-11-21T")
    pyproject.write_text(text)
    pinned = file.read_text()
    pinned = re.sub(r"^structlog==\S+", "structlog==25.5.0", pinned, flags=re.MULTILINE)
    pinned = re.sub(r"(^click==.*\n +--hash=sha256:)\w{8}", r"\g<1>00000000", pinned, flags=re.MULTILINE)
    file.write_text(pinned)
    wrong = check(copied)
    assert wrong.returncode == 1
    faults = set(re.findall(r"WRONG: (.*)", wrong.stdout))
    index_fault = next(fault for fault in faults if "click" in fault)
    assert re.fullmatch(
        r"click \S+ has other files at the index than deploy/requirements.txt: 1 with another SHA-256\.", index_fault
    )
    assert faults == {
        index_fault,
        "deploy/requirements.txt was not made for the date 2026-11-21T00:00:00Z of pyproject.toml.",
        "deploy/requirements-build.txt was not made for the date 2026-11-21T00:00:00Z of pyproject.toml.",
        "deploy/requirements.txt lacks iniconfig, which pyproject.toml needs.",
        "deploy/requirements.txt has av, which pyproject.toml does not need.",
        "deploy/requirements.txt has structlog 25.5.0, which does not fit pyproject.toml.",
    }


@pytest.mark.thorough
def test_check_says_which_dependency_cannot_be_met(copied: Path) -> None:
    pyproject = copied / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"click>=8.3"', '"click>=999"'))
    unmet = check(copied)
    assert unmet.returncode == 1
    assert "click>=999" in unmet.stderr
    assert "Traceback" not in unmet.stderr
