"""The wire of Google's Gemini API against a real HTTP server: requests as sent, streams as read."""

from pathlib import Path
from typing import Any

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
from ostler.models.gemini import UNSIGNED, Gemini
from ostler.models.registry import GEMINI
from ostler.models.request import (
    ChatMessage,
    MediaBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolDefinition,
    ToolResultBlock,
)
from ostler.schema.config import ModelConfig
from tests.support import build, official, wires
from tests.support.model_server import CUT, Reply, event
from tests.support.product import serving, texts

USAGE = {
    "promptTokenCount": 20,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 7,
    "cachedContentTokenCount": 12,
    "totalTokenCount": 32,
}


def chunk(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return event({"candidates": [candidate], "modelVersion": "gemini", **fields})


def called(name: str, signature: str = "", **arguments: Any) -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"name": name, "args": arguments}}
    return {**part, "thoughtSignature": signature} if signature else part


def ended(reason: str = "STOP") -> bytes:
    return chunk(finish=reason, usageMetadata=USAGE)


async def ask(*chunks: Any, **fields: Any) -> tuple[list[Any], dict[str, Any]]:
    return await wires.ask(Gemini, chunks, **fields)


async def test_thoughts_text_and_usage() -> None:
    stream = [
        chunk({"text": "Let me ", "thought": True}),
        chunk({"text": "see.", "thought": True, "thoughtSignature": "c2ln"}),
        chunk({"text": "Hel"}),
        chunk({"text": "lo"}),
        ended(),
    ]
    official.judge_stream(Gemini, stream)
    deltas, _ = await ask(*stream)
    assert deltas == [
        ReasoningDelta("reasoning_0", "Let me "),
        ReasoningDelta("reasoning_0", "see."),
        ReasoningEnd("reasoning_0", {"google": {"thoughtSignature": "c2ln"}}),
        TextDelta("text_1", "Hel"),
        TextDelta("text_1", "lo"),
        TextEnd("text_1"),
        Finish("stop", Usage(input=20, output=12, reasoning=7, cache_read=12, total=32)),
    ]


