"""A small tracker, simulated: the vendor of `docs/add_a_vendor.md`, and of the tests of `type: RestApi`.

Here: the endpoints (`api`), kinds of paging of real APIs (`shapes`), rows that change (`rows`).
Add here when: a real API has another kind of paging. Keep out: what another vendor could use.
"""

from orgdata_dagster.sandbox.tracker.api import CLIENT, SECRET, TOKEN, SeenRequest, Tracker, demo

__all__ = ["CLIENT", "SECRET", "TOKEN", "SeenRequest", "Tracker", "demo"]
