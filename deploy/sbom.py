"""The bill of materials of an environment, as CycloneDX.

`uv run --isolated --only-group sbom python -m deploy.sbom ENVIRONMENT FILE`, in the repository. ENVIRONMENT is a folder
like the image's /opt/socialsyncer. The file has each package and, below it, the shared libraries in its wheel, with
licences. It names no address of an index or a project.
"""

import hashlib
import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.licences import LIBRARIES, Library, bundled_libraries, licence, normal_name


def bill_of_materials(environment: Path) -> str:
    """Return the valid bill of an environment as JSON. Raises CalledProcessError and ValueError."""
    (packages,) = environment.glob("lib/python*/site-packages")
    bill = json.loads(_from_metadata(environment))
    licences = {normal_name(package.name): licence(package) for package in distributions(path=[str(packages)])}
    components = {normal_name(component["name"]): component for component in bill["components"]}
    for name, component in components.items():
        component["licenses"] = [{"expression": licences[name]}]
    for library in bundled_libraries(packages):
        components[normal_name(library.package)].setdefault("components", []).append(_component(library))
    text = json.dumps(_without_addresses(bill), indent=2, sort_keys=True)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"not CycloneDX: {error}")
    return text + "\n"


def _from_metadata(environment: Path) -> str:
    tool = [sys.executable, "-m", "cyclonedx_py", "environment", "--spec-version", "1.6", "--output-reproducible"]
    command = [*tool, "--pyproject", "pyproject.toml", str(environment)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _component(library: Library) -> dict[str, Any]:
    digest = hashlib.sha256(library.path.read_bytes()).hexdigest()
    return {
        "bom-ref": f"{library.package}/{library.path.name}",
        "type": "library",
        "name": library.name,
        "version": library.version,
        "licenses": [{"expression": LIBRARIES[library.name]}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _without_addresses(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_addresses(inner) for key, inner in value.items() if key != "externalReferences"}
    return [_without_addresses(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Path(sys.argv[2]).write_text(bill_of_materials(Path(sys.argv[1])))
