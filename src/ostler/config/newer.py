"""Spellings of OpenCode 2 in an opencode.json, brought to those of 1.18 as it does itself: a value
that cannot be brought there is left out with a warning, and the older spelling wins over the newer.
"""

import re
from typing import Any

from ostler.config.merge import Raw
from ostler.config.validate import Issue, Warning_, invalid

_UNKNOWN = ("plugins", "providers", "websearch", "warming")
_MODEL = re.compile(r"([^/#]+/[^#]+)(?:#([^#]+))?")
_URL = re.compile(r"https?://", re.IGNORECASE)
_OAUTH = {
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "scope": "scope",
    "callback_port": "callbackPort",
    "redirect_uri": "redirectUri",
}
_TIMEOUTS = ("startup", "catalog", "execution")
_AGENT = {
    "description": (str, "description"),
    "mode": (str, "mode"),
    "hidden": (bool, "hidden"),
    "color": (str, "color"),
    "steps": (int, "steps"),
    "system": (str, "prompt"),
    "disabled": (bool, "disable"),
}
_COMMAND = {
    "template": (str, "template"),
    "description": (str, "description"),
    "agent": (str, "agent"),
    "subtask": (bool, "subtask"),
}


class _Malformed(ValueError):
    """A newer entry that is not of its shape."""


def older(raw: Raw, file: str, text: str | None) -> tuple[Raw, list[Warning_]]:
    """One file's object in the older spelling. Raises ConfigInvalidError for the newer rules of
    permissions, which have no older spelling."""
    _refuse_permissions(raw, file, text)
    result = dict(raw)
    warnings: list[Warning_] = []

    def left_out(name: str, why: str = "is not supported and ignored") -> None:
        warnings.append(Warning_(file, 0, f"{name} {why}"))

    for key in _UNKNOWN:
        if result.pop(key, None) is not None:
            left_out(key)
    for newer, known in (("snapshots", "snapshot"), ("media", "attachment")):
        if newer in result:
            result.setdefault(known, result.pop(newer))
    _default_model(result)
    _skills(result)
    _compaction(result)
    _experimental(result)
    _entries(result, "agents", "agent", _agent, left_out)
    _entries(result, "commands", "command", _command, left_out)
    _servers(result, left_out)
    return result, warnings


def _refuse_permissions(raw: Raw, file: str, text: str | None) -> None:
    paths: list[tuple[str, ...]] = [("permissions",)] if "permissions" in raw else []
    for key in ("agents", "agent", "mode"):
        entries = raw.get(key)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and "permissions" in entry:
                paths.append((key, name, "permissions"))
    if paths:
        message = 'The key "permissions" is OpenCode 2\'s and not supported; use "permission"'
        raise invalid([Issue(message, path) for path in paths], file, text)


def _selection(value: Any) -> Raw:
    """``provider/model#variant`` or an object as {model, variant?}. Raises _Malformed."""
    if isinstance(value, dict):
        provider, model, variant = (value.get(k) for k in ("providerID", "model", "variant"))
        suffix = f"#{variant}" if variant else ""
        value = f"{provider}/{model}{suffix}" if provider and model else None
    match = _MODEL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _Malformed
    return {"model": match[1], **({"variant": match[2]} if match[2] else {})}


def _default_model(raw: Raw) -> None:
    """The variant is dropped: there is no older spelling of a default one."""
    if "model" in raw:
        try:
            raw["model"] = _selection(raw["model"])["model"]
        except _Malformed:
            pass  # judged with everything else


def _skills(raw: Raw) -> None:
    listed = raw.get("skills")
    if isinstance(listed, list) and all(isinstance(entry, str) for entry in listed):
        urls = [entry for entry in listed if _URL.match(entry)]
        raw["skills"] = {"paths": [e for e in listed if e not in urls], "urls": urls}


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


def _experimental(raw: Raw) -> None:
    experimental = raw.get("experimental")
    if isinstance(experimental, dict) and "subagent_depth" in experimental:
        raw["experimental"] = {k: v for k, v in experimental.items() if k != "subagent_depth"}
        raw.setdefault("subagent_depth", experimental["subagent_depth"])


