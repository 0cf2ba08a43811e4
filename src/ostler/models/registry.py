"""The models of one directory: which there are, which is meant, and a stream from one of them."""

import asyncio
import difflib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from ostler.models import failure, providers
from ostler.models.access import how_to_connect, located, package
from ostler.models.catalogue import Catalogue, packaged
from ostler.models.credentials import Credentials
from ostler.models.delta import Delta
from ostler.models.extension import Extension, ExtensionError
from ostler.models.limiter import Limiter
from ostler.models.repair import repaired
from ostler.models.request import ModelRequest
from ostler.models.sign_in import SignIns
from ostler.models.wire import Wire
from ostler.proxy import choose
from ostler.schema.auth import Auth
from ostler.schema.config import Config
from ostler.schema.errors import NotFound
from ostler.schema.part import ModelRef
from ostler.schema.provider import Model, Provider
from ostler.transport import Transport

if TYPE_CHECKING:
    from ostler.models.replay import Tape

log = logging.getLogger(__name__)

CHAT_COMPLETIONS = (
    "@ai-sdk/openai-compatible",
    "@ai-sdk/mistral",
    "@ai-sdk/groq",
    "@ai-sdk/xai",
    "@ai-sdk/cerebras",
    "@ai-sdk/togetherai",
    "@ai-sdk/perplexity",
    "@ai-sdk/vercel",
    "@ai-sdk/alibaba",
    "@ai-sdk/cohere",
    "@ai-sdk/deepinfra",
    "@ai-sdk/gateway",
    "@ai-sdk/github-copilot",
    "@aihubmix/ai-sdk-provider",
    "@openrouter/ai-sdk-provider",
    "@qvac/ai-sdk-provider",
    "@saladtechnologies-oss/ai-sdk-provider",
    "ai-gateway-provider",
    "merge-gateway-ai-sdk-provider",
    "venice-ai-sdk-provider",
)
ANTHROPIC = "@ai-sdk/anthropic"
AZURE = "@ai-sdk/azure"
BEDROCK = "@ai-sdk/amazon-bedrock"
GEMINI = "@ai-sdk/google"
RESPONSES = "@ai-sdk/openai"
VERTEX = "@ai-sdk/google-vertex"
_WIRES = {
    **dict.fromkeys(CHAT_COMPLETIONS, ("openai_chat", "OpenAIChat")),
    ANTHROPIC: ("anthropic", "Anthropic"),
    AZURE: ("azure", "Azure"),
    BEDROCK: ("bedrock", "Bedrock"),
    f"{BEDROCK}/mantle": ("bedrock", "Mantle"),
    GEMINI: ("gemini", "Gemini"),
    RESPONSES: ("openai_responses", "OpenAIResponses"),
    "@jerome-benoit/sap-ai-provider-v2": ("sap", "SapAiCore"),
    "gitlab-ai-provider": ("gitlab", "GitLab"),
    "watsonx-ai-provider": ("watsonx", "Watsonx"),
    VERTEX: ("vertex", "VertexGemini"),
    f"{VERTEX}/anthropic": ("vertex", "VertexAnthropic"),
}
"""``npm`` -> the wire's module, imported with the first call over it, and its class there."""
REHEARSAL = "rehearsal"
"""The provider that answers where there is no other."""
SMALL_FAMILIES = ("gemini-flash", "gpt-nano", "claude-haiku")


def speaks(npm: str) -> bool:
    """Whether there is a wire for models of this package."""
    return npm in _WIRES


class ModelNotFound(NotFound):
    """No such provider or model; the message names it and its nearest neighbours."""

    def __init__(
        self, provider_id: str, model_id: str, suggestions: list[str], hint: str = ""
    ) -> None:
        message = f"Model not found: {provider_id}/{model_id}.{hint}"
        if suggestions:
            message += f" Did you mean: {', '.join(suggestions)}?"
        super().__init__(message)
        self.suggestions = suggestions


