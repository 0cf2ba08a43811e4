"""Messages as blocks of JSON, for the wires whose turns alternate between a user and a model."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ostler.models.grown import known, note
from ostler.models.request import Block, ChatMessage

_encode = msgspec.json.Encoder().encode


def encode_blocks(
    message: ChatMessage, block: Callable[[Block], dict[str, Any] | None]
) -> list[bytes]:
    """Each block of a message as JSON, those without one left out."""
    return [_encode(b) for each in message.content if (b := block(each)) is not None]


def array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


class Shape(msgspec.Struct, frozen=True):
    """How a wire writes turns: ``turn`` takes a role and an array of blocks, ``model`` is what it
    calls the model. ``name`` tells what was encoded so from what others did."""

    name: str
    turn: bytes = b'{"role":"%b","content":%b}'
    model: bytes = b"assistant"


def alternate(
    messages: Sequence[ChatMessage],
    shape: Shape,
    blocks: Callable[[int, ChatMessage], list[bytes]],
    plain: int | None = None,
) -> bytes:
    """The messages (none of the system's) as a JSON array of turns: tool results are the user's,
    neighbours of one role are joined, and a message without blocks is none. The first ``plain``
    messages must have the same ``blocks`` (by position) whatever follows, all by default."""
    plain = len(messages) if plain is None else max(0, plain)
    done, before = known(messages, shape.name)
    if done > plain:
        done, before = 0, b""
    turns: list[tuple[bytes, list[bytes], int]] = []
    for index in range(done, len(messages)):
        found = blocks(index, messages[index])
        role = shape.model if messages[index].role == "assistant" else b"user"
        if found and turns and turns[-1][0] == role:
            turns[-1][1].extend(found)
        elif found:
            turns.append((role, found, index))
    encoded = [shape.turn % (role, array(found)) for role, found, _ in turns]
    # A turn is as it will stay once another has begun, and that without what the last ones have.
    settled = sum(1 for _, _, begins in turns[1:] if begins <= plain)
    if settled:
        so_far = b",".join(each for each in (before, *encoded[:settled]) if each)
        note(messages, turns[settled][2], shape.name, so_far)
    return array(each for each in (before, *encoded) if each)
