"""The application behind the real server: what a test client cannot show."""

import contextlib
import http.client
import json
import logging
import socket
import threading

import pytest
import uvicorn

pytestmark = pytest.mark.portable

LIMIT = 256 * 1024


@pytest.fixture
def address(box):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            box.application(),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join(30)
    listening.close()
    assert not thread.is_alive()


@contextlib.contextmanager
def asking(address):
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        yield connection
    finally:
        connection.close()


def answer_of(connection):
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def head(length, *lines):
    text = ["POST /classify HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg"]
    return "\r\n".join([*text, f"Content-Length: {length}", *lines, "", ""]).encode()


def test_a_client_that_goes_away_disturbs_nobody(address, box, picture, caplog):
    """More of them than uploads are let in at once: each gives its place back."""
    for _ in range(10):
        with socket.create_connection(address, 30) as rude:
            rude.sendall(head(len(picture)) + picture[:100])
    with asking(address) as connection:
        connection.request("POST", "/classify", picture, {"Content-Type": "image/jpeg"})
        assert answer_of(connection)[0] == 200
    assert [capture.encoded for capture in box.examiner.submitted] == [picture]
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_a_client_that_goes_away_before_its_answer_disturbs_nobody(address, box, picture, caplog):
    box.examiner.gate.clear()
    with socket.create_connection(address, 30) as rude, asking(address) as connection:
        rude.sendall(head(len(picture)) + picture)
        connection.request("GET", "/healthz")
        assert answer_of(connection) == (200, {"status": "ok"})
    box.examiner.gate.set()
    with asking(address) as connection:
        connection.request("POST", "/classify", picture, {"Content-Type": "image/jpeg"})
        assert answer_of(connection)[0] == 200
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_too_large_a_body_is_refused_before_the_client_sends_it(address):
    """A client that asks first (``Expect``) never has to send."""
    with socket.create_connection(address, 30) as asked:
        asked.sendall(head(100 * LIMIT, "Expect: 100-continue"))
        assert asked.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_beyond_the_limit_gets_its_answer(address):
    with asking(address) as connection:
        connection.request(
            "POST",
            "/classify",
            (bytes(LIMIT // 4) for _ in range(8)),
            {"Content-Type": "image/jpeg"},
            encode_chunked=True,
        )
        status, body = answer_of(connection)
    assert (status, body["code"]) == (413, "upload-too-large")


def test_a_chunked_body_is_answered(address, picture):
    with asking(address) as connection:
        pieces = (picture[start : start + 500] for start in range(0, len(picture), 500))
        connection.request("POST", "/classify", pieces, {"Content-Type": "image/jpeg"})
        assert answer_of(connection)[0] == 200
        # The connection is still good.
        connection.request("HEAD", "/model")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
        connection.request("GET", "/classify")
        assert answer_of(connection)[0] == 200


def test_other_names_are_refused_over_the_wire_too(address):
    with asking(address) as connection:
        connection.request("GET", "/classify", headers={"Host": "rebound.example.org"})
        status, body = answer_of(connection)
    assert (status, body["code"]) == (421, "unknown-host")
