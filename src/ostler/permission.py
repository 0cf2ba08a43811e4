"""Permissions: rules that decide, and requests that wait for somebody to decide.

Rules are ordered and the last match wins; nothing matching means ask (OpenCode 1.18). A request
that waits is answered by a person (``reply``), by the session's unattended policy, or by its
deadline; each outcome is a return or a typed ToolError.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec

from ostler import ids
from ostler.schema.errors import (
    PermissionCorrected,
    PermissionDenied,
    PermissionRejected,
    TaggedNotFound,
    ToolError,
)
from ostler.schema.permission import (
    PermissionAction,
    PermissionReply,
    PermissionRequest,
    PermissionRule,
    PermissionTool,
)
from ostler.schema.session import Unattended

UNATTENDED_MESSAGE = (
    "Nobody is attending this session, so permission was refused by policy. "
    "Continue without this action, or explain what you would need it for."
)
DEFAULT_DEADLINE = 24 * 3600.0
"""Seconds an unanswered request waits before it counts as rejected."""

ALLOW_ALL = PermissionRule(permission="*", pattern="*", action="allow")

_TOOL_PERMISSION = {
    "write": "edit",
    "apply_patch": "edit",
    "list_mcp_resources": "read",
    "list_mcp_resource_templates": "read",
    "read_mcp_resource": "read",
}


# ── rules ─────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    pattern = pattern.replace("\\", "/")
    optional_tail = pattern.endswith(" *")
    body = pattern[:-2] if optional_tail else pattern
    regex = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in body)
    return re.compile(regex + ("( .*)?" if optional_tail else ""), re.DOTALL)


def matches(text: str, pattern: str) -> bool:
    """Whether the whole text matches: ``*`` any string, ``?`` one character, the rest literal,
    a trailing `` *`` optional (``ls *`` matches ``ls``). Backslashes count as slashes."""
    return _wildcard(pattern).fullmatch(text.replace("\\", "/")) is not None


def evaluate(permission: str, pattern: str, *rulesets: Sequence[PermissionRule]) -> PermissionRule:
    """The last rule of the last ruleset that matches; an ``ask`` rule when none does."""
    for rules in reversed(rulesets):
        for rule in reversed(rules):
            if matches(permission, rule.permission) and matches(pattern, rule.pattern):
                return rule
    return PermissionRule(permission=permission, pattern="*", action="ask")


def tool_permission(tool: str) -> str:
    """The permission a tool asks: ``edit`` for write and apply_patch, else the tool's own id."""
    return _TOOL_PERMISSION.get(tool, tool)


def hidden(tool: str, *rulesets: Sequence[PermissionRule]) -> bool:
    """Whether a tool is not even offered: its last rule denies everything."""
    permission = tool_permission(tool)
    for rules in reversed(rulesets):
        for rule in reversed(rules):
            if matches(permission, rule.permission):
                return rule.action == "deny" and rule.pattern == "*"
    return False


def expand_home(pattern: str) -> str:
    """``~``, ``~/x``, ``$HOME`` and ``$HOME/x`` at the start become the home directory."""
    home = os.environ.get("OPENCODE_TEST_HOME") or os.path.expanduser("~")
    for prefix in ("~", "$HOME"):
        if pattern == prefix:
            return home
        if pattern.startswith(prefix + "/"):
            return home + pattern[len(prefix) :]
    return pattern


def rules_from_config(config: str | Mapping[str, Any] | None) -> list[PermissionRule]:
    """``"allow"``, ``{"bash": "ask"}`` or ``{"bash": {"git *": "allow"}}`` as ordered rules."""
    if config is None:
        return []
    if isinstance(config, str):
        config = {"*": config}
    rules: list[PermissionRule] = []
    for permission, value in config.items():
        entries: Mapping[str, Any] = {"*": value} if isinstance(value, str) else value
        for pattern, action in entries.items():
            rules.append(
                PermissionRule(permission=permission, pattern=expand_home(pattern), action=action)
            )
    return rules


def inherited(parent: Iterable[PermissionRule]) -> list[PermissionRule]:
    """What a subagent's session takes over: its parent's denials and external_directory rules."""
    return [r for r in parent if r.action == "deny" or r.permission == "external_directory"]


# ── requests ──────────────────────────────────────────────────────────────────────────────────

Outcome = tuple[PermissionReply, str | None]
AskedHook = Callable[[PermissionRequest], None]
Judge = Callable[[PermissionRequest], Awaitable[bool]]
RepliedHook = Callable[[PermissionRequest, PermissionReply], None]


class _Pending(msgspec.Struct):
    request: PermissionRequest
    answer: "asyncio.Future[Outcome]"


