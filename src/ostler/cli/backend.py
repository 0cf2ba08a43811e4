"""What ``run`` drives: the engine in this process, or a server over HTTP. Both speak in the API's
JSON."""

import asyncio
import base64
import mimetypes
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from ostler.schema.errors import BadRequest

if TYPE_CHECKING:
    from ostler.models.replay import Tape

T = TypeVar("T")
Event = tuple[str, dict[str, Any]]
INLINE_LIMIT = 10 * 2**20
"""Bytes of a file that is sent to a server."""


class Backend(Protocol):
    """Raises RequestError for what the caller got wrong."""

    async def session(self, session_id: str) -> dict[str, Any]: ...
    async def newest_session(self) -> dict[str, Any] | None: ...
    async def create_session(self, body: dict[str, Any]) -> dict[str, Any]: ...
    async def fork(self, session_id: str) -> dict[str, Any]: ...
    async def agents(self) -> list[dict[str, Any]]: ...
    async def messages(self, session_id: str) -> list[dict[str, Any]]: ...
    async def prompt(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]: ...
    async def command(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]: ...
    async def reply_permission(self, request_id: str, reply: str) -> None: ...

    async def is_ours(self, session_id: str, root: str) -> bool:
        """Whether a session is ``root`` or below it."""

    def events(self, ready: asyncio.Event) -> AsyncIterator[Event]:
        """(type, properties), from the moment ``ready`` is set."""

    async def flush(self) -> None:
        """Let events that were made so far arrive."""

    async def rest(self) -> list[Event]:
        """Events that arrived but were not read."""

    def file_part(self, file: Path) -> dict[str, Any]: ...
    async def close(self) -> None: ...


class LocalBackend:
    """The engine, in this process; no port is opened."""

    def __init__(self, runtime: Any, instance: Any) -> None:
        self._runtime, self._instance = runtime, instance
        self._subscription: Any = None

    @classmethod
    async def open(cls, directory: str, tape: "Tape | None" = None) -> "LocalBackend":
        """Raises ConfigError, BadRequest when there is no such directory."""
        from ostler.runtime import Runtime
        from ostler.server.inside import inside_app

        if directory and not os.path.isdir(directory):
            raise BadRequest(f"--dir: no such directory: {directory}")
        runtime = Runtime(directory or None, tape=tape, inside=inside_app)
        try:
            instance = await runtime.instance()
            await instance.models.open()
        except BaseException:
            await runtime.close()
            raise
        return cls(runtime, instance)

    async def settle_trust(self, ask: "Callable[[str, list[str]], bool] | None") -> list[str]:
        """What of the project's own is held back, after asking (folder, what) whether it may run;
        None: nobody can be asked. Who said no is not asked again."""
        from ostler.config.trust import Trust

        root = self._instance.own_code.root
        held: list[str] = self._runtime.held_back(self._instance)
        trust = Trust(self._runtime.paths.state, {})
        if not held or ask is None or trust.declined(root):
            return held
        if not ask(root, held):
            trust.decline(root)
            return held
        trust.add(root)
        await self._runtime.dispose(self._instance.directory)
        self._instance = await self._runtime.instance()
        await self._instance.models.open()
        return []

    async def session(self, session_id: str) -> dict[str, Any]:
        session: dict[str, Any] = _plain(self._runtime.store.sessions.get(session_id))
        self._instance = await self._runtime.instance_of(session_id)
        await self._instance.models.open()
        return session

    async def newest_session(self) -> dict[str, Any] | None:
        from ostler.store.sessions import SessionQuery

        found = self._runtime.store.sessions.select(
            SessionQuery(project=self._instance.project.id, roots=True, limit=1)
        )
        return _plain(found[0]) if found else None

    async def create_session(self, body: dict[str, Any]) -> dict[str, Any]:
        from ostler.engine import sessions
        from ostler.schema.session import SessionCreateInput

        return _plain(sessions.create_from(self._instance, _typed(body, SessionCreateInput)))

    async def fork(self, session_id: str) -> dict[str, Any]:
        from ostler.engine import sessions

        return _plain(sessions.fork(self._instance, session_id, None))

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        return [_plain(m) for m in self._runtime.store.messages.history(session_id)]

    async def agents(self) -> list[dict[str, Any]]:
        return [_plain(agent) for agent in self._instance.agents.values()]

    async def prompt(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]:
        from ostler.engine import submit
        from ostler.schema.message import PromptInput

        return await self._interruptible(
            session_id, lambda: submit.prompt(self._instance, session_id, _typed(body, PromptInput))
        )

    async def command(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]:
        from ostler.engine import commands
        from ostler.schema.message import CommandInput

        return await self._interruptible(
            session_id, lambda: commands.run(self._instance, session_id, _typed(body, CommandInput))
        )

    async def _interruptible(self, session_id: str, work: Callable[[], Any]) -> dict[str, Any]:
        """Ctrl+C ends the turn properly before it ends the program."""
        try:
            answer = await work()
        except asyncio.CancelledError:
            await self._instance.runs.abort(session_id)
            raise
        await self._instance.tasks.wait()  # the title is part of the work
        return _plain(answer)

    async def reply_permission(self, request_id: str, reply: str) -> None:
        self._instance.permissions.reply(request_id, reply)

    async def is_ours(self, session_id: str, root: str) -> bool:
        store = self._runtime.store
        session = store.sessions.get(session_id)
        return session_id == root or any(s.id == root for s in store.sessions.ancestors(session))

    async def events(self, ready: asyncio.Event) -> AsyncIterator[Event]:
        self._subscription = self._runtime.bus.subscribe()
        ready.set()
        while True:
            batch = await self._subscription.next()
            for event in batch.events:
                yield event.kind, _plain(event.properties)

    async def flush(self) -> None:
        self._runtime.store.commit()

    async def rest(self) -> list[Event]:
        return [(e.kind, _plain(e.properties)) for e in self._subscription.take().events]

    def file_part(self, file: Path) -> dict[str, Any]:
        mime = "application/x-directory" if file.is_dir() else "text/plain"
        url = "file://" + quote(str(file.resolve()))
        return {"type": "file", "url": url, "filename": file.name, "mime": mime}

    async def clean_up(self) -> None:
        """Once a day: where no server runs, nobody else does it."""
        await self._runtime.clean_up_if_due()

    async def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        await self._runtime.close()


