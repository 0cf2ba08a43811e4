"""A plugin's ``auth`` and ``provider`` hooks as what models know: ways to sign in, options, a
transport, models."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Literal, TypeVar

import msgspec

from ostler.integrations.plugins.plugin import (
    Auths,
    Fetch,
    HttpAnswer,
    HttpCall,
    Json,
    Method,
    PluginError,
    Providers,
)
from ostler.models.extension import Access, ExtensionError, Kept
from ostler.models.oauth import PERSON_SECONDS, SignInError, Started
from ostler.schema.auth import ApiAuth, Auth, OAuth
from ostler.schema.provider import Model, Provider
from ostler.transport import HttpRequest, TransportError

SECONDS = 60.0
"""How long a plugin may take for anything but waiting for a person."""

T = TypeVar("T")


class PluginExtension:
    """An ``Extension``. ``name`` is the plugin's, for errors."""

    def __init__(
        self, name: str, provider: str, auth: Auths | None, providers: Providers | None
    ) -> None:
        self.name, self.provider = name, provider
        self._auth, self._providers = auth, providers
        self.methods: list[PluginSignIn] = []
        if auth is not None:
            ways = enumerate(auth.methods)
            self.methods = [PluginSignIn(name, auth, index, way) for index, way in ways]

    async def access(self, provider: Provider, kept: Kept) -> Access:
        if self._auth is None or not self._auth.has_loader:
            return Access()

        async def stored() -> Json | None:
            auth = kept()
            return None if auth is None else msgspec.to_builtins(auth)

        try:
            loaded = await _soon(self._auth.load(stored, msgspec.to_builtins(provider)))
        except PluginError as e:
            raise ExtensionError(f"plugin {self.name} cannot call {provider.id}: {e}") from None
        transport = PluginTransport(loaded.fetch) if loaded.has_fetch else None
        return Access(loaded.options, transport)

    async def models(self, provider: Provider, kept: Auth | None) -> dict[str, Model] | None:
        if self._providers is None or not self._providers.has_models:
            return None
        try:
            found = await _soon(
                self._providers.models(
                    msgspec.to_builtins(provider),
                    None if kept is None else msgspec.to_builtins(kept),
                )
            )
            return msgspec.convert(found, dict[str, Model])
        except (PluginError, msgspec.ValidationError) as e:
            raise ExtensionError(f"plugin {self.name}: models of {provider.id}: {e}") from None


class PluginSignIn:
    """A ``SignInMethod``: what the plugin asks of a person. One that ends in a key and has no
    ``authorize`` takes the key as its code."""

    def __init__(self, name: str, auth: Auths, index: int, method: Method) -> None:
        self._name, self._auth, self._index = name, auth, index
        self._authorizes = method.authorize
        self.label, self.prompts = method.label, method.prompts
        self.type: Literal["oauth", "api"] = "oauth" if method.type == "oauth" else "api"

    async def applies(self, prompt: int, inputs: dict[str, str]) -> bool:
        asked = self.prompts[prompt]
        if isinstance(when := asked.get("when"), dict):
            same = inputs.get(str(when.get("key"))) == when.get("value")
            return same if when.get("op") != "neq" else not same
        if not asked.get("condition"):
            return True
        return await self._asked(self._auth.condition(self._index, prompt, inputs))

    async def mistake(self, prompt: int, answer: str) -> str | None:
        if not self.prompts[prompt].get("validate"):
            return None
        return await self._asked(self._auth.validate(self._index, prompt, answer))

    async def start(self, inputs: dict[str, str]) -> Started:
        if self.type == "oauth":
            return await self._oauth(inputs)

        async def finish(key: str | None) -> Auth:
            if not self._authorizes:
                return ApiAuth(key=key or "", metadata=inputs or None)
            answer = await self._asked(self._auth.authorize(self._index, inputs))
            return _credential(self._name, answer)

        method: Literal["auto", "code"] = "auto" if self._authorizes else "code"
        return Started("", method, self.label, finish)

    async def _oauth(self, inputs: dict[str, str]) -> Started:
        answer = await self._asked(self._auth.authorize(self._index, inputs))
        handle = int(answer["handle"])

        async def finish(code: str | None) -> Auth:
            done = await self._asked(self._auth.callback(handle, code), PERSON_SECONDS)
            return _credential(self._name, done)

        method: Literal["auto", "code"] = "code" if answer.get("method") == "code" else "auto"
        return Started(
            str(answer.get("url", "")), method, str(answer.get("instructions", "")), finish
        )

    async def _asked(self, work: Awaitable[T], seconds: float = SECONDS) -> T:
        try:
            return await _soon(work, seconds)
        except PluginError as e:
            raise SignInError(f"plugin {self._name}: {e}") from None

    async def renew(self, kept: OAuth) -> OAuth:
        """The plugin renews its tokens itself, when it calls the provider."""
        return kept


def _credential(name: str, answer: Json) -> Auth:
    """Raises SignInError."""
    if answer.get("type") != "success":
        raise SignInError(f"plugin {name}: the sign-in failed")
    kind: type[OAuth] | type[ApiAuth] = ApiAuth if "key" in answer else OAuth
    fields = {k: v for k, v in answer.items() if k in kind.__struct_fields__}
    try:
        return msgspec.convert({**fields, "type": kind.__struct_config__.tag}, kind)
    except msgspec.ValidationError as e:
        raise SignInError(f"plugin {name} gave no usable credential: {e}") from None


async def _soon(work: Awaitable[T], seconds: float = SECONDS) -> T:
    """Raises PluginError when it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise PluginError(f"it did not answer within {seconds:.0f} s") from None


class PluginTransport:
    """A ``Transport`` that sends through a plugin's own ``fetch``."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def send(self, request: HttpRequest) -> "_Response":
        call = HttpCall(
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
        )
        try:
            async with asyncio.timeout(request.timeouts.header):
                return _Response(await self._fetch(call), request)
        except TimeoutError:
            raise TransportError("timeout", "no answer came in time", request.url) from None
        except PluginError as e:
            raise TransportError("unavailable", str(e), request.url) from None

    async def close(self) -> None:
        """The plugin's host is closed with its directory."""


class _Response:
    def __init__(self, answer: HttpAnswer, request: HttpRequest) -> None:
        self._body, self._request = answer.body, request
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._request.timeouts.chunk):
                    chunk = await anext(self._body, None)
            except TimeoutError:
                raise TransportError(
                    "timeout", "nothing more came in time", self._request.url
                ) from None
            except PluginError as e:
                raise TransportError("unavailable", str(e), self._request.url) from None
            if chunk is None:
                return
            yield chunk

    async def close(self) -> None:
        close = getattr(self._body, "aclose", None)
        if close is not None:
            await close()
