"""The wire of Amazon Bedrock's Converse API.

Request and stream shapes: Amazon's API reference for ``ConverseStream``. Where cache points go, and
which models need a prefix in which region: OpenCode 1.18.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import msgspec

from ostler.models import failure
from ostler.models.aws import FrameParser, signed
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
    broken_off,
    common_headers,
    deltas,
    timeouts,
    with_configured,
)
from ostler.models.openai_chat import OpenAIChat
from ostler.models.openai_responses import OpenAIResponses
from ostler.models.request import (
    Block,
    ChatMessage,
    MediaBlock,
    ModelRequest,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolDefinition,
    used_tools,
)
from ostler.transport import HttpRequest, Transport

_encode = msgspec.json.Encoder().encode

POINT = b'{"cachePoint":{"type":"default"}}'
MARKED_SYSTEM = MARKED_TAIL = 2
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool-calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content-filter",
    "content_filtered": "content-filter",
}
PREFIXES = ("global.", "us.", "eu.", "jp.", "apac.", "au.")
_NEEDS_PREFIX = {
    "us": (
        "nova-micro", "nova-lite", "nova-pro", "nova-premier", "nova-2", "claude", "deepseek.r1",
    ),
    "eu": ("claude", "nova-lite", "nova-micro", "llama3", "pixtral"),
    "au": ("anthropic.claude-sonnet-4-5", "anthropic.claude-haiku"),
    "jp": ("claude", "nova-lite", "nova-micro", "nova-pro"),
    "apac": ("claude", "nova-lite", "nova-micro", "nova-pro"),
}  # fmt: skip
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}


class Bedrock:
    """POST ``<base URL>/model/<id>/converse-stream``, with a key as bearer token or signed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        options = request.provider.options
        model_id = regional(request.model.api.id, str(options.get("region") or ""))
        url = f"{base_url(request)}/model/{quote(model_id, safe='')}/converse-stream"
        body = encode_request(request)
        headers = with_configured({**common_headers(request), "accept": FrameParser.media}, request)
        if key := api_key(request):
            headers["authorization"] = f"Bearer {key}"
        elif "authorization" not in headers:
            headers = await signed(url, headers, body, options, request.provider.id)
        outgoing = HttpRequest(url, headers, body, timeouts=timeouts(request))
        streamed = deltas(
            self._transport, outgoing, request.provider.id, ConverseDecoder(url), FrameParser()
        )
        async with aclosing(streamed) as found:
            async for batch in found:
                yield batch


class Mantle:
    """Bedrock's other door, which takes OpenAI's protocols."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        if "gpt-oss-safeguard" in request.model.api.id:  # has no responses (OpenCode 1.18)
            return OpenAIChat(self._transport).stream(request)
        return OpenAIResponses(self._transport).stream(request)


def regional(model_id: str, region: str) -> str:
    """The id by which a region knows a model that it shares with others."""
    if model_id.startswith(("arn:", *PREFIXES)):
        return model_id
    area = region.partition("-")[0]
    if area == "ap":
        if region in ("ap-southeast-2", "ap-southeast-4") and _needs("au", model_id):
            return f"au.{model_id}"
        area = "jp" if region == "ap-northeast-1" else "apac"
    if region.startswith("us-gov") or not _needs(area, model_id):
        return model_id
    return f"{area}.{model_id}"


def _needs(area: str, model_id: str) -> bool:
    return any(name in model_id for name in _NEEDS_PREFIX.get(area, ()))


# ── the request ───────────────────────────────────────────────────────────────────────────────


def encode_request(request: ModelRequest) -> bytes:
    options = dict(request.options)
    model_id = request.model.api.id
    caches = "claude" in model_id or "anthropic" in model_id
    thinking = _thinking(options.pop("reasoningConfig", None), model_id)
    settings: dict[str, Any] = {}
    if request.max_output is not None:
        settings["maxTokens"] = request.max_output + thinking.get("thinking", {}).get(
            "budget_tokens", 0
        )
    if "thinking" not in thinking:
        if request.temperature is not None:
            settings["temperature"] = request.temperature
        if request.top_p is not None:
            settings["topP"] = request.top_p
    more = {**options.pop("additionalModelRequestFields", {}), **thinking}
    body: dict[str, Any] = {}
    system = _system(request.messages, caches)
    if system:
        body["system"] = msgspec.Raw(array(system))
    body["messages"] = msgspec.Raw(_messages(request.messages, caches))
    if settings:
        body["inferenceConfig"] = settings
    if request.tools and request.tool_choice != "none":
        body["toolConfig"] = _tools(request, forced="thinking" not in thinking)
    elif used := used_tools(request.messages):
        body["toolConfig"] = {"tools": [_tool(t) for t in used]}
    if more:
        body["additionalModelRequestFields"] = more
    body.update(options)
    return _encode(body)


def _thinking(option: Any, model_id: str) -> dict[str, Any]:
    """``{type, budgetTokens, maxReasoningEffort}`` in the words of the model's maker."""
    if not isinstance(option, dict):
        return {}
    effort = option.get("maxReasoningEffort")
    if "anthropic" not in model_id and "claude" not in model_id:
        if "openai" in model_id:
            return {"reasoning_effort": effort} if effort else {}
        return {"reasoningConfig": option}
    if option.get("type") == "disabled":
        return {}
    result: dict[str, Any] = {"thinking": {"type": option.get("type", "enabled")}}
    if option.get("budgetTokens"):
        result["thinking"]["budget_tokens"] = option["budgetTokens"]
    if effort:
        result["output_config"] = {"effort": effort}
    return result


