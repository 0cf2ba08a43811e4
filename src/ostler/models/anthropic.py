"""The wire of Anthropic's messages API.

Request and stream shapes: Anthropic's API reference. Where cache markers go: OpenCode 1.18 (the
first two system messages and the last two others).
"""

import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from ostler.models import failure
from ostler.models.blocks import Shape, alternate, array, encode_blocks
from ostler.models.delta import (
    Delta,
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
    TextEnd,
    ToolCall,
    ToolStart,
    Usage,
)
from ostler.models.exchange import (
    CallIds,
    EventDecoder,
    OpenBlock,
    api_key,
    base_url,
    common_headers,
    deltas,
    timeouts,
    with_configured,
)
from ostler.models.request import (
    Block,
    ChatMessage,
    MediaBlock,
    ModelRequest,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    used_tools,
)
from ostler.transport import HttpRequest, Transport

_encode = msgspec.json.Encoder().encode

VERSION = "2023-06-01"
BETAS = "interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14"
MARKER = b',"cache_control":{"type":"ephemeral"}}'
MARKED_SYSTEM = MARKED_TAIL = 2
DEFAULT_MAX_TOKENS = 4096

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "unknown",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
}


class Anthropic:
    """One endpoint: POST ``<base URL>/messages``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        url = base_url(request) + "/messages"
        outgoing = HttpRequest(
            url, headers(request), encode_request(request), timeouts=timeouts(request)
        )
        return deltas(self._transport, outgoing, request.provider.id, MessageDecoder(url))


# ── the request ───────────────────────────────────────────────────────────────────────────────


def headers(request: ModelRequest) -> dict[str, str]:
    """``authToken`` in the options is sent as a bearer token instead of the key."""
    result = common_headers(request)
    result["anthropic-version"] = VERSION
    result["anthropic-beta"] = BETAS
    token = request.provider.options.get("authToken")
    if token:
        result["authorization"] = f"Bearer {token}"
    elif key := api_key(request):
        result["x-api-key"] = key
    return with_configured(result, request)


def encode_request(request: ModelRequest) -> bytes:
    body: dict[str, Any] = {"model": request.model.api.id, **encode_body(request)}
    body["stream"] = True
    return _encode(body)


def encode_body(request: ModelRequest) -> dict[str, Any]:
    """Everything but what names the model and asks for a stream (Vertex does that elsewhere)."""
    options = dict(request.options)
    thinking = _thinking(options.pop("thinking", None))
    effort = options.pop("effort", None)
    max_tokens = request.max_output or DEFAULT_MAX_TOKENS
    if thinking and "budget_tokens" in thinking:
        max_tokens += thinking["budget_tokens"]
    body: dict[str, Any] = {"max_tokens": max_tokens}
    if thinking and thinking["type"] != "disabled":
        body["thinking"] = thinking
    else:
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
        if request.top_k is not None:
            body["top_k"] = request.top_k
    if effort:
        body["output_config"] = {"effort": effort}
    system = [m for m in request.messages if m.role == "system"]
    if system:
        body["system"] = msgspec.Raw(array(_system(system)))
    body["messages"] = msgspec.Raw(_messages(request.messages))
    tools = request.tools or used_tools(request.messages)
    if tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": t.parameters}
            for t in tools
        ]
        # Thinking models refuse a forced choice (API reference): they are left to choose.
        forced = request.tool_choice == "required" and "thinking" not in body
        allowed = request.tools and request.tool_choice != "none"
        body["tool_choice"] = {"type": ("any" if forced else "auto") if allowed else "none"}
    for name, value in options.items():
        body[name] = value
    return body


def _thinking(option: Any) -> dict[str, Any] | None:
    """``{type, budgetTokens}`` of an options table as the API writes it."""
    if not isinstance(option, dict):
        return None
    renamed = {"budget_tokens" if k == "budgetTokens" else k: v for k, v in option.items()}
    renamed.setdefault("type", "enabled")
    return renamed


def _system(messages: list[ChatMessage]) -> list[bytes]:
    blocks = []
    for index, message in enumerate(messages):
        encoded = encode_blocks(message, _block)
        if encoded and index < MARKED_SYSTEM:
            encoded = [*encoded[:-1], encoded[-1][:-1] + MARKER]
        blocks.extend(encoded)
    return blocks


def _messages(messages: Sequence[ChatMessage]) -> bytes:
    spoken = [m for m in messages if m.role != "system"]
    first_marked = len(spoken) - MARKED_TAIL

    def blocks(index: int, message: ChatMessage) -> list[bytes]:
        found = encode_blocks(message, _block)
        if found and index >= first_marked and _may_be_marked(message):
            return [*found[:-1], found[-1][:-1] + MARKER]
        return found

    return alternate(spoken, Shape("anthropic"), blocks, first_marked)


def _may_be_marked(message: ChatMessage) -> bool:
    """Thinking blocks take no marker (API reference)."""
    return not isinstance(message.content[-1], ReasoningBlock)


def _block(block: Block) -> dict[str, Any] | None:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text} if block.text.strip() else None
    if isinstance(block, MediaBlock):
        return _media(block)
    if isinstance(block, ReasoningBlock):
        return _reasoning(block)
    if isinstance(block, ToolCallBlock):
        return {
            "type": "tool_use",
            "id": clean_id(block.id),
            "name": block.name,
            "input": block.arguments,
        }
    return _result(block)


def _reasoning(block: ReasoningBlock) -> dict[str, Any] | None:
    own = block.metadata.get("anthropic", {})
    if own.get("redactedData"):
        return {"type": "redacted_thinking", "data": own["redactedData"]}
    if own.get("signature"):
        return {"type": "thinking", "thinking": block.text, "signature": own["signature"]}
    return None  # without its signature the API refuses it


def _result(block: ToolResultBlock) -> dict[str, Any]:
    content: Any = block.output
    if block.media:
        content = [{"type": "text", "text": block.output}] if block.output.strip() else []
        content += [_media(m) for m in block.media]
    result = {"type": "tool_result", "tool_use_id": clean_id(block.id), "content": content}
    if block.failed:
        result["is_error"] = True
    return result


def _media(block: MediaBlock) -> dict[str, Any]:
    kind = "document" if block.mime == "application/pdf" else "image"
    if not block.url.startswith("data:"):
        return {"type": kind, "source": {"type": "url", "url": block.url}}
    data = block.url.partition(",")[2]
    source = {"type": "base64", "media_type": block.mime, "data": data}
    return {"type": kind, "source": source}


def clean_id(call_id: str) -> str:
    """Call ids may hold letters, digits, underscore and hyphen only."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", call_id)


