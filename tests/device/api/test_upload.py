"""Uploads: limits in bytes, media types, forms, and senders who fall silent or go away."""

import asyncio
import logging
import tracemalloc

import pytest
from starlette.requests import Request

from device.api.problems import Refused
from device.api.upload import Uploads
from device.core.errors import BusyError

pytestmark = pytest.mark.portable

LIMIT = 256 * 1024
JPEG = {"Content-Type": "image/jpeg"}
BOUNDARY = "frontier"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(*parts, is_whole=True):
    body = b"".join(
        b"--" + BOUNDARY.encode() + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    )
    return body + (b"--" + BOUNDARY.encode() + b"--\r\n" if is_whole else b"")


def named(name, *, filename="a.jpg"):
    return f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'.encode()


def pieces(content, size=1000):
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "Image/JPEG; q=1"])
def test_the_stated_media_type_opens_the_door_but_the_bytes_decide(client, picture, media_type):
    answer = client.post("/classify", content=picture, headers={"Content-Type": media_type})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "image/gif",
        "image/webp",
        "application/json",
        "application/octet-stream",
        "multipart/mixed",
    ],
)
def test_other_media_types_are_refused(client, check_problem, picture, media_type):
    answer = client.post("/classify", content=picture, headers={"Content-Type": media_type})
    check_problem(answer, 415, "media-type", "image/jpeg", repr(media_type))


def test_a_missing_media_type_is_refused(client, check_problem, picture):
    check_problem(client.post("/classify", content=picture), 415, "media-type")


def test_a_compressed_body_is_refused(client, check_problem, picture):
    answer = client.post("/classify", content=picture, headers={**JPEG, "Content-Encoding": "gzip"})
    check_problem(answer, 415, "media-type", "gzip")
    assert answer.headers["accept-encoding"] == "identity"


def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not(client, check_problem, picture):
    full = picture + bytes(LIMIT - len(picture))
    assert client.post("/classify", content=full, headers=JPEG).status_code == 200
    answer = client.post("/classify", content=full + b"\0", headers=JPEG)
    check_problem(answer, 413, "upload-too-large", str(LIMIT), str(LIMIT + 1))


def test_a_stream_is_not_read_beyond_the_limit(client, check_problem):
    answer = client.post("/classify", content=pieces(bytes(2 * LIMIT)), headers=JPEG)
    check_problem(answer, 413, "upload-too-large", str(LIMIT))


def test_a_form_is_not_read_beyond_the_limit(client, check_problem):
    content = form((named("file"), bytes(2 * LIMIT)))
    for body in (content, pieces(content)):
        check_problem(client.post("/classify", content=body, headers=FORM), 413, "upload-too-large")


def test_a_stream_in_pieces_is_answered(client, box, picture):
    assert client.post("/classify", content=pieces(picture, 97), headers=JPEG).status_code == 200
    content = form((named("file"), picture))
    answer = client.post("/classify", content=pieces(content, 7), headers=FORM)
    assert answer.status_code == 200
    assert [capture.encoded for capture in box.examiner.submitted] == [picture, picture]


def test_a_form_field_without_a_file_name_will_do(client, box, picture):
    content = form((b'content-disposition: form-data; name="file"', picture))
    assert client.post("/classify", content=content, headers=FORM).status_code == 200
    assert box.examiner.submitted[0].encoded == picture


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (form(), "found none"),
        (form((named("image"), b"x")), "found a part named 'image'"),
        (form((named("file"), b"x"), (named("file"), b"y")), "found several"),
        (form((named("file"), b"x"), (named("other"), b"y")), "found a part named 'other'"),
        (form((b"X-Nothing: 1", b"x")), "found a part named ''"),
        (form((named("file"), b"x"), is_whole=False), "ends early"),
        (form((b"\xff\xfe", b"x")), "something else"),
        (b"no form at all", "something else"),
        (b"", "found none"),
        (form((b"A: " + b"x" * 100_000, b"x")), "something else"),
    ],
)
def test_a_form_that_is_not_one_file_is_refused(client, check_problem, content, words):
    answer = client.post("/classify", content=content, headers=FORM)
    check_problem(answer, 400, "bad-request", words)


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "x" * 1000])
def test_a_form_needs_a_sensible_boundary(client, check_problem, picture, boundary):
    content = form((named("file"), picture))
    headers = {"Content-Type": "multipart/form-data" + boundary}
    check_problem(client.post("/classify", content=content, headers=headers), 400, "bad-request")


