"""Playing a scenario against a server, and writing down what it answered and said."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from tests.support import model_server as model
from tests.support.contract import check_event, check_response
from tests.support.model_server import CUT, STALL, ModelServer, Reply

from conformance.normal import Normal, events

Json = dict[str, Any]
SECONDS = 30.0
READY_SECONDS = 40.0


class Program:
    """A server that is started for each scenario: ``command`` and then ``serve``."""

    def __init__(self, command: list[str], variables: Mapping[str, str]) -> None:
        self._command, self._variables = command, variables

    def serve(self, place: Path, config: Json) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        folder = place / "home/.config/opencode"
        folder.mkdir(parents=True)
        (folder / "opencode.json").write_text(json.dumps(config))
        return _started(place, self._command, self._variables)


class Running:
    """A server that runs already, on this machine; a project of its own is what it gets of a
    scenario, with the configuration in it."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def serve(self, place: Path, config: Json) -> AsyncIterator[httpx.AsyncClient]:
        root = place / "project"
        (root / ".opencode").mkdir(exist_ok=True)
        (root / ".opencode/opencode.json").write_text(json.dumps(config))
        with (root / ".git/info/exclude").open("a") as exclude:
            exclude.write(".opencode/opencode.json\n")
        here = {"x-opencode-directory": quote(str(root), safe="")}
        async with httpx.AsyncClient(
            base_url=self._url, timeout=SECONDS, trust_env=False, headers=here
        ) as http:
            yield http


async def play(scenario: Json, target: Program | Running, *, judged: bool = False) -> Json:
    """The transcript of one scenario: {answers: [...], events: [...]}. ``judged``: raise
    AssertionError for an answer or event that OpenCode's API document does not allow."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        place = Path(os.path.realpath(folder))
        replies = [reply(spec) for spec in scenario["replies"]]
        async with ModelServer(replies, title="A title") as models:
            _prepare(place, scenario)
            async with target.serve(place, _config(scenario, models.url)) as http:
                data = place / "home/.local/share"
                names = {
                    models.url: "<model>",
                    str(place / "project"): "<root>",
                    str(place): "<place>",
                    str(data / "opencode"): "<data>",
                    str(data / "ostler"): "<data>",
                }
                if judged:
                    http.event_hooks = {"response": [check_response]}
                transcript = await Player(http, names, judged).run(scenario["steps"])
                if scenario.get("racing"):  # the order of events is chance
                    del transcript["events"]
                if scenario.get("requests"):
                    transcript["requests"] = [_request(r) for r in models.requests]
                return transcript


def reply(spec: Json) -> Reply:
    """A model's answer from its description."""
    if "error" in spec:
        return model.error(spec["error"], spec["message"], spec.get("headers"))
    if "calls" in spec:
        return model.calls(*((name, arguments) for name, arguments in spec["calls"]))
    if "raw_call" in spec:
        name, arguments = spec["raw_call"]
        chunks = [model.raw_call(name, arguments), model.delta({}, "tool_calls")]
        return Reply([*chunks, model.DONE])
    if "cut" in spec:
        return Reply([model.delta({"role": "assistant", "content": spec["cut"]}), CUT])
    if "begun" in spec:
        return Reply([model.delta({"role": "assistant", "content": spec["begun"]}), STALL])
    if "reasoning" in spec:
        return model.reasoning(spec["reasoning"], "".join(spec["text"]))
    answer = model.text(*spec["text"], finish=spec.get("finish", "stop"))
    answer.before = spec.get("before", 0.0)
    return answer


def _request(body: Json) -> Json:
    """What a model was asked, without prose: who spoke, what was called, what was offered."""
    said = []
    for message in body["messages"]:
        if message["role"] == "system":
            continue
        calls = [c["function"]["name"] for c in message.get("tool_calls") or ()]
        said.append([message["role"], *calls])
    offered = sorted(t["function"]["name"] for t in body.get("tools", ()))
    return {"messages": said, "tools": offered}


