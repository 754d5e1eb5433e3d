"""The fields that are allowed at a place in a YAML file.

Here: `fields_at`, from the models of the components. Keep out: problems of a file (yaml_errors.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import pydantic

Model = type[pydantic.BaseModel]


def fields_at(model: Model, location: Sequence[int | str]) -> list[str]:
    """The names of the fields at a location below a model, in order. If several models are allowed, those of all."""
    models: list[Model] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        below = [each for one in models for each in _below(one, part)]
        models = below or [one for one in models if _is_tagged(one, part)] or models
    return list(dict.fromkeys(field.alias or name for one in models for name, field in one.model_fields.items()))


def _below(model: Model, name: str) -> Iterator[Model]:
    """The models that a field of a model may contain, directly or in lists."""
    for own, field in model.model_fields.items():
        if name in (own, field.alias):
            yield from _models(field.annotation)


def _models(annotation: Any) -> Iterator[Model]:
    annotation = getattr(annotation, "__value__", annotation)  # resolve a type alias
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_tagged(model: Model, tag: str) -> bool:
    """Whether a model is the one of a union that this tag selects."""
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())
