"""Runs that write to a vendor: how they are told from those that read, and what they are told.

Here: the tags. Keep out: what is written (the vendor's folder), the command that sets them (cli/sync.py).
"""

WRITES = "orgdata/writes"  # an asset's tag: its run writes to the vendor, and `orgdata sync` knows it by this name
DRY_RUN_TAG = "orgdata/dry_run"  # a run's tag, "true": show what would be sent, whatever the YAML says
ONLY_REJECTED_TAG = "orgdata/only_rejected"  # a run's tag, "true": send only rows that are rejected at present
PLAN = "plan"  # the entry of a run's metadata that the terminal prints
