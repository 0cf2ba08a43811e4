"""Putting configuration layers together: later ones win, object by object.

Two keys are special (OpenCode 1.18): ``instructions`` is the union, ``plugin`` is joined with the
last mention of a plugin kept. A key keeps the place of its first appearance: order decides in
permission rules.
"""

from typing import Any

Raw = dict[str, Any]


def merge(base: Raw, over: Raw) -> Raw:
    """A new object; neither argument is changed."""
    result = deep_merge(base, over)
    for key, join in (("instructions", union), ("plugin", join_plugins)):
        if isinstance(base.get(key), list) and isinstance(over.get(key), list):
            result[key] = join(base[key], over[key])
    return result


def deep_merge(base: Raw, over: Raw) -> Raw:
    """Objects are merged key by key, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = deep_merge(before, value)
        else:
            result[key] = value
    return result


def union(first: list[Any], second: list[Any]) -> list[Any]:
    """Both, each value once."""
    return list(dict.fromkeys([*first, *second]))


def join_plugins(first: list[Any], second: list[Any]) -> list[Any]:
    """Both; of one package or URL the last mention stays, where it stands."""
    joined = [*first, *second]
    last = {plugin_name(entry): index for index, entry in enumerate(joined)}
    return [entry for index, entry in enumerate(joined) if last[plugin_name(entry)] == index]


def plugin_name(entry: Any) -> str:
    """What identifies a plugin: the package without its version, or the URL."""
    spec = str(entry[0] if isinstance(entry, list) and entry else entry)
    if "://" in spec or spec.startswith((".", "/")):
        return spec
    at = spec.rfind("@")
    return spec[:at] if at > 0 else spec
