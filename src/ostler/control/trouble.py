"""What goes wrong while a session is driven, by its name: what a client raises, a provider that is
to be asked again, an ask that nobody will answer."""

import asyncio

import msgspec

from ostler.client import (
    ApiError,
    AsyncClient,
    ClientError,
    DeadlineExceeded,
    Event,
    EventStream,
    NotFound,
    ServerFailure,
    Unauthorized,
    Unreachable,
)
from ostler.control.failures import Failure, failure_of_error, failure_of_retry
from ostler.schema.base import JsonObject
from ostler.schema.event import (
    MessageUpdated,
    PermissionAsked,
    QuestionAsked,
    SessionErrored,
    SessionStatusChanged,
)
from ostler.schema.message import AssistantMessage
from ostler.schema.permission import PermissionRequest
from ostler.schema.question import QuestionRequest
from ostler.schema.session import Session, StatusRetry

REASON_SECONDS = 1.0
Ask = PermissionRequest | QuestionRequest | PermissionAsked | QuestionAsked


class Refused(Exception):
    """A rule forbids a send, or it went wrong: nothing more is to be done."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Watch:
    """Looks for what a turn cannot get over by itself."""

    def __init__(self, client: AsyncClient, session: Session, over: float) -> None:
        self._client, self._session, self._over = client, session, over
        self._retry: StatusRetry | None = None
        self._error: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    async def run(self, events: EventStream) -> Failure:
        """Once there is one."""
        async for event in events:
            failure = await self._judge(event)
            if failure is not None:
                return failure
        raise AssertionError("an event stream has no end")

    async def reason(self, error: ServerFailure) -> Failure:
        """What the session itself says of an answer that says nothing: the original's to a prompt
        for a model or an agent that it does not have."""
        try:
            return await asyncio.wait_for(self._error, REASON_SECONDS)
        except TimeoutError:
            return failure_of_client(error)

    async def _judge(self, event: Event) -> Failure | None:
        typed = event.typed
        if isinstance(typed, PermissionAsked | QuestionAsked):
            if await is_below(self._client, typed.sessionID, self._session.id):
                return pending_failure(typed)
        elif isinstance(typed, SessionErrored) and typed.sessionID == self._session.id:
            if not self._error.done():
                self._error.set_result(_said(typed))
        elif isinstance(typed, SessionStatusChanged) and typed.sessionID == self._session.id:
            status = typed.status
            self._retry = status if isinstance(status, StatusRetry) else None
            if self._retry is not None and self._retry.next / 1000 >= self._over:
                return retry_failure(self._session.id, self._retry, ", which is too late")
        return None

    def late(self, deadline: float) -> Failure:
        """What is said at the deadline: the reason, where it is known."""
        if self._retry is not None:
            return retry_failure(self._session.id, self._retry, f", after {deadline:g} s")
        return late(self._session.id, deadline)


async def begun(events: EventStream, session_id: str) -> Failure | None:
    """Once there is the beginning of an answer; the failure where the session says one instead."""
    async for event in events:
        typed = event.typed
        if getattr(typed, "sessionID", None) != session_id:
            continue
        if isinstance(typed, MessageUpdated) and isinstance(typed.info, AssistantMessage):
            return None
        if isinstance(typed, SessionErrored):
            return _said(typed)
    raise AssertionError("an event stream has no end")


def _said(errored: SessionErrored) -> Failure:
    return failure_of_error(msgspec.to_builtins(errored.error) if errored.error else {})


async def is_below(client: AsyncClient, session_id: str, root: str) -> bool:
    """Whether a session is ``root`` or one of its subagents'; one that is gone is not."""
    current: str | None = session_id
    while current is not None and current != root:
        try:
            current = (await client.session.get(current)).parentID
        except NotFound:
            return False
    return current == root


def failure_of_client(error: ClientError) -> Failure:
    """What a call that failed means."""
    if isinstance(error, Unreachable):
        return Failure("server_unreachable", str(error), {"sent": error.sent})
    if isinstance(error, DeadlineExceeded):
        return Failure("timeout", str(error), {"seconds": error.seconds})
    if isinstance(error, Unauthorized):
        return Failure("auth_failed", str(error), {"status": error.status})
    if isinstance(error, ApiError):
        evidence = {"status": error.status, "name": error.name, "body": error.body}
        return Failure("contract_violation", str(error), evidence)
    return Failure("contract_violation", str(error), {"body": getattr(error, "body", "")})


def late(session_id: str, deadline: float) -> Failure:
    return Failure(
        "timeout",
        f"no answer within {deadline:g} s; the session was aborted",
        {"sessionID": session_id, "seconds": deadline},
    )


def retry_failure(session_id: str, status: StatusRetry, then: str) -> Failure:
    return Failure(
        failure_of_retry(status).kind,
        f"the provider is to be asked again (attempt {status.attempt}: {status.message}){then}",
        {"sessionID": session_id, "attempt": status.attempt, "next": status.next},
    )


def pending_failure(request: Ask) -> Failure:
    evidence: JsonObject = {"request": msgspec.to_builtins(request)}
    if isinstance(request, PermissionRequest | PermissionAsked):
        what = f"{request.permission} {' '.join(request.patterns)}".strip()
        return Failure("pending_permission", f"somebody has to allow: {what}", evidence)
    asked = "; ".join(q.question for q in request.questions)
    return Failure("pending_question", f"somebody has to answer: {asked}", evidence)


def after(why: Failure | None) -> JsonObject:
    return {"after": msgspec.to_builtins(why)} if why else {}
