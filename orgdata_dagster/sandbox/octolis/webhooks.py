"""Webhooks: any JSON sent to the right id, by the right method, with the right headers, is kept.

Here: what a webhook accepts and what it was sent.
Add here when: the document (`vendor_apis/octolis.md`, "Webhooks Data API") asks for another condition.
Keep out: API keys, which are the vendor's; IP whitelists, since every test comes from one address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.datastructures import Headers

from orgdata_dagster.sandbox.octolis.problems import Problem


@dataclass(frozen=True)
class Webhook:
    """A webhook; `headers` is its whitelist, the entries each request must contain (names in any case)."""

    id: str
    methods: frozenset[Literal["POST", "PUT"]] = frozenset({"POST"})
    headers: Mapping[str, str] = field(default_factory=dict)

    def admit(self, method: str, headers: Headers) -> None:
        """Raises Problem for a request that is to be discarded; the document names no status."""
        if method not in self.methods:
            raise Problem(405, "Method not allowed", f"This webhook takes {', '.join(sorted(self.methods))}")
        if wrong := [name for name, value in self.headers.items() if headers.get(name) != value]:
            raise Problem(403, "Forbidden", f"Missing or wrong headers: {', '.join(wrong)}")


@dataclass(frozen=True)
class WebhookCall:
    """A request a webhook accepted. `request_id` is the answer's `apigw-requestid` and the log's."""

    webhook_id: str
    method: str
    payload: Any
    request_id: str
