"""octolis, simulated (`vendor_apis/octolis.md`), reading and writing.

Here: the endpoints (`api`), what a read asks and gets (`query`, `export`), what a write does (`writing`, `dataset`,
`schema`, `columns`), webhooks, errors (`problems`), data for demos (`demo_data`) and benchmarks (`bulk`).
Add here when: the vendor's document says more than the simulation does.
Keep out: anything another vendor could use; that belongs to the kit.
"""

from orgdata_dagster.sandbox.octolis.api import DOCUMENTED, Asked, Octolis
from orgdata_dagster.sandbox.octolis.bulk import BULK, bulk
from orgdata_dagster.sandbox.octolis.columns import Column
from orgdata_dagster.sandbox.octolis.dataset import Dataset, Written
from orgdata_dagster.sandbox.octolis.demo_data import DATASETS, demo
from orgdata_dagster.sandbox.octolis.problems import Problem
from orgdata_dagster.sandbox.octolis.webhooks import Webhook, WebhookCall

__all__ = [
    "BULK", "DATASETS", "DOCUMENTED", "Asked", "Column", "Dataset", "Octolis", "Problem", "Webhook", "WebhookCall",
    "Written", "bulk", "demo",
]  # fmt: skip
