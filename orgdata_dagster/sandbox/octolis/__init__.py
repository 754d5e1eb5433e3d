"""octolis, simulated (`vendor_apis/octolis.md`), reading and writing.

Here: the endpoints (`api`), reading (`query`, `export`), writing (`writing`, `dataset`,
`schema`, `columns`), webhooks, errors (`problems`), data for demos (`demo_data`) and benchmarks (`bulk`).
Add here when: the vendor's document says more than the simulation does.
Keep out: what another vendor could use; that belongs one level up.
"""

from orgdata_dagster.sandbox.octolis.api import DOCUMENTED, Octolis, SeenRequest
from orgdata_dagster.sandbox.octolis.bulk import BULK, bulk
from orgdata_dagster.sandbox.octolis.columns import Column
from orgdata_dagster.sandbox.octolis.dataset import Dataset, Written
from orgdata_dagster.sandbox.octolis.demo_data import DATASETS, demo
from orgdata_dagster.sandbox.octolis.problems import Problem
from orgdata_dagster.sandbox.octolis.webhooks import Webhook, WebhookCall

__all__ = [
    "BULK", "DATASETS", "DOCUMENTED", "Column", "Dataset", "Octolis", "Problem", "SeenRequest", "Webhook",
    "WebhookCall", "Written", "bulk", "demo",
]  # fmt: skip
