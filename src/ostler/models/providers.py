"""Which providers and models there are: configuration over the catalogue.

The order in which a provider gets connected, and every default of a configured model, are OpenCode
1.18's (its models default to text only, tools on, everything else off, limits and costs 0).
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import msgspec

from ostler.config.discover import is_set
from ostler.models.access import ALSO, PARTS
from ostler.models.catalogue import Catalogue
from ostler.models.reasoning import variants_of
from ostler.schema.auth import ApiAuth, Auth
from ostler.schema.config import Config, CostConfig, ModalitiesConfig, ModelConfig, ProviderConfig
from ostler.schema.provider import (
    CacheCost,
    Cost,
    Interleaved,
    Modalities,
    Model,
    ModelApi,
    ModelCapabilities,
    ModelCost,
    ModelLimit,
    Provider,
)

DEFAULT_NPM = "@ai-sdk/openai-compatible"
PREFERRED = ("gpt-5", "claude-sonnet-4", "big-pickle", "gemini-3-pro")
"""Model names that make a good default; a later one is preferred (OpenCode 1.18)."""

_NONE = Modalities(text=False, audio=False, image=False, video=False, pdf=False)
_TEXT = Modalities(text=True, audio=False, image=False, video=False, pdf=False)
_DEFAULT_CAPABILITIES = ModelCapabilities(
    temperature=False,
    reasoning=False,
    attachment=False,
    toolcall=True,
    input=_TEXT,
    output=_TEXT,
    interleaved=False,
)


def connected(
    config: Config,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    kept: Mapping[str, Auth],
    speaks: Callable[[str], bool],
    signs_in: Container[str] = (),
) -> dict[str, Provider]:
    """The providers that can be used: those whose variable is set, those with a kept key, and those
    that opencode.json describes, each over the ones before (OpenCode 1.18). ``speaks``: whether
    there is a wire for a model's ``npm``: models without one are left out unless configured.
    ``signs_in``: providers that plugins know how to call with a sign-in that is kept."""
    found: dict[str, Provider] = {}
    for provider_id, entry in catalogue.entries.items():
        names = (*entry.env, *ALSO.get(provider_id, ()))
        variable = next((name for name in names if environment.get(name)), None)
        known = catalogue.provider(provider_id) if variable else None
        if variable and known:
            key = environment[variable] if len(entry.env) == 1 else None
            found[provider_id] = msgspec.structs.replace(known, source="env", key=key)
    for provider_id, auth in kept.items():
        usable = provider_id in signs_in or _signs_in(config, provider_id)
        if not isinstance(auth, ApiAuth) and not usable:
            continue
        base = found.get(provider_id) or catalogue.provider(provider_id)
        if base is not None:
            found[provider_id] = msgspec.structs.replace(base, source="api")
    found = {provider_id: _spoken(provider, speaks) for provider_id, provider in found.items()}
    for provider_id, described in (config.provider or {}).items():
        base = found.get(provider_id) or catalogue.provider(provider_id)
        found[provider_id] = overlay(provider_id, described, base)
    return with_keys(found, kept)


def _signs_in(config: Config, provider_id: str) -> bool:
    """Whether it is known what to do with a sign-in that is kept."""
    described = (config.provider or {}).get(provider_id)
    return described is not None and described.oauth is not None


def _spoken(provider: Provider, speaks: Callable[[str], bool]) -> Provider:
    models = {k: m for k, m in provider.models.items() if speaks(m.api.npm)}
    return msgspec.structs.replace(provider, models=models)


def overlay(provider_id: str, config: ProviderConfig, known: Provider | None) -> Provider:
    models = dict(known.models) if known else {}
    for model_id, entry in (config.models or {}).items():
        models[model_id] = _model(provider_id, model_id, entry, config, models.get(model_id))
    if config.npm or config.api:
        untouched = set(models) - set(config.models or {})
        for model_id in untouched:
            api = models[model_id].api
            api = ModelApi(id=api.id, url=config.api or api.url, npm=config.npm or api.npm)
            models[model_id] = msgspec.structs.replace(models[model_id], api=api)
    if config.whitelist is not None:
        models = {k: v for k, v in models.items() if k in config.whitelist}
    models = {k: v for k, v in models.items() if k not in (config.blacklist or ())}
    return Provider(
        id=provider_id,
        name=config.name or (known.name if known else provider_id),
        source="config",
        env=list(config.env if config.env is not None else known.env if known else []),
        options={**(known.options if known else {}), **(config.options or {})},
        models=models,
        key=known.key if known else None,
    )


def with_keys(providers: Mapping[str, Provider], kept: Mapping[str, Auth]) -> dict[str, Provider]:
    """The providers with the keys that were kept for them, and what belongs to these."""
    result = dict(providers)
    for provider_id, provider in providers.items():
        auth = kept.get(provider_id)
        if isinstance(auth, ApiAuth):
            parts = {k: v for k, v in (auth.metadata or {}).items() if k in PARTS.values()}
            options = {**parts, **provider.options}
            result[provider_id] = msgspec.structs.replace(provider, key=auth.key, options=options)
    return result


def is_enabled(provider_id: str, config: Config) -> bool:
    """By the lists of enabled and of disabled providers."""
    if config.enabled_providers is not None and provider_id not in config.enabled_providers:
        return False
    return provider_id not in (config.disabled_providers or ())


def usable(
    providers: Mapping[str, Provider], config: Config, environment: Mapping[str, str]
) -> dict[str, Provider]:
    """Without the disabled providers, deprecated and alpha models, and providers left without a
    model. OPENCODE_ENABLE_EXPERIMENTAL_MODELS keeps alpha ones."""
    unwanted = {"deprecated"}
    if not is_set(environment, "OPENCODE_ENABLE_EXPERIMENTAL_MODELS"):
        unwanted.add("alpha")
    result = {}
    for provider_id, provider in providers.items():
        if not is_enabled(provider_id, config):
            continue
        models = {k: v for k, v in provider.models.items() if v.status not in unwanted}
        if models:
            result[provider_id] = msgspec.structs.replace(provider, models=models)
    return result


def default_model_id(provider: Provider) -> str:
    """A provider's preferred model: by PREFERRED, then "latest" names, then the greatest id; of
    those that can do the work (OpenCode 1.18 may choose one for speech)."""

    def rank(model_id: str) -> tuple[bool, int, bool, str]:
        able = provider.models[model_id].capabilities
        place = max((i for i, name in enumerate(PREFERRED) if name in model_id), default=-1)
        works = able.toolcall and able.input.text and able.output.text
        return (works, place, "latest" in model_id, model_id)

    return max(provider.models, key=rank)


def _model(
    provider_id: str,
    model_id: str,
    config: ModelConfig,
    provider: ProviderConfig,
    known: Model | None,
) -> Model:
    upstream = config.provider
    api = ModelApi(
        id=config.id or (known.api.id if known else model_id),
        url=(upstream and upstream.api) or provider.api or (known.api.url if known else ""),
        npm=(upstream and upstream.npm)
        or provider.npm
        or (known.api.npm if known else DEFAULT_NPM),
    )
    capabilities, limit = _capabilities(config, known), _limit(config, known)
    own = variants_of(api.npm, api.id, limit.output) if capabilities.reasoning else {}
    return Model(
        id=model_id,
        providerID=provider_id,
        api=api,
        name=config.name or (known.name if known else model_id),
        capabilities=capabilities,
        cost=_cost(config.cost, known),
        limit=limit,
        status=config.status or (known.status if known else "active"),
        options={**(known.options if known else {}), **(config.options or {})},
        headers={**(known.headers if known else {}), **(config.headers or {})},
        release_date=config.release_date or (known.release_date if known else ""),
        family=config.family or (known.family if known else ""),
        variants=_variants(config, known, own),
    )


def _capabilities(config: ModelConfig, known: Model | None) -> ModelCapabilities:
    base = known.capabilities if known else _DEFAULT_CAPABILITIES
    interleaved = base.interleaved
    if isinstance(config.interleaved, bool):
        interleaved = config.interleaved
    elif isinstance(config.interleaved, str):
        interleaved = Interleaved(field=config.interleaved)
    elif config.interleaved is not None:
        interleaved = Interleaved(field=config.interleaved.field)
    listed = config.modalities or ModalitiesConfig()
    return ModelCapabilities(
        temperature=_either(config.temperature, base.temperature),
        reasoning=_either(config.reasoning, base.reasoning),
        attachment=_either(config.attachment, base.attachment),
        toolcall=_either(config.tool_call, base.toolcall),
        input=_modalities(listed.input, base.input),
        output=_modalities(listed.output, base.output),
        interleaved=interleaved,
    )


def _either(configured: bool | None, known: bool) -> bool:
    return known if configured is None else configured


def _modalities(listed: Sequence[str] | None, known: Modalities) -> Modalities:
    if listed is None:
        return known
    return msgspec.structs.replace(_NONE, **dict.fromkeys(listed, True))


def _cost(config: CostConfig | None, known: Model | None) -> ModelCost:
    if config is None:
        return (
            known.cost if known else ModelCost(input=0, output=0, cache=CacheCost(read=0, write=0))
        )
    over = config.context_over_200k
    return ModelCost(
        input=config.input,
        output=config.output,
        cache=CacheCost(read=config.cache_read or 0, write=config.cache_write or 0),
        experimentalOver200K=Cost(
            input=over.input,
            output=over.output,
            cache=CacheCost(read=over.cache_read or 0, write=over.cache_write or 0),
        )
        if over
        else None,
    )


def _limit(config: ModelConfig, known: Model | None) -> ModelLimit:
    if config.limit is not None:
        return ModelLimit(
            context=config.limit.context, output=config.limit.output, input=config.limit.input
        )
    return known.limit if known else ModelLimit(context=0, output=0)


def _variants(
    config: ModelConfig, known: Model | None, own: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    variants = dict((known.variants if known else None) or own)
    for name, entry in (config.variants or {}).items():
        if entry.get("disabled"):
            variants.pop(name, None)
        else:
            options = {k: v for k, v in entry.items() if k != "disabled"}
            variants[name] = {**variants.get(name, {}), **options}
    return variants
