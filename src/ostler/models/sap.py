"""SAP AI Core: its orchestration service, which wraps chat completions.

Shapes: SAP's API reference for orchestration (v2), deployments and service keys. The conversation
goes into ``messages_history``, where nothing is taken for a template's placeholder; the last
message has to be the template.
"""

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from ostler.models import failure, openai_chat
from ostler.models.delta import Delta
from ostler.models.exchange import (
    EventDecoder,
    api_key,
    common_headers,
    deltas,
    timeouts,
    with_configured,
)
from ostler.models.request import ModelRequest
from ostler.models.tokens import ask, field, shared
from ostler.transport import HttpRequest, Transport

DEPLOYMENT_LIVES = 3600.0
"""Seconds for which a deployment that was found is used."""
_PARAMETERS = ("max_tokens", "max_completion_tokens", "temperature", "top_p", "reasoning_effort")


class _Services(msgspec.Struct):
    AI_API_URL: str


class ServiceKey(msgspec.Struct):
    """What SAP gives for an instance of AI Core."""

    clientid: str
    clientsecret: str
    url: str
    serviceurls: _Services


class SapAiCore:
    """The key is the service key as JSON. ``options``: ``resourceGroup`` ("default" without) and
    ``deploymentId``, else the running orchestration is found."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        key = _service_key(request)
        headers = {
            "authorization": f"Bearer {await self._token(request, key)}",
            "ai-resource-group": str(request.provider.options.get("resourceGroup") or "default"),
        }
        base = key.serviceurls.AI_API_URL.rstrip("/")
        deployment = await self._deployment(request, base, headers)
        url = f"{base}/v2/inference/deployments/{deployment}/v2/completion"
        outgoing = HttpRequest(
            url,
            with_configured({**common_headers(request), **headers}, request),
            encode_request(request),
            timeouts=timeouts(request),
        )
        streamed = deltas(self._transport, outgoing, request.provider.id, OrchestrationDecoder(url))
        with shared.dropped_if_refused(_token_of(key)):
            async with aclosing(streamed) as found:
                async for batch in found:
                    yield batch

    async def _token(self, request: ModelRequest, key: ServiceKey) -> str:
        url = f"{key.url.rstrip('/')}/oauth/token"
        basic = base64.b64encode(f"{key.clientid}:{key.clientsecret}".encode()).decode()

        async def fetch() -> tuple[str, float]:
            answer = await ask(
                self._transport,
                url,
                request.provider.id,
                headers={"authorization": f"Basic {basic}"},
                form={"grant_type": "client_credentials"},
            )
            lives = float(answer.get("expires_in") or 3600)
            return str(field(answer, "access_token", url)), lives

        return await shared.get(_token_of(key), fetch)

    async def _deployment(self, request: ModelRequest, base: str, headers: dict[str, str]) -> str:
        chosen = request.provider.options.get("deploymentId")
        if chosen:
            return str(chosen)
        url = f"{base}/v2/lm/deployments?scenarioId=orchestration&status=RUNNING"

        async def fetch() -> tuple[str, float]:
            answer = await ask(self._transport, url, request.provider.id, headers=headers)
            found = field(answer, "resources", url)
            if not found:
                raise failure.invalid_request(
                    f"no orchestration runs in resource group {headers['ai-resource-group']}", url
                )
            return str(field(found[0], "id", url)), DEPLOYMENT_LIVES

        return await shared.get((url, headers["ai-resource-group"]), fetch)


def _token_of(key: ServiceKey) -> tuple[str, str, str]:
    return key.url, key.clientid, key.clientsecret


def _service_key(request: ModelRequest) -> ServiceKey:
    try:
        return msgspec.json.decode(api_key(request), type=ServiceKey)
    except msgspec.DecodeError as e:
        raise failure.missing_credential(
            request.provider.id,
            f"SAP AI Core needs AICORE_SERVICE_KEY, the service key as JSON: {e}",
        ) from None


def encode_request(request: ModelRequest) -> bytes:
    chat = msgspec.json.decode(openai_chat.encode_request(request), type=dict[str, Any])
    parameters = {name: chat[name] for name in _PARAMETERS if name in chat}
    parameters.update(request.options.get("modelParams") or {})
    *history, last = chat["messages"]
    prompt: dict[str, Any] = {"template": [last]}
    if chat.get("tools"):
        prompt["tools"] = chat["tools"]
        parameters["tool_choice"] = chat["tool_choice"]
    model = {"name": request.model.api.id, "version": "latest", "params": parameters}
    modules = {"prompt_templating": {"prompt": prompt, "model": model}}
    return msgspec.json.encode(
        {
            "config": {"modules": modules, "stream": {"enabled": True}},
            "messages_history": history,
        }
    )


class _Event(msgspec.Struct):
    final_result: msgspec.Raw = msgspec.Raw()
    error: Any = None


class OrchestrationDecoder(EventDecoder[_Event]):
    """The chunks of chat completions that the service wraps."""

    kind = msgspec.json.Decoder(_Event)
    expected = "an event that is not the orchestration's"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._chat = openai_chat.ChatDecoder(url)

    def end(self) -> list[Delta]:
        found = self._chat.end()
        self.done = self._chat.done
        return found

    def _said_done(self) -> list[Delta]:
        return self.end()

    def _event(self, event: _Event, out: list[Delta]) -> None:
        if event.error is not None:
            payload = event.error if isinstance(event.error, dict) else {"message": event.error}
            raise failure.from_stream(payload, self._url)
        chunk = bytes(event.final_result)
        if chunk not in (b"", b"null"):
            out.extend(self._chat.feed([chunk]))
            self.done = self._chat.done
