"""The environment variables that direct orgdata to the sandbox.

Here: the variables per vendor. Keep out: everything else about a vendor (its package).
"""

from __future__ import annotations

from orgdata_dagster.sandbox.accutics import jwt
from orgdata_dagster.sandbox.tracker import TOKEN as TRACKER_TOKEN

TRACKER = "TRACKER_BASE_URL"  # the first variable of the vendor that is not in the shipped project


def environment(url: str) -> dict[str, str]:
    """Variable -> value, for a sandbox at `url` with its demo data."""
    return {
        "ACCUTICS_BASE_URL": f"{url}/accutics",
        "ACCUTICS_API_TOKEN": jwt(),
        "INSTITUTION_ANALYTICS_BASE_URL": f"{url}/institution_analytics",
        "INSTITUTION_ANALYTICS_API_KEY": "sandbox-key",
        "CHANNEL_REPORTS_BASE_URL": f"{url}/channel_reports",
        "CHANNEL_REPORTS_API_TOKEN": "sandbox-token",
        "OCTOLIS_BASE_URL": f"{url}/octolis/v1/data",
        "OCTOLIS_API_KEY": "sandbox-octolis-key",
        "TOGETHER_BASE_URL": f"{url}/together",
        "TOGETHER_ORGANIZATION_ID": "sandbox-organization",
        "TOGETHER_CLIENT_ID": "sandbox-client",
        "TOGETHER_API_KEY": "sandbox-key",
        TRACKER: f"{url}/tracker",
        "TRACKER_TOKEN": TRACKER_TOKEN,
    }
