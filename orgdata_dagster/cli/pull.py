"""`orgdata pull`: pull days of some assets through Dagster runs, and show the progress.

Here: which runs to start, how many at once, and the output. Keep out: executing a run (workers.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from rich.console import Console

from orgdata_dagster.cli import workers
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.cli.progress_view import ProgressView
from orgdata_dagster.cli.signals import Interrupted
from orgdata_dagster.cli.stopped_pull import close_runs, landed
from orgdata_dagster.cli.workers import Outcome, Task
from orgdata_dagster.orchestration.assets.resuming import interrupted, pull_began
from orgdata_dagster.orchestration.instance.setup import make_ready, shared_instance
from orgdata_dagster.orchestration.partitions import key_of, keys_between
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.orchestration.tags import GO_ON_TAG, PULL_BEGAN_TAG, RESUME_TAG

_RUNS_AT_ONCE, _MOST_RUNS_AT_ONCE = 4, 8  # one per vendor within these bounds, so that no vendor delays the others
# Many small tables share runs, because a run costs Dagster more than a small table does. A run takes a sixth of the
# waiting tables, so that the last runs have one table each and end at about the same time.
_PARTS = 6


def day(text: str | None, option: str) -> date:
    """Parse a day from the command line (default: today). Raises UserError if it is not a day, or in the future."""
    today = datetime.now(UTC).date()
    if text is None or text == "today":
        return today
    try:
        value = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text!r} is not a day; write YYYY-MM-DD, as in {option} {today}") from None
    if value > today:
        raise UserError(f"{option} {value} is in the future; the last possible day is today ({today}, UTC)")
    return value


def days_of(first: str | None, last: str | None) -> tuple[date, date]:
    """The first and last day that --from and --to select. Raises UserError for an invalid day or the wrong order."""
    until = day(last, "--to")
    since = day(first, "--from") if first else until
    if since > until:
        raise UserError(f"--from {since} is later than --to {until}")
    return since, until


def pull(
    loaded: LoadedProject,
    keys: Sequence[dg.AssetKey],
    first: date,
    last: date,
    console: Console,
    *,
    tags: Mapping[str, str] | None = None,
    resume: bool = False,
    go_on: str = "",
) -> list[Outcome]:
    """Run every asset for the days from `first` to `last`, inclusive, and wait; outcomes in the order of `keys`.

    A downstream asset runs after its upstream assets, and is skipped if one of them failed. Many tables of a vendor
    share runs.

    tags: added to every run.
    resume: skip what the last pull of an asset landed, if that pull failed, was stopped or was killed.
    go_on: the command that continues this pull.

    Raises UserError if a vendor is not configured. Raises Interrupted; its summary says what has landed, and `go_on`.
    """
    loaded.check_configured(keys)
    with shared_instance() as instance:
        for run_id in make_ready(instance, loaded.resources):
            console.print(f"cleaned up run {run_id[:8]}, whose process was killed", style="dim")
        began = interrupted(instance) if resume else {}
    graph = loaded.defs.resolve_asset_graph()
    tasks = [task_of(key, first, last, graph.get(key).partitions_def) for key in keys]
    shared = {**(tags or {}), PULL_BEGAN_TAG: pull_began(len(tasks)), **({GO_ON_TAG: go_on} if go_on else {})}
    tasks = [replace(task, tags={**shared, **_resumed(began, key)}) for key, task in zip(keys, tasks, strict=True)]
    made_of = {key: (graph.get_ancestor_asset_keys(key) & set(keys)) - {key} for key in keys}
    after = {key.to_user_string(): {one.to_user_string() for one in made_of[key]} for key in keys}
    kinds = {
        task.asset: _kind(key, task, graph.get(key).partitions_def)
        for key, task in zip(keys, tasks, strict=True)
        if not made_of[key] and loaded.shares_runs(key)
    }
    outcomes = {}
    view = ProgressView(console, [task.asset for task in tasks])
    try:
        slots = Slots(loaded.resources, runs_at_once(tasks))
        with_pandas = not all(map(loaded.is_ours, keys))
        with workers.executor(slots.at_once, loaded.job, with_pandas=with_pandas) as (pool, progress), view:
            view.listen(progress)
            for outcome in _run_all(pool, tasks, after, kinds, slots, view):
                outcomes[outcome.task.asset] = outcome
                view.ended(outcome.task.asset, outcome.error)
    except Interrupted as stop:
        close_runs(shared[PULL_BEGAN_TAG], str(stop))
        view.catch_up()
        sizes = {
            key.to_user_string(): len(_partitions(graph.get(key).partitions_def, first, last)) or 1 for key in keys
        }
        stop.summary = f"{view.written or landed(tasks, sizes)}; continue with: {go_on}"
        raise
    return [outcomes[task.asset] for task in tasks]


def as_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The outcomes as `--json` prints them."""
    return [
        {
            "asset": outcome.task.asset,
            "first": outcome.task.first,
            "last": outcome.task.last,
            "run_id": outcome.run_id,
            "error": outcome.error,
            "superseded": list(outcome.superseded),
        }
        for outcome in outcomes
    ]


