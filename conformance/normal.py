"""Transcripts made comparable: ids by order of appearance, times, paths and hashes by name, and no
prose."""

import re
from typing import Any

IDS = re.compile(r"\b(ses|msg|prt|per|que|evt|pty|tool|call)_[0-9A-Za-z]{10,}\b")
HASH = re.compile(r"\b[0-9a-f]{40}\b")
DROPPED = frozenset(("slug", "version", "responseHeaders", "responseBody", "ref", "description"))
"""Keys whose values are each program's own."""
LATER_THAN = 1e12
"""Numbers above it are times in ms."""


class Normal:
    """One transcript's names. ``places``: directory -> what it is called."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = sorted(places.items(), key=lambda p: -len(p[0]))
        self._ids: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            # Names are given in the order of the keys, which is each program's own.
            return {k: self.value(value[k]) for k in sorted(value) if k not in DROPPED}
        if isinstance(value, list):
            return [self.value(v) for v in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, float | int) and not isinstance(value, bool):
            return "<time>" if value > LATER_THAN else round(value, 9)
        return value

    def text(self, text: str) -> str:
        for path, name in self._places:
            text = text.replace(path, name)
        return IDS.sub(self._id, HASH.sub("<hash>", text))

    def _id(self, match: "re.Match[str]") -> str:
        if match[0] not in self._ids:
            self._counts[match[1]] = self._counts.get(match[1], 0) + 1
            self._ids[match[0]] = f"<{match[1]} {self._counts[match[1]]}>"
        return self._ids[match[0]]

    def answer(self, status: int, body: Any) -> dict[str, Any]:
        """An HTTP answer; of a refusal the words are left out."""
        body = self.value(body)
        if status >= 400 and isinstance(body, dict):
            body = _without_words(body)
        return {"status": status, "body": body}


def _without_words(body: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_words(value) if isinstance(value, dict) else value
        for key, value in body.items()
        if key != "message"
    }


def events(seen: list[dict[str, Any]]) -> list[str]:
    """What happened, one line an event, repetitions left out. Bookkeeping (message.updated,
    session.updated, session.diff, deltas) is left out: its number is each program's own."""
    lines: list[str] = []
    for event in seen:
        line = _line(event["type"], event.get("properties") or {})
        if line is None or (lines and lines[-1] == line):
            continue
        if line == "status idle" and lines and lines[-1] == "session.idle":
            continue  # idle is idle, however often it is said
        lines.append(line)
    return lines


_SHOWN = frozenset(
    ("permission.asked", "permission.replied", "question.asked", "question.replied",
     "question.rejected", "session.idle", "session.compacted", "todo.updated", "message.removed",
     "session.deleted", "session.created")
)  # fmt: skip


def _line(kind: str, properties: dict[str, Any]) -> str | None:
    if kind == "message.part.updated":
        part = properties["part"]
        status = part.get("state", {}).get("status", "")
        return f"part {part['type']} {status}".strip()
    if kind == "session.status":
        return f"status {properties['status']['type']}"
    if kind == "session.error":
        return f"error {properties['error']['name']}"
    return kind if kind in _SHOWN else None
