"""The address of a PostgreSQL database, as `postgresql://...` or as libpq's keywords.

Here: `parsed`, for every part of orgdata that connects to a server, and `SECRETS`. Add here when: an address can be
written wrongly in another way. Keep out: connecting, messages.
"""

from __future__ import annotations

SECRETS = ("password", "sslpassword")
"""The parameters that must never be shown."""
_SCHEMES = ("postgresql", "postgres")


def parsed(address: str) -> dict[str, str]:
    """libpq's parameters of an address.

    Raises ImportError without psycopg. Raises ValueError, without a part of the address, if it is malformed. So is a
    URL with `/` in a password or without a host: libpq would read the password as a host or port, and show it.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    scheme, _, rest = address.partition("://")
    if scheme in _SCHEMES and "@" in rest.partition("?")[0].partition("/")[2]:
        raise ValueError
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(address).items() if value is not None}
    except psycopg.Error:
        raise ValueError from None
    if found.get("port", "").strip("0123456789,"):
        raise ValueError
    return found
