"""A channel as the vendor stores it: its forms, states, users and events.

Here: the events (reports, their images, reads, alerts), which are added in any order, at any time in the past.
Add here when: an aggregate needs a fact that is not stored.
Keep out: counting (`measures`), HTTP (`api`); made-up data (`demo_data`).
"""

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

from orgdata_dagster.sandbox import instants


class Period(NamedTuple):
    """A range of instants in microseconds: `start <= instant < end`."""

    start: int
    end: int


class Choice(NamedTuple):
    """An option that a user can select in a field."""

    name: str
    value: str


@dataclass(frozen=True)
class Field:
    """A field of a form. The API counts the selections only of some types."""

    id: int
    name: str
    field_type: str
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Form:
    """A form for reports."""

    id: int
    name: str
    fields: tuple[Field, ...]


class User(NamedTuple):
    """A user, who writes and reads reports."""

    first_name: str
    last_name: str


@dataclass
class Report:
    """A report. `at`: when it was created. Its state may change later."""

    id: int
    at: int
    user_id: int
    state_id: int
    selections: dict[int, str]  # field id -> value of a choice
    images: int = 0


@dataclass(frozen=True)
class Image:
    """An image of a report."""

    id: int
    at: int
    report_id: int


@dataclass(frozen=True)
class Read:
    """One reading of a report by a user."""

    at: int
    report_id: int
    user_id: int


@dataclass
class Alert:
    """An alert to a user about a report; it may be opened later."""

    id: int
    at: int
    report_id: int
    user_id: int
    subject: str
    opened: bool


class _Event(Protocol):
    @property
    def at(self) -> int: ...


E = TypeVar("E", bound=_Event)
_AT = attrgetter("at")


class Timeline(Generic[E]):
    """Events in the order of their instants, in whatever order they are added. Thread-safe."""

    def __init__(self) -> None:
        self._events: list[E] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[E]:
        return iter(list(self._events))

    def add(self, event: E) -> None:
        """Insert the event by its instant."""
        with self._lock:
            insort(self._events, event, key=_AT)

    def within(self, period: Period) -> list[E]:
        """The events of this period, oldest first."""
        with self._lock:
            first = bisect_left(self._events, period.start, key=_AT)
            return self._events[first : bisect_left(self._events, period.end, first, key=_AT)]


@dataclass
class Channel:
    """A channel and its events. Ids of reports count up, unless they are given."""

    id: int
    account_id: int = 1
    forms: Iterable[Form] = ()
    states: Mapping[int, str] = field(default_factory=dict)
    users: Mapping[int, User] = field(default_factory=dict)

    reports: Timeline[Report] = field(default_factory=Timeline, init=False)
    images: Timeline[Image] = field(default_factory=Timeline, init=False)
    reads: Timeline[Read] = field(default_factory=Timeline, init=False)
    alerts: Timeline[Alert] = field(default_factory=Timeline, init=False)
    _reports: dict[int, Report] = field(default_factory=dict, init=False)
    _alerts: dict[int, Alert] = field(default_factory=dict, init=False)
    _last_id: int = field(default=0, init=False)

    @property
    def fields(self) -> dict[int, Field]:
        """The fields of all forms by their ids."""
        return {one.id: one for form in self.forms for one in form.fields}

    def add_report(
        self,
        at: datetime,
        *,
        user_id: int,
        state_id: int,
        selections: Mapping[int, str] | None = None,
        images: int = 0,
        report_id: int | None = None,
    ) -> int:
        """Add a report that was created at this instant, with a number of images; returns its id.

        Raises ValueError for an unknown user, state, field or choice, and for an id that is taken.
        """
        self._check_user(user_id)
        self._check_state(state_id)
        for field_id, value in (selections or {}).items():
            if field_id not in self.fields or value not in {c.value for c in self.fields[field_id].choices}:
                raise ValueError(f"channel {self.id} has no field {field_id} with a choice {value!r}")
        new_id = report_id or self._last_id + 1
        if new_id in self._reports:
            raise ValueError(f"channel {self.id} has a report {new_id} already")
        report = Report(new_id, instants.from_datetime(at), user_id, state_id, dict(selections or {}))
        self._reports[new_id], self._last_id = report, max(new_id, self._last_id)
        self.reports.add(report)
        for _ in range(images):
            self.add_image(new_id, at)
        return new_id

    def add_image(self, report_id: int, at: datetime) -> int:
        """Add an image to a report; returns its id. Raises ValueError for an unknown report."""
        report = self._report(report_id)
        report.images += 1
        # derived from the report's id, so that it does not depend on other images
        image = Image(report_id * 100 + report.images, instants.from_datetime(at), report_id)
        self.images.add(image)
        return image.id

    def add_read(self, report_id: int, user_id: int, at: datetime) -> None:
        """Add a reading of a report by a user. Raises ValueError if either is unknown."""
        self._report(report_id)
        self._check_user(user_id)
        self.reads.add(Read(instants.from_datetime(at), report_id, user_id))

    def add_alert(
        self, report_id: int, user_id: int, at: datetime, *, subject: str = "new report", opened: bool = False
    ) -> int:
        """Add an alert about a report; returns its id. The same subject may be sent several times.

        Raises ValueError for an unknown report or user.
        """
        self._report(report_id)
        self._check_user(user_id)
        alert = Alert(len(self.alerts) + 1, instants.from_datetime(at), report_id, user_id, subject, opened)
        self._alerts[alert.id] = alert
        self.alerts.add(alert)
        return alert.id

    def open_alert(self, alert_id: int) -> None:
        """A user opens an alert, which changes the figures of the day it was sent on."""
        self._alerts[alert_id].opened = True

    def set_state(self, report_id: int, state_id: int) -> None:
        """A report goes into another state, which changes the figures of the day it was created on.

        Raises ValueError for an unknown report or state.
        """
        self._check_state(state_id)
        self._report(report_id).state_id = state_id

    def _report(self, report_id: int) -> Report:
        if report_id not in self._reports:
            raise ValueError(f"channel {self.id} has no report {report_id}")
        return self._reports[report_id]

    def _check_user(self, user_id: int) -> None:
        if user_id not in self.users:
            raise ValueError(f"channel {self.id} has no user {user_id}")

    def _check_state(self, state_id: int) -> None:
        if state_id not in self.states:
            raise ValueError(f"channel {self.id} has no state {state_id}")
