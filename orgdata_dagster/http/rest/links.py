"""The `Link` header (RFC 8288): `<https://api.example.com/issues?page=2>; rel="next"`.

Here: reading one relation. Keep out: whether a link may be followed (http/origin.py), links in the body (following.py).
"""

from __future__ import annotations

import re

_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]+))?)*)")
_PARAMETER = re.compile(r";\s*([^\s=;,]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]+))")


def link_of(header: str, relation: str) -> str | None:
    """The address of this relation; None if the header has none. Case does not matter."""
    for match in _LINK.finditer(header):
        for parameter in _PARAMETER.finditer(match[2]):
            named = (parameter[2] if parameter[2] is not None else parameter[3]).lower().split()
            if parameter[1].lower() == "rel" and relation.lower() in named:
                return match[1].strip()
    return None
