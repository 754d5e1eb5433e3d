"""The list of an entity of accutics: both kinds of paging, the envelope, and conditions of the search language.

Here: the `Listing` of an entity, and its conditions. Add here when: the document has another kind of paging.
Keep out: requests and paging (vendors/rest/, http/rest/), the search language (search.py), YAML (component.py).

`meta.pagination` names the next page. Only it decides where a list ends, because the vendor silently limits page sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

from orgdata_dagster.http.rest.errors import ErrorRules
from orgdata_dagster.http.rest.next_page import Cursor
from orgdata_dagster.http.rest.paginators import PageNumber, Paginator, Stop
from orgdata_dagster.vendors.accutics.search import Condition, search, where
from orgdata_dagster.vendors.rest.list_request import Listing

Paging = Literal["page", "cursor"]

ERRORS = ErrorRules(
    "error.code",
    "error.message",
    remedies={
        "invalid_route": "Unknown endpoint: correct `path` in defs.yaml or ACCUTICS_BASE_URL.",
        "authorization_header_missing": "No token was sent: set ACCUTICS_API_TOKEN.",
        "authorization": "The API user may not read this: give it a role in the account, or check ACCUTICS_API_TOKEN.",
    },
)
COLUMNS = {
    "id": "accutics' id of the entity.",
    "record_id": "accutics' id of the record that the row belongs to.",
    "created_at": "When the entity was created (UTC).",
    "updated_at": "When the entity was last changed (UTC).",
    "submission": "Name of the submission that the record came with.",
    "author": "Who created the entity; accutics searches it by name and e-mail address.",
    "updater": "Who last changed the entity; accutics searches it by name and e-mail address.",
    "match_status": "How the record matches the channel's data, such as synced, outdated, unmatched or out_of_sync.",
}
"""The dimensions of searches that have the same name in every entity."""


def listing(
    path: str,
    paging: Paging,
    key: Sequence[str],
    page_size: int = 500,
    cursor_column: str | None = None,
    conditions: Sequence[Condition] = (),
    sort: str = "",
) -> Listing:
    """The requests for an entity. `conditions` and `sort` are sent with every request."""
    params = {name: value for name, value in {"search": search(*conditions), "sort": sort}.items() if value}
    return Listing(
        path,
        partial(_paginator, paging, page_size),
        params=params,
        records="data",
        key=tuple(key),
        changed_at=cursor_column or "",
        newest_first=cursor_column is not None and sort.split(",")[0] == f"-{cursor_column}",
        expects=("meta.pagination",),
    )


def _paginator(paging: Paging, page_size: int) -> Paginator:
    at, other = "meta.pagination", "cursor" if paging == "page" else "page"
    remedy = f"If this list has the other kind of paging, set `paging: {other}` in defs.yaml; otherwise check `path`."
    options: dict[str, Any] = {"page_size": page_size, "size_parameter": "page_size", "remedy": remedy}
    if paging == "cursor":
        return Cursor(parameter=paging, cursor_at=f"{at}.next_cursor", next_at=f"{at}.next", **options)
    options |= {"total_at": f"{at}.total_items", "size_at": f"{at}.items_per_page"}
    return PageNumber(parameter=paging, stop=Stop("next", f"{at}.next"), sends_first=False, **options)


def searched(entity: Listing, *conditions: Condition) -> Listing:
    """The listing with additional conditions."""
    text = ";".join(filter(None, (entity.params.get("search"), search(*conditions))))
    return replace(entity, params={**entity.params, "search": text}) if text else entity


def changed_within(column: str, entity: Listing, start: datetime | None, end: datetime | None) -> Listing:
    """The listing of the rows last changed in `[start, end)`, in whole seconds; None: no bound."""
    bounds = {"gte": start, "lt": end}
    conditions = [where(column, name, at.replace(microsecond=0), kind="timestamp") for name, at in bounds.items() if at]
    return searched(entity, *conditions)
