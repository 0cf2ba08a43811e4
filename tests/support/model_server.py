"""A scripted model server on loopback: speaks chat completions over real HTTP, exactly as told.

In a test::

    async with ModelServer([text("Hello "), ...]) as server:
        ... provider options: {"baseURL": server.url, "apiKey": "test"}
        server.requests[0]["messages"]

Replies are used in order; when they run out the last one repeats. Requests without tools (titles)
are answered apart, with ``title``, unless ``titles=False``. Run as a program (``python -m
tests.support.model_server PORT``) it answers by rules on the last message, see ``by_rule``, and
keeps no requests.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import msgspec
import uvloop

CUT = object()
"""In a reply's chunks: close the connection here."""
STALL = object()
"""In a reply's chunks: send nothing more, keep the connection open."""
RESET = object()
"""In a reply's chunks: abort the connection (TCP reset)."""


@dataclass
class Reply:
    """``chunks``: bytes to send, seconds (float) or an event to wait for, or CUT, STALL, RESET;
    ``dropped``: the connection is reset instead of any answer."""

    chunks: Sequence[Any]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"
    before: float = 0.0
    dropped: bool = False
    whole: bytes | None = None

    def __post_init__(self) -> None:
        if all(isinstance(c, bytes) for c in self.chunks):
            self.whole = b"".join(self.chunks)


def event(payload: Any) -> bytes:
    data = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
    return f"data: {data}\n\n".encode()


def delta(content: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": content, "finish_reason": finish}
    return event(
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
         "choices": [choice], **more}
    )  # fmt: skip


def usage(prompt: int = 10, completion: int = 5, **details: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **details,
    }


DONE = event("[DONE]")


def text(*pieces: str, finish: str = "stop", tokens: dict[str, Any] | None = None) -> Reply:
    """A plain answer, one chunk a piece."""
    chunks = [delta({"role": "assistant", "content": p}) for p in pieces]
    return Reply([*chunks, delta({}, finish, usage=tokens or usage()), DONE])


def reasoning(thought: str, answer: str) -> Reply:
    return Reply(
        [
            delta({"role": "assistant", "reasoning_content": thought}),
            delta({"content": answer}),
            delta({}, "stop", usage=usage()),
            DONE,
        ]
    )


def call(name: str, call_id: str = "call_1", index: int = 0, /, **arguments: Any) -> bytes:
    return raw_call(name, json.dumps(arguments), call_id, index)


