"""Object stores for the files of a lake: the extensions that they need, and credentials from the environment.

Here: `ObjectStore`, for a DATA_PATH such as `s3://bucket/lake`. Add here: the variables of another store.
Keep out: local folders (lake.py).

The credentials come from AWS's own variables. Without them DuckDB looks for credentials as AWS's tools do (profile,
role of the machine), which needs its extension `aws`. Secrets that the user has stored in DuckDB are also used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import duckdb

from orgdata_dagster.warehouse.names import literal

_SECRET = "orgdata_object_store"
_TYPES = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "r2": "r2"}
_VARIABLES = {
    "KEY_ID": ("AWS_ACCESS_KEY_ID",),
    "SECRET": ("AWS_SECRET_ACCESS_KEY",),
    "SESSION_TOKEN": ("AWS_SESSION_TOKEN",),
    "REGION": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
SCHEMES = frozenset(_TYPES)


@dataclass(frozen=True)
class ObjectStore:
    """An object store. `url`: the place of the files, such as `s3://bucket/lake`."""

    url: str

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions that the store needs."""
        return ("httpfs",) if self._settings() else ("httpfs", "aws")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown."""
        settings = self._settings()
        return tuple(settings[name] for name in ("SECRET", "SESSION_TOKEN") if name in settings)

    def authenticate(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give the connection's DuckDB instance the credentials, for this place only."""
        settings = self._settings() | self._endpoint()
        provider = "" if "KEY_ID" in settings else ", PROVIDER credential_chain"
        listed = "".join(f", {name} {literal(value)}" for name, value in settings.items())
        connection.execute(
            f"CREATE OR REPLACE SECRET {_SECRET} (TYPE {_TYPES[urlsplit(self.url).scheme]}{provider}, "
            f"SCOPE {literal(self.url)}{listed})"
        )

    def _settings(self) -> dict[str, str]:
        """The values of the variables; empty without a key."""
        found = {
            name: value
            for name, variables in _VARIABLES.items()
            if (value := next((os.environ[each] for each in variables if os.environ.get(each)), None))
        }
        return found if "KEY_ID" in found else {}

    def _endpoint(self) -> dict[str, str]:
        """The options for an endpoint other than Amazon's, such as a MinIO server, with the bucket in the path."""
        url = next((os.environ[each] for each in _ENDPOINTS if os.environ.get(each)), None)
        if url is None:
            return {}
        parts = urlsplit(url)
        return {"ENDPOINT": parts.netloc + parts.path.rstrip("/"), "URL_STYLE": "path"} | (
            {"USE_SSL": "false"} if parts.scheme == "http" else {}
        )
