"""One attempt at a stage: a fresh session, one prompt, and waiting until it is over.

Every part can be done again after a crash: the session is found by its title, the prompt by its id,
and what the server did meanwhile is read, not asked for anew.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ostler import ids
from ostler.client import ClientError, DeadlineExceeded, NotFound, Unauthorized
from ostler.control.asks import Asker
from ostler.control.failures import Failure, failure_of_retry
from ostler.control.gate import Passed, Seen, Waiting, judge, newest_answer, state_of, text_of
from ostler.control.notify import tell
from ostler.control.plan import Asks, Limits
from ostler.control.pool import Pool, Server
from ostler.control.spending import Spent, spent
from ostler.control.store import Attempt, ControlStore
from ostler.control.watch import Watched
from ostler.schema.base import JsonObject
from ostler.schema.message import AssistantMessage, MessageWithParts
from ostler.schema.part import ToolPart
from ostler.schema.session import Session, StatusRetry

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
"""How often a session is looked at although nothing was heard of it."""
NOTHING_SECONDS = 20.0
"""How long an idle session may have no answer, or an unfinished one."""
RETRY_SECONDS = 60.0
"""How long a server may try a provider again by itself before the playbook takes over."""
FIRST_SECONDS = 1.0
"""How long something is waited for to happen before the first look."""
CALL_SECONDS = 30.0
UNREACHABLE_SECONDS = 60.0
"""How long a server may be away while it is waited for."""


class Order(msgspec.Struct, frozen=True):
    """What is sent, and how long it may take. ``limits`` are what is left for this attempt."""

    prompt: str
    agent: str | None
    model: str | None
    system: str | None
    tools: dict[str, bool] | None
    contract: JsonObject | None
    timeout: float
    limits: Limits
    asks: Asks
    notify: Sequence[str] = ()


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended: with an answer, or with exactly one failure, to which ``text`` is what
    was said until then. ``model`` is the one that answered."""

    failure: Failure | None = None
    text: str = ""
    value: Any = None
    spent: Spent = Spent()
    model: str | None = None


