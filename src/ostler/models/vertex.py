"""Google Vertex: Gemini's and Anthropic's wires at other addresses, with Google's credentials.

Addresses: Google's reference of the Vertex API, and the AI SDK that OpenCode 1.18 uses. Credentials
are found by ``google-auth`` (``pip install 'ostler[vertex]'``) in the way Google's documentation
calls Application Default Credentials; with an API key there is no need of it.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import cache
from typing import Any

import msgspec

from ostler.models import anthropic, failure, gemini
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

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ANTHROPIC_VERSION = "vertex-2023-10-16"


class VertexGemini:
    """POST ``<base URL>/models/<id>:streamGenerateContent``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        url = gemini.endpoint(base_url(request), request.model.api.id)
        body = gemini.encode_request(request)
        return _authorized(self._transport, request, url, body, gemini.ContentDecoder)


class VertexAnthropic:
    """POST ``<base URL>/<id>:streamRawPredict``: the model is named by the address."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        url = f"{base_url(request)}/{request.model.api.id}:streamRawPredict"
        body = anthropic.encode_body(request)
        body.update(anthropic_version=ANTHROPIC_VERSION, stream=True)
        encoded = msgspec.json.encode(body)
        return _authorized(self._transport, request, url, encoded, anthropic.MessageDecoder)


async def _authorized(
    transport: Transport,
    request: ModelRequest,
    url: str,
    body: bytes,
    decoder: Callable[[str], Decoder],
) -> AsyncGenerator[list[Delta], None]:
    headers = common_headers(request)
    headers.update(await _credential(request))
    outgoing = HttpRequest(url, with_configured(headers, request), body, timeouts=timeouts(request))
    async with aclosing(deltas(transport, outgoing, request.provider.id, decoder(url))) as found:
        async for batch in found:
            yield batch


async def _credential(request: ModelRequest) -> dict[str, str]:
    """The header that signs a request in. Raises ModelFailure."""
    if key := api_key(request):
        return {"x-goog-api-key": key}
    configured = request.provider.options.get("headers") or {}
    if any(name.lower() == "authorization" for name in configured):
        return {}
    return {"authorization": f"Bearer {await asyncio.to_thread(_token, request.provider.id)}"}


@cache
def _credentials(_file: str | None) -> Any:
    """What Google's library finds, once a file that the environment names."""
    import google.auth

    return google.auth.default(scopes=[SCOPE])[0]


def _token(provider_id: str) -> str:
    """An access token that is still good. Blocks. Raises ModelFailure."""
    try:
        import google.auth.exceptions
    except ImportError:
        raise failure.missing_credential(
            provider_id,
            f"{provider_id} is signed in to with Google's credentials, which need google-auth: "
            "pip install 'ostler[vertex]', or set an API key",
        ) from None
    try:
        found = _credentials(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"))
        if not found.valid:
            found.refresh(_send)
    except (google.auth.exceptions.GoogleAuthError, OSError) as e:
        raise failure.missing_credential(provider_id, f"Google's credentials: {e}") from None
    return str(found.token)


class _Answer(msgspec.Struct):
    """What google-auth reads of an answer."""

    status: int
    headers: Any
    data: bytes


def _send(
    url: str,
    method: str = "GET",
    body: Any = None,
    headers: Any = None,
    timeout: float | None = 120,
    **_more: Any,
) -> _Answer:
    """google-auth's way to the network (``google.auth.transport.Request``)."""
    import google.auth.exceptions
    import httpx

    try:
        answer = httpx.request(method, url, content=body, headers=headers, timeout=timeout)
    except httpx.HTTPError as e:
        raise google.auth.exceptions.TransportError(str(e)) from e  # type: ignore[no-untyped-call]
    return _Answer(answer.status_code, answer.headers, answer.content)
