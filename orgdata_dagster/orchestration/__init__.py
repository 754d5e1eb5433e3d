"""What all vendors share in Dagster; the only place that knows both HTTP and the warehouse.

Here: what ties the two together before anything is done. Keep out: everything else (the modules beside this one).
"""

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.warehouse.excerpts import excerpt_with

excerpt_with(excerpt)  # the warehouse quotes data in its errors, but knows no secrets