# ── agents and commands ──────────────────────────────────────────────────────────────────────


def _entries(raw: Raw, newer: str, known: str, lower: Any, left_out: Any) -> None:
    entries = raw.pop(newer, None)
    if not isinstance(entries, dict) or not isinstance(raw.get(known, {}), dict):
        return
    merged = dict(raw.get(known, {}))
    for name, entry in entries.items():
        if name in merged:
            continue
        try:
            merged[name] = lower(entry)
        except _Malformed:
            left_out(f"{newer}.{name}", "is not of the right shape and left out")
    raw[known] = merged


def _agent(entry: Any) -> Raw:
    result = _fields(entry, _AGENT)
    request = entry.get("request")
    if request is not None and not isinstance(request, dict):
        raise _Malformed
    if request and "body" in request:
        result["options"] = request["body"]
    return result


def _command(entry: Any) -> Raw:
    result = _fields(entry, _COMMAND)
    if "template" not in result:
        raise _Malformed
    return result


def _fields(entry: Any, kinds: dict[str, tuple[type, str]]) -> Raw:
    """Raises _Malformed."""
    if not isinstance(entry, dict):
        raise _Malformed
    result: Raw = {}
    for name, (kind, known) in kinds.items():
        if name in entry:
            if type(entry[name]) is not kind:
                raise _Malformed
            result[known] = entry[name]
    if "model" in entry:
        result.update(_selection(entry["model"]))
    return result


# ── MCP servers ──────────────────────────────────────────────────────────────────────────────


def _servers(raw: Raw, left_out: Any) -> None:
    """``mcp.servers`` and ``mcp.timeout`` around the servers; ``disabled`` for ``enabled``."""
    mcp = raw.get("mcp")
    if not isinstance(mcp, dict):
        return
    around = {
        key: mcp[key]
        for key in ("servers", "timeout")
        if isinstance(mcp.get(key), dict) and not _is_server(mcp[key])
    }
    result = {
        name: _server(entry) if _is_newer(entry) else entry
        for name, entry in mcp.items()
        if name not in around
    }
    for name, entry in around.get("servers", {}).items():
        if name in result:
            continue
        if not isinstance(entry, dict) or entry.get("type") not in ("local", "remote"):
            left_out(f"mcp.servers.{name}", "is not of the right shape and left out")
            continue
        result[name] = _server(entry)
    raw["mcp"] = result
    timeout = _one_timeout(around.get("timeout", {}))
    if timeout is not None:
        raw["experimental"] = {"mcp_timeout": timeout, **(raw.get("experimental") or {})}


def _is_server(value: Raw) -> bool:
    """Whether this is a server whose name is that of a newer key."""
    return any(key in value and not isinstance(value[key], dict) for key in ("type", "enabled"))


def _is_newer(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    oauth = entry.get("oauth")
    spelled = isinstance(oauth, dict) and any(key in oauth for key in _OAUTH if "_" in key)
    return spelled or "disabled" in entry or isinstance(entry.get("timeout"), dict)


def _server(entry: Raw) -> Raw:
    result = {key: value for key, value in entry.items() if key not in ("disabled", "timeout")}
    result.setdefault("enabled", entry.get("disabled") is not True)
    timeout = entry.get("timeout")
    timeout = _one_timeout(timeout) if isinstance(timeout, dict) else timeout
    if timeout is not None:
        result["timeout"] = timeout
    oauth = entry.get("oauth")
    if isinstance(oauth, dict):
        result["oauth"] = {_OAUTH.get(key, key): value for key, value in oauth.items()}
    return result


def _one_timeout(timeouts: Raw) -> Any:
    """One time for everything, in ms, where the newer ones say the same; None where they differ."""
    startup, catalog, execution = (timeouts.get(key) for key in _TIMEOUTS)
    return catalog if startup is None and catalog == execution else None
