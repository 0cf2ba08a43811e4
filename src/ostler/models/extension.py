"""What a plugin does for a provider: ways to sign in, what it is called with, which models it has.

These are the ``auth`` and ``provider`` hooks of the reference's plugins (OpenCode 1.18).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ostler.schema.auth import Auth
from ostler.schema.errors import OstlerError
from ostler.schema.provider import Model, Provider
from ostler.transport import Transport

if TYPE_CHECKING:
    from ostler.models.oauth import SignInMethod

Kept = Callable[[], Auth | None]
"""Answers the credential of the moment it is called."""


class ExtensionError(OstlerError):
    """A plugin could not do its part; the message names it and says why."""


class Access(msgspec.Struct, frozen=True):
    """How a provider is called with what is kept of a sign-in: options over the configured ones,
    and ``transport`` in the place of our own."""

    options: dict[str, Any] = {}
    transport: Transport | None = None


class Extension(Protocol):
    """``provider`` is the id it is for; ``methods`` are its ways to sign in."""

    @property
    def provider(self) -> str: ...
    @property
    def methods(self) -> "Sequence[SignInMethod]": ...

    async def access(self, provider: Provider, kept: Kept) -> Access:
        """Called where a credential is kept. Raises ExtensionError."""

    async def models(self, provider: Provider, kept: Auth | None) -> dict[str, Model] | None:
        """The provider's models by id; None: as they are. Raises ExtensionError."""
