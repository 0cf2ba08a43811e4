"""Version ranges as npm writes them, for ``engines.opencode`` of a plugin's package."""

import re

Version = tuple[int, int, int]

_NUMBER = r"(\d+|[xX*])"
_PARTIAL = re.compile(
    rf"^[v=]*{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER})?)?(?:-[\w.-]+)?(?:\+[\w.-]+)?$"
)
_COMPARATOR = re.compile(r"^(<=|>=|<|>|=|\^|~>?)?(.*)$")
_HYPHEN = re.compile(r"^\s*(\S+)\s+-\s+(\S+)\s*$")
_END = 1 << 60


def satisfies(version: Version, wanted: str) -> bool:
    """Whether a version is in a range such as ``^1.2 || >=2.1 <3``. No range holds
    nothing."""
    return any(_in_set(version, alternative) for alternative in wanted.split("||"))


def _in_set(version: Version, text: str) -> bool:
    if hyphen := _HYPHEN.match(text):
        text = f">={hyphen[1]} <={hyphen[2]}"
    text = re.sub(r"(<=|>=|<|>|=|\^|~>?)\s+", r"\1", text)
    spans = [_span(part) for part in text.split()] or [((0, 0, 0), (_END, 0, 0))]
    return all(span is not None and span[0] <= version < span[1] for span in spans)


def _span(comparator: str) -> tuple[Version, Version] | None:
    """[from, to) of one comparator."""
    match = _COMPARATOR.match(comparator)
    assert match
    partial = _PARTIAL.match(match[2])
    if partial is None:
        return None
    given: list[int] = []
    for number in partial.groups():
        if number is None or number in "xX*":
            break
        given.append(int(number))
    low, after = _low(given), _after(given)
    end: Version = (_END, 0, 0)
    match match[1]:
        case ">=":
            return low, end
        case ">":
            return (after, end) if given else None
        case "<":
            return (0, 0, 0), low
        case "<=":
            return (0, 0, 0), after
        case "^":
            return low, _caret(given)
        case "~" | "~>":
            return low, _after(given[:2])
        case _:
            return low, after


def _low(given: list[int]) -> Version:
    a, b, c = (*given, 0, 0, 0)[:3]
    return a, b, c


def _after(given: list[int]) -> Version:
    """The first version that does not begin with these numbers."""
    return _low([*given[:-1], given[-1] + 1]) if given else (_END, 0, 0)


def _caret(given: list[int]) -> Version:
    """Up to a change of the leftmost number that is not zero."""
    for place, number in enumerate(given):
        if number or place == len(given) - 1:
            return _after(given[: place + 1])
    return (_END, 0, 0)
