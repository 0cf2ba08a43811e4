"""Which models there are, and which of them answers."""

from typing import Any

import msgspec
import pytest

from ostler.models.registry import Connections, ModelNotFound, Models
from ostler.schema.config import Config
from tests.support.model_server import ModelServer

NOBODY = {"OSTLER_DISABLE_LOCAL_MODELS": "1"}
TWO = {
    "provider": {
        "one": {"npm": "@ai-sdk/openai-compatible", "models": {"alpha": {}, "alpha-mini": {}}},
        "two": {"npm": "@ai-sdk/openai-compatible", "models": {"org/beta": {"name": "Beta"}}},
    }
}


async def opened(raw: dict[str, Any], environment: dict[str, str] | None = None) -> Models:
    models = Models(msgspec.convert(raw, Config), Connections(), environment or NOBODY)
    await models.open()
    return models


async def test_configured_ones() -> None:
    models = await opened(TWO)
    assert list(models.providers) == ["one", "two"]
    assert models.parse("two/org/beta").name == "Beta"
    assert models.get("one", "alpha").api.npm == "@ai-sdk/openai-compatible"


async def test_the_default() -> None:
    assert (await opened({**TWO, "model": "two/org/beta"})).default().id == "org/beta"
    assert (await opened(TWO)).default().providerID == "one"
    assert (await opened({})).default().providerID == "rehearsal"
    with pytest.raises(ModelNotFound):
        (await opened({**TWO, "model": "two/gamma"})).default()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("one/alpah", "one/alpha"), ("tow/org/beta", "two/org/beta"), ("alpha", "one/alpha")],
)
async def test_a_name_with_a_mistake(name: str, suggestion: str) -> None:
    with pytest.raises(ModelNotFound) as unknown:
        (await opened(TWO)).parse(name)
    assert suggestion in unknown.value.suggestions


async def test_the_model_for_titles() -> None:
    models = await opened({**TWO, "small_model": "one/alpha-mini"})
    assert models.small(models.get("two", "org/beta")).id == "alpha-mini"
    models = await opened({**TWO, "small_model": "one/gone"})
    assert models.small(models.get("one", "alpha")).id == "alpha"


async def test_providers_left_out() -> None:
    assert list((await opened({**TWO, "disabled_providers": ["one"]})).providers) == ["two"]
    assert list((await opened({**TWO, "enabled_providers": ["one"]})).providers) == ["one"]


async def test_a_local_server_is_found() -> None:
    async with ModelServer([]) as server:
        models = await opened({}, {"OSTLER_LOCAL_MODELS": f"ollama={server.port}"})
        (provider,) = models.providers.values()
        assert provider.name == "Ollama (local)"
        assert models.default().id == "local-model"


async def test_nothing_at_a_port_is_no_server() -> None:
    models = await opened({}, {"OSTLER_LOCAL_MODELS": "ollama=9"})
    assert list(models.providers) == ["rehearsal"]


async def test_what_is_configured_is_not_looked_for() -> None:
    async with ModelServer([]) as server:
        models = await opened(TWO, {"OSTLER_LOCAL_MODELS": f"ollama={server.port}"})
        assert list(models.providers) == ["one", "two"]
