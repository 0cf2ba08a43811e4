"""HTTP connections: kept while the server keeps them, and given up when it does not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from ostler.transport import DirectTransport, HttpRequest, TransportError, read_body

LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\nok"
OLD = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Scripted:
    """Answers requests in turn; ``seen`` has the connection each came over. None: it hangs up."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self._answers = list(answers)
        self.seen: list[int] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        mine = self.connections
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.seen.append(mine)
                answer = self._answers.pop(0)
                if answer is not None:
                    writer.write(answer)
                if answer in (None, CLOSING, UNTIL_CLOSED, OLD):
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*answers: bytes | None) -> AsyncIterator[tuple[DirectTransport, Scripted]]:
    script, transport = Scripted(answers), DirectTransport()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield transport, script
    finally:
        await transport.close()
        server.close()


async def ask(transport: DirectTransport, url: str, **more: bool) -> bytes:
    response = await transport.send(HttpRequest(url, {}, b"", "GET", **more))  # type: ignore[arg-type]
    body = await read_body(response)
    await response.close()
    return body


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, EMPTY])
async def test_a_connection_is_used_again(answer: bytes) -> None:
    async with scripted(answer, answer, LENGTH) as (transport, script):
        for _ in range(2):
            assert await ask(transport, script.url) == (b"" if answer == EMPTY else b"ok")
        assert await ask(transport, script.url) == b"ok"
        assert script.seen == [1, 1, 1]


@pytest.mark.parametrize("answer", [CLOSING, UNTIL_CLOSED, OLD])
async def test_a_server_that_closes_is_connected_to_anew(answer: bytes) -> None:
    async with scripted(answer, LENGTH) as (transport, script):
        assert await ask(transport, script.url) == b"ok"
        assert await ask(transport, script.url) == b"ok"
        assert script.seen == [1, 2]


async def test_an_answer_that_was_not_read_spoils_the_connection() -> None:
    async with scripted(CHUNKED[:-5], LENGTH) as (transport, script):
        response = await transport.send(HttpRequest(script.url, {}, b"", "GET"))
        await response.close()
        assert await ask(transport, script.url) == b"ok"
        assert script.seen == [1, 2]


async def test_a_kept_connection_that_breaks_is_tried_again_only_where_that_may_be() -> None:
    async with scripted(LENGTH, None, LENGTH) as (transport, script):
        await ask(transport, script.url)
        assert await ask(transport, script.url) == b"ok"
        assert script.seen == [1, 1, 2]
    async with scripted(LENGTH, None) as (transport, script):
        await ask(transport, script.url)
        with pytest.raises(TransportError, match="closed the connection") as raised:
            await ask(transport, script.url, repeatable=False)
        assert raised.value.sent
        assert script.seen == [1, 1]
