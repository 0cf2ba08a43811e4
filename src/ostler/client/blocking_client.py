"""The client for programs without an event loop."""

from collections.abc import Mapping
from typing import Any

from ostler.client.address import DEFAULT_DEADLINE, MODEL_DEADLINE
from ostler.client.answers import Answer
from ostler.client.async_client import AsyncClient
from ostler.client.blocking import BlockingAnswer, BlockingEvents, LoopThread
from ostler.client.events import PATIENCE_SECONDS, SILENCE_SECONDS
from ostler.client.operations import Operations
from ostler.client.turn import STOP_SECONDS, Model, Prompt


class Client(Operations):
    """A server, Ostler's or the original; AsyncClient says what the arguments mean.

    ::

        with Client() as client:
            session = client.session.create(title="Greeting")
            print(client.prompt(session.id, "say hello").text)

    Threads may share one.
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
        self._client = AsyncClient(
            url,
            directory=directory,
            workspace=workspace,
            username=username,
            password=password,
            deadline=deadline,
        )
        super().__init__(self._client._connection, LoopThread())

    @property
    def url(self) -> str:
        return self._client.url

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        if self._thread.is_running:
            self._thread.run(self._client.close())
            self._thread.close()

    def call(
        self,
        route: str,
        answer: Any = Any,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        """See AsyncClient.call."""
        return self._call(
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
    ) -> BlockingEvents:
        """See AsyncClient.events."""
        stream = self._client.events(
            everywhere=everywhere,
            directory=directory,
            last_event_id=last_event_id,
            silence=silence,
            patience=patience,
        )
        return BlockingEvents(stream, self._thread)

    def prompt(
        self,
        session_id: str,
        prompt: Prompt,
        *,
        model: Model | None = None,
        deadline: float = MODEL_DEADLINE,
        **more: Any,
    ) -> Answer:
        """See AsyncClient.prompt."""
        return self._thread.run(
            self._client.prompt(session_id, prompt, model=model, deadline=deadline, **more)
        )

    def stream(
        self,
        session_id: str,
        prompt: Prompt,
        *,
        model: Model | None = None,
        deadline: float = MODEL_DEADLINE,
        **more: Any,
    ) -> BlockingAnswer:
        """See AsyncClient.stream."""
        stream = self._client.stream(session_id, prompt, model=model, deadline=deadline, **more)
        return BlockingAnswer(stream, self._thread)

    def stop(self, session_id: str, *, deadline: float = STOP_SECONDS) -> bool:
        """See AsyncClient.stop."""
        return self._thread.run(self._client.stop(session_id, deadline=deadline))
