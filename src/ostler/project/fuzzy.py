"""Ranking paths by how well a few typed characters fit them."""

from collections.abc import Iterable
from heapq import nlargest

_SEPARATORS = "/_-. "


def best(query: str, paths: Iterable[str], limit: int) -> list[str]:
    """At most ``limit`` paths that hold the query's characters in order, the best fit first.
    Without a query: the shallowest paths."""
    if not query:
        return sorted(paths, key=lambda p: (p.rstrip("/").count("/"), p))[:limit]
    wanted = query.lower().replace(" ", "")
    scored = ((score, path) for path in paths if (score := _score(wanted, path)) is not None)
    return [path for _, path in nlargest(limit, scored, key=lambda s: (s[0], -len(s[1])))]


def _score(query: str, path: str) -> float | None:
    """Higher is better; None where a character is missing. A run of characters counts more than
    scattered ones, the file's name more than its folders, the start of a word more than its
    middle."""
    text = path.lower()
    name_start = text.rstrip("/").rfind("/") + 1
    for start in (name_start, 0):
        whole = text.find(query, start)
        if whole >= 0:
            bonus = 30.0 if _starts_word(path, whole) else 0.0
            exact = 50.0 if text[name_start:].rsplit(".", 1)[0] == query else 0.0
            return 100.0 + bonus + exact + (40.0 if start else 0.0) - len(path) / 100
    score, position = 0.0, -1
    for character in query:
        found = text.find(character, position + 1)
        if found < 0:
            return None
        score += 3.0 if found == position + 1 else 1.0
        score += 2.0 if _starts_word(path, found) else 0.0
        score += 1.0 if found >= name_start else 0.0
        position = found
    return score - len(path) / 100


def _starts_word(path: str, at: int) -> bool:
    return at == 0 or path[at - 1] in _SEPARATORS or (path[at].isupper() and path[at - 1].islower())