class RemoteBackend:
    """A server, Ostler's or the original."""

    def __init__(self, url: str, directory: str, headers: dict[str, str]) -> None:
        from ostler.proxy import choose

        self._url, self._directory = url.rstrip("/"), directory
        self._headers = headers
        self._transport = choose(url)

    @classmethod
    async def open(cls, url: str, directory: str, username: str, password: str) -> "RemoteBackend":
        headers = {"content-type": "application/json"}
        password = password or os.environ.get("OPENCODE_SERVER_PASSWORD", "")
        if password:
            user = username or os.environ.get("OPENCODE_SERVER_USERNAME") or "opencode"
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            headers["authorization"] = f"Basic {token}"
        return cls(url, directory, headers)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        from ostler.transport import HttpRequest, Timeouts, read_body

        data = b"" if body is None else msgspec.json.encode(body)
        patient = Timeouts(header=None, chunk=None)
        response = await self._transport.send(
            HttpRequest(self._url + path, self._located(), data, method, patient)
        )
        try:
            answer = await read_body(response, 2**28)
        finally:
            await response.close()
        if response.status == 401:
            raise BadRequest("the server asks for a password: give --password")
        try:
            decoded = msgspec.json.decode(answer) if answer else None
        except msgspec.DecodeError:
            raise BadRequest(f"{self._url}{path}: the answer is not JSON") from None
        if response.status == 507:
            from ostler.cli.failures import LIMIT, Stop

            raise Stop(_message(decoded), LIMIT)
        if response.status >= 300:
            raise BadRequest(_message(decoded) or f"{method} {path}: {response.status}")
        return decoded

    def _located(self) -> dict[str, str]:
        if not self._directory:
            return self._headers
        return {**self._headers, "x-opencode-directory": quote(self._directory, safe="")}

    async def session(self, session_id: str) -> dict[str, Any]:
        session: dict[str, Any] = await self._call("GET", f"/session/{session_id}")
        self._directory = self._directory or session["directory"]
        return session

    async def newest_session(self) -> dict[str, Any] | None:
        for session in await self._call("GET", "/session?roots=true"):
            if not session.get("parentID"):
                self._directory = self._directory or session["directory"]
                return dict(session)
        return None

    async def create_session(self, body: dict[str, Any]) -> dict[str, Any]:
        session: dict[str, Any] = await self._call("POST", "/session", body)
        self._directory = self._directory or session["directory"]
        return session

    async def fork(self, session_id: str) -> dict[str, Any]:
        return dict(await self._call("POST", f"/session/{session_id}/fork", {}))

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        return list(await self._call("GET", f"/session/{session_id}/message"))

    async def agents(self) -> list[dict[str, Any]]:
        return list(await self._call("GET", "/agent"))

    async def prompt(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._turn(session_id, f"/session/{session_id}/message", body)

    async def command(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._turn(session_id, f"/session/{session_id}/command", body)

    async def _turn(self, session_id: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(await self._call("POST", path, body))
        except asyncio.CancelledError:
            await self._call("POST", f"/session/{session_id}/abort")
            raise

    async def reply_permission(self, request_id: str, reply: str) -> None:
        await self._call("POST", f"/permission/{request_id}/reply", {"reply": reply})

    async def is_ours(self, session_id: str, root: str) -> bool:
        current: str | None = session_id
        while current is not None and current != root:
            current = (await self._call("GET", f"/session/{current}")).get("parentID")
        return current == root

    async def events(self, ready: asyncio.Event) -> AsyncIterator[Event]:
        from ostler.sse import SSEParser
        from ostler.transport import HttpRequest, Timeouts

        request = HttpRequest(
            f"{self._url}/event", self._located(), b"", "GET", Timeouts(chunk=60.0)
        )
        response = await self._transport.send(request)
        parser = SSEParser()
        try:
            async for chunk in response.chunks():
                for data in parser.feed(chunk):
                    event = msgspec.json.decode(data)
                    if event["type"] == "server.connected":
                        ready.set()
                    yield event["type"], event.get("properties") or {}
        finally:
            ready.set()
            await response.close()

    async def flush(self) -> None:
        """The last events come right behind the answer: give them the time of a round trip."""
        await self._call("GET", "/session/status")
        await asyncio.sleep(0.1)

    async def rest(self) -> list[Event]:
        return []

    def file_part(self, file: Path) -> dict[str, Any]:
        if file.is_dir():
            raise BadRequest(f"--file: {file} is a directory; a server cannot read it from here")
        data = file.read_bytes()
        if len(data) > INLINE_LIMIT:
            raise BadRequest(f"--file: {file} exceeds {INLINE_LIMIT // 2**20} MiB")
        mime = mimetypes.guess_type(file.name)[0] or "text/plain"
        url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
        return {"type": "file", "url": url, "filename": file.name, "mime": mime}

    async def close(self) -> None:
        await self._transport.close()


def _plain(value: Any) -> dict[str, Any]:
    """A struct as the API's JSON has it."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _typed(body: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as e:
        raise BadRequest(str(e)) from None


def _message(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    data = body.get("data")
    return str((data or {}).get("message") or body.get("message") or "")