def test_an_empty_body_is_an_empty_picture(client, check_problem):
    check_problem(client.post("/classify", content=b"", headers=JPEG), 422, "picture-empty")
    check_problem(client.post("/classify", files={"file": b""}), 422, "picture-empty")


def request(messages, headers=()):
    """A request whose body arrives as a coroutine function says."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/classify",
        "headers": [(b"content-type", b"image/jpeg"), *headers],
    }
    return Request(scope, messages)


def test_a_sender_who_falls_silent_loses_the_place():
    async def silent():
        await asyncio.Event().wait()

    async def receive():
        uploads = Uploads(max_bytes=LIMIT, timeout_s=0.01, at_once=1)
        for _ in range(2):
            with pytest.raises(Refused, match=r"within 0\.01 s") as caught:
                await uploads.receive(request(silent))
            assert caught.value.slug == "slow-upload"
            assert caught.value.headers == {"Connection": "close"}

    asyncio.run(receive())


def test_a_sender_who_goes_away_gives_the_place_back(caplog):
    async def gone():
        return {"type": "http.disconnect"}

    async def receive():
        uploads = Uploads(max_bytes=LIMIT, at_once=1)
        for _ in range(3):
            with pytest.raises(Refused, match="broke off"):
                await uploads.receive(request(gone))

    asyncio.run(receive())
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_only_a_few_bodies_are_received_at_once_and_the_others_wait_their_turn():
    async def receive():
        may_end, reading = asyncio.Event(), []

        async def slow():
            reading.append(None)
            await may_end.wait()
            return {"type": "http.request", "body": b"x", "more_body": False}

        uploads = Uploads(max_bytes=LIMIT, at_once=2)
        receiving = [asyncio.ensure_future(uploads.receive(request(slow))) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(reading) == 2
        may_end.set()
        assert await asyncio.gather(*receiving) == [b"x"] * 5

    asyncio.run(receive())


def test_who_waits_too_long_for_a_turn_is_told_to_come_back():
    async def receive():
        async def silent():
            await asyncio.Event().wait()

        uploads = Uploads(max_bytes=LIMIT, at_once=1)
        first = asyncio.ensure_future(uploads.receive(request(silent)))
        for _ in range(20):  # it holds its place, and keeps it
            await asyncio.sleep(0)
        uploads._timeout_s = 0.005
        with pytest.raises(BusyError, match="try again"):
            await uploads.receive(request(silent))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(receive())


def test_what_is_received_costs_about_its_size_and_never_more_than_the_limit():
    """A sender without an end: 8 MiB are let in, and no more than that is ever held."""
    limit, piece = 8 * 2**20, bytes(2**16)
    sent = 0

    async def endless():
        nonlocal sent
        sent += len(piece)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def receive():
        with pytest.raises(Refused) as caught:
            await Uploads(max_bytes=limit).receive(request(endless))
        assert caught.value.slug == "upload-too-large"

    tracemalloc.start()
    try:
        asyncio.run(receive())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent == limit + len(piece)
    assert peak < 1.3 * limit


def test_a_stated_length_beyond_the_limit_is_refused_before_a_byte_is_read():
    async def unread():
        raise AssertionError("the body was read")

    async def receive():
        length = (b"content-length", str(LIMIT + 1).encode())
        with pytest.raises(Refused) as caught:
            await Uploads(max_bytes=LIMIT).receive(request(unread, [length]))
        assert caught.value.slug == "upload-too-large"

    asyncio.run(receive())
