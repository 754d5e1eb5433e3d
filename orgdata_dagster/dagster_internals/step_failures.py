"""Shortening the traceback of `dagster.Failure` in the UI.

Here: `install`, which keeps only one frame of the traceback: the one that raised the Failure. Keep out: the text of a
Failure (orchestration/assets/failures.py).

Why: a Failure contains its reason, but Dagster also shows 15 frames, nearly all of them its own, which hide the reason.
Other errors keep their whole traceback. Fallback: all frames are shown.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Any

from orgdata_dagster.dagster_internals import NotThere, private


def install() -> None:
    """Shorten the tracebacks of Failures in every run of this process. May be called several times."""
    with suppress(NotThere), private("events of failed steps"):
        from dagster._core.execution.plan import execute_plan, objects

        original = objects.step_failure_event_from_exc_info
        if execute_plan.step_failure_event_from_exc_info is not original:
            return

        def shortened(context: Any, exc_info: Any, user_failure_data: Any = None, *args: Any, **named: Any) -> Any:
            if user_failure_data is not None:
                exc_info = (*exc_info[:2], _last(exc_info[2]))
            return original(context, exc_info, user_failure_data, *args, **named)

        vars(execute_plan)["step_failure_event_from_exc_info"] = shortened


def _last(frames: TracebackType) -> TracebackType:
    while frames.tb_next is not None:
        frames = frames.tb_next
    return frames
