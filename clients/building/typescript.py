"""The build of the TypeScript client: types by openapi-typescript, methods from the document, the rest by hand."""

import json
import shutil
import tempfile
from pathlib import Path

from clients.building.npm import install_packages, run_program
from clients.building.sources import ROOT, openapi_document, product_version
from clients.building.typescript_operations import write_operations

SOURCE = ROOT / "clients/typescript"
PACKAGES = {"@types/node": "20.19.25", "openapi-typescript": "7.13.0", "typescript": "5.9.3"}
"""The programs of the build. The package itself needs no other package."""


def build_typescript(out: Path) -> list[Path]:
    """Build the npm package of the TypeScript client, and return its file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "typescript"
        write_package(folder)
        packed = json.loads(run_program(folder, "npm", "pack", "--json", "--ignore-scripts"))
        return [Path(shutil.copy(folder / packed[0]["filename"], out))]


def write_package(folder: Path) -> None:
    """Write the package to a folder: sources, generated ones included, and what they are compiled to."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("dist", "generated", "node_modules"))
    shutil.copy(ROOT / "LICENSE", folder / "LICENSE")
    version, document = product_version(), openapi_document()
    manifest = json.loads((folder / "package.json").read_text())
    (folder / "package.json").write_text(json.dumps({**manifest, "version": version}, indent=2) + "\n")
    generated = folder / "src/generated"
    generated.mkdir()
    (generated / "version.ts").write_text(f'export const USER_AGENT = "socialsyncer-client-typescript/{version}";\n')
    (generated / "operations.ts").write_text(write_operations(document))
    packages = install_packages(PACKAGES)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    programs = packages / "node_modules/.bin"
    (folder / "openapi.json").write_text(json.dumps(document))
    options = ("--root-types", "--root-types-no-schema-prefix", "--enum-values=false", "-o", "src/generated/schema.ts")
    run_program(folder, str(programs / "openapi-typescript"), "openapi.json", *options)
    run_program(folder, str(programs / "tsc"), "--types", "node")
