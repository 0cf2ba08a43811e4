"""Older and newer spellings, brought to the one the rest of the code knows (OpenCode 1.18)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ostler.config import newer
from ostler.config.merge import Raw, deep_merge
from ostler.config.paths import username
from ostler.config.validate import Issue, Warning_, invalid
from ostler.schema.config import AgentConfig

_AGENT_KEYS = frozenset(AgentConfig.__struct_fields__)
_MOVED_TO_TUI = ("theme", "keybinds", "tui")
_EDITING = ("write", "edit", "patch")


def normalise_file(raw: Raw, file: str, text: str | None = None) -> tuple[Raw, list[Warning_]]:
    """One file's object in present spelling; ``text`` is what it was parsed from. Raises
    ConfigInvalidError."""
    if not isinstance(raw, dict):
        raise invalid([Issue(f"Expected an object, got {_kind(raw)}", ())], file, text)
    result = dict(raw)
    warnings = [
        Warning_(file, 0, f"{key} belongs in tui.json; it is ignored here")
        for key in _MOVED_TO_TUI
        if result.pop(key, None) is not None
    ]
    result, more = newer.older(result, file, text)
    return result, [*warnings, *more]


def normalise_agents(raw: Raw) -> Raw:
    """A checked file's object with its agents and modes brought to present spelling. This is done
    before layers are merged: a switch of a later one outweighs a rule of an earlier one."""
    return {
        key: {name: normalise_agent(entry) for name, entry in value.items()}
        if key in ("agent", "mode")
        else value
        for key, value in raw.items()
    }


def normalise_agent(entry: Raw) -> Raw:
    """Own keys are options (and stay where they are), switches are rules, maxSteps is steps."""
    own = {k: v for k, v in entry.items() if k not in _AGENT_KEYS}
    agent = {**entry, "options": {**(entry.get("options") or {}), **own}}
    agent["permission"] = _under(entry.get("tools"), entry.get("permission")) or {}
    if "maxSteps" in entry:
        agent.setdefault("steps", entry["maxSteps"])
    return agent


def finish(raw: Raw, environment: Mapping[str, str]) -> tuple[Raw, list[Warning_]]:
    """What is done once to the merged object: modes are agents, switches are rules, defaults."""
    result = dict(raw)
    warnings: list[Warning_] = []
    agents = dict(result.get("agent") or {})
    for name, mode in (result.get("mode") or {}).items():
        agents[name] = deep_merge(agents.get(name, {}), {**mode, "mode": "primary"})
    if agents:
        result["agent"] = agents
    permission = _under(result.get("tools"), result.get("permission"))
    override = environment.get("OPENCODE_PERMISSION")
    if override:
        try:
            decoded = msgspec.json.decode(override)
        except msgspec.DecodeError as e:
            warnings.append(Warning_("OPENCODE_PERMISSION", 0, f"not JSON, ignored: {e}"))
        else:
            permission = _as_object(permission)
            permission = deep_merge(permission, _as_object(decoded))
    if permission is not None:
        result["permission"] = permission
    if result.get("autoshare") and "share" not in result:
        result["share"] = "auto"
    result.setdefault("username", username())
    for variable, key in (("AUTOCOMPACT", "auto"), ("PRUNE", "prune")):
        if environment.get(f"OPENCODE_DISABLE_{variable}", "").lower() in ("1", "true"):
            result["compaction"] = {**(result.get("compaction") or {}), key: False}
    return result, warnings


def _under(tools: Any, permission: Any) -> Any:
    """Tool switches as rules, below the explicit ones."""
    if permission is not None:
        permission = _as_object(permission)
    if not isinstance(tools, dict) or not tools:
        return permission
    rules: Raw = {}
    for tool, on in tools.items():
        rules["edit" if tool in _EDITING else tool] = "allow" if on else "deny"
    return deep_merge(rules, permission or {})


def _as_object(permission: Any) -> Raw:
    if permission is None:
        return {}
    return {"*": permission} if isinstance(permission, str) else permission


def _kind(value: Any) -> str:
    return {list: "an array", str: "a text", type(None): "null"}.get(type(value), "a value")


def file_url(path: str) -> str:
    return Path(os.path.normpath(path)).as_uri()


def absolute_plugins(raw: Raw, file: str) -> Raw:
    """Relative plugin paths as file URLs, relative to the declaring file."""
    plugins = raw.get("plugin")
    if not isinstance(plugins, list):
        return raw
    folder = os.path.dirname(file)

    def absolute(spec: Any) -> Any:
        if isinstance(spec, list) and spec:
            return [absolute(spec[0]), *spec[1:]]
        if isinstance(spec, str) and spec.startswith((".", "/")):
            return file_url(os.path.join(folder, spec))
        return spec

    return {**raw, "plugin": [absolute(p) for p in plugins]}
