"""Drive a server one task at a time, safely, for scripts and for other agents.

Its rules are code, not advice: a task gets a session of its own; a session's state is looked at
before every send; one that waits to ask its provider again is aborted and never sent to; one that
was used is aborted before it is used again; every send has a deadline, at which the session is
aborted; a server that this driver started and that answers no longer is stopped by process id; what
goes wrong is told with a kind from ``ostler.control.failures``.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from ostler.client import (
    AsyncClient,
    ClientError,
    DeadlineExceeded,
)
from ostler.client.address import checked
from ostler.client.turn import model_ref, prompt_body
from ostler.control import check
from ostler.control.driven import Sessions
from ostler.control.failures import Failure
from ostler.control.gate import state_of
from ostler.control.reports import (
    Created,
    Failed,
    Listed,
    ModelList,
    Report,
    Sent,
    Status,
    Stopped,
    sent_of,
    with_json,
)
from ostler.control.started import Started
from ostler.control.trouble import (
    Refused,
    failure_of_client,
    late,
    pending_failure,
    retry_failure,
)
from ostler.schema.base import JsonObject
from ostler.schema.message import AssistantMessage
from ostler.schema.permission import PermissionRule
from ostler.schema.session import Session, StatusIdle, StatusRetry

SEND_SECONDS = 60.0
POLL_SECONDS = 0.3
_NOBODY_THERE = ("question", "plan_enter", "plan_exit")
"""What a person would have to answer: not offered in a session that is driven."""
_NOTE = "driver"
"""The key of a session's metadata that the driver writes its deadline under."""


