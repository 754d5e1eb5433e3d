"""Unions of options that are distinguished by `type:`.

Here: their resolver: first into plain values, which pydantic then validates as a whole. Dagster's own resolver gives
every field a second type, for templates, so that `type` no longer distinguishes the members.
Keep out: the options themselves (paginator_options.py, auth_options.py).
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import TypeAdapter


def by_type(union: Any) -> dg.Resolver:
    """The resolver of a union of models that are distinguished by `type`."""

    def resolve(context: dg.ResolutionContext, written: Any) -> Any:
        return TypeAdapter[Any](union).validate_python(context.resolve_value(written))

    return dg.Resolver(fn=resolve, model_field_type=dict[str, Any])
