"""How the box is, once or all the time: bounded listeners, bounded memory, an end to all of it."""

import asyncio
import contextlib
import json
import threading

import pytest

from device.api import listening
from device.api.listening import MOST_LISTENERS, MOST_NEWS, Listeners
from device.core.access import Role
from device.core.document import AnswerDocument
from device.core.errors import BusyError
from device.core.panel import LightState
from device.service.bulletin import Bulletin
from tests.builders import an_answer

pytestmark = pytest.mark.portable


def test_the_state_is_told_without_trying_anything(client, box):
    assert client.get("/state").json() == box.state.model_dump(mode="json")
    assert box.frames.requested == 0
    assert next(box.checks) == 0


def test_the_board_is_told_with_its_heat_its_supply_and_its_room(client):
    told = client.get("/board").json()
    assert told.pop("storage_free_bytes") <= told.pop("storage_size_bytes")
    assert told == {
        "temperatures_celsius": {"cpu-thermal": 51.5},
        "limit_celsius": 80.0,
        "limited": {"under_voltage": False, "throttled": True},
        "limited_since_start": {"under_voltage": True, "throttled": True},
    }


class Listener:
    """A browser at ``/events`` of an application, without a network in between."""

    def __init__(self, app, headers=None, takes=lambda: None):
        self.messages = []
        self.news = asyncio.Event()
        self._gone = asyncio.Event()
        self._takes = takes
        lines = {"host": "127.0.0.1:8000", **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/events",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
            "client": ("10.0.0.9", 1),
        }
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self):
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        waiting = self._takes()
        if waiting is not None:
            await waiting
        self.messages.append(message)
        self.news.set()

    def go(self):
        self._gone.set()

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def text(self):
        return b"".join(message.get("body", b"") for message in self.messages[1:]).decode()

    def events(self):
        """Name and data of each, as the standard reads them."""
        blocks = [block.splitlines() for block in self.text.split("\n\n")]
        return [
            (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: ")))
            for lines in blocks
            if len(lines) == 2
        ]

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition(self):
                self.news.clear()
                await self.news.wait()


def has(count, name):
    return lambda listener: [event for event, _ in listener.events()].count(name) >= count


def run(work):
    return asyncio.run(asyncio.wait_for(work, 60))


def test_a_listener_gets_the_state_and_every_answer(box):
    async def work():
        listener = Listener(box.application())
        await listener.until(has(1, "state"))
        answer = await asyncio.to_thread(
            lambda: box.examiner.submit(box.frames.request().result()).result()
        )
        await listener.until(has(1, "result"))
        listener.go()
        await listener.task
        return listener, answer

    listener, answer = run(work())
    assert listener.status == 200
    headers = dict(listener.messages[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert listener.text.startswith("retry: 3000\n\n")
    assert listener.events() == [
        ("state", box.state.model_dump(mode="json")),
        ("result", AnswerDocument.from_answer(answer).model_dump(mode="json")),
    ]


def test_a_change_of_state_is_told_once(box):
    async def work():
        listener = Listener(box.application())
        await listener.until(has(1, "state"))
        await asyncio.sleep(0.05)
        box.state = box.state.model_copy(update={"state": LightState.BUSY, "waiting": 1})
        await listener.until(has(2, "state"))
        await asyncio.sleep(0.7)
        listener.go()
        await listener.task
        return listener

    assert [data["state"] for _, data in run(work()).events()] == ["ready", "busy"]


@pytest.fixture
def listeners(box):
    return Listeners(box.bulletin, lambda: box.state, look_s=0.01, heartbeat_s=0.05)


async def asgi(listeners, is_admitted=lambda: True):
    async def app(scope, receive, send):
        await listeners.stream(is_admitted)(scope, receive, send)

    return app


def test_silence_is_broken_by_a_sign_of_life(listeners):
    async def work():
        listener = Listener(await asgi(listeners))
        await listener.until(lambda heard: heard.text.count(":\n\n") >= 3)
        listener.go()
        await listener.task

    run(work())
    assert listeners.count == 0


def test_who_may_listen_no_more_hears_no_more(listeners):
    allowed = [True]

    async def work():
        listener = Listener(await asgi(listeners, lambda: allowed[0]))
        await listener.until(has(1, "state"))
        allowed[0] = False
        await listener.task
        return listener

    assert run(work()).messages[-1] == {
        "type": "http.response.body",
        "body": b"",
        "more_body": False,
    }
    assert listeners.count == 0


def test_who_may_listen_no_more_hears_no_more_on_a_busy_box_either(box):
    allowed = [True]

    def state():
        box.state = box.state.model_copy(update={"waiting": box.state.waiting + 1})
        return box.state

    busy = Listeners(box.bulletin, state, look_s=0.01, heartbeat_s=3600)

    async def work():
        listener = Listener(await asgi(busy, lambda: allowed[0]))
        await listener.until(has(3, "state"))
        allowed[0] = False
        await listener.task

    run(work())
    assert busy.count == 0


@pytest.mark.parametrize("way", ["bearer", "session", "unreadable"])
def test_a_stream_ends_with_the_token_that_opened_it(box, monkeypatch, way):
    monkeypatch.setattr(Listeners.__init__, "__kwdefaults__", {"look_s": 0.01, "heartbeat_s": 0.02})
    headers = box.bearer(Role.READ)
    token = box.tokens.all()[0]
    app = box.application(is_loopback=False)
    if way == "session":
        from fastapi.testclient import TestClient

        client = TestClient(app, base_url="http://127.0.0.1:8000")
        secret = headers["Authorization"].removeprefix("Bearer ")
        client.post("/login", json={"token": secret})
        headers = {"Cookie": f"edgederm={client.cookies['edgederm']}"}

    async def work():
        listener = Listener(app, headers)
        await listener.until(has(1, "state"))
        assert not listener.task.done()
        if way == "unreadable":
            box.tokens.path.chmod(0o644)
        else:
            box.tokens.revoke(token.token_id)
        await listener.task

    run(work())


def test_there_is_an_end_to_listeners_and_a_place_is_given_back(box):
    async def work():
        app = box.application()
        heard = [Listener(app) for _ in range(MOST_LISTENERS)]
        for listener in heard:
            await listener.until(has(1, "state"))
        one_too_many = Listener(app)
        await one_too_many.task
        heard[0].go()
        await heard[0].task
        late = Listener(app)
        await late.until(has(1, "state"))
        for listener in [*heard, late]:
            listener.go()
            await listener.task
        return one_too_many

    refused = run(work())
    assert refused.status == 503
    assert json.loads(refused.text)["code"] == "busy"
    assert (b"retry-after", b"1") in refused.messages[0]["headers"]
    assert len(box.bulletin._listeners) == 1  # The figures hear on.


def test_without_the_role_nobody_listens(box):
    async def work():
        listener = Listener(box.application(is_loopback=False))
        await listener.task
        return listener.status

    assert run(work()) == 401


def test_one_who_reads_slowly_holds_a_bounded_heap_and_is_sent_away(box):
    """While it reads nothing, ten thousand answers are told; none of them is kept for it."""
    answer = an_answer()
    told = Bulletin(lambda _capture, given: given)

    async def work():
        listeners = Listeners(told, lambda: box.state, look_s=0.01)
        gate, stuck = asyncio.Event(), asyncio.Event()
        blocked = []

        def takes():
            blocked.append(1)
            if len(blocked) <= 2:  # The head, and the first of the stream.
                return None
            stuck.set()
            return gate.wait()

        listener = Listener(await asgi(listeners), takes=takes)
        await stuck.wait()
        for _ in range(100):
            await asyncio.to_thread(lambda: [told.record(None, answer) for _ in range(100)])
        (heap,) = [hear.__self__ for hear in told._listeners.values()]
        assert len(heap.answers) == MOST_NEWS
        gate.set()
        await listener.task
        return listener.events()

    names = [name for name, _ in run(work())]
    assert names == ["state", *["result"] * MOST_NEWS, "missed"]
    assert not told._listeners


def test_the_end_of_the_box_is_the_end_of_every_stream(box):
    async def work():
        app = box.application()
        heard = [Listener(app) for _ in range(3)]
        for listener in heard:
            await listener.until(has(1, "state"))
        box.bulletin.close()
        await asyncio.gather(*(listener.task for listener in heard))
        late = Listener(app)
        await late.task
        return [listener.messages[-1].get("more_body") for listener in [*heard, late]]

    assert run(work()) == [False] * 4
    assert len(box.bulletin._listeners) == 1  # The figures hear on.


def test_news_for_a_loop_that_is_closed_are_nobodys(box):
    async def work():
        listeners = Listeners(box.bulletin, lambda: box.state)
        with contextlib.suppress(BusyError):
            listeners.stream(lambda: True)

    run(work())
    box.bulletin.close()


def test_no_text_of_anybodys_begins_a_new_event():
    """Whatever a name or a reason holds, JSON writes its line ends as two characters."""
    answer = an_answer(source="a\n\ndata: {}\r\revent: state")
    sent = listening._event("result", listening._text(answer)).decode()
    assert sent.count("\n") == 3
    assert "\r" not in sent


def test_answers_are_told_after_they_were_recorded_and_not_otherwise():
    heard, answer = [], an_answer()

    def record(capture, given):
        assert not heard
        if capture == "broken":
            raise OSError
        return given

    bulletin = Bulletin(record)
    stop = bulletin.listen(heard.append)
    with pytest.raises(OSError):  # noqa: PT011 - the one from above
        bulletin.record("broken", answer)
    assert heard == []
    bulletin.record("fine", answer)
    assert heard == [answer]
    stop()
    stop()
    heard.clear()
    bulletin.record("fine", answer)
    assert heard == []


def test_many_threads_tell_and_listen_at_once():
    bulletin, heard = Bulletin(lambda _capture, given: given), []
    answer = an_answer()
    stop = bulletin.listen(heard.append)

    def work():
        for _ in range(50):
            bulletin.listen(lambda _: None)()
            bulletin.record(None, answer)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop()
    assert len(heard) == 400
