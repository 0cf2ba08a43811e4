"""Each wire with everything it can carry, judged by the provider's own SDK: what we send are bodies
that it could have sent, and what we read are streams that it reads to the same words."""

from collections.abc import Callable
from typing import Any

import pytest

from ostler.models.anthropic import Anthropic
from ostler.models.bedrock import Bedrock
from ostler.models.delta import Delta, ReasoningDelta, TextDelta, ToolCall
from ostler.models.gemini import Gemini
from ostler.models.openai_chat import OpenAIChat
from ostler.models.openai_responses import OpenAIResponses
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
from ostler.tools.registry import builtin_tools
from tests.models import test_bedrock as bedrock
from tests.support import build, official, wires
from tests.support.model_server import DONE, event

PICTURE = MediaBlock("image/png", "data:image/png;base64,AAAA")
DOCUMENT = MediaBlock("application/pdf", "data:application/pdf;base64,BBBB", "a.pdf")
SIGNED = {
    "anthropic": {"signature": "c2ln"},
    "bedrock": {"signature": "c2ln"},
    "google": {"thoughtSignature": "c2ln"},
    "openai": {"itemId": "rs_1", "reasoningEncryptedContent": "c2ln"},
}
MESSAGES = [
    ChatMessage("system", (TextBlock("Be good."),)),
    ChatMessage("user", (TextBlock("look"), PICTURE, DOCUMENT)),
    ChatMessage(
        "assistant",
        (
            ReasoningBlock("hm", SIGNED),
            TextBlock("I will."),
            ToolCallBlock("call_1", "bash", {"command": "ls"}, SIGNED),
            ToolCallBlock("call_2", "read", {"filePath": "/a"}),
        ),
    ),
    ChatMessage(
        "tool",
        (
            ToolResultBlock("call_1", "bash", "a.txt", media=(PICTURE,)),
            ToolResultBlock("call_2", "read", "no", failed=True),
        ),
    ),
    ChatMessage("user", (TextBlock("go on"),)),
]
TOOLS = [ToolDefinition(t.id, t.description, t.parameters) for t in builtin_tools().values()]
WIRES: list[tuple[type, str]] = [
    (OpenAIChat, "gpt-5"),
    (OpenAIResponses, "gpt-5"),
    (Anthropic, "claude-sonnet-4-5"),
    (Gemini, "gemini-3-pro"),
    (Bedrock, "anthropic.claude-sonnet-4-5"),
]


def chat(**what: Any) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": None, **what}
    return event(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
         "choices": [choice]}
    )  # fmt: skip


def chat_call(index: int, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def chat_stream() -> list[bytes]:
    calls = [
        chat_call(0, "call_1", "bash", '{"command":"ls"}'),
        chat_call(1, "call_2", "read", "{}"),
    ]
    return [
        chat(delta={"role": "assistant", "content": "Hel"}),
        chat(delta={"content": "lo"}),
        chat(delta={"tool_calls": calls}),
        chat(finish_reason="tool_calls"),
        DONE,
    ]


RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip


def responses_stream() -> list[bytes]:
    number = iter(range(100))

    def said(kind: str, **fields: Any) -> bytes:
        return event({"type": f"response.{kind}", "sequence_number": next(number), **fields})

    message = {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
    }  # fmt: skip
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    text = [said("output_text.delta", **where, delta=piece, logprobs=[]) for piece in ("Hel", "lo")]
    items = [
        {"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}", "name": name,
         "arguments": arguments, "status": "completed"}
        for i, (name, arguments) in enumerate((("bash", '{"command":"ls"}'), ("read", "{}")), 1)
    ]  # fmt: skip
    calls = []
    for i, item in enumerate(items, 1):
        begun = {**item, "arguments": "", "status": "in_progress"}
        calls += [
            said("output_item.added", output_index=i, item=begun),
            said("function_call_arguments.delta", item_id=item["id"], output_index=i, delta="{"),
            said("output_item.done", output_index=i, item=item),
        ]
    return [
        said("created", response={**RESPONSE, "status": "in_progress"}),
        said("output_item.added", output_index=0, item={**message, "content": []}),
        *text,
        said("output_item.done", output_index=0, item=message),
        *calls,
        said("completed", response={**RESPONSE, "status": "completed"}),
    ]


def anthropic_stream() -> list[bytes]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    blocks = [
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in ("Hel", "lo")]),
        (
            {"type": "tool_use", "id": "call_1", "name": "bash", "input": {}},
            [{"type": "input_json_delta", "partial_json": p} for p in ('{"command"', ':"ls"}')],
        ),
        ({"type": "tool_use", "id": "call_2", "name": "read", "input": {}}, []),
    ]
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": index})
    stopped = {"stop_reason": "tool_use", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 9}})
    events.append({"type": "message_stop"})
    return [event(e) for e in events]


