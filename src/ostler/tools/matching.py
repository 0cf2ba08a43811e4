"""How ``edit`` finds the text it is to replace, when the model did not quote it exactly.

Nine matchers are tried in order. Each yields candidate substrings of the file; the first candidate
that occurs once is replaced. The rules are OpenCode 1.18's to the letter, surprises included: an
ambiguous exact match falls through to the fuzzy matchers.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from ostler.schema.errors import ToolError
from ostler.tools.text import SPACE_CLASS, indent_of, trim

SIMILARITY = 0.65
"""How alike the inner lines of an anchored block must be, from 0 to 1."""

NOT_FOUND = (
    "Could not find oldString in the file. It must match exactly, including whitespace, "
    "indentation, and line endings."
)
AMBIGUOUS = (
    "Found multiple matches for oldString. Provide more surrounding context to make the match "
    "unique."
)
DISPROPORTIONATE = (
    "Refusing replacement because the matched span is much larger than oldString. Re-read the file "
    "and provide the full exact oldString for the intended replacement."
)

Matcher = Callable[[str, str], Iterator[str]]


class NoMatch(ToolError):
    """The text to replace is absent, ambiguous, or matched far more than was quoted."""


def replace(content: str, old: str, new: str, replace_all: bool = False) -> str:
    """``content`` with the one text ``old`` stands for replaced, or with every occurrence of the
    first candidate. Raises NoMatch."""
    found = False
    for matcher in MATCHERS:
        for candidate in matcher(content, old):
            position = content.find(candidate)
            if position < 0:
                continue
            found = True
            if _disproportionate(candidate, old):
                raise NoMatch(DISPROPORTIONATE)
            if not candidate:
                continue
            if replace_all:
                return replace_each(content, candidate, new)
            if content.rfind(candidate) == position:
                return content[:position] + new + content[position + len(candidate) :]
    raise NoMatch(AMBIGUOUS if found else NOT_FOUND)


def replace_each(content: str, old: str, new: str) -> str:
    """Every occurrence replaced as JavaScript does: in ``new``, ``$$`` is a dollar, ``$&`` the
    replaced text, ``$` `` and ``$'`` what stands before and after it."""
    if "$" not in new:
        return content.replace(old, new)
    pieces: list[str] = []
    at = 0
    while (position := content.find(old, at)) >= 0:
        after = position + len(old)
        meaning = {"$$": "$", "$&": old, "$`": content[:position], "$'": content[after:]}
        pieces += [content[at:position], _DOLLAR.sub(lambda m, to=meaning: to[m[0]], new)]  # type: ignore[misc]
        at = after
    return "".join([*pieces, content[at:]])


_DOLLAR = re.compile(r"\$[$&`']")


def _disproportionate(candidate: str, old: str) -> bool:
    """Whether a match is so much larger than what was quoted that it must be a mistake."""
    lines = old.count("\n") + 1
    if candidate.count("\n") + 1 >= max(lines + 3, 2 * lines):
        return True
    length = len(trim(old))
    return lines > 1 and len(trim(candidate)) > max(length + 500, 4 * length)


# ── the matchers ──────────────────────────────────────────────────────────────────────────────


def exact(content: str, old: str) -> Iterator[str]:
    yield old


def line_trimmed(content: str, old: str) -> Iterator[str]:
    """Runs of lines that equal the quoted ones but for white space at either end of a line."""
    lines, wanted = content.split("\n"), _without_last_empty(old.split("\n"))
    trimmed, trimmed_wanted = [trim(line) for line in lines], [trim(line) for line in wanted]
    for start, end in _windows(lines, len(wanted)):
        if trimmed[start:end] == trimmed_wanted:
            yield "\n".join(lines[start:end])


