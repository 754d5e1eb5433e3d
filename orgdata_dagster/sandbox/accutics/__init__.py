"""accutics, simulated (`vendor_apis/accutics.md`).

Here: the endpoints (`api`), entities and their rows (`entity`), the search language (`search`), both pagings
(`paging`), tokens (`tokens`), data for demos (`demo_data`).
Add here when: the vendor's document says more than the simulation does.
Keep out: what another vendor could use; that belongs one level up.
"""

from orgdata_dagster.sandbox.accutics.api import POLITE, Accutics, SeenRequest
from orgdata_dagster.sandbox.accutics.demo_data import demo
from orgdata_dagster.sandbox.accutics.entity import Entity
from orgdata_dagster.sandbox.accutics.search import Dimension
from orgdata_dagster.sandbox.accutics.tokens import jwt

__all__ = ["POLITE", "Accutics", "Dimension", "Entity", "SeenRequest", "demo", "jwt"]
