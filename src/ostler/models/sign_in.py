"""Requests signed with what is kept for their provider: a token renewed in time, or a plugin's own
way of calling it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler.models import failure
from ostler.models.credentials import Credentials
from ostler.models.extension import Access, Extension, ExtensionError
from ostler.models.request import ModelRequest
from ostler.schema.auth import ApiAuth, Auth, OAuth, WellKnownAuth
from ostler.schema.config import Config
from ostler.schema.provider import Provider
from ostler.transport import Transport

if TYPE_CHECKING:
    from ostler.models.oauth import SignInMethod


class SignIns:
    """``extensions`` are plugins'; of two for one provider the later counts."""

    def __init__(
        self, config: Config, credentials: Credentials | None, extensions: Sequence[Extension]
    ) -> None:
        self._config, self._credentials = config, credentials
        self.extensions: Mapping[str, Extension] = {e.provider: e for e in extensions}
        self._made: dict[str, tuple[str, Access]] = {}
        self._renewing = asyncio.Lock()

    def methods(self, provider_id: str) -> "list[SignInMethod]":
        """The ways to sign in to a provider beside its key, plugins' first."""
        extension = self.extensions.get(provider_id)
        configured = self._configured(provider_id)
        return [*(extension.methods if extension else ()), *([configured] if configured else ())]

    def all_methods(self) -> "dict[str, list[SignInMethod]]":
        """Of the providers that have any."""
        names = dict.fromkeys((*self.extensions, *(self._config.provider or {})))
        found = {name: self.methods(name) for name in names}
        return {name: methods for name, methods in found.items() if methods}

    def _configured(self, provider_id: str) -> "SignInMethod | None":
        described = (self._config.provider or {}).get(provider_id)
        if described is None or described.oauth is None:
            return None
        from ostler.models.oauth import method_of

        return method_of(described.oauth)

    async def signed(self, request: ModelRequest) -> tuple[ModelRequest, Transport | None]:
        """The request with what the sign-in gives, and the transport of a plugin that sends it
        itself. Raises ModelFailure."""
        provider = request.provider
        kept = self._credentials.get(provider.id) if self._credentials else None
        if kept is None:
            return request, None
        extension = self.extensions.get(provider.id)
        if extension is not None:
            access = await self._access(extension, provider, kept)
            options = {**provider.options, **access.options}
            return _with(request, msgspec.structs.replace(provider, options=options)), (
                access.transport
            )
        method = self._configured(provider.id)
        if method is None or not isinstance(kept, OAuth):
            return request, None
        token = await self._renewed(provider, method, kept)
        return _with(request, msgspec.structs.replace(provider, key=token)), None

    def as_signed(self, request: ModelRequest) -> ModelRequest:
        """The request with what is there already of its sign-in: who is asked, not yet how."""
        provider = request.provider
        kept = self._credentials.get(provider.id) if self._credentials else None
        made = self._made.get(provider.id)
        if kept is not None and made is not None:
            options = {**provider.options, **made[1].options}
            return _with(request, msgspec.structs.replace(provider, options=options))
        if isinstance(kept, OAuth) and self._configured(provider.id) is not None:
            return _with(request, msgspec.structs.replace(provider, key=kept.access))
        return request

    async def _access(self, extension: Extension, provider: Provider, kept: Auth) -> Access:
        """What the plugin made of this sign-in, made anew where there is another."""
        identity, made = _identity(kept), self._made.get(provider.id)
        if made is not None and made[0] == identity:
            return made[1]
        credentials = self._credentials
        try:
            access = await extension.access(
                provider, lambda: credentials.get(provider.id) if credentials else None
            )
        except ExtensionError as e:
            raise failure.missing_credential(provider.id, str(e)) from None
        self._made[provider.id] = (identity, access)
        return access

    async def _renewed(self, provider: Provider, method: "SignInMethod", kept: OAuth) -> str:
        """The access token, renewed where it has run out. Raises ModelFailure."""
        from ostler.models.oauth import SignInError, needs_renewal

        assert self._credentials is not None
        async with self._renewing:
            newest = self._credentials.get(provider.id)
            kept = newest if isinstance(newest, OAuth) else kept
            if needs_renewal(kept):
                try:
                    kept = await method.renew(kept)
                except SignInError as e:
                    raise failure.missing_credential(
                        provider.id,
                        f"The sign-in to {provider.name} could not be renewed: {e}. "
                        f"Sign in again: ostler auth login -p {provider.id}",
                    ) from None
                self._credentials.set(provider.id, kept)
        return kept.access


def _with(request: ModelRequest, provider: Provider) -> ModelRequest:
    return msgspec.structs.replace(request, provider=provider)


def _identity(kept: Auth) -> str:
    """What tells one sign-in from another; a renewed token is the same sign-in."""
    if isinstance(kept, ApiAuth):
        return f"api {kept.key}"
    if isinstance(kept, WellKnownAuth):
        return f"wellknown {kept.token}"
    return f"oauth {kept.accountId or ''}"
