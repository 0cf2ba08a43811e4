"""The JSON Schema of opencode.json: it takes what Ostler reads, and refuses what Ostler refuses."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from ostler.config.json_schema import config_schema
from ostler.config.validate import convert
from ostler.schema.errors import ConfigError
from tests.support.product import serving

GOOD: list[dict[str, Any]] = [
    {},
    {"$schema": "x", "model": "a/b", "permission": "ask"},
    {"permission": {"bash": {"*": "ask", "git *": "allow"}, "edit": "deny"}},
    {"agent": {"a": {"mode": "subagent", "steps": 3, "color": "#aabbcc", "own": True}}},
    {"mcp": {"a": {"type": "local", "command": ["x"]}, "b": {"enabled": False}}},
    {"provider": {"p": {"models": {"m": {"interleaved": {"field": "reasoning_content"}}}}}},
    {"formatter": False, "lsp": {"x": {"command": ["y"], "extensions": [".z"]}}},
    {"retry": {"attempts": 0}, "trust": True, "unknown": 1},
]
BAD: list[dict[str, Any]] = [
    {"model": 1},
    {"permission": "sometimes"},
    {"agent": {"a": {"mode": "both"}}},
    {"agent": {"a": {"steps": 0}}},
    {"mcp": {"a": {"timeout": -1}}},
    {"provider": {"p": {"models": {"m": {"limit": {"context": 1}}}}}},
    {"provider": {"p": {"oauth": {"clientId": "x"}}}},
]


def complaints(config: dict[str, Any]) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(config_schema())
    return [error.message for error in validator.iter_errors(config)]


@pytest.mark.parametrize("config", GOOD)
def test_what_is_read_passes(config: dict[str, Any]) -> None:
    convert(config)
    assert complaints(config) == []


@pytest.mark.parametrize("config", BAD)
def test_what_is_refused_does_not(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        convert(config)
    assert complaints(config)


async def test_a_server_has_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        served = await ostler.get("/schema/opencode.json")
        assert served == config_schema()
