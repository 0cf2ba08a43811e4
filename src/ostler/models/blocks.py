"""Messages as blocks of JSON, for the wires whose turns alternate between a user and a model."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ostler.models.request import Block, ChatMessage

_encode = msgspec.json.Encoder().encode
_BETWEEN = b"\0"  # in no JSON text


def encode_blocks(
    message: ChatMessage, wire: str, block: Callable[[Block], dict[str, Any] | None]
) -> list[bytes]:
    """Each block of a message as JSON, those without one left out; kept on the message under the
    name of the wire."""
    kept = message.encoded.get(wire)
    if kept is None:
        blocks = [_encode(b) for each in message.content if (b := block(each)) is not None]
        message.encoded[wire] = _BETWEEN.join(blocks)
        return blocks
    return kept.split(_BETWEEN) if kept else []


def array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def alternate(spoken: Iterable[tuple[str, list[bytes]]]) -> list[tuple[bytes, bytes]]:
    """(role, JSON array of blocks) a turn: neighbours of one role are joined, and a message without
    blocks is none."""
    turns: list[tuple[str, list[bytes]]] = []
    for role, blocks in spoken:
        if not blocks:
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, list(blocks)))
    return [(role.encode(), array(blocks)) for role, blocks in turns]