class Driver:
    """Of the server that ``client`` names; ``started`` remembers the servers it starts."""

    def __init__(self, client: AsyncClient, started: Started) -> None:
        self._client, self._started = client, started
        self._sessions = Sessions(client, started)
        self._watching: set[asyncio.Task[None]] = set()

    # ── the nine ─────────────────────────────────────────────────────────────────────────────

    async def check(
        self, *, binary: str = "", start: bool = False, stop: bool = False, directory: str = ""
    ) -> Report:
        """Binary, server, providers. ``start`` a server where none answers; ``stop`` the one that
        this driver started."""
        if stop:
            return await check.stop_server(self._client, self._started)
        return await check.check(
            self._client, self._started, binary=binary, start=start, directory=directory
        )

    async def create(
        self, title: str = "", *, agent: str = "", model: str = "", directory: str = ""
    ) -> Report:
        """A fresh session in which nobody is asked anything."""

        async def work() -> Created:
            session = await self._create(title, agent, model, directory)
            return Created(sessionID=session.id, directory=session.directory, title=session.title)

        return await self._told(work)

    async def send(
        self,
        text: str,
        session_id: str = "",
        *,
        model: str = "",
        agent: str = "",
        directory: str = "",
        deadline: float = SEND_SECONDS,
        reuse: bool = False,
        expect_json: bool = False,
    ) -> Report:
        """Send and wait for the answer, ``deadline`` seconds at most. Without a session: in a fresh
        one. ``reuse`` allows one that was used before. Raises ValueError for a deadline that is
        none."""
        checked(deadline)

        async def work() -> Sent:
            session = await self._session_for(session_id, text, agent, model, directory, reuse)
            began = time.monotonic()
            body = _body(text, model, agent)
            try:
                answer = await self._sessions.turn(session, body, deadline)
            except Refused as refused:
                return Sent(
                    sessionID=session.id,
                    seconds=round(time.monotonic() - began, 3),
                    failure=refused.failure,
                )
            sent = sent_of(answer, time.monotonic() - began)
            return with_json(sent) if expect_json and sent.failure is None else sent

        return await self._told(work, session_id)

    async def send_async(
        self,
        text: str,
        session_id: str = "",
        *,
        model: str = "",
        agent: str = "",
        directory: str = "",
        deadline: float = SEND_SECONDS,
        reuse: bool = False,
    ) -> Report:
        """Send, and return once the turn has begun. The deadline holds all the same: Ostler's
        server keeps it, this driver does while it lives, and the next ``status`` does. Raises
        ValueError like ``send``."""
        checked(deadline)

        async def work() -> Sent:
            session = await self._session_for(session_id, text, agent, model, directory, reuse)
            over = time.time() + deadline
            await self._client.session.update(
                session.id,
                metadata={**(session.metadata or {}), _NOTE: {"deadline": int(over * 1000)}},
            )
            body = _body(text, model, agent)
            try:
                await self._sessions.begin(session, {**body, "budget": {"seconds": deadline}})
            except Refused as refused:
                return Sent(sessionID=session.id, failure=refused.failure)
            task = asyncio.create_task(self._keep_deadline(session.id, deadline))
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)
            return Sent(sessionID=session.id)

        return await self._told(work, session_id)

    async def status(self, session_id: str, *, wait: float = 0) -> Report:
        """What a session does, or came to. ``wait``: seconds to wait for it to be idle."""

        async def work() -> Status:
            end = time.monotonic() + wait
            while True:
                status = await self._status(session_id)
                if status.state == "idle" or status.failure or time.monotonic() >= end:
                    return status
                await asyncio.sleep(POLL_SECONDS)

        return await self._told(work, session_id)

    async def abort(self, session_id: str) -> Report:
        """Stop what a session does, and see to it that it has stopped."""

        async def work() -> Stopped:
            await self._sessions.stop(session_id)
            return Stopped(sessionID=session_id)

        return await self._told(work, session_id)

    async def delete(self, session_id: str) -> Report:
        """Stop a session and forget it."""

        async def work() -> Stopped:
            await self._sessions.stop(session_id)
            await self._client.session.delete(session_id)
            return Stopped(sessionID=session_id, deleted=True)

        return await self._told(work, session_id)

    async def sessions(self, *, directory: str = "", limit: int = 50) -> Report:
        """The newest sessions of a project."""

        async def work() -> Listed:
            located = directory or None
            sessions = await self._client.session.list(limit=limit, directory=located)
            states = await self._client.session.status(directory=located)
            return Listed(
                sessions=[
                    {
                        "sessionID": s.id,
                        "title": s.title,
                        "directory": s.directory,
                        "state": state_of(states.get(s.id)),
                        "updated": s.time.updated,
                    }
                    for s in sessions
                ]
            )

        return await self._told(work)

    async def models(self, *, directory: str = "") -> Report:
        """What can be asked."""

        async def work() -> ModelList:
            found = await self._client.config.providers(directory=directory or None)
            names = [f"{p.id}/{name}" for p in found.providers for name in p.models]
            return ModelList(models=sorted(names), default=found.default)

        return await self._told(work)

    async def close(self) -> None:
        """End what it watches; servers go on."""
        for task in self._watching:
            task.cancel()
        if self._watching:
            await asyncio.wait(self._watching)

    # ── sending ──────────────────────────────────────────────────────────────────────────────

    async def _create(self, title: str, agent: str, model: str, directory: str) -> Session:
        chosen = model_ref(model) if model else None
        return await self._client.session.create(
            title=title or None,
            agent=agent or None,
            model={"providerID": chosen.providerID, "id": chosen.modelID} if chosen else None,
            permission=[
                PermissionRule(permission=name, pattern="*", action="deny")
                for name in _NOBODY_THERE
            ],
            unattended=True,
            directory=directory or None,
        )

    async def _session_for(
        self, session_id: str, text: str, agent: str, model: str, directory: str, reuse: bool
    ) -> Session:
        """A session that may be sent to. Raises Refused."""
        if not session_id:
            return await self._create(text.strip()[:50], agent, model, directory)
        session = await self._client.session.get(session_id)
        status = await self._sessions.state_of(session)
        if isinstance(status, StatusRetry):
            await self._sessions.stop(session_id)
            raise Refused(retry_failure(session_id, status, "; it was aborted, nothing was sent"))
        if reuse:
            await self._sessions.stop(session_id)
        elif not isinstance(status, StatusIdle):
            raise Refused(await self._busy_failure(session))
        elif await self._client.session.messages(session_id, limit=1):
            raise Refused(
                Failure(
                    "contract_violation",
                    "the session was used before: send without one for a fresh one, or say reuse",
                    {"sessionID": session_id},
                )
            )
        return session

    async def _keep_deadline(self, session_id: str, deadline: float) -> None:
        await asyncio.sleep(deadline)
        with suppress(ClientError, Refused):
            session = await self._client.session.get(session_id)
            if not isinstance(await self._sessions.state_of(session), StatusIdle):
                await self._sessions.stop(session_id, late(session_id, deadline))

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    async def _status(self, session_id: str) -> Status:
        session = await self._client.session.get(session_id)
        status = await self._sessions.state_of(session)
        if isinstance(status, StatusIdle):
            answer = await self._newest_answer(session_id)
            failure = answer.failure if answer else None
            return Status(sessionID=session_id, state="idle", answer=answer, failure=failure)
        over = _deadline_of(session)
        if over is not None and time.time() * 1000 > over:
            failure = Failure(
                "timeout",
                "the session's deadline has passed; it was aborted",
                {"sessionID": session_id, "deadline": over},
            )
            await self._sessions.stop(session_id, failure)
            return Status(sessionID=session_id, state="idle", failure=failure)
        if isinstance(status, StatusRetry):
            return Status(
                sessionID=session_id,
                state="retry",
                attempt=status.attempt,
                next=int(status.next),
                message=status.message,
                failure=retry_failure(session_id, status, ""),
            )
        pending = await self._sessions.pending(session)
        return Status(
            sessionID=session_id,
            state="busy",
            pending=[msgspec.to_builtins(p) for p in pending],
            failure=pending_failure(pending[0]) if pending else None,
        )

    async def _newest_answer(self, session_id: str) -> Sent | None:
        for message in await self._client.session.messages(session_id, limit=1):
            if isinstance(message.info, AssistantMessage):
                return sent_of(message, None)
            failure = Failure(
                "stuck",
                "the session is idle, and its newest prompt has no answer",
                {"sessionID": session_id, "messageID": message.info.id},
            )
            return Sent(sessionID=session_id, failure=failure)
        return None

    async def _busy_failure(self, session: Session) -> Failure:
        pending = await self._sessions.pending(session)
        if pending:
            return pending_failure(pending[0])
        return Failure(
            "contract_violation",
            "the session works on another prompt; nothing was sent: abort it, or say reuse",
            {"sessionID": session.id},
        )

    async def _told(self, work: Callable[[], Awaitable[Report]], session_id: str = "") -> Report:
        """Every failure is an answer."""
        try:
            return await work()
        except Refused as e:
            return Failed(failure=e.failure, sessionID=session_id or None)
        except ClientError as e:
            failure = failure_of_client(e)
            if isinstance(e, DeadlineExceeded) and not await check.answers(self._client):
                failure = await self._sessions.wedged(session_id, failure)
            return Failed(failure=failure, sessionID=session_id or None)


def _body(text: str, model: str, agent: str) -> JsonObject:
    return prompt_body(text, model or None, {"agent": agent or None})


def _deadline_of(session: Session) -> int | None:
    note = (session.metadata or {}).get(_NOTE)
    deadline = note.get("deadline") if isinstance(note, dict) else None
    return deadline if isinstance(deadline, int) else None
