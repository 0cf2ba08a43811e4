"""Which tools there are, and which of them a model is offered."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ostler.permission import hidden
from ostler.schema.agent import Agent
from ostler.schema.config import Config
from ostler.schema.permission import PermissionRule
from ostler.tools.tool import Tool

BUILTIN = (
    "invalid",
    "question",
    "bash",
    "read",
    "glob",
    "grep",
    "edit",
    "write",
    "task",
    "webfetch",
    "todowrite",
    "todoread",
    "skill",
    "apply_patch",
    "lsp",
)
"""The built-in tools' ids in the order they are listed; each is a module of this package."""

_QUESTION_CLIENTS = ("app", "cli", "desktop")


@cache
def builtin_tools() -> Mapping[str, Tool]:
    """Every built-in tool by id, in order. Their modules are imported by the first call."""
    modules = (importlib.import_module(f"ostler.tools.{name}") for name in BUILTIN)
    tools: list[Tool] = [module.TOOL for module in modules]
    return {tool.id: tool for tool in tools}


def listed(environment: Mapping[str, str]) -> list[str]:
    """The ids of the built-in tools this process has: ``question`` depends on the client, ``lsp``
    on a flag."""
    return [name for name in BUILTIN if _has(name, environment)]


def offered(
    tools: Iterable[str],
    *,
    model_api_id: str,
    agent: Agent,
    config: Config,
    environment: Mapping[str, str],
    session_rules: Sequence[PermissionRule] = (),
    switches: Mapping[str, bool] | None = None,
) -> list[str]:
    """The ids of ``tools`` to advertise, sorted by name.

    ``model_api_id`` decides between apply_patch and edit with write; ``switches`` is the prompt's
    ``tools`` map. Left out: tools the rules deny altogether, tools switched off, ``invalid``, and
    ``todoread`` unless it is turned on.
    """
    switches = switches or {}
    patches = takes_patches(model_api_id)
    chosen: set[str] = set()
    for name in tools:
        if name == "invalid" or switches.get(name) is False:
            continue
        if name in (("edit", "write") if patches else ("apply_patch",)):
            continue
        if not _has(name, environment):
            continue
        if name == "todoread" and not _turned_on(name, switches, agent, config):
            continue
        if not hidden(name, [*agent.permission, *session_rules]):
            chosen.add(name)
    return sorted(chosen)


def takes_patches(model_api_id: str) -> bool:
    """Whether a model is given apply_patch in the place of edit and write: the GPT-5 family."""
    return "gpt-" in model_api_id and "oss" not in model_api_id and "gpt-4" not in model_api_id


def _has(name: str, environment: Mapping[str, str]) -> bool:
    if name == "question":
        return _has_question(environment)
    return name != "lsp" or _is_experiment(environment, "LSP_TOOL")


def _is_experiment(environment: Mapping[str, str], name: str) -> bool:
    """Whether an experiment is on: by its own flag, or else by the one for all (OpenCode 1.18)."""
    own = f"OPENCODE_EXPERIMENTAL_{name}"
    return _flag(environment, own if environment.get(own) else "OPENCODE_EXPERIMENTAL")


def _has_question(environment: Mapping[str, str]) -> bool:
    return environment.get("OPENCODE_CLIENT", "cli") in _QUESTION_CLIENTS or _flag(
        environment, "OPENCODE_ENABLE_QUESTION_TOOL"
    )


def _flag(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true")


def _turned_on(name: str, switches: Mapping[str, bool], agent: Agent, config: Config) -> bool:
    """Whether a prompt, the configuration or the agent asks for a tool that is off by default."""
    configured = (config.agent or {}).get(agent.name)
    maps: list[Mapping[str, Any] | None] = [
        switches,
        config.tools,
        configured.tools if configured else None,
    ]
    if any(switched.get(name) is True for switched in maps if switched):
        return True
    return any(r.permission == name and r.action != "deny" for r in agent.permission)
