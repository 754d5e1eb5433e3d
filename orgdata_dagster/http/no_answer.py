"""Explaining why a request got no answer: a wrong address, this machine's network, a proxy, a certificate.

Here: `no_answer`, which turns a transport error into an error with advice.
Add here when: a connection fails in a way that needs other advice.
Keep out: answers, also refusals (client.py); checking the base URL before anything is sent (connection.py).
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
class RequestTarget:
    """The target of a request. `variable`: environment variable with the base URL. `proxy`: None without a proxy."""

    url: httpx.URL
    variable: str
    proxy: str | None

    @property
    def host(self) -> str:
        """The host, with the port unless it is the default."""
        return self.url.netloc.decode("ascii", "replace")

    @property
    def address(self) -> str:
        """The name of the address, for the advice to check it."""
        return self.variable or "the base URL"

    @property
    def through(self) -> str:
        """The proxy as a clause; empty without one."""
        return f" (through the proxy {_host(self.proxy)})" if self.proxy else ""


def no_answer(error: httpx.TransportError, to: RequestTarget) -> VendorError:
    """The error to raise instead: permanent if only a user can fix it, otherwise transient."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, to)
        if isinstance(cause, ssl.SSLError):
            return _no_tls(cause, to)
        if isinstance(cause, socket.gaierror):
            return _no_name(cause, to)
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(
                f"{to.host}{to.through} refused the connection",
                remedy=f"Check the host and the port in {to.address}{_and_proxy(to)}, and that the server is running.",
            )
        if isinstance(cause, OSError) and cause.errno in _NO_WAY:
            return Unreachable(
                f"this machine cannot reach {to.host}{to.through} ({cause.strerror})",
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
            f"the server at {to.host} does not speak HTTP",
            remedy=f"Check the port and the scheme (http or https) in {to.address}.",
        )
    return TransientError(f"no answer: {type(error).__name__} {error}")


def _untrusted(cause: ssl.SSLCertVerificationError, to: RequestTarget) -> VendorError:
    message = f"the certificate of {to.host}{to.through} is not trusted: {cause.verify_message}"
    if cause.verify_code in (_EXPIRED, _NOT_YET):
        remedy = "Check this machine's clock (timedatectl). If it is right, tell the vendor about its certificate."
    elif cause.verify_code in _WRONG_HOST:
        remedy = f"Check the host in {to.address}: the certificate belongs to another host."
    else:
        remedy = (
            "If your network inspects TLS or the server has a private authority, set SSL_CERT_FILE to a file with that "
            f"authority's certificate. Otherwise check the host in {to.address}."
        )
    return PermanentError(message, remedy=remedy)


def _no_tls(cause: ssl.SSLError, to: RequestTarget) -> VendorError:
    reason = str(cause.reason or cause)
    if reason in _NO_TLS:
        return PermanentError(
            f"{to.host}{to.through} does not speak TLS",
            remedy=f"Check the port and the scheme (http or https) in {to.address}{_and_proxy(to)}.",
        )
    return Unreachable(
        f"no TLS connection to {to.host}{to.through}: {reason.replace('_', ' ').lower()}",
        remedy=f"Check {to.address}{_and_proxy(to)}; a device in between may break TLS.",
    )


def _no_name(cause: socket.gaierror, to: RequestTarget) -> VendorError:
    if cause.errno == socket.EAI_AGAIN:
        return Unreachable(
            f"the name {to.host} could not be looked up{to.through}: the name server does not answer",
            remedy=f"Check this machine's network and DNS. If other names resolve, check the host in {to.address}.",
        )
    return Unreachable(
        f"unknown host {to.host}{to.through}",
        remedy=f"Check the host in {to.address}{_and_proxy(to)}. If it is right, check this machine's DNS.",
    )


def _and_proxy(to: RequestTarget) -> str:
    return " and HTTPS_PROXY" if to.proxy else ""


def _host(proxy: str | None) -> str:
    return httpx.URL(proxy).netloc.decode("ascii", "replace") if proxy else "in between"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, each once."""
    seen, waiting = set[int](), [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [one for one in (each.__cause__, each.__context__) if one is not None]
