"""The metrics for Prometheus: those of Temporal's SDK and our own."""

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
    # The SDK's default levels. Without forwarding it would print by itself, and its lines would not be masked.
    TelemetryFilter(core_level="WARN", other_level="ERROR"),
    LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False),
)
API_AFTER_WORKER = 1
"""The API serves on the port after the worker's, because one machine may run both from one environment."""


def serve_metrics(settings: Settings, *, api: bool = False) -> Runtime:
    """Return the runtime for the process's client, which logs as we do and serves /metrics if a port is set.

    Raises SystemExit if the port is taken.
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