class Permissions:
    """The requests of one directory that wait, and what "always" has remembered there.

    ``asked`` and ``replied`` are called as requests come and go (the runtime publishes events);
    ``judge`` may permit what would be asked (True), or raise PermissionDenied.
    """

    def __init__(
        self,
        asked: AskedHook,
        replied: RepliedHook,
        deadline: float = DEFAULT_DEADLINE,
        judge: Judge | None = None,
    ) -> None:
        self._asked, self._replied = asked, replied
        self._judge, self._deadline = judge, deadline
        self._pending: dict[str, _Pending] = {}
        self.approved: list[PermissionRule] = []

    def pending(self) -> list[PermissionRequest]:
        return [p.request for p in self._pending.values()]

    async def ask(
        self,
        *,
        session_id: str,
        permission: str,
        patterns: Sequence[str],
        always: Sequence[str],
        metadata: dict[str, Any],
        rules: Sequence[PermissionRule],
        ancestors: Sequence[Sequence[PermissionRule]] = (),
        tool: PermissionTool | None = None,
        unattended: Unattended | None = None,
    ) -> None:
        """Return when the call may go on.

        ``rules`` are the agent's then the session's; what "always" remembered comes after them.
        ``ancestors`` are the rules of each session above this one: what one of them denies is
        denied here too, whatever ``rules`` say.

        Raises PermissionDenied (by rule), PermissionRejected or PermissionCorrected.
        """
        for above in ancestors:
            if self._decide(permission, patterns, above) == "deny":
                raise PermissionDenied(_denial(above, permission))
        action = self._decide(permission, patterns, rules)
        if action == "allow":
            return
        if action == "deny":
            raise PermissionDenied(_denial(rules, permission))
        request = PermissionRequest(
            id=ids.new("per"),
            sessionID=session_id,
            permission=permission,
            patterns=list(patterns),
            metadata=metadata,
            always=list(always),
            tool=tool,
        )
        if self._judge is not None and await self._judge(request):
            return
        if unattended is not None:
            if unattended.permission == "allow":
                return
            raise PermissionCorrected(unattended.message or UNATTENDED_MESSAGE)
        reply, message = await self._wait(request)
        if reply == "reject":
            raise PermissionCorrected(message) if message else PermissionRejected()

    def reply(self, request_id: str, reply: PermissionReply, message: str | None = None) -> None:
        """Answer a waiting request. "always" also releases the session's other requests it covers;
        "reject" rejects all the session's other requests. Raises TaggedNotFound."""
        found = self._pending.get(request_id)
        if found is None:
            raise TaggedNotFound("Permission", "requestID", request_id)
        self._settle(found, reply, message)
        session = found.request.sessionID
        others = [p for p in self._pending.values() if p.request.sessionID == session]
        if reply == "reject":
            for other in others:
                self._settle(other, "reject", None)
        if reply == "always":
            for pattern in found.request.always:
                self.approved.append(
                    PermissionRule(
                        permission=found.request.permission, pattern=pattern, action="allow"
                    )
                )
            for other in others:
                if self._approves(other.request):
                    self._settle(other, "always", None)

    def reject_session(self, session_id: str) -> None:
        """Reject whatever waits in a session that is being aborted or deleted."""
        for pending in list(self._pending.values()):
            if pending.request.sessionID == session_id:
                self._settle(pending, "reject", None)

    def close(self) -> None:
        """Reject everything: the instance is going away."""
        for pending in list(self._pending.values()):
            self._settle(pending, "reject", None)

    def _decide(
        self,
        permission: str,
        patterns: Sequence[str],
        rules: Sequence[PermissionRule],
    ) -> PermissionAction:
        actions: set[Literal["allow", "deny", "ask"]] = {
            evaluate(permission, pattern, rules, self.approved).action for pattern in patterns
        }
        if "deny" in actions:
            return "deny"
        return "ask" if "ask" in actions else "allow"

    def _approves(self, request: PermissionRequest) -> bool:
        return all(
            evaluate(request.permission, pattern, self.approved).action == "allow"
            for pattern in request.patterns
        )

    async def _wait(self, request: PermissionRequest) -> Outcome:
        pending = _Pending(request, asyncio.get_running_loop().create_future())
        self._pending[request.id] = pending
        self._asked(request)
        try:
            async with asyncio.timeout(self._deadline):
                return await pending.answer
        except TimeoutError:
            self._settle(pending, "reject", None)
            raise ToolError(
                f"Nobody answered the permission request within {self._deadline:.0f} s; "
                "it counts as rejected."
            ) from None
        except asyncio.CancelledError:
            self._settle(pending, "reject", None)
            raise

    def _settle(self, pending: _Pending, reply: PermissionReply, message: str | None) -> None:
        if self._pending.pop(pending.request.id, None) is None:
            return
        if not pending.answer.done():
            pending.answer.set_result((reply, message))
        self._replied(pending.request, reply)


def _denial(rules: Sequence[PermissionRule], permission: str) -> str:
    relevant = [
        {"permission": r.permission, "action": r.action, "pattern": r.pattern}
        for r in rules
        if matches(permission, r.permission)
    ]
    return (
        "The user has specified a rule which prevents you from using this specific tool call. "
        "Here are some of the relevant rules " + json.dumps(relevant, separators=(",", ":"))
    )
