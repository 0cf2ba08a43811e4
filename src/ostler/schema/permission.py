"""Permission rules and requests. Evaluation lives in ``ostler.permission``."""

from typing import Literal

from ostler.schema.base import JsonObject, MessageID, PermissionID, SessionID, Wire

PermissionAction = Literal["allow", "deny", "ask"]
PermissionReply = Literal["once", "always", "reject"]


class PermissionRule(Wire):
    permission: str
    pattern: str
    action: PermissionAction


PermissionRuleset = list[PermissionRule]


class PermissionTool(Wire):
    messageID: MessageID
    callID: str


class PermissionRequest(Wire):
    """What waits for an answer: every pattern of the call, and what "always" would remember."""

    id: PermissionID
    sessionID: SessionID
    permission: str
    patterns: list[str]
    metadata: JsonObject
    always: list[str]
    tool: PermissionTool | None = None


class PermissionReplyInput(Wire):
    reply: PermissionReply
    message: str | None = None


class PermissionRespondInput(Wire):
    """Body of the older route ``POST /session/{id}/permissions/{permissionID}``."""

    response: PermissionReply
    message: str | None = None
