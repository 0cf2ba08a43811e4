"""Objects as people type them: JSON, or JavaScript's literals of plain values."""

import re
from typing import Any

from ostler.config.jsonc import parse

_PIECE = re.compile(
    r"""("(?:\\.|[^"\\])*")|'((?:\\.|[^'\\])*)'|([A-Za-z_$][\w$]*)(?=\s*:)""", re.DOTALL
)


def parse_literal(text: str, name: str) -> Any:
    """``{"a": 1}`` or ``{a: 'b'}``; ``name`` is what errors call it. Raises ConfigJsonError."""
    return parse(_PIECE.sub(_json, text), name)


def _json(match: re.Match[str]) -> str:
    double, single, key = match.groups()
    if double is not None:
        return str(double)
    if key is not None:
        return f'"{key}"'
    inner = re.sub(r"\\(.)|(\")", _unquoted, single, flags=re.DOTALL)
    return f'"{inner}"'


def _unquoted(match: re.Match[str]) -> str:
    """An escape or a quote of a text in single quotes, for one in double quotes."""
    if match[2]:
        return '\\"'
    return "'" if match[1] == "'" else match[0]