def task_of(key: dg.AssetKey, first: date, last: date, partitions: dg.PartitionsDefinition | None) -> Task:
    names = _partitions(partitions, first, last)
    return Task(key.to_user_string(), names[0], names[-1]) if names else Task(key.to_user_string(), None, None)


def _partitions(partitions: dg.PartitionsDefinition | None, first: date, last: date) -> list[str]:
    """The asset's partitions from the first to the last day; empty if it has no partitions."""
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return keys_between(partitions, first, last)
    return [key_of(partitions, day) for day in (first, last)] if partitions else []


def _kind(key: dg.AssetKey, task: Task, partitions: dg.PartitionsDefinition | None) -> Hashable:
    """A value that is equal for tables that may share a run."""
    return key.path[0], task.first, task.last, partitions, frozenset(task.tags.items())


def _resumed(began: Mapping[dg.AssetKey, datetime], key: dg.AssetKey) -> dict[str, str]:
    return {RESUME_TAG: began[key].isoformat()} if key in began else {}


def _vendor(task: Task) -> str:
    return task.asset.split("/")[0]


def runs_at_once(tasks: Sequence[Task]) -> int:
    """The number of concurrent runs."""
    vendors = len(set(map(_vendor, tasks)))
    return min(len(tasks), _MOST_RUNS_AT_ONCE, max(_RUNS_AT_ONCE, vendors))


@dataclass
class Slots:
    """Decides which task runs next. Vendors take turns; none gets more runs than its pool has slots for.

    at_once: the number of concurrent runs.
    """

    resources: Any
    at_once: int
    taken: Counter[str] = field(default_factory=Counter)
    begun: Counter[str] = field(default_factory=Counter)

    def next(self, waiting: Iterable[Task]) -> Task | None:
        """Take a slot for a task of the vendor with the fewest current runs, then with the fewest runs so far."""
        if self.taken.total() >= self.at_once:
            return None
        free = (task for task in waiting if self._has_room(_vendor(task)))
        task = min(free, key=lambda task: (self.taken[_vendor(task)], self.begun[_vendor(task)]), default=None)
        if task is not None:
            self.taken[_vendor(task)] += 1
            self.begun[_vendor(task)] += 1
        return task

    def give_back(self, task: Task) -> None:
        self.taken[_vendor(task)] -= 1

    def _has_room(self, vendor: str) -> bool:
        resource = self.resources.get(vendor)
        limit = resource.rule().in_flight if isinstance(resource, VendorResource) else None
        return limit is None or self.taken[vendor] < limit


def _run_all(
    pool: ProcessPoolExecutor,
    tasks: Sequence[Task],
    after: Mapping[str, set[str]],
    kinds: Mapping[str, Hashable],
    slots: Slots,
    view: ProgressView,
) -> Iterator[Outcome]:
    """Run all tasks; yields each outcome when its run has ended.

    after: asset -> its upstream assets among the tasks, which must land first.
    kinds: asset -> a value that is equal for assets that may share a run.
    """
    waiting, going = list(tasks), dict[Future[list[Outcome]], Sequence[Task]]()
    landed, failed = set[str](), set[str]()
    while waiting or going:
        for task in [task for task in waiting if after[task.asset] & failed]:
            waiting.remove(task)
            failed.add(task.asset)
            yield Outcome(task, "", f"skipped because {', '.join(sorted(after[task.asset] & failed))} failed")
        while begun := slots.next(one for one in waiting if after[one.asset] <= landed):
            together = _together(begun, waiting, kinds)
            waiting = [other for other in waiting if other not in together]
            going[_submitted(pool, together)] = together
            view.begun(begun.asset)
        done, _ = wait(going, timeout=0.2, return_when=FIRST_COMPLETED)
        view.catch_up()
        for future in done:
            ended = going.pop(future)
            slots.give_back(ended[0])
            for outcome in _outcomes(future, ended):
                (failed if outcome.error else landed).add(outcome.task.asset)
                yield outcome


def _outcomes(future: Future[list[Outcome]], tasks: Sequence[Task]) -> list[Outcome]:
    """The outcomes of a run. A run that cannot start fails alone; the others go on."""
    try:
        return future.result()
    except BrokenProcessPool:
        message = "a worker process was killed; nothing is lost: run the pull again"
    except Exception as error:  # noqa: BLE001 - every error becomes one line, never a traceback
        message = reason(error)
    return [Outcome(task, "", message) for task in tasks]


def _together(task: Task, waiting: Sequence[Task], kinds: Mapping[str, Hashable]) -> list[Task]:
    """The tasks that share the next run with `task`, which is the first of them."""
    kind = kinds.get(task.asset)
    alike = [other for other in waiting if kind is not None and kinds.get(other.asset) == kind and other != task]
    return [task, *alike[: len(alike) // _PARTS]]


def _submitted(pool: ProcessPoolExecutor, tasks: Sequence[Task]) -> Future[list[Outcome]]:
    """Submit the tasks of a run to a worker; if the pool is broken, return a future that has failed."""
    try:
        return pool.submit(workers.run, tasks)
    except BrokenProcessPool as error:
        failed: Future[list[Outcome]] = Future()
        failed.set_exception(error)
        return failed
