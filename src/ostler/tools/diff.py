"""Unified diffs as the reference shows them: jsdiff's text, with shared indentation taken off."""

from collections.abc import Iterable, Sequence

import msgspec

from ostler.tools.text import indent_of, shown, trim

CONTEXT = 4
"""Unchanged lines around a change."""

MAX_EDITS = 500
"""Up to this many inserted and deleted lines the hunks are exactly jsdiff's; the time it takes
grows with the square. Beyond, libgit2's diff stands in."""

_NO_NEWLINE = "\\ No newline at end of file"


class Change(msgspec.Struct, frozen=True):
    """A run of lines that are the same (`` ``), removed (``-``) or added (``+``)."""

    sign: str
    lines: Sequence[str]


class FileDiff(msgspec.Struct, frozen=True):
    """``patch`` as it is shown; counts are lines."""

    patch: str
    additions: int
    deletions: int


def file_diff(path: str, old: str, new: str, line_ends: bool = False) -> FileDiff:
    """The diff of a file's two texts; ``line_ends``: CRLF and LF count as different.

    A patch without a change is its four header lines.
    """
    if not line_ends:
        old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    changes = line_changes(_split(old), _split(new))
    header = [f"Index: {path}", "=" * 67, f"--- {path}", f"+++ {path}"]
    lines = [*header, *_outdent(_hunks(changes))]
    return FileDiff(
        shown("\n".join(lines) + "\n"),
        sum(len(c.lines) for c in changes if c.sign == "+"),
        sum(len(c.lines) for c in changes if c.sign == "-"),
    )


def _split(text: str) -> list[str]:
    """Lines with their line feeds."""
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])


# ── changes ───────────────────────────────────────────────────────────────────────────────────


def line_changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """The shortest way from one list of lines to the other, deletions before insertions where both
    are possible, in jsdiff's choice among equally short ways."""
    same = 0
    limit = min(len(old), len(new))
    while same < limit and old[same] == new[same]:
        same += 1
    before = [Change(" ", old[:same])] if same else []
    rest_old, rest_new = old[same:], new[same:]
    if not rest_old or not rest_new:
        return before + _simple(rest_old, rest_new)
    path = _shortest(rest_old, rest_new)
    if path is None:
        return before + _by_libgit2(rest_old, rest_new)
    return before + _along(path, rest_old, rest_new)


