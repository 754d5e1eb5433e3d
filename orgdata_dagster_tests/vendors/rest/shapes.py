"""The six shapes of well-known APIs as a user writes them in YAML, 10 to 30 lines each and no Python.

Here: the YAML, against the sandbox's tracker. Add here: another shape. Keep out: assertions.
"""

HEAD = """
type: orgdata_dagster.RestApi
attributes:
  vendor: tracker
  auth: {type: bearer, token: TRACKER_TOKEN}
  limits: {concurrent: 4, windows: [], headers: auto}
  retries: {attempts: 6, first_wait: 0.01}
  cron: null
  start_date: "START"
  tables:
"""

LINKS = """
    - name: links
      path: /links
      paginator: {type: header_link, stands_at: number, page_size: 20, size_parameter: per_page}
      key: [id]
      incremental: {column: updated_at, from: since, format: iso8601, lookback: 60s}
"""
CHARGES = """
    - name: charges
      path: /charges
      records: data
      paginator:
        type: last_id
        id: id
        parameter: starting_after
        stop: has_more
        has_more: has_more
        page_size: 20
        size_parameter: limit
      key: [id]
"""
TICKETS = """
    - name: tickets
      path: /tickets
      records: tickets
      paginator: {type: json_link, next: next_page, end_of_list: end_of_stream, stands_at: row}
      key: [id]
      incremental: {column: updated_at, from: start_time, format: epoch, initial_value: "2026-01-01"}
"""
CONTACTS = """
    - name: contacts
      path: /contacts
      method: POST
      body: {filters: [{field: updated_at, operator: GTE, value: null}], limit: 100}
      records: results
      paginator: {type: cursor, cursor: paging.next.after, parameter: after, total: total}
      key: [id]
      incremental: {column: updated_at, from: filters.0.value, format: epoch_ms, initial_value: "2026-01-01"}
"""
ORDERS = """
    - name: orders
      path: /orders
      records: items
      paginator:
        type: offset
        parameter: offset
        size_parameter: limit
        page_size: 50
        stop: total
        total: total
      key: [id]
"""
EVENTS = """
    - name: events
      path: /events
      params: {date: "{day}"}
      format: csv
      paginator: {type: single_page}
      partitions: day
      key: [id]
"""
ISSUES = """
    - name: projects
      path: /v2/projects
      records: data.items
      paginator: {type: single_page}
      key: [id]
    - name: issues
      path: /v2/projects/{project}/issues
      each: {project: projects.id}
      records: data.items
      paginator: {type: cursor, cursor: meta.next_cursor, parameter: after}
      key: [id]
      incremental:
        {column: updated_at, from: updated_since, until: updated_before, format: iso8601, lookback: 10m}
      partitions: day
"""
SHAPES = {
    "links": LINKS,
    "charges": CHARGES,
    "tickets": TICKETS,
    "contacts": CONTACTS,
    "orders": ORDERS,
    "events": EVENTS,
}
