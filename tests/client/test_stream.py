"""An answer as it is written."""

import asyncio
from pathlib import Path

import pytest

from ostler.client import AsyncClient, DeadlineExceeded
from ostler.schema.errors import APIError
from tests.support.model_server import (
    DONE,
    STALL,
    Reply,
    delta,
    error,
    reasoning,
    text,
    tool,
    usage,
)
from tests.support.product import serving
from tests.support.relay import Relay
from tests.support.servers import BOTH, server_of

SLOW = Reply([delta({"role": "assistant", "content": "a"}), STALL])


@pytest.mark.parametrize("kind", BOTH)
async def test_text_comes_piece_by_piece(tmp_path: Path, kind: str) -> None:
    pause = asyncio.Event()
    reply = Reply(
        [
            *(delta({"role": "assistant", "content": "Hel"}), pause),
            *(delta({"content": "lo"}), delta({}, "stop", usage=usage()), DONE),
        ]
    )
    async with server_of(kind, tmp_path, [reply]) as server, AsyncClient(server.url) as client:
        session = await client.session.create(title="t")
        async with client.stream(session.id, "go", model="test/m1") as stream:
            assert await anext(stream) == "Hel"
            with pytest.raises(RuntimeError, match="ended"):
                _ = stream.answer
            pause.set()
            assert [piece async for piece in stream] == ["lo"]
        assert (stream.answer.text, stream.answer.info.finish) == ("Hello", "stop")


@pytest.mark.parametrize("kind", BOTH)
async def test_text_between_tool_calls_is_told_and_reasoning_is_not(
    tmp_path: Path, kind: str
) -> None:
    first = tool("bash", command="true", description="Nothing")
    first = Reply([delta({"role": "assistant", "content": "Let me see. "}), *first.chunks])
    script = [first, reasoning("thinking hard", "Done.")]
    async with server_of(kind, tmp_path, script) as server, AsyncClient(server.url) as client:
        session = await client.session.create(title="t")
        stream = client.stream(session.id, "go")
        assert "".join([p async for p in stream]).split() == ["Let", "me", "see.", "Done."]
        assert stream.answer.text == "Done."


@pytest.mark.parametrize("kind", BOTH)
async def test_a_session_in_another_directory(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with (
        server_of(kind, tmp_path, [text("Hel", "lo")]) as server,
        AsyncClient(server.url) as client,
    ):
        session = await client.session.create(title="t", directory=str(elsewhere))
        assert "".join([p async for p in client.stream(session.id, "go")]) == "Hello"


async def test_a_turn_that_fails_ends_with_its_error(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, [error(400, "no such thing")]) as ostler,
        AsyncClient(str(ostler.http.base_url)) as client,
    ):
        session = await client.session.create(title="t")
        stream = client.stream(session.id, "go")
        assert [p async for p in stream] == []
        assert isinstance(stream.answer.error, APIError)


@pytest.mark.parametrize("kind", BOTH)
async def test_its_deadline_aborts_the_turn(tmp_path: Path, kind: str) -> None:
    async with server_of(kind, tmp_path, [SLOW]) as server, AsyncClient(server.url) as client:
        session = await client.session.create(title="t")
        stream = client.stream(session.id, "go", deadline=12)
        assert await anext(stream) == "a"
        with pytest.raises(DeadlineExceeded):
            await anext(stream)
        assert await client.session.status() == {}


async def test_stopping_to_read_aborts_the_turn(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, [SLOW]) as ostler,
        AsyncClient(str(ostler.http.base_url)) as client,
    ):
        session = await client.session.create(title="t")
        async with client.stream(session.id, "go") as stream:
            assert await anext(stream) == "a"
        assert await client.session.status() == {}


async def test_what_a_broken_event_stream_missed_is_told_at_the_end(tmp_path: Path) -> None:
    """The events break off for good after the first piece; the prompt's own answer arrives."""
    pause = asyncio.Event()
    first = Reply(
        [
            *(delta({"role": "assistant", "content": "One"}), pause, delta({"content": " two. "})),
            *tool("bash", command="true", description="Nothing").chunks,
        ]
    )
    async with (
        serving(tmp_path, [first, text("Three.")]) as ostler,
        Relay(ostler.http.base_url.port or 0) as relay,
        AsyncClient(relay.url) as client,
    ):
        session = await client.session.create(title="t")
        stream = client.stream(session.id, "go")
        told = [await anext(stream)]
        relay.cut_events()
        pause.set()
        told += [piece async for piece in stream]
        assert "".join(told) == "One two.Three."