async def test_parallel_calls_keep_their_signatures() -> None:
    stream = [
        chunk(called("bash", "c2ln", command="ls"), called("read", filePath="/a")),
        ended(),
    ]
    official.judge_stream(Gemini, stream)
    deltas, _ = await ask(*stream)
    first, second = (d for d in deltas if isinstance(d, ToolCall))
    assert [type(d) for d in deltas[:2]] == [ToolStart, ToolCall]
    assert (first.name, first.arguments) == ("bash", '{"command":"ls"}')
    assert first.metadata == {"google": {"thoughtSignature": "c2ln"}}
    assert (second.name, second.metadata) == ("read", {})
    assert first.id != second.id
    assert deltas[-1].reason == "tool-calls"


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [("MAX_TOKENS", "length"), ("SAFETY", "content-filter"), ("NEW_ONE", "unknown")],
)
async def test_why_it_ended(reason: str, meaning: str) -> None:
    deltas, _ = await ask(chunk({"text": "x"}), ended(reason))
    assert deltas[-1].reason == meaning


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([chunk({"text": "x"}), CUT], "unavailable"),
        ([chunk({"text": "x"})], "unavailable"),
        ([b"data: {nonsense\n\n"], "bad_stream"),
        ([ended("MALFORMED_FUNCTION_CALL")], "bad_stream"),
        ([event({"promptFeedback": {"blockReason": "SAFETY"}})], "content_filter"),
        ([event({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}})], "unavailable"),
        (
            [event({"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}})],
            "overloaded",
        ),
    ],
)
async def test_streams_that_fail(chunks: list[Any], kind: str) -> None:
    with pytest.raises(ModelFailure) as failed:
        await ask(*chunks)
    assert failed.value.kind == kind


async def test_a_conversation_as_it_is_sent() -> None:
    signed = {"google": {"thoughtSignature": "c2ln"}}
    messages = [
        ChatMessage("system", (TextBlock("Be good."),)),
        ChatMessage(
            "user",
            (
                TextBlock("look"),
                MediaBlock("image/png", "data:image/png;base64,AAAA"),
                MediaBlock("application/pdf", "https://example.com/a.pdf"),
            ),
        ),
        ChatMessage(
            "assistant",
            (
                ReasoningBlock("hm", signed),
                ReasoningBlock("another model's"),
                TextBlock("I will."),
                ToolCallBlock("call_1", "bash", {"command": "ls"}, signed),
                ToolCallBlock("call_2", "read", {"filePath": "/a"}),
            ),
        ),
        ChatMessage(
            "tool",
            (
                ToolResultBlock("call_1", "bash", "a.txt"),
                ToolResultBlock(
                    "call_2",
                    "read",
                    "no",
                    failed=True,
                    media=(MediaBlock("image/png", "data:image/png;base64,BBBB"),),
                ),
            ),
        ),
        ChatMessage("user", (TextBlock("go on"),)),
    ]
    tools = [
        ToolDefinition(
            "bash", "Runs.", {"type": "object", "properties": {"command": {"type": "string"}}}
        ),
        ToolDefinition("look", "Looks.", {"type": "object", "properties": {}}),
    ]
    _, body = await ask(
        chunk({"text": "x"}),
        ended(),
        messages=messages,
        tools=tools,
        tool_choice="required",
        max_output=100,
        temperature=0.5,
        top_p=0.9,
        options={"thinkingConfig": {"includeThoughts": True}, "thinkingLevel": "high"},
    )
    assert body["systemInstruction"] == {"parts": [{"text": "Be good."}]}
    assert body["contents"] == [
        {
            "role": "user",
            "parts": [
                {"text": "look"},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {
                    "fileData": {
                        "mimeType": "application/pdf",
                        "fileUri": "https://example.com/a.pdf",
                    }
                },
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True, "thoughtSignature": "c2ln"},
                {"text": "I will."},
                {
                    "functionCall": {"name": "bash", "args": {"command": "ls"}},
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"name": "read", "args": {"filePath": "/a"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "bash", "response": {"output": "a.txt"}}},
                {"functionResponse": {"name": "read", "response": {"error": "no"}}},
                {"inlineData": {"mimeType": "image/png", "data": "BBBB"}},
                {"text": "go on"},
            ],
        },
    ]
    bash, look = body["tools"][0]["functionDeclarations"]
    assert bash["parameters"]["properties"] == {"command": {"type": "string"}}
    assert "parameters" not in look
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert body["generationConfig"] == {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.9,
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "high"},
    }


async def test_a_call_another_model_made_is_marked_for_gemini_3() -> None:
    messages = [
        ChatMessage("user", (TextBlock("x"),)),
        ChatMessage("assistant", (ToolCallBlock("c", "bash", {}), ToolCallBlock("d", "bash", {}))),
        ChatMessage("tool", (ToolResultBlock("c", "bash", "1"), ToolResultBlock("d", "bash", "2"))),
    ]
    provider = build.provider("http://127.0.0.1:1", ModelConfig(id="gemini-3-pro-preview"))
    model = provider.models["m1"]
    _, body = await ask(chunk({"text": "x"}), ended(), messages=messages, model=model)
    first, second = body["contents"][1]["parts"]
    assert first["thoughtSignature"] == UNSIGNED
    assert "thoughtSignature" not in second


async def test_a_turn_over_it(tmp_path: Path) -> None:
    replies = [
        Reply([chunk(called("bash", "c2ln", command="echo hi")), ended()]),
        Reply([chunk({"text": "done"}), ended()]),
    ]
    model = {"provider": {"npm": GEMINI}, "reasoning": True, "id": "gemini-3-pro"}
    async with serving(tmp_path, replies, model=model) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert texts(answer) == "done"
        assert answer["info"]["tokens"]["reasoning"] == 7
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == "hi\n"
        first, second = (r for r in ostler.model.requests if r.get("tools"))
        official.judge_request(Gemini, first)
        official.judge_request(Gemini, second)
        assert first["generationConfig"]["thinkingConfig"]["includeThoughts"] is True
        call, result = second["contents"][-2:]
        assert call["parts"][0]["thoughtSignature"] == "c2ln"
        assert result["parts"][0]["functionResponse"]["name"] == "bash"
