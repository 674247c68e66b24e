"""The limits of a connection, behind the real server."""

import contextlib
import errno
import json
import socket
import ssl
import threading
import time
import warnings

import pytest
import uvicorn

from device.access.certificate import own_certificate
from device.api import problems
from device.service import daemon

pytestmark = pytest.mark.portable

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answering(scope, receive, send):
    while scope["path"] != "/at-once" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def connect(monkeypatch):
    """Open connections to a server whose limits are small."""
    monkeypatch.setattr(daemon, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(daemon, "HEAD_TIMEOUT_S", 1.0)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            answering,
            loop="asyncio",
            http=daemon.Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(listening.getsockname(), 30))
    server.should_exit = True
    thread.join(30)
    listening.close()
    assert not thread.is_alive()


def is_closed(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def is_cut_off(client, byte):
    """Whether it is within ten seconds, while *byte* drips."""
    began_s = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began_s < 10:
            client.sendall(byte)
            time.sleep(0.05)
    return time.monotonic() - began_s < 10


def test_a_connection_that_says_nothing_is_closed(connect):
    began_s = time.monotonic()
    assert is_closed(connect())
    assert time.monotonic() - began_s < 5


def test_a_head_that_drips_is_cut_off_also_behind_an_answer(connect):
    client = connect()
    client.sendall(REQUEST)
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    assert is_cut_off(client, b"G")


def test_a_body_may_take_longer_than_a_head(connect):
    """That limit is the application's."""
    client = connect()
    client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
    for _ in range(2):
        time.sleep(0.7)
        client.sendall(b"x")
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_a_body_that_nobody_reads_does_not_hold_a_connection(connect, monkeypatch):
    """One byte now and then would otherwise do it for ever, without a token."""
    monkeypatch.setattr(daemon, "UNREAD_BODY_S", 0.5)
    client = connect()
    client.sendall(
        b"POST /at-once HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
    )
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    assert is_cut_off(client, b"x")


def test_a_body_that_comes_whole_behind_its_answer_keeps_the_connection(connect, monkeypatch):
    monkeypatch.setattr(daemon, "UNREAD_BODY_S", 0.3)
    client = connect()
    client.sendall(b"POST /at-once HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    client.sendall(b"xx")
    time.sleep(0.6)
    client.sendall(REQUEST)
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_one_too_many_is_closed_at_once_and_the_others_are_answered(connect, monkeypatch):
    monkeypatch.setattr(daemon, "HEAD_TIMEOUT_S", 30.0)
    clients = [connect() for _ in range(3)]
    assert is_closed(connect())
    clients[0].sendall(REQUEST)
    assert clients[0].recv(1000).startswith(b"HTTP/1.1 204 ")
    clients[1].close()
    clients[2].sendall(REQUEST)  # The server has seen the end of the other by this answer.
    assert clients[2].recv(1000).startswith(b"HTTP/1.1 204 ")
    late = connect()
    late.sendall(REQUEST)
    assert late.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_what_is_no_http_gets_a_problem(connect):
    client = connect()
    client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    with client.makefile("rb") as answer:
        head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert b"no-store" in head
    found = json.loads(body)
    assert found == problems.document(problems.BAD_REQUEST, found["detail"])


@pytest.mark.parametrize(("path", "status"), [(b"/", b"400"), (b"/at-once", b"204")])
def test_a_broken_body_gets_one_answer(connect, caplog, path, status):
    """Where the application has spoken already, the connection just ends."""
    client = connect()
    client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n" % path)
    client.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
    time.sleep(0.1)
    client.sendall(b"no length\r\n")
    with client.makefile("rb") as answer:
        got = answer.read()
    assert got.startswith(b"HTTP/1.1 " + status)
    assert got.count(b"HTTP/1.1 ") == 1
    assert not [record for record in caplog.records if record.exc_info]


@pytest.fixture
def certificate(tmp_path):
    return own_certificate(tmp_path, ("localhost",))


@pytest.fixture
def serving(certificate, monkeypatch):
    """A server that speaks TLS, on the daemon's own loop; its address."""
    monkeypatch.setattr(daemon, "HANDSHAKE_TIMEOUT_S", 2.0)
    monkeypatch.setattr(daemon, "HEAD_TIMEOUT_S", 30.0)
    servers, begun = [], threading.Event()

    class Server(daemon._Server):
        # Threads that are not the main one get no signals.
        @contextlib.contextmanager
        def capture_signals(self):
            yield

        async def startup(self, sockets=None):
            await super().startup(sockets)
            servers.append(self)
            begun.set()

    monkeypatch.setattr(daemon, "_Server", Server)
    tls = daemon.tls_context(certificate.certificate, certificate.key)
    thread = threading.Thread(
        target=daemon.serve, args=(answering,), kwargs={"host": "127.0.0.1", "port": 0, "tls": tls}
    )
    thread.start()
    assert begun.wait(20)
    yield servers[0].servers[0].sockets[0].getsockname()
    servers[0].should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def test_over_tls_requests_are_answered_and_without_it_nothing_is(serving, certificate):
    trusting = ssl.create_default_context(cafile=certificate.certificate)
    with (
        socket.create_connection(serving, 30) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(REQUEST)
        assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
        assert client.version() == "TLSv1.3"
    with socket.create_connection(serving, 30) as plain:
        plain.sendall(REQUEST)
        assert is_closed(plain)


def test_one_who_never_agrees_on_tls_is_sent_away(serving):
    began_s = time.monotonic()
    with socket.create_connection(serving, 10) as silent:
        assert is_closed(silent)
    assert time.monotonic() - began_s < 5


def test_one_who_never_takes_leave_of_tls_is_let_go(serving, certificate):
    """Else the connection would keep its place, and hold up the end of the box."""
    trusting = ssl.create_default_context(cafile=certificate.certificate)
    client = trusting.wrap_socket(
        socket.create_connection(serving, 10), server_hostname="localhost"
    )
    client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    with socket.socket(fileno=client.detach()) as silent:
        silent.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            while silent.recv(1000):  # its own leave, then the end
                pass


def test_old_tls_is_refused(serving):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(serving, 30) as plain, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(plain)


def test_one_who_takes_nothing_is_dropped_by_the_kernel(monkeypatch):
    """Not even the connection's place is kept for it."""
    monkeypatch.setattr(daemon, "UNREAD_TIMEOUT_S", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname(), 30),
        listening.accept()[0] as ours,
    ):
        daemon.bound_unread(ours)
        ours.settimeout(20)
        with pytest.raises(OSError, match="timed out") as caught:
            ours.sendall(bytes(64 * 2**20))
        assert caught.value.errno == errno.ETIMEDOUT


def test_every_connection_is_bound_so(connect, monkeypatch):
    seen = []
    monkeypatch.setattr(daemon, "bound_unread", seen.append)
    client = connect()
    client.sendall(REQUEST)
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    assert len(seen) == 1
