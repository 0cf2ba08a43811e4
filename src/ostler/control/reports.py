"""What the driver answers with: one record a command, each of which may carry a failure."""

from typing import Any

import msgspec

from ostler.client import text_of
from ostler.control.failures import Failure, failure_of_message
from ostler.control.gate import State
from ostler.schema.base import JsonObject
from ostler.schema.message import AssistantMessage, MessageWithParts
from ostler.schema.session import Tokens


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What every command answers with; ``failure`` None: it went well."""

    failure: Failure | None = None

    def json(self) -> JsonObject:
        """With ``ok`` in front, and without what is not there."""
        fields: JsonObject = msgspec.to_builtins(self)
        given = {name: value for name, value in fields.items() if value is not None}
        return {"ok": self.failure is None, **given}


class Failed(Report, frozen=True):
    """Nothing but the failure is known."""

    sessionID: str | None = None


class Check(Report, frozen=True):
    """``binary`` and ``version``: what is on PATH; ``server``: the version that answered;
    ``connected``: its providers that can be used; ``pid``: of a server that this driver started."""

    url: str
    binary: str | None = None
    version: str | None = None
    server: str | None = None
    connected: list[str] | None = None
    pid: int | None = None
    started: bool | None = None
    stopped: bool | None = None


class Created(Report, frozen=True):
    sessionID: str
    directory: str
    title: str


class Sent(Report, frozen=True):
    """``text``: the answer's; ``value``: its JSON, where that was asked for; ``cost`` in USD."""

    sessionID: str
    messageID: str | None = None
    text: str | None = None
    value: Any = None
    model: str | None = None
    finish: str | None = None
    tokens: Tokens | None = None
    cost: float | None = None
    seconds: float | None = None


class Status(Report, frozen=True):
    """``pending``: permissions and questions that wait; ``answer``: of the newest turn, once it is
    over; ``next``: when the provider is asked again, ms since the epoch."""

    sessionID: str
    state: State
    pending: list[JsonObject] = []
    attempt: int | None = None
    next: int | None = None
    message: str | None = None
    answer: Sent | None = None


class Stopped(Report, frozen=True):
    sessionID: str
    deleted: bool | None = None


class Listed(Report, frozen=True):
    """``sessions``: {sessionID, title, directory, state, updated (ms since the epoch)}."""

    sessions: list[JsonObject]


class ModelList(Report, frozen=True):
    """``models``: provider/model of what is connected; ``default``: provider -> its preferred."""

    models: list[str]
    default: dict[str, str]


def sent_of(message: MessageWithParts, seconds: float | None) -> Sent:
    info = message.info
    plain: JsonObject = msgspec.to_builtins(message)
    failure = failure_of_message(plain["info"], plain["parts"])
    if not isinstance(info, AssistantMessage):
        wrong = Failure("contract_violation", "the answer is no assistant's message", {})
        return Sent(sessionID=info.sessionID, messageID=info.id, failure=wrong)
    return Sent(
        sessionID=info.sessionID,
        messageID=info.id,
        text=text_of(message),
        model=f"{info.providerID}/{info.modelID}",
        finish=info.finish,
        tokens=info.tokens,
        cost=info.cost,
        seconds=None if seconds is None else round(seconds, 3),
        failure=failure,
    )


def with_json(sent: Sent) -> Sent:
    try:
        value = msgspec.json.decode(sent.text or "")
    except msgspec.DecodeError as e:
        failure = Failure("assistant_output_not_json", f"the answer is not JSON: {e}", {})
        return msgspec.structs.replace(sent, failure=failure)
    return msgspec.structs.replace(sent, value=value)
