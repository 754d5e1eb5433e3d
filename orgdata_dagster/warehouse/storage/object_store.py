"""Object stores for the files of a lake and for exports: their URLs, credentials and errors.

Here: `store_of`, `ObjectStore`. Add here: another kind of store, or the variables of another store.
Keep out: local folders (lake.py, warehouse/export.py).

The credentials come from AWS's own variables. Without them, a secret that the user has stored in DuckDB is used, and
otherwise what AWS's tools would find (a profile, or the role of the machine or container), which needs the extension
`aws`. The secret is made in the memory of a DuckDB instance, and only for the bucket of the URL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.names import literal, quoted
from orgdata_dagster.warehouse.storage import extensions
from orgdata_dagster.warehouse.storage.causes import first_line

CHECK = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL"
_TYPES = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "r2": "r2"}
_VARIABLES = {
    "KEY_ID": ("AWS_ACCESS_KEY_ID",),
    "SECRET": ("AWS_SECRET_ACCESS_KEY",),
    "SESSION_TOKEN": ("AWS_SESSION_TOKEN",),
    "REGION": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
_CERTIFICATES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_CODE = re.compile(r"^[A-Z][A-Za-z]+: .+$", re.MULTILINE)  # such as `NoSuchBucket: The specified bucket does not exist`


def store_of(place: str) -> ObjectStore | None:
    """The object store of a place for files; None if the place is a path.

    Raises WarehouseUnavailable for another kind of URL. The message contains no part that may be a password.
    """
    scheme, mark, rest = place.partition("://")
    if not mark:
        return None
    if scheme not in _TYPES:
        raise WarehouseUnavailable(
            f"Files cannot be in {scheme}://...: write the path of a folder, or s3://BUCKET/FOLDER, gs://BUCKET/FOLDER "
            "or r2://BUCKET/FOLDER."
        )
    bucket = rest.partition("/")[0]
    if not re.fullmatch(r"[\w.-]+", bucket) or "?" in rest:
        raise WarehouseUnavailable(
            f"A place in an object store is {scheme}://BUCKET/FOLDER and nothing else. Credentials are in "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the address of the server is in AWS_ENDPOINT_URL."
        )
    return ObjectStore(place)


def secrets() -> tuple[str, ...]:
    """The credentials in the environment, which must never be shown."""
    settings = _settings()
    return tuple(settings[name] for name in ("SECRET", "SESSION_TOKEN") if name in settings)


@dataclass(frozen=True)
class ObjectStore:
    """An object store. `url`: the place of the files, such as `s3://bucket/lake`."""

    url: str

    @property
    def type(self) -> str:
        """The type of DuckDB's secret."""
        return _TYPES[urlsplit(self.url).scheme]

    @property
    def bucket(self) -> str:
        """The part of the URL to which the credentials apply."""
        return "/".join(self.url.split("/")[:3])

    def authenticate(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give the connection's DuckDB instance the extensions and credentials for the bucket.

        Raises WarehouseUnavailable if there are no credentials, or the variables are invalid.
        """
        extensions.load(connection, ("httpfs",), why=f"The object store {self.bucket}", instead="")
        if certificates := _first_set(_CERTIFICATES):
            connection.execute(f"SET GLOBAL ca_cert_file = {literal(os.environ[certificates])}")
        connection.execute(f"DROP SECRET IF EXISTS {self._secret}")
        settings = _settings()
        if not settings and self._is_stored(connection):
            return
        provider = ""
        if not settings:
            extensions.load(connection, ("aws",), why=f"{self.bucket} without AWS_ACCESS_KEY_ID", instead="")
            provider = ", PROVIDER credential_chain"
        elif "SECRET" not in settings:
            raise WarehouseUnavailable("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is missing: set both.")
        listed = "".join(f", {name} {literal(value)}" for name, value in (settings | self.endpoint()).items())
        try:
            connection.execute(
                f"CREATE SECRET {self._secret} (TYPE {self.type}{provider}, SCOPE {literal(f'{self.bucket}/')}{listed})"
            )
        except duckdb.Error:
            raise WarehouseUnavailable(
                f"There are no credentials for {self.bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE, or give this machine a role."
            ) from None

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:
        """List an object that does not exist, which fails if the store cannot be reached or refuses."""
        self.authenticate(connection)
        self.exists(connection, f"{self.url.rstrip('/')}/orgdata-doctor")

    def exists(self, connection: duckdb.DuckDBPyConnection, file: str) -> bool:
        """Whether there is an object. DuckDB asks the store only if the name is a pattern."""
        found = connection.execute(f"SELECT 1 FROM glob({literal(f'{file}*')}) WHERE file = {literal(file)}")
        return found.fetchone() is not None

    def cause(self, error: duckdb.Error) -> str | None:
        """What the store or the network said; None if the error is about something else."""
        if not isinstance(error, duckdb.HTTPException) and " for HTTP " not in str(error):
            return None
        code = _CODE.search("\n".join(str(error).splitlines()[1:]))
        return ", ".join(filter(None, [first_line(error)[:300], code and code.group().rstrip(".")[:200]]))

    def endpoint(self) -> dict[str, str]:
        """The options for an endpoint other than Amazon's, such as a MinIO server, with the bucket in the path."""
        name = _first_set(_ENDPOINTS)
        if name is None:
            if self.type == "r2":
                raise WarehouseUnavailable(
                    "r2:// needs the address of your account: AWS_ENDPOINT_URL=https://ACCOUNT.r2.cloudflarestorage.com"
                )
            return {}
        parts = urlsplit(os.environ[name])
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
            raise WarehouseUnavailable(f"{name} is not an address: write https://HOST or http://HOST:PORT.")
        return {"ENDPOINT": parts.netloc + parts.path.rstrip("/"), "URL_STYLE": "path"} | (
            {"USE_SSL": "false"} if parts.scheme == "http" else {}
        )

    @property
    def _secret(self) -> str:
        return quoted(f"orgdata {self.bucket}")

    def _is_stored(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether the user has stored a secret for this place in DuckDB."""
        found = connection.execute(f"FROM which_secret({literal(self.url)}, {literal(self.type)})")
        return found.fetchone() is not None


def variables() -> dict[str, str]:
    """Option of DuckDB's secret -> the variable with its value; empty without a key."""
    found = {option: name for option, names in _VARIABLES.items() if (name := _first_set(names))}
    return found if "KEY_ID" in found else {}


def _first_set(names: Iterable[str]) -> str | None:
    return next((name for name in names if os.environ.get(name)), None)


def _settings() -> dict[str, str]:
    return {option: os.environ[name] for option, name in variables().items()}
