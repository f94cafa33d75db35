"""The chart, rendered as Helm does it, without a cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

helm_python = pytest.importorskip("helm_python", reason="not installed: uv sync --group dev")
CHART = Path(__file__).parents[2] / "deploy/chart"
VALUES = Path(__file__).parent / "chart_values"

Manifest = dict[str, Any]


def read_values(*names: str) -> dict[str, Any]:
    """Return the values of files of `chart_values`, merged; a later one wins."""
    merged = dict[str, Any]()
    for name in names:
        merged = merge(merged, yaml.safe_load((VALUES / f"{name}.yaml").read_text()))
    return merged


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return two trees of values as one, as Helm merges files."""
    both = {
        key: merge(first[key], second[key]) for key in first if key in second and _are_trees(first[key], second[key])
    }
    return {**first, **second, **both}


def _are_trees(*values: Any) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """Return the manifests of a release. Raises helm_python.HelmError for values that the chart refuses."""
    with helm_python.Chart.load(str(CHART)) as chart:
        chart.validate_schema(dict(values))
        rendered = chart.render(dict(values), name="posts", namespace="social")
    documents = (document for text in rendered.values() for document in yaml.safe_load_all(text))
    return [document for document in documents if document]


def find_manifest(manifests: Sequence[Manifest], kind: str, name: str = "") -> Manifest:
    """Return the only manifest of a kind whose name ends so."""
    (manifest,) = [
        manifest for manifest in manifests if manifest["kind"] == kind and manifest["metadata"]["name"].endswith(name)
    ]
    return manifest
