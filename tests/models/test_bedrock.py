"""The wire of Bedrock's ConverseStream against a real HTTP server: frames as botocore reads them,
requests as Amazon's description of the service has them, signatures as botocore makes them."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from ostler.models.aws import FrameParser
from ostler.models.bedrock import Bedrock, regional
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
from ostler.models.registry import BEDROCK
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
from ostler.transport import DirectTransport
from tests.support import build, official, wires
from tests.support.model_server import CUT, ModelServer, Reply, collect, error
from tests.support.product import serving, texts

CLAUDE = "anthropic.claude-sonnet-4-5"
USAGE = {
    "inputTokens": 10,
    "outputTokens": 4,
    "totalTokens": 14,
    "cacheReadInputTokens": 3,
    "cacheWriteInputTokens": 2,
}


def frame(kind: str, payload: Any, message: str = "event") -> bytes:
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + len(value).to_bytes(2, "big")
        + value.encode()
        for name, value in (
            (f":{message}-type", kind),
            (":content-type", "application/json"),
            (":message-type", message),
        )
    )
    body = json.dumps(payload).encode()
    prelude = (16 + len(headers) + len(body)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    prelude += zlib.crc32(prelude).to_bytes(4, "big")
    whole = prelude + headers + body
    return whole + zlib.crc32(whole).to_bytes(4, "big")


def delta(index: int, **what: Any) -> bytes:
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": what})


def stop(index: int) -> bytes:
    return frame("contentBlockStop", {"contentBlockIndex": index})


def called(index: int, name: str, *pieces: str, call_id: str = "tooluse_1") -> list[bytes]:
    start = {"toolUse": {"toolUseId": call_id, "name": name}}
    return [
        frame("contentBlockStart", {"contentBlockIndex": index, "start": start}),
        *(delta(index, toolUse={"input": piece}) for piece in pieces),
        stop(index),
    ]


def ended(reason: str = "end_turn") -> list[bytes]:
    return [
        frame("messageStop", {"stopReason": reason}),
        frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
    ]


START = frame("messageStart", {"role": "assistant"})


async def ask(*chunks: Any, **fields: Any) -> tuple[list[Any], dict[str, Any]]:
    return await wires.ask(Bedrock, chunks, FrameParser.media, **fields)


@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(1, 40))
def test_frames_are_read_as_botocore_reads_them(said: list[str], size: int) -> None:
    data = b"".join(frame("contentBlockDelta", {"delta": {"text": text}}) for text in said)
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    parser = FrameParser()
    ours = [e for at in range(0, len(data), size) for e in parser.feed(data[at : at + size])]
    expected = [{m.headers[":event-type"]: json.loads(m.payload)} for m in theirs]
    assert [json.loads(e) for e in ours] == expected


@pytest.mark.parametrize("at", [0, 5, 9, 30, -1])
def test_a_damaged_frame_is_noticed(at: int) -> None:
    data = bytearray(START)
    data[at] ^= 0x55
    with pytest.raises(ValueError, match="frame"):
        FrameParser().feed(bytes(data) + START)


async def test_reasoning_text_and_usage() -> None:
    deltas, _ = await ask(
        START,
        delta(0, reasoningContent={"text": "Let me see."}),
        delta(0, reasoningContent={"signature": "sig"}),
        stop(0),
        delta(1, text="Hel"),
        delta(1, text="lo"),
        stop(1),
        *ended(),
    )
    assert deltas == [
        ReasoningDelta("reasoning_0", "Let me see."),
        ReasoningEnd("reasoning_0", {"bedrock": {"signature": "sig"}}),
        TextDelta("text_1", "Hel"),
        TextDelta("text_1", "lo"),
        TextEnd("text_1"),
        Finish("stop", Usage(input=15, output=4, cache_read=3, cache_write=2)),
    ]


async def test_parallel_calls_in_pieces() -> None:
    first = called(0, "bash", '{"comm', 'and": "ls"}')
    second = called(1, "read", call_id="tooluse_2")
    deltas, _ = await ask(START, *first, *second, *ended("tool_use"))
    assert deltas[:-1] == [
        ToolStart("tooluse_1", "bash"),
        ToolCall("tooluse_1", "bash", '{"command": "ls"}'),
        ToolStart("tooluse_2", "read"),
        ToolCall("tooluse_2", "read", "{}"),
    ]
    assert deltas[-1].reason == "tool-calls"


def exception(kind: str, message: str = "x") -> bytes:
    return frame(kind, {"message": message}, "exception")


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([START, delta(0, text="x"), CUT], "unavailable"),
        ([START, b"\0\0\0\x20nonsense nonsense nonsense"], "bad_stream"),
        ([START, exception("throttlingException", "Too many tokens, please wait")], "rate_limited"),
        ([START, exception("serviceUnavailableException")], "overloaded"),
        ([START, exception("modelStreamErrorException", "server error")], "unavailable"),
        ([START, exception("validationException", "Input is too long for requested model.")],
         "context_overflow"),
        ([START, exception("validationException", "no such field")], "invalid_request"),
    ],
)  # fmt: skip
async def test_streams_that_fail(chunks: list[Any], kind: str) -> None:
    with pytest.raises(ModelFailure) as failed:
        await ask(*chunks)
    assert failed.value.kind == kind


async def test_a_refusal_for_too_many_tokens_is_no_overflow() -> None:
    transport = DirectTransport()
    refusal = error(429, "Too many tokens, please wait before trying again.")
    async with ModelServer([refusal], titles=False) as server:
        with pytest.raises(ModelFailure) as failed:
            await collect(Bedrock(transport).stream(build.request(server.url)))
        await transport.close()
    assert failed.value.kind == "rate_limited"


async def test_a_conversation_as_it_is_sent() -> None:
    signed = {"bedrock": {"signature": "sig"}}
    messages = [
        ChatMessage("system", (TextBlock("Be good."),)),
        ChatMessage(
            "user",
            (
                TextBlock("look"),
                MediaBlock("image/png", "data:image/png;base64,AAAA"),
                MediaBlock("application/pdf", "data:application/pdf;base64,BBBB", "a.b.pdf"),
            ),
        ),
        ChatMessage(
            "assistant",
            (
                ReasoningBlock("hm", signed),
                ReasoningBlock("unsigned"),
                TextBlock(" "),
                ToolCallBlock("call.1", "bash", {"command": "ls"}),
            ),
        ),
        ChatMessage("tool", (ToolResultBlock("call.1", "bash", "no", failed=True),)),
        ChatMessage("user", (TextBlock("go on"),)),
    ]
    provider = build.provider("http://127.0.0.1:1", ModelConfig(id=CLAUDE))
    _, body = await ask(
        START,
        delta(0, text="x"),
        *ended(),
        messages=messages,
        model=provider.models["m1"],
        tools=[ToolDefinition("bash", "Runs.", {"type": "object", "properties": {}})],
        max_output=100,
        temperature=0.5,
        options={"reasoningConfig": {"type": "enabled", "budgetTokens": 1000}},
    )
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "Be good."}, point]
    user, assistant, result = body["messages"]
    assert user["content"] == [
        {"text": "look"},
        {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
        {"document": {"format": "pdf", "name": "a-b-pdf", "source": {"bytes": "BBBB"}}},
    ]
    assert assistant["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
        {"toolUse": {"toolUseId": "call_1", "name": "bash", "input": {"command": "ls"}}},
    ]
    assert result["content"] == [
        {"toolResult": {"toolUseId": "call_1", "content": [{"text": "no"}], "status": "error"}},
        point,
        {"text": "go on"},
        point,
    ]
    assert body["inferenceConfig"] == {"maxTokens": 1100}
    assert body["additionalModelRequestFields"] == {
        "thinking": {"type": "enabled", "budget_tokens": 1000}
    }
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}


async def test_tools_that_were_called_stay_declared() -> None:
    messages = [
        ChatMessage("user", (TextBlock("x"),)),
        ChatMessage("assistant", (ToolCallBlock("c", "bash", {}),)),
        ChatMessage("tool", (ToolResultBlock("c", "bash", "1"),)),
    ]
    _, body = await ask(START, delta(0, text="x"), *ended(), messages=messages)
    (spec,) = body["toolConfig"]["tools"]
    assert spec["toolSpec"]["name"] == "bash"
    assert "toolChoice" not in body["toolConfig"]


@pytest.mark.parametrize(
    ("region", "known_as"),
    [
        ("us-east-1", f"us.{CLAUDE}"),
        ("us-gov-west-1", CLAUDE),
        ("eu-west-1", f"eu.{CLAUDE}"),
        ("ap-northeast-1", f"jp.{CLAUDE}"),
        ("ap-southeast-2", f"au.{CLAUDE}"),
        ("ap-south-1", f"apac.{CLAUDE}"),
        ("sa-east-1", CLAUDE),
    ],
)
def test_the_name_of_a_model_in_a_region(region: str, known_as: str) -> None:
    assert regional(CLAUDE, region) == known_as
    assert regional(f"global.{CLAUDE}", region) == f"global.{CLAUDE}"


@pytest.mark.parametrize("signed", [True, False])
async def test_a_turn_over_it(tmp_path: Path, signed: bool) -> None:
    replies = [
        Reply(
            [START, *called(0, "bash", '{"command": "echo hi"}'), *ended("tool_use")],
            content_type=FrameParser.media,
        ),
        Reply([START, delta(0, text="done"), stop(0), *ended()], content_type=FrameParser.media),
    ]
    keys = {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "secret", "sessionToken": "token"}
    options = {"region": "eu-west-1", "apiKey": "", **(keys if signed else {"apiKey": "bearer"})}
    model = {"provider": {"npm": BEDROCK}, "id": CLAUDE}
    async with serving(tmp_path, replies, options=options, model=model, titles=False) as ostler:
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == "hi\n"
        (first, headers), *_ = zip(ostler.model.requests, ostler.model.headers, strict=True)
        official.judge_request(Bedrock, first)
        if not signed:
            assert headers["authorization"] == "Bearer bearer"
            return
        said = headers["authorization"]
        assert said.startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
        assert "/eu-west-1/bedrock/aws4_request" in said
        assert headers["x-amz-security-token"] == "token"
