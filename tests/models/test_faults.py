"""A server that fails in every way there is, over every wire: each ends in the right kind of
failure within its deadline, or is no failure at all.

What the engine makes of the kinds (retries, fallbacks, the error on the message) is in
tests/server/test_model_failures.py and test_routing.py.
"""

import asyncio
import email.utils
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from ostler.models.anthropic import Anthropic
from ostler.models.bedrock import Bedrock
from ostler.models.delta import Delta, TextDelta, ToolCall
from ostler.models.failure import ModelFailure
from ostler.models.gemini import Gemini
from ostler.models.openai_chat import OpenAIChat
from ostler.models.openai_responses import OpenAIResponses
from ostler.transport import DirectTransport
from tests.models.test_bedrock import FrameParser, called, delta, frame
from tests.models.test_official_types import STREAMS
from tests.support import build
from tests.support.command import free_port
from tests.support.model_server import CUT, RESET, STALL, ModelServer, Reply, collect, event

WIRES = list(STREAMS)
DEADLINE = 5.0
"""Seconds within which every case ends."""
SOON = {"headerTimeout": 150, "chunkTimeout": 150}
BIG = 10 * 2**20

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda w: w.__name__)


def media(wire: type) -> str:
    return FrameParser.media if wire is Bedrock else "text/event-stream"


async def ask(wire: type[Any], reply: Reply, url: str = "", **options: Any) -> list[Delta]:
    transport = DirectTransport()
    async with ModelServer([reply], titles=False) as server:
        provider = build.provider(url or server.url, **{**SOON, **options})
        try:
            async with asyncio.timeout(DEADLINE):
                batches = await collect(
                    wire(transport).stream(build.request(server.url, provider=provider))
                )
        finally:
            await transport.close()
    return [d for batch in batches for d in batch]


async def failure_of(wire: type, reply: Reply, **more: Any) -> ModelFailure:
    with pytest.raises(ModelFailure) as failed:
        await ask(wire, reply, **more)
    return failed.value


def stream(wire: type, *chunks: Any) -> Reply:
    return Reply(chunks, content_type=media(wire))


# ── answers that are errors ───────────────────────────────────────────────────────────────────

STATUSES = {
    400: "invalid_request",
    401: "auth",
    402: "quota",
    403: "auth",
    404: "invalid_request",
    408: "timeout",
    413: "context_overflow",
    422: "invalid_request",
    429: "rate_limited",
    500: "unavailable",
    502: "unavailable",
    503: "unavailable",
    504: "timeout",
    524: "timeout",
    529: "overloaded",
}
PAGE = b"<!doctype html><html><head><title>Gateway</title></head><body>no</body></html>"


@every_wire
@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
async def test_statuses(wire: type, status: int, kind: str) -> None:
    body = json.dumps({"error": {"message": "no"}}).encode()
    failed = await failure_of(wire, Reply([body], status, content_type="application/json"))
    assert failed.kind == kind
    assert failed.retryable == (kind in ("rate_limited", "overloaded", "unavailable", "timeout"))


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
@pytest.mark.parametrize("page", [PAGE, b""], ids=["html", "empty"])
async def test_statuses_of_gateways(status: int, kind: str, page: bytes) -> None:
    failed = await failure_of(OpenAIChat, Reply([page], status, content_type="text/html"))
    if status == 400 and not page:
        kind = "context_overflow"  # what some servers mean by a bare 400 (OpenCode 1.18)
    assert failed.kind == kind
    assert "doctype" not in str(failed)
    assert str(status) in str(failed)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, 1.5),
        ({"retry-after": "DATE"}, 8, 10),
    ],
)
async def test_how_long_to_wait(headers: dict[str, str], least: float, most: float) -> None:
    if headers["retry-after"] == "DATE":
        headers = {"retry-after": email.utils.formatdate(time.time() + 10, usegmt=True)}
    failed = await failure_of(OpenAIChat, Reply([b"{}"], 429, headers, "application/json"))
    assert failed.retry_after is not None
    assert least <= failed.retry_after <= most


# ── answers that do not come, or break off ────────────────────────────────────────────────────


@every_wire
async def test_slow_headers(wire: type) -> None:
    reply = Reply(STREAMS[wire](), before=DEADLINE * 2, content_type=media(wire))
    assert (await failure_of(wire, reply)).kind == "timeout"


@every_wire
@pytest.mark.parametrize("place", [0, 1, 3])
async def test_a_stream_that_stalls(wire: type, place: int) -> None:
    chunks = [*STREAMS[wire]()[:place], STALL]
    assert (await failure_of(wire, stream(wire, *chunks))).kind == "timeout"


@every_wire
async def test_the_whole_time_is_bounded_where_it_is_configured(wire: type) -> None:
    drip: list[Any] = [part for chunk in STREAMS[wire]()[:3] for part in (chunk, 0.05)]
    reply = stream(wire, *drip, STALL)
    failed = await failure_of(wire, reply, timeout=300, chunkTimeout=4_000)
    assert failed.kind == "timeout"


