"""Webhooks: they store any JSON that is sent to the right id, with the right method and headers.

Here: what a webhook accepts, and what it has received.
Add here when: the document (`vendor_apis/octolis.md`, "Webhooks Data API") has another condition.
Keep out: API keys (`api`); IP whitelists, because all tests send from one address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.datastructures import Headers

from orgdata_dagster.sandbox.octolis.problems import Problem


@dataclass(frozen=True)
class Webhook:
    """A webhook.

    headers: the whitelist: headers that each request must have (names in any case).
    """

    id: str
    methods: frozenset[Literal["POST", "PUT"]] = frozenset({"POST"})
    headers: Mapping[str, str] = field(default_factory=dict)

    def admit(self, method: str, headers: Headers) -> None:
        """Raise Problem for a request that is not accepted; the document states no status."""
        if method not in self.methods:
            raise Problem(405, "Method not allowed", f"This webhook takes {', '.join(sorted(self.methods))}")
        if wrong := [name for name, value in self.headers.items() if headers.get(name) != value]:
            raise Problem(403, "Forbidden", f"Missing or wrong headers: {', '.join(wrong)}")


@dataclass(frozen=True)
class WebhookCall:
    """A request that a webhook accepted.

    request_id: the `apigw-requestid` of the answer, and the id in the log.
    """

    webhook_id: str
    method: str
    payload: Any
    request_id: str
