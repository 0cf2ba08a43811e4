"""The wire of Google's Gemini API, at Google AI and at Vertex.

Request and stream shapes: Google's API reference for ``streamGenerateContent``. Signatures of
thoughts go back with the part they came with, as the reference of Gemini 3 asks.
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from ostler.models import failure
from ostler.models.blocks import Shape, alternate, encode_blocks
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
    api_key,
    base_url,
    broken_off,
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
)
from ostler.models.tool_schema import for_gemini
from ostler.transport import HttpRequest, Transport

_encode = msgspec.json.Encoder().encode

FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
        "content-filter",
    ),
}
GARBLED = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
"""Endings that another attempt may mend: the model's call made no sense to the provider."""
UNSIGNED = "skip_thought_signature_validator"
"""Stands for the signature of a call that another model made (Google's guide to signatures)."""
_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
_SETTINGS = ("thinkingConfig", "responseModalities", "mediaResolution", "imageConfig", "topK")
"""Options that belong to ``generationConfig``; others go beside it."""


class Gemini:
    """One endpoint: POST ``<base URL>/models/<id>:streamGenerateContent``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        headers = common_headers(request)
        if key := api_key(request):
            headers["x-goog-api-key"] = key
        outgoing = HttpRequest(
            endpoint(base_url(request), request.model.api.id),
            with_configured(headers, request),
            encode_request(request),
            timeouts=timeouts(request),
        )
        return deltas(self._transport, outgoing, request.provider.id, ContentDecoder(outgoing.url))


def endpoint(base: str, model_id: str) -> str:
    path = model_id if "/" in model_id else f"models/{model_id}"
    return f"{base}/{path}:streamGenerateContent?alt=sse"


# ── the request ───────────────────────────────────────────────────────────────────────────────


def encode_request(request: ModelRequest) -> bytes:
    body: dict[str, Any] = {}
    system = [b for m in request.messages if m.role == "system" for b in m.content]
    if system:
        body["systemInstruction"] = {
            "parts": [{"text": b.text} for b in system if isinstance(b, TextBlock)]
        }
    body["contents"] = msgspec.Raw(_contents(request))
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_declared(t) for t in request.tools]}]
        body["toolConfig"] = {"functionCallingConfig": {"mode": _MODES[request.tool_choice]}}
    settings: dict[str, Any] = {
        "maxOutputTokens": request.max_output,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
    }
    for name, value in _options(request).items():
        (settings if name in _SETTINGS else body)[name] = value
    body["generationConfig"] = {k: v for k, v in settings.items() if v is not None}
    return _encode(body)


def _options(request: ModelRequest) -> dict[str, Any]:
    """The options; those of thinking may stand alone or in their table."""
    options = dict(request.options)
    thinking = dict(options.pop("thinkingConfig", None) or {})
    for name in ("includeThoughts", "thinkingBudget", "thinkingLevel"):
        if name in options:
            thinking[name] = options.pop(name)
    return {**options, "thinkingConfig": thinking} if thinking else options


def _declared(tool: Any) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    parameters = for_gemini(tool.parameters)
    return {**declared, "parameters": parameters} if parameters else declared


def _contents(request: ModelRequest) -> bytes:
    signed = "gemini-3" in request.model.api.id
    shape = Shape(f"gemini:{signed}", b'{"role":"%b","parts":%b}', b"model")
    spoken = [m for m in request.messages if m.role != "system"]
    return alternate(spoken, shape, lambda _, message: _parts(message, signed))


def _parts(message: ChatMessage, signed: bool) -> list[bytes]:
    """``signed``: the first call of a message needs a signature."""
    parts = encode_blocks(message, _part)
    if message.role == "tool":
        media = [
            _media(m) for b in message.content if isinstance(b, ToolResultBlock) for m in b.media
        ]
        return [*parts, *(_encode(m) for m in media)]
    if not signed or message.role != "assistant":
        return parts
    first = next((i for i, part in enumerate(parts) if part.startswith(b'{"functionCall"')), None)
    if first is None or b'"thoughtSignature":' in parts[first]:
        return parts
    marked = parts[first][:-1] + b',"thoughtSignature":"%b"}' % UNSIGNED.encode()
    return [*parts[:first], marked, *parts[first + 1 :]]


def _part(block: Block) -> dict[str, Any] | None:
    if isinstance(block, TextBlock):
        return {"text": block.text} if block.text else None
    if isinstance(block, MediaBlock):
        return _media(block)
    if isinstance(block, ReasoningBlock):
        signature = _signature(block.metadata)
        if not signature:
            return None
        return {"text": block.text, "thought": True, "thoughtSignature": signature}
    if isinstance(block, ToolCallBlock):
        called: dict[str, Any] = {"functionCall": {"name": block.name, "args": block.arguments}}
        signature = _signature(block.metadata)
        return {**called, "thoughtSignature": signature} if signature else called
    key = "error" if block.failed else "output"
    return {"functionResponse": {"name": block.name, "response": {key: block.output}}}


def _signature(metadata: dict[str, Any]) -> str:
    return str((metadata.get("google") or {}).get("thoughtSignature") or "")


def _media(block: MediaBlock) -> dict[str, Any]:
    if block.url.startswith("data:"):
        return {"inlineData": {"mimeType": block.mime, "data": block.url.partition(",")[2]}}
    return {"fileData": {"mimeType": block.mime, "fileUri": block.url}}


# ── the stream ────────────────────────────────────────────────────────────────────────────────


class _Call(msgspec.Struct):
    name: str = ""
    args: Any = None
    id: str | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool = False
    thoughtSignature: str | None = None
    functionCall: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finishReason: str | None = None
    finishMessage: str | None = None


class _Feedback(msgspec.Struct):
    blockReason: str | None = None
    blockReasonMessage: str | None = None


class _Usage(msgspec.Struct):
    promptTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    totalTokenCount: int | None = None


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: _Usage | None = None
    error: Any = None


class ContentDecoder(EventDecoder[_Chunk | list[_Chunk]]):
    """Chunks of one answer to deltas. The stream has no last word: the Finish comes as it is
    closed, after a chunk with a reason to finish."""

    kind = msgspec.json.Decoder(_Chunk | list[_Chunk])
    expected = "a chunk that is not a GenerateContentResponse"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._open: tuple[str, str] | None = None  # kind, id
        self._signature = ""
        self._count = 0
        self._ids = CallIds()
        self._called = False
        self._reason: str | None = None
        self._usage = _Usage()

    def _event(self, event: _Chunk | list[_Chunk], out: list[Delta]) -> None:
        for chunk in event if isinstance(event, list) else (event,):
            self._chunk(chunk, out)

    def end(self) -> list[Delta]:
        if self._reason is None:
            raise broken_off(self._url)
        out: list[Delta] = []
        self._close(out)
        reason = FINISH_REASONS.get(self._reason, "unknown")
        if self._called and reason in ("stop", "unknown"):
            reason = "tool-calls"
        out.append(Finish(reason, _usage(self._usage)))
        self.done = True
        return out

    def _chunk(self, chunk: _Chunk, out: list[Delta]) -> None:
        if chunk.error is not None:
            payload = chunk.error if isinstance(chunk.error, dict) else {"message": chunk.error}
            raise failure.from_stream(payload, self._url)
        if chunk.usageMetadata is not None:
            self._usage = chunk.usageMetadata
        feedback = chunk.promptFeedback
        if feedback is not None and feedback.blockReason:
            why = feedback.blockReasonMessage or feedback.blockReason
            raise failure.content_filtered(f"The provider refused the prompt: {why}")
        for candidate in (chunk.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                self._part(part, out)
            if candidate.finishReason:
                self._finish(candidate)

    def _finish(self, candidate: _Candidate) -> None:
        reason = candidate.finishReason
        if reason in GARBLED and not self._called:
            detail = f": {candidate.finishMessage}" if candidate.finishMessage else ""
            raise failure.bad_stream(f"the model's tool call was garbled{detail}", self._url)
        self._reason = reason

    def _part(self, part: _Part, out: list[Delta]) -> None:
        if part.functionCall is not None:
            self._close(out)
            self._call(part.functionCall, part.thoughtSignature, out)
        elif part.text is not None:
            kind = "reasoning" if part.thought else "text"
            if part.text or kind == "reasoning":
                self._write(kind, part.text, out)
            if part.thoughtSignature and kind == "reasoning":
                self._signature = part.thoughtSignature

    def _write(self, kind: str, text: str, out: list[Delta]) -> None:
        if self._open is None or self._open[0] != kind:
            self._close(out)
            self._open = (kind, f"{kind}_{self._count}")
            self._count += 1
        made = TextDelta if kind == "text" else ReasoningDelta
        out.append(made(self._open[1], text))

    def _call(self, call: _Call, signature: str | None, out: list[Delta]) -> None:
        self._called = True
        call_id = self._ids.fresh(call.id)
        metadata = {"google": {"thoughtSignature": signature}} if signature else {}
        out.append(ToolStart(call_id, call.name))
        arguments = _encode({} if call.args is None else call.args).decode()
        out.append(ToolCall(call_id, call.name, arguments, metadata))

    def _close(self, out: list[Delta]) -> None:
        if self._open is None:
            return
        kind, block_id = self._open
        if kind == "text":
            out.append(TextEnd(block_id))
        else:
            own = {"google": {"thoughtSignature": self._signature}} if self._signature else {}
            out.append(ReasoningEnd(block_id, own))
        self._open, self._signature = None, ""


def _usage(usage: _Usage) -> Usage:
    thought = usage.thoughtsTokenCount or 0
    return Usage(
        input=usage.promptTokenCount or 0,
        output=(usage.candidatesTokenCount or 0) + thought,
        reasoning=thought,
        cache_read=usage.cachedContentTokenCount or 0,
        total=usage.totalTokenCount,
    )
