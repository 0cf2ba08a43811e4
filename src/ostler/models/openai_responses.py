"""The wire of OpenAI's responses API.

Request and stream shapes: OpenAI's API reference, and what OpenCode 1.18 sends over it: nothing is
stored on the provider's side, and reasoning comes back encrypted, to be sent along with the next
step.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

import msgspec

from ostler.models import failure
from ostler.models.blocks import array
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
    deltas,
    timeouts,
)
from ostler.models.grown import after_system, joined
from ostler.models.request import (
    Block,
    ChatMessage,
    MediaBlock,
    ModelRequest,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from ostler.models.tool_schema import adapted
from ostler.transport import HttpRequest, Transport

_encode = msgspec.json.Encoder().encode

PROVIDER = "openai"
"""Its own models are left to their own output limit (OpenCode 1.18)."""
ENCRYPTED = "reasoning.encrypted_content"
_RENAMED = {
    "promptCacheKey": "prompt_cache_key",
    "serviceTier": "service_tier",
    "parallelToolCalls": "parallel_tool_calls",
    "maxToolCalls": "max_tool_calls",
    "safetyIdentifier": "safety_identifier",
}
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content-filter"}


class OpenAIResponses:
    """One endpoint: POST ``<base URL>/responses``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        url = base_url(request) + "/responses"
        outgoing = HttpRequest(
            url, bearer_headers(request), encode_request(request), timeouts=timeouts(request)
        )
        return deltas(self._transport, outgoing, request.provider.id, ResponseDecoder(url))


# ── the request ───────────────────────────────────────────────────────────────────────────────


def encode_request(request: ModelRequest) -> bytes:
    body: dict[str, Any] = {"model": request.model.api.id, "store": False}
    if request.max_output is not None and request.provider.id != PROVIDER:
        body["max_output_tokens"] = request.max_output
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.session_id and request.provider.options.get("setCacheKey") is not False:
        body["prompt_cache_key"] = request.session_id
    _put_options(body, request)
    body["input"] = msgspec.Raw(_input(request.messages))
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": adapted(tool.parameters, request.model),
                "strict": False,
            }
            for tool in request.tools
        ]
        body["tool_choice"] = request.tool_choice
    body["stream"] = True
    return _encode(body)


def _put_options(body: dict[str, Any], request: ModelRequest) -> None:
    """The options table in the API's words; what it does not rename goes as it is."""
    options = dict(request.options)
    include = list(options.pop("include", ()))
    reasoning = {
        "effort": options.pop("reasoningEffort", None),
        "summary": options.pop("reasoningSummary", None),
    }
    verbosity = options.pop("textVerbosity", None)
    if request.model.capabilities.reasoning:
        if ENCRYPTED not in include:
            include.append(ENCRYPTED)
        reasoning["summary"] = reasoning["summary"] or "auto"
        body["reasoning"] = {name: value for name, value in reasoning.items() if value}
    if include:
        body["include"] = include
    if verbosity:
        body["text"] = {"verbosity": verbosity}
    for name, value in options.items():
        body[_RENAMED.get(name, name)] = value


def _input(messages: Sequence[ChatMessage]) -> bytes:
    """Every message as input items."""
    lead = after_system(messages)
    spoken = messages[lead:]
    before = joined(spoken, "openai_responses", len(spoken), lambda i: _encoded(spoken[i]))
    return array(item for item in (*map(_encoded, messages[:lead]), before) if item)


def _encoded(message: ChatMessage) -> bytes:
    """As input items, comma-separated; empty where nothing is left."""
    return b",".join(_encode(item) for item in _items(message))


def _items(message: ChatMessage) -> Iterable[dict[str, Any]]:
    if message.role == "system":
        text = "".join(b.text for b in message.content if isinstance(b, TextBlock))
        return [{"role": "developer", "content": text}] if text else []
    if message.role == "user":
        content = [c for block in message.content if (c := _content(block)) is not None]
        return [{"role": "user", "content": content}] if content else []
    return [item for block in message.content if (item := _item(block)) is not None]


def _content(block: Block) -> dict[str, Any] | None:
    if isinstance(block, TextBlock):
        return {"type": "input_text", "text": block.text} if block.text else None
    return _media(block) if isinstance(block, MediaBlock) else None


def _media(block: MediaBlock) -> dict[str, Any]:
    if block.mime.startswith("image/"):
        return {"type": "input_image", "image_url": block.url, "detail": "auto"}
    if block.url.startswith("data:"):
        return {
            "type": "input_file",
            "filename": block.filename or "attachment",
            "file_data": block.url,
        }
    return {"type": "input_file", "file_url": block.url}


def _item(block: Block) -> dict[str, Any] | None:
    """What the model or a tool said, as an item of its own."""
    if isinstance(block, TextBlock):
        return {"role": "assistant", "content": block.text} if block.text else None
    if isinstance(block, ReasoningBlock):
        return _reasoning(block)
    if isinstance(block, ToolCallBlock):
        return {
            "type": "function_call",
            "call_id": block.id,
            "name": block.name,
            "arguments": _encode(block.arguments).decode(),
        }
    return _result(block) if isinstance(block, ToolResultBlock) else None


def _reasoning(block: ReasoningBlock) -> dict[str, Any] | None:
    own = block.metadata.get("openai", {})
    if not own.get("reasoningEncryptedContent"):
        return None  # nothing is stored there: without its content the API does not know it
    return {
        "type": "reasoning",
        "id": own.get("itemId"),
        "encrypted_content": own["reasoningEncryptedContent"],
        "summary": [{"type": "summary_text", "text": block.text}] if block.text else [],
    }


