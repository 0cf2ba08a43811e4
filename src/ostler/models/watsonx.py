"""IBM watsonx: chat completions with a project, at its own address, with a token of IBM Cloud.

Shapes: IBM's API reference for ``text/chat_stream`` and for IAM tokens.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from ostler.models import failure, openai_chat
from ostler.models.delta import Delta
from ostler.models.exchange import (
    api_key,
    base_url,
    common_headers,
    deltas,
    timeouts,
    with_configured,
)
from ostler.models.request import ModelRequest
from ostler.models.tokens import ask, field, shared
from ostler.transport import HttpRequest, Transport

VERSION = "2025-04-23"
IAM = "https://iam.cloud.ibm.com/identity/token"
_GRANT = "urn:ibm:params:oauth:grant-type:apikey"


class Watsonx:
    """``options``: ``projectId``; ``iamUrl`` where the key is exchanged elsewhere than at IBM's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        key, iam = api_key(request), str(request.provider.options.get("iamUrl") or IAM)
        project = request.provider.options.get("projectId")
        if not key or not project:
            raise failure.missing_credential(
                request.provider.id, "watsonx needs WATSONX_AI_APIKEY and WATSONX_AI_PROJECT_ID"
            )
        url = f"{base_url(request)}/ml/v1/text/chat_stream?version={VERSION}"
        headers = common_headers(request)
        headers["authorization"] = f"Bearer {await self._token(request, iam, key)}"
        body = msgspec.json.decode(openai_chat.encode_request(request), type=dict[str, msgspec.Raw])
        for name in ("model", "stream", "stream_options"):
            body.pop(name, None)
        encoded = msgspec.json.encode(
            {"model_id": request.model.api.id, "project_id": project, **body}
        )
        outgoing = HttpRequest(
            url, with_configured(headers, request), encoded, timeouts=timeouts(request)
        )
        streamed = deltas(
            self._transport, outgoing, request.provider.id, openai_chat.ChatDecoder(url)
        )
        with shared.dropped_if_refused((iam, key)):
            async with aclosing(streamed) as found:
                async for batch in found:
                    yield batch

    async def _token(self, request: ModelRequest, url: str, key: str) -> str:
        async def fetch() -> tuple[str, float]:
            form = {"grant_type": _GRANT, "apikey": key}
            answer = await ask(self._transport, url, request.provider.id, headers={}, form=form)
            lives = float(answer.get("expires_in") or 3600)
            return str(field(answer, "access_token", url)), lives

        return await shared.get((url, key), fetch)
