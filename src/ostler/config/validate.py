"""From a raw object to the typed configuration, with errors that name file, line, key and what was
expected, and warnings for keys nobody knows."""

import difflib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from ostler.config import lsp
from ostler.config.jsonc import Path, Position, locate
from ostler.schema.config import AgentConfig, Config
from ostler.schema.errors import ConfigInvalidError


class Issue(msgspec.Struct, frozen=True):
    message: str
    path: Path


class Warning_(msgspec.Struct, frozen=True):
    """Something in a file that is ignored; ``line`` 0: not known."""

    file: str
    line: int
    message: str


def check(
    raw: Any,
    file: str,
    text: str | None = None,
    *,
    kind: Any = Config,
    places: Callable[[], Mapping[Path, Position]] | None = None,
) -> None:
    """Raises ConfigInvalidError when ``raw`` is not of a ``kind``. ``text`` is what it was parsed
    from, for line numbers, or ``places`` has them."""
    issues = shape_issues(raw, kind)
    issues += _nulls(raw, kind, ()) if _holds_null(raw) else ()
    if kind is Config and not issues:
        issues = [*_server_issues(raw.get("mcp")), *_lsp_issues(raw)]
    if issues:
        raise invalid(issues, file, text, places() if places else None)


def _lsp_issues(raw: dict[str, Any]) -> Iterator["Issue"]:
    for name, key in lsp.missing(raw):
        yield Issue(f'A language server that is not built in needs "{key}"', ("lsp", name))


def shape_issues(raw: Any, kind: Any) -> list[Issue]:
    """The deepest places at which ``raw`` is not of a ``kind``; none when it is."""
    return list(_issues(raw, kind, ()))


def unknown_paths(raw: Any, kind: Any) -> list[tuple[Path, list[str]]]:
    """Each key that a ``kind`` does not have, with the names that it has there."""
    return list(_unknown(raw, kind, ()))


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that somebody who wrote ``name`` may have meant."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def known_only(value: Any, hint: Any) -> Any:
    """The value without keys that have no meaning; an agent's own keys stay."""
    for option in _options(hint):
        if isinstance(value, dict) and _is_struct(option):
            if option is AgentConfig:
                return value
            hints = _hints(option)
            return {k: known_only(v, hints[k]) for k, v in value.items() if k in hints}
        if isinstance(value, dict) and get_origin(option) is dict:
            return {k: known_only(v, get_args(option)[1]) for k, v in value.items()}
        if isinstance(value, list) and get_origin(option) is list:
            return [known_only(v, get_args(option)[0]) for v in value]
    return value


def convert(raw: dict[str, Any]) -> Config:
    """The merged object as the typed configuration. Raises ConfigInvalidError."""
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError:
        issues = list(_issues(raw, Config, ()))
        raise invalid(issues, "the merged configuration", None) from None


def unknown_keys(raw: Any, file: str, text: str | None = None) -> list[Warning_]:
    """A warning for each key that has no meaning, with the nearest one that has."""
    found = unknown_paths(raw, Config)
    if not found:
        return []
    positions = locate(text, file) if text is not None else {}
    warnings = []
    for path, known in found:
        near = closest(str(path[-1]), known)
        hint = f'; did you mean "{near}"?' if near else ""
        where = positions.get(path)
        message = f"unknown key {dotted(path)}{hint}"
        warnings.append(Warning_(file, where.line if where else 0, message))
    return warnings


