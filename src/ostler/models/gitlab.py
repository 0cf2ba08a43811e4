"""GitLab Duo's models: Anthropic's and OpenAI's wires behind GitLab's gateway.

A GitLab token is exchanged for one of the gateway's, which comes with headers of its own. The
addresses, the exchange and the names behind Duo's are those of the package ``gitlab-ai-provider``,
which OpenCode 1.18 uses.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from ostler.models import failure
from ostler.models.anthropic import Anthropic
from ostler.models.delta import Delta
from ostler.models.exchange import api_key, base_url
from ostler.models.openai_chat import OpenAIChat
from ostler.models.openai_responses import OpenAIResponses
from ostler.models.request import ModelRequest
from ostler.models.tokens import ask, field, shared
from ostler.transport import Transport

GATEWAY = "https://cloud.gitlab.com"
LIVES = 1800.0
"""Seconds a token of the gateway lives."""
_FLAGS = {"duo_agent_platform_agentic_chat": True, "duo_agent_platform": True}
_DATED = {
    "opus-4-5": "claude-opus-4-5-20251101",
    "sonnet-4-5": "claude-sonnet-4-5-20250929",
    "haiku-4-5": "claude-haiku-4-5-20251001",
    "gpt-5-1": "gpt-5.1-2025-11-13",
    "gpt-5-2": "gpt-5.2-2025-12-11",
    "gpt-5-4": "gpt-5.4-2026-03-05",
    "gpt-5-5": "gpt-5.5-2026-04-23",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
}


class GitLab:
    """``options``: ``instanceUrl`` is the GitLab that knows the token, ``aiGatewayUrl`` the
    gateway."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        place_of_token = _exchange(request)
        token, headers = await self._token(request, *place_of_token)
        name = behind(request.model.api.id)
        options = request.provider.options
        gateway = str(options.get("aiGatewayUrl") or GATEWAY).rstrip("/")
        claude = name.startswith("claude")
        place = "/ai/v1/proxy/anthropic/v1" if claude else "/ai/v1/proxy/openai/v1"
        own = {
            **headers,
            "authorization": f"Bearer {token}",
            **(options.get("aiGatewayHeaders") or {}),
        }
        provider = msgspec.structs.replace(
            request.provider,
            key=None,
            options={**options, "baseURL": gateway + place, "apiKey": ""},
        )
        api = msgspec.structs.replace(request.model.api, id=name)
        asked = msgspec.structs.replace(
            request,
            provider=provider,
            model=msgspec.structs.replace(request.model, api=api),
            headers={**request.headers, **own},
        )
        wire = (Anthropic if claude else OpenAIResponses if _responds(name) else OpenAIChat)(
            self._transport
        )
        with shared.dropped_if_refused(place_of_token):
            async with aclosing(wire.stream(asked)) as found:
                async for batch in found:
                    yield batch

    async def _token(self, request: ModelRequest, url: str, key: str) -> tuple[str, dict[str, str]]:
        """The gateway's token and headers. Raises ModelFailure."""
        flags = {**_FLAGS, **(request.provider.options.get("featureFlags") or {})}

        async def fetch() -> tuple[tuple[str, dict[str, str]], float]:
            answer: Any = await ask(
                self._transport,
                url,
                request.provider.id,
                headers={"authorization": f"Bearer {key}"},
                body={"feature_flags": flags},
            )
            headers = {str(k): str(v) for k, v in (answer.get("headers") or {}).items()}
            headers.pop("x-api-key", None)
            return (str(field(answer, "token", url)), headers), LIVES

        return await shared.get((url, key), fetch)


def _exchange(request: ModelRequest) -> tuple[str, str]:
    """Where, and for what, a token is given. Raises ModelFailure."""
    key = api_key(request)
    if not key:
        raise failure.missing_credential(request.provider.id, "GitLab needs GITLAB_TOKEN")
    return f"{base_url(request)}/api/v4/ai/third_party_agents/direct_access", key


def behind(model_id: str) -> str:
    """The maker's name of a model of Duo's."""
    name = model_id.removeprefix("duo-chat-")
    if name in _DATED:
        return _DATED[name]
    if not name.startswith("gpt-"):
        return f"claude-{name}"
    major, _, rest = name.removeprefix("gpt-").partition("-")
    minor, _, tail = rest.partition("-")
    if not minor.isdigit():
        return name
    return f"gpt-{major}.{minor}" + (f"-{tail}" if tail else "")


def _responds(name: str) -> bool:
    """Models that take tools and effort over the responses API alone."""
    return "codex" in name or name.startswith(("gpt-5.6", "gpt-6"))