def gemini_stream() -> list[bytes]:
    def chunk(*parts: dict[str, Any], **more: Any) -> bytes:
        content = {"role": "model", "parts": list(parts)}
        return event({"candidates": [{"content": content, "index": 0, **more}]})

    return [
        chunk({"text": "Hel"}),
        chunk({"text": "lo"}),
        chunk(
            {"functionCall": {"name": "bash", "args": {"command": "ls"}}},
            {"functionCall": {"name": "read", "args": {}}},
        ),
        chunk(finishReason="STOP"),
    ]


def bedrock_stream() -> list[bytes]:
    return [
        bedrock.START,
        bedrock.delta(0, text="Hel"),
        bedrock.delta(0, text="lo"),
        bedrock.stop(0),
        *bedrock.called(1, "bash", '{"command"', ':"ls"}', call_id="call_1"),
        *bedrock.called(2, "read", call_id="call_2"),
        *bedrock.ended("tool_use"),
    ]


STREAMS: dict[type, Callable[[], list[bytes]]] = {
    OpenAIChat: chat_stream,
    OpenAIResponses: responses_stream,
    Anthropic: anthropic_stream,
    Gemini: gemini_stream,
    Bedrock: bedrock_stream,
}


async def ask(wire: type, model_id: str, **fields: Any) -> tuple[list[Delta], dict[str, Any]]:
    provider = build.provider("http://127.0.0.1:1", ModelConfig(id=model_id))
    media = bedrock.FrameParser.media if wire is Bedrock else "text/event-stream"
    return await wires.ask(wire, STREAMS[wire](), media, model=provider.models["m1"], **fields)


@pytest.mark.parametrize(("wire", "model_id"), WIRES)
@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_everything_that_can_be_sent(wire: type, model_id: str, choice: str) -> None:
    sampling = {} if wire is Anthropic else {"temperature": 0.5, "top_p": 0.9}  # not in its SDK
    _, body = await ask(
        wire,
        model_id,
        messages=MESSAGES,
        tools=TOOLS,
        tool_choice=choice,
        max_output=1000,
        session_id="ses_1",
        **sampling,
    )
    assert len(body.get("tools") or body["toolConfig"]["tools"])


@pytest.mark.parametrize(("wire", "model_id"), WIRES)
async def test_a_conversation_with_calls_and_no_tools(wire: type, model_id: str) -> None:
    await ask(wire, model_id, messages=MESSAGES)


@pytest.mark.parametrize(("wire", "model_id"), WIRES)
async def test_what_is_read(wire: type, model_id: str) -> None:
    official.judge_stream(wire, STREAMS[wire]())
    deltas, _ = await ask(wire, model_id)
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == "Hello"
    assert not any(isinstance(d, ReasoningDelta) for d in deltas)
    calls = [(d.name, d.arguments) for d in deltas if isinstance(d, ToolCall)]
    assert calls == [("bash", '{"command":"ls"}'), ("read", "{}")]
    assert deltas[-1].reason == "tool-calls"  # type: ignore[union-attr]
