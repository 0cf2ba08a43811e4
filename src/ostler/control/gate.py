"""When a stage is really done, judged by what the server says and by nothing else.

All must hold: the session is not busy; there is a newest assistant message; its time is completed;
it has no error; it has a text part (or a structured value); that satisfies the contract. The
stage's checks come after (``checks``).
"""

from typing import Any, Literal

import msgspec

from ostler.control.contract import checked
from ostler.control.failures import Failure, failure_of_error, failure_of_message
from ostler.schema.base import JsonObject
from ostler.schema.message import AssistantMessage, MessageWithParts
from ostler.schema.part import TextPart
from ostler.schema.session import SessionStatus, StatusIdle, StatusRetry

State = Literal["idle", "busy", "retry"]


def state_of(status: SessionStatus | None) -> State:
    """A session that the server does not list is idle."""
    if isinstance(status, StatusRetry):
        return "retry"
    return "idle" if status is None or isinstance(status, StatusIdle) else "busy"


class Seen(msgspec.Struct, frozen=True):
    """What the server said of a session: its ``status``, its newest ``messages``, oldest first,
    and the last error it reported, as the API writes it."""

    status: State
    messages: list[MessageWithParts] = []
    error: JsonObject | None = None


class Waiting(msgspec.Struct, frozen=True):
    """It is not over. ``why`` it is not: the session works, or nothing is there yet."""

    why: Literal["busy", "retry", "no_answer", "unfinished"]


class Passed(msgspec.Struct, frozen=True):
    """``value`` is the contract's, None where there is no contract."""

    text: str
    value: Any
    message: MessageWithParts


Verdict = Waiting | Passed | Failure


def judge(seen: Seen, prompt_id: str, contract: JsonObject | None) -> Verdict:
    """``prompt_id`` is the message that is to be answered."""
    if seen.status != "idle":
        return Waiting(seen.status)
    answer = newest_answer(seen.messages, prompt_id)
    if answer is None:
        return failure_of_error(seen.error) if seen.error else Waiting("no_answer")
    assert isinstance(answer.info, AssistantMessage)
    if answer.info.time.completed is None and answer.info.error is None:
        return Waiting("unfinished")
    plain = msgspec.to_builtins(answer)
    failure = failure_of_message(plain["info"], plain["parts"])
    if failure is not None:
        return failure
    text = text_of(answer)
    if contract is None:
        return Passed(text, None, answer)
    value, failure = checked(text, answer.info.structured, contract)
    return failure or Passed(text, value, answer)


def newest_answer(messages: list[MessageWithParts], prompt_id: str) -> MessageWithParts | None:
    """The newest assistant message after the prompt (or in all that is there, where that is not
    among them). Order is the server's."""
    for message in reversed(messages):
        if isinstance(message.info, AssistantMessage):
            return message
        if message.info.id == prompt_id:
            return None
    return None


def text_of(message: MessageWithParts) -> str:
    return "".join(p.text for p in message.parts if isinstance(p, TextPart) and not p.ignored)