@every_wire
@pytest.mark.parametrize("ending", [CUT, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize("place", [0, 1, 3])
async def test_a_connection_that_breaks(wire: type, ending: object, place: int) -> None:
    chunks = [*STREAMS[wire]()[:place], ending]
    assert (await failure_of(wire, stream(wire, *chunks))).kind == "unavailable"


@every_wire
async def test_a_connection_that_breaks_within_an_event(wire: type) -> None:
    first, second, *_ = STREAMS[wire]()
    reply = stream(wire, first, second[: len(second) // 2], RESET)
    assert (await failure_of(wire, reply)).kind == "unavailable"


@every_wire
async def test_a_connection_that_is_dropped_before_an_answer(wire: type) -> None:
    assert (await failure_of(wire, Reply([b""], dropped=True))).kind == "unavailable"


@every_wire
async def test_nobody_there(wire: type) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    assert (await failure_of(wire, Reply([b""]), url=url)).kind == "unavailable"


@every_wire
async def test_an_end_before_the_end(wire: type) -> None:
    """The stream is closed in good order, but without the answer's last word."""
    chunks = STREAMS[wire]()[:2]
    assert (await failure_of(wire, stream(wire, *chunks))).kind == "unavailable"


# ── answers that are something else ───────────────────────────────────────────────────────────


@every_wire
async def test_truncated_json(wire: type) -> None:
    broken = (
        frame("contentBlockDelta", {})[:-4] if wire is Bedrock else b'data: {"choices": [{"de\n\n'
    )
    if wire is Bedrock:
        broken += b"\0\0\0\0"  # whole by its length, but not by its checksum
    failed = await failure_of(wire, stream(wire, STREAMS[wire]()[0], broken))
    assert failed.kind == "bad_stream"


@every_wire
@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/octet-stream"])
async def test_a_page_instead_of_a_stream(wire: type, kind: str) -> None:
    failed = await failure_of(wire, Reply([PAGE], content_type=kind))
    assert failed.kind == "bad_stream"
    assert kind in str(failed)


@every_wire
async def test_values_of_the_wrong_kind(wire: type) -> None:
    wrong = {
        OpenAIChat: event({"choices": "none"}),
        OpenAIResponses: event({"type": "response.output_text.delta", "delta": {"a": 1}}),
        Anthropic: event({"type": ["message_start"]}),
        Gemini: event({"candidates": [{"content": "text"}]}),
        Bedrock: frame("contentBlockDelta", {"delta": "text"}),
    }
    assert (await failure_of(wire, stream(wire, wrong[wire]))).kind == "bad_stream"


# ── answers that are odd, and good ────────────────────────────────────────────────────────────


@every_wire
async def test_tool_ids_that_are_used_twice(wire: type) -> None:
    chunks = [
        chunk.replace(b"call_2", b"call_1") if isinstance(chunk, bytes) else chunk
        for chunk in STREAMS[wire]()
    ]
    if wire is Bedrock:  # a frame's checksum covers the id
        chunks = [
            *called(1, "bash", '{"command":"ls"}', call_id="call_1"),
            *called(2, "read", call_id="call_1"),
            *STREAMS[wire]()[-2:],
        ]
    deltas = await ask(wire, stream(wire, *chunks))
    first, second = (d for d in deltas if isinstance(d, ToolCall))
    assert (first.name, second.name) == ("bash", "read")
    assert first.id != second.id


def big(wire: type) -> list[bytes]:
    """A stream with one chunk of ten megabytes of text."""
    said = "x" * BIG
    if wire is Bedrock:
        return [delta(0, text=said), *STREAMS[wire]()[-2:]]
    return [c.replace(b'"Hel"', json.dumps(said).encode(), 1) for c in STREAMS[wire]()]


@every_wire
async def test_a_chunk_of_ten_megabytes(wire: type) -> None:
    deltas = await ask(wire, stream(wire, *big(wire)), chunkTimeout=4_000)
    said = sum(len(d.text) for d in deltas if isinstance(d, TextDelta))
    assert said >= BIG


@every_wire
@pytest.mark.parametrize("size", [1, 7, 64])
async def test_chunks_of_any_size(wire: type, size: int) -> None:
    data = b"".join(STREAMS[wire]())
    pieces: Sequence[bytes] = [data[at : at + size] for at in range(0, len(data), size)]
    deltas = await ask(wire, stream(wire, *pieces), chunkTimeout=4_000)
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == "Hello"
    assert [d.name for d in deltas if isinstance(d, ToolCall)] == ["bash", "read"]


@every_wire
async def test_a_credential_that_the_provider_repeats(wire: type) -> None:
    body = json.dumps({"error": {"message": "Incorrect API key: test-key."}}).encode()
    headers = {"x-echo": "test-key"}
    options = {"accessKeyId": "AKIA", "secretAccessKey": "s"} if wire is Bedrock else {}
    reply = Reply([body], 401, headers, content_type="application/json")
    failed = await failure_of(wire, reply, **options)
    assert failed.kind == "auth"
    assert "Incorrect API key: ***." in str(failed)
    assert "test-key" not in str(failed.error)
