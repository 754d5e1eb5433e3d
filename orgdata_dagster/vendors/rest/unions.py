"""Unions of options that are distinguished by `type:`.

Here: how Dagster resolves them: as plain values first, which pydantic then checks as a whole. Dagster's own resolving
gives every field a second type for templates, and then `type` does not distinguish the members any more.
Keep out: the options themselves (paging.py, authentication.py).
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import TypeAdapter


def by_type(union: Any) -> dg.Resolver:
    """The resolver of a union of models that differ in `type`."""

    def resolve(context: dg.ResolutionContext, written: Any) -> Any:
        return TypeAdapter[Any](union).validate_python(context.resolve_value(written))

    return dg.Resolver(fn=resolve, model_field_type=dict[str, Any])
