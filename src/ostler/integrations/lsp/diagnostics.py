"""What one language server has found, by file: pushed by it, or asked for."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

Diagnostic = dict[str, Any]
Diagnostics = dict[str, list[Diagnostic]]
"""By absolute path; files that nothing was found in are left out."""

MAX_FILES = 200
MAX_PER_FILE = 100
"""What is kept of one server; the files it spoke of longest ago are forgotten."""


class Found:
    """``pushed`` and ``pulled`` are kept apart: each replaces what was found the same way before,
    and a server may use both for one file."""

    def __init__(self) -> None:
        self._pushed: OrderedDict[str, list[Diagnostic]] = OrderedDict()
        self._pulled: OrderedDict[str, list[Diagnostic]] = OrderedDict()

    def push(self, path: str, items: Any) -> None:
        _keep(self._pushed, path, _diagnostics(items))

    def pull(self, path: str, items: Any) -> None:
        _keep(self._pulled, path, _diagnostics(items))

    def forget(self, path: str) -> None:
        self._pushed.pop(path, None)
        self._pulled.pop(path, None)

    def of(self, path: str) -> list[Diagnostic]:
        return once((*self._pushed.get(path, ()), *self._pulled.get(path, ())))

    def all(self) -> Diagnostics:
        return {path: self.of(path) for path in dict.fromkeys((*self._pushed, *self._pulled))}


def reported(path: str, found: Diagnostics, most: int) -> Diagnostics:
    """What is told of a change of one file: of that file, and of ``most`` others, those with errors
    (severity 1) first."""
    others = [other for other in found if other != path]
    others.sort(key=lambda other: all(item.get("severity") != 1 for item in found[other]))
    named = [path, *others[:most]]
    return {name: found[name] for name in named if name in found}


def once(items: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Without repetitions: two that say the same of the same place are one."""
    told: dict[bytes, Diagnostic] = {}
    for item in items:
        said = [item.get(key) for key in ("code", "severity", "message", "source", "range")]
        told.setdefault(msgspec.json.encode(said), item)
    return list(told.values())


def _keep(kept: OrderedDict[str, list[Diagnostic]], path: str, items: list[Diagnostic]) -> None:
    kept.pop(path, None)
    if items:
        kept[path] = items
    while len(kept) > MAX_FILES:
        kept.popitem(last=False)


def _diagnostics(items: Any) -> list[Diagnostic]:
    """Those of a server's list that say where and what."""
    if not isinstance(items, list):
        return []
    return [item for item in items if _is_one(item)][:MAX_PER_FILE]


def _is_one(item: Any) -> bool:
    if not (isinstance(item, dict) and isinstance(item.get("message"), str)):
        return False
    at = item.get("range")
    start = at.get("start") if isinstance(at, dict) else None
    return isinstance(start, dict) and all(
        isinstance(start.get(key), int) for key in ("line", "character")
    )
