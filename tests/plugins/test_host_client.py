"""The client a plugin gets: requests go to Python, not over the network."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostler.integrations.plugins.plugin import HttpAnswer, HttpCall, PluginRefused
from tests.support.plugin_host import ON_EACH, Json, hosting

CLIENT = """\
export const C = async ({ client }) => ({
  "shell.env": async (input, output) => {
    const { of, name, options } = input
    const { data, error, response } = await client[of][name](options)
    Object.assign(output, { data, error, status: response?.status })
  },
})
"""


class Server:
    """Answers by path; ``calls`` is what it was asked."""

    def __init__(self, **answers: tuple[int, object]) -> None:
        self.calls: list[HttpCall] = []
        self._answers = answers

    async def fetch(self, call: HttpCall) -> HttpAnswer:
        self.calls.append(call)
        status, answer = self._answers[call.url.split("?")[0].split("/")[1]]
        if isinstance(answer, Exception):
            raise answer

        async def body() -> AsyncIterator[bytes]:
            text = json.dumps(answer).encode()
            for start in range(0, len(text), 1000):
                yield text[start : start + 1000]

        return HttpAnswer(status=status, headers={"content-type": "application/json"}, body=body())


@ON_EACH
async def test_requests_are_answered_by_python(runtime: str, tmp_path: Path) -> None:
    sessions = [{"id": f"ses_{n}", "title": "ä" * 50} for n in range(100)]
    server = Server(
        session=(200, sessions), log=(200, True), config=(404, {"name": "NotFoundError"})
    )
    files = {"plugin/c.js": CLIENT}
    async with hosting(runtime, tmp_path, files, fetch=server.fetch) as hosted:

        async def ask(of: str, name: str, options: Json | None = None) -> Json:
            given = {"of": of, "name": name, "options": options or {}}
            return await hosted.plugin.call("shell.env", given, {})

        assert (await ask("session", "list"))["data"] == sessions
        (listed,) = server.calls
        assert listed.method == "GET"
        assert listed.url.startswith("/session?directory=")
        body = {"service": "s", "level": "info", "message": "ä"}
        assert (await ask("app", "log", {"body": body}))["data"] is True
        logged = server.calls[-1]
        assert (logged.method, logged.url.split("?")[0]) == ("POST", "/log")
        assert json.loads(logged.body) == body
        assert logged.headers["content-type"] == "application/json"
        assert logged.headers["x-opencode-directory"]
        prompt = {"path": {"id": "ses_1"}, "body": {"parts": [{"type": "text", "text": "hi"}]}}
        await ask("session", "prompt", prompt)
        assert server.calls[-1].url == "/session/ses_1/message"
        missing = await ask("config", "get")
        assert missing["status"] == 404
        assert missing["error"] == {"name": "NotFoundError"}
        with pytest.raises(PluginRefused, match="NotFoundError"):
            await ask("config", "get", {"throwOnError": True})


@ON_EACH
async def test_a_request_that_python_cannot_answer(runtime: str, tmp_path: Path) -> None:
    server = Server(session=(0, OSError("the engine is closing")))
    files = {"plugin/c.js": CLIENT}
    async with hosting(runtime, tmp_path, files, fetch=server.fetch) as hosted:
        given = {"of": "session", "name": "list", "options": {"throwOnError": True}}
        with pytest.raises(PluginRefused, match="the engine is closing"):
            await hosted.plugin.call("shell.env", given, {})


class Feed:
    """An event stream that the test feeds."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Json] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.open = 0
        self.is_read = asyncio.Event()

    async def fetch(self, call: HttpCall) -> HttpAnswer:
        assert call.url.startswith("/event")
        self.open += 1
        return HttpAnswer(
            status=200, headers={"content-type": "text/event-stream"}, body=self._body()
        )

    async def _body(self) -> AsyncIterator[bytes]:
        self.is_read.set()
        try:
            while True:
                event = await self.events.get()
                yield f"data: {json.dumps(event)}\n\n".encode()
        finally:
            self.closed.set()


SUBSCRIBER = """\
export const S = async ({ client }) => ({
  "shell.env": async (input, output) => {
    const controller = new AbortController()
    const { stream } = await client.event.subscribe({ signal: controller.signal })
    const seen = []
    for await (const event of stream) {
      seen.push(event.type)
      if (event.type === "abort") controller.abort()
    }
    output.seen = seen
  },
})
"""


@ON_EACH
async def test_events_are_streamed_and_let_go(runtime: str, tmp_path: Path) -> None:
    feed = Feed()
    files = {"plugin/s.js": SUBSCRIBER}
    async with hosting(runtime, tmp_path, files, fetch=feed.fetch) as hosted:
        reading = asyncio.ensure_future(hosted.plugin.call("shell.env", {}, {}))
        for number in range(20):
            feed.events.put_nowait({"type": f"e{number}"})
        feed.events.put_nowait({"type": "abort"})
        async with asyncio.timeout(20):
            assert (await reading)["seen"] == [*(f"e{n}" for n in range(20)), "abort"]
            await feed.closed.wait()
        assert feed.open == 1


@ON_EACH
async def test_the_servers_address_is_the_same_door(runtime: str, tmp_path: Path) -> None:
    """Without a port that is listened on; any other address is the network's."""
    source = """\
export const F = async ({ serverUrl }) => ({
  "shell.env": async (_i, output) => {
    output.text = await (await fetch(new URL("/session/x?y=1", serverUrl))).json()
    output.other = await fetch("http://127.0.0.1:9/").then(() => "answered", () => "refused")
  },
})
"""
    server = Server(session=(200, ["here"]))
    files = {"plugin/f.js": source}
    async with hosting(runtime, tmp_path, files, fetch=server.fetch) as hosted:
        answer = await hosted.plugin.call("shell.env", {}, {})
        assert answer == {"text": ["here"], "other": "refused"}
        assert [call.url for call in server.calls] == ["/session/x?y=1"]


@ON_EACH
async def test_a_stream_ends_with_the_host(runtime: str, tmp_path: Path) -> None:
    feed = Feed()
    files = {"plugin/s.js": SUBSCRIBER}
    async with hosting(runtime, tmp_path, files, fetch=feed.fetch) as hosted:
        reading = asyncio.ensure_future(hosted.plugin.call("shell.env", {}, {}))
        await feed.is_read.wait()
        await hosted.host.kill("enough")
        with pytest.raises(Exception, match="enough"):
            await reading
        async with asyncio.timeout(10):
            await feed.closed.wait()
