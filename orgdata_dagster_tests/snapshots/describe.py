"""A project as text: all of its Dagster definitions, one after the other.

Here: `described`. Add here when: something about a definition matters to users and is not in the text.
Keep out: what depends on the day (figures, descriptions) and what Dagster itself adds (where the code is).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
from pydantic import BaseModel

from orgdata_dagster.orchestration.tags import op_tags

_DAGSTERS_OWN = {"dagster/code_references", "dagster/component_origin"}


def described(defs: dg.Definitions) -> str:
    """The text; the same project gives the same text."""
    repository = defs.get_repository_def()
    sections = [*_assets(defs), *_schedules(repository), *_sensors(repository), *_jobs(repository), *_resources(defs)]
    return "\n".join(sections) + "\n"


def _assets(defs: dg.Definitions) -> Iterator[str]:
    graph = defs.resolve_asset_graph()
    blocking = {spec.key: spec.blocking for each in defs.assets or () for spec in getattr(each, "check_specs", ())} | {
        spec.key: spec.blocking for each in defs.asset_checks or () for spec in each.check_specs
    }
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        if not node.is_executable:
            yield _section("asset", key.to_user_string(), {"kind": "external"})
            continue
        condition = node.automation_condition
        yield _section(
            "asset",
            key.to_user_string(),
            {
                "group": node.group_name,
                "kinds": _list(node.kinds),
                "owners": _list(node.owners),
                "tags": _list(f"{name}={value}" for name, value in node.tags.items() if "dagster/kind" not in name),
                "op tags": _list(f"{name}={value}" for name, value in op_tags(graph, key).items()),
                "pool": _list(node.pools),
                "upstream": _list(parent.to_user_string() for parent in node.parent_keys),
                "partitions": node.partitions_def,
                "backfills": node.backfill_policy,
                "automation": condition and _condition(condition),
                "metadata": _list(set(node.metadata) - _DAGSTERS_OWN),
                "checks": _list(
                    f"{check.name} (blocking)" if blocking.get(check) else check.name for check in node.check_keys
                ),
            },
        )


def _schedules(repository: dg.RepositoryDefinition) -> Iterator[str]:
    for each in sorted(repository.schedule_defs, key=lambda schedule: schedule.name):
        yield _section(
            "schedule",
            each.name,
            {
                "cron": f"{each.cron_schedule} {each.execution_timezone}",
                "status": each.default_status.value,
                "assets": _list(_targets(each, repository)),
            },
        )


def _sensors(repository: dg.RepositoryDefinition) -> Iterator[str]:
    for each in sorted(repository.sensor_defs, key=lambda sensor: sensor.name):
        yield _section(
            "sensor",
            each.name,
            {
                "type": each.sensor_type.value,
                "every": f"{each.minimum_interval_seconds} s",
                "status": each.default_status.value,
                "assets": each.asset_selection,
            },
        )


def _jobs(repository: dg.RepositoryDefinition) -> Iterator[str]:
    for name in sorted(repository.job_names):
        if "anonymous" not in name:
            job = repository.get_job(name)
            yield _section("job", name, {"executor": job.executor_def.name, "steps": len(job.nodes)})


def _resources(defs: dg.Definitions) -> Iterator[str]:
    for key, value in sorted((defs.resources or {}).items()):
        yield _section("resource", key, {"class": type(value).__name__, **dict(_fields(value, ""))})


def _fields(value: object, path: str) -> Iterator[tuple[str, object]]:
    """The fields of a resource, and of the options in it. `path`: where the value is, with a dot at its end."""
    for name in sorted(getattr(type(value), "model_fields", ())):
        field = getattr(value, name)
        if isinstance(field, BaseModel):
            yield from _fields(field, f"{path}{name}.")
        else:
            yield f"{path}{name}", _field(field)


def _targets(schedule: dg.ScheduleDefinition, repository: dg.RepositoryDefinition) -> Iterable[str]:
    selection = repository.get_job(schedule.job_name).asset_layer.selected_asset_keys
    return (key.to_user_string() for key in selection)


def _condition(condition: dg.AutomationCondition) -> str:
    children = ", ".join(map(_condition, condition.children))
    return condition.get_label() or (f"{condition.name}({children})" if children else condition.name)


def _field(value: object) -> object:
    return f"${value.env_var_name}" if isinstance(value, dg.EnvVar) else value


def _list(values: Iterable[object] | None) -> str:
    return ", ".join(sorted(map(str, values or ())))


def _section(kind: str, name: str, lines: dict[str, Any]) -> str:
    shown = [f"  {label}: {value}" for label, value in lines.items() if value not in (None, "")]
    return "\n".join([f"{kind} {name}", *shown])
