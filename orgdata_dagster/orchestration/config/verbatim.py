"""Text of the YAML files that Dagster's templating must not change.

Here: `Verbatim`, a base of every component. Keep out: the options themselves.

Dagster renders every text as a template, and converts a result that looks like a Python value: `id: "123"` becomes the
number 123, `"1e5"` becomes 100000.0, `"1, 2"` a tuple. Text without a template is therefore quoted a second time.
"""

from __future__ import annotations

import ast
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel


class Verbatim(dg.Resolvable):
    """A component whose texts are exactly those in the YAML file."""

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """The component that the model describes; templates (`{{ ... }}`) are still rendered."""
        return super().resolve_from_model(context, quoted(model))


def quoted(value: Any) -> Any:
    """The value, in which each text that looks like a Python literal is quoted."""
    if isinstance(value, BaseModel):
        changed = {name: quoted(getattr(value, name)) for name in value.model_fields_set}
        return value.model_copy(update=changed)
    if isinstance(value, dict):
        return {key: quoted(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(quoted, value))
    return repr(value) if isinstance(value, str) and _is_literal(value) else value


def _is_literal(text: str) -> bool:
    if "{{" in text or "{%" in text or "{#" in text:
        return False
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True
