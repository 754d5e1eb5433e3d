"""OpenTelemetry: what a pull and the sensors send to a collector. Without a collector, nothing is imported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration import telemetry
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

PULL = """
import sys
from orgdata_dagster.orchestration import telemetry
from orgdata_dagster.http.records import RequestRecord
def observer(record): pass
assert telemetry.observing(observer) is observer
telemetry.committed("v", "t", 1, 0.1); telemetry.gauge("orgdata.gaps", 1); telemetry.flush()
print("opentelemetry" in {name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture
def collector(home: Home) -> Iterator[list[bytes]]:
    """The bodies that arrive at a collector, whose address the environment names."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        home.set(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_address[1]}")
        yield received
        if (provider := telemetry._providers.pop(os.getpid(), None)) is not None:
            provider.shutdown()
        telemetry._instruments.clear()
        server.shutdown()


def sent(bodies: list[bytes]) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Metric -> attributes -> its last value; of a histogram the number of values."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for body in bodies:
        request = ExportMetricsServiceRequest.FromString(body)
        for metric in (m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics):
            points = getattr(metric, metric.WhichOneof("data")).data_points
            for point in points:
                labels = frozenset((each.key, each.value.string_value) for each in point.attributes)
                value = point.count if metric.HasField("histogram") else point.as_int or point.as_double
                found.setdefault(metric.name, {})[labels] = value
    return found


@pytest.mark.usefixtures("sandbox")
def test_a_pull_and_the_sensors_are_measured(home: Home, collector: list[bytes]) -> None:
    home.write_project(institution_analytics=institution_analytics(limits={"per_minute": 100_000}))
    assert home.materialize("institution_analytics/users", today(), today()).success
    defs = loaded_project.load().defs
    repository = defs.get_repository_def()
    with home.instance() as instance:
        for name in ("freshness", "catch_up"):
            context = dg.build_sensor_context(
                instance, repository_def=repository, resources={"warehouse": WarehouseResource()}
            )
            repository.get_sensor_def(name).evaluate_tick(context)
    telemetry.flush()
    found = sent(collector)
    users = frozenset({"vendor": "institution_analytics", "table": "users"}.items())
    [(rows,)] = home.sql("SELECT count(*) FROM institution_analytics.users")
    [(requests,)] = home.sql("SELECT count(*) FROM _orgdata.requests")
    answered = frozenset({"vendor": "institution_analytics", "status": "200"}.items())
    assert found["orgdata.rows"][users] == rows
    assert found["orgdata.requests"][answered] == found["orgdata.request.duration"][answered] == requests
    assert found["orgdata.rate_limit.wait"][frozenset({("vendor", "institution_analytics")})] == requests
    assert found["orgdata.commit.duration"][users] == 1
    assert 0 <= found["orgdata.coverage.lag"][users] < 600
    assert found["orgdata.gaps"][users] == 0
    document = (Path(__file__).parent.parent.parent / "docs" / "alerts_and_metrics.md").read_text()
    assert found.keys() == set(re.findall(r"^\| `(orgdata\.[\w.]+)`", document, re.M))
    assert found["orgdata.queue"][frozenset({("status", "queued")})] == 0


def test_nothing_is_imported_without_a_collector() -> None:
    done = subprocess.run([sys.executable, "-c", PULL], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
