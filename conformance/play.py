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
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.support import model_server as model
from tests.support.model_server import STALL, ModelServer, Reply

from conformance.normal import Normal, events

Json = dict[str, Any]
SECONDS = 30.0
READY_SECONDS = 40.0


async def play(scenario: Json, command: list[str], variables: Mapping[str, str]) -> Json:
    """The transcript of one scenario: {answers: [...], events: [...]}."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        place = Path(os.path.realpath(folder))
        replies = [reply(spec) for spec in scenario["replies"]]
        async with ModelServer(replies, title="A title") as models:
            _prepare(place, scenario, models.url)
            async with _serving(place, command, variables) as http:
                names = {models.url: "<model>", str(place / "project"): "<root>"}
                return await Player(http, names).run(scenario["steps"])


def reply(spec: Json) -> Reply:
    """A model's answer from its description."""
    if "error" in spec:
        return model.error(spec["error"], spec["message"], spec.get("headers"))
    if "calls" in spec:
        return model.calls(*((name, arguments) for name, arguments in spec["calls"]))
    if "begun" in spec:
        return Reply([model.delta({"role": "assistant", "content": spec["begun"]}), STALL])
    if "reasoning" in spec:
        return model.reasoning(spec["reasoning"], "".join(spec["text"]))
    return model.text(*spec["text"])


def _prepare(place: Path, scenario: Json, model_url: str) -> None:
    root = place / "project"
    root.mkdir()
    for name, text in {"README.md": "A project.\n", **scenario.get("files", {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    author = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), (*author, "commit", "-qm", "x")):
        subprocess.run(["git", *arguments], cwd=root, check=True, timeout=30)
    folder = place / "home/.config/opencode"
    folder.mkdir(parents=True)
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
            }
        },
    }
    config = {
        "model": "test/m1",
        "small_model": "test/m1",
        "provider": {"test": provider},
        **scenario.get("config", {}),
    }
    (folder / "opencode.json").write_text(json.dumps(config))


@asynccontextmanager
async def _serving(
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
    def __init__(self, http: httpx.AsyncClient, names: dict[str, str]) -> None:
        self._http = http
        self._normal = Normal(names)
        self._saved: dict[str, str] = {}
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
            found = await self._until(lambda e: e["type"] == step["event"], 1)
            self._save(step, found)
            return None
        method = next(m for m in ("get", "post", "patch", "put", "delete") if m in step)
        path = self._filled(step[method])
        body = self._filled(step["body"]) if "body" in step else None
        answer = await self._http.request(method.upper(), path, json=body)
        decoded = answer.json() if answer.content else None
        self._save(step, decoded)
        return {
            "asked": f"{method.upper()} {self._normal.text(path)}",
            **self._normal.answer(answer.status_code, decoded),
        }

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
                    self._seen.append(json.loads(line[6:]))
                    self._news.set()

    async def _until(self, test: Any, count: int) -> Json:
        async with asyncio.timeout(SECONDS):
            while len(found := [e for e in self._seen if test(e)]) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]
