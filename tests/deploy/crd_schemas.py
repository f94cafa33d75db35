"""The fields of custom resources that the chart uses, as their projects document them: KEDA 2.17, Prometheus operator,
Gateway API v1. A field that is not here is refused, so a misspelt one is found.
"""

from collections.abc import Sequence
from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required or properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


def _resource(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _closed({"name": _TEXT, "labels": _TEXTS})
    return _closed({"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


_TRIGGER = _closed(
    {
        "type": {"const": "temporal"},
        # Every value of a trigger's metadata is a text.
        "metadata": _closed(
            {
                "endpoint": _TEXT,
                "namespace": _TEXT,
                "taskQueue": _TEXT,
                "queueTypes": {"pattern": "^(workflow|activity)(,(workflow|activity))?$"},
                "targetQueueSize": {"type": "string", "pattern": "^[0-9]+$"},
            }
        ),
        "authenticationRef": _closed({"name": _TEXT}),
    },
    ["type", "metadata"],
)
_RULE = _closed(
    {"alert": _TEXT, "record": _TEXT, "expr": _TEXT, "for": _TEXT, "labels": _TEXTS, "annotations": _TEXTS}, ["expr"]
)
_ENDPOINT = _closed(
    {
        "port": _TEXT,
        "interval": _TEXT,
        "relabelings": _list(
            _closed({"targetLabel": _TEXT, "replacement": _TEXT, "action": {"enum": ["replace", "keep", "drop"]}})
        ),
    }
)
_EXPRESSION = _closed({"key": _TEXT, "operator": {"enum": ["In", "NotIn", "Exists"]}, "values": _list(_TEXT)})

SCHEMAS: dict[str, dict[str, Any]] = {
    "ScaledObject": _resource(
        "keda.sh/v1alpha1",
        "ScaledObject",
        _closed(
            {
                "scaleTargetRef": _closed({"name": _TEXT}),
                "minReplicaCount": _COUNT,
                "maxReplicaCount": _COUNT,
                "triggers": _list(_TRIGGER),
            }
        ),
    ),
    "TriggerAuthentication": _resource(
        "keda.sh/v1alpha1",
        "TriggerAuthentication",
        _closed(
            {
                "secretTargetRef": _list(
                    _closed({"parameter": {"enum": ["apiKey", "ca", "cert", "key"]}, "name": _TEXT, "key": _TEXT})
                )
            }
        ),
    ),
    "PodMonitor": _resource(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        _closed(
            {
                "selector": _closed({"matchLabels": _TEXTS, "matchExpressions": _list(_EXPRESSION)}),
                "podMetricsEndpoints": _list(_ENDPOINT),
            }
        ),
    ),
    "PrometheusRule": _resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _closed(
            {"groups": _list(_closed({"name": _TEXT, "interval": _TEXT, "rules": _list(_RULE)}, ["name", "rules"]))}
        ),
    ),
    "HTTPRoute": _resource(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        _closed(
            {
                "parentRefs": _list(_closed({"name": _TEXT, "namespace": _TEXT, "sectionName": _TEXT}, ["name"])),
                "hostnames": _list(_TEXT),
                "rules": _list(
                    _closed(
                        {"backendRefs": _list(_closed({"name": _TEXT, "port": {"type": "integer", "maximum": 65535}}))}
                    )
                ),
            }
        ),
    ),
}
