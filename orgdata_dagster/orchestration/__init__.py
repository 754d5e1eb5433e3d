"""What all vendors share in Dagster. Only this package and the vendors know both HTTP and the warehouse.

Here: the connection of the two at import. Keep out: everything else (the modules in this package).
"""

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.warehouse.excerpts import excerpt_with

excerpt_with(excerpt)  # the warehouse quotes data in its errors, and http/ removes secrets from it
