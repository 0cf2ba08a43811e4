"""The turns that run in a directory: at most one a session; whoever asks meanwhile joins it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ostler.engine.history import Histories
from ostler.engine.instance import Instance
from ostler.engine.turn import Turn
from ostler.schema.errors import NotFound, SessionBusy, StoreFailure
from ostler.schema.event import SessionIdle, SessionStatusChanged
from ostler.schema.message import AssistantMessage, MessageWithParts
from ostler.schema.session import SessionStatus, StatusBusy, StatusIdle

CLOSING_SECONDS = 5.0
"""How long running turns get to end when the instance closes."""


class Runs:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._turns: dict[str, Turn] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, asyncio.Event] = {}
        self.histories = Histories(instance.store)

    def status(self, session_id: str) -> SessionStatus:
        turn = self._turns.get(session_id)
        if turn is not None:
            return turn.status
        return StatusBusy() if session_id in self._held else StatusIdle()

    def statuses(self) -> dict[str, SessionStatus]:
        """Of the sessions that are not idle."""
        return {s: self.status(s) for s in [*self._turns, *self._held]}

    def turn(self, session_id: str) -> Turn | None:
        return self._turns.get(session_id)

    def busy(self, session_id: str) -> bool:
        return session_id in self._turns or session_id in self._held

    def start(self, session_id: str) -> "asyncio.Task[None]":
        """Run a turn of the session, or join the one that runs: what is stored by now is answered
        in it. Raises SessionBusy when something else holds the session."""
        task = self._tasks.get(session_id)
        if task is not None:
            return task
        if session_id in self._held or self._instance.store.turns.owner_elsewhere(session_id):
            raise SessionBusy(session_id)
        turn = Turn(self._instance, session_id, self.histories.of(session_id))
        self._turns[session_id] = turn
        task = asyncio.create_task(self._run(turn))
        self._tasks[session_id] = task
        return task

    async def answer(self, session_id: str) -> MessageWithParts:
        """Start or join a turn and wait for its end: the newest assistant message.

        Raises NotFound for the agent or model the prompt named, SessionBusy.
        """
        task = self.start(session_id)
        turn = self._turns[session_id]
        await asyncio.shield(task)
        if turn.failure is not None:
            raise turn.failure
        entries = self.histories.of(session_id).entries
        for entry in reversed(entries):
            if isinstance(entry.message, AssistantMessage):
                return MessageWithParts(info=entry.message, parts=entry.parts)
        raise NotFound(f"No assistant message in session {session_id}")

    async def abort(self, session_id: str) -> None:
        """End the session's turn and its subagents', and wait until they have ended."""
        if session_id in self._held:
            self._held[session_id].set()
        turn, task = self._turns.get(session_id), self._tasks.get(session_id)
        if turn is None or task is None:
            return
        turn.aborted.set()
        self._instance.permissions.reject_session(session_id)
        self._instance.questions.reject_session(session_id)
        for child in list(turn.children):
            await self.abort(child)
        await asyncio.wait((task,))

    def lose(self, failure: StoreFailure) -> None:
        """End every turn: what it did last could not be stored, and what it would do next would
        rest on that."""
        self.histories.clear()
        for turn in self._turns.values():
            turn.lost = failure
            turn.aborted.set()
        for aborted in self._held.values():
            aborted.set()

    @asynccontextmanager
    async def exclusively(
        self, session_id: str, announce: bool = True
    ) -> AsyncIterator[asyncio.Event]:
        """Hold an idle session for something that is no turn; the event is set when it is to be
        aborted. ``announce``: say that it is busy, then idle. Raises SessionBusy."""
        if self.busy(session_id) or self._instance.store.turns.owner_elsewhere(session_id):
            raise SessionBusy(session_id)
        self._held[session_id] = aborted = asyncio.Event()
        if announce:
            self._announce(session_id, StatusBusy())
        try:
            yield aborted
        finally:
            del self._held[session_id]
            if announce:
                self._announce(session_id, StatusIdle())

    async def close(self) -> None:
        """Abort everything."""
        if self._tasks:
            await asyncio.wait(
                [asyncio.ensure_future(self.abort(s)) for s in list(self._tasks)],
                timeout=CLOSING_SECONDS,
            )
        late = list(self._tasks.values())
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _announce(self, session_id: str, status: SessionStatus) -> None:
        instance = self._instance
        instance.bus.publish(
            SessionStatusChanged(sessionID=session_id, status=status), instance.location
        )
        if isinstance(status, StatusIdle):
            instance.bus.publish(SessionIdle(sessionID=session_id), instance.location)

    async def _run(self, turn: Turn) -> None:
        try:
            while True:
                await turn.run()
                if turn.aborted.is_set() or turn.failure or not self._has_more(turn):
                    return
        finally:
            self._turns.pop(turn.session_id, None)
            self._tasks.pop(turn.session_id, None)

    def _has_more(self, turn: Turn) -> bool:
        """Whether a prompt arrived after the turn had looked for the last time."""
        try:
            user = turn.history.refresh().last_user()
        except NotFound:
            return False
        return user is not None and turn.answering is not None and user.seq > turn.answering.seq
