"""A run of openapi-python-client with templates that let answers of older and newer servers pass.

The generator's environment runs it, in the folder of the package: `python run_generator.py PACKAGE`. It changes the
generator's own templates by replacing exact text, and fails if a version of the generator has other text there.
"""

import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

_READERS = '''

V = TypeVar("V")


def take(source: dict[str, Any], name: str, default: Any = UNSET) -> Any:
    """Return a field of an answer. An older server does not send all of them."""
    return source.pop(name, default)


def read(make: Callable[[Any], V], value: Any) -> V:
    """Return a value as `make` reads it; an absent one stays absent."""
    return cast(V, value) if isinstance(value, Unset) else make(value)


def read_time(value: str) -> datetime.datetime:
    """Return a time. Python 3.10 does not know the Z of UTC."""
    return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))

'''
_NAMES = "UNSET, Unset, read, read_time, take"
_TAKE = """'take(d, "' + (property.name | in_double_quote_literal) + '")'"""
_TAKE_LIST = """'take(d, "' + (property.name | in_double_quote_literal) + '", [])'"""
_EDITS: tuple[tuple[str, str, str], ...] = (
    ("types.py.jinja", "from collections.abc import ", "import datetime\nfrom collections.abc import Callable, "),
    ("types.py.jinja", "import BinaryIO, ", "import Any, cast, BinaryIO, "),
    ("types.py.jinja", "UNSET: Unset = Unset()\n", f"UNSET: Unset = Unset()\n{_READERS}"),
    (
        "types.py.jinja",
        "        return False\n",
        '        return False\n\n    def __repr__(self) -> str:\n        return "UNSET"\n',
    ),
    # Data classes of the standard library: the package needs httpx alone.
    ("types.py.jinja", "from attrs import define", "from dataclasses import dataclass as define"),
    ("model.py.jinja", "from attrs import define as", "from dataclasses import dataclass as"),
    ("model.py.jinja", "from attrs import field as", "from dataclasses import field as"),
    ("model.py.jinja", "(init=False, factory=dict)", "(init=False, default_factory=dict)"),
    ("model.py.jinja", "from ..types import UNSET, Unset", f"from ..types import {_NAMES}"),
    ("endpoint_module.py.jinja", "import Response, UNSET", f"import Response, {_NAMES}"),
    (
        "model.py.jinja",
        """'d.pop("' + (property.name | in_double_quote_literal) + '")'""",
        f'({_TAKE_LIST} if property.template == "list_property.py.jinja" else {_TAKE})',
    ),
    # A newer server may send a value that this document does not have.
    (
        "literal_enum.py.jinja",
        "    if value in {{ enum.get_class_name_snake_case() | upper }}_VALUES:\n        return value\n",
        "    return cast({{ enum.class_info.name }}, value)\n",
    ),
    (
        "literal_enum.py.jinja",
        """    raise TypeError(f"Unexpected value {value!r}. Expected one of \
{{"{"}}{{ enum.get_class_name_snake_case() | upper }}_VALUES!r}")
""",
        "",
    ),
    ("literal_enum.py.jinja", "from typing import Literal", "from typing import Literal, cast"),
    (
        "property_templates/property_macros.py.jinja",
        "{{ property.python_name }} = {{ construct_function(property, source) }}\n{% else %}",
        """{{ property.python_name }} = read(lambda value: {{ construct_function(property, 'value') }}, {{ source }})
{% else %}""",
    ),
    (
        "property_templates/datetime_property.py.jinja",
        "datetime.datetime.fromisoformat({{ source }})",
        "read_time({{ source }})",
    ),
)


def write_templates(package: Path, templates: Path) -> None:
    """Copy our templates and the changed ones of the generator to a folder. Raises SystemExit if one has other text."""
    originals = Path(str(files("openapi_python_client"))) / "templates"
    for name, old, new in _EDITS:
        changed = templates / name
        text = (changed if changed.exists() else originals / name).read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{name} of the generator has {text.count(old)} times, and not once:\n{old}")
        changed.parent.mkdir(exist_ok=True)
        changed.write_text(text.replace(old, new))
    for own in (package / "templates").iterdir():
        shutil.copy(own, templates / own.name)


def main(name: str) -> None:
    """Generate the part `generated` of a package in this folder."""
    templates = Path("changed-templates")
    templates.mkdir()
    write_templates(Path(), templates)
    command = [
        *("openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--config", "generator.yml"),
        *("--custom-template-path", str(templates), "--output-path", f"{name}/generated", "--fail-on-warning"),
    ]
    subprocess.run(command, check=True)
    shutil.rmtree(templates)
    shutil.rmtree("templates")


if __name__ == "__main__":
    main(sys.argv[1])
