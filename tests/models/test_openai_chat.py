"""The chat-completions wire against a real HTTP server: requests as sent, streams as read."""

import asyncio
import gzip
import json
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
from ostler.models.openai_chat import OpenAIChat
from ostler.models.request import (
    ChatMessage,
    MediaBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolDefinition,
    ToolResultBlock,
)
from ostler.schema.config import InterleavedConfig, ModelConfig
from ostler.schema.errors import APIError, ContextOverflowError
from ostler.transport import DirectTransport
from tests.support import build, official
from tests.support.model_server import (
    CUT,
    DONE,
    RESET,
    STALL,
    ModelServer,
    Reply,
    call,
    calls,
    collect,
    delta,
    error,
    event,
    raw_call,
    reasoning,
    text,
    tool,
    usage,
)

PICTURE = MediaBlock("image/png", "data:image/png;base64,AA")
Made = tuple[list[Any], ModelServer]


async def ask(*replies: Reply, **fields: Any) -> Made:
    """The deltas of one request, which is one that OpenAI's own SDK could have sent unless it has
    options or a model of another maker, and the server that answered it."""
    transport = DirectTransport()
    async with ModelServer(replies, titles=False) as server:
        options = fields.pop("options_of_provider", {})
        model = fields.pop("model_config", None)
        known = build.provider(server.url, model, **options)
        request = build.request(server.url, provider=known, **fields)
        try:
            batches = await collect(OpenAIChat(transport).stream(request))
        finally:
            await transport.close()
        if model is None and "options" not in fields:
            official.judge_request(OpenAIChat, server.requests[0])
        return [d for batch in batches for d in batch], server


async def test_text_arrives_as_deltas_and_ends_with_usage() -> None:
    deltas, _ = await ask(text("Hello ", "world"))
    assert deltas == [
        TextDelta("text", "Hello "),
        TextDelta("text", "world"),
        TextEnd("text"),
        Finish("stop", Usage(input=10, output=5, total=15)),
    ]


async def test_reasoning_is_a_block_of_its_own() -> None:
    deltas, _ = await ask(reasoning("hmm", "yes"))
    assert deltas[:4] == [
        ReasoningDelta("reasoning", "hmm"),
        ReasoningEnd("reasoning"),
        TextDelta("text", "yes"),
        TextEnd("text"),
    ]


async def test_arguments_split_over_chunks_make_one_call() -> None:
    reply = Reply(
        [
            raw_call("bash", '{"comm'),
            delta({"tool_calls": [{"index": 0, "function": {"arguments": 'and": "ls"}'}}]}),
            delta({}, "tool_calls", usage=usage()),
            DONE,
        ]
    )
    deltas, _ = await ask(reply)
    assert deltas == [
        ToolStart("call_1", "bash"),
        ToolCall("call_1", "bash", '{"command": "ls"}'),
        Finish("tool-calls", Usage(input=10, output=5, total=15)),
    ]


async def test_parallel_calls_keep_their_order() -> None:
    deltas, _ = await ask(calls(("read", {"filePath": "a"}), ("read", {"filePath": "b"})))
    made = [d for d in deltas if isinstance(d, ToolCall)]
    assert [json.loads(c.arguments)["filePath"] for c in made] == ["a", "b"]


async def test_calls_that_share_an_id_are_told_apart() -> None:
    reply = Reply(
        [call("read", "same", 0, filePath="a"), call("read", "same", 1, filePath="b"),
         delta({}, "tool_calls"), DONE]
    )  # fmt: skip
    deltas, _ = await ask(reply)
    made = [d.id for d in deltas if isinstance(d, ToolCall)]
    assert len(set(made)) == 2


async def test_stop_after_a_call_counts_as_tool_calls() -> None:
    reply = Reply([call("bash", command="ls"), delta({}, "stop"), DONE])
    deltas, _ = await ask(reply)
    assert deltas[-1].reason == "tool-calls"


async def test_cached_and_reasoning_tokens_are_read() -> None:
    counted = usage(
        100,
        50,
        prompt_tokens_details={"cached_tokens": 60},
        completion_tokens_details={"reasoning_tokens": 20},
    )
    deltas, _ = await ask(text("x", tokens=counted))
    assert deltas[-1].usage == Usage(input=100, output=50, reasoning=20, cache_read=60, total=150)


async def test_an_answer_that_was_not_streamed_is_read_too() -> None:
    body = {
        "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": usage(),
    }
    reply = Reply([json.dumps(body).encode()], content_type="application/json")
    deltas, _ = await ask(reply)
    assert deltas[0] == TextDelta("text", "hi")
    assert deltas[-1].reason == "stop"


