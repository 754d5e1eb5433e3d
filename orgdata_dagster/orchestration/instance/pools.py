"""Concurrency pools: how many steps of a vendor run at once, over all runs and processes.

Here: setting the instance's pool limits to those in the YAML files. Keep out: requests per time (http/rate_limit/).

A pool limits steps, and the rate limit limits requests. The pool has `concurrent` slots, because more steps than
concurrent requests would only wait for each other and use memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from sqlalchemy.exc import IntegrityError

from orgdata_dagster.orchestration.resources import VendorResource

UNBOUNDED = 16  # slots of a vendor with `concurrent: null`


def pool(vendor: str) -> str:
    """The name of a vendor's pool."""
    return f"{vendor}_api"


def apply_limits(instance: dg.DagsterInstance, resources: Mapping[str, object]) -> dict[str, int]:
    """Set every vendor's pool to its limit; returns pool -> limit."""
    for name, limit in wrong_limits(instance, resources).items():
        try:
            instance.event_log_storage.set_concurrency_slots(name, limit)
        except IntegrityError:  # another machine has just created the same pool, perhaps for an older defs.yaml
            instance.event_log_storage.set_concurrency_slots(name, limit)
    return limits_of(resources)


def wrong_limits(instance: dg.DagsterInstance, resources: Mapping[str, object]) -> dict[str, int]:
    """Pool with a wrong limit -> the limit that it should have."""
    infos = {name: instance.event_log_storage.get_concurrency_info(name) for name in limits_of(resources)}
    return {
        name: limit
        for name, limit in limits_of(resources).items()
        if infos[name].using_default_limit or infos[name].slot_count != limit
    }


def limits_of(resources: Mapping[str, object]) -> dict[str, int]:
    """Pool -> limit, for every vendor."""
    return {
        pool(resource.vendor): resource.rule().in_flight or UNBOUNDED
        for resource in resources.values()
        if isinstance(resource, VendorResource)
    }
