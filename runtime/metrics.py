"""Serve metrics for Prometheus: those of Temporal's SDK, and our own beside them."""

import logging

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from activities.meters import LATENESS, LATENESS_BUCKETS
from runtime.settings import Settings

_LOGGED = LoggingConfig(
    # Its levels by default. It would print past our log and its masks.
    TelemetryFilter(core_level="WARN", other_level="ERROR"),
    LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False),
)
API_AFTER_WORKER = 1
"""One machine may run both from one environment: the api serves on the port after the worker's."""


def serve_metrics(settings: Settings, *, api: bool = False) -> Runtime:
    """Return the runtime for the process's client, which logs as we do and serves /metrics if a port is set.

    Raises SystemExit where the port is taken.
    """
    if settings.metrics_port is None:
        return Runtime(telemetry=TelemetryConfig(logging=_LOGGED))
    port = settings.metrics_port + (API_AFTER_WORKER if api else 0)
    host = settings.metrics_host
    address = f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"
    config = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={LATENESS: LATENESS_BUCKETS},
    )
    try:
        return Runtime(telemetry=TelemetryConfig(logging=_LOGGED, metrics=config))
    except ValueError as error:
        raise SystemExit(f"Metrics cannot be served at {address} (SOCIALSYNCER_METRICS_PORT): {error}") from None
