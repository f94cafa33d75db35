"""The chart's lists of settings, secrets and platforms: `python -m deploy.chart_settings` writes them from the code.

A setting that is a secret is read from a file, so that no description of a pod shows it.
"""

import json
from pathlib import Path
from typing import Any

from platforms.registry import platforms
from runtime.settings import MigrateSettings, Settings, VaultSettings

CHART = Path(__file__).parent / "chart"
SCHEMA = CHART / "values.schema.json"
PLATFORMS = CHART / "files/platforms.txt"
OF_THE_CHART = frozenset(
    {
        "SOCIALSYNCER_API_DRAIN_S",
        "SOCIALSYNCER_API_HOST",
        "SOCIALSYNCER_API_PORT",
        "SOCIALSYNCER_METRICS_HOST",
        "SOCIALSYNCER_METRICS_PORT",
        "SOCIALSYNCER_WORKER_GRACE_S",
        "SOCIALSYNCER_WORKER_HEALTH_HOST",
        "SOCIALSYNCER_WORKER_HEALTH_PORT",
    }
)
"""Settings that the chart sets: ports, hosts, and times that probes and grace times depend on."""
_PARTS = {"migrate": MigrateSettings, "api": Settings, "worker": VaultSettings}
_VALUE = {"type": ["string", "number", "boolean"]}
_SECRET = {"type": "string", "minLength": 1}


def variables(kind: type[Settings], *, secret: bool) -> list[str]:
    """Return the variables of a part's settings that are secrets, or those that are none."""
    fields = kind.model_fields.items()
    return sorted(f"SOCIALSYNCER_{name.upper()}" for name, field in fields if _is_secret(field.annotation) is secret)


def _is_secret(annotation: Any) -> bool:
    return "SecretStr" in str(annotation)


def schema() -> dict[str, Any]:
    """Return the schema of the chart's values with the lists of today's code."""
    written: dict[str, Any] = json.loads(SCHEMA.read_text())
    properties = written["properties"]
    names = {name for kind in _PARTS.values() for name in variables(kind, secret=False)} - OF_THE_CHART
    properties["settings"]["properties"] = dict.fromkeys(sorted(names), _VALUE)
    for part, kind in _PARTS.items():
        values = properties["secrets"]["properties"][part]["properties"]["values"]
        values["properties"] = dict.fromkeys(variables(kind, secret=True), _SECRET)
    group = properties["worker"]["properties"]["groups"]["items"]["properties"]
    group["platforms"]["items"] = {"enum": sorted(platforms())}
    return written


def platform_names() -> str:
    """Return the platforms as the chart reads them, one a line."""
    return "".join(f"{name}\n" for name in sorted(platforms()))


if __name__ == "__main__":
    SCHEMA.write_text(f"{json.dumps(schema(), indent=1)}\n")
    PLATFORMS.write_text(platform_names())
