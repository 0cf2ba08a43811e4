"""A turn: from a stored prompt to the model's last word.

    store the prompt -> step, step, … until the model stops asking for tools -> idle

Prompts that arrive while it runs are stored and answered in the same turn, in server order.
"""

import asyncio
import logging
import time
from typing import Any

import msgspec

from ostler.engine import budget, compaction, pruning, subagents, summary, titles
from ostler.engine.abort import Aborted
from ostler.engine.calls import permission_rules
from ostler.engine.history import Entry, History
from ostler.engine.instance import Instance
from ostler.engine.routes import Route
from ostler.engine.snapshots import TurnSnapshots
from ostler.engine.step import run_step
from ostler.engine.tokens import overflows
from ostler.schema.agent import Agent
from ostler.schema.config import CompactionConfig
from ostler.schema.errors import (
    MessageError,
    NotFound,
    OstlerError,
    StoreFailure,
    TurnError,
    unknown_error,
)
from ostler.schema.event import SessionErrored, SessionIdle, SessionStatusChanged
from ostler.schema.message import AssistantMessage, UserMessage
from ostler.schema.part import (
    CompactionPart,
    SubtaskPart,
    ToolPart,
    ToolStatePending,
    ToolStateRunning,
)
from ostler.schema.permission import PermissionRule
from ostler.schema.session import (
    NO_TOKENS,
    Session,
    SessionSpend,
    SessionStatus,
    StatusBusy,
    StatusIdle,
    Tokens,
    add_tokens,
)

log = logging.getLogger(__name__)

REPEATS = 3
"""Identical calls in a row that look like a loop."""


