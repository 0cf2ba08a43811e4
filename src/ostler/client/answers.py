"""Answers that no other part of Ostler has a type for, and what is often read from one."""

from ostler.schema.base import Wire
from ostler.schema.message import MessageWithParts
from ostler.schema.part import TextPart


class Health(Wire):
    """``version`` is the server's own: "1.18.33" is an OpenCode, "0.1.0" an Ostler."""

    healthy: bool
    version: str


def text_of(message: MessageWithParts) -> str:
    """What a message says: its text parts, without those that were added for the model's eyes."""
    return "".join(
        part.text
        for part in message.parts
        if isinstance(part, TextPart) and not (part.synthetic or part.ignored)
    )
