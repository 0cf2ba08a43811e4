"""Providers and their models as the API lists them."""

from typing import Any, Literal

from ostler.schema.base import Number, Wire


class Modalities(Wire):
    text: bool
    audio: bool
    image: bool
    video: bool
    pdf: bool


class Interleaved(Wire):
    """The assistant-message field that carries reasoning back, e.g. ``reasoning_content``."""

    field: str


class ModelCapabilities(Wire):
    temperature: bool
    reasoning: bool
    attachment: bool
    toolcall: bool
    input: Modalities
    output: Modalities
    interleaved: bool | Interleaved


class CacheCost(Wire):
    read: float
    write: float


class Cost(Wire):
    input: float
    output: float
    cache: CacheCost


class CostTierSize(Wire):
    type: Literal["context"]
    size: Number


class CostTier(Wire):
    input: float
    output: float
    cache: CacheCost
    tier: CostTierSize


class ModelCost(Wire):
    """USD per million tokens; ``tiers`` replace the price above a size of input."""

    input: float
    output: float
    cache: CacheCost
    tiers: list[CostTier] | None = None
    experimentalOver200K: Cost | None = None


class ModelLimit(Wire):
    """Tokens. ``context`` 0: unknown, never compacted."""

    context: Number
    output: Number
    input: Number | None = None


class ModelApi(Wire):
    """``id``: the name sent upstream; ``npm`` names the wire; ``url``: base URL, may be empty."""

    id: str
    url: str
    npm: str


class Model(Wire):
    id: str
    providerID: str
    api: ModelApi
    name: str
    capabilities: ModelCapabilities
    cost: ModelCost
    limit: ModelLimit
    status: Literal["alpha", "beta", "deprecated", "active"]
    options: dict[str, Any]
    headers: dict[str, str]
    release_date: str
    family: str | None = None
    variants: dict[str, dict[str, Any]] | None = None


class Provider(Wire):
    """``source`` says how it got connected; ``key`` is a credential, ``options`` may hold some."""

    id: str
    name: str
    source: Literal["env", "config", "custom", "api"]
    env: list[str]
    options: dict[str, Any]
    models: dict[str, Model]
    key: str | None = None


class ProviderList(Wire):
    """``default``: provider id -> its preferred model; ``connected``: usable provider ids."""

    all: list[Provider]
    default: dict[str, str]
    connected: list[str]


class ConfigProviders(Wire):
    providers: list[Provider]
    default: dict[str, str]
