"""What a server says, for all who wait on it: one event stream a server, and a wake-up for each
session that somebody watches. Events wake; what is true is read with a call."""

import asyncio
import logging

from ostler.client import AsyncClient, ClientError
from ostler.schema.base import JsonObject

log = logging.getLogger(__name__)

TELLING = frozenset(
    (
        "session.idle",
        "session.status",
        "session.error",
        "session.deleted",
        "permission.asked",
        "permission.replied",
        "permission.updated",
        "question.asked",
        "question.replied",
        "question.rejected",
    )
)
"""Events after which something may have been decided; what is being written wakes nobody."""
PAUSE = 1.0


class Watched:
    """A session somebody watches. ``error`` is the last ``session.error`` of it, as the API writes
    it; ``may_ask``: something may have been asked since that was looked at."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self.error: JsonObject | None = None
        self.may_ask = False

    def wake(self, asked: bool = False) -> None:
        self.may_ask = self.may_ask or asked
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Until there is news, or so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            self.may_ask = True  # nothing was heard: look at everything
        self._news.clear()


class Hub:
    """Of one server. The stream is read while anybody watches; where it breaks, everybody is woken
    and polls meanwhile."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._watched: dict[str, Watched] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, session_id: str) -> Watched:
        watched = self._watched.setdefault(session_id, Watched())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())
        return watched

    def forget(self, session_id: str) -> None:
        self._watched.pop(session_id, None)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            try:
                async with self._client.events(everywhere=True) as events:
                    async for event in events:
                        if event.is_gap or event.type == "server.connected":
                            self._wake_all()
                        elif event.type in TELLING:
                            self._tell(event.type, event.properties)
            except ClientError as e:
                log.debug("the events of %s broke off: %s", self._client.url, e)
            self._wake_all()
            await asyncio.sleep(PAUSE)

    def _wake_all(self) -> None:
        for watched in self._watched.values():
            watched.wake(asked=True)

    def _tell(self, kind: str, properties: JsonObject) -> None:
        if (properties.get("status") or {}).get("type") == "busy":
            return  # which is no news to who sent the prompt
        watched = self._watched.get(str(properties.get("sessionID") or ""))
        if watched is None:
            if kind.startswith(("permission", "question")):
                self._wake_all()  # of a subagent of somebody's
            return
        if kind == "session.error" and isinstance(properties.get("error"), dict):
            watched.error = properties["error"]
        watched.wake(asked=kind.startswith(("permission", "question")))
