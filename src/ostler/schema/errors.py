"""Every error Ostler raises or shows, in one tree.

    OstlerError
    ├── RequestError            a caller's mistake; has an HTTP status and a JSON body
    │   ├── BadRequest          400  {"name": "BadRequest", "data": {message, kind}}
    │   ├── NotFound            404  {"name": "NotFoundError", "data": {message}}
    │   ├── SessionBusy         409  {"_tag": "SessionBusyError", sessionID, message}
    │   ├── TaggedNotFound      404  {"_tag": "…NotFoundError", <id field>, message}
    │   ├── Forbidden           403  {"_tag": "…ForbiddenError", message}
    │   ├── McpUnsupportedOAuth 400  {"error": message}
    │   ├── DomainError         400  {"name": <own name>, "data": {message, …}}
    │   ├── StoreBusy           503  another process holds the database
    │   └── DiskLow             507  {"name": "DiskLowError", "data": {message, path, free, needed}}
    ├── ConfigError             400  the directory's configuration cannot be used
    │   ├── ConfigJsonError          not JSON(C)
    │   ├── ConfigInvalidError       JSON of the wrong shape
    │   ├── ConfigFrontmatterError   a markdown entry's front matter
    │   └── ConfigDirectoryTypoError ".opencode/agnt"
    ├── StoreFailure       500  the database cannot be used: damaged, of a newer version, unwritable
    │   └── DiskFull       507  no room for what had to be written; ends the turns that run
    ├── TurnError               ends a turn; carries a MessageError for the assistant message
    └── ToolError               a tool's failure, told to the model
        ├── PermissionDenied         by a rule
        ├── PermissionRejected       by a person or a policy
        ├── PermissionCorrected      rejected with a message the model should act on
        └── QuestionRejected         nobody will answer

A MessageError is the wire value stored on an assistant message and sent in ``session.error``.
Names and fields are OpenCode 1.18's.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from ostler.schema.base import NonNegative, Wire

# ── values on the wire ────────────────────────────────────────────────────────────────────────


class MessageData(Wire):
    message: str


class AuthData(Wire):
    providerID: str
    message: str


class UnknownData(Wire):
    message: str
    ref: str | None = None


class OutputLengthData(Wire):
    pass


class StructuredOutputData(Wire):
    message: str
    retries: NonNegative


class OverflowData(Wire):
    message: str
    responseBody: str | None = None


class APIErrorData(Wire):
    message: str
    isRetryable: bool
    statusCode: NonNegative | None = None
    responseHeaders: dict[str, str] | None = None
    responseBody: str | None = None
    metadata: dict[str, str] | None = None


class ProviderAuthError(Wire, tag_field="name", tag="ProviderAuthError"):
    data: AuthData


class BudgetData(Wire):
    """``scope``: whose budget (prompt, agent or session; ``sessionID`` names it); ``resource``:
    tokens, cost (USD) or seconds, which the numbers are in."""

    message: str
    scope: str
    sessionID: str
    resource: str
    allowed: float
    spent: float
    reserved: float
    needed: float


class BudgetExceededError(Wire, tag_field="name", tag="BudgetExceededError"):
    """Ostler's addition: refused before anything was sent."""

    data: BudgetData


class UnknownError(Wire, tag_field="name", tag="UnknownError"):
    data: UnknownData


class MessageOutputLengthError(Wire, tag_field="name", tag="MessageOutputLengthError"):
    data: OutputLengthData


class MessageAbortedError(Wire, tag_field="name", tag="MessageAbortedError"):
    data: MessageData


class StructuredOutputError(Wire, tag_field="name", tag="StructuredOutputError"):
    data: StructuredOutputData


class ContextOverflowError(Wire, tag_field="name", tag="ContextOverflowError"):
    data: OverflowData


class ContentFilterError(Wire, tag_field="name", tag="ContentFilterError"):
    data: MessageData


class APIError(Wire, tag_field="name", tag="APIError"):
    data: APIErrorData


class DiskFullData(Wire):
    """``path`` is the file that could not be written."""

    message: str
    path: str


class DiskFullError(Wire, tag_field="name", tag="DiskFullError"):
    """Ostler's addition: what the turn had to store found no room."""

    data: DiskFullData


MessageError = (
    ProviderAuthError
    | UnknownError
    | MessageOutputLengthError
    | MessageAbortedError
    | StructuredOutputError
    | ContextOverflowError
    | ContentFilterError
    | APIError
    | BudgetExceededError
    | DiskFullError
)


def unknown_error(message: str) -> UnknownError:
    return UnknownError(data=UnknownData(message=message))


def aborted_error(message: str = "Aborted") -> MessageAbortedError:
    return MessageAbortedError(data=MessageData(message=message))


def error_message(error: MessageError) -> str:
    """The sentence a person reads: the error's own message, or its name where it has none."""
    return getattr(error.data, "message", "") or type(error).__name__


# ── exceptions ────────────────────────────────────────────────────────────────────────────────


class OstlerError(Exception):
    """The root: whatever Ostler raises on purpose."""


class RequestError(OstlerError):
    """A caller's mistake. ``status`` is the HTTP status, ``body()`` the JSON answer."""

    status: ClassVar[int] = 400

    def body(self) -> dict[str, Any]:
        return {"name": type(self).__name__, "data": {"message": str(self)}}


class BadRequest(RequestError):
    """``kind`` says which part of the request: Params, Headers, Query, Body or Payload."""

    def __init__(self, message: str, kind: str = "Payload") -> None:
        super().__init__(message)
        self.kind = kind

    def body(self) -> dict[str, Any]:
        message = str(self)
        if len(message) > 1024:
            message = f"{message[:1024]}… ({len(message) - 1024} more chars)"
        return {"name": "BadRequest", "data": {"message": message, "kind": self.kind}}


