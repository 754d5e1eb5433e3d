"""Dependencies on the views beside vendors' tables: an asset that reads `tracker.users_current` depends on the asset
`tracker/users`, whichever vendor or account it is.

Here: `on_tables`. Keep out: which tables an SQL reads (writeback/source.py), the views (warehouse/commit/views.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.tags import PULLS_TAG
from orgdata_dagster.warehouse.names import folded

_ENDINGS = ("_current", "_history", "_merges")


def on_tables(assets: Sequence[Any]) -> list[Any]:
    """The assets, with dependencies on vendors' tables in place of those on their views."""
    tables = {
        _folded(spec.key): spec.key
        for asset in assets
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable and PULLS_TAG in asset.node_def.tags
        for spec in asset.specs
    }
    known = {key for asset in assets for key in getattr(asset, "keys", ())}
    return [_corrected(asset, tables, known) for asset in assets]


def _corrected(asset: Any, tables: Mapping[tuple[str, ...], dg.AssetKey], known: set[dg.AssetKey]) -> Any:
    if not isinstance(asset, dg.AssetsDefinition):
        return asset
    meant = {
        dep.asset_key: table
        for spec in asset.specs
        for dep in spec.deps
        if dep.asset_key not in known and (table := _table(dep.asset_key, tables))
    }
    if not meant:
        return asset

    def replaced(spec: dg.AssetSpec) -> dg.AssetSpec:
        deps = {meant.get(dep.asset_key, dep.asset_key): dep for dep in spec.deps}
        return spec.replace_attributes(
            deps=[dep if dep.asset_key == key else dg.AssetDep(key) for key, dep in deps.items()]
        )

    return asset.map_asset_specs(replaced)


def _table(key: dg.AssetKey, tables: Mapping[tuple[str, ...], dg.AssetKey]) -> dg.AssetKey | None:
    *schema, name = _folded(key)
    names = [name, *(name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending))]
    return next((tables[path] for each in names if (path := (*schema, each)) in tables), None)


def _folded(key: dg.AssetKey) -> tuple[str, ...]:
    return tuple(map(folded, key.path))
