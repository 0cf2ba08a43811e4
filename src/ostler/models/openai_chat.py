"""The wire of OpenAI's chat completions, which most other providers and local servers speak too.

Request and stream shapes: OpenAI's API reference, and what OpenCode 1.18 sends over it.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from ostler.models import failure
from ostler.models.blocks import array
from ostler.models.defaults import cache_key_field
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
    base_url,
    bearer_headers,
    broken_off,
    deltas,
    timeouts,
)
from ostler.models.grown import after_system, joined
from ostler.models.request import (
    ChatMessage,
    MediaBlock,
    ModelRequest,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from ostler.models.tool_schema import adapted
from ostler.schema.provider import Interleaved, Model
from ostler.transport import HttpRequest, Transport

_encode = msgspec.json.Encoder().encode

FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
    "content_filter": "content-filter",
}
_RENAMED_OPTIONS = {"reasoningEffort": "reasoning_effort", "textVerbosity": "verbosity"}
_COMPLETION_TOKENS = ("@ai-sdk/azure", "@ai-sdk/xai", "venice-ai-sdk-provider")
"""Those that call the limit of an answer ``max_completion_tokens``."""
_NO_TOOLS = ("@ai-sdk/perplexity",)
_OPENROUTER = "@openrouter/ai-sdk-provider"
MARKER = {"cache_control": {"type": "ephemeral"}}
MARKED_SYSTEM = MARKED_TAIL = 2
_FILLER = b'{"role":"assistant","content":"Done."}'
"""Between a tool's result and a person's word, where the API insists on an answer (Mistral)."""


class OpenAIChat:
    """One endpoint: POST ``<base URL>/chat/completions``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        url = base_url(request) + "/chat/completions"
        outgoing = HttpRequest(
            url, bearer_headers(request), encode_request(request), timeouts=timeouts(request)
        )
        return deltas(self._transport, outgoing, request.provider.id, ChatDecoder(url))


# ── the request ───────────────────────────────────────────────────────────────────────────────


def encode_request(request: ModelRequest) -> bytes:
    npm = request.model.api.npm
    body: dict[str, Any] = {"model": request.model.api.id}
    if request.max_output is not None:
        many = npm in _COMPLETION_TOKENS
        body["max_completion_tokens" if many else "max_tokens"] = request.max_output
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    cache = cache_key_field(npm, request.provider.options.get("setCacheKey"))
    if cache and request.session_id:
        body[cache] = request.session_id
    for name, value in request.options.items():
        body[_RENAMED_OPTIONS.get(name, name)] = value
    if npm == _OPENROUTER:
        body.setdefault("usage", {"include": True})
    body["messages"] = msgspec.Raw(array(_conversation(request)))
    if request.tools and npm not in _NO_TOOLS:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": adapted(tool.parameters, request.model),
                },
            }
            for tool in request.tools
        ]
        body["tool_choice"] = request.tool_choice
    body["stream"] = True
    if request.provider.options.get("includeUsage") is not False:
        body["stream_options"] = {"include_usage": True}
    return _encode(body)


def reasoning_field(model: Model) -> str:
    """The assistant-message field that takes reasoning back, empty when it is not sent back."""
    interleaved = model.capabilities.interleaved
    return interleaved.field if isinstance(interleaved, Interleaved) else ""


def _conversation(request: ModelRequest) -> list[bytes]:
    """Every message, with what its maker wants beside: cache markers on the first system messages
    and on the last others, fillers, short ids."""
    model, messages = request.model, request.messages
    field, strict = reasoning_field(model), _wants_short_ids(model)
    markers = _takes_markers(model)
    lead = after_system(messages)
    spoken = messages[lead:]
    plain = max(0, len(spoken) - MARKED_TAIL) if markers else len(spoken)

    def encode(index: int) -> bytes:
        message = spoken[index]
        encoded = _encoded(message, field, strict, index >= plain)
        if strict and message.role == "user" and index and spoken[index - 1].role == "tool":
            return b"%b,%b" % (_FILLER, encoded)
        return encoded

    system = [
        _encoded(m, field, strict, markers and i < MARKED_SYSTEM)
        for i, m in enumerate(messages[:lead])
    ]
    before = joined(spoken, f"openai_chat:{field}:{strict}", plain, encode)
    marked = [encode(index) for index in range(plain, len(spoken))]
    return [*system, *([before] if before else []), *marked]