class NotFound(RequestError):
    """No such session, message, part, model, agent, command or file."""

    status = 404

    def body(self) -> dict[str, Any]:
        return {"name": "NotFoundError", "data": {"message": str(self)}}


class TaggedNotFound(RequestError):
    """404 in the reference's tagged dialect, e.g. ``TaggedNotFound("Pty", "ptyID", id)``."""

    status = 404

    def __init__(self, noun: str, field: str, value: str) -> None:
        super().__init__(f"{noun} not found: {value}")
        self.tag, self.field, self.value = f"{noun}NotFoundError", field, value

    def body(self) -> dict[str, Any]:
        return {"_tag": self.tag, self.field: self.value, "message": str(self)}


class SessionBusy(RequestError):
    """The operation needs an idle session."""

    status = 409

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session is busy: {session_id}")
        self.session_id = session_id

    def body(self) -> dict[str, Any]:
        return {"_tag": "SessionBusyError", "sessionID": self.session_id, "message": str(self)}


class Forbidden(RequestError):
    """The caller may not do this, e.g. ``Forbidden("PtyForbiddenError", "Invalid ticket")``."""

    status = 403

    def __init__(self, tag: str, message: str) -> None:
        super().__init__(message)
        self.tag = tag

    def body(self) -> dict[str, Any]:
        return {"_tag": self.tag, "message": str(self)}


class McpUnsupportedOAuth(RequestError):
    """A sign-in was asked for where there is none."""

    def __init__(self, name: str) -> None:
        super().__init__(f"MCP server {name} does not support OAuth")

    def body(self) -> dict[str, Any]:
        return {"error": str(self)}


class DomainError(RequestError):
    """A refusal with a name, e.g. ``DomainError("VcsApplyError", "…", reason="non-git")``."""

    def __init__(self, name: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.name, self.data = name, data

    def body(self) -> dict[str, Any]:
        return {"name": self.name, "data": {"message": str(self), **self.data}}


class StoreBusy(RequestError):
    """Another process held the database for longer than the store waits."""

    status = 503


class DiskLow(RequestError):
    """A new turn was refused: the file system of ``path`` has ``free`` bytes, and fewer than
    ``needed``."""

    status = 507

    def __init__(self, path: str, free: int, needed: int) -> None:
        super().__init__(
            f"The disk is nearly full: {path} has {_megabytes(free)} free, a turn is begun with "
            f"{_megabytes(needed)} or more (disk.free in opencode.json). Make room: "
            "`ostler db size` shows what takes it, `ostler db vacuum` gives back what is not needed"
        )
        self.path, self.free, self.needed = path, free, needed

    def body(self) -> dict[str, Any]:
        data = {"path": self.path, "free": self.free, "needed": self.needed}
        return {"name": "DiskLowError", "data": {"message": str(self), **data}}


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


class ConfigError(RequestError):
    """The configuration cannot be used. ``data`` always has ``path``, the file."""

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.data = data

    def body(self) -> dict[str, Any]:
        return {"name": type(self).__name__, "data": {"message": str(self), **self.data}}


class ConfigJsonError(ConfigError):
    """The file is not JSON with comments; the message gives line and column."""


class ConfigInvalidError(ConfigError):
    """Valid JSON, wrong shape. ``issues``: [{message, path: [keys]}]."""

    def __init__(self, message: str, path: str, issues: Sequence[dict[str, Any]] = ()) -> None:
        data: dict[str, Any] = {"path": path}
        if issues:
            data["issues"] = list(issues)
        super().__init__(message, **data)


class ConfigFrontmatterError(ConfigError):
    """The front matter of an agent, command or skill file."""


class ConfigDirectoryTypoError(ConfigError):
    """A folder of a configuration directory has a name that looks like a typing mistake."""


class StoreFailure(OstlerError):
    """The database cannot be used: damaged, written by a newer version, or not to be written."""

    status: ClassVar[int] = 500

    def body(self) -> dict[str, Any]:
        return {"name": "StoreFailure", "data": {"message": str(self)}}

    def error(self) -> MessageError:
        """As it is told of a turn that it ended."""
        return unknown_error(str(self))


class DiskFull(StoreFailure):
    """The file system of ``path`` had no room for a change. Nothing stored before is harmed."""

    status = 507

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"The disk is full: {path} could not be written ({reason}). What was stored before is "
            "unharmed. Make room: `ostler db size` shows what takes it"
        )
        self.path = path

    def body(self) -> dict[str, Any]:
        return {"name": "DiskFullError", "data": {"message": str(self), "path": self.path}}

    def error(self) -> MessageError:
        return DiskFullError(data=DiskFullData(message=str(self), path=self.path))


class TurnError(OstlerError):
    """Ends the turn; ``error`` goes on the assistant message and into ``session.error``."""

    def __init__(self, error: MessageError) -> None:
        super().__init__(error_message(error))
        self.error = error


class ToolError(OstlerError):
    """A tool failed; the text is the tool part's ``error`` and what the model reads."""


class PermissionDenied(ToolError):
    """A rule denies the call."""


class PermissionRejected(ToolError):
    """A person or a policy said no. Ends the turn after the step unless configured otherwise."""

    def __init__(
        self, message: str = "The user rejected permission to use this specific tool call."
    ) -> None:
        super().__init__(message)


class PermissionCorrected(ToolError):
    """A no with a reason: the model reads it and goes on."""

    def __init__(self, feedback: str) -> None:
        super().__init__(
            "The user rejected permission to use this specific tool call "
            f"with the following feedback: {feedback}"
        )


class QuestionRejected(ToolError):
    """The question was dismissed. Ends the turn after the step, like a rejection."""

    def __init__(self, message: str = "The user dismissed this question") -> None:
        super().__init__(message)
