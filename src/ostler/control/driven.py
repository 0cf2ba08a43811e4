"""Sessions while they are driven: a prompt watched to its end, and stopped where it must be."""

import asyncio
import time
from contextlib import suppress

from ostler.client import (
    ApiError,
    AsyncClient,
    ClientError,
    DeadlineExceeded,
    NotFound,
    ServerFailure,
    Unreachable,
)
from ostler.control import check
from ostler.control.failures import Failure
from ostler.control.started import Started
from ostler.control.trouble import (
    Refused,
    Watch,
    after,
    begun,
    failure_of_client,
    is_below,
)
from ostler.schema.base import JsonObject
from ostler.schema.message import MessageWithParts
from ostler.schema.permission import PermissionRequest
from ostler.schema.question import QuestionRequest
from ostler.schema.session import Session, SessionStatus, StatusIdle

BEGIN_SECONDS = 15.0
SPARE_SECONDS = 5.0
"""What a call is given beyond the send's deadline, which is kept apart."""


class Sessions:
    """Of one server. Everything raises ClientError too."""

    def __init__(self, client: AsyncClient, started: Started) -> None:
        self._client, self._started = client, started

    async def state_of(self, session: Session) -> SessionStatus:
        states = await self._client.session.status(directory=session.directory)
        return states.get(session.id, StatusIdle())

    async def pending(self, session: Session) -> list[PermissionRequest | QuestionRequest]:
        located = session.directory
        asks: list[PermissionRequest | QuestionRequest] = [
            *await self._client.permission.list(directory=located),
            *await self._client.question.list(directory=located),
        ]
        return [a for a in asks if await is_below(self._client, a.sessionID, session.id)]

    async def begin(self, session: Session, body: JsonObject) -> None:
        """Send, and see the turn begin: the original takes prompts that it then cannot answer, and
        a second or two to begin. Raises Refused."""
        client = self._client
        async with client.events(directory=session.directory) as events:
            await client.session.prompt_async(session.id, **body)
            try:
                async with asyncio.timeout(BEGIN_SECONDS):
                    failure = await begun(events, session.id)
            except TimeoutError:
                failure = Failure(
                    "stuck",
                    f"the server took the prompt and began nothing within {BEGIN_SECONDS:g} s",
                    {"sessionID": session.id},
                )
        if failure is not None:
            await self.stop(session.id, failure)
            raise Refused(failure)

    async def turn(self, session: Session, body: JsonObject, deadline: float) -> MessageWithParts:
        """The answer. Raises Refused when there is none; the session is stopped then."""
        client = self._client
        async with client.events(directory=session.directory) as events:
            watch = Watch(client, session, time.time() + deadline)
            turn = asyncio.create_task(
                client.session.prompt(session.id, **body, deadline=deadline + SPARE_SECONDS)
            )
            trouble = asyncio.create_task(watch.run(events))
            try:
                await asyncio.wait(
                    (turn, trouble), timeout=deadline, return_when=asyncio.FIRST_COMPLETED
                )
                if turn.done():
                    return await turn
                failure = await trouble if trouble.done() else watch.late(deadline)
            except ServerFailure as e:
                raise Refused(await watch.reason(e)) from None
            except ApiError:
                raise  # nothing runs
            except ClientError as e:
                failure = failure_of_client(e)
            except asyncio.CancelledError:
                with suppress(ClientError, Refused):
                    await self.stop(session.id, Failure("aborted", "the driver was interrupted"))
                raise
            finally:
                for task in (turn, trouble):
                    task.cancel()
                await asyncio.wait((turn, trouble))
        await self.stop(session.id, failure)
        raise Refused(failure)

    async def stop(self, session_id: str, why: Failure | None = None) -> None:
        """``why``: it is known to work. Raises Refused when it cannot be stopped; if its server is
        gone as well, and this driver started it, the server has been stopped."""
        try:
            session = await self._client.session.get(session_id)
            if why is None and isinstance(await self.state_of(session), StatusIdle):
                await self._client.session.abort(session_id)
                return
            if await self._client.stop(session_id):
                await self._refuse_asks(session)
                return
        except (Unreachable, DeadlineExceeded):
            pass
        if not await check.answers(self._client):
            raise Refused(await self.wedged(session_id, why))
        raise Refused(
            Failure("stuck", "the session does not stop", {"sessionID": session_id, **after(why)})
        )

    async def _refuse_asks(self, session: Session) -> None:
        """An abort leaves them open in the original."""
        for ask in await self.pending(session):
            with suppress(NotFound):
                if isinstance(ask, PermissionRequest):
                    await self._client.permission.reply(ask.id, reply="reject")
                else:
                    await self._client.question.reject(ask.id)

    async def wedged(self, session_id: str, why: Failure | None) -> Failure:
        url = self._client.url
        evidence: JsonObject = {"sessionID": session_id, "url": url, **after(why)}
        running = self._started.find(url)
        message = f"the server at {url} does not answer"
        if running is not None:
            await self._started.stop(running)
            evidence["stopped"] = running.pid
            message += f"; this driver had started it, and stopped it (process {running.pid})"
        return Failure("server_unreachable", message, evidence)
