"""models.dev's own document (``api.json``) as a catalogue: for whoever wants it newer than Ostler.

Shape: models.dev's, as OpenCode 1.18 reads it. A model that makes no sense is left out.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from ostler.models import catalogue
from ostler.models.providers import DEFAULT_NPM, default_model_id
from ostler.models.reasoning import variants_from, variants_of
from ostler.schema.errors import OstlerError
from ostler.schema.provider import Model, Provider

log = logging.getLogger(__name__)

DEFAULT_URL = "https://models.dev"
_MODALITIES = ("text", "audio", "image", "video", "pdf")
Json = dict[str, Any]


class RefreshError(OstlerError):
    """There is no newer catalogue; the one there is stays."""


class _Provider(msgspec.Struct):
    models: dict[str, Json]
    id: str = ""
    name: str = ""
    env: list[str] = []
    npm: str | None = None
    api: str | None = None


async def refresh(cache: str, environment: Mapping[str, str]) -> catalogue.Catalogue:
    """Bring the newest catalogue: from the file that OPENCODE_MODELS_PATH names, else from
    ``api.json`` at OPENCODE_MODELS_URL, models.dev by default. Raises RefreshError."""
    path = environment.get("OPENCODE_MODELS_PATH")
    if path:
        data, source = _from_file(path), path
    else:
        base = environment.get("OPENCODE_MODELS_URL") or DEFAULT_URL
        source = f"{base.rstrip('/')}/api.json"
        data = await _from_url(source)
    packed = catalogue.pack(converted(data, source))
    target = os.path.join(cache, catalogue.REFRESHED)
    os.makedirs(cache, exist_ok=True)
    with open(f"{target}.new", "wb") as file:
        file.write(packed)
    os.replace(f"{target}.new", target)
    return catalogue.Catalogue(target)


def _from_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as e:
        raise RefreshError(f"{path}: {e.strerror}") from None


async def _from_url(url: str) -> bytes:
    import httpx

    try:
        async with httpx.AsyncClient(follow_redirects=True, timeout=60) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            return answer.content
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise RefreshError(f"{url}: {e}") from None


def converted(data: bytes, source: str) -> dict[str, Json]:
    """The document as ``catalogue.pack`` takes it. Raises RefreshError."""
    try:
        document = msgspec.json.decode(data, type=dict[str, _Provider])
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise RefreshError(f"{source} is no catalogue: {e}") from None
    result: dict[str, Json] = {}
    for key, provider in document.items():
        models: dict[str, Model] = {}
        for model_id, raw in provider.models.items():
            for each in _models(key, provider, model_id, raw):
                models[each.id] = each
        if not models:
            continue
        known = Provider(
            id=key, name=provider.name or key, source="custom", env=[], options={}, models=models
        )
        result[key] = {
            "name": known.name,
            "env": provider.env,
            "default_model": default_model_id(known),
            "models": {k: msgspec.to_builtins(m) for k, m in models.items()},
        }
    if not result:
        raise RefreshError(f"{source} is no catalogue: there is no model in it")
    return result


def _models(key: str, provider: _Provider, model_id: str, raw: Json) -> list[Model]:
    """A model, and one more for each of its modes."""
    try:
        model = _model(key, provider, model_id, raw)
        modes = ((raw.get("experimental") or {}).get("modes") or {}).items()
        return [model, *(_mode(model, name, mode) for name, mode in modes)]
    except (msgspec.ValidationError, AttributeError, TypeError, KeyError) as e:
        log.warning("the catalogue's %s/%s is left out: %s", key, model_id, e)
        return []


def _model(key: str, provider: _Provider, model_id: str, raw: Json) -> Model:
    own = raw.get("provider") or {}
    npm = own.get("npm") or provider.npm or DEFAULT_NPM
    limit = raw.get("limit") or {"context": 0, "output": 0}
    modalities = raw.get("modalities") or {}
    api_id = raw.get("id") or model_id
    described: Json = {
        "id": model_id,
        "providerID": key,
        "api": {
            "id": api_id,
            "url": own.get("api") or provider.api or "",
            "npm": npm,
        },
        "name": raw.get("name") or model_id,
        "family": raw.get("family"),
        "capabilities": {
            "temperature": raw.get("temperature", False),
            "reasoning": raw.get("reasoning", False),
            "attachment": raw.get("attachment", False),
            "toolcall": raw.get("tool_call", True),
            "input": _kinds(modalities.get("input")),
            "output": _kinds(modalities.get("output")),
            "interleaved": _interleaved(raw.get("interleaved")),
        },
        "cost": _cost(raw.get("cost") or {}),
        "limit": limit,
        "status": raw.get("status") or "active",
        "options": {},
        "headers": {},
        "release_date": raw.get("release_date") or "",
        "variants": {},
    }
    if raw.get("reasoning"):
        choices, most = raw.get("reasoning_options"), limit.get("output") or 0
        described["variants"] = (
            variants_from(npm, choices, most) if choices else variants_of(npm, api_id, most)
        )
    return msgspec.convert(described, Model)


def _mode(model: Model, name: str, mode: Json) -> Model:
    """A model with a mode's price, options and headers."""
    own = mode.get("provider") or {}
    cost = (
        msgspec.convert(_cost(mode["cost"]), type(model.cost)) if mode.get("cost") else model.cost
    )
    return msgspec.structs.replace(
        model,
        id=f"{model.id}-{name}",
        name=f"{model.name} {name.capitalize()}",
        cost=cost,
        options={**model.options, **(own.get("body") or {})},
        headers={**model.headers, **(own.get("headers") or {})},
    )


def _kinds(listed: list[str] | None) -> dict[str, bool]:
    return {kind: kind in (listed or ("text",)) for kind in _MODALITIES}


def _interleaved(value: Any) -> Any:
    return {"field": value} if isinstance(value, str) else value or False


def _cost(raw: Json) -> Json:
    """USD per million tokens."""
    cost: Json = _rates(raw)
    if raw.get("context_over_200k"):
        cost["experimentalOver200K"] = _rates(raw["context_over_200k"])
    if raw.get("tiers"):
        cost["tiers"] = [{**_rates(t), "tier": t["tier"]} for t in raw["tiers"]]
    return cost


def _rates(raw: Json) -> Json:
    return {
        "input": raw.get("input") or 0,
        "output": raw.get("output") or 0,
        "cache": {"read": raw.get("cache_read") or 0, "write": raw.get("cache_write") or 0},
    }
