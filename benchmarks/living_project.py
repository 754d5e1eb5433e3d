"""A project with all five vendors, and changes at these vendors while it runs.

Here: the project and the changes, for by_itself.py. Keep out: comparing tables with vendors (same_as_vendors.py).
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

DAYS = 4
OCTOLIS_ID = "5f1c0f52-7a3b-4a57-9d0e-2f6f0c1d0001"


def start_date() -> str:
    return str(datetime.now(UTC).date() - timedelta(days=DAYS - 1))


def write_project(folder: Path) -> Path:
    """Write a project that pulls octolis every 10 minutes and every other vendor every 4 minutes."""
    cron, since = "*/4 * * * *", start_date()
    lists = [
        {"name": "submissions", "path": "/submissions", "paging": "page", "sort": "-updated_at"},
        {"name": "records", "path": "/records", "paging": "cursor"},
    ]
    defs: dict[str, dict[str, Any]] = {
        "Accutics": {"start_date": since, "cron": cron, "retries": {"attempts": 2, "first_wait": 1},
                     "tables": [{**each, "key": ["id"], "cursor_column": "updated_at"} for each in lists]},
        "ChannelReports": {"start_date": since, "cron": cron, "channels": [1], "repull_days": 1,
                           "tables": [{"name": "reports_per_user"}]},
        "InstitutionAnalytics": {"start_date": since, "cron": cron, "lookback": "2s",
                                 "tables": [{"name": "users", "key": ["id"]}, {"name": "events", "key": ["id"]}]},
        "Octolis": {"cron": "*/10 * * * *", "lookback": "5s", "tables": [{"name": "contacts", "id": OCTOLIS_ID}]},
        "Together": {"start_date": since, "cron": cron, "tables": [{"name": "users", "key": ["User ID"]}]},
    }  # fmt: skip
    package = folder / "daemon_project" / "defs"
    for name, attributes in defs.items():
        vendor = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        (package / vendor).mkdir(parents=True)
        written = {"type": f"orgdata_dagster.{name}", "attributes": attributes}
        (package / vendor / "defs.yaml").write_text(yaml.safe_dump(written))
    for path in (folder / "daemon_project", package):
        (path / "__init__.py").touch()

    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "daemon_project"\ncode_location_name = "orgdata"\n'
    )
    root = Path(__file__).parent.parent
    (folder / "dagster.yaml").write_text((root / "dagster.yaml").read_text())
    (folder / "workspace.yaml").write_text((root / "workspace.yaml").read_text())
    return folder


class Changes:
    """Inserts and updates at every vendor."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.random = random.Random(0)
        self.number = 0

    def one_round(self) -> None:
        self.number += 1
        now, chance = datetime.now(UTC), self.random
        users = self.sandbox.institution_analytics.data_sets["users"]
        users.insert({"id": f"by itself {self.number}", "updated_date": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
        users.touch(chance.choice(users.truth())["id"], now)
        for name in ("submissions", "records"):
            entity = self.sandbox.accutics.entities[name]
            entity.insert({"id": f"by itself {self.number}"})
            entity.update(chance.choice(entity.truth())["id"])
        contacts = self.sandbox.octolis.datasets[OCTOLIS_ID]
        contacts.upsert({"email": f"by.itself.{self.number}@example.org"})
        contacts.update(chance.choice(contacts.truth())["__masterid__"], {})
        report = self.sandbox.together.reports["users"]
        report.update(lambda row: row["User ID"] == f"{42 + self.number:06d}", {"Department": f"moved {self.number}"})
        channel = self.sandbox.channel_reports.channels[1]
        channel.add_report(now, user_id=next(iter(channel.users)), state_id=next(iter(channel.states)))
