"""channel_reports, simulated (`vendor_apis/channel_reports.md`).

Here: the API (`api`), the events behind it (`channel`), their aggregates (`measures`), data for demos (`demo_data`).
Add here when: the vendor's document says more than the simulation does.
Keep out: what another vendor could use; that belongs one level up.
"""

from orgdata_dagster.sandbox.channel_reports.api import POLITE, ChannelReports
from orgdata_dagster.sandbox.channel_reports.channel import Channel, Choice, Field, Form, User
from orgdata_dagster.sandbox.channel_reports.demo_data import demo

__all__ = ["POLITE", "Channel", "ChannelReports", "Choice", "Field", "Form", "User", "demo"]
