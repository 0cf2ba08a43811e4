"""The client for programs with an event loop."""

from collections.abc import Mapping
from typing import Any

from ostler.client.address import DEFAULT_DEADLINE, MODEL_DEADLINE, address_of
from ostler.client.answers import Answer
from ostler.client.async_operations import Operations
from ostler.client.connection import Connection
from ostler.client.events import PATIENCE_SECONDS, SILENCE_SECONDS, EventStream
from ostler.client.turn import STOP_SECONDS, AnswerStream, Model, Prompt, ask, prompt_body, stop


class AsyncClient(Operations):
    """A server, Ostler's or the original.

    ::

        async with AsyncClient() as client:
            session = await client.session.create(title="Greeting")
            answer = await client.prompt(session.id, "say hello")

    ``url`` by default OPENCODE_API_URL, else http://127.0.0.1:4096; ``username`` and ``password``
    OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD. ``directory``: the project that calls are
    about, the server's own where it is None. ``deadline``: seconds a call may take that names none.
    Raises ValueError for a URL that is none.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        directory: str | None = None,
        workspace: str | None = None,
        username: str | None = None,
        password: str | None = None,
        deadline: float = DEFAULT_DEADLINE,
    ) -> None:
        address = address_of(url, username, password)
        super().__init__(Connection(address, directory, workspace, deadline))

    @property
    def url(self) -> str:
        return self._connection.address.url

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self._connection.address.is_loopback

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connection.close()

    async def call(
        self,
        route: str,
        answer: Any = Any,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        """A route by its name, ``"GET /session"``, for what the methods do not have; ``answer`` is
        the type its JSON is decoded to. Raises ClientError."""
        return await self._connection.call(
            route, answer, query=query, body=body, directory=directory, deadline=deadline
        )

    def events(
        self,
        *,
        everywhere: bool = False,
        directory: str | None = None,
        last_event_id: str | None = None,
        silence: float = SILENCE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> EventStream:
        """What happens in a directory, or ``everywhere``. See EventStream."""
        return EventStream(
            self._connection,
            "/global/event" if everywhere else "/event",
            directory=directory,
            last_event_id=last_event_id,
            silence=silence,
            patience=patience,
        )

    async def prompt(
        self,
        session_id: str,
        prompt: Prompt,
        *,
        model: Model | None = None,
        deadline: float = MODEL_DEADLINE,
        **more: Any,
    ) -> Answer:
        """Send, and wait for the answer; ``more`` are further arguments of ``session.prompt``
        (``agent``, ``system``, ``format``, …). A turn that failed is an answer too: look at
        ``info.error``. At the deadline, and when cancelled, the turn is aborted. Raises
        ClientError, ValueError for a model without a provider."""
        return await ask(self, session_id, prompt_body(prompt, model, more), deadline)

    def stream(
        self,
        session_id: str,
        prompt: Prompt,
        *,
        model: Model | None = None,
        deadline: float = MODEL_DEADLINE,
        **more: Any,
    ) -> AnswerStream:
        """Send, and iterate over the answer's text as it comes. See AnswerStream and ``prompt``."""
        body = prompt_body(prompt, model, more)
        return AnswerStream(self, session_id, body, deadline)

    async def stop(self, session_id: str, *, deadline: float = STOP_SECONDS) -> bool:
        """Abort what a session does, and see to it that nothing runs any more; whether that was
        reached in time. Raises ClientError."""
        return await stop(self, session_id, deadline)
