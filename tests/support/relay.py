"""A TCP relay between a client and a server, for what happens to connections on the way."""

import asyncio
from contextlib import suppress
from typing import Any


class Relay:
    """::

        async with Relay(port) as relay:
            ... http://127.0.0.1:{relay.port} ...
            relay.cut()

    ``connections``: how many there were.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._accepting, self._without_events = True, False
        self._event_streams: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self, for_good: bool = False) -> None:
        """Break every connection; ``for_good``: and every one to come."""
        self._accepting = not for_good
        for writer in self._open:
            writer.transport.abort()

    def cut_events(self) -> None:
        """Break the connections that carry events, and let none of that kind through again."""
        self._without_events = True
        for writer in self._event_streams:
            writer.transport.abort()

    def restore(self) -> None:
        self._accepting = True

    def freeze(self) -> None:
        """Let nothing through any more, on connections that are open: nobody is told."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Connections made from here on work."""
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut(for_good=True)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not self._accepting:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink, self._flowing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: Any, sink: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if data.startswith(b"GET /event"):
                    self._event_streams.add(sink)
                    if self._without_events:
                        break
                await flowing.wait()
                sink.write(data)
                await sink.drain()
        sink.close()
        self._open.discard(sink)