def _tools(request: ModelRequest, forced: bool) -> dict[str, Any]:
    choice = "any" if request.tool_choice == "required" and forced else "auto"
    return {"tools": [_tool(t) for t in request.tools], "toolChoice": {choice: {}}}


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    spec = {"name": tool.name, "inputSchema": {"json": tool.parameters}}
    if tool.description:
        spec["description"] = tool.description
    return {"toolSpec": spec}


def _system(messages: Sequence[ChatMessage], caches: bool) -> list[bytes]:
    blocks: list[bytes] = []
    system = (m for m in messages if m.role == "system")
    for index, message in enumerate(system):
        found = encode_blocks(message, _block)
        blocks.extend(found)
        if found and caches and index < MARKED_SYSTEM:
            blocks.append(POINT)
    return blocks


def _messages(messages: Sequence[ChatMessage], caches: bool) -> bytes:
    spoken = [m for m in messages if m.role != "system"]
    first_marked = len(spoken) - MARKED_TAIL if caches else len(spoken)

    def blocks(index: int, message: ChatMessage) -> list[bytes]:
        found = encode_blocks(message, _block)
        return [*found, POINT] if found and index >= first_marked else found

    return alternate(spoken, Shape("bedrock"), blocks, first_marked)


def _block(block: Block) -> dict[str, Any] | None:
    if isinstance(block, TextBlock):
        return {"text": block.text} if block.text.strip() else None
    if isinstance(block, MediaBlock):
        return _media(block)
    if isinstance(block, ReasoningBlock):
        return _reasoning(block)
    if isinstance(block, ToolCallBlock):
        called = {"toolUseId": clean_id(block.id), "name": block.name, "input": block.arguments}
        return {"toolUse": called}
    content = [{"text": block.output}] if block.output.strip() or not block.media else []
    content += [_media(m) for m in block.media]
    result = {"toolUseId": clean_id(block.id), "content": content}
    return {"toolResult": {**result, "status": "error"} if block.failed else result}


def _reasoning(block: ReasoningBlock) -> dict[str, Any] | None:
    own = block.metadata.get("bedrock", {})
    if own.get("redactedData"):
        return {"reasoningContent": {"redactedContent": own["redactedData"]}}
    if own.get("signature"):
        said = {"text": block.text, "signature": own["signature"]}
        return {"reasoningContent": {"reasoningText": said}}
    return None  # without its signature the API refuses it


def _media(block: MediaBlock) -> dict[str, Any]:
    if not block.url.startswith("data:"):
        return {"text": f"[{block.mime} at {block.url}]"}  # the API fetches nothing
    source = {"bytes": block.url.partition(",")[2]}
    kind, _, subtype = block.mime.partition("/")
    if kind in ("image", "video"):
        return {kind: {"format": subtype.replace("jpg", "jpeg"), "source": source}}
    name = re.sub(r"[^A-Za-z0-9 ()\[\]-]", "-", block.filename or "") or "document"
    return {
        "document": {"format": _DOCUMENTS.get(block.mime, "txt"), "name": name, "source": source}
    }


