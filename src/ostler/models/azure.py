"""Azure: OpenAI's wires at other addresses, with the key in another header.

Addresses: Microsoft's reference of the v1 API and of deployments, as the AI SDK that OpenCode 1.18
uses puts them together. Options: ``useCompletionUrls`` (chat completions instead of responses),
``useDeploymentBasedUrls``, ``apiVersion``.
"""

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from ostler.models import openai_chat, openai_responses
from ostler.models.delta import Delta
from ostler.models.exchange import (
    Decoder,
    api_key,
    base_url,
    common_headers,
    deltas,
    timeouts,
    with_configured,
)
from ostler.models.request import ModelRequest
from ostler.transport import HttpRequest, Transport

_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


class Azure:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        chat = bool(request.provider.options.get("useCompletionUrls"))
        url = endpoint(request, "/chat/completions" if chat else "/responses")
        headers = common_headers(request)
        if key := api_key(request):
            headers["api-key"] = key
        body = (openai_chat if chat else openai_responses).encode_request(request)
        outgoing = HttpRequest(
            url, with_configured(headers, request), body, timeouts=timeouts(request)
        )
        decoder: Decoder = (
            openai_chat.ChatDecoder(url) if chat else openai_responses.ResponseDecoder(url)
        )
        return deltas(self._transport, outgoing, request.provider.id, decoder)


def endpoint(request: ModelRequest, path: str) -> str:
    options, base = request.provider.options, base_url(request)
    target = urlsplit(base)
    azure = (target.hostname or "").endswith(_HOSTS)
    versioned = azure and target.path.lower().endswith("/openai/v1")
    project = target.path.startswith("/api/projects/")
    deployed = bool(options.get("useDeploymentBasedUrls"))
    if deployed:
        path = f"/deployments/{request.model.api.id}{path}"
    elif azure and not versioned:
        path = f"/v1{path}"
    if deployed or (azure and not versioned and not project):
        return f"{base}{path}?api-version={options.get('apiVersion') or 'v1'}"
    return f"{base}{path}"
