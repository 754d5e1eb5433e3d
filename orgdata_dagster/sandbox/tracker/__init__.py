"""A small tracker, simulated: the vendor of `docs/add_a_vendor.md`, and of the tests of `type: RestApi`.

Here: the endpoints (`api`), the pagings that are met in the wild (`shapes`), rows that change (`rows`).
Add here when: a paging is met that none of the shapes has. Keep out: anything another vendor could use.
"""

from orgdata_dagster.sandbox.tracker.api import CLIENT, SECRET, TOKEN, Asked, Tracker, demo

__all__ = ["CLIENT", "SECRET", "TOKEN", "Asked", "Tracker", "demo"]