def dotted(path: Path) -> str:
    """``agent.build.steps``, ``plugin[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def invalid(
    issues: list[Issue],
    file: str,
    text: str | None,
    places: Mapping[Path, Position] | None = None,
) -> ConfigInvalidError:
    """The error that tells of ``issues``, with their lines as far as ``text`` or ``places`` have
    them."""
    positions = places or (locate(text, file) if text is not None else {})
    lines = [f"Configuration is invalid at {file}"]
    listed: list[dict[str, Any]] = []
    for issue in issues:
        entry: dict[str, Any] = {"message": issue.message, "path": list(issue.path)}
        place = ""
        where = positions.get(issue.path) or positions.get(issue.path[:-1])
        if where is not None:
            entry["line"], entry["column"] = where.line, where.column
            place = f" (line {where.line}, column {where.column})"
        listed.append(entry)
        lines.append(f"↳ {issue.message} {dotted(issue.path)}{place}".rstrip())
    return ConfigInvalidError("\n".join(lines), file, listed)


def _server_issues(servers: Any) -> Iterator[Issue]:
    """MCP servers that say neither what they are nor whether an inherited one is on."""
    for name, entry in servers.items() if isinstance(servers, dict) else ():
        wanted = {"local": "command", "remote": "url"}.get(entry.get("type"), "type")
        if wanted not in entry and ("type" in entry or "enabled" not in entry):
            yield Issue("Missing key", ("mcp", name, wanted))


# ── finding what is wrong ─────────────────────────────────────────────────────────────────────


def _issues(value: Any, hint: Any, path: Path) -> Iterator[Issue]:
    """The deepest places at which ``value`` is not of type ``hint``."""
    message = _mismatch(value, hint)
    if message is None:
        return
    inner = list(_inner_issues(value, hint, path))
    if inner:
        yield from inner
    else:
        yield Issue(message, path)


def _inner_issues(value: Any, hint: Any, path: Path) -> Iterator[Issue]:
    for option in _options(hint):
        origin = get_origin(option)
        if isinstance(value, dict) and _is_struct(option):
            yield from _struct_issues(value, option, path)
        elif isinstance(value, dict) and origin is dict:
            for key, item in value.items():
                yield from _issues(item, get_args(option)[1], (*path, key))
        elif isinstance(value, list) and origin is list:
            for index, item in enumerate(value):
                yield from _issues(item, get_args(option)[0], (*path, index))


def _struct_issues(value: dict[str, Any], struct: Any, path: Path) -> Iterator[Issue]:
    hints = typing.get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        if name in value:
            yield from _issues(value[name], hints[field.name], (*path, name))
        elif field.required:
            yield Issue("Missing key", (*path, name))


def _mismatch(value: Any, hint: Any) -> str | None:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as e:
        return str(e).partition(" - at `")[0]
    return None


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_null, value.values()))
    return any(map(_holds_null, value)) if isinstance(value, list) else value is None


def _nulls(value: Any, hint: Any, path: Path) -> Iterator[Issue]:
    """Known keys that are null: one that is not wanted is left out (OpenCode 1.18)."""
    for option in _options(hint):
        if isinstance(value, dict) and _is_struct(option):
            for key, inner in _hints(option).items():
                if key in value and value[key] is None:
                    yield Issue("Expected a value, got null; leave the key out", (*path, key))
                elif key in value:
                    yield from _nulls(value[key], inner, (*path, key))
        elif isinstance(value, dict) and get_origin(option) is dict:
            for key, item in value.items():
                yield from _nulls(item, get_args(option)[1], (*path, key))
        elif isinstance(value, list) and get_origin(option) is list:
            for index, item in enumerate(value):
                yield from _nulls(item, get_args(option)[0], (*path, index))


@cache
def _hints(struct: Any) -> dict[str, Any]:
    """The types of a struct's keys."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return {f.encode_name: hints[f.name] for f in msgspec.structs.fields(struct)}


def _unknown(value: Any, hint: Any, path: Path) -> Iterator[tuple[Path, list[str]]]:
    for option in _options(hint):
        origin = get_origin(option)
        if isinstance(value, dict) and _is_struct(option):
            hints = _hints(option)
            for key, item in value.items():
                if key in hints:
                    yield from _unknown(item, hints[key], (*path, key))
                elif option is not AgentConfig:  # an agent's own keys are its options
                    yield (*path, key), list(hints)
        elif isinstance(value, dict) and origin is dict:
            for key, item in value.items():
                yield from _unknown(item, get_args(option)[1], (*path, key))
        elif isinstance(value, list) and origin is list:
            for index, item in enumerate(value):
                yield from _unknown(item, get_args(option)[0], (*path, index))


def _options(hint: Any) -> list[Any]:
    """The alternatives of a type, without None and annotations."""
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _options(get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return [o for a in get_args(hint) if a is not type(None) for o in _options(a)]
    return [hint]


def _is_struct(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, msgspec.Struct)
