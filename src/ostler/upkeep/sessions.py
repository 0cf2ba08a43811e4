"""Retention carried out: what is the user's goes only where the user said so.

The order is that of value: what no model is shown any more, then what was put away, then whole
sessions, from the oldest on.
"""

import logging
from functools import partial
from typing import Protocol

import msgspec

from ostler import ids
from ostler.schema.config import MEGABYTE, RetentionConfig
from ostler.schema.errors import NotFound
from ostler.schema.part import ToolPart, ToolStateCompleted
from ostler.schema.session import Session
from ostler.store import Store
from ostler.store import retention as questions
from ostler.store.bites import in_bites
from ostler.store.reader import ask
from ostler.store.retention import LEAST_AGE_MS, OldOutput
from ostler.store.space import space

CLEARED = "[Old tool result content cleared]"
"""In place of a result, as models are shown one that was pruned (OpenCode 1.18)."""
DAY_MS = 86_400_000

log = logging.getLogger("ostler.retention")


class Users(Protocol):
    """Who works with sessions in this process."""

    def is_busy(self, session_id: str) -> bool: ...

    def forget(self, session_id: str) -> None: ...


class Nobody:
    def is_busy(self, session_id: str) -> bool:
        return False

    def forget(self, session_id: str) -> None:
        return None


class Freed(msgspec.Struct):
    sessions: int = 0
    outputs: int = 0


class Retention:
    def __init__(self, store: Store, users: Users, now: int | None = None) -> None:
        self._store, self._users = store, users
        self._now = ids.now_ms() if now is None else now
        self.freed = Freed()

    async def apply(self, config: RetentionConfig) -> Freed:
        """What was freed, which ``freed`` is as it goes on. Raises StoreFailure."""
        if config.output_days is not None:
            await self._clear_outputs(self._days_ago(config.output_days))
        if config.archived_days is not None:
            await self._delete(self._days_ago(1), self._days_ago(config.archived_days))
        if config.days is not None:
            await self._delete(self._days_ago(config.days))
        if config.size is not None:
            await self._shrink(config.size * MEGABYTE)
        return self.freed

    def _days_ago(self, days: int) -> int:
        return self._now - days * DAY_MS

    # ── outputs ──────────────────────────────────────────────────────────────────────────────

    async def _clear_outputs(self, before: int, excess: int | None = None) -> None:
        """Those in sessions that nothing has happened in since; with ``excess`` only as many as
        come to so many bytes."""
        question = partial(questions.outputs_not_shown, before=before)
        found = await ask(self._store.db, question)
        if excess is not None:
            found = _as_many_as(found, excess)
        left = found[::-1]

        def bite(count: int) -> int:
            done = 0
            while left and done < count:
                self._clear(left.pop())
                done += 1
            self._store.commit()
            return done

        await in_bites(bite)

    def _clear(self, output: OldOutput) -> None:
        if self._users.is_busy(output.session):
            return
        try:
            message = self._store.messages.get(output.session, output.message)
        except NotFound:
            return
        part = next((p for p in message.parts if p.id == output.part), None)
        if not isinstance(part, ToolPart) or not isinstance(part.state, ToolStateCompleted):
            return
        time = part.state.time
        state = msgspec.structs.replace(
            part.state,
            output=CLEARED,
            attachments=None,
            metadata={k: v for k, v in part.state.metadata.items() if not _is_long(v)},
            time=msgspec.structs.replace(time, compacted=time.compacted or self._now),
        )
        self._store.messages.save_part(msgspec.structs.replace(part, state=state))
        self.freed.outputs += 1

    # ── sessions ─────────────────────────────────────────────────────────────────────────────

    async def _delete(self, before: int, archived_before: int | None = None) -> None:
        question = partial(questions.idle_families, before=before, archived_before=archived_before)
        for session_id in await ask(self._store.db, question):
            await self._delete_family(session_id, before)

    async def _delete_family(self, session_id: str, before: int) -> None:
        """Unless something has happened in it meanwhile. Who follows events hears of it at once;
        the messages go bite by bite."""
        try:
            family = self._family(self._store.sessions.get(session_id))
        except NotFound:
            return
        if any(self._is_needed(session, before) for session in family):
            return
        places = [self._store.sessions.known(s.id).seq for s in family]
        self._store.sessions.delete(session_id, contents=False)
        self._store.commit()
        for session in family:
            self._users.forget(session.id)
        self.freed.sessions += len(family)
        for place in places:
            await in_bites(partial(questions.sweep, self._store.db, place))

    def _family(self, session: Session) -> list[Session]:
        children = self._store.sessions.children(session.id)
        return [session, *(each for child in children for each in self._family(child))]

    def _is_needed(self, session: Session, before: int) -> bool:
        return (
            session.time.updated >= before
            or session.share is not None
            or self._users.is_busy(session.id)
            or self._store.turns.is_running(session.id)
        )

    async def _shrink(self, limit: int) -> None:
        before = self._now - LEAST_AGE_MS
        excess = space(self._store.db).used - limit
        if excess > 0:
            await self._clear_outputs(before, excess)
        if space(self._store.db).used <= limit:
            return
        families = await ask(self._store.db, partial(questions.families_by_value, before=before))
        for family in families:
            if space(self._store.db).used <= limit:
                return
            await self._delete_family(family.id, before)
        used = space(self._store.db).used
        if used > limit:
            log.warning(
                "the database holds %d MB and should hold %d (retention.size): what is left was"
                " used in the last day, is at work or is shared",
                *(used // MEGABYTE, limit // MEGABYTE),
            )


def _as_many_as(outputs: list[OldOutput], excess: int) -> list[OldOutput]:
    chosen = []
    for output in outputs:
        if excess <= 0:
            break
        chosen.append(output)
        excess -= output.size
    return chosen


def _is_long(value: object) -> bool:
    return len(msgspec.json.encode(value)) > questions.WORTH
