"""The tags of ops and runs: every tag that orgdata writes or reads, and its meaning.

Here: names and values of tags. Add here when: there is another tag. Keep out: the effects of tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import dagster as dg

# Tags of the op behind an asset, for orgdata itself. The UI shows tags of an asset on its page, but not tags of its op.
PULLS_TAG = "orgdata/pulls"  # which partitions can be pulled, see PullKind
WRITES_TAG = "orgdata/writes"  # the asset writes to a vendor; its value is the name for `orgdata sync`
ESTIMATE_TAG = "orgdata/estimate"  # what a pull costs, as JSON, see planning/estimates.py

# Tags of runs, for orgdata itself. The UI does not show tags with this prefix.
PULL_BEGAN_TAG = ".dagster/orgdata_pull_began"  # the same for all runs of one `orgdata pull`, see resuming.pull_began
RESUME_TAG = ".dagster/orgdata_resume"  # the instant of the pull that this run continues
PROCESS_TAG = ".dagster/orgdata_process"  # the `identity` of the process that works on the run, see processes.py
GO_ON_TAG = ".dagster/orgdata_go_on"  # the command that continues a pull
VENDOR_TAG = ".dagster/orgdata_vendor"  # the vendor that the run counts for in the queue, see run_queue.py
TURN_TAG = ".dagster/orgdata_turn"  # the priority that the queue gave to the run, see run_queue.py
# The run's loaded partitions were reported to Dagster. The value is the run's id, because a retry inherits the tag.
REPORTED_TAG = ".dagster/orgdata_reported"

# Tags of runs, for users; the value "true" switches them on.
ACCEPT_SHRINK_TAG = "orgdata/accept_shrink"  # store an empty or much smaller answer
FULL_WALK_TAG = "orgdata/full_walk"  # read every record, not only changed ones
DRY_RUN_TAG = "orgdata/dry_run"  # only show what would be sent, regardless of the YAML
ONLY_REJECTED_TAG = "orgdata/only_rejected"  # send only rows that are currently rejected
ALL_TAG = "orgdata/send_all"  # send every valid row, also unchanged rows

# Dagster's own tags, which have no public names
PARTITION_NAME_TAG = "dagster/partition"
PRIORITY_TAG = "dagster/priority"
SCHEDULE_NAME_TAG = "dagster/schedule_name"
GRPC_INFO_TAG = ".dagster/grpc_info"  # on runs of the UI and the daemon: the code server that launched them
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

PullKind = Literal["days", "today", "whole"]
"""`days`: any partition at any time. `today`: only the current partition. `whole`: the table has no partitions."""


def op_tags(graph: Any, key: dg.AssetKey) -> Mapping[str, str]:
    """The tags of the op behind an asset; empty for an asset that nothing computes."""
    definition = graph.get(key).assets_def
    return definition.node_def.tags if definition.is_executable else {}


def pulled_assets(graph: Any) -> dict[dg.AssetKey, PullKind]:
    """Asset that lands a vendor's table -> its kind, sorted. Users' own assets are not included."""
    tagged = {key: op_tags(graph, key).get(PULLS_TAG) for key in graph.materializable_asset_keys}
    return {key: cast(PullKind, kind) for key, kind in sorted(tagged.items()) if kind}
