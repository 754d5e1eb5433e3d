"""If there is no connection, the error has the reason and advice. Uses real sockets, and TLS with own certificates."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from orgdata_dagster.http import connection
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.connection import Timeouts
from orgdata_dagster.http.errors import PermanentError, RetriesExhausted, UnsafeUrl, VendorError
from orgdata_dagster.http.no_answer import RequestTarget, no_answer
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster_tests.http.fakes import FakeClock
from orgdata_dagster_tests.http.loopback import Loopback


def failure(base_url: str, tmp_path: Path, kind: type[VendorError]) -> str:
    policy, short = RetryPolicy(attempts=2), Timeouts(connect=2, read=2)
    client = HttpClient("acme", base_url, base_url_from="ACME_URL", retry=policy, clock=FakeClock(), timeouts=short)
    with client, pytest.raises(kind) as caught:
        client.fetch("/x", into=tmp_path / "x", read=lambda _: None)
    assert "request ids" not in str(caught.value)
    return str(caught.value)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of this machine on which no program listens until the context ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_refused_connection(tmp_path: Path) -> None:
    with closed_port() as port:
        message = failure(f"http://127.0.0.1:{port}", tmp_path, RetriesExhausted)
    assert f"127.0.0.1:{port} refused the connection" in message
    assert message.endswith("Check the host and the port in ACME_URL, and that the server is running.")


@pytest.mark.parametrize(
    ("code", "problem", "advice"),
    [
        (socket.EAI_NONAME, "unknown host nowhere.example", "Check the host in ACME_URL. If it is right"),
        (socket.EAI_AGAIN, "the name server does not answer", "Check this machine's network and DNS"),
    ],
)
def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, problem: str, advice: str) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    message = failure("http://nowhere.example/v1", tmp_path, RetriesExhausted)
    assert (problem in message, advice in message) == (True, True), message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for localhost."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                    with context.wrap_socket(taken, server_side=True) as each:
                        each.recv(1000)
                        each.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_certificate_of_an_unknown_authority(certificate: Path, tmp_path: Path) -> None:
    with tls_server(certificate) as port:
        message = failure(f"https://localhost:{port}", tmp_path, PermanentError)
    assert f"the certificate of localhost:{port} is not trusted: self" in message
    assert "set SSL_CERT_FILE" in message


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Requests trust the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    connection.tls_context.cache_clear()
    yield
    connection.tls_context.cache_clear()


@pytest.mark.usefixtures("trusted")
def test_a_trusted_certificate(certificate: Path, tmp_path: Path) -> None:
    with tls_server(certificate) as port, HttpClient("acme", f"https://localhost:{port}") as client:
        assert client.fetch("/x", into=tmp_path / "x", read=lambda download: download.path.read_bytes()) == b"fine"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host(certificate: Path, tmp_path: Path) -> None:
    with tls_server(certificate) as port:
        message = failure(f"https://127.0.0.1:{port}", tmp_path, PermanentError)
    assert message.endswith("Check the host in ACME_URL: the certificate belongs to another host.")


def test_https_at_a_port_withouttls_context(server: Loopback, tmp_path: Path) -> None:
    message = failure(server.url.replace("http:", "https:"), tmp_path, PermanentError)
    assert "does not speak TLS. Check the port and the scheme (http or https) in ACME_URL." in message


def test_http_at_a_port_with_something_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                taken, _ = server.accept()
                with taken:
                    taken.recv(1000)
                    taken.sendall(b"220 mail.example ESMTP\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        message = failure(f"http://127.0.0.1:{server.getsockname()[1]}", tmp_path, RetriesExhausted)
    assert "does not speak HTTP" in message


def test_a_proxy_that_does_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with closed_port() as port:
        monkeypatch.setenv("https_proxy", f"http://user:sesame@127.0.0.1:{port}")
        message = failure("https://vendor.example", tmp_path, RetriesExhausted)
    assert f"(through the proxy 127.0.0.1:{port})" in message
    assert "HTTPS_PROXY" in message
    assert "sesame" not in message


def test_a_proxy_that_refuses() -> None:
    to = RequestTarget(httpx.URL("https://vendor.example"), "ACME_URL", "http://user:sesame@proxy.example:3128")
    message = str(no_answer(httpx.ProxyError("407 Proxy Authentication Required"), to))
    assert "the proxy proxy.example:3128 refuses to connect to vendor.example: 407" in message
    assert "Check HTTPS_PROXY" in message
    assert "sesame" not in message


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("", "ACME_URL is empty"),
        ("  ", "ACME_URL is empty"),
        (
            "api.acme.example/v1",
            "ACME_URL has no scheme: 'api.acme.example/v1'. Write https:// before the host in ACME_URL",
        ),
        ("localhost:8099", "ACME_URL has no scheme"),
        ("//api.acme.example", "ACME_URL has no scheme"),
        ("https:/api.acme.example", "ACME_URL has no scheme"),
        ("ftp://api.acme.example", "ACME_URL has the scheme 'ftp'"),
        ("htps://api.acme.example", "ACME_URL has the scheme 'htps'"),
        ("https://api.acme.example/?key=sesame", "ACME_URL has a query"),
        ("https://api.acme.example/#sesame", "ACME_URL has a query or a fragment"),
        ("https://sesame:x@api.acme.example", "ACME_URL has a user name"),
        ("sesame:x@api.acme.example", "ACME_URL has a user name"),
        ("https://", "ACME_URL is not a valid address"),
        ("https://[::1", "ACME_URL is not a valid address"),
        ("https://api..example.com", "ACME_URL is not a valid address"),
        (f"https://{'a' * 64}.example.com", "ACME_URL is not a valid address"),
        ("https://host:port/", "ACME_URL is not a valid address"),
        ("https://host:99999999/", "ACME_URL is not a valid address"),
    ],
)
def test_a_base_url_that_cannot_be_used(base: str, message: str) -> None:
    with pytest.raises(UnsafeUrl) as caught:
        HttpClient("acme", base, base_url_from="ACME_URL")
    assert message in str(caught.value)
    assert str(caught.value).count("ACME_URL") == 2
    assert "sesame" not in str(caught.value)


def test_white_space_around_a_base_url_is_ignored(server: Loopback, tmp_path: Path) -> None:
    with HttpClient("acme", f" {server.url}/ \n") as client:
        client.fetch("/x", into=tmp_path / "x", read=lambda _: None)
