"""Older and newer spellings, brought to the one the rest of the code knows (OpenCode 1.18)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ostler.config.merge import Raw, deep_merge
from ostler.config.paths import username
from ostler.config.validate import Warning_
from ostler.schema.config import AgentConfig
from ostler.schema.errors import ConfigInvalidError

_AGENT_KEYS = frozenset(AgentConfig.__struct_fields__)
_MOVED_TO_TUI = ("theme", "keybinds", "tui")
_DROPPED = ("plugins", "providers", "websearch", "warming")
_EDITING = ("write", "edit", "patch")


def normalise_file(raw: Raw, file: str) -> tuple[Raw, list[Warning_]]:
    """One file's object in present spelling. Raises ConfigInvalidError."""
    if not isinstance(raw, dict):
        raise ConfigInvalidError(f"{file}: expected an object, got {_kind(raw)}", file)
    if "permissions" in raw:
        raise ConfigInvalidError(
            f'{file}: the key "permissions" is not supported; use "permission"', file
        )
    result = dict(raw)
    warnings = [
        Warning_(file, 0, f"{key} belongs in tui.json; it is ignored here")
        for key in _MOVED_TO_TUI
        if result.pop(key, None) is not None
    ]
    warnings += [
        Warning_(file, 0, f"{key} is not supported and ignored")
        for key in _DROPPED
        if result.pop(key, None) is not None
    ]
    _rename(result, "snapshots", "snapshot")
    _rename(result, "media", "attachment")
    _rename(result, "agents", "agent")
    _rename(result, "commands", "command")
    if isinstance(result.get("skills"), list):
        result["skills"] = _skills(result["skills"])
    _mcp(result)
    _model(result)
    _experimental(result)
    _compaction(result)
    return result, warnings


def _rename(raw: Raw, newer: str, known: str) -> None:
    if newer in raw:
        raw.setdefault(known, raw.pop(newer))


def _skills(entries: list[Any]) -> Raw:
    urls = [e for e in entries if isinstance(e, str) and "://" in e]
    return {"paths": [e for e in entries if e not in urls], "urls": urls}


def _mcp(raw: Raw) -> None:
    mcp = raw.get("mcp")
    if isinstance(mcp, dict) and isinstance(mcp.get("servers"), dict) and "type" not in mcp:
        timeout = mcp.get("timeout")
        raw["mcp"] = {
            name: {**({"timeout": timeout} if timeout else {}), **server}
            for name, server in mcp["servers"].items()
        }


def _model(raw: Raw) -> None:
    """``provider/model#variant`` or ``{providerID, modelID}`` as ``provider/model``."""
    model = raw.get("model")
    if isinstance(model, dict) and {"providerID", "modelID"} <= set(model):
        raw["model"] = f"{model['providerID']}/{model['modelID']}"
    elif isinstance(model, str) and "#" in model:
        raw["model"] = model.partition("#")[0]


def _experimental(raw: Raw) -> None:
    experimental = raw.get("experimental")
    if isinstance(experimental, dict) and "subagent_depth" in experimental:
        raw["experimental"] = {k: v for k, v in experimental.items() if k != "subagent_depth"}
        raw.setdefault("subagent_depth", experimental["subagent_depth"])


def _compaction(raw: Raw) -> None:
    """``keep.tokens`` and ``buffer`` are preserve_recent_tokens and reserved."""
    compaction = raw.get("compaction")
    if not isinstance(compaction, dict):
        return
    compaction = dict(compaction)
    keep = compaction.pop("keep", None)
    if isinstance(keep, dict) and "tokens" in keep:
        compaction.setdefault("preserve_recent_tokens", keep["tokens"])
    if "buffer" in compaction:
        compaction.setdefault("reserved", compaction.pop("buffer"))
    raw["compaction"] = compaction


def finish(raw: Raw, environment: Mapping[str, str]) -> tuple[Raw, list[Warning_]]:
    """What is done once to the merged object: modes are agents, switches are rules, defaults."""
    result = dict(raw)
    warnings: list[Warning_] = []
    agents = dict(result.get("agent") or {})
    for name, mode in (result.pop("mode", None) or {}).items():
        agents[name] = deep_merge(agents.get(name, {}), {**mode, "mode": "primary"})
    agents = {name: _agent(entry) for name, entry in agents.items()}
    if agents:
        result["agent"] = agents
    permission = _under(result.pop("tools", None), result.get("permission"))
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
    if result.pop("autoshare", None) and "share" not in result:
        result["share"] = "auto"
    result.setdefault("username", username())
    for variable, key in (("AUTOCOMPACT", "auto"), ("PRUNE", "prune")):
        if environment.get(f"OPENCODE_DISABLE_{variable}", "").lower() in ("1", "true"):
            result["compaction"] = {**(result.get("compaction") or {}), key: False}
    return result, warnings


def _agent(entry: Raw) -> Raw:
    """Unknown keys become options; switches become rules; maxSteps is steps."""
    agent = {k: v for k, v in entry.items() if k in _AGENT_KEYS}
    own = {k: v for k, v in entry.items() if k not in _AGENT_KEYS}
    if own:
        agent["options"] = {**own, **(agent.get("options") or {})}
    if "maxSteps" in agent:
        agent.setdefault("steps", agent.pop("maxSteps"))
    tools = agent.pop("tools", None)
    permission = _under(tools, agent.get("permission"))
    if permission is not None:
        agent["permission"] = permission
    return agent


def _under(tools: Any, permission: Any) -> Any:
    """Tool switches as rules, below the explicit ones."""
    if not isinstance(tools, dict) or not tools:
        return permission
    rules: Raw = {}
    for tool, on in tools.items():
        rules["edit" if tool in _EDITING else tool] = "allow" if on else "deny"
    return deep_merge(rules, _as_object(permission))


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