def _prepare(place: Path, scenario: Json) -> None:
    root = place / "project"
    root.mkdir()
    for name, text in {"README.md": "A project.\n", **scenario.get("files", {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    author = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        (*author, "commit", "-qm", place.name),
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True, timeout=30)


def _config(scenario: Json, model_url: str) -> Json:
    """A configuration whose model is the scripted one."""
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Test",
        "options": {"baseURL": model_url, "apiKey": "key"},
        "models": {
            "m1": {
                "name": "M1",
                "tool_call": True,
                "reasoning": True,
                "limit": {"context": 100_000, "output": 8_000},
                "cost": {"input": 1, "output": 2},
            },
            **scenario.get("models", {}),
        },
    }
    return {
        "model": "test/m1",
        "small_model": "test/m1",
        "provider": {"test": provider},
        **scenario.get("config", {}),
    }


@asynccontextmanager
async def _started(
    place: Path, command: list[str], variables: Mapping[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place / "home"),
        "SHELL": "/bin/bash",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        *(*command, "serve", "--port", str(port)),
        cwd=place / "project",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as http:
            async with asyncio.timeout(READY_SECONDS):
                while True:
                    try:
                        await http.get("/global/health")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield http
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class Player:
    def __init__(self, http: httpx.AsyncClient, names: dict[str, str], judged: bool) -> None:
        self._http, self._judged = http, judged
        self._normal = Normal(names)
        self._saved = {name.strip("<>"): place for place, name in names.items()}
        self._seen: list[Json] = []
        self._news = asyncio.Event()

    async def run(self, steps: list[Json]) -> Json:
        listening = asyncio.create_task(self._listen())
        try:
            await self._until(lambda e: e["type"] == "server.connected", 1)
            answers = [a for step in steps if (a := await self._step(step)) is not None]
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        return {"answers": answers, "events": events(self._seen)}

    async def _step(self, step: Json) -> Json | None:
        if "idle" in step:
            await self._until(lambda e: e["type"] == "session.idle", step["idle"])
            return None
        if "event" in step:
            where = step.get("where", "").split()
            found = await self._until(
                lambda e: e["type"] == step["event"] and all(w in json.dumps(e) for w in where), 1
            )
            self._save(step, found)
            return None
        if "socket" in step:
            return await self._socket(step)
        if "while" in step:
            return await self._together(step)
        method = next(m for m in ("get", "post", "patch", "put", "delete") if m in step)
        path = self._filled(step[method])
        body = self._filled(step["body"]) if "body" in step else None
        answer = await self._http.request(
            method.upper(), path, json=body, headers=step.get("headers")
        )
        decoded = answer.json() if answer.content else None
        self._save(step, decoded)
        for name, header in step.get("save_header", {}).items():
            self._saved[name] = answer.headers[header]
        decoded = _picked(decoded, step)
        # A cursor is each program's own.
        asked = self._normal.text(re.sub(r"before=[^&]+", "before=<cursor>", path))
        return {
            "asked": f"{method.upper()} {asked}",
            **self._normal.answer(answer.status_code, decoded),
        }

    async def _together(self, step: Json) -> Json | None:
        """A request that waits, other steps meanwhile, then its answer."""
        waiting = asyncio.create_task(self._step(step["while"]))
        for other in step["steps"]:
            await self._step(other)
        return await waiting

    async def _socket(self, step: Json) -> Json:
        """Speak to a terminal until it has said something."""
        from websockets.asyncio.client import connect

        url = str(self._http.base_url).replace("http", "ws", 1).rstrip("/")
        heard = ""
        url += self._filled(step["socket"])
        here = self._http.headers.get("x-opencode-directory")
        located = {"x-opencode-directory": here} if here else None
        async with (
            asyncio.timeout(SECONDS),
            connect(url, additional_headers=located) as socket,
        ):
            await socket.send(step["say"])
            while step["until"] not in heard:
                said = await socket.recv()
                heard += said if isinstance(said, str) else said.decode("utf-8", "replace")
        return {"asked": "WEBSOCKET", "heard": step["until"]}

    def _filled(self, value: Any) -> Any:
        text = json.dumps(value)
        filled = re.sub(r"\{(\w+)\}", lambda m: self._saved.get(m[1], m[0]), text)
        return json.loads(filled)

    def _save(self, step: Json, value: Any) -> None:
        for name, pointer in step.get("save", {}).items():
            found = value
            for key in pointer.strip("/").split("/"):
                found = found[int(key) if isinstance(found, list) else key]
            self._saved[name] = found

    async def _listen(self) -> None:
        async with self._http.stream("GET", "/event", timeout=None) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    if self._judged:
                        check_event(event)
                    self._seen.append(event)
                    self._news.set()

    async def _until(self, test: Any, count: int) -> Json:
        async with asyncio.timeout(SECONDS):
            while len(found := [e for e in self._seen if test(e)]) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


def _picked(body: Any, step: Json) -> Any:
    """``only``: of each object in a list these keys; ``names``: nothing but that key's values."""
    if "only" in step and isinstance(body, list):
        return [{k: item[k] for k in step["only"] if k in item} for item in body]
    if "only" in step and isinstance(body, dict):
        return {k: body[k] for k in step["only"] if k in body}
    if "sorted" in step:
        return sorted(item[step["sorted"]] for item in body)
    return body