def _result(block: ToolResultBlock) -> dict[str, Any]:
    output: Any = block.output
    if block.media:
        output = [{"type": "input_text", "text": block.output}] if block.output else []
        output += [_media(m) for m in block.media]
    return {"type": "function_call_output", "call_id": block.id, "output": output}


# ── the stream ────────────────────────────────────────────────────────────────────────────────


class _Text(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    encrypted_content: str | None = None
    content: list[_Text] | None = None
    summary: list[_Text] | None = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Details(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    usage: _Usage | None = None
    error: Any = None
    incomplete_details: _Details | None = None
    output: list[_Item] | None = None


class _Event(_Response):
    """An event; of an answer that was not streamed, the response itself (``object``)."""

    type: str = ""
    object: str = ""
    output_index: int | None = None
    delta: str | None = None
    item: _Item | None = None
    response: _Response | None = None
    code: str | None = None
    message: str | None = None


class ResponseDecoder(EventDecoder[_Event]):
    """Events of one response to deltas. ``done`` after the Finish."""

    kind = msgspec.json.Decoder(_Event)
    expected = "an event that is not of the responses API"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._begun: dict[int, _Item] = {}
        self._written: set[int] = set()
        self._ids = CallIds()
        self._called = False

    def _event(self, event: _Event, out: list[Delta]) -> None:
        kind, index = event.type, event.output_index or 0
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            self._written.add(index)
            out.append(TextDelta(f"text_{index}", event.delta or ""))
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            self._written.add(index)
            out.append(ReasoningDelta(f"reasoning_{index}", event.delta or ""))
        elif kind == "response.reasoning_summary_part.added":
            if index in self._written:  # the parts of a summary are paragraphs
                out.append(ReasoningDelta(f"reasoning_{index}", "\n\n"))
        elif kind == "response.output_item.added" and event.item is not None:
            self._start(index, event.item, out)
        elif kind == "response.output_item.done" and event.item is not None:
            self._stop(index, event.item, out)
        elif kind in ("response.completed", "response.incomplete"):
            self._finish(event.response or _Response(), out)
        elif kind in ("response.failed", "error"):
            self._fail(event)
        elif event.object == "response":
            self._whole(event, out)

    def _start(self, index: int, item: _Item, out: list[Delta]) -> None:
        self._begun[index] = item
        if item.type == "function_call":
            item.call_id = self._ids.fresh(item.call_id)
            out.append(ToolStart(item.call_id, item.name or ""))

    def _stop(self, index: int, item: _Item, out: list[Delta]) -> None:
        if index not in self._begun:
            self._start(index, item, out)
        begun = self._begun.pop(index)
        if item.type == "function_call":
            self._called = True
            name = item.name or begun.name or ""
            out.append(ToolCall(begun.call_id or "", name, item.arguments or "{}"))
        elif item.type == "message":
            self._put_rest(index, item, out)
            if index in self._written:
                out.append(TextEnd(f"text_{index}"))
        elif item.type == "reasoning":
            self._stop_reasoning(index, item, out)

    def _put_rest(self, index: int, item: _Item, out: list[Delta]) -> None:
        """The text of a message that came without deltas."""
        text = "".join(part.text or part.refusal or "" for part in item.content or ())
        if text and index not in self._written:
            self._written.add(index)
            out.append(TextDelta(f"text_{index}", text))

    def _stop_reasoning(self, index: int, item: _Item, out: list[Delta]) -> None:
        own = {"itemId": item.id, "reasoningEncryptedContent": item.encrypted_content}
        summary = "\n\n".join(part.text or "" for part in item.summary or ())
        if index not in self._written:
            if not (summary or item.encrypted_content):
                return
            out.append(ReasoningDelta(f"reasoning_{index}", summary))
        metadata = {"openai": own} if item.encrypted_content else {}
        out.append(ReasoningEnd(f"reasoning_{index}", metadata))

    def _whole(self, response: _Event, out: list[Delta]) -> None:
        if response.error is not None:
            self._fail(response)
        for index, item in enumerate(response.output or ()):
            self._stop(index, item, out)
        self._finish(response, out)

    def _fail(self, event: _Event) -> None:
        error = event.response.error if event.response is not None else event.error
        if not isinstance(error, dict):
            error = {"code": event.code, "message": event.message or error}
        raise failure.from_stream(error, self._url)

    def _finish(self, response: _Response, out: list[Delta]) -> None:
        for index, item in list(self._begun.items()):
            if item.type != "function_call":  # a call that was cut off is none
                self._stop(index, item, out)
        why = response.incomplete_details.reason if response.incomplete_details else None
        reason = "tool-calls" if self._called else "stop"
        if why is not None:
            reason = _INCOMPLETE.get(why, "unknown")
        out.append(Finish(reason, _usage(response.usage or _Usage())))
        self.done = True


def _usage(usage: _Usage) -> Usage:
    read, thought = usage.input_tokens_details, usage.output_tokens_details
    return Usage(
        input=usage.input_tokens or 0,
        output=usage.output_tokens or 0,
        reasoning=(thought.reasoning_tokens if thought else None) or 0,
        cache_read=(read.cached_tokens if read else None) or 0,
        total=usage.total_tokens,
    )
