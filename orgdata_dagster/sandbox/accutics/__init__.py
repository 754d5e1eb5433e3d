"""accutics, simulated (`vendor_apis/accutics.md`).

Here: the endpoints (`api`), entities and their rows (`entity`), the search language (`search`), both pagings
(`paging`), tokens (`tokens`), data for demos (`demo_data`).
Add here when: the vendor's document says more than the simulation does.
Keep out: anything another vendor could use; that belongs to the kit.
"""

from orgdata_dagster.sandbox.accutics.api import POLITE, Accutics, Asked
from orgdata_dagster.sandbox.accutics.demo_data import demo
from orgdata_dagster.sandbox.accutics.entity import Entity
from orgdata_dagster.sandbox.accutics.search import Dimension
from orgdata_dagster.sandbox.accutics.tokens import jwt

__all__ = ["POLITE", "Accutics", "Asked", "Dimension", "Entity", "demo", "jwt"]