def block_anchor(content: str, old: str) -> Iterator[str]:
    """The block between the quoted first and last lines whose inner lines are most alike."""
    wanted = [trim(line) for line in old.split("\n")]
    if len(wanted) < 3:
        return
    wanted = _without_last_empty(wanted, of=old)
    lines = content.split("\n")
    trimmed = [trim(line) for line in lines]
    allowed = max(1, len(wanted) // 4)
    blocks = [
        (start, end)
        for start, end in _anchored(trimmed, wanted[0], wanted[-1])
        if abs(end - start - len(wanted)) <= allowed
    ]
    if not blocks:
        return
    scores = [_likeness(trimmed[start:end], wanted) for start, end in blocks]
    best = scores.index(max(scores))
    if scores[best] >= SIMILARITY:
        start, end = blocks[best]
        yield "\n".join(lines[start:end])


def whitespace_normalised(content: str, old: str) -> Iterator[str]:
    """Lines, parts of lines, or runs of lines equal but for how much white space there is."""
    lines = content.split("\n")
    normal, wanted = [_normal(line) for line in lines], _normal(old)
    words = re.compile(f"{SPACE_CLASS}+".join(map(re.escape, _SPACES.split(trim(old)))))
    for line, normal_line in zip(lines, normal, strict=True):
        if normal_line == wanted:
            yield line
        elif wanted in normal_line and (match := words.search(line)):
            yield match[0]
    count = old.count("\n") + 1
    if count > 1:
        for start, end in _windows(lines, count):
            if " ".join(filter(None, normal[start:end])) == wanted:
                yield "\n".join(lines[start:end])


def indentation_flexible(content: str, old: str) -> Iterator[str]:
    """Runs of lines equal once the indentation they share is taken off."""
    lines, wanted = content.split("\n"), _outdented(old.split("\n"))
    for start, end in _windows(lines, len(wanted)):
        # Cheap test first: the last line's text does not change by taking indentation off.
        if trim(lines[end - 1]) == trim(wanted[-1]) and _outdented(lines[start:end]) == wanted:
            yield "\n".join(lines[start:end])


def escape_normalised(content: str, old: str) -> Iterator[str]:
    """Text equal once ``\\n``, ``\\t``, ``\\"`` and the like are read as escapes."""
    wanted = _unescape(old)
    if wanted in content:
        yield wanted
    lines = content.split("\n")
    for start, end in _windows(lines, wanted.count("\n") + 1):
        block = "\n".join(lines[start:end])
        if "\\" in block and _unescape(block) == wanted:
            yield block


def trimmed_boundary(content: str, old: str) -> Iterator[str]:
    """Text equal once white space at the very beginning and end is taken off."""
    wanted = trim(old)
    if wanted == old:
        return
    if wanted in content:
        yield wanted
    lines = content.split("\n")
    for start, end in _windows(lines, old.count("\n") + 1):
        block = "\n".join(lines[start:end])
        if trim(block) == wanted:
            yield block


def context_aware(content: str, old: str) -> Iterator[str]:
    """Blocks with the quoted first and last lines and half of the lines between."""
    wanted = [trim(line) for line in old.split("\n")]
    if len(wanted) < 3:
        return
    wanted = _without_last_empty(wanted, of=old)
    lines = content.split("\n")
    trimmed = [trim(line) for line in lines]
    for start, end in _anchored(trimmed, wanted[0], wanted[-1]):
        if end - start != len(wanted):
            continue
        pairs = zip(trimmed[start + 1 : end - 1], wanted[1:-1], strict=True)
        same = [a == b for a, b in pairs if a or b]
        if 2 * sum(same) >= len(same):
            yield "\n".join(lines[start:end])


def multi_occurrence(content: str, old: str) -> Iterator[str]:
    """Every exact occurrence again: several of them are an ambiguity, not an absence."""
    for _ in range(content.count(old) if old else 0):
        yield old


MATCHERS: Sequence[Matcher] = (
    exact,
    line_trimmed,
    block_anchor,
    whitespace_normalised,
    indentation_flexible,
    escape_normalised,
    trimmed_boundary,
    context_aware,
    multi_occurrence,
)


# ── what they share ───────────────────────────────────────────────────────────────────────────

_SPACES = re.compile(f"{SPACE_CLASS}+")
_ESCAPE = re.compile("\\\\([ntr'\"`\\\\\n$])")
_MEANING = {"n": "\n", "t": "\t", "r": "\r"}


def _windows(lines: Sequence[str], count: int) -> Iterator[tuple[int, int]]:
    """Start and end of every run of ``count`` lines."""
    for start in range(len(lines) - count + 1):
        yield start, start + count


def _without_last_empty(lines: list[str], of: str | None = None) -> list[str]:
    """The lines without the empty piece after a final line break (of the text ``of``, where the
    lines have been trimmed)."""
    ends_empty = lines[-1] == "" if of is None else of.endswith("\n")
    return lines[:-1] if ends_empty else lines


def _anchored(trimmed: Sequence[str], first: str, last: str) -> Iterator[tuple[int, int]]:
    """Start and end of the shortest block of three lines or more from each ``first`` line."""
    ends = [index for index, line in enumerate(trimmed) if line == last]
    nearest = 0
    for start, line in enumerate(trimmed):
        if line != first:
            continue
        while nearest < len(ends) and ends[nearest] < start + 2:
            nearest += 1
        if nearest == len(ends):
            return
        yield start, ends[nearest] + 1


def _likeness(block: Sequence[str], wanted: Sequence[str]) -> float:
    """The mean similarity of the inner lines, from 0 to 1; 1 where there are none. Pairs of empty
    lines count as unlike, as in the reference."""
    inner = min(len(block), len(wanted)) - 2
    if inner <= 0:
        return 1.0
    total = 0.0
    for a, b in zip(block[1 : inner + 1], wanted[1 : inner + 1], strict=True):
        longest = max(len(a), len(b))
        if longest:
            total += 1 - levenshtein(a, b) / longest
    return total / inner


def levenshtein(a: str, b: str) -> int:
    """The number of insertions, deletions and substitutions between two texts.

    Myers' bit-vector algorithm: one big integer holds a whole column, so that lines of thousands
    of characters cost milliseconds.
    """
    if not a or not b:
        return len(a) or len(b)
    places: dict[str, int] = {}
    for index, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << index
    mask, top = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = mask, 0, len(a)
    for character in b:
        equal = places.get(character, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        across_rises = falls | ~(diagonal | rises) & mask
        across_falls = rises & diagonal
        distance += bool(across_rises & top) - bool(across_falls & top)
        across_rises = (across_rises << 1 | 1) & mask
        across_falls = across_falls << 1 & mask
        rises = across_falls | ~(diagonal | across_rises) & mask
        falls = across_rises & diagonal
    return distance


def _normal(text: str) -> str:
    return trim(_SPACES.sub(" ", text))


def _outdented(lines: Sequence[str]) -> list[str]:
    indents = [indent_of(line) for line in lines if trim(line)]
    shared = min(indents, default=0)
    return [line[shared:] if trim(line) else line for line in lines]


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: _MEANING.get(m[1], m[1]), text)
