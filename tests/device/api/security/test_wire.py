"""What only a socket can send: old HTTP, doubled and folded headers, odd paths."""

import socket
import threading

import pytest
import uvicorn

from device.core.access import Role
from device.service.daemon import Connection

pytestmark = pytest.mark.portable


@pytest.fixture
def send(box):
    """Send bytes to a box that asks for tokens, behind the daemon's own connections."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            box.application(is_token_needed=True),
            loop="asyncio",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=16 * 1024,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()

    def send(text):
        with socket.create_connection(listening.getsockname(), 10) as client:
            client.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as answer:
                return answer.read()

    yield send
    server.should_exit = True
    thread.join(30)
    listening.close()
    assert not thread.is_alive()


def request(line, *headers, host="Host: localhost"):
    return "\r\n".join([line, *([host] if host else []), *headers, "", ""])


def status(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (request("GET /healthz HTTP/1.1"), 200),
        # A request of 1.0 may leave the name out; then the box does not know whom it was meant for.
        (request("GET /healthz HTTP/1.0", host=None), 421),
        (request("GET /healthz HTTP/1.0"), 200),
        (request("GET /model HTTP/1.0"), 401),
        (request("GET /healthz HTTP/1.1", host=None), 400),
        (request("GET /healthz HTTP/1.1", "Host: example.org"), 400),
        (request("GET /healthz HTTP/1.1", host="Host: localhost, example.org"), 421),
        (request("GET /healthz HTTP/1.1", host="Host: localhost\t"), 200),
        (request("GET /healthz HTTP/1.1", host="Host: local\xadhost"), 421),
        (request("GET /healthz HTTP/1.1", host="Host: localhost\x00"), 400),
        (request("GET /healthz HTTP/1.1", "X-Forwarded-Host: example.org"), 200),
        (request("GET /model HTTP/1.1", "X-Forwarded-For: 127.0.0.1"), 401),
        (request("GET /model HTTP/1.1", "X-Original-URL: /healthz"), 401),
        (request("GET /healthz HTTP/1.1", "X-Original-URL: /model"), 200),
        # A head that does not come to its end within 16 KiB.
        (request("GET /healthz HTTP/1.1", f"Cookie: {'a' * 20000}").rstrip(), 400),
        (request("GET /model HTTP/1.1", f"Cookie: edgederm={'a' * 20000}"), 401),
        (request("GET /model HTTP/1.1", f"Cookie: {'a' * 12000}"), 401),
        (request(f"GET /{'a' * 20000} HTTP/1.1").rstrip(), 400),
        (request("GET /model HTTP/1.1", "Authorization: Bearer a\x00b"), 400),
        (request("GET  /healthz HTTP/1.1"), 400),
        (request("TRACE /healthz HTTP/1.1"), 401),
        (request("CONNECT example.org:443 HTTP/1.1"), 401),
        (request("OPTIONS * HTTP/1.1"), 401),
    ],
)
def test_what_is_sent_gets_what_it_deserves(send, text, expected):
    assert status(send(text)) == expected


@pytest.mark.parametrize(
    "path",
    [
        "//healthz",
        "/healthz/",
        "/healthz/../model",
        "/healthz%2f..%2fmodel",
        "/healthz;/model",
        "/healthz%00/model",
        "/HEALTHZ",
        "/assets",
        "/assets/../model",
        "/assets/%2e%2e/model",
        "/assets/..%2fmodel",
        "/assets/x/../../../device/settings.py",
        "/assets/x/%2e%2e%2f%2e%2e%2f%2e%2e%2fsettings.py",
        "/./model",
        "/model?x=/healthz",
        "/model#/healthz",
        "http://localhost/model",
        "http://example.org/healthz",
        "/%6dodel",
        "/login",
        "/logout",
        "/favicon.ico/../model",
    ],
)
def test_no_path_leads_around_the_token(send, path):
    answer = send(request(f"GET {path} HTTP/1.1"))
    assert status(answer) in {401, 404, 405}
    assert b'"sha256"' not in answer
    assert b"SHORTEST" not in answer


def test_a_right_token_in_two_headers_is_no_token(box, send):
    authorization = box.bearer(Role.ADMIN)["Authorization"]
    line = f"Authorization: {authorization}"
    assert status(send(request("GET /model HTTP/1.1", line))) == 200
    assert status(send(request("GET /model HTTP/1.1", "Authorization: Bearer x", line))) == 401


def test_nothing_that_is_sent_becomes_a_header_of_the_answer(send):
    """Line ends that a path or a name hides come back inside JSON alone."""
    for line, host in (
        ("GET /x%0d%0aSet-Cookie:%20a=b HTTP/1.1", "Host: localhost"),
        ("GET /healthz HTTP/1.1", "Host: localhost%0d%0aSet-Cookie: a=b"),
    ):
        head, _, _ = send(request(line, host=host)).partition(b"\r\n\r\n")
        assert b"set-cookie" not in head.lower()


def test_an_answer_does_not_say_what_software_it_comes_from(send):
    head, _, _ = send(request("GET /healthz HTTP/1.1")).partition(b"\r\n\r\n")
    assert b"uvicorn" not in head.lower()
    assert b"\r\nserver:" not in head.lower()
