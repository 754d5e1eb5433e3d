"""Why a request got no answer, and what helps: a wrong address, this machine's network, a proxy, a certificate.

What lives here: `no_answer`, which turns an error of the transport into one that says what to do.
Add here when: a connection fails in a way that calls for other advice.
Keep out: answers, also refusals (`client`); checking the base URL before anything is sent (`connection`).
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from orgdata_dagster.http.errors import PermanentError, TransientError, Unreachable, VendorError

# OpenSSL's numbers for why a certificate is not trusted.
_EXPIRED, _NOT_YET = 10, 9
_WRONG_HOST = (62, 64)
_NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)


@dataclass(frozen=True)
class Target:
    """Where a request was to go: `variable` holds the address, `proxy` is what stands between, if anything does."""

    url: httpx.URL
    variable: str
    proxy: str | None

    @property
    def host(self) -> str:
        """The host, and the port where it is not the usual one."""
        return self.url.netloc.decode("ascii", "replace")

    @property
    def address(self) -> str:
        """What a person checks."""
        return self.variable or "the base URL"

    @property
    def through(self) -> str:
        """Which proxy was asked, as a clause."""
        return f" (through the proxy {_host(self.proxy)})" if self.proxy else ""


def no_answer(error: httpx.TransportError, to: Target) -> VendorError:
    """The error to raise instead: permanent where only a person can help, else one that may pass."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, to)
        if isinstance(cause, ssl.SSLError):
            return _no_tls(cause, to)
        if isinstance(cause, socket.gaierror):
            return _no_name(cause, to)
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(
                f"nobody listens at {to.host}{to.through}: the connection was refused",
                remedy=f"Check the host and the port in {to.address}{_and_proxy(to)}, and that the server is running.",
            )
        if isinstance(cause, OSError) and cause.errno in _NO_WAY:
            return Unreachable(
                f"this machine has no way to {to.host}{to.through} ({cause.strerror})",
                remedy="Check this machine's network, firewall and VPN.",
            )
    if isinstance(error, httpx.ProxyError):
        return Unreachable(
            f"the proxy {_host(to.proxy)} refuses to connect to {to.host}: {error}",
            remedy="Check HTTPS_PROXY (its address, user and password), or add the host to NO_PROXY.",
        )
    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable(
            f"no connection to {to.host}{to.through} in time",
            remedy=f"Check {to.address}{_and_proxy(to)} and this machine's network and firewall.",
        )
    if isinstance(error, httpx.RemoteProtocolError) and "illegal" in str(error):
        return Unreachable(
            f"what answers at {to.host} does not speak HTTP",
            remedy=f"Check the port and the scheme (http or https) in {to.address}.",
        )
    return TransientError(f"no answer: {type(error).__name__} {error}")


def _untrusted(cause: ssl.SSLCertVerificationError, to: Target) -> VendorError:
    told = f"the certificate of {to.host}{to.through} is not trusted: {cause.verify_message}"
    if cause.verify_code in (_EXPIRED, _NOT_YET):
        remedy = (
            "Check this machine's clock (timedatectl); if it is right, tell the vendor that its certificate is not."
        )
    elif cause.verify_code in _WRONG_HOST:
        remedy = f"Check the host in {to.address}: the certificate is another host's."
    else:
        remedy = (
            "If your network inspects TLS or the server has a private authority, set SSL_CERT_FILE to a file with that "
            f"authority's certificate; else check the host in {to.address}."
        )
    return PermanentError(told, remedy=remedy)


def _no_tls(cause: ssl.SSLError, to: Target) -> VendorError:
    reason = str(cause.reason or cause)
    if reason in _NO_TLS:
        return PermanentError(
            f"{to.host}{to.through} does not speak TLS",
            remedy=f"Check the port and the scheme (http or https) in {to.address}{_and_proxy(to)}.",
        )
    return Unreachable(
        f"no TLS connection to {to.host}{to.through}: {reason.replace('_', ' ').lower()}",
        remedy=f"Check {to.address}{_and_proxy(to)}; something between may break TLS.",
    )


def _no_name(cause: socket.gaierror, to: Target) -> VendorError:
    if cause.errno == socket.EAI_AGAIN:
        return Unreachable(
            f"the name {to.host} could not be looked up{to.through}: the name server does not answer",
            remedy=f"Check this machine's network and DNS; if others are found, check the host in {to.address}.",
        )
    return Unreachable(
        f"there is no host {to.host}{to.through}",
        remedy=f"Check the host in {to.address}{_and_proxy(to)}; if it is right, check this machine's DNS.",
    )


def _and_proxy(to: Target) -> str:
    return " and in HTTPS_PROXY" if to.proxy else ""


def _host(proxy: str | None) -> str:
    return httpx.URL(proxy).netloc.decode("ascii", "replace") if proxy else "in between"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all it came of, each once."""
    seen, waiting = set[int](), [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [one for one in (each.__cause__, each.__context__) if one is not None]
