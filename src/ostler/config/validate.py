"""From a raw object to the typed configuration, with errors that name file, line, key and what was
expected, and warnings for keys nobody knows."""

import difflib
import types
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec

from ostler.config import lsp
from ostler.config.jsonc import Path, locate
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


def check(raw: Any, file: str, text: str | None = None) -> None:
    """Raises ConfigInvalidError when ``raw`` is not a configuration. ``text`` is what it was parsed
    from, for line numbers."""
    try:
        msgspec.convert(raw, Config)
    except msgspec.ValidationError:
        issues = list(_issues(raw, Config, ()))
        raise _invalid(issues, file, text) from None
    lacking = [
        Issue(f'A language server that is not built in needs "{key}"', ("lsp", name))
        for name, key in lsp.missing(raw)
    ]
    if lacking:
        raise _invalid(lacking, file, text)


def convert(raw: dict[str, Any]) -> Config:
    """The merged object as the typed configuration. Raises ConfigInvalidError."""
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError:
        raise _invalid(list(_issues(raw, Config, ())), "the merged configuration", None) from None


def unknown_keys(raw: Any, file: str, text: str | None = None) -> list[Warning_]:
    """A warning for each key that has no meaning, with the nearest one that has."""
    found = list(_unknown(raw, Config, ()))
    if not found:
        return []
    positions = locate(text, file) if text is not None else {}
    warnings = []
    for path, known in found:
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
        hint = f'; did you mean "{near[0]}"?' if near else ""
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


def _invalid(issues: list[Issue], file: str, text: str | None) -> ConfigInvalidError:
    positions = locate(text, file) if text is not None else {}
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


def _unknown(value: Any, hint: Any, path: Path) -> Iterator[tuple[Path, list[str]]]:
    for option in _options(hint):
        origin = get_origin(option)
        if isinstance(value, dict) and _is_struct(option):
            hints = typing.get_type_hints(option, include_extras=True)
            names = {f.encode_name: f.name for f in msgspec.structs.fields(option)}
            for key, item in value.items():
                if key in names:
                    yield from _unknown(item, hints[names[key]], (*path, key))
                elif option is not AgentConfig:  # an agent's own keys are its options
                    yield (*path, key), list(names)
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
