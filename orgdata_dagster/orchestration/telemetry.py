"""OpenTelemetry metrics of the HTTP client, the landing and the sensors, if the environment configures them.

Here: whether metrics are enabled, the instruments, and recording. Add here when: there is another metric.
Keep out: `orgdata metrics`, which reads the ledger instead (cli/metrics.py).

Metrics are enabled if the extra `otel` is installed and one of OpenTelemetry's own variables sets the receiver, such as
OTEL_EXPORTER_OTLP_ENDPOINT. Otherwise nothing is imported, and recording does nothing.
"""

from __future__ import annotations

import os
import uuid
from importlib.util import find_spec
from typing import Any

from orgdata_dagster.http.records import Observer, RequestRecord

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
_FLUSH = 5_000  # milliseconds that the end of a step waits for the collector
_providers: dict[int, Any] = {}  # per process, because a forked process has no exporting thread
_instruments: dict[tuple[int, str], Any] = {}


def is_on() -> bool:
    """Whether metrics are recorded."""
    configured = any(os.environ.get(name) for name in _ENDPOINTS) or os.environ.get("OTEL_METRICS_EXPORTER") == "otlp"
    return configured and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true" and _is_installed()


def _is_installed() -> bool:
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk.metrics") is not None


def observing(observer: Observer | None) -> Observer | None:
    """An observer of requests that also records them; the same observer if metrics are disabled."""
    if not is_on():
        return observer

    def both(record: RequestRecord) -> None:
        requested(record)
        if observer is not None:
            observer(record)

    return both


def requested(record: RequestRecord) -> None:
    """Record a request."""
    status = str(record.status) if record.status is not None else "none"
    _add("orgdata.requests", 1, vendor=record.vendor, status=status)
    _measure("orgdata.request.duration", record.seconds, vendor=record.vendor, status=status)
    _measure("orgdata.rate_limit.wait", record.waited, vendor=record.vendor)


def committed(vendor: str, table: str, rows: int, seconds: float) -> None:
    """Record a commit."""
    if is_on():
        _add("orgdata.rows", rows, vendor=vendor, table=table)
        _measure("orgdata.commit.duration", seconds, vendor=vendor, table=table)


def gauge(name: str, value: float, **attributes: str) -> None:
    """Record the present value of a gauge."""
    if is_on():
        _instrument("gauge", name).set(value, attributes)


def flush() -> None:
    """Send the metrics recorded in this process. A worker's process may end right after its step."""
    if (provider := _providers.get(os.getpid())) is not None:
        provider.force_flush(_FLUSH)


def _add(name: str, value: float, **attributes: str) -> None:
    _instrument("counter", name).add(value, attributes)


def _measure(name: str, seconds: float, **attributes: str) -> None:
    _instrument("histogram", name).record(seconds, attributes)


_UNITS = {
    "orgdata.requests": "{request}",
    "orgdata.rows": "{row}",
    "orgdata.gaps": "{partition}",
    "orgdata.queue": "{run}",
    "orgdata.rate_limit.used": "1",
}
"""Metric -> its unit; all others are seconds."""


def _instrument(kind: str, name: str) -> Any:
    key = (os.getpid(), name)
    if key not in _instruments:
        create = getattr(_provider().get_meter("orgdata"), f"create_{kind}")
        _instruments[key] = create(name, unit=_UNITS.get(name, "s"))
    return _instruments[key]


def _provider() -> Any:
    """This process's provider: an existing one, or a new one that exports to the address in the variables."""
    if (known := _providers.get(os.getpid())) is not None:
        return known
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    provider: Any = metrics.get_meter_provider()
    if not isinstance(provider, MeterProvider) or _providers:  # a provider of the parent process has no thread here
        name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "orgdata"}
        resource = Resource.create({**name, "service.instance.id": str(uuid.uuid4())})
        provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    return _providers.setdefault(os.getpid(), provider)
