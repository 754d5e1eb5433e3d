"""orgdata: the data of SaaS vendors as complete, typed tables, on Dagster.

Here: the names that YAML files use (`type: orgdata_dagster.InstitutionAnalytics`). They are imported on first use, so
that importing `orgdata_dagster.http` or `orgdata_dagster.warehouse` does not import Dagster.
Add here when: a vendor has a new Component: one line, which is its only registration. Of a vendor's Components, the
one that pulls comes first.
"""

from importlib import import_module
from typing import Any

_COMPONENTS = {
    "Accutics": "orgdata_dagster.vendors.accutics.component",
    "ChannelReports": "orgdata_dagster.vendors.channel_reports.component",
    "InstitutionAnalytics": "orgdata_dagster.vendors.institution_analytics.component",
    "Octolis": "orgdata_dagster.vendors.octolis.component",
    "OctolisSync": "orgdata_dagster.vendors.octolis.sync.component",
    "OctolisWebhook": "orgdata_dagster.vendors.octolis.sync.webhook",
    "RestApi": "orgdata_dagster.vendors.rest.component",
    "Together": "orgdata_dagster.vendors.together.component",
}

__all__ = [*_COMPONENTS]


def component_types() -> dict[str, str]:
    """Vendor -> the first of its YAML types, which provides the vendor's resource."""
    types: dict[str, str] = {}
    for name, module in _COMPONENTS.items():
        if name != "RestApi":  # it has no vendor of its own
            types.setdefault(module.split(".")[2], f"{__name__}.{name}")
    return types


def __getattr__(name: str) -> Any:
    if module := _COMPONENTS.get(name):
        return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_COMPONENTS])
