"""The wire of OpenAI's responses API against a real HTTP server: requests as sent, streams as
read."""

from typing import Any

import msgspec
import pytest

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
from ostler.models.openai_responses import OpenAIResponses
from ostler.models.registry import RESPONSES
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

USAGE = {
    "input_tokens": 14,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 23,
}


def said(kind: str, **fields: Any) -> bytes:
    return event({"type": f"response.{kind}", **fields})


def item(index: int, described: dict[str, Any], *between: bytes) -> list[bytes]:
    begun = {k: v for k, v in described.items() if k not in ("arguments", "encrypted_content")}
    return [
        said("output_item.added", output_index=index, item=begun),
        *between,
        said("output_item.done", output_index=index, item=described),
    ]


def text(index: int, *pieces: str) -> list[bytes]:
    deltas = [said("output_text.delta", output_index=index, delta=p) for p in pieces]
    content = [{"type": "output_text", "text": "".join(pieces)}]
    return item(index, {"type": "message", "id": "msg_1", "content": content}, *deltas)


def called(index: int, name: str, arguments: str, call_id: str) -> list[bytes]:
    described = {
        "type": "function_call",
        "id": f"fc_{index}",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }
    half = said("function_call_arguments.delta", output_index=index, delta=arguments[:2])
    return item(index, described, half)


def ended(**fields: Any) -> bytes:
    return said("completed", response={"usage": USAGE, **fields})


async def ask(*chunks: Any, **fields: Any) -> tuple[list[Any], dict[str, Any]]:
    """The deltas of one request, and the body that was sent."""
    return await wires.ask(OpenAIResponses, chunks, **fields)


async def test_text_and_usage() -> None:
    deltas, body = await ask(said("created", response={}), *text(0, "Hel", "lo"), ended())
    assert deltas == [
        TextDelta("text_0", "Hel"),
        TextDelta("text_0", "lo"),
        TextEnd("text_0"),
        Finish("stop", Usage(input=14, output=9, reasoning=4, cache_read=3, total=23)),
    ]
    assert body["store"] is False
    assert body["stream"] is True


async def test_reasoning_comes_back_encrypted() -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "encrypted_content": "secret",
        "summary": [{"type": "summary_text", "text": "First. "}],
    }
    part = said("reasoning_summary_part.added", output_index=0)
    pieces = [
        said("reasoning_summary_text.delta", output_index=0, delta=p) for p in ("First.", "Second.")
    ]
    deltas, _ = await ask(
        *item(0, thought, part, pieces[0], part, pieces[1]), *text(1, "ok"), ended()
    )
    own = {"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "secret"}}
    assert deltas[:4] == [
        ReasoningDelta("reasoning_0", "First."),
        ReasoningDelta("reasoning_0", "\n\n"),
        ReasoningDelta("reasoning_0", "Second."),
        ReasoningEnd("reasoning_0", own),
    ]


async def test_parallel_calls() -> None:
    deltas, _ = await ask(
        *called(0, "bash", '{"command": "ls"}', "call_1"), *called(1, "read", "", "call_2"), ended()
    )
    assert deltas[:-1] == [
        ToolStart("call_1", "bash"),
        ToolCall("call_1", "bash", '{"command": "ls"}'),
        ToolStart("call_2", "read"),
        ToolCall("call_2", "read", "{}"),
    ]
    assert deltas[-1].reason == "tool-calls"


async def test_two_calls_with_one_id_are_told_apart() -> None:
    deltas, _ = await ask(*called(0, "a", "{}", "call_1"), *called(1, "b", "{}", "call_1"), ended())
    first, second = (d.id for d in deltas if isinstance(d, ToolCall))
    assert first == "call_1"
    assert second != first


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [("max_output_tokens", "length"), ("content_filter", "content-filter"), ("new", "unknown")],
)
async def test_why_it_is_incomplete(reason: str, meaning: str) -> None:
    end = said("incomplete", response={"incomplete_details": {"reason": reason}})
    deltas, _ = await ask(*text(0, "x"), end)
    assert deltas[-1].reason == meaning


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([*text(0, "x"), CUT], "unavailable"),
        ([b"data: {nonsense\n\n"], "bad_stream"),
        (
            [
                said(
                    "failed", response={"error": {"code": "rate_limit_exceeded", "message": "slow"}}
                )
            ],
            "rate_limited",
        ),
        (
            [event({"type": "error", "code": "server_is_overloaded", "message": "busy"})],
            "overloaded",
        ),
    ],
)
async def test_streams_that_fail(chunks: list[Any], kind: str) -> None:
    with pytest.raises(ModelFailure) as failed:
        await ask(*chunks)
    assert failed.value.kind == kind