def raw_call(name: str, arguments: str, call_id: str = "call_1", index: int = 0) -> bytes:
    function = {"name": name, "arguments": arguments}
    return delta(
        {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
    )


def tool(name: str, /, **arguments: Any) -> Reply:
    """One tool call."""
    return calls((name, arguments))


def calls(*wanted: tuple[str, dict[str, Any]]) -> Reply:
    """Several tool calls in one answer."""
    chunks = [call(n, f"call_{i}", i, **a) for i, (n, a) in enumerate(wanted)]
    return Reply([*chunks, delta({}, "tool_calls", usage=usage()), DONE])


def error(
    status: int, message: str = "no", headers: dict[str, str] | None = None, **extra: Any
) -> Reply:
    body = json.dumps({"error": {"message": message, **extra}}).encode()
    return Reply([body], status, headers or {}, "application/json")


Script = Sequence[Reply] | Callable[[dict[str, Any]], Reply]


class _Glimpse(msgspec.Struct):
    messages: list[msgspec.Raw]
    tools: msgspec.Raw = msgspec.Raw(b"null")


def glimpse(body: bytes) -> dict[str, Any]:
    """A request with its messages undecoded: a benchmark's model takes no longer over a long
    conversation than it must."""
    seen = msgspec.json.decode(body, type=_Glimpse)
    return {"messages": seen.messages, "tools": bytes(seen.tools) not in (b"null", b"[]")}


class ModelServer:
    """``requests``: decoded bodies, in order, those for titles left out; ``paths``: where all were
    sent; ``decode``: how bodies are read."""

    def __init__(
        self,
        script: Script,
        title: str = "A title",
        titles: bool = True,
        keep: bool = True,
        decode: Callable[[bytes], dict[str, Any]] = msgspec.json.decode,
    ) -> None:
        self.decode = decode
        self._script, self._title, self._titles, self._keep = script, title, titles, keep
        self._position = 0
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.title_requests: list[dict[str, Any]] = []
        self.open_connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self._waiters: set[asyncio.Event] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in list(self.open_connections):
            transport.abort()

    async def __aenter__(self) -> "ModelServer":
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    def extend(self, *replies: Reply) -> None:
        assert isinstance(self._script, Sequence)
        self._script = [*self._script, *replies]

    async def wait_for_requests(self, count: int) -> None:
        """Until ``count`` requests (titles left out) have arrived."""
        arrived = asyncio.Event()
        self._waiters.add(arrived)
        try:
            async with asyncio.timeout(20):
                while len(self.requests) < count:
                    arrived.clear()
                    await arrived.wait()
        finally:
            self._waiters.discard(arrived)

    def reply_to(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        if self._titles and not body.get("tools") and not callable(self._script):
            self.title_requests.append(body)
            return text(self._title)
        if self._keep:
            self.requests.append(body)
            self.headers.append(headers)
        for waiter in self._waiters:
            waiter.set()
        if callable(self._script):
            return self._script(body)
        reply = self._script[min(self._position, len(self._script) - 1)]
        self._position += 1
        return reply


class _Connection(asyncio.Protocol):
    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._server.open_connections.add(self._transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open_connections.discard(self._transport)
        for task in self._tasks:
            task.cancel()

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._headers: dict[str, str] = {}
        self._url = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            reply = Reply(
                [json.dumps({"data": [{"id": "local-model"}]}).encode()],
                content_type="application/json",
            )
        else:
            self._server.paths.append(self._url.decode())
            reply = self._server.reply_to(self._server.decode(self._body), self._headers)
        self._begin()
        if reply.dropped:
            self._transport.abort()
            return
        if reply.whole is not None and not reply.before:
            self._transport.write(_head(reply, len(reply.whole)) + reply.whole)
            return
        task = asyncio.ensure_future(self._send(reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, reply: Reply) -> None:
        if reply.before:
            await asyncio.sleep(reply.before)
        self._transport.write(_head(reply, None))
        for chunk in reply.chunks:
            if chunk is CUT:
                self._transport.close()
                return
            if chunk is RESET:
                self._transport.abort()
                return
            if chunk is STALL:
                return
            if isinstance(chunk, float):
                await asyncio.sleep(chunk)
            elif isinstance(chunk, asyncio.Event):
                await chunk.wait()
            else:
                self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self._transport.write(b"0\r\n\r\n")


def _head(reply: Reply, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} X", f"content-type: {reply.content_type}"]
    lines += [f"{k}: {v}" for k, v in reply.headers.items()]
    lines.append(
        f"content-length: {length}" if length is not None else "transfer-encoding: chunked"
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def last_text(body: dict[str, Any]) -> str:
    """The text of the last message, whatever its form."""
    content = body["messages"][-1].get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", "") for p in content)


def by_rule(body: dict[str, Any]) -> Reply:
    """For benchmarks. After a tool result: "done". To ``RUN: <command>``: a bash call; to
    ``ROUNDS <n>``: n bash calls, one after the other and no two the same; to ``CHUNKS <n>``: n
    chunks of text at once, to ``STREAM <n>``: each by itself, without a pause, to ``PACED <n>``:
    one each 2 ms."""
    messages = _from_the_user(body["messages"])
    said = last_text({"messages": messages[:1]}).strip('"')
    if not body.get("tools"):
        return _HELLO
    if said.startswith("ROUNDS "):
        done = sum(1 for m in messages if m["role"] == "tool")
        return tool("bash", command=f"true {done}") if done < int(said.split()[1]) else _FINISHED
    if messages[-1]["role"] == "tool":
        return _FINISHED
    if said.startswith("RUN: "):
        return tool("bash", command=said[5:])
    if said.startswith("STREAM "):
        return paced(int(said.split()[1]), 0.0)
    if said.startswith("PACED "):
        return paced(int(said.split()[1]), 0.002)
    if said.startswith("CHUNKS "):
        return text(*["twenty characters ok "] * int(said.split()[1]))
    return _HELLO


def _from_the_user(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """From what the user said last."""
    found: list[dict[str, Any]] = []
    for message in reversed(messages):
        decoded = msgspec.json.decode(message) if isinstance(message, msgspec.Raw) else message
        found.insert(0, decoded)
        if decoded["role"] == "user":
            break
    return found


def paced(count: int, seconds: float) -> Reply:
    """That many chunks of text, one each so many seconds."""
    chunks: list[Any] = []
    for _ in range(count):
        chunks += [delta({"content": "twenty characters ok "}), seconds]
    return Reply([*chunks, delta({}, "stop", usage=usage()), DONE])


_HELLO = text("Hello ", "world")
_FINISHED = text("done")


async def serve(port: int) -> None:
    server = ModelServer(by_rule, keep=False, decode=glimpse)
    await server.start(port)
    print(server.port, flush=True)
    await asyncio.Event().wait()


async def collect(iterator: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in iterator]


if __name__ == "__main__":
    # uvloop, so that of two cores the model takes as little as it can
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
