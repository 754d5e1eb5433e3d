"""`orgdata schema`: a JSON schema of the YAML files, for completion in editors.

Here: creating it from the Components' models. Keep out: the models (vendors/).
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

import orgdata_dagster

_OURS = r"^orgdata_dagster\."


def schema() -> dict[str, Any]:
    """The schema of every `defs.yaml`: the value of `type` decides which attributes are allowed.

    A type in the user's own code, or of another package, may have any attributes.
    """
    choices, shared = list[dict[str, Any]](), dict[str, Any]()
    for name in orgdata_dagster.__all__:
        attributes = TypeAdapter[Any](getattr(orgdata_dagster, name)).json_schema(
            ref_template=f"#/$defs/{name}.{{model}}"
        )
        for model, made in attributes.pop("$defs", {}).items():
            shared[f"{name}.{model}"] = made
        shared[name] = attributes
        choices.append(
            {
                "type": "object",
                "properties": {
                    "type": {"const": f"orgdata_dagster.{name}"},
                    "attributes": {"$ref": f"#/$defs/{name}"},
                },
                "required": ["type", "attributes"],
            }
        )
    choices.append({"type": "object", "properties": {"type": {"not": {"pattern": _OURS}}}, "required": ["type"]})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "orgdata defs.yaml",
        "oneOf": choices,
        "$defs": shared,
    }
