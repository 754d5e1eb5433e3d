"""together, simulated (`vendor_apis/together.md`).

Here: the API (`api`), its reports (`report`), data for demos (`demo_data`) and benchmarks (`big`).
Add here when: the vendor's document says more than the simulation does.
Keep out: what another vendor could use; that belongs one level up.
"""

from orgdata_dagster.sandbox.together.api import Together, document_limits
from orgdata_dagster.sandbox.together.big import big
from orgdata_dagster.sandbox.together.demo_data import demo
from orgdata_dagster.sandbox.together.report import Report

__all__ = ["Report", "Together", "big", "demo", "document_limits"]
