"""The product as its users have it: a server on a real port, a project, a scripted model.

::

    async with serving(tmp_path, [tool("bash", command="true"), text("done")]) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session, "go")
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ostler.cli.serve import server_of
from ostler.runtime import Runtime
from ostler.server.access import Access
from ostler.server.app import App
from ostler.server.inside import inside_app
from tests.support.contract import check_event, check_response
from tests.support.model_server import ModelServer, Script
from tests.support.repository import make_repository

Json = dict[str, Any]
DEADLINE = 20.0


def environment(home: Path, **more: str) -> dict[str, str]:
    """A process environment without the user's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "TMPDIR": str(home / "tmp"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "OSTLER_DISABLE_LOCAL_MODELS": "1",
        **more,
    }


def with_model(url: str, config: Mapping[str, Any] | None = None, **model: Any) -> Json:
    """A configuration whose default model is ``test/m1`` of the model server at ``url``."""
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": url, "apiKey": "test-key"},
        "models": {"m1": {"tool_call": True, **model}},
    }
    return {"model": "test/m1", "provider": {"test": provider}, **(config or {})}


class Events:
    """What ``GET /event`` or ``/global/event`` says as it comes, ``seen`` all of it so far."""

    def __init__(self, client: httpx.AsyncClient, path: str, headers: Mapping[str, str]) -> None:
        self.seen: list[Json] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read(client, path, headers))

    async def _read(self, client: httpx.AsyncClient, path: str, headers: Mapping[str, str]) -> None:
        async with client.stream("GET", path, headers=headers, timeout=None) as response:
            current: str | None = None
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    current = line[4:]
                elif line.startswith("data: "):
                    event = json.loads(line[6:])
                    event = event.get("payload", event)  # of all directories
                    if event["type"] == "sync":
                        continue
                    check_event(event)
                    self.seen.append({**event, "sse_id": current})
                    self._news.set()

    def kinds(self, *kinds: str) -> list[str]:
        """The types seen, in order; only ``kinds`` where given."""
        return [e["type"] for e in self.seen if not kinds or e["type"] in kinds]

    def of(self, kind: str) -> list[Json]:
        """The properties of every event of a type."""
        return [e["properties"] for e in self.seen if e["type"] == kind]

    async def until(self, wanted: str | Callable[[Json], bool], count: int = 1) -> Json:
        """The ``count``-th event (from the beginning) of a type, or for which a test holds."""
        test = (lambda e: e["type"] == wanted) if isinstance(wanted, str) else wanted
        try:
            async with asyncio.timeout(DEADLINE):
                while len(found := [e for e in self.seen if test(e)]) < count:
                    self._news.clear()
                    if self._task.done():
                        raise AssertionError(f"the stream ended: {self._task.exception()!r}")
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no such event; seen: {self.kinds()}") from None
        return found[count - 1]

    async def idle(self, count: int = 1) -> None:
        await self.until("session.idle", count)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class Ostler:
    """A running server. ``http`` is a client of it; ``model`` the scripted model it talks to."""

    def __init__(self, http: httpx.AsyncClient, model: ModelServer, root: Path, runtime: Runtime):
        self.http, self.model, self.root, self.runtime = http, model, root, runtime
        self._events: list[Events] = []

    async def get(self, path: str, **params: Any) -> Any:
        return _checked(await self.http.get(path, params=params))

    async def post(self, path: str, body: Any = None) -> Any:
        return _checked(await self.http.post(path, json={} if body is None else body))

    async def create(self, **body: Any) -> str:
        """A new session's id."""
        return str((await self.post("/session", body))["id"])

    async def prompt(self, session: str, said: str = "go", **body: Any) -> Json:
        """The answer to a prompt: {info, parts}."""
        parts = body.pop("parts", [{"type": "text", "text": said}])
        return dict(await self.post(f"/session/{session}/message", {"parts": parts, **body}))

    async def prompt_async(self, session: str, said: str = "go", **body: Any) -> None:
        parts = body.pop("parts", [{"type": "text", "text": said}])
        await self.post(f"/session/{session}/prompt_async", {"parts": parts, **body})

    async def messages(self, session: str) -> list[Json]:
        return list(await self.get(f"/session/{session}/message"))

    async def parts(self, session: str, kind: str) -> list[Json]:
        """The parts of a type, in order, over all messages."""
        found = [p for m in await self.messages(session) for p in m["parts"]]
        return [p for p in found if p["type"] == kind]

    async def events(self, path: str = "/event", **headers: str) -> Events:
        events = Events(self.http, path, headers)
        self._events.append(events)
        await events.until("server.connected")
        return events

    async def close(self) -> None:
        for events in self._events:
            await events.close()


def _checked(response: httpx.Response) -> Any:
    assert response.status_code < 300, f"{response.status_code}: {response.text}"
    return response.json() if response.content else None


def texts(answer: Json) -> str:
    """The text of an answer."""
    return "".join(p["text"] for p in answer["parts"] if p["type"] == "text")


def tools(answer: Json) -> list[Json]:
    return [p for p in answer["parts"] if p["type"] == "tool"]


@asynccontextmanager
async def serving(
    tmp_path: Path,
    script: Script = (),
    *,
    config: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    models: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    version_control: bool = True,
    titles: bool = True,
    access: Access | None = None,
    **variables: str,
) -> AsyncIterator[Ostler]:
    """A server for a fresh project with ``files`` (committed where under version control).
    ``config`` is added to its opencode.json, ``model`` to the model's entry there, ``options`` to
    the provider's; ``models`` are ids beside ``m1``."""
    root, home = tmp_path / "project", tmp_path / "home"
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    if version_control and not (root / ".git").exists():
        make_repository(root, files or {"README.md": "A project.\n"})
    else:
        root.mkdir(exist_ok=True)
        for name, content in (files or {}).items():
            (root / name).write_text(content)
    async with ModelServer(script, titles=titles) as scripted:
        written = with_model(scripted.url, config, **(model or {}))
        provider = written["provider"]["test"]
        provider["options"].update(options or {})
        provider["models"].update({name: {"tool_call": True} for name in models})
        folder = home / ".config/opencode"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "opencode.json").write_text(json.dumps(written))
        runtime = Runtime(str(root), environment=environment(home, **variables), inside=inside_app)
        listener = listen_anywhere()
        server = server_of(App(runtime, access or Access()))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(
            base_url=url,
            timeout=DEADLINE,
            trust_env=False,
            event_hooks={"response": [check_response]},
        ) as http:
            ostler = Ostler(http, scripted, root, runtime)
            try:
                yield ostler
            finally:
                await ostler.close()
                server.should_exit = True
                await running


def listen_anywhere() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener
