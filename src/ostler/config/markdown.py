"""Markdown entries: front matter and body, told apart as OpenCode 1.18 does."""

import re
from typing import Any

import msgspec

from ostler.config import front_matter
from ostler.config.front_matter import FrontMatterError, NoKeysError
from ostler.config.jsonc import Path, Position

_FENCE = "---"
_ENTRY = re.compile(r"^([A-Za-z_]\w*)\s*:\s*(.*)$", re.ASCII)


class Entry(msgspec.Struct, frozen=True):
    """``fields`` of the front matter, and what follows it. ``problem``: why the front matter
    says nothing."""

    fields: dict[str, Any]
    text: str
    front: str = ""
    problem: str | None = None

    @property
    def body(self) -> str:
        """Without surrounding blank lines."""
        return self.text.strip()

    def places(self) -> dict[Path, Position]:
        """Where each key stands in the file."""
        return front_matter.places(self.front, 1)


def read_entry(text: str) -> Entry:
    """A file without front matter has no fields. One whose front matter is no YAML, with nothing in
    it that the usual repair would mend, is all text (OpenCode 1.18). Raises FrontMatterError where
    the repair did not help."""
    text = text.removeprefix("\ufeff")
    front, rest = _split(text)
    if front is None:
        return Entry({}, text)
    try:
        return Entry(front_matter.read(front), rest, front)
    except NoKeysError as e:
        return Entry({}, rest, front, problem=str(e))
    except FrontMatterError as e:
        repaired = _repaired(front)
        if repaired == front:
            return Entry({}, text, problem=str(e))
        return Entry(front_matter.read(repaired), rest, front)


def _split(text: str) -> tuple[str | None, str]:
    """(front matter, the rest). Front matter that does not end takes up the whole file."""
    first, newline, rest = text.partition("\n")
    if first.rstrip() != _FENCE or not newline:
        return None, text
    end = f"\n{rest}".find(f"\n{_FENCE}")
    if end < 0:
        return rest, ""
    body = rest[end + len(_FENCE) :]
    return rest[:end], body.removeprefix("\r").removeprefix("\n")


def _repaired(front: str) -> str:
    """Values that hold a colon as block text: ``description: use it: now``. Other agents' files
    have them, and OpenCode 1.18 forgives them."""
    lines = []
    for line in front.splitlines():
        entry = _ENTRY.match(line)
        value = entry[2].strip() if entry else ""
        if entry and ":" in value and value[0] not in "\"'":
            lines += [f"{entry[1]}: |-", f"  {value}"]
        else:
            lines.append(line)
    repaired = "\n".join(lines)
    return front if repaired == "\n".join(front.splitlines()) else repaired
