"""Reading git's configuration files, for the few values that say what a repository is.

Only one file is read: what includes, URL rewriting and other files add is for git to say, and
``Settings.is_self_contained`` tells when it must be asked.
"""

import os
import re
from typing import Final

import msgspec

_LIMIT: Final = 1 << 20
_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\.)*)")?\s*\]')
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*")
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}


class Settings(msgspec.Struct, frozen=True):
    """``values``: every value in file order, by ``section.subsection.key``; section and key in
    lower case, the subsection as written."""

    values: dict[str, list[str]] = {}

    def value(self, name: str, default: str = "") -> str:
        """The last value, which is the one git uses for a single-valued key."""
        found = self.values.get(name)
        return found[-1] if found else default

    @property
    def is_self_contained(self) -> bool:
        """Whether no other file is included and no URL rewritten."""
        return not any(
            name.startswith(("include.", "includeif."))
            or (name.startswith("url.") and name.endswith((".insteadof", ".pushinsteadof")))
            or name == "extensions.worktreeconfig"
            for name in self.values
        )


def read(path: str) -> Settings:
    """The file's settings; none when it is absent, unreadable or not a configuration file."""
    try:
        with open(path, "rb") as file:
            return parse(os.fsdecode(file.read(_LIMIT)))
    except (OSError, ValueError):
        return Settings()


def parse(text: str) -> Settings:
    """Parse a configuration file's text. Raises ValueError where git would refuse it.

    >>> parse('[remote "origin"]\\n\\turl = https://example.com/a # home').values
    {'remote.origin.url': ['https://example.com/a']}
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    values: dict[str, list[str]] = {}
    section = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            position += 1
        elif character in "#;":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif character == "[":
            found = _SECTION.match(text, position)
            if found is None:
                raise ValueError("a section header is malformed")
            section = _section_name(found[1], found[2])
            position = found.end()
        else:
            found = _KEY.match(text, position)
            if found is None or not section:
                raise ValueError("a line is neither a section nor a key")
            value, position = _value(text, found.end())
            values.setdefault(f"{section}.{found[1].lower()}", []).append(value)
    return Settings(values)


def _section_name(name: str, subsection: str | None) -> str:
    if subsection is None:
        return name.lower()
    return name.lower() + "." + re.sub(r"\\(.)", r"\1", subsection)


def _value(text: str, position: int) -> tuple[str, int]:
    """The value after a key, and where it ends. A key without ``=`` means true."""
    if position >= len(text) or text[position] == "\n":
        return "true", position
    if text[position] != "=":
        raise ValueError("a key is followed by something else than '='")
    position += 1
    kept: list[str] = []
    pending = ""  # unquoted blanks, which count only when something follows
    quoted = False
    while position < len(text):
        character = text[position]
        if character == "\n":
            break
        position += 1
        if character in "#;" and not quoted:
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            break
        if character.isspace() and not quoted:
            pending += character if kept else ""
            continue
        if pending:
            kept.append(pending)
            pending = ""
        if character == '"':
            quoted = not quoted
        elif character == "\\":
            if position >= len(text):
                break
            escaped = text[position]
            position += 1
            if escaped == "\n":
                continue
            if escaped not in 'ntb"\\':
                raise ValueError(f"unknown escape \\{escaped}")
            kept.append(_ESCAPES.get(escaped, escaped))
        else:
            kept.append(character)
    if quoted:
        raise ValueError("a quotation does not end on its line")
    return "".join(kept), position
