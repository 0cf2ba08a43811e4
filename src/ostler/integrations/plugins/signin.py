"""A plugin's ``auth`` and ``provider`` hooks: how to sign in to a provider, how to call it, and
which models it has."""

import asyncio
import base64
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.integrations.plugins.plugin import Json, PluginError
from ostler.integrations.plugins.relay import HttpAnswer, HttpCall, pulled
from ostler.integrations.plugins.rpc import Peer

if TYPE_CHECKING:
    from ostler.integrations.plugins.host import PluginHost

Stored = Callable[[], Awaitable[Json | None]]
"""The credential that is stored for a provider at that moment (an entry of auth.json)."""

_numbers = itertools.count(1)


class AuthMethod(msgspec.Struct, frozen=True):
    """``type`` is ``oauth`` or ``api``. A prompt is as the plugin has it, with ``validate`` and
    ``condition`` saying whether it has such a function. ``authorize``: whether it has one."""

    type: str
    label: str
    prompts: Sequence[Json] = ()
    authorize: bool = False


class PluginAuth:
    """``provider`` is the id it is for. All methods raise PluginRefused with what the plugin threw
    and PluginError for all else; none has a deadline of its own."""

    def __init__(self, host: "PluginHost", plugin: int, index: int, described: Json) -> None:
        self._host, self._where = host, {"plugin": plugin, "index": index}
        self.provider: str = described["provider"]
        self.methods = msgspec.convert(described["methods"], list[AuthMethod])
        self.has_loader: bool = described["loader"]

    async def authorize(self, method: int, inputs: dict[str, str] | None = None) -> Json:
        """Of an ``oauth`` method ``{url, instructions, method: "auto" | "code", handle}``, of an
        ``api`` one ``{type: "success", key, provider?, metadata?}`` or ``{type: "failed"}``."""
        answer: Json = await self._call("auth.authorize", method=method, inputs=inputs or {})
        return answer

    async def callback(self, handle: int, code: str | None = None) -> Json:
        """Wait for the sign-in to be done: ``{type: "success", …}`` or ``{type: "failed"}``. A
        handle is good for one call."""
        answer: Json = await self._call("auth.callback", handle=handle, code=code)
        return answer

    async def validate(self, method: int, prompt: int, value: str) -> str | None:
        """What is wrong with an input; None for nothing."""
        wrong = await self._call("auth.validate", method=method, prompt=prompt, value=value)
        return None if wrong is None else str(wrong)

    async def condition(self, method: int, prompt: int, inputs: dict[str, str]) -> bool:
        """Whether a prompt is to be shown, after these inputs."""
        return bool(await self._call("auth.condition", method=method, prompt=prompt, inputs=inputs))

    async def load(self, stored: Stored, provider: Json) -> "ProviderOptions":
        """The provider's options, as the plugin wants them. ``stored`` is called whenever the
        plugin asks for the credential, also later."""
        loaded = ProviderOptions(self._host, self._where, stored, provider)
        await loaded.load()
        return loaded

    async def _call(self, name: str, **params: Any) -> Any:
        peer = await self._host.peer()
        return await self._host.watched(peer.call(name, {**self._where, **params}))


class ProviderOptions:
    """What an auth loader gave. ``options`` are ``apiKey``, ``baseURL``, ``headers`` and whatever
    else is no function."""

    def __init__(self, host: "PluginHost", where: Json, stored: Stored, provider: Json) -> None:
        self._host, self._where, self._stored, self._provider = host, where, stored, provider
        self._number = next(_numbers)
        self._peer: Peer | None = None
        self._fetch: int | None = None
        self._loading = asyncio.Lock()
        self.options: Json = {}

    @property
    def has_fetch(self) -> bool:
        return self._fetch is not None

    async def load(self) -> None:
        peer = await self._host.peer()
        self._host.stored[self._number] = self._stored
        params = {**self._where, "loader": self._number, "provider": self._provider}
        answer = await self._host.watched(peer.call("auth.load", params))
        self.options, self._fetch, self._peer = answer["options"], answer["fetch"], peer

    async def fetch(self, call: HttpCall) -> HttpAnswer:
        """Send a request through the plugin's own ``fetch``; what the loader made is made again
        where the host has been started again since."""
        async with self._loading:
            peer = await self._host.peer()
            if peer is not self._peer:
                await self.load()
        if self._fetch is None:
            raise PluginError("the plugin's loader gave no fetch")
        number = next(_numbers)
        params = {
            "handle": self._fetch,
            "call": number,
            "method": call.method,
            "url": call.url,
            "headers": dict(call.headers),
            "body": base64.b64encode(call.body).decode() if call.body else None,
        }
        try:
            answer = await peer.call("auth.fetch", params)
        except asyncio.CancelledError:
            peer.notify("auth.abort", {"call": number})
            raise
        return HttpAnswer(
            status=answer["status"],
            headers=answer["headers"],
            body=pulled(peer, answer["stream"]),
        )

    def close(self) -> None:
        """The plugin may forget it."""
        self._host.stored.pop(self._number, None)
        if self._peer and self._fetch is not None:
            self._peer.notify("auth.unload", {"fetch": self._fetch})


class PluginProvider:
    """``id`` is the provider's; ``has_models`` whether it says which models that has."""

    def __init__(self, host: "PluginHost", plugin: int, index: int, described: Json) -> None:
        self._host, self._where = host, {"plugin": plugin, "index": index}
        self.id: str = described["id"]
        self.has_models: bool = described["models"]

    async def models(self, provider: Json, auth: Json | None) -> Json:
        """Models by id. Raises PluginRefused with what the plugin threw, else PluginError."""
        peer = await self._host.peer()
        params = {**self._where, "provider": provider, "auth": auth}
        models: Json = await self._host.watched(peer.call("provider.models", params))
        return models
