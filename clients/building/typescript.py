"""The build of the TypeScript client: types by openapi-typescript, methods from the document, the rest by hand."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clients.building.npm import install_packages, run_program
from clients.building.sources import ROOT, openapi_document, product_version

_HEAD = """/** Made from the API's document by clients/building/typescript.py. */
import { segment } from "../transport.js";
import type { Answer, Body, InPath, Keyed, Options, Query, Sent, Waiting } from "../types.js";

/** A method for each operation. Parameters of the path come first, then the body, the query and the options. */
export abstract class Operations {
  protected abstract send(sent: Sent, options: Options & Keyed & Waiting): Promise<unknown>;
"""
# docs/media-uploads.md: a repeat does the same.
_REPEATABLE = {"completeUpload", "completeMultipart", "uploadPart"}
_SUCCESSES = ("200", "201", "202")


def write_operations(document: dict[str, Any]) -> str:
    """Return the module of methods."""
    methods = [
        text
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "operationId" in operation
        for text in _Operation(document, method.upper(), path, operation).methods()
    ]
    return f"{_HEAD}{''.join(methods)}}}\n"


class _Operation:
    """An operation of the document."""

    def __init__(self, document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> None:
        self._document = document
        self._method = method
        self._path = path
        self._operation = operation
        self._name: str = operation["operationId"]
        parameters = operation.get("parameters", [])
        self._query = [parameter for parameter in parameters if parameter["in"] == "query"]
        self._headers = {parameter["name"] for parameter in parameters if parameter["in"] == "header"}
        self._in_path = re.findall(r"{(\w+)}", path)
        self._body: dict[str, Any] = operation.get("requestBody", {})

    def methods(self) -> Iterator[str]:
        """Yield the method that sends a request, and one that reads all pages of a list."""
        yield self._method_text()
        items = self._items()
        if items is not None:
            yield self._iterator_text(items)

    def _method_text(self) -> str:
        path = re.sub(r"{(\w+)}", r"${segment(\1)}", self._path)
        sent = [f"method: {json.dumps(self._method)}", f"path: `{path}`"]
        sent += ["query"] if self._query else []
        sent += [self._sent_body()] if self._body else []
        sent += ["keyed: true"] if "Idempotency-Key" in self._headers else []
        sent += ["eachKeyed: true"] if self._name == "createPosts" else []
        sent += ["repeatable: true"] if self._name in _REPEATABLE else []
        return f"""
  /** {self._comment()} */
  async {self._name}({", ".join(self._parameters())}): Promise<Answer<"{self._name}">> {{
    return (await this.send({{ {", ".join(sent)} }}, options)) as Answer<"{self._name}">;
  }}
"""

    def _iterator_text(self, items: str) -> str:
        name = re.sub(r"^[a-z]+", "iterate", self._name)
        answer = f'Answer<"{self._name}">'
        arguments = ", ".join([*self._in_path, "{ ...query, ...next }", "options"])
        return f"""
  /** All pages of `{self._name}`, each read when it is needed. */
  async *{name}({", ".join(self._parameters())}): AsyncGenerator<{answer}["{items}"][number], void, undefined> {{
    let next: {{ cursor?: string }} = {{}};
    for (;;) {{
      const page = await this.{self._name}({arguments});
      yield* page.{items};
      if (!page.cursor) return;
      next = {{ cursor: page.cursor }};
    }}
  }}
"""

    def _parameters(self) -> list[str]:
        parameters = [f'{name}: InPath<"{self._name}", "{name}">' for name in self._in_path]
        if self._body:
            default = "" if self._body.get("required") else " = {}"
            parameters.append(f"body: {self._body_type()}{default}")
        if self._query:
            default = "" if any(parameter.get("required") for parameter in self._query) else " = {}"
            parameters.append(f'query: Query<"{self._name}">{default}')
        kinds = ["Options"]
        kinds += ["Keyed"] if "Idempotency-Key" in self._headers else []
        kinds += ["Waiting"] if "Prefer" in self._headers else []
        return [*parameters, f"options: {' & '.join(kinds)} = {{}}"]

    def _body_type(self) -> str:
        content = self._body["content"]
        if "application/json" in content:
            return f'Body<"{self._name}">'
        return "FormData" if "multipart/form-data" in content else "Blob | Uint8Array<ArrayBuffer>"

    def _sent_body(self) -> str:
        content = self._body["content"]
        if "application/json" in content:
            return "body"
        (kind,) = content
        # fetch itself writes the type of a form, which names the boundary of its parts.
        return (
            "content: { data: body }" if kind == "multipart/form-data" else f'content: {{ type: "{kind}", data: body }}'
        )

    def _items(self) -> str | None:
        """Return the field with the items of a page, if the operation has a cursor."""
        if all(parameter["name"] != "cursor" for parameter in self._query):
            return None
        answer = next(
            self._operation["responses"][status] for status in _SUCCESSES if status in self._operation["responses"]
        )
        schema = answer["content"]["application/json"]["schema"]
        page = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return next(str(name) for name, field in page["properties"].items() if field.get("type") == "array")

    def _comment(self) -> str:
        summary = self._operation.get("summary") or self._name
        return f"{summary}: `{self._method} {self._path}`.".replace("*/", "* /")


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