def clean_id(call_id: str) -> str:
    """Call ids may hold letters, digits, underscore and hyphen only, 64 of them."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", call_id)[:64]


# ── the stream ────────────────────────────────────────────────────────────────────────────────


class _ToolUse(msgspec.Struct):
    toolUseId: str | None = None
    name: str | None = None
    input: str = ""


class _Reasoning(msgspec.Struct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None


class _Delta(msgspec.Struct):
    text: str | None = None
    toolUse: _ToolUse | None = None
    reasoningContent: _Reasoning | None = None


class _Block(msgspec.Struct):
    """contentBlockStart, contentBlockDelta or contentBlockStop."""

    contentBlockIndex: int = 0
    start: _Delta | None = None
    delta: _Delta | None = None


class _Stop(msgspec.Struct):
    stopReason: str | None = None


class _Usage(msgspec.Struct):
    inputTokens: int = 0
    outputTokens: int = 0
    totalTokens: int | None = None
    cacheReadInputTokens: int | None = None
    cacheWriteInputTokens: int | None = None


class _Metadata(msgspec.Struct):
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    contentBlockStart: _Block | None = None
    contentBlockDelta: _Block | None = None
    contentBlockStop: _Block | None = None
    messageStop: _Stop | None = None
    metadata: _Metadata | None = None
    error: Any = None
    internalServerException: Any = None
    modelStreamErrorException: Any = None
    serviceUnavailableException: Any = None
    throttlingException: Any = None
    validationException: Any = None


_EXCEPTIONS: dict[str, tuple[str, int]] = {
    "internalServerException": ("server_error", 500),
    "modelStreamErrorException": ("server_error", 500),
    "serviceUnavailableException": ("overloaded", 503),
    "throttlingException": ("rate_limit", 429),
    "validationException": ("invalid_request", 400),
    "error": ("server_error", 0),
}


class ConverseDecoder(EventDecoder[_Event]):
    """Events of one answer to deltas. The Finish comes with the metadata, the last event, or as the
    stream is closed after a reason to stop."""

    kind = msgspec.json.Decoder(_Event)
    expected = "an event that is not of ConverseStream"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._open: dict[int, OpenBlock] = {}
        self._ids = CallIds("tooluse_")
        self._reason: str | None = None
        self._usage = _Usage()

    def end(self) -> list[Delta]:
        if self._reason is None:
            raise broken_off(self._url)
        return self._finish()

    def _event(self, event: _Event, out: list[Delta]) -> None:
        if event.contentBlockDelta is not None and event.contentBlockDelta.delta is not None:
            self._delta(
                event.contentBlockDelta.contentBlockIndex, event.contentBlockDelta.delta, out
            )
        elif event.contentBlockStart is not None:
            self._start(event.contentBlockStart, out)
        elif event.contentBlockStop is not None:
            self._stop(event.contentBlockStop.contentBlockIndex, out)
        elif event.messageStop is not None:
            self._reason = event.messageStop.stopReason or "unknown"
        elif event.metadata is not None:
            self._usage = event.metadata.usage or self._usage
            if self._reason is not None:
                out.extend(self._finish())
        else:
            self._fail(event)

    def _fail(self, event: _Event) -> None:
        for name, (code, status) in _EXCEPTIONS.items():
            said = getattr(event, name)
            if said is not None:
                message = said.get("message") if isinstance(said, dict) else said
                raise failure.from_stream(
                    {"message": message or name, "type": code, "code": status or None}, self._url
                )

    def _start(self, block: _Block, out: list[Delta]) -> None:
        use = block.start.toolUse if block.start else None
        if use is None:
            return
        opened = self._open[block.contentBlockIndex] = OpenBlock("tool", block.contentBlockIndex)
        opened.call_id, opened.name = self._ids.fresh(use.toolUseId), use.name or ""
        out.append(ToolStart(opened.call_id, opened.name))

    def _delta(self, index: int, delta: _Delta, out: list[Delta]) -> None:
        if delta.toolUse is not None:
            if index in self._open:
                self._open[index].pieces.append(delta.toolUse.input)
        elif delta.text is not None:
            opened = self._opened("text", index)
            out.append(TextDelta(opened.id, delta.text))
        elif delta.reasoningContent is not None:
            self._think(self._opened("reasoning", index), delta.reasoningContent, out)

    def _opened(self, kind: str, index: int) -> OpenBlock:
        """Blocks of text are not announced."""
        if index not in self._open:
            self._open[index] = OpenBlock(kind, index)
        return self._open[index]

    @staticmethod
    def _think(opened: OpenBlock, said: _Reasoning, out: list[Delta]) -> None:
        if said.text is not None:
            out.append(ReasoningDelta(opened.id, said.text))
        opened.signature += said.signature or ""
        if said.redactedContent:
            opened.data += said.redactedContent
            out.append(ReasoningDelta(opened.id, ""))

    def _stop(self, index: int, out: list[Delta]) -> None:
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.kind == "text":
            out.append(TextEnd(opened.id))
        elif opened.kind == "tool":
            out.append(ToolCall(opened.call_id, opened.name, "".join(opened.pieces) or "{}"))
        else:
            own = {"signature": opened.signature, "redactedData": opened.data}
            own = {name: value for name, value in own.items() if value}
            out.append(ReasoningEnd(opened.id, {"bedrock": own} if own else {}))

    def _finish(self) -> list[Delta]:
        out: list[Delta] = []
        for index in list(self._open):
            self._stop(index, out)
        usage = self._usage
        read, written = usage.cacheReadInputTokens or 0, usage.cacheWriteInputTokens or 0
        out.append(
            Finish(
                FINISH_REASONS.get(self._reason or "", "unknown"),
                Usage(
                    input=usage.inputTokens + read + written,
                    output=usage.outputTokens,
                    cache_read=read,
                    cache_write=written,
                ),
            )
        )
        self.done = True
        return out
