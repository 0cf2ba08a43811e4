"""The providers' own types as judges: what we send is what their SDKs could have sent, and what the
tests play to us is what they would have read."""

from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import get_type_hints, is_typeddict

from ostler.models.bedrock import Bedrock
from ostler.models.gemini import Gemini
from ostler.models.openai_chat import OpenAIChat
from ostler.models.openai_responses import OpenAIResponses

_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def _strict(type_: Any) -> TypeAdapter[Any]:
    """Of a type whose fields are all there are, its own and those of what it is made of."""
    _forbid_more(type_, set())
    return TypeAdapter(type_)


def _forbid_more(type_: Any, seen: set[int]) -> None:
    if id(type_) in seen:
        return
    seen.add(id(type_))
    if is_typeddict(type_):
        type_.__pydantic_config__ = _STRICT
        for field in get_type_hints(type_, include_extras=True).values():
            _forbid_more(field, seen)
    for argument in get_args(type_):
        _forbid_more(argument, seen)


def _read_through(value: Any) -> None:
    """Iterables are judged only as they are read."""
    if isinstance(value, dict):
        for each in value.values():
            _read_through(each)
    elif not isinstance(value, str | bytes | int | float | bool | None):
        for each in value:
            _read_through(each)


@cache
def _request(wire: type) -> TypeAdapter[Any]:
    if wire is OpenAIChat:
        from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

        return _strict(CompletionCreateParamsStreaming)
    if wire is OpenAIResponses:
        from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

        return _strict(ResponseCreateParamsStreaming)
    from anthropic.types.message_create_params import MessageCreateParamsStreaming

    return _strict(MessageCreateParamsStreaming)


@cache
def _event(wire: type) -> TypeAdapter[Any]:
    if wire is OpenAIChat:
        from openai.types.chat import ChatCompletionChunk

        return TypeAdapter(ChatCompletionChunk)
    if wire is OpenAIResponses:
        from openai.types.responses import ResponseStreamEvent

        return TypeAdapter(ResponseStreamEvent)
    if wire is Gemini:
        from google.genai.types import GenerateContentResponse

        return TypeAdapter(GenerateContentResponse)
    from anthropic.types import RawMessageStreamEvent

    return TypeAdapter(RawMessageStreamEvent)


@cache
def _converse() -> tuple[Any, Any]:
    """Amazon's description of ConverseStream: its input's shape and its stream's."""
    from botocore.session import Session

    service = Session().get_service_model("bedrock-runtime")
    operation = service.operation_model("ConverseStream")
    return operation.input_shape, operation.output_shape.members["stream"]


def judge_request(wire: type, body: dict[str, Any]) -> None:
    """Raises where the provider's SDK could not have sent this body."""
    if wire is Gemini:
        _judge_gemini(body)
    elif wire is Bedrock:
        _judge_shape(_converse()[0], {**body, "modelId": "m"})
    else:
        _read_through(_request(wire).validate_python(body))


def _judge_gemini(body: dict[str, Any]) -> None:
    from google.genai import types

    types.GenerateContentConfig.model_validate(body.get("generationConfig", {}))
    system = [body["systemInstruction"]] if "systemInstruction" in body else []
    for content in [*body["contents"], *system]:
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    if "toolConfig" in body:
        types.ToolConfig.model_validate(body["toolConfig"])


def _judge_shape(shape: Any, value: Any) -> None:
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(_with_bytes(value), shape)
    assert not report.has_errors(), report.generate_report()


def _with_bytes(value: Any) -> Any:
    """As boto3 takes it: blobs are bytes where JSON has base64."""
    if isinstance(value, list):
        return [_with_bytes(v) for v in value]
    if isinstance(value, dict):
        return {
            k: v.encode() if k in ("bytes", "redactedContent") else _with_bytes(v)
            for k, v in value.items()
        }
    return value


def judge_stream(wire: type, chunks: Sequence[bytes]) -> None:
    """Raises where the provider's SDK could not have read these events."""
    if wire is Bedrock:
        return  # the frames of the tests are read by botocore itself, in test_bedrock
    for line in b"".join(chunks).splitlines():
        if line.startswith(b"data: ") and line != b"data: [DONE]":
            _event(wire).validate_json(line[6:])