def _wants_short_ids(model: Model) -> bool:
    """Mistral takes ids of nine letters and digits."""
    return model.providerID == "mistral" or "mistral" in model.api.id.lower()


def _takes_markers(model: Model) -> bool:
    """Claude at another provider caches what is marked."""
    name = model.api.id.lower()
    return "claude" in name or "anthropic" in name or model.api.npm == "@ai-sdk/alibaba"


def _encoded(message: ChatMessage, field: str, short_ids: bool, marked: bool) -> bytes:
    """A message as one or more JSON objects, comma-separated; with a cache marker on the last text
    of it where it is ``marked`` and has one."""
    objects = _messages(message, field, short_ids)
    if marked and objects:
        _mark(objects[-1])
    return b",".join(map(_encode, objects))


def _mark(last: dict[str, Any]) -> None:
    content = last["content"]
    if isinstance(content, str) and content:
        last["content"] = [{"type": "text", "text": content, **MARKER}]
    elif content and isinstance(content, list):
        last["content"] = [*content[:-1], {**content[-1], **MARKER}]


def _messages(message: ChatMessage, field: str, short_ids: bool) -> list[dict[str, Any]]:
    call_id = short_id if short_ids else str
    if message.role == "assistant":
        return [_assistant(message, field, call_id)]
    if message.role == "tool":
        return _tool_results(message, call_id)
    return [{"role": message.role, "content": _content(message)}]


def short_id(call_id: str) -> str:
    """Nine letters and digits that stand for an id; an id that is of that kind stays."""
    if len(call_id) == 9 and call_id.isascii() and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    blocks = [b for b in message.content if isinstance(b, TextBlock | MediaBlock)]
    if all(isinstance(b, TextBlock) for b in blocks) and len(blocks) <= 1:
        return blocks[0].text if blocks and isinstance(blocks[0], TextBlock) else ""
    return [
        {"type": "text", "text": b.text} if isinstance(b, TextBlock) else _media(b) for b in blocks
    ]


def _media(block: MediaBlock) -> dict[str, Any]:
    if block.mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": block.url}}
    data = block.url.partition(",")[2] if block.url.startswith("data:") else block.url
    if block.mime in ("audio/wav", "audio/mpeg", "audio/mp3"):
        kind = "wav" if block.mime == "audio/wav" else "mp3"
        return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}
    return {
        "type": "file",
        "file": {"filename": block.filename or "attachment", "file_data": block.url},
    }


def _assistant(message: ChatMessage, field: str, call_id: Callable[[str], str]) -> dict[str, Any]:
    text = "".join(b.text for b in message.content if isinstance(b, TextBlock))
    result: dict[str, Any] = {"role": "assistant", "content": text}
    reasoning = "".join(b.text for b in message.content if isinstance(b, ReasoningBlock))
    if field and reasoning:
        result[field] = reasoning
    calls = [b for b in message.content if isinstance(b, ToolCallBlock)]
    if calls:
        result["tool_calls"] = [
            {
                "id": call_id(call.id),
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": _encode(call.arguments).decode(),
                },
            }
            for call in calls
        ]
    return result


