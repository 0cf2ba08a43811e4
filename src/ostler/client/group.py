"""What the generated operations stand on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from ostler.client.blocking import BlockingEvents, LoopThread
    from ostler.client.connection import Connection
    from ostler.client.events import EventStream

T = TypeVar("T")


class AsyncGroup:
    """Operations of one noun."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    @overload
    async def _call(self, route: str, answer: type[T], **rest: Any) -> T: ...
    @overload
    async def _call(self, route: str, answer: Any, **rest: Any) -> Any: ...
    async def _call(self, route: str, answer: Any, **rest: Any) -> Any:
        return await self._connection.call(route, answer, **rest)

    def _events(
        self,
        template: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        directory: str | None = None,
    ) -> "EventStream":
        from ostler.client.events import EventStream

        located = self._connection.route(template, path)
        return EventStream(self._connection, located, query=query, directory=directory)

    def _socket(self, template: str, path: Mapping[str, str], query: Mapping[str, Any]) -> Any:
        from ostler.client.socket import connect

        return connect(self._connection, template, path, query)


class Group:
    """The same, for callers without an event loop."""

    def __init__(self, connection: "Connection", thread: "LoopThread") -> None:
        self._connection, self._thread = connection, thread

    @overload
    def _call(self, route: str, answer: type[T], **rest: Any) -> T: ...
    @overload
    def _call(self, route: str, answer: Any, **rest: Any) -> Any: ...
    def _call(self, route: str, answer: Any, **rest: Any) -> Any:
        return self._thread.run(self._connection.call(route, answer, **rest))

    def _events(
        self,
        template: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        directory: str | None = None,
    ) -> "BlockingEvents":
        from ostler.client.blocking import BlockingEvents
        from ostler.client.events import EventStream

        located = self._connection.route(template, path)
        stream = EventStream(self._connection, located, query=query, directory=directory)
        return BlockingEvents(stream, self._thread)

    def _socket(self, template: str, path: Mapping[str, str], query: Mapping[str, Any]) -> Any:
        from ostler.client.socket import connect_blocking

        return connect_blocking(self._connection, template, path, query)