# ── the stream ────────────────────────────────────────────────────────────────────────────────


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    data: str | None = None
    input: Any = None
    signature: str | None = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None
    # of an answer that was not streamed
    content: list[_Block] | None = None
    stop_reason: str | None = None


class MessageDecoder(EventDecoder[_Event]):
    """Events of one message to deltas. ``done`` after the Finish."""

    kind = msgspec.json.Decoder(_Event)
    expected = "an event that is not of the messages API"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._open: dict[int, OpenBlock] = {}
        self._ids = CallIds("toolu_")
        self._usage = _Usage()
        self._reason: str | None = None

    def _event(self, event: _Event, out: list[Delta]) -> None:
        kind = event.type
        if kind == "content_block_delta" and event.delta is not None:
            self._delta(event.index or 0, event.delta, out)
        elif kind == "content_block_start" and event.content_block is not None:
            self._start(event.index or 0, event.content_block, out)
        elif kind == "content_block_stop":
            self._stop(event.index or 0, out)
        elif kind == "message_start" and event.message is not None:
            self._count(event.message.usage)
        elif kind == "message_delta":
            self._count(event.usage)
            if event.delta is not None and event.delta.stop_reason:
                self._reason = event.delta.stop_reason
        elif kind == "message_stop":
            self._finish(out)
        elif kind == "error":
            payload = event.error if isinstance(event.error, dict) else {"message": event.error}
            raise failure.from_stream(payload, self._url)
        elif kind == "message":
            self._whole(event, out)

    def _start(self, index: int, block: _Block, out: list[Delta]) -> None:
        opened = self._open[index] = OpenBlock(block.type, index)
        if block.type == "tool_use":  # what the provider runs itself is no call of ours
            opened.call_id, opened.name = self._ids.fresh(block.id), block.name or ""
            out.append(ToolStart(opened.call_id, opened.name))
            if block.input:
                opened.pieces.append(_encode(block.input).decode())
        elif block.type == "redacted_thinking":
            opened.data = block.data or ""
            out.append(ReasoningDelta(opened.id, ""))
        elif block.text:
            out.append(TextDelta(opened.id, block.text))
        elif block.thinking:
            out.append(ReasoningDelta(opened.id, block.thinking))
        opened.signature = block.signature or ""

    def _delta(self, index: int, delta: _Delta, out: list[Delta]) -> None:
        opened = self._open.get(index)
        if opened is None:
            return
        if delta.text is not None:
            out.append(TextDelta(opened.id, delta.text))
        elif delta.thinking is not None:
            out.append(ReasoningDelta(opened.id, delta.thinking))
        elif delta.partial_json is not None:
            opened.pieces.append(delta.partial_json)
        elif delta.signature is not None:
            opened.signature += delta.signature

    def _stop(self, index: int, out: list[Delta]) -> None:
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.kind == "text":
            out.append(TextEnd(opened.id))
        elif opened.kind == "thinking":
            own = {"signature": opened.signature} if opened.signature else {}
            out.append(ReasoningEnd(opened.id, {"anthropic": own} if own else {}))
        elif opened.kind == "redacted_thinking":
            own = {"redactedData": opened.data}
            out.append(ReasoningEnd(opened.id, {"anthropic": own}))
        elif opened.call_id:
            out.append(ToolCall(opened.call_id, opened.name, "".join(opened.pieces) or "{}"))

    def _whole(self, message: _Event, out: list[Delta]) -> None:
        for index, block in enumerate(message.content or ()):
            self._start(index, block, out)
            self._stop(index, out)
        self._count(message.usage)
        self._reason = message.stop_reason
        self._finish(out)

    def _finish(self, out: list[Delta]) -> None:
        for index in list(self._open):
            self._stop(index, out)
        usage = self._usage
        read = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        out.append(
            Finish(
                FINISH_REASONS.get(self._reason or "", "unknown"),
                Usage(
                    input=(usage.input_tokens or 0) + read + written,
                    output=usage.output_tokens or 0,
                    cache_read=read,
                    cache_write=written,
                ),
            )
        )
        self.done = True

    def _count(self, usage: _Usage | None) -> None:
        """Later counts replace earlier ones, field by field."""
        for name in _Usage.__struct_fields__:
            value = getattr(usage, name, None)
            if value is not None:
                setattr(self._usage, name, value)