class Turn:
    """``aborted`` ends it; ``children`` are sessions of subagents at work for it; ``answering`` is
    the prompt it looked at last; ``overflowed``: the provider said the context is too long;
    ``just_compacted``: it was compacted for that, and no step has ended well since; ``routes``: by
    agent and model, which model is asked in place of it; ``lost``: what it did could not be
    stored."""

    def __init__(self, instance: Instance, session_id: str, history: History) -> None:
        self.instance, self.session_id, self.history = instance, session_id, history
        self.aborted = asyncio.Event()
        self.status: SessionStatus = StatusIdle()
        self.children: set[str] = set()
        self.snapshots = TurnSnapshots(instance.snapshots)
        self.shown_instructions: set[str] = set()
        self.failure: OstlerError | None = None
        self.lost: StoreFailure | None = None
        self.answering: Entry | None = None
        self.overflowed = False
        self.just_compacted = False
        self.allowance: budget.Allowance | None = None
        self.allowed_for = ""
        self.began = time.monotonic()
        self.seconds_before = 0.0
        self.routes: dict[tuple[str, str, str], Route] = {}
        self._recent_calls: list[tuple[str, bytes]] = []

    async def run(self) -> None:
        """Run to the end. Never raises but on cancellation; ``failure`` is what a caller did
        wrong (an unknown agent or model), everything else is on the messages."""
        try:
            self.instance.store.turns.begin(self.session_id)
            granted = self.session().budget
            self.began = time.monotonic()
            self.seconds_before = granted.spent.seconds if granted else 0
            await self._loop()
        except Aborted as e:
            self.report(self.lost.error() if self.lost else e.error)
        except StoreFailure as e:
            self.failure = self.lost or e
            self.report(e.error())
        except NotFound as e:
            self.failure = e
            self.report(unknown_error(str(e)))
        except TurnError as e:
            self.report(e.error)
        except Exception as e:
            log.exception("turn of %s failed", self.session_id)
            self.report(unknown_error(f"{type(e).__name__}: {e}"))
        await self.snapshots.close()
        await self._finish()

    async def _loop(self) -> None:
        number = 0
        while True:
            if self.aborted.is_set():
                raise Aborted
            self.set_status(StatusBusy())
            user, last = self._newest()
            if user is None:
                return
            await self._answer_next(user)
            if _answered(user, last):
                return
            assert isinstance(user.message, UserMessage)
            number += 1
            if number == 1:
                titles.start(self, user.message)
            elif number == 2:
                await summary.summarise(self, user.message.id)  # what is done so far can be seen
            outcome = await self._pass(user, last, number)
            if outcome == "stop":
                return
            if outcome == "compact":
                compaction.request(self, user.message)

    async def _answer_next(self, user: Entry) -> None:
        """Turn to the newest prompt; what the one before it came to is summed up."""
        before, self.answering = self.answering, user
        if before is not None and before.message.id != user.message.id:
            await summary.summarise(self, before.message.id)

    async def _pass(self, user: Entry, last: Entry | None, number: int) -> str:
        """What is pending first, else a step."""
        assert isinstance(user.message, UserMessage)
        budget.allow(self, user)
        mark = next((p for p in user.parts if isinstance(p, CompactionPart)), None)
        if mark is not None:
            return await compaction.run(self, user, mark)
        subtask = next((p for p in user.parts if isinstance(p, SubtaskPart)), None)
        if subtask is not None and not _has_answer(self.history, user.message.id):
            return await subagents.run_requested(self, user.message, subtask)
        if self._is_full(last):
            return "compact"
        return await run_step(self, user.message, number)

    def _newest(self) -> tuple[Entry | None, Entry | None]:
        """The newest user message and the newest assistant message, in server order."""
        self.history.refresh()
        user = self.history.last_user()
        last = next(
            (e for e in reversed(self.history.entries) if isinstance(e.message, AssistantMessage)),
            None,
        )
        return user, last

    def _is_full(self, last: Entry | None) -> bool:
        """Whether the newest finished answer says the context is used up."""
        if last is None or not isinstance(last.message, AssistantMessage):
            return False
        message = last.message
        if message.summary or not message.finish:
            return False
        try:
            model = self.instance.models.get(message.providerID, message.modelID)
        except NotFound:
            return False
        config = self.instance.config.compaction or CompactionConfig()
        return overflows(message.tokens, model, config)

    async def _finish(self) -> None:
        """Settle the accounts, then say that the session is idle: whoever hears it may act."""
        try:
            budget.settle(self, self.session(), self)
            if self.answering is not None:
                await summary.summarise(self, self.answering.message.id)
            pruning.prune(self)
            self.instance.store.turns.end(self.session_id)
        except NotFound:
            return  # the session was deleted meanwhile
        except StoreFailure as e:
            self.failure = self.lost or e
        self.instance.branch.look()
        self.failure = self.failure or self.lost
        self.set_status(StatusIdle())
        self.instance.bus.publish(SessionIdle(sessionID=self.session_id), self.instance.location)

    # ── what the parts of a turn need of it ──────────────────────────────────────────────────

    def session(self) -> Session:
        return self.instance.store.sessions.get(self.session_id)

    def rules(self, agent: Agent) -> list[PermissionRule]:
        return permission_rules(agent, self.session().permission)

    def ancestor_rules(self) -> list[list[PermissionRule]]:
        """The rules of every session above this one: what they deny is denied here."""
        session = self.session()
        if session.parentID is None:
            return []
        found = []
        for above in self.instance.store.sessions.ancestors(session):
            agent = self.instance.agents.get(above.agent or "") or self.instance.default_agent()
            found.append(permission_rules(agent, above.permission))
        return found

    def set_status(self, status: SessionStatus) -> None:
        self.status = status
        self.instance.bus.publish(
            SessionStatusChanged(sessionID=self.session_id, status=status),
            self.instance.location,
        )

    def report(self, error: MessageError) -> None:
        self.instance.bus.publish(
            SessionErrored(sessionID=self.session_id, error=error), self.instance.location
        )

    def spend(self, cost: float, tokens: Tokens) -> None:
        """Add a step's cost and tokens to the session, and to the share of each one above."""
        sessions = self.instance.store.sessions
        session = sessions.save(
            msgspec.structs.replace(
                session := self.session(),
                cost=(session.cost or 0) + cost,
                tokens=add_tokens(session.tokens or NO_TOKENS, tokens),
            )
        )
        budget.settle(self, session, self)
        for above in sessions.ancestors(session):
            spent = above.children or SessionSpend(cost=0, tokens=NO_TOKENS)
            saved = sessions.save(
                msgspec.structs.replace(
                    above,
                    children=SessionSpend(
                        cost=spent.cost + cost, tokens=add_tokens(spent.tokens, tokens)
                    ),
                )
            )
            budget.settle(self, saved, self.instance.runs.turn(above.id))

    def note_call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Remember a call, to notice repetition."""
        self._recent_calls.append((tool, msgspec.json.encode(arguments, order="sorted")))
        del self._recent_calls[:-REPEATS]

    def repeats(self, tool: str, arguments: dict[str, Any]) -> bool:
        """Whether the last REPEATS calls of the turn were all this one."""
        call = (tool, msgspec.json.encode(arguments, order="sorted"))
        return len(self._recent_calls) == REPEATS and all(c == call for c in self._recent_calls)


def _answered(user: Entry, last: Entry | None) -> bool:
    """Whether the newest answer settles the newest prompt: it came after it, finished for another
    reason than to call tools, and no call of it is open."""
    if last is None or not isinstance(last.message, AssistantMessage):
        return False
    message = last.message
    if message.parentID != user.message.id:
        return False
    if message.error is not None:
        return True
    if not message.finish or message.finish in ("tool-calls", "unknown"):
        return False
    return not any(
        isinstance(p, ToolPart) and isinstance(p.state, ToolStatePending | ToolStateRunning)
        for p in last.parts
    )


def _has_answer(history: History, user_id: str) -> bool:
    return any(getattr(e.message, "parentID", None) == user_id for e in history.entries)
