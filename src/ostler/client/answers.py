"""Answers that no other part of Ostler has a type for, and what is often read from one."""

from collections.abc import Sequence

from ostler.schema.base import Wire
from ostler.schema.errors import MessageError
from ostler.schema.message import AssistantMessage, MessageWithParts
from ostler.schema.part import Part, TextPart


class Health(Wire):
    """``version`` is the server's own: "1.18.33" is an OpenCode, "0.1.0" an Ostler."""

    healthy: bool
    version: str


class Answer(Wire):
    """What a prompt came to: the last message of its turn."""

    info: AssistantMessage
    parts: list[Part]

    @property
    def text(self) -> str:
        """What the model said in it."""
        return _text(self.parts)

    @property
    def error(self) -> MessageError | None:
        """Why the turn failed."""
        return self.info.error


def text_of(message: MessageWithParts) -> str:
    """What a message says: its text parts, without those that were added for the model's eyes."""
    return _text(message.parts)


def _text(parts: Sequence[Part]) -> str:
    return "".join(
        part.text
        for part in parts
        if isinstance(part, TextPart) and not (part.synthetic or part.ignored)
    )