async def test_a_compressed_stream_is_read() -> None:
    whole = text("packed").whole
    assert whole is not None
    reply = Reply([gzip.compress(whole)], headers={"content-encoding": "gzip"})
    deltas, _ = await ask(reply)
    assert deltas[0] == TextDelta("text", "packed")


async def test_events_cut_anywhere_read_the_same() -> None:
    whole = b": comment\r\n" + (text("Hello ", "wörld").whole or b"")
    pieces = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    interleaved: list[Any] = []
    for piece in pieces:
        interleaved += [piece, 0.0]
    deltas, _ = await ask(Reply(interleaved))
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == "Hello wörld"


# ── requests ──────────────────────────────────────────────────────────────────────────────────


async def test_the_request_carries_conversation_tools_and_limits() -> None:
    conversation = [
        ChatMessage("system", (TextBlock("be good"),)),
        ChatMessage("user", (TextBlock("look"), PICTURE)),
        ChatMessage("assistant", (TextBlock("ok"), ToolCallBlock("c1", "bash", {"command": "ls"}))),
        ChatMessage("tool", (ToolResultBlock("c1", "bash", "a.txt"),)),
    ]  # fmt: skip
    _, server = await ask(
        text("x"),
        messages=conversation,
        tools=[ToolDefinition("bash", "runs", {"type": "object"})],
        max_output=99,
        temperature=0.5,
        options={"reasoningEffort": "high", "custom": True},
        session_id="ses_1",
    )
    sent = server.requests[0]
    assert sent["messages"] == [
        {"role": "system", "content": "be good"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ],
        },
        {
            "role": "assistant",
            "content": "ok",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "bash", "arguments": '{"command":"ls"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a.txt"},
    ]
    assert sent["tools"][0]["function"]["name"] == "bash"
    assert (sent["max_tokens"], sent["temperature"]) == (99, 0.5)
    assert (sent["reasoning_effort"], sent["custom"]) == ("high", True)
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    headers = server.headers[0]
    assert headers["authorization"] == "Bearer test-key"
    assert headers["x-session-id"] == "ses_1"


async def test_images_of_tool_results_follow_in_a_user_message() -> None:
    conversation = [
        ChatMessage("assistant", (ToolCallBlock("c1", "read", {}),)),
        ChatMessage("tool", (ToolResultBlock("c1", "read", "seen", media=(PICTURE,)),)),
    ]
    _, server = await ask(text("x"), messages=conversation)
    assert [m["role"] for m in server.requests[0]["messages"]] == ["assistant", "tool", "user"]


async def test_reasoning_goes_back_only_where_the_model_wants_it() -> None:
    said = [ChatMessage("assistant", (ReasoningBlock("hmm"), TextBlock("ok")))]
    _, plain = await ask(text("x"), messages=said)
    assert plain.requests[0]["messages"] == [{"role": "assistant", "content": "ok"}]
    wanted = ModelConfig(interleaved=InterleavedConfig(field="reasoning_content"))
    said = [ChatMessage("assistant", (ReasoningBlock("hmm"), TextBlock("ok")))]
    _, server = await ask(text("x"), messages=said, model_config=wanted)
    assert server.requests[0]["messages"][0]["reasoning_content"] == "hmm"


async def test_configured_headers_are_sent() -> None:
    _, server = await ask(text("x"), options_of_provider={"headers": {"X-Team": "a"}})
    assert server.headers[0]["x-team"] == "a"


async def test_one_connection_serves_many_requests() -> None:
    transport = DirectTransport()
    async with ModelServer([text("x")], titles=False) as server:
        wire = OpenAIChat(transport)
        for _ in range(5):
            await collect(wire.stream(build.request(server.url)))
        assert len(server.open_connections) == 1
        await transport.close()


async def test_a_connection_the_server_closed_is_replaced() -> None:
    transport = DirectTransport()
    async with ModelServer([text("x")], titles=False) as server:
        wire = OpenAIChat(transport)
        await collect(wire.stream(build.request(server.url)))
        for connection in list(server.open_connections):
            connection.abort()
        deltas = await collect(wire.stream(build.request(server.url)))
        assert deltas
        await transport.close()


# ── failures ──────────────────────────────────────────────────────────────────────────────────

