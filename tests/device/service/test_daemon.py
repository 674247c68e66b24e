"""The limits of a connection, behind the real server."""

import contextlib
import json
import socket
import threading
import time

import pytest
import uvicorn

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
    monkeypatch.setattr(daemon, "HEAD_TIMEOUT_S", 0.3)
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
        yield lambda: stack.enter_context(socket.create_connection(listening.getsockname(), 5))
    server.should_exit = True
    thread.join(30)
    listening.close()
    assert not thread.is_alive()


def is_closed(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_connection_that_says_nothing_is_closed(connect):
    began_s = time.monotonic()
    assert is_closed(connect())
    assert time.monotonic() - began_s < 2


def test_a_head_that_drips_is_cut_off_also_behind_an_answer(connect):
    client = connect()
    client.sendall(REQUEST)
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    began_s = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began_s < 2:
            client.sendall(b"G")
            time.sleep(0.05)
    assert time.monotonic() - began_s < 2


def test_a_body_may_take_longer_than_a_head(connect):
    """That limit is the application's."""
    client = connect()
    client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
    for _ in range(2):
        time.sleep(0.3)
        client.sendall(b"x")
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
