"""The nine reports of the vendor's document: columns, types, and which figures add up.

Here: `ENDPOINTS`, which is only data. Add here when: the document has another endpoint or column.
Keep out: requests (client.py) and pulls (pulling.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FIELDS_TABLE = "fields"

# Columns that orgdata adds to every row from its request.
REQUEST_COLUMNS = {
    "channel_id": ("BIGINT", "The requested channel."),
    "start_date": ("TIMESTAMP WITH TIME ZONE", "Start of the counted time range."),
    "end_date": ("TIMESTAMP WITH TIME ZONE", "End of the counted time range, exclusive."),
}

_NOT_ADDITIVE = "Counts different {what} in the time range: do not add it up over ranges, use longer partitions."
_ADDS_UP = "adds up over time ranges that do not overlap"
_CHANGES = "and may change afterwards"
_ACCOUNT = {"account_id": ("BIGINT", "The account that the channel belongs to.")}
_COUNT = {"report_count": ("BIGINT", f"Reports in the time range; {_ADDS_UP}.")}


@dataclass(frozen=True)
class Endpoint:
    """A report.

    columns: name -> (type, description).
    fields: optional fields, which the vendor returns only if the parameter `fields` names them.
    one_object: whether the body is one object instead of an array.
    flatten: objects whose members become columns.
    by_field: whether the report needs one request per field (parameter `field_id`).
    additive: counts of events. They add up over time ranges that do not overlap, and do not change once the range is
        over.
    """

    name: str
    about: str
    columns: Mapping[str, tuple[str, str]]
    fields: tuple[str, ...] = ()
    one_object: bool = False
    flatten: tuple[str, ...] = ()
    by_field: bool = False
    additive: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, str]:
        """Column -> type, for all columns of the table."""
        return {name: kind for name, (kind, _) in {**self.columns, **REQUEST_COLUMNS}.items()}

    @property
    def descriptions(self) -> dict[str, str]:
        """Column -> description, for all columns of the table."""
        return {name: text for name, (_, text) in {**self.columns, **REQUEST_COLUMNS}.items()}


def _distinct(text: str, what: str) -> tuple[str, str]:
    return ("BIGINT", f"{text} {_NOT_ADDITIVE.format(what=what)}")


_READ = {
    "total_reads": ("BIGINT", f"How often reports were read in the time range; {_ADDS_UP}."),
    "unique_reads": _distinct("Reads; each reader counts once per report.", "pairs of reader and report"),
    "report_readers": _distinct("Users who read a report.", "users"),
    "reports_seen": _distinct("Reports that were read.", "reports"),
}
_AWARENESS = {
    "total_alerts": ("BIGINT", f"Alerts sent to the user in the time range; {_ADDS_UP}."),
    "alert_source_reports": _distinct("Reports that the user was alerted to.", "reports"),
    "unique_alerts": _distinct("Alerts; repeated ones count once.", "alerts"),
    "alerts_opened": (
        "BIGINT",
        f"Alerts of the time range that the user has opened by now; {_ADDS_UP}, {_CHANGES}.",
    ),
}

_ALL = (
    Endpoint(
        "reports_images",
        "Images of the reports of a channel.",
        {
            "report_image_id": ("BIGINT", "The image."),
            **_ACCOUNT,
            "report_id": ("BIGINT", "The report that it belongs to."),
            "created_at": ("TIMESTAMP WITH TIME ZONE", "When it was created."),
            "styles_thumb": ("VARCHAR", "Address of the image in style `thumb`."),
            "styles_medium": ("VARCHAR", "Address of the image in style `medium`."),
        },
        flatten=("styles",),
    ),
    Endpoint(
        "reports_over_time",
        "Reports of a channel over time.",
        {
            **_ACCOUNT,
            "datetime_range_start": ("TIMESTAMP WITH TIME ZONE", "Start of the counted range."),
            **_COUNT,
            "datetime_range_width": ("VARCHAR", "Width of the range, which the vendor chooses."),
        },
        additive=("report_count",),
    ),
    Endpoint(
        "reports_per_field_selection",
        "Reports of a channel by the selection in a field of their form.",
        {
            "field_id": ("BIGINT", "The field; see channel_reports.fields."),
            **_ACCOUNT,
            "name": ("VARCHAR", "The selection, as users see it."),
            "value": ("VARCHAR", "The selection, as the vendor stores it."),
            **_COUNT,
        },
        by_field=True,
    ),
    Endpoint(
        "reports_per_state",
        "Reports of a channel by state.",
        {
            "id": ("BIGINT", "The state."),
            "name": ("VARCHAR", "The state's name."),
            **_ACCOUNT,
            "report_count": (
                "BIGINT",
                f"Reports of the time range that are in the state by now; {_ADDS_UP}, {_CHANGES}.",
            ),
        },
    ),
    Endpoint(
        "reports_per_user",
        "Reports of a channel by the user who wrote them.",
        {"user_id": ("BIGINT", "The user."), **_ACCOUNT, **_COUNT},
        additive=("report_count",),
    ),
    Endpoint(
        "reports_per_day_hour",
        "Reports of a channel by hour of the day.",
        {**_ACCOUNT, "hour": ("BIGINT", "Hour of the day, from 0."), **_COUNT},
        additive=("report_count",),
    ),
    Endpoint(
        "reports_per_week_day",
        "Reports of a channel by day of the week.",
        {**_ACCOUNT, "dow": ("BIGINT", "Day of the week, as the vendor numbers it."), **_COUNT},
        additive=("report_count",),
    ),
    Endpoint(
        "reports_read",
        "How often, and by how many users, reports of a channel were read.",
        _READ,
        fields=tuple(_READ),
        additive=("total_reads",),
        one_object=True,
    ),
    Endpoint(
        "user_awareness",
        "Alerts sent to users of a channel, and whether they were opened.",
        {
            **_AWARENESS,
            "user_id": ("BIGINT", "The user."),
            "first_name": ("VARCHAR", "The user's first name."),
            "last_name": ("VARCHAR", "The user's last name."),
        },
        fields=tuple(_AWARENESS),
        additive=("total_alerts",),
    ),
)

ENDPOINTS: Mapping[str, Endpoint] = {endpoint.name: endpoint for endpoint in _ALL}

FIELD_COLUMNS = {
    "channel_id": ("BIGINT", "The channel whose forms were requested."),
    "form_id": ("BIGINT", "The form that has the field."),
    "form_name": ("VARCHAR", "The form's name."),
    "field_id": ("BIGINT", "The field; an entry of `field_ids` in defs.yaml."),
    "name": ("VARCHAR", "The field's name."),
    "field_type": ("VARCHAR", "The field's type; the vendor counts selections only of Category, DropDown and Radio."),
}
