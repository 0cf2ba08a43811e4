"""What language servers found wrong in a changed file, as text for the model."""

from collections.abc import Mapping, Sequence
from typing import Any

PER_FILE = 20
"""Errors shown of one file."""
OTHER_FILES = 5
"""Other files with errors that ``write`` shows."""

Diagnostics = Mapping[str, Sequence[Mapping[str, Any]]]


def report(path: str, diagnostics: Diagnostics) -> str:
    """The errors (severity 1) of a file in a ``<diagnostics>`` block; empty when it has none."""
    errors = [d for d in diagnostics.get(path, ()) if d.get("severity") == 1]
    if not errors:
        return ""
    lines = [_line(error) for error in errors[:PER_FILE]]
    if len(errors) > PER_FILE:
        lines.append(f"... and {len(errors) - PER_FILE} more")
    return f'<diagnostics file="{path}">\n' + "\n".join(lines) + "\n</diagnostics>"


def own_report(path: str, diagnostics: Diagnostics) -> str:
    """What ``edit`` and ``write`` append for the file they changed."""
    found = report(path, diagnostics)
    return f"\n\nLSP errors detected in this file, please fix:\n{found}" if found else ""


def others_report(path: str, diagnostics: Diagnostics) -> str:
    """What ``write`` appends for other files the change broke."""
    found = [report(other, diagnostics) for other in diagnostics if other != path]
    shown = [text for text in found if text][:OTHER_FILES]
    return "".join(f"\n\nLSP errors detected in other files:\n{text}" for text in shown)


def _line(diagnostic: Mapping[str, Any]) -> str:
    """Language servers count lines and columns from 0, people from 1."""
    start = diagnostic.get("range", {}).get("start", {})
    line, column = start.get("line", 0) + 1, start.get("character", 0) + 1
    return f"ERROR [{line}:{column}] {diagnostic.get('message', '')}"