def _simple(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    return ([Change("-", old)] if old else []) + ([Change("+", new)] if new else [])


class _Step(msgspec.Struct, frozen=True):
    """The last run of a way through the edit graph, and the way before it."""

    sign: str
    count: int
    before: "_Step | None"


def _shortest(old: Sequence[str], new: Sequence[str]) -> _Step | None:
    """Myers' greedy search over diagonals, in jsdiff's order; None beyond MAX_EDITS.

    The two lists differ in their first line. ``reached`` maps a diagonal to how many old lines the
    furthest way on it has taken, and that way.
    """
    numbers: dict[str, int] = {}
    a = [numbers.setdefault(line, len(numbers)) for line in old]
    b = [numbers.setdefault(line, len(numbers)) for line in new]
    n, m = len(a), len(b)
    reached: dict[int, tuple[int, _Step | None]] = {0: (0, None)}
    lowest, highest = -m - n, m + n
    for edits in range(1, min(n + m, MAX_EDITS) + 1):
        # A diagonal whose way has come to an edge of the graph needs no neighbour beyond it.
        for diagonal in range(max(lowest, -edits), min(highest, edits) + 1, 2):
            remove, add = reached.pop(diagonal - 1, None), reached.get(diagonal + 1)
            removed = remove[0] if remove is not None and remove[0] < n else -1
            added = add[0] if add is not None and 0 <= add[0] - diagonal - 1 < m else -1
            if add is not None and added > removed:
                x, step = added, _extended(add[1], "+")
            elif remove is not None and removed >= 0:
                x, step = removed + 1, _extended(remove[1], "-")
            else:
                reached.pop(diagonal, None)
                continue
            y = start = x - diagonal
            while x < n and y < m and a[x] == b[y]:
                x, y = x + 1, y + 1
            if y > start:
                step = _Step(" ", y - start, step)
            if x >= n and y >= m:
                return step
            reached[diagonal] = (x, step)
            if x >= n:
                highest = min(highest, diagonal - 1)
            if y >= m:
                lowest = max(lowest, diagonal + 1)
    return None


def _extended(step: _Step | None, sign: str) -> _Step:
    if step is not None and step.sign == sign:
        return _Step(sign, step.count + 1, step.before)
    return _Step(sign, 1, step)


def _along(step: _Step | None, old: Sequence[str], new: Sequence[str]) -> list[Change]:
    steps: list[_Step] = []
    while step is not None:
        steps.append(step)
        step = step.before
    changes: list[Change] = []
    x = y = 0
    for part in reversed(steps):
        if part.sign == "+":
            changes.append(Change("+", new[y : y + part.count]))
        else:
            changes.append(Change(part.sign, old[x : x + part.count]))
        x += part.count * (part.sign != "+")
        y += part.count * (part.sign != "-")
    return changes


def _by_libgit2(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    # Imported here: it is slow to load and only very large changes need it.
    import pygit2
    from pygit2.enums import DiffOption

    # Without it a NUL would make the file binary, which has no hunks.
    text = DiffOption.FORCE_TEXT

    def joined(lines: Sequence[str]) -> bytes:
        return "".join(lines).encode("utf-8", "surrogateescape")

    patch = pygit2.Patch.create_from(joined(old), joined(new), context_lines=0, flag=text)
    changes: list[Change] = []
    x = y = 0
    for hunk in patch.hunks:
        # Where a side has no lines, its start is the line before.
        start = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        if start > x:
            changes.append(Change(" ", old[x:start]))
            y += start - x
            x = start
        changes += _simple(old[x : x + hunk.old_lines], new[y : y + hunk.new_lines])
        x, y = x + hunk.old_lines, y + hunk.new_lines
    if x < len(old):
        changes.append(Change(" ", old[x:]))
    return changes


# ── text ──────────────────────────────────────────────────────────────────────────────────────


def _hunks(changes: Sequence[Change]) -> list[str]:
    """Hunk headers and signed lines. Changes with up to twice the context between them share a
    hunk."""
    out: list[str] = []
    hunk: list[tuple[str, str]] = []
    old_start = new_start = old_line = new_line = 1
    for index, change in enumerate(changes):
        if change.sign == " ":
            last = index == len(changes) - 1
            if hunk and (last or len(change.lines) > 2 * CONTEXT):
                hunk += [(" ", line) for line in change.lines[:CONTEXT]]
                out += _hunk(hunk, old_start, new_start)
                hunk = []
            elif hunk:
                hunk += [(" ", line) for line in change.lines]
            old_line += len(change.lines)
            new_line += len(change.lines)
            continue
        if not hunk:
            before = changes[index - 1].lines[-CONTEXT:] if index else ()
            hunk = [(" ", line) for line in before]
            old_start, new_start = old_line - len(before), new_line - len(before)
        hunk += [(change.sign, line) for line in change.lines]
        old_line += len(change.lines) * (change.sign == "-")
        new_line += len(change.lines) * (change.sign == "+")
    return out + (_hunk(hunk, old_start, new_start) if hunk else [])


def _hunk(lines: Sequence[tuple[str, str]], old_start: int, new_start: int) -> list[str]:
    old_count = sum(sign != "+" for sign, _ in lines)
    new_count = sum(sign != "-" for sign, _ in lines)
    # An empty side is numbered by the line before it.
    old_start, new_start = old_start - (not old_count), new_start - (not new_count)
    out = [f"@@ -{old_start},{old_count} +{new_start},{new_count} @@"]
    for sign, line in lines:
        out.append(sign + line.removesuffix("\n"))
        if not line.endswith("\n"):
            out.append(_NO_NEWLINE)
    return out


def _outdent(lines: Sequence[str]) -> Iterable[str]:
    """The hunks without the indentation that all their lines share, blank lines aside."""
    contents = [line[1:] for line in lines if line[:1] in (" ", "-", "+")]
    shared = min((indent_of(content) for content in contents if trim(content)), default=0)
    if not shared:
        return lines
    return [line[0] + line[1 + shared :] if line[:1] in (" ", "-", "+") else line for line in lines]
