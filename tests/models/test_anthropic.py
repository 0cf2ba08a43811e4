"""The wire of Anthropic's messages API against a real HTTP server: requests as sent, streams as
read."""

from typing import Any

import pytest

from ostler.models.anthropic import Anthropic
from ostler.models.delta import (
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
    TextEnd,
    ToolCall,
    ToolStart,
    Usage,
)
from ostler.models.failure import ModelFailure
from ostler.models.registry import ANTHROPIC
from ostler.models.request import (
    ChatMessage,
    MediaBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolDefinition,
    ToolResultBlock,
)
from ostler.transport import DirectTransport
from tests.support import build, wires
from tests.support.model_server import CUT, ModelServer, Reply, collect, error, event
from tests.support.product import serving, texts

START = event({"type": "message_start", "message": {"usage": {"input_tokens": 9}}})
STOP = event({"type": "message_stop"})
OVERLOADED = event({"type": "error", "error": {"type": "overloaded_error", "message": "x"}})


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[bytes]:
    return [
        event({"type": "content_block_start", "index": index, "content_block": start}),
        *(event({"type": "content_block_delta", "index": index, "delta": d}) for d in deltas),
        event({"type": "content_block_stop", "index": index}),
    ]


def said(text: str, index: int = 0) -> list[bytes]:
    return block(index, {"type": "text", "text": ""}, {"type": "text_delta", "text": text})


def called(name: str, *pieces: str, call_id: str = "toolu_1", index: int = 0) -> list[bytes]:
    start = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return block(index, start, *({"type": "input_json_delta", "partial_json": p} for p in pieces))


def ended(reason: str = "end_turn", **usage: int) -> list[bytes]:
    counted = {"output_tokens": 5, **usage}
    return [
        event({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": counted}),
        STOP,
    ]


async def ask(*chunks: bytes | object, **fields: Any) -> tuple[list[Any], dict[str, Any]]:
    """The deltas of one request, and the body that was sent."""
    return await wires.ask(Anthropic, chunks, **fields)


async def test_text_and_usage() -> None:
    counted = {"cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}
    deltas, _ = await ask(START, *said("Hello"), *ended(**counted))
    assert deltas == [
        TextDelta("text_0", "Hello"),
        TextEnd("text_0"),
        Finish("stop", Usage(input=14, output=5, cache_read=3, cache_write=2)),
    ]


async def test_thinking_keeps_its_signature() -> None:
    thought = block(
        0,
        {"type": "thinking", "thinking": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "sig"},
    )
    deltas, _ = await ask(START, *thought, *said("ok", 1), *ended())
    assert deltas[:2] == [
        ReasoningDelta("thinking_0", "hm"),
        ReasoningEnd("thinking_0", {"anthropic": {"signature": "sig"}}),
    ]


async def test_parallel_calls_in_pieces() -> None:
    first = called("bash", '{"comm', 'and": "ls"}')
    second = called("read", call_id="toolu_2", index=1)
    deltas, _ = await ask(START, *first, *second, *ended("tool_use"))
    assert deltas[:-1] == [
        ToolStart("toolu_1", "bash"),
        ToolCall("toolu_1", "bash", '{"command": "ls"}'),
        ToolStart("toolu_2", "read"),
        ToolCall("toolu_2", "read", "{}"),
    ]
    assert deltas[-1].reason == "tool-calls"


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [("max_tokens", "length"), ("refusal", "content-filter"), ("new_one", "unknown")],
)
async def test_why_it_ended(reason: str, meaning: str) -> None:
    deltas, _ = await ask(START, *said("x"), *ended(reason))
    assert deltas[-1].reason == meaning


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([START, *said("x"), CUT], "unavailable"),
        ([START, b"data: {nonsense\n\n"], "bad_stream"),
        (
            [
                START,
                event({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
            ],
            "overloaded",
        ),
    ],
)
async def test_streams_that_fail(chunks: list[Any], kind: str) -> None:
    with pytest.raises(ModelFailure) as failed:
        await ask(*chunks)
    assert failed.value.kind == kind


async def test_refusals() -> None:
    transport = DirectTransport()
    async with ModelServer([error(401, "invalid x-api-key")], titles=False) as server:
        with pytest.raises(ModelFailure) as failed:
            await collect(Anthropic(transport).stream(build.request(server.url)))
    await transport.close()
    assert failed.value.kind == "auth"


async def test_what_is_sent() -> None:
    messages = [
        ChatMessage("system", (TextBlock("Be brief."),)),
        ChatMessage(
            "user", (TextBlock("look"), MediaBlock("image/png", "data:image/png;base64,AA"))
        ),
        ChatMessage(
            "assistant",
            (
                ReasoningBlock("hm", {"anthropic": {"signature": "sig"}}),
                ReasoningBlock("of another provider", {}),
                ToolCallBlock("call.1", "bash", {"command": "ls"}),
            ),
        ),
        ChatMessage("tool", (ToolResultBlock("call.1", "bash", "no", failed=True),)),
        ChatMessage("user", (TextBlock("go on"),)),
    ]
    tools = [ToolDefinition("bash", "Runs.", {"type": "object"})]
    _, body = await ask(START, *said("x"), *ended(), messages=messages, tools=tools)
    assert body["system"][0]["text"] == "Be brief."
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    picture = body["messages"][0]["content"][1]
    assert picture["source"] == {"type": "base64", "media_type": "image/png", "data": "AA"}
    thought, use = body["messages"][1]["content"]
    assert thought == {"type": "thinking", "thinking": "hm", "signature": "sig"}
    assert (use["id"], use["input"]) == ("call_1", {"command": "ls"})
    result, more = body["messages"][2]["content"]
    assert (result["tool_use_id"], result["is_error"]) == ("call_1", True)
    assert more["text"] == "go on"
    assert body["tools"] == [
        {"name": "bash", "description": "Runs.", "input_schema": {"type": "object"}}
    ]
    assert body["stream"] is True
    assert body["max_tokens"] > 0


async def test_thinking_leaves_room_for_the_answer() -> None:
    options = {"thinking": {"type": "enabled", "budgetTokens": 2000}}
    _, body = await ask(
        START, *said("x"), *ended(), options=options, max_output=1000, temperature=0.5
    )
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 3000
    assert "temperature" not in body


async def test_a_whole_turn(tmp_path: Any) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        if not body.get("tools"):
            return Reply([START, *said("A title"), *ended()])
        if body["messages"][-1]["content"][0]["type"] == "tool_result":
            return Reply([START, *said("done"), *ended()])
        return Reply([START, *called("bash", '{"command": "echo hi"}'), *ended("tool_use")])

    async with serving(tmp_path, answer, model={"provider": {"npm": ANTHROPIC}}) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == "hi\n"
        assert ostler.model.headers[0]["x-api-key"] == "test-key"
