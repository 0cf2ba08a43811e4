"""A conversation grows at its end: what was found out about its beginning is kept on its messages,
and done again only for what is new.

Messages never change once made, so that a beginning is known again by its objects: comparing two
thousand of them takes ten microseconds, looking at each of them milliseconds.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ostler.models.request import ChatMessage

LOOK = 16
"""Messages at the end of which one may hold what is known of those before it."""


class _Known(msgspec.Struct, eq=False, frozen=True):
    """``before``: the messages before the one that holds this; ``value`` is of all of them."""

    before: Sequence[ChatMessage]
    value: Any


def known(messages: Sequence[ChatMessage], what: str) -> tuple[int, Any]:
    """Of how many of the first messages ``what`` is known, and its value; (0, None): of none."""
    for index in range(len(messages) - 1, max(-1, len(messages) - 1 - LOOK), -1):
        found = messages[index].known.get(what)
        if found is not None and found.before == messages[:index]:
            return index + 1, found.value
    return 0, None


def note(messages: Sequence[ChatMessage], count: int, what: str, value: Any) -> None:
    """Keep what is known of the first ``count`` messages, instead of what was of fewer."""
    for message in messages[max(0, count - 1 - LOOK) : count]:
        message.known.pop(what, None)
    if count:
        messages[count - 1].known[what] = _Known(messages[: count - 1], value)


def joined(
    messages: Sequence[ChatMessage], what: str, count: int, encode: Callable[[int], bytes]
) -> bytes:
    """The first ``count`` messages as ``encode`` has them (by position; empty for none), commas
    between them. They must be the same whatever follows."""
    done, before = known(messages, what)
    if done > count:
        done, before = 0, b""
    items = [before, *(encode(index) for index in range(done, count))]
    result = b",".join(item for item in items if item)
    note(messages, count, what, result)
    return result


def after_system(messages: Sequence[ChatMessage]) -> int:
    """How many messages of the system there are at the beginning: they are made anew each time."""
    for index, message in enumerate(messages):
        if message.role != "system":
            return index
    return len(messages)
