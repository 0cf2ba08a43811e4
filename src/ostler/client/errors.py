"""Every error the client raises, in one tree.

ClientError
├── Unreachable          no connection, or it broke before the answer was there
├── DeadlineExceeded     no answer in time
├── InvalidAnswer        an answer that is not what the API says
└── ApiError             the server refused: ``status``, ``name``, ``message``, ``body``
    ├── InvalidRequest   400 and other 4xx: the caller's mistake
    ├── Unauthorized     401, 403: the password is missing or wrong
    ├── NotFound         404
    ├── Conflict         409: the session is busy
    └── ServerFailure    5xx
"""

from typing import Any

from ostler.schema.errors import OstlerError


class ClientError(OstlerError):
    """The root: whatever a call can fail with, but for a caller's ValueError."""


class Unreachable(ClientError):
    """``sent``: the request may have arrived, and what it asks for may be done."""

    def __init__(self, message: str, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class DeadlineExceeded(ClientError):
    """``seconds``: how long was waited. What was asked for may be done, or go on."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class InvalidAnswer(ClientError):
    """``body``: what came, as text, its beginning where it is long."""

    def __init__(self, message: str, body: str = "") -> None:
        super().__init__(message)
        self.body = body


class ApiError(ClientError):
    """The server's refusal. ``name`` is its ``name`` or ``_tag`` ("NotFoundError"), empty where it
    gives none; ``message`` its sentence; ``body`` the decoded JSON, or the text."""

    def __init__(self, status: int, name: str, message: str, body: Any, what: str) -> None:
        super().__init__(f"{what}: {status}: {message}")
        self.status, self.name, self.message, self.body = status, name, message, body


class InvalidRequest(ApiError):
    """The caller's mistake."""


class Unauthorized(ApiError):
    """The password is missing or wrong."""


class NotFound(ApiError):
    """No such session, message, file, …"""


class Conflict(ApiError):
    """The session is busy."""


class ServerFailure(ApiError):
    """The server's own failure. The original also answers so to an agent or model it lacks."""


def refusal(status: int, body: Any, what: str) -> ApiError:
    """The error for a status of 300 and above; ``what`` was asked, for the message."""
    kind = _KINDS.get(status) or (ServerFailure if status >= 500 else InvalidRequest)
    name = message = ""
    if isinstance(body, dict):
        data = body.get("data")
        data = data if isinstance(data, dict) else {}
        name = str(body.get("name") or body.get("_tag") or "")
        message = str(data.get("message") or body.get("message") or body.get("error") or "")
    elif isinstance(body, str):
        message = body.strip()
    if not message:
        message = "the server asks for a password" if status == 401 else name or "refused"
    return kind(status, name, message[:1024], body, what)


_KINDS = {401: Unauthorized, 403: Unauthorized, 404: NotFound, 409: Conflict}
