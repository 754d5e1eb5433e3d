"""People are told of a failed asset: over real HTTP and SMTP, once a day, without a secret."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from orgdata_dagster.http import redaction
from orgdata_dagster.orchestration.automation.alerts import channels
from orgdata_dagster.orchestration.automation.alerts.sensor import alerts, reasons
from orgdata_dagster_tests.integration.home import Home

SECRET = "sk-very-secret-4711"


class Slack(BaseHTTPRequestHandler):
    """Takes messages, refuses as many as it is told to."""

    received: list[str]
    refuse: int

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["content-length"])))["text"]
        refused, type(self).refuse = type(self).refuse > 0, type(self).refuse - 1
        if not refused:
            self.received.append(text)
        self.send_response(500 if refused else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as one message needs, with AUTH PLAIN."""

    received: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline().decode().strip():
            match line.split()[0].upper():
                case "EHLO":
                    self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                case "AUTH":
                    self.wfile.write(b"235 welcome\r\n")
                case "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                    self.received.append("".join(lines))
                    self.wfile.write(b"250 taken\r\n")
                case "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 fine\r\n")


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def slack(home: Home) -> Iterator[type[Slack]]:
    Slack.received, Slack.refuse = [], 0
    with serving(HTTPServer(("127.0.0.1", 0), Slack)) as port:
        home.set(**{channels.SLACK: f"http://127.0.0.1:{port}/services/{SECRET}"})
        yield Slack


@dg.asset(key=["octolis", "contacts"])
def contacts() -> None:
    redaction.register(SECRET)
    raise dg.Failure(description=f"octolis /records: HTTP 500 with key {SECRET}. Run it again.")


@dg.asset(key=["octolis", "orders"])
def orders() -> None:
    raise ValueError("no orders")


def fail(home: Home, *assets: dg.AssetsDefinition, tags: dict[str, str] | None = None) -> None:
    """A run of the assets fails, and the daemon tells the sensor."""
    job = dg.Definitions(assets=assets).resolve_implicit_global_asset_job_def()
    with home.instance() as instance:
        done = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[asset.key for asset in assets],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        failed = next(event for event in done.all_events if event.is_run_failure)
        instance.add_run_tags(done.run_id, tags or {})  # as Dagster does, when the run has failed
        run = instance.get_run_by_id(done.run_id)
        assert run is not None
        context = dg.build_run_status_sensor_context("alerts", failed, instance, run)
        alerts(context.for_run_failure())


def test_one_message_an_asset_and_day_with_reason_and_link(home: Home, slack: type[Slack]) -> None:
    home.set(ORGDATA_UI_URL="https://dagster.example.org/")
    fail(home, contacts, orders)
    assert [text.splitlines()[0] for text in sorted(slack.received)] == [
        "*orgdata: octolis/contacts failed*",
        "*orgdata: octolis/orders failed*",
    ]
    told = sorted(slack.received)[0]
    assert "HTTP 500 with key [redacted]. Run it again." in told
    assert "https://dagster.example.org/runs/" in told
    fail(home, contacts)
    assert len(slack.received) == 2


def test_a_message_that_did_not_get_out_is_sent_with_the_next_failure(home: Home, slack: type[Slack]) -> None:
    slack.refuse = 1
    fail(home, contacts)
    assert slack.received == []
    fail(home, contacts)
    assert len(slack.received) == 1


def test_a_run_that_is_tried_again_by_itself_is_not_told(home: Home, slack: type[Slack]) -> None:
    fail(home, contacts, tags={"dagster/will_retry": "true"})
    assert slack.received == []


def test_by_mail(home: Home) -> None:
    Mail.received = []
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mail)) as port:
        home.set(
            **{channels.SMTP: f"smtp://me:pass%2Fword@127.0.0.1:{port}", channels.TO: "a@example.org, b@example.org"}
        )
        fail(home, contacts)
    [mail] = Mail.received
    assert "To: a@example.org, b@example.org" in mail
    assert "Subject: orgdata: octolis/contacts failed" in mail
    assert SECRET not in mail
    home.set(**{channels.SMTP: f"smtp://me:pass%2Fword@127.0.0.1:{port}"})  # nobody listens there any more
    with pytest.raises(channels.NotSent, match="ORGDATA_SMTP_URL: ConnectionRefusedError"):
        channels.channels()["e-mail"](channels.Message("s", "t"))


def test_settings_that_cannot_work_are_named(home: Home) -> None:
    assert channels.channels() == {}
    home.set(**{channels.SMTP: "mail.example.org"})
    with pytest.raises(ValueError, match="smtp://user:password@host:587"):
        channels.channels()
    home.set(**{channels.SMTP: "smtp://mail.example.org"})
    with pytest.raises(ValueError, match=channels.TO):
        channels.channels()


def test_a_run_that_died_without_a_failed_step_is_told_for_all_its_assets(home: Home) -> None:
    with home.instance() as instance:
        job = dg.Definitions(assets=[contacts, orders]).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, asset_selection=frozenset({contacts.key}))
        died = instance.report_run_failed(run, "The process that worked on this run is gone.")
    assert reasons(run, died, []) == {"octolis/contacts": "The process that worked on this run is gone."}
