"""institution_analytics, simulated (`vendor_apis/institution_analytics.md`).

Here: the API (`api`), its data sets (`data_set`), data for demos (`demo_data`) and benchmarks (`bulk`).
Add here when: the vendor's document says more than the simulation does.
Keep out: what another vendor could use; that belongs one level up.
"""

from orgdata_dagster.sandbox.institution_analytics.api import POLITE, InstitutionAnalytics, SeenRequest
from orgdata_dagster.sandbox.institution_analytics.bulk import bulk
from orgdata_dagster.sandbox.institution_analytics.data_set import DataSet, coarse, local
from orgdata_dagster.sandbox.institution_analytics.demo_data import demo

__all__ = ["POLITE", "DataSet", "InstitutionAnalytics", "SeenRequest", "bulk", "coarse", "demo", "local"]
