"""`orgdata preview VENDOR/TABLE`: send at most two requests, and show the resulting rows. Nothing is stored.

Here: running a table's own pull in a temporary folder, and showing the result.
Keep out: what a pull requests (a vendor's pulling.py), what cannot be proven (the streams).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.layout import hanging
from orgdata_dagster.http import redaction, waiting
from orgdata_dagster.http.connection import REQUESTS_LOG
from orgdata_dagster.http.records import Download, RequestRecord
from orgdata_dagster.orchestration.assets.intake import Intake, Pull, Read, Room
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.project import configured_tables
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream
from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster.warehouse.storage.scratch import owned_folder

REQUESTS = 2
_SHAPE_BYTES = 4 << 20  # of an answer that are examined


class _EnoughRequests(BaseException):
    """Raised to end a pull that has sent as many requests as a preview may send."""


@dataclass
class Preview:
    """The result of a preview.

    requests: as they were sent, redacted.
    shape: of the first answer: names and kinds of a JSON document, or the header of a CSV.
    records: number of records per page.
    columns: column -> type.
    unproven: what a pull of the table cannot prove.
    error: why the preview ended early; empty if it did not.
    """

    table: str
    requests: list[str] = field(default_factory=list)
    shape: str = ""
    records: list[int] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    unproven: tuple[str, ...] = ()
    error: str = ""


def find(name: str) -> tuple[VendorComponent, Stream]:
    """The stream of `vendor/table`, and its component. Raises UserError if there is none."""
    try:
        found = configured_tables.find(name)
    except configured_tables.NotConfigured as error:
        raise UserError(str(error)) from None
    return found.component, found.stream


def preview(
    component: VendorComponent, stream: Stream, day: str | None = None, *, say: Callable[[str], None] = lambda _: None
) -> Preview:
    """Send at most two requests for a table.

    day: the partition, if the table has days. Default: yesterday, or today's snapshot.
    say: is called with what a request waits for, and until when.

    Raises UserError if the vendor is not configured. Other errors are in the result.
    """
    resource = component.resource()
    if unset := resource.not_configured():
        raise UserError(f"{resource.vendor} is {unset} in the environment or in .env")
    made = Preview(stream.key.to_user_string(), unproven=tuple(stream.unproven))
    log, count = RequestLog(), 0

    def observe(record: RequestRecord) -> None:
        nonlocal count
        log(record)
        count += 1
        if count >= REQUESTS:
            raise _EnoughRequests

    now = datetime.now(UTC)
    usual = str((now if stream.pulls == "today" else now - timedelta(days=1)).date())
    partition = (day or usual) if stream.partitions else None
    warehouse = WarehouseResource().open()
    with (
        waiting.watch(lambda wait: say(f"{made.table}: {wait}")),
        _sent(made.requests),
        owned_folder(settings.staging()) as folder,
        warehouse.scratch_connection() as scratch,
        resource.read_now().client(observe) as client,
    ):
        stage = Stage(scratch, cursor=stream.target.cursor, declared={**stream.declared, **stream.table.columns})
        intake = _RecordingIntake(
            made, stage, partition, folder, lambda: ReadyRows(Stage(scratch.cursor()), stream.target)
        )
        try:
            if stream.once:
                stream.once(client, intake)
            else:
                run = SimpleNamespace(tags={}, run_id="preview")
                days = [partition] if partition else []
                context: Any = SimpleNamespace(run=run, log=logging.getLogger(), partition_keys=days)
                stream.run(_PreviewStep(context, stream, resource, client, warehouse, log, intake))
        except _EnoughRequests:
            pass
        except Exception as error:  # noqa: BLE001 - the results so far are shown
            made.error = reason(error)
        _add_columns(made, stage)
    return made


@dataclass(frozen=True)
class _PreviewStep(Step):
    """A step that stores nothing: the pull puts its pages into `intake`."""

    intake: Intake

    def land(self, pull: Pull, **_: Any) -> Any:
        pull(self.intake)
        raise _EnoughRequests  # a pull in several rounds would send more


class _RecordingIntake(Intake):
    """An intake that keeps every page that was read, including pages that the pull does not take."""

    def __init__(
        self, made: Preview, stage: Stage, partition: str | None, folder: Path, make: Callable[[], ReadyRows]
    ) -> None:
        super().__init__(partition, folder, make, one_by_one=True, room=Room(0))
        self._made = made
        self._stage = stage

    def _counted(self, measure: Read) -> Read:
        inner = super()._counted(measure)

        def read(download: Download) -> Any:
            download = self.kept(download)
            self._made.shape = self._made.shape or shape(download.path)
            page = inner(download)
            self._made.records.append(page.records)
            self._stage.add(StagedPage(page.page))
            return page

        return read

    def forget(self) -> None:
        """Do nothing: the preview still needs the pages."""

    def take(self, *_: Any, **__: Any) -> None:
        """Do nothing: every page is already in the stage."""


def _add_columns(made: Preview, stage: Stage) -> None:
    try:
        stage.inspect()
    except Exception as error:  # noqa: BLE001 - the other results are shown
        made.error = made.error or redaction.redact(str(error))
    made.columns = {
        name: stage.declared_type(name) or (found.fits[0] if found.filled and found.fits else "VARCHAR")
        for name, found in stage.columns.items()
    }


@contextmanager
def _sent(into: list[str]) -> Iterator[None]:
    """Collect the requests from the client's log, redacted."""
    logger = logging.getLogger(REQUESTS_LOG)
    level, propagates = logger.level, logger.propagate

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(redaction.redact(record.getMessage()))

    handler = Collect()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


def shape(path: Path) -> str:
    """The shape of an answer: names and kinds of a JSON document, or the header of a CSV."""
    text = path.read_bytes()[:_SHAPE_BYTES]
    try:
        return redaction.redact(_outline(json.loads(text)))
    except ValueError:
        return redaction.excerpt(text.partition(b"\n")[0].decode("utf-8-sig", errors="replace"), 300)


def _outline(value: Any, depth: int = 0) -> str:
    if isinstance(value, Mapping):
        if depth == 3:
            return "{...}"
        return "{" + ", ".join(f"{name}: {_outline(each, depth + 1)}" for name, each in list(value.items())[:12]) + "}"
    if isinstance(value, list):
        return f"[{len(value)} x {_outline(value[0], depth + 1)}]" if value else "[]"
    return {str: "text", bool: "true/false", int: "number", float: "number", type(None): "null"}[type(value)]


def show(console: Console, made: Preview) -> None:
    """Print the result."""

    def line(name: str, text: str) -> None:
        hanging(console, f"{name:<16}", text)

    line("table", made.table)
    for number, request in enumerate(made.requests, 1):
        line("request" if number == 1 else "next request", request)
    line("answer", made.shape or "none")
    line("records", " + ".join(map(str, made.records)) or "none")
    for name, kind in made.columns.items():
        line("  column", f"{name} {kind}")
    for each in made.unproven:
        line("not proven", each)
    if made.error:
        line("failed", made.error)
    line("stored", "nothing")


__all__ = ["Preview", "find", "preview", "shape", "show"]