class LostServer(Exception):
    """The server cannot be reached; ``failure`` says so."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def open_session(attempt: Attempt, pool: Pool, again: bool) -> None:
    """Make the attempt's session on its server; noted on the attempt. ``again``: it may have been
    made before. Raises LostServer."""
    server = pool.server(attempt.server)
    try:
        session = await _found(attempt, server) if again else None
        if session is None:
            session = await server.client.session.create(
                title=attempt.title, directory=attempt.directory, deadline=CALL_SECONDS
            )
    except ClientError as e:
        server.fell()
        raise LostServer(_failure_of_call(e, server.url)) from None
    attempt.session = session.id
    attempt.prompt = ids.new("msg")


async def _found(attempt: Attempt, server: Server) -> Session | None:
    found = await server.client.session.list(
        search=attempt.title, directory=attempt.directory, deadline=CALL_SECONDS
    )
    return next((s for s in found if s.title == attempt.title), None)


async def carry_out(attempt: Attempt, order: Order, pool: Pool, store: ControlStore) -> Outcome:
    """Send the prompt, unless that was done, and wait for the end. Never raises but on
    cancellation."""
    server = pool.server(attempt.server)
    async with server.places:
        server.busy += 1
        try:
            return await _Following(attempt, order, server, store).run()
        except ClientError as e:
            return Outcome(_failure_of_call(e, server.url))
        finally:
            server.busy -= 1
            server.hub.forget(attempt.session)


class _Following:
    def __init__(self, attempt: Attempt, order: Order, server: Server, store: ControlStore) -> None:
        self._attempt, self._order, self._store = attempt, order, store
        self._server, self._client = server, server.client
        self._directory = attempt.directory
        self._ends = attempt.started + order.timeout
        self._quiet_since: float | None = None
        self._retry_since: float | None = None
        self._away_since: float | None = None
        self._seen: list[MessageWithParts] = []
        self._asker = Asker(
            self._client, attempt.directory, order.asks, order.prompt, self._show_waiting
        )

    async def run(self) -> Outcome:
        watched = self._server.hub.watch(self._attempt.session)
        if await self._send_once():
            await watched.wait(FIRST_SECONDS)
        while True:
            try:
                verdict = await self._look(watched)
                self._away_since = None
            except (Unauthorized, NotFound) as e:
                return Outcome(_failure_of_call(e, self._server.url))
            except ClientError as e:
                verdict = self._away(e)
            if not isinstance(verdict, Waiting):
                return await self._ended(verdict)
            wait = await self._before_waiting(verdict, watched)
            if isinstance(wait, Failure):
                await self._abort()
                return await self._ended(wait)
            await watched.wait(wait)

    async def _send_once(self) -> bool:
        """Whether it was sent now: one that may have been sent before is looked for first. Raises
        ClientError."""
        attempt, order = self._attempt, self._order
        if attempt.seen_sent and await self._is_there():
            return False
        attempt.seen_sent = True
        await asyncio.to_thread(self._store.save_attempt, attempt)
        provider, _, model = (order.model or "").partition("/")
        await self._client.session.prompt_async(
            attempt.session,
            parts=[{"type": "text", "text": order.prompt}],
            messageID=attempt.prompt,
            model={"providerID": provider, "modelID": model} if order.model else None,
            agent=order.agent,
            system=order.system,
            tools=order.tools,
            directory=self._directory,
            deadline=CALL_SECONDS,
        )
        return True

    async def _is_there(self) -> bool:
        messages = await self._messages()
        return any(message.info.id == self._attempt.prompt for message in messages)

    async def _messages(self) -> list[MessageWithParts]:
        return await self._client.session.messages(
            self._attempt.session, directory=self._directory, deadline=CALL_SECONDS
        )

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    async def _look(self, watched: Watched) -> Passed | Failure | Waiting:
        statuses = await self._client.session.status(
            directory=self._directory, deadline=CALL_SECONDS
        )
        status = statuses.get(self._attempt.session)
        state = state_of(status)
        if isinstance(status, StatusRetry):
            return self._retrying(status)
        self._retry_since = None
        self._seen = await self._messages() if state == "idle" else []
        seen = Seen(state, self._seen, watched.error)
        return judge(seen, self._attempt.prompt, self._order.contract)

    def _retrying(self, status: StatusRetry) -> Failure | Waiting:
        """A server that keeps trying by itself is given a minute; what it waits for says why."""
        now = time.time()
        self._retry_since = self._retry_since or now
        later = status.next / 1000 - now
        if now - self._retry_since < RETRY_SECONDS and later < RETRY_SECONDS:
            return Waiting("retry")
        evidence = {"status": msgspec.to_builtins(status), "retry_after": max(0.0, later)}
        return Failure(failure_of_retry(status).kind, status.message, evidence)

    def _away(self, error: ClientError) -> Failure | Waiting:
        now = time.time()
        self._away_since = self._away_since or now
        if now - self._away_since < UNREACHABLE_SECONDS and now < self._ends:
            return Waiting("busy")
        self._server.fell()
        return _failure_of_call(error, self._server.url)

    async def _before_waiting(self, waiting: Waiting, watched: Watched) -> float | Failure:
        """Seconds until the next look, or why there is none."""
        now = time.time()
        if now >= self._ends:
            asked = self._asker.waiting
            if asked is not None:
                return _unanswered(asked)
            message = f"not done within {self._order.timeout:.0f} s"
            return Failure("timeout", message, {"session": self._attempt.session})
        status = await asyncio.to_thread(self._store.status, self._attempt.run)
        if status == "cancelled":
            return Failure("aborted", "the run was cancelled")
        wait = min(POLL_SECONDS, self._ends - now)
        if waiting.why in ("no_answer", "unfinished"):
            self._quiet_since = self._quiet_since or now
            if now - self._quiet_since >= NOTHING_SECONDS:
                message = f"the session is idle, with {waiting.why.replace('_', ' ')}"
                return Failure("aborted", message, {"session": self._attempt.session})
            return min(wait, 1.0)
        self._quiet_since = None
        if self._away_since is not None:
            return min(wait, 1.0)
        if not watched.may_ask and self._asker.waiting is None:
            return wait
        watched.may_ask = False
        over = await self._over_budget()
        if over is not None:
            return over
        try:
            return min(wait, await self._asker.settle(await self._sessions()))
        except ClientError:
            watched.may_ask = True
            return min(wait, 1.0)

    async def _sessions(self) -> list[str]:
        """The session and its subagents'."""
        children = await self._client.session.children(
            self._attempt.session, directory=self._directory, deadline=CALL_SECONDS
        )
        return [self._attempt.session, *(child.id for child in children)]

    async def _over_budget(self) -> Failure | None:
        limits = self._order.limits
        if limits.tokens is None and limits.cost is None:
            return None
        return (spent(await self._messages()) + self._asker.spent).over(limits)

    async def _show_waiting(self, waiting: JsonObject | None) -> None:
        attempt = self._attempt
        attempt.waiting = waiting
        await asyncio.to_thread(self._store.save_attempt, attempt)
        if waiting is not None:
            where = {"server": attempt.server, "session": attempt.session}
            told = {"run": attempt.run, "stage": attempt.stage, "status": "waiting", **where}
            await tell(self._order.notify, {**told, "waiting": waiting})

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    async def _abort(self) -> None:
        try:
            await self._client.session.abort(
                self._attempt.session, directory=self._directory, deadline=10.0
            )
        except ClientError:
            pass  # it is given up either way

    async def _ended(self, verdict: Passed | Failure) -> Outcome:
        total = await self._spent() + self._asker.spent
        answer = newest_answer(self._seen, self._attempt.prompt)
        said = "" if answer is None else text_of(answer)
        info = None if answer is None else answer.info
        model = f"{info.providerID}/{info.modelID}" if isinstance(info, AssistantMessage) else None
        if isinstance(verdict, Failure):
            if self._asker.refused and verdict.kind in _EMPTY:
                verdict = _unanswered(self._asker.refused[-1])
            if verdict.kind in ("rate_limited", "provider_unavailable", "server_unreachable"):
                await self._abort()
            return Outcome(verdict, said, None, total, model)
        failure = total.over(self._order.limits)
        return Outcome(failure, said, verdict.value, total, model)

    async def _spent(self) -> Spent:
        """By the session and its subagents."""
        total = Spent()
        try:
            self._seen = seen = self._seen or await self._messages()
            total = spent(seen)
            if any(isinstance(p, ToolPart) and p.tool == "task" for m in seen for p in m.parts):
                for child in (await self._sessions())[1:]:
                    more = await self._client.session.messages(child, directory=self._directory)
                    total += spent(more)
        except ClientError as e:
            log.debug("%s: what it spent is not known in full: %s", self._attempt.title, e)
        return total


_EMPTY = ("empty_completion", "assistant_output_missing_text_part")


def _unanswered(asked: Mapping[str, Any]) -> Failure:
    question = "questions" in asked
    what = "a question" if question else f"permission for {asked.get('permission')}"
    return Failure(
        "pending_question" if question else "pending_permission",
        f"nobody answered {what}",
        {"request": dict(asked)},
    )


def _failure_of_call(error: ClientError, url: str) -> Failure:
    if isinstance(error, Unauthorized):
        return Failure("auth_failed", f"the server {url} refused: {error}")
    if isinstance(error, NotFound):
        return Failure("aborted", f"the session is gone: {error}")
    if isinstance(error, DeadlineExceeded):
        return Failure("server_unreachable", f"the server {url} does not answer: {error}")
    return Failure("server_unreachable", f"{url}: {error}")