STATUSES = [
    (400, "bad field", {}, "invalid_request", False),
    (401, "invalid api key", {}, "auth", False),
    (402, "payment required", {}, "quota", False),
    (403, "forbidden", {}, "auth", False),
    (408, "request timeout", {}, "timeout", True),
    (413, "too big", {}, "context_overflow", False),
    (400, "This model's maximum context length is 8192 tokens", {}, "context_overflow", False),
    (422, "unprocessable", {}, "invalid_request", False),
    (429, "Rate limit reached", {}, "rate_limited", True),
    (429, "You exceeded your current quota", {}, "quota", False),
    (500, "internal", {}, "unavailable", True),
    (503, "unavailable", {}, "unavailable", True),
    (503, "overloaded", {}, "overloaded", True),
    (529, "busy", {}, "overloaded", True),
]


@pytest.mark.parametrize(("status", "message", "extra", "kind", "retryable"), STATUSES)
async def test_http_errors_are_classified(
    status: int, message: str, extra: dict[str, Any], kind: str, retryable: bool
) -> None:
    with pytest.raises(ModelFailure) as caught:
        await ask(error(status, message, **extra))
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)
    assert message in str(caught.value)
    data = caught.value.error.data
    if not isinstance(caught.value.error, ContextOverflowError):
        assert data.statusCode == status  # type: ignore[union-attr]
        assert data.isRetryable is retryable  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "1500"}, 1.5), ({"retry-after": "x"}, None)],
)
async def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(ModelFailure) as caught:
        await ask(error(429, "slow down", headers))
    assert caught.value.retry_after == seconds


async def test_an_html_page_is_named_as_such() -> None:
    page = Reply([b"<html>Sign in</html>"], 401, content_type="text/html")
    with pytest.raises(ModelFailure, match="HTML page") as caught:
        await ask(page)
    assert caught.value.kind == "auth"


STREAMS = [
    ("ends early", [delta({"content": "a"})], "unavailable"),
    ("connection closed", [delta({"content": "a"}), CUT], "unavailable"),
    ("connection reset", [delta({"content": "a"}), RESET], "unavailable"),
    ("no json", [b"data: {nope\n\n"], "bad_stream"),
    ("wrong types", [event({"choices": "none"})], "bad_stream"),
    ("an error object", [event({"error": {"message": "Overloaded", "code": 529}})], "overloaded"),
    ("an auth error", [event({"error": {"message": "Unauthorized"}})], "auth"),
]


@pytest.mark.parametrize(("name", "chunks", "kind"), STREAMS, ids=[s[0] for s in STREAMS])
async def test_broken_streams_are_classified(name: str, chunks: list[Any], kind: str) -> None:
    with pytest.raises(ModelFailure) as caught:
        await ask(Reply(chunks))
    assert caught.value.kind == kind


async def test_another_content_type_is_no_stream() -> None:
    with pytest.raises(ModelFailure, match="base URL") as caught:
        await ask(Reply([b"hello"], content_type="text/plain"))
    assert caught.value.kind == "bad_stream"


async def test_a_stalled_stream_times_out() -> None:
    with pytest.raises(ModelFailure, match="timed out") as caught:
        await ask(Reply([delta({"content": "a"}), STALL]), options_of_provider={"chunkTimeout": 50})
    assert caught.value.kind == "timeout"


async def test_slow_headers_time_out() -> None:
    with pytest.raises(ModelFailure, match="headers timed out") as caught:
        await ask(Reply([DONE], before=30.0), options_of_provider={"headerTimeout": 50})
    assert caught.value.kind == "timeout"


async def test_nobody_listening_is_unavailable() -> None:
    async with ModelServer([text("x")]) as server:
        url = server.url
    with pytest.raises(ModelFailure, match="cannot connect") as caught:
        await collect(OpenAIChat(DirectTransport()).stream(build.request(url)))
    assert caught.value.kind == "unavailable"
    assert isinstance(caught.value.error, APIError)


async def test_closing_the_stream_closes_the_connection() -> None:
    transport = DirectTransport()
    async with ModelServer([Reply([delta({"content": "a"}), STALL])], titles=False) as server:
        stream = OpenAIChat(transport).stream(build.request(server.url))
        await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(5):
            while server.open_connections:
                await asyncio.sleep(0)


async def test_a_tool_without_arguments_is_called_with_none() -> None:
    reply = Reply([raw_call("todoread", ""), delta({}, "tool_calls"), DONE])
    deltas, _ = await ask(reply)
    assert [d.arguments for d in deltas if isinstance(d, ToolCall)] == ["{}"]


def test_tool_builder_makes_valid_json() -> None:
    assert b'"finish_reason":"tool_calls"' in (tool("bash", command="ls").whole or b"")