def _tool_results(message: ChatMessage, call_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """A tool message per result; what a tool message cannot hold follows as a user's."""
    results = [b for b in message.content if isinstance(b, ToolResultBlock)]
    encoded: list[dict[str, Any]] = [
        {"role": "tool", "tool_call_id": call_id(r.id), "content": r.output} for r in results
    ]
    media = [_media(m) for r in results for m in r.media]
    if media:
        note = {"type": "text", "text": "Attached by the tool result above:"}
        encoded.append({"role": "user", "content": [note, *media]})
    return encoded


# ── the stream ────────────────────────────────────────────────────────────────────────────────


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _ToolCallDelta(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _MessageDelta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCallDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _MessageDelta | None = None
    message: _MessageDelta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _OpenCall:
    __slots__ = ("arguments", "id", "name")

    def __init__(self, call_id: str, name: str) -> None:
        self.id, self.name = call_id, name
        self.arguments: list[str] = []


class ChatDecoder(EventDecoder[_Chunk]):
    """Chunks of one completion to deltas. ``done`` after the Finish."""

    kind = msgspec.json.Decoder(_Chunk)
    expected = "a chunk that is not chat completions JSON"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._open_text = self._open_reasoning = False
        self._calls: dict[int, _OpenCall] = {}
        self._ids = CallIds()
        self._called = False
        self._reason: str | None = None
        self._usage = Usage()

    def _said_done(self) -> list[Delta]:
        return self.end()

    def end(self) -> list[Delta]:
        """Close what is open. Raises ModelFailure when the stream broke off before its end."""
        if self.done:
            return []
        if self._reason is None:
            raise broken_off(self._url)
        out: list[Delta] = []
        self._close_blocks(out)
        for index in list(self._calls):
            self._close_call(index, out)
        reason = FINISH_REASONS.get(self._reason, "unknown")
        if self._called and reason == "stop":  # some servers say stop after tool calls
            reason = "tool-calls"
        out.append(Finish(reason, self._usage))
        self.done = True
        return out

    def _event(self, chunk: _Chunk, out: list[Delta]) -> None:
        if chunk.error is not None:
            payload = chunk.error if isinstance(chunk.error, dict) else {"message": chunk.error}
            raise failure.from_stream(payload, self._url)
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
        for choice in chunk.choices or ():
            delta = choice.delta or choice.message
            if delta is not None:
                self._delta(delta, out)
            if choice.finish_reason:
                self._reason = choice.finish_reason

    def _delta(self, delta: _MessageDelta, out: list[Delta]) -> None:
        reasoning = delta.reasoning_content or delta.reasoning or delta.reasoning_text
        if reasoning:
            self._open_reasoning = True
            out.append(ReasoningDelta("reasoning", reasoning))
        text = delta.content or delta.refusal
        if text:
            if self._open_reasoning:
                self._open_reasoning = False
                out.append(ReasoningEnd("reasoning"))
            self._open_text = True
            out.append(TextDelta("text", text))
        for position, call in enumerate(delta.tool_calls or ()):
            self._close_blocks(out)
            self._call(call, position, out)

    def _call(self, delta: _ToolCallDelta, position: int, out: list[Delta]) -> None:
        index = position if delta.index is None else delta.index
        known = self._calls.get(index)
        name = delta.function.name if delta.function else None
        if known is not None and delta.index is None and delta.id and delta.id != known.id and name:
            self._close_call(index, out)  # servers without an index: a new id is a new call
            known = None
        if known is None:
            known = self._calls[index] = _OpenCall(self._ids.fresh(delta.id), name or "")
            out.append(ToolStart(known.id, known.name))
        elif name and not known.name:
            known.name = name
        arguments = delta.function.arguments if delta.function else None
        if isinstance(arguments, str):
            known.arguments.append(arguments)
        elif arguments is not None:
            known.arguments.append(_encode(arguments).decode())

    def _close_call(self, index: int, out: list[Delta]) -> None:
        call = self._calls.pop(index)
        self._called = True
        out.append(ToolCall(call.id, call.name, "".join(call.arguments) or "{}"))

    def _close_blocks(self, out: list[Delta]) -> None:
        if self._open_reasoning:
            self._open_reasoning = False
            out.append(ReasoningEnd("reasoning"))
        if self._open_text:
            self._open_text = False
            out.append(TextEnd("text"))


def _usage(usage: _Usage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = (prompt.cached_tokens if prompt else None) or usage.prompt_cache_hit_tokens or 0
    return Usage(
        input=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        reasoning=(completion.reasoning_tokens if completion else None) or 0,
        cache_read=cached,
        cache_write=(prompt.cache_write_tokens if prompt else None) or 0,
        total=usage.total_tokens,
    )
