"""Messages: a user's prompt, or one step of an assistant."""

from typing import Any

from ostler.schema.base import JsonObject, MessageID, NonNegative, Number, SessionID, Wire
from ostler.schema.errors import MessageError
from ostler.schema.part import Part, PartInput
from ostler.schema.session import Budget, SnapshotFileDiff, Tokens


class OutputFormatText(Wire, tag="text"):
    pass


class OutputFormatJsonSchema(Wire, tag="json_schema"):
    schema: JsonObject
    retryCount: NonNegative | None = None


OutputFormat = OutputFormatText | OutputFormatJsonSchema


class UserTime(Wire):
    created: Number


class UserModel(Wire):
    providerID: str
    modelID: str
    variant: str | None = None


class UserSummary(Wire):
    diffs: list[SnapshotFileDiff]
    title: str | None = None
    body: str | None = None


class Thinking(Wire):
    """Extended thinking as the older drivers ask for it: ``type`` is enabled or disabled."""

    type: str
    budget_tokens: NonNegative | None = None


class UserMessage(Wire, tag_field="role", tag="user"):
    id: MessageID
    sessionID: SessionID
    time: UserTime
    agent: str
    model: UserModel
    format: OutputFormat | None = None
    summary: UserSummary | None = None
    system: str | None = None
    tools: dict[str, bool] | None = None
    thinking: Thinking | None = None
    budget: Budget | None = None


class AssistantTime(Wire):
    created: NonNegative
    completed: NonNegative | None = None


class MessagePath(Wire):
    cwd: str
    root: str


class FailedModel(Wire):
    """A model that was asked before the one that answered; ``kind`` and ``message`` say why it
    did not. Kinds: ``ostler.models.failure``."""

    providerID: str
    modelID: str
    kind: str
    message: str


class AssistantMessage(Wire, tag_field="role", tag="assistant"):
    """One step of the model: a turn of n steps leaves n of these with the same ``parentID``.
    ``fallback``: the models that failed before this one was asked; Ostler's addition."""

    id: MessageID
    sessionID: SessionID
    time: AssistantTime
    parentID: MessageID
    modelID: str
    providerID: str
    mode: str
    agent: str
    path: MessagePath
    cost: float
    tokens: Tokens
    error: MessageError | None = None
    summary: bool | None = None
    structured: Any = None
    variant: str | None = None
    finish: str | None = None
    fallback: list[FailedModel] | None = None


Message = UserMessage | AssistantMessage


class MessageWithParts(Wire):
    info: Message
    parts: list[Part]


class PromptModel(Wire):
    providerID: str
    modelID: str


class PromptInput(Wire):
    """Body of ``POST /session/{id}/message`` and ``prompt_async``."""

    parts: list[PartInput]
    messageID: MessageID | None = None
    model: PromptModel | None = None
    agent: str | None = None
    noReply: bool | None = None
    tools: dict[str, bool] | None = None
    format: OutputFormat | None = None
    system: str | None = None
    variant: str | None = None
    thinking: Thinking | None = None
    budget: Budget | None = None


class CommandInput(Wire):
    """Body of ``POST /session/{id}/command``; ``model`` is ``provider/model``."""

    command: str
    arguments: str
    messageID: MessageID | None = None
    agent: str | None = None
    model: str | None = None
    variant: str | None = None
    parts: list[PartInput] | None = None
    budget: Budget | None = None


class ShellInput(Wire):
    """Body of ``POST /session/{id}/shell``."""

    command: str
    agent: str
    messageID: MessageID | None = None
    model: PromptModel | None = None
