"""Analytics API V4: reports of a channel, aggregated by the vendor over a range of time.

    GET {base_url}/api/v4/analytics/<endpoint>?channel_id=&start_date=&end_date=   ->  channel_reports.<endpoint>
    GET {base_url}/api/v4/forms?channel_id=                                        ->  channel_reports.fields

Here: the request for a report, and the fields of a channel's forms. Add here when: the document has another parameter.
Keep out: Dagster and DuckDB, and the meaning of the reports' columns (endpoints.py).

Paging quirk: there is no paging. Ranges are half open, `start_date <= instant < end_date`. The document describes
neither authentication nor the Forms API: header and path are settings (resource.py).

Environment: CHANNEL_REPORTS_BASE_URL, CHANNEL_REPORTS_API_TOKEN. Alone, against `orgdata sandbox`:

    from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource
    ChannelReportsResource.from_environment().rows("reports_per_state", 1, datetime(2026, 1, 1), datetime(2026, 2, 1))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from orgdata_dagster.http.api_client import ApiClient
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody, PermanentError, VendorError
from orgdata_dagster.http.records import Download

FORMS_PATH = "/api/v4/forms"
COUNTED_TYPES = ("Category", "DropDown", "Radio")

R = TypeVar("R")


@dataclass(frozen=True)
class FormField:
    """A field of a form in the Forms API. Of a field from `field_ids`, only the id is known."""

    channel_id: int
    form_id: int
    form_name: str
    field_id: int
    name: str
    field_type: str

    @classmethod
    def listed(cls, channel_id: int, field_id: int) -> FormField:
        """A field from `field_ids`."""
        return cls(channel_id, 0, "", field_id, "", "")

    @property
    def counted(self) -> bool:
        """Whether the vendor counts the selections in this field."""
        return self.field_type in COUNTED_TYPES


class ChannelReportsClient(ApiClient):
    """Reads reports of channels through `http`, which keeps the rate limit and retries."""

    def __init__(self, http: HttpClient, forms_path: str = FORMS_PATH) -> None:
        super().__init__(http)
        self._forms_path = forms_path

    def report(
        self,
        endpoint: str,
        channel_id: int,
        start: datetime,
        end: datetime,
        *,
        fields: tuple[str, ...] = (),
        field: FormField | None = None,
        into: Path,
        small: int = 0,
        read: Callable[[Download], R],
    ) -> R:
        """Download the report of `[start, end)` to the file `into`; returns the result of `read`.

        small: see HttpClient.fetch.

        fields: optional fields of the report to request.
        field: the field, if the report is by field.

        Raises the errors of HttpClient.fetch; a PermanentError names the channel or the field that was refused.
        """
        parameters = {"channel_id": str(channel_id), "start_date": instant(start), "end_date": instant(end)}
        if fields:
            parameters["fields"] = ",".join(fields)
        if field is not None:
            parameters["field_id"] = str(field.field_id)
        with self._explained(channel_id):
            try:
                path = f"/api/v4/analytics/{endpoint}"
                return self._http.fetch(path, params=parameters, into=into, small=small, read=read)
            except PermanentError as error:
                if error.status == 422 and field is not None:
                    _explain_refusal(error, field if field.name else self._look_up(field, into))
                raise

    def form_fields(self, channel_id: int, *, into: Path, count: Callable[[Download], None]) -> list[FormField]:
        """The fields of all forms of a channel, of every type.

        into: the file for the answer.
        count: is called with the download.

        Raises the errors of HttpClient.fetch.
        """

        def read(download: Download) -> list[FormField]:
            count(download)
            return _form_fields(channel_id, download.path)

        with self._explained(channel_id):
            return self._http.fetch(self._forms_path, params={"channel_id": str(channel_id)}, into=into, read=read)

    def _look_up(self, field: FormField, into: Path) -> FormField:
        """The field with its name and type, if the Forms API answers and lists it."""
        try:
            known = self.form_fields(field.channel_id, into=into, count=lambda _: None)
        except VendorError:
            known = []
        return next((each for each in known if each.field_id == field.field_id), field)

    @contextmanager
    def _explained(self, channel_id: int) -> Iterator[None]:
        try:
            yield
        except PermanentError as error:
            if error.status == 404:
                error.message = f"channel {channel_id}: {error.message}"
                error.remedy = f"Check `channels` in defs.yaml (is there a channel {channel_id}?) and the base URL."
            raise


def _explain_refusal(error: PermanentError, field: FormField) -> None:
    known = f" ({field.name!r}, {field.field_type})" if field.name else ""
    error.message = f"field {field.field_id}{known} of channel {field.channel_id} was refused: {error.message}"
    error.remedy = f"List other fields under `field_ids` in defs.yaml, of type {', '.join(COUNTED_TYPES)}."


def instant(at: datetime) -> str:
    """ISO 8601 in UTC, as in the document."""
    return f"{at.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _form_fields(channel_id: int, path: Path) -> list[FormField]:
    try:
        forms: list[dict[str, Any]] = json.loads(path.read_bytes())
        return [
            FormField(
                channel_id,
                int(form["id"]),
                str(form.get("name") or ""),
                int(field["id"]),
                str(field.get("name") or ""),
                str(field["field_type"]),
            )
            for form in forms
            for field in form["fields"]
        ]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise BadBody(
            f"the forms are not as expected ({type(error).__name__}: {error}): is forms_path right?"
        ) from None
