"""The kinds of paging of well-known APIs, each over the same kind of rows.

Here: one function per kind, from request to answer. Add here when: a real API has another kind.
Keep out: rows (`rows`), routes and credentials (`api`).
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orgdata_dagster.sandbox.csv_text import line
from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.tracker.rows import Item, Rows, instant


def cursor(request: Request, rows: list[Item], size: int) -> Response:
    """An opaque cursor in the body: `meta.next_cursor`, null at the end."""
    after = request.query_params.get("after")
    start = int(base64.urlsafe_b64decode(after).decode()) if after else 0
    left = sorted((row for row in rows if row["id"] > start), key=lambda row: row["id"])
    page = left[:size]
    following = base64.urlsafe_b64encode(str(page[-1]["id"]).encode()).decode() if len(left) > size else None
    count_rows(request, len(page))
    return JSONResponse({"data": {"items": page}, "meta": {"next_cursor": following}})


def link_header(request: Request, rows: Rows, size: int) -> Response:
    """Header `Link` with page numbers; parameter `since`; rows in the order of their last change."""
    since, page = request.query_params.get("since"), int(request.query_params.get("page", 1))
    found = rows.between(instant(since) if since else None)
    part = found[(page - 1) * size : page * size]
    links = [f'<{request.url.include_query_params(page=1)}>; rel="first"']
    if page * size < len(found):
        links.insert(0, f'<{request.url.include_query_params(page=page + 1)}>; rel="next"')
    count_rows(request, len(part))
    return JSONResponse(part, headers={"link": ", ".join(links)})


def last_id(request: Request, rows: Rows, size: int) -> Response:
    """Newest first; parameter `starting_after`; the flag `has_more`."""
    after = request.query_params.get("starting_after")
    left = [row for row in reversed(rows.all()) if after is None or row["id"] < int(after)]
    size = min(size, int(request.query_params.get("limit", size)))
    count_rows(request, len(left[:size]))
    return JSONResponse({"object": "list", "data": left[:size], "has_more": len(left) > size})


def export(request: Request, rows: Rows, size: int) -> Response:
    """An incremental export: rows changed since `start_time` (epoch); always a link; the flag `end_of_stream`."""
    mark = request.query_params.get("cursor")
    found = rows.between(datetime.fromtimestamp(int(request.query_params.get("start_time", 0)), UTC))
    if mark:
        at, _, number = mark.partition("|")
        found = [row for row in found if (row["updated_at"], row["id"]) > (at, int(number))]
    page = found[:size]
    place = f"{page[-1]['updated_at']}|{page[-1]['id']}" if page else mark or "|0"
    following = str(request.url.include_query_params(cursor=place))
    count_rows(request, len(page))
    body = {"tickets": page, "count": len(page), "next_page": following, "end_of_stream": len(found) <= size}
    return JSONResponse(body)


async def search(request: Request, rows: Rows, size: int) -> Response:
    """POST with filter, limit and offset in the body; `total` and the next offset in the answer."""
    body: dict[str, Any] = await request.json()
    since = None
    for condition in body.get("filters", []):
        if condition["operator"] == "GTE" and condition["value"] is not None:
            since = datetime.fromtimestamp(int(condition["value"]) / 1000, UTC)
    found, start = rows.between(since), int(body.get("after") or 0)
    size = min(size, int(body.get("limit", size)))
    page = found[start : start + size]
    answer: dict[str, Any] = {"total": len(found), "results": page}
    if start + size < len(found):
        answer["paging"] = {"next": {"after": str(start + size)}}
    count_rows(request, len(page))
    return JSONResponse(answer)


def offset(request: Request, rows: Rows, size: int) -> Response:
    """`offset` and `limit`, which is silently reduced to the vendor's maximum; `total` in the answer."""
    start, limit = int(request.query_params.get("offset", 0)), int(request.query_params.get("limit", size))
    found = rows.all()
    page = found[start : start + min(limit, size)]
    count_rows(request, len(page))
    return JSONResponse({"total": len(found), "items": page})


def header_cursor(request: Request, rows: Rows, size: int) -> Response:
    """A cursor in the header `X-Next`; changes as epoch seconds and milliseconds, filtered by `since` (epoch)."""
    since, after = int(request.query_params.get("since", 0)), int(request.query_params.get("after", 0))
    left = [row for row in rows.all() if row["id"] > after and instant(row["updated_at"]).timestamp() >= since]
    page = [
        {"id": row["id"], "title": row["title"], "at": int(instant(row["updated_at"]).timestamp()),
         "at_ms": round(instant(row["updated_at"]).timestamp() * 1000)}
        for row in left[:size]
    ]  # fmt: skip
    count_rows(request, len(page))
    return JSONResponse(page, headers={"x-next": str(page[-1]["id"])} if len(left) > size else {})


def json_lines(request: Request, rows: Rows) -> Response:
    """All rows, one JSON object per line."""
    found = rows.all()
    count_rows(request, len(found))
    return Response("".join(f"{json.dumps(row)}\n" for row in found), media_type="application/x-ndjson")


def csv_in_json(request: Request, rows: Rows) -> Response:
    """All rows as CSV in the string `report.text`."""
    found = rows.all()
    names = ("id", "updated_at", "title", "points")
    texts = ([None if row.get(name) is None else str(row[name]) for name in names] for row in found)
    count_rows(request, len(found))
    return JSONResponse({"report": {"text": b"".join(line(row, "\n") for row in (names, *texts)).decode()}})


def csv_of_day(request: Request, rows: Rows) -> Response:
    """All rows of a day as CSV; only the header if there are none."""
    day = instant(request.query_params["date"])
    found = rows.between(day, day + timedelta(days=1))
    names = ("id", "updated_at", "title", "points")
    rows_as_text = ([None if row.get(name) is None else str(row[name]) for name in names] for row in found)
    count_rows(request, len(found))
    return Response(b"".join(line(row, "\n") for row in (names, *rows_as_text)), media_type="text/csv")
