"""The patch texts of session and repository diffs, in jsdiff's layout as OpenCode 1.18 sends it."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import pygit2

WHOLE_FILE = 65535
"""The most context lines there can be (16 bits in pygit2)."""

_SIGNS = {" ": " ", "+": "+", "-": "-"}
_NO_NEWLINE = "\\ No newline at end of file"


class Patch(msgspec.Struct, frozen=True):
    """``text`` is empty for a binary file; counts are lines."""

    text: str
    additions: int
    deletions: int


def make_patch(name: str, old: bytes, new: bytes, context: int = WHOLE_FILE) -> Patch:
    """The change of one file from ``old`` to ``new``; an absent file is ``b""``."""
    import pygit2  # slow to load, and a run without changes needs none of it

    diff = pygit2.Patch.create_from(old, new, context_lines=min(context, WHOLE_FILE))
    if diff.delta.is_binary or b"\0" in old or b"\0" in new:
        return Patch("", 0, 0)
    _, additions, deletions = diff.line_stats
    return Patch("\n".join([*header(name), *_hunks(diff)]) + "\n", additions, deletions)


def header(name: str) -> list[str]:
    """The four lines above the hunks."""
    return [f"Index: {name}", "=" * 67, f"--- {name}\t", f"+++ {name}\t"]


def _hunks(diff: "pygit2.Patch") -> list[str]:
    lines: list[str] = []
    for hunk in diff.hunks:
        lines.append(f"@@ -{hunk.old_start},{hunk.old_lines} +{hunk.new_start},{hunk.new_lines} @@")
        for line in hunk.lines:
            if line.origin in _SIGNS:
                text = line.raw_content.decode("utf-8", "replace")
                lines.append(line.origin + text.removesuffix("\n"))
            else:
                lines.append(_NO_NEWLINE)
    return lines
