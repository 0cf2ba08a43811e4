"""From the event bus to the editor: what goes on in its sessions, and what waits for its person."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from ostler.acp import updates
from ostler.acp.rpc import Connection, RpcError
from ostler.events import Batch, Event
from ostler.runtime import Runtime
from ostler.schema.errors import NotFound, RequestError
from ostler.schema.event import (
    MessagePartDelta,
    MessagePartUpdated,
    PermissionAsked,
    PermissionReplied,
    SessionUpdated,
    TodoUpdated,
)
from ostler.schema.message import AssistantMessage
from ostler.schema.part import Part, ReasoningPart, TextPart, ToolPart, ToolStatePending
from ostler.schema.permission import PermissionReply, PermissionRequest

log = logging.getLogger("ostler.acp")
Json = dict[str, Any]
_REPLIES: dict[str, PermissionReply] = {"once": "once", "always": "always"}


class _Seen(msgspec.Struct):
    """A part of the turn that goes on. ``told``: the editor knows of it."""

    kind: str
    told: bool = False


class Follower:
    """``is_open`` says which sessions the editor has; asks of sessions below them are put to it as
    well, under the open session's id."""

    def __init__(
        self, runtime: Runtime, connection: Connection, is_open: Callable[[str], bool]
    ) -> None:
        self._runtime, self._connection, self._is_open = runtime, connection, is_open
        self._subscription = runtime.bus.subscribe()
        self._seen: dict[str, dict[str, _Seen]] = {}
        self._titles: dict[str, str] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled. A slow editor holds this up, not the turn."""
        try:
            while True:
                self._take(await self._subscription.next())
                await self._connection.drain()
        finally:
            self._subscription.close()
            for task in self._asking.values():
                task.cancel()

    def begin(self, session_id: str, title: str) -> None:
        """A session was opened, under a title the editor knows."""
        self._titles[session_id] = title

    def end(self, session_id: str) -> None:
        """It was closed."""
        self._titles.pop(session_id, None)
        self._seen.pop(session_id, None)

    def catch_up(self) -> None:
        """Tell everything that happened so far."""
        self._runtime.store.commit()
        self._take(self._subscription.take())

    def end_turn(self, session_id: str) -> None:
        """What was remembered of its parts is of no more use."""
        self._seen.pop(session_id, None)

    def _take(self, batch: Batch) -> None:
        if batch.dropped:
            log.warning("the editor is too slow: %d events were not told", batch.dropped)
        for event in batch.events:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        properties = event.properties
        if isinstance(properties, PermissionAsked):
            self._ask(properties)
        elif isinstance(properties, PermissionReplied):
            asking = self._asking.pop(properties.requestID, None)
            if asking is not None and asking is not asyncio.current_task():
                asking.cancel()
        elif not self._is_open(getattr(properties, "sessionID", "")):
            return
        elif isinstance(properties, MessagePartDelta):
            self._delta(properties)
        elif isinstance(properties, MessagePartUpdated):
            self._part(properties.part, event.location.directory or "")
        elif isinstance(properties, TodoUpdated):
            self._update(properties.sessionID, updates.plan(properties.todos))
        elif isinstance(properties, SessionUpdated):
            self._title(properties.sessionID, properties.info.title)

    def _update(self, session_id: str, update: Json) -> None:
        self._connection.notify("session/update", {"sessionId": session_id, "update": update})

    def _title(self, session_id: str, title: str) -> None:
        if self._titles.get(session_id) != title:
            self._titles[session_id] = title
            self._update(session_id, {"sessionUpdate": "session_info_update", "title": title})

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _delta(self, delta: MessagePartDelta) -> None:
        seen = self._seen.get(delta.sessionID, {}).get(delta.partID)
        if seen is not None and seen.kind and delta.field == "text":
            seen.told = True
            self._update(delta.sessionID, updates.text(seen.kind, delta.messageID, delta.delta))

    def _part(self, part: Part, directory: str) -> None:
        parts = self._seen.setdefault(part.sessionID, {})
        seen = parts.get(part.id)
        if seen is None:
            seen = parts[part.id] = _Seen(self._kind(part))
        if isinstance(part, ToolPart):
            self._tool(part, seen, directory)
        elif seen.kind and not seen.told and (text := getattr(part, "text", "")):
            seen.told = True  # it came whole, without deltas
            self._update(part.sessionID, updates.text(seen.kind, part.messageID, text))

    def _kind(self, part: Part) -> str:
        """How a part's text is told; empty: not at all, the editor knows what its person wrote."""
        if not isinstance(part, TextPart | ReasoningPart):
            return ""
        if not self._is_answer(part.sessionID, part.messageID):
            return ""
        return "agent_thought" if isinstance(part, ReasoningPart) else "agent_message"

    def _is_answer(self, session_id: str, message_id: str) -> bool:
        try:
            message = self._runtime.store.messages.get(session_id, message_id).info
        except NotFound:
            return False
        return isinstance(message, AssistantMessage)

    def _tool(self, part: ToolPart, seen: "_Seen", directory: str) -> None:
        if not seen.told:
            seen.told = True
            self._update(part.sessionID, updates.tool_call(part, directory))
        if not isinstance(part.state, ToolStatePending):
            self._update(part.sessionID, updates.tool_call_update(part, directory))

    # ── permissions ──────────────────────────────────────────────────────────────────────────

    def _ask(self, asked: PermissionAsked) -> None:
        fields = {k: getattr(asked, k) for k in PermissionRequest.__struct_fields__}
        request = PermissionRequest(**fields)
        root = self._root(request.sessionID)
        if root is not None:
            task = asyncio.create_task(self._put(request, root))
            self._asking[request.id] = task
            task.add_done_callback(lambda _: self._asking.pop(request.id, None))

    def _root(self, session_id: str) -> str | None:
        """The open session that one belongs to."""
        if self._is_open(session_id):
            return session_id
        sessions = self._runtime.store.sessions
        try:
            above = sessions.ancestors(sessions.get(session_id))
        except NotFound:
            return None
        return next((session.id for session in above if self._is_open(session.id)), None)

    async def _put(self, request: PermissionRequest, root: str) -> None:
        """Ask the editor's person. Whatever is no permission is a refusal."""
        call = updates.permission(request, self._call(request))
        params = {"sessionId": root, "toolCall": call, "options": updates.OPTIONS}
        try:
            answer = await self._connection.request("session/request_permission", params)
            reply = _REPLIES.get(_chosen(answer), "reject")
        except RpcError as e:
            log.warning("the editor cannot ask for permission: %s", e)
            reply = "reject"
        instance = await self._runtime.instance_of(request.sessionID)
        try:
            instance.permissions.reply(request.id, reply)
        except RequestError:
            pass  # it was settled meanwhile: an abort, or the deadline

    def _call(self, request: PermissionRequest) -> ToolPart | None:
        """The tool call that asks."""
        if request.tool is None:
            return None
        try:
            message = self._runtime.store.messages.get(request.sessionID, request.tool.messageID)
        except NotFound:
            return None
        calls = [p for p in message.parts if isinstance(p, ToolPart)]
        return next((p for p in calls if p.callID == request.tool.callID), None)


def _chosen(answer: Any) -> str:
    outcome = answer.get("outcome") if isinstance(answer, dict) else None
    if not isinstance(outcome, dict) or outcome.get("outcome") != "selected":
        return ""
    return str(outcome.get("optionId", ""))
