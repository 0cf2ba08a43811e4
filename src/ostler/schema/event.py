"""What the event stream carries: one struct of properties per event type.

``kind`` is the event's type on the wire. ``durable`` events describe a change of a stored row: a
client that reconnects can be brought up to date with them; the others are live only.
"""

from typing import ClassVar, Literal

from ostler.schema.base import (
    JsonObject,
    MessageID,
    NonNegative,
    PartID,
    PermissionID,
    Positive,
    PtyID,
    QuestionID,
    SessionID,
    Wire,
)
from ostler.schema.errors import MessageError
from ostler.schema.message import Message
from ostler.schema.part import Part
from ostler.schema.permission import PermissionReply, PermissionTool
from ostler.schema.project import ProjectCommands, ProjectIcon, ProjectTime
from ostler.schema.pty import Pty
from ostler.schema.question import QuestionAnswer, QuestionInfo, QuestionTool
from ostler.schema.session import Session, SessionStatus, SnapshotFileDiff, Todo


class Properties(Wire):
    """The ``properties`` of one event."""

    kind: ClassVar[str]
    durable: ClassVar[bool] = False


class SessionCreated(Properties):
    kind = "session.created"
    durable = True
    sessionID: SessionID
    info: Session


class SessionUpdated(Properties):
    kind = "session.updated"
    durable = True
    sessionID: SessionID
    info: Session


class SessionDeleted(Properties):
    kind = "session.deleted"
    durable = True
    sessionID: SessionID
    info: Session


class SessionStatusChanged(Properties):
    kind = "session.status"
    sessionID: SessionID
    status: SessionStatus


class SessionIdle(Properties):
    kind = "session.idle"
    sessionID: SessionID


class SessionErrored(Properties):
    kind = "session.error"
    sessionID: SessionID | None = None
    error: MessageError | None = None


class SessionDiff(Properties):
    kind = "session.diff"
    sessionID: SessionID
    diff: list[SnapshotFileDiff]


class SessionCompacted(Properties):
    kind = "session.compacted"
    sessionID: SessionID


class MessageUpdated(Properties):
    kind = "message.updated"
    durable = True
    sessionID: SessionID
    info: Message


class MessageRemoved(Properties):
    kind = "message.removed"
    durable = True
    sessionID: SessionID
    messageID: MessageID


class MessagePartUpdated(Properties):
    kind = "message.part.updated"
    durable = True
    sessionID: SessionID
    part: Part
    time: int


class MessagePartDelta(Properties):
    kind = "message.part.delta"
    sessionID: SessionID
    messageID: MessageID
    partID: PartID
    field: str
    delta: str


class MessagePartRemoved(Properties):
    kind = "message.part.removed"
    durable = True
    sessionID: SessionID
    messageID: MessageID
    partID: PartID


class PermissionAsked(Properties):
    kind = "permission.asked"
    id: PermissionID
    sessionID: SessionID
    permission: str
    patterns: list[str]
    metadata: JsonObject
    always: list[str]
    tool: PermissionTool | None = None


class PermissionUpdated(Properties):
    """The older name of ``permission.asked``; same payload."""

    kind = "permission.updated"
    id: PermissionID
    sessionID: SessionID
    permission: str
    patterns: list[str]
    metadata: JsonObject
    always: list[str]
    tool: PermissionTool | None = None


class PermissionReplied(Properties):
    kind = "permission.replied"
    sessionID: SessionID
    requestID: PermissionID
    reply: PermissionReply


class QuestionAsked(Properties):
    kind = "question.asked"
    id: QuestionID
    sessionID: SessionID
    questions: list[QuestionInfo]
    tool: QuestionTool | None = None


class QuestionUpdated(Properties):
    """The older name of ``question.asked``; same payload."""

    kind = "question.updated"
    id: QuestionID
    sessionID: SessionID
    questions: list[QuestionInfo]
    tool: QuestionTool | None = None


class QuestionReplied(Properties):
    kind = "question.replied"
    sessionID: SessionID
    requestID: QuestionID
    answers: list[QuestionAnswer]


class QuestionRejected(Properties):
    kind = "question.rejected"
    sessionID: SessionID
    requestID: QuestionID


class TodoUpdated(Properties):
    kind = "todo.updated"
    sessionID: SessionID
    todos: list[Todo]


class CommandExecuted(Properties):
    kind = "command.executed"
    name: str
    sessionID: SessionID
    arguments: str
    messageID: MessageID


class FileEdited(Properties):
    kind = "file.edited"
    file: str


class FileWatcherUpdated(Properties):
    """``event`` is add, change or unlink."""

    kind = "file.watcher.updated"
    file: str
    event: str


class ServerConnected(Properties):
    kind = "server.connected"


class ServerHeartbeat(Properties):
    kind = "server.heartbeat"


class ServerGap(Properties):
    """The subscriber missed live events: re-read what it shows. Ostler's addition.

    ``dropped`` counts them where known; what is durable follows as ordinary updates.
    """

    kind = "server.gap"
    dropped: int | None = None


class ServerInstanceDisposed(Properties):
    kind = "server.instance.disposed"
    directory: str


class GlobalDisposed(Properties):
    kind = "global.disposed"


class ProjectUpdated(Properties):
    """The properties are the project itself."""

    kind = "project.updated"
    id: str
    worktree: str
    time: ProjectTime
    sandboxes: list[str]
    vcs: str | None = None
    name: str | None = None
    icon: ProjectIcon | None = None
    commands: ProjectCommands | None = None


class TuiPromptAppend(Properties):
    kind = "tui.prompt.append"
    text: str


class TuiCommandExecute(Properties):
    """``command`` is absent for one that is not known (OpenCode 1.18)."""

    kind = "tui.command.execute"
    command: str | None = None


class TuiToastShow(Properties):
    kind = "tui.toast.show"
    message: str
    variant: Literal["info", "success", "warning", "error"]
    title: str | None = None
    duration: Positive | None = None


class TuiSessionSelect(Properties):
    kind = "tui.session.select"
    sessionID: SessionID


class WorktreeReady(Properties):
    kind = "worktree.ready"
    name: str
    branch: str | None = None


class WorktreeFailed(Properties):
    kind = "worktree.failed"
    message: str


class McpToolsChanged(Properties):
    """A server's offer is another one now, or gone."""

    kind = "mcp.tools.changed"
    server: str


class McpBrowserOpenFailed(Properties):
    kind = "mcp.browser.open.failed"
    mcpName: str
    url: str


class LspUpdated(Properties):
    """A language server was connected to, or is gone: ``GET /lsp`` says which there are."""

    kind = "lsp.updated"


class VcsBranchUpdated(Properties):
    """``branch`` is absent when HEAD is detached."""

    kind = "vcs.branch.updated"
    branch: str | None = None


class ProjectDirectoriesUpdated(Properties):
    kind = "project.directories.updated"
    projectID: str


class PtyCreated(Properties):
    kind = "pty.created"
    info: Pty


class PtyUpdated(Properties):
    kind = "pty.updated"
    info: Pty


class PtyExited(Properties):
    kind = "pty.exited"
    id: PtyID
    exitCode: NonNegative


class PtyDeleted(Properties):
    kind = "pty.deleted"
    id: PtyID
