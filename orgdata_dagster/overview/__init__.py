"""What people look at first: the state of all tables, limits and failures, as data, as a page, as an asset.

Here: one module per concern. Add here when: the overview should know something else.
Keep out: printing on a terminal (cli/status_report.py). Only failures_in_dagster.py, from_definitions.py, markdown.py
and asset.py import Dagster, because `orgdata status` must not wait for it.
"""
