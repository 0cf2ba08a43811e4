"""Parts: what a message is made of, in order."""

from typing import Any, TypeVar

import msgspec

from ostler.schema.base import JsonObject, MessageID, NonNegative, Number, PartID, SessionID, Wire
from ostler.schema.errors import APIError
from ostler.schema.session import Tokens


class PartTime(Wire):
    start: NonNegative
    end: NonNegative | None = None


class PartBase(Wire):
    id: PartID
    sessionID: SessionID
    messageID: MessageID


class TextPart(PartBase, tag="text"):
    text: str
    synthetic: bool | None = None
    ignored: bool | None = None
    time: PartTime | None = None
    metadata: JsonObject | None = None


class ReasoningPart(PartBase, tag="reasoning"):
    text: str
    time: PartTime
    metadata: JsonObject | None = None


class ModelRef(Wire):
    providerID: str
    modelID: str


class SubtaskPart(PartBase, tag="subtask"):
    prompt: str
    description: str
    agent: str
    model: ModelRef | None = None
    command: str | None = None


class FilePartSourceText(Wire):
    value: str
    start: Number
    end: Number


class Position(Wire):
    line: NonNegative
    character: NonNegative


class Range(Wire):
    start: Position
    end: Position


class FileSource(Wire, tag="file"):
    text: FilePartSourceText
    path: str


class SymbolSource(Wire, tag="symbol"):
    text: FilePartSourceText
    path: str
    range: Range
    name: str
    kind: NonNegative


class ResourceSource(Wire, tag="resource"):
    text: FilePartSourceText
    clientName: str
    uri: str


FilePartSource = FileSource | SymbolSource | ResourceSource


class FilePart(PartBase, tag="file"):
    """``url`` is a ``file://`` or a ``data:`` URL."""

    mime: str
    url: str
    filename: str | None = None
    source: FilePartSource | None = None


class ToolTimeStart(Wire):
    start: NonNegative


class ToolTime(Wire):
    start: NonNegative
    end: NonNegative
    compacted: NonNegative | None = None


class ToolStatePending(Wire, tag_field="status", tag="pending"):
    input: JsonObject
    raw: str


class ToolStateRunning(Wire, tag_field="status", tag="running"):
    input: JsonObject
    time: ToolTimeStart
    title: str | None = None
    metadata: JsonObject | None = None


class ToolStateCompleted(Wire, tag_field="status", tag="completed"):
    input: JsonObject
    output: str
    title: str
    metadata: JsonObject
    time: ToolTime
    attachments: list[FilePart] | None = None


class ToolStateError(Wire, tag_field="status", tag="error"):
    input: JsonObject
    error: str
    time: ToolTime
    metadata: JsonObject | None = None


ToolState = ToolStatePending | ToolStateRunning | ToolStateCompleted | ToolStateError


class ToolPart(PartBase, tag="tool"):
    callID: str
    tool: str
    state: ToolState
    metadata: JsonObject | None = None


class StepStartPart(PartBase, tag="step-start"):
    snapshot: str | None = None


class StepFinishPart(PartBase, tag="step-finish"):
    reason: str
    cost: float
    tokens: Tokens
    snapshot: str | None = None


class SnapshotPart(PartBase, tag="snapshot"):
    snapshot: str


class PatchPart(PartBase, tag="patch"):
    """The files (absolute paths) a step changed since snapshot ``hash``."""

    hash: str
    files: list[str]


class AgentSource(Wire):
    value: str
    start: NonNegative
    end: NonNegative


class AgentPart(PartBase, tag="agent"):
    name: str
    source: AgentSource | None = None


class RetryTime(Wire):
    created: NonNegative


class RetryPart(PartBase, tag="retry"):
    attempt: NonNegative
    error: APIError
    time: RetryTime


class CompactionPart(PartBase, tag="compaction"):
    auto: bool
    overflow: bool | None = None
    tail_start_id: MessageID | None = None


Part = (
    TextPart
    | SubtaskPart
    | ReasoningPart
    | FilePart
    | ToolPart
    | StepStartPart
    | StepFinishPart
    | SnapshotPart
    | PatchPart
    | AgentPart
    | RetryPart
    | CompactionPart
)


class TextPartInput(Wire, tag="text"):
    text: str
    id: PartID | None = None
    synthetic: bool | None = None
    ignored: bool | None = None
    time: PartTime | None = None
    metadata: JsonObject | None = None


class FilePartInput(Wire, tag="file"):
    mime: str
    url: str
    id: PartID | None = None
    filename: str | None = None
    source: FilePartSource | None = None


class AgentPartInput(Wire, tag="agent"):
    name: str
    id: PartID | None = None
    source: AgentSource | None = None


class SubtaskPartInput(Wire, tag="subtask"):
    prompt: str
    description: str
    agent: str
    id: PartID | None = None
    model: ModelRef | None = None
    command: str | None = None


PartInput = TextPartInput | FilePartInput | AgentPartInput | SubtaskPartInput

P = TypeVar("P", bound=Wire)


def replace(part: P, **changes: Any) -> P:
    """A copy of a part or state with ``changes``."""
    return msgspec.structs.replace(part, **changes)