async def test_an_answer_that_is_not_a_stream() -> None:
    output = [
        {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "whole"}]},
        {"type": "function_call", "id": "f", "call_id": "c", "name": "ls", "arguments": "{}"},
    ]
    whole = msgspec.json.encode({"object": "response", "output": output, "usage": USAGE})
    transport = DirectTransport()
    async with ModelServer(
        [Reply([whole], content_type="application/json")], titles=False
    ) as server:
        batches = await collect(OpenAIResponses(transport).stream(build.request(server.url)))
        await transport.close()
    deltas = [d for batch in batches for d in batch]
    assert deltas[:2] == [TextDelta("text_0", "whole"), TextEnd("text_0")]
    assert deltas[-1].reason == "tool-calls"


async def test_a_conversation_as_it_is_sent() -> None:
    own = {"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "secret"}}
    messages = [
        ChatMessage("system", (TextBlock("Be good."),)),
        ChatMessage(
            "user", (TextBlock("look"), MediaBlock("image/png", "data:image/png;base64,AA=="))
        ),
        ChatMessage(
            "assistant",
            (
                ReasoningBlock("hm", own),
                ReasoningBlock("of another provider"),
                TextBlock("I will."),
                ToolCallBlock("call_1", "bash", {"command": "ls"}),
            ),
        ),
        ChatMessage("tool", (ToolResultBlock("call_1", "bash", "a.txt"),)),
    ]
    tool = ToolDefinition("bash", "Runs.", {"type": "object", "properties": {}})
    _, body = await ask(
        *text(0, "x"),
        ended(),
        messages=messages,
        tools=[tool],
        options={"reasoningEffort": "low", "textVerbosity": "low", "serviceTier": "flex"},
        session_id="ses_1",
        max_output=100,
    )
    assert body["input"] == [
        {"role": "developer", "content": "Be good."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "look"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AA==",
                    "detail": "auto",
                },
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "encrypted_content": "secret",
            "summary": [{"type": "summary_text", "text": "hm"}],
        },
        {"role": "assistant", "content": "I will."},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "bash",
            "arguments": '{"command":"ls"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
    ]
    assert body["tools"][0] == {
        "type": "function",
        "name": "bash",
        "description": "Runs.",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }
    assert body["prompt_cache_key"] == "ses_1"
    assert body["max_output_tokens"] == 100
    assert body["text"] == {"verbosity": "low"}
    assert body["service_tier"] == "flex"


async def test_a_turn_over_it(tmp_path: Any) -> None:
    replies = [
        Reply([*called(0, "bash", '{"command": "echo hi"}', "call_1"), ended()]),
        Reply([*text(0, "done"), ended()]),
    ]
    model = {"provider": {"npm": RESPONSES}, "reasoning": True}
    async with serving(tmp_path, replies, model=model) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == "hi\n"
        first, second = (r for r in ostler.model.requests if r.get("tools"))
        assert first["include"] == ["reasoning.encrypted_content"]
        assert first["reasoning"]["summary"] == "auto"
        assert [i.get("type") for i in second["input"][-2:]] == [
            "function_call",
            "function_call_output",
        ]


async def test_a_refusal_of_the_request() -> None:
    transport = DirectTransport()
    async with ModelServer([error(401, "bad key")], titles=False) as server:
        with pytest.raises(ModelFailure) as failed:
            await collect(OpenAIResponses(transport).stream(build.request(server.url)))
        await transport.close()
    assert failed.value.kind == "auth"