class Connections:
    """Transports to providers' servers, shared by every directory of the process; ``tape`` records
    what goes over them, or plays it."""

    def __init__(self, tape: "Tape | None" = None) -> None:
        self._transports: dict[str, Transport] = {}
        self.limiter = Limiter()
        self.tape = tape

    def to(self, url: str) -> Transport:
        origin = "/".join(url.split("/", 3)[:3])
        if origin not in self._transports:
            self._transports[origin] = choose(url)
        return self._transports[origin]

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()


class Models:
    """``await open()`` before use: it looks for local servers where nothing else is connected.
    ``chosen``: the models a person chose last, newest first; ``extensions``: what plugins do for
    providers."""

    def __init__(
        self,
        config: Config,
        connections: Connections,
        environment: Mapping[str, str],
        credentials: Credentials | None = None,
        catalogue: Catalogue | None = None,
        chosen: Callable[[], Sequence[ModelRef]] = tuple,
        extensions: Sequence[Extension] = (),
    ) -> None:
        self._config, self._connections, self._environment = config, connections, environment
        self._credentials, self._chosen = credentials, chosen
        self.catalogue = catalogue or packaged()
        self.providers: dict[str, Provider] = {}
        self.sign_ins = SignIns(config, credentials, extensions)
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        async with self._opening:
            if self._opened:
                return
            kept = self._credentials.all() if self._credentials else {}
            found = providers.connected(
                self._config,
                self.catalogue,
                self._environment,
                kept,
                speaks,
                self.sign_ins.extensions,
            )
            found = await self._extended(found, kept)
            connected = providers.usable(found, self._config, self._environment)
            if not connected:
                from ostler.models import local

                servers = await local.find_servers(self._environment)
                described = {
                    key: providers.overlay(key, config, None) for key, config in servers.items()
                }
                connected = providers.usable(described, self._config, self._environment)
            if not connected:
                connected = {REHEARSAL: self._rehearsal}
            self.providers = connected
            self._opened = True

    async def _extended(
        self, found: dict[str, Provider], kept: Mapping[str, Auth]
    ) -> dict[str, Provider]:
        """The providers with the models that plugins say they have; a plugin that fails is said in
        the log."""
        result = dict(found)
        for provider_id, extension in self.sign_ins.extensions.items():
            provider = found.get(provider_id)
            try:
                models = provider and await extension.models(provider, kept.get(provider_id))
            except ExtensionError as e:
                log.warning("%s", e)
                continue
            if provider and models is not None:
                result[provider_id] = msgspec.structs.replace(provider, models=models)
        return result

    def get(self, provider_id: str, model_id: str) -> Model:
        """Raises ModelNotFound."""
        provider = self.providers.get(provider_id)
        if provider is None and provider_id == REHEARSAL:
            provider = self._rehearsal
        if provider is None and self._played:
            provider = self.catalogue.provider(provider_id)  # nobody is asked: no key is needed
        model = provider.models.get(model_id) if provider else None
        if model is None:
            hint = self._how_to_connect(provider_id, model_id) if provider is None else ""
            raise ModelNotFound(provider_id, model_id, self._suggest(provider_id, model_id), hint)
        return model

    def _how_to_connect(self, provider_id: str, model_id: str) -> str:
        """What is missing for a provider that the catalogue knows."""
        known = self.catalogue.provider(provider_id)
        if known is None:
            return ""
        described = known.models.get(model_id)
        if described is not None and not speaks(described.api.npm):
            return f" This Ostler does not speak the wire of {described.api.npm} yet."
        what = how_to_connect(provider_id, known.env)
        return (
            f" {known.name} is not connected: set {what}, or `ostler auth login -p {provider_id}`."
        )

    @cached_property
    def _rehearsal(self) -> Provider:
        from ostler.models.rehearsal import provider

        return provider()

    @property
    def _played(self) -> "Tape | None":
        tape = self._connections.tape
        return tape if tape is not None and tape.plays else None

    def provider_of(self, model: Model) -> Provider:
        found = self.providers.get(model.providerID)
        if found is None and self._played:
            found = self.catalogue.provider(model.providerID)
        return found or self._rehearsal

    def parse(self, name: str) -> Model:
        """``provider/model``; a model's id may itself contain slashes. Raises ModelNotFound."""
        provider_id, _, model_id = name.partition("/")
        return self.get(provider_id, model_id)

    def default(self) -> Model:
        """The configured model, else the one a person chose last, else the first provider's
        preferred one. Raises ModelNotFound."""
        if self._played and self._played.model:
            return self.parse(self._played.model)
        if self._config.model:
            return self.parse(self._config.model)
        for ref in self._chosen():
            connected = self.providers.get(ref.providerID)
            if connected and ref.modelID in connected.models:
                return connected.models[ref.modelID]
        preferred = [p for p in self.providers.values() if p.id in (self._config.provider or ())]
        provider = next(iter(preferred or self.providers.values()))
        return provider.models[providers.default_model_id(provider)]

    def defaults(self) -> dict[str, str]:
        """Provider id -> its preferred model's id."""
        return {p.id: providers.default_model_id(p) for p in self.providers.values()}

    def small(self, model: Model) -> Model:
        """The model for titles: the configured one, a small one of the same provider, or
        ``model`` itself."""
        if self._config.small_model:
            try:
                return self.parse(self._config.small_model)
            except ModelNotFound:
                return model
        candidates = self.provider_of(model).models.values()
        for family in SMALL_FAMILIES:
            for candidate in candidates:
                if (candidate.family or candidate.id).startswith(family):
                    return candidate
        return model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        """Increments of one call (see Wire.stream), once the limiter lets it through. Raises
        ModelFailure."""
        tape = self._connections.tape
        spoken = tape.through(request, self._speak) if tape else self._speak(request)
        async with aclosing(spoken) as stream:
            async for batch in stream:
                yield batch

    async def _speak(self, request: ModelRequest) -> AsyncGenerator[list[Delta], None]:
        signed, transport = await self.sign_ins.signed(request)
        located = self._located(signed)
        request = msgspec.structs.replace(located, messages=repaired(located.messages))
        wire = self._wire(request.model, request.provider.options.get("baseURL", ""), transport)
        async with (
            self._connections.limiter.place(request),
            aclosing(wire.stream(request)) as stream,
        ):
            async for batch in stream:
                yield batch

    def held_for(self, request: ModelRequest) -> float:
        """Seconds for which the provider has asked not to be called."""
        signed = self.sign_ins.as_signed(request)
        return self._connections.limiter.held_for(self._located(signed))

    def fallbacks(self, model: Model) -> list[ModelRef]:
        """The models to ask when this one cannot answer, as configured for it."""
        provider = (self._config.provider or {}).get(model.providerID)
        entry = ((provider and provider.models) or {}).get(model.id)
        names = (entry and entry.fallback) or ()
        return [ModelRef(providerID=p, modelID=m) for p, _, m in (n.partition("/") for n in names)]

    def _located(self, request: ModelRequest) -> ModelRequest:
        provider = located(request.provider, request.model, self._environment)
        return msgspec.structs.replace(request, provider=provider)

    def _wire(self, model: Model, url: str, transport: Transport | None) -> Wire:
        if model.providerID == REHEARSAL:
            from ostler.models.rehearsal import Rehearsal

            return Rehearsal()
        npm = package(model)
        if not speaks(npm):
            raise failure.invalid_request(
                f"model {model.providerID}/{model.id} needs the wire of {npm}, which "
                f"this Ostler does not speak; known are: {', '.join(sorted(_WIRES))}"
            )
        module, name = _WIRES[npm]
        made: Wire = getattr(import_module(f"ostler.models.{module}"), name)(
            transport or self._connections.to(url)
        )
        return made

    def _suggest(self, provider_id: str, model_id: str) -> list[str]:
        names = [f"{p.id}/{m}" for p in self.providers.values() for m in p.models]
        return difflib.get_close_matches(f"{provider_id}/{model_id}", names, n=3, cutoff=0.5)
