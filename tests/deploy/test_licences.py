"""Every package of the image has a licence that is known and accepted, and so has each library in its wheel."""

import platform
import re
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

from deploy.licences import ALLOWED, EXCEPTIONS, LIBRARIES, bundled_libraries, licence, normal_name
from tests.deploy.test_packages import TEXTS, requirements

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/licences.md").read_text()
INSTALLED = [
    distribution(requirement.name)
    for requirement in requirements(TEXTS["deploy/requirements.txt"])
    if requirement.marker is None or requirement.marker.evaluate()
]
NAMES = {normal_name(package.name) for package in INSTALLED}
BUNDLED = [
    library
    for library in bundled_libraries(Path(sysconfig.get_path("platlib")))
    if normal_name(library.package) in NAMES
]

of_linux = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="wheels for other systems have other libraries"
)


def identifiers(expression: str) -> set[str]:
    """Return the licences that an SPDX expression names."""
    return set(re.findall(r"[\w.-]+", canonicalize_license_expression(expression))) - {"AND", "OR"}


def rows(section: str) -> dict[str, str]:
    """Return the first two cells of each row of a section's table."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| (?!---)(.*?) \| (.*?) \|", text, re.MULTILINE)[1:])


def test_every_package_has_an_accepted_licence() -> None:
    assert len(INSTALLED) > 40
    assert {
        package.name: licence(package)
        for package in INSTALLED
        if normal_name(package.name) not in EXCEPTIONS
        and not (licence(package) and identifiers(licence(package)) <= ALLOWED)
    } == {}


def test_an_exception_is_of_an_installed_package_and_needed() -> None:
    assert EXCEPTIONS.keys() <= NAMES
    assert all(identifiers(expression) - ALLOWED for expression, _ in EXCEPTIONS.values())


@of_linux
def test_every_library_in_a_wheel_has_a_known_licence() -> None:
    assert {library.name for library in BUNDLED} == LIBRARIES.keys()
    assert all(identifiers(expression) for expression in LIBRARIES.values())


@of_linux
def test_a_package_with_libraries_under_the_gpl_is_an_exception() -> None:
    copyleft = {library.package for library in BUNDLED if re.match("L?GPL", LIBRARIES[library.name])}
    assert {normal_name(name) for name in copyleft} == EXCEPTIONS.keys() - {"certifi"}


def test_the_page_has_the_licences_of_the_code() -> None:
    packages = {name.split("`")[1]: expression.strip("`") for name, expression in rows("Packages").items()}
    assert packages == {name: expression for name, (expression, _) in EXCEPTIONS.items()}
    listed = re.search(r"^`0BSD`.*$", PAGE, re.MULTILINE)
    assert listed
    assert set(re.findall(r"`([^`]+)`", listed[0])) == ALLOWED
    libraries = {
        name: expression.strip("`")
        for expression, names in rows("Shared libraries in the wheels").items()
        for name in names.split(", ")
    }
    assert libraries == LIBRARIES


def test_every_document_of_a_platform_has_its_licence_beside_it_and_on_the_page() -> None:
    specs = ROOT / "tests/specs"
    folders = {path.name: (path / "LICENSE").read_text() for path in specs.iterdir() if path.is_dir()}
    listed = rows("Documents of the platforms in the repository")
    assert {name.strip("`") for name in listed} == folders.keys()
    titles = {"MIT": "Permission is hereby granted", "Apache-2.0": "Apache License", "GFDL-1.3": "Free Documentation"}
    for name, expression in listed.items():
        assert any(titles[part] in folders[name.strip("`")] for part in identifiers(expression.strip("`"))), name
    readme = (specs / "README.md").read_text()
    assert all(f"| `{name}/" in readme for name in folders)
