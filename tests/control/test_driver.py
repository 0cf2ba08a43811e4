"""``ostler drive``: what it does, and what it does not let happen. Against both servers."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ostler.cli.drive import FIRST_CODE
from ostler.client import AsyncClient
from ostler.control.failures import KINDS
from ostler.schema.message import UserMessage
from tests.support.command import SOURCES, Place, free_port
from tests.support.model_server import (
    STALL,
    ModelServer,
    Reply,
    Script,
    delta,
    error,
    text,
    tool,
)
from tests.support.product import DEADLINE, environment
from tests.support.servers import BOTH, Server, server_of

SLOW = Reply([delta({"role": "assistant", "content": "a"}), STALL])
WAIT = error(429, "Rate limit reached", {"retry-after": "300"})
ASKS = {"permission": {"bash": "ask"}}
Json = dict[str, Any]


class Result(msgspec.Struct):
    code: int
    said: Json

    @property
    def kind(self) -> str | None:
        """The failure's; that the exit code says the same is checked."""
        failure = self.said.get("failure")
        assert self.said["ok"] is (failure is None)
        kind = failure["kind"] if failure else None
        assert self.code == (FIRST_CODE + KINDS.index(kind) if kind else 0)
        return kind


class Drive:
    """Runs ``ostler drive`` in a home of its own."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.url = home, url
        (home / "tmp").mkdir(parents=True, exist_ok=True)

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ostler", "drive", *arguments),
            cwd=self.home,
            env=environment(self.home, PYTHONPATH=SOURCES, OPENCODE_API_URL=self.url, **variables),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        process = await self.start(*arguments, **variables)
        async with asyncio.timeout(DEADLINE * 2):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        assert out, err.decode()
        (line,) = out.splitlines()
        return Result(process.returncode, json.loads(line))


@asynccontextmanager
async def driven(
    kind: str, tmp_path: Path, script: Script = (), **config: object
) -> AsyncIterator[tuple[Server, Drive, AsyncClient]]:
    (tmp_path / "server").mkdir()
    async with (
        server_of(kind, tmp_path / "server", script, **config) as server,
        AsyncClient(server.url) as client,
    ):
        yield server, Drive(tmp_path / "driver", server.url), client


@pytest.mark.parametrize("kind", BOTH)
async def test_a_task_from_check_to_delete(tmp_path: Path, kind: str) -> None:
    async with driven(kind, tmp_path, [text("forty-two")]) as (server, drive, client):
        checked = await drive("check")
        assert checked.kind is None
        assert "test" in checked.said["connected"]
        assert checked.said["server"] == (await client.global_.health()).version
        assert "test/m1" in (await drive("models")).said["models"]
        made = await drive("create", "--title", "A task")
        assert (made.said["title"], made.said["directory"]) == ("A task", str(server.root))
        session = made.said["sessionID"]
        sent = await drive("send", "-s", session, "-m", "test/m1", "what", "is", "it?")
        assert (sent.kind, sent.said["text"], sent.said["model"]) == (None, "forty-two", "test/m1")
        assert sent.said["tokens"]["output"] == 5
        (listed,) = (await drive("list")).said["sessions"]
        assert (listed["sessionID"], listed["state"]) == (session, "idle")
        status = await drive("status", session)
        assert (status.said["state"], status.said["answer"]["text"]) == ("idle", "forty-two")
        assert (await drive("abort", session)).kind is None
        assert (await drive("delete", session)).said["deleted"] is True
        gone = await drive("status", session)
        assert gone.kind == "contract_violation"
        assert gone.said["failure"]["evidence"]["status"] == 404
        assert server.model.requests[0]["messages"][-1]["content"].endswith("what is it?")


@pytest.mark.parametrize("kind", BOTH)
async def test_a_task_gets_a_session_of_its_own(tmp_path: Path, kind: str) -> None:
    async with driven(kind, tmp_path, [text("one"), text("two")]) as (server, drive, client):
        first = await drive("send", "-", stdin="do one\nthing")
        second = await drive("send", "another")
        assert first.said["sessionID"] != second.said["sessionID"]
        again = await drive("send", "-s", first.said["sessionID"], "again")
        assert again.kind == "contract_violation"
        assert len(server.model.requests) == 2, "nothing was sent"
        third = await drive("send", "-s", first.said["sessionID"], "--reuse", "again")
        assert (third.kind, third.said["text"]) == (None, "two")
        session = await client.session.get(first.said["sessionID"])
        denied = {rule.permission for rule in session.permission or () if rule.action == "deny"}
        assert "question" in denied


@pytest.mark.parametrize("kind", BOTH)
async def test_at_its_deadline_the_session_is_aborted(tmp_path: Path, kind: str) -> None:
    async with driven(kind, tmp_path, [SLOW]) as (_, drive, client):
        late = await drive("send", "--deadline", "3", "go")
        assert late.kind == "timeout"
        assert await client.session.status() == {}


@pytest.mark.parametrize("kind", BOTH)
async def test_an_interrupted_send_aborts_the_session(tmp_path: Path, kind: str) -> None:
    async with driven(kind, tmp_path, [SLOW]) as (server, drive, client):
        process = await drive.start("send", "go")
        await server.model.wait_for_requests(1)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE):
            await process.communicate()
        assert process.returncode == 130
        assert await client.session.status() == {}


@pytest.mark.parametrize("kind", BOTH)
async def test_a_provider_that_is_to_be_asked_too_late_ends_the_send(
    tmp_path: Path, kind: str
) -> None:
    async with driven(kind, tmp_path, [WAIT]) as (_, drive, client):
        sent = await drive("send", "--deadline", "60", "go")
        assert sent.kind == "rate_limited"
        assert sent.said["seconds"] < 30
        assert await client.session.status() == {}


@pytest.mark.parametrize("kind", BOTH)
async def test_a_session_that_retries_is_aborted_and_never_sent_to(
    tmp_path: Path, kind: str
) -> None:
    async with driven(kind, tmp_path, [WAIT]) as (server, drive, client):
        sent = await drive("send-async", "--deadline", "100", "go")
        session = sent.said["sessionID"]
        async with asyncio.timeout(DEADLINE):
            while (status := await drive("status", session)).said["state"] != "retry":
                pass
        assert status.kind == "rate_limited"
        again = await drive("send", "-s", session, "--reuse", "again")
        assert again.kind == "rate_limited"
        assert await client.session.status() == {}
        assert len(server.model.requests) == 1
        said = [
            m for m in await client.session.messages(session) if isinstance(m.info, UserMessage)
        ]
        assert len(said) == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_an_ask_that_nobody_answers_ends_the_send(tmp_path: Path, kind: str) -> None:
    """In a session that another client made: in the driver's own, Ostler refuses what is asked."""
    script = [tool("bash", command="true", description="Nothing"), text("done")]
    async with driven(kind, tmp_path, script, **ASKS) as (_, drive, client):
        session = await client.session.create()
        sent = await drive("send", "-s", session.id, "go")
        assert sent.kind == "pending_permission"
        assert sent.said["failure"]["evidence"]["request"]["permission"] == "bash"
        assert await client.session.status() == {}
        assert await client.permission.list() == []


@pytest.mark.parametrize("kind", BOTH)
async def test_an_ask_of_a_session_that_is_gone_is_nobody_s(tmp_path: Path, kind: str) -> None:
    """The original keeps such asks in its list."""
    script = [tool("bash", command="true", description="Nothing"), text("done")]
    async with (
        driven(kind, tmp_path, [script[0], *script], **ASKS) as (_, drive, client),
        client.events() as events,
    ):
        gone, session = await client.session.create(), await client.session.create()
        await client.session.prompt_async(gone.id, parts=[{"type": "text", "text": "go"}])
        await anext(e async for e in events if e.type == "permission.asked")
        await client.session.delete(gone.id)
        assert (await drive("send", "-s", session.id, "go")).kind == "pending_permission"


@pytest.mark.parametrize("kind", BOTH)
async def test_a_session_that_works_is_not_sent_to(tmp_path: Path, kind: str) -> None:
    async with driven(kind, tmp_path, [SLOW, text("second")]) as (server, drive, _):
        session = (await drive("send-async", "go")).said["sessionID"]
        await server.model.wait_for_requests(1)
        assert (await drive("status", session)).said["state"] == "busy"
        assert (await drive("send", "-s", session, "more")).kind == "contract_violation"
        aborted = await drive("send", "-s", session, "--reuse", "more")
        assert (aborted.kind, aborted.said["text"]) == (None, "second")


@pytest.mark.parametrize("kind", BOTH)
async def test_the_deadline_of_an_asynchronous_send_outlives_the_command(
    tmp_path: Path, kind: str
) -> None:
    async with driven(kind, tmp_path, [SLOW]) as (_, drive, client):
        session = (await drive("send-async", "--deadline", "2", "go")).said["sessionID"]
        over = await drive("status", session, "--wait", "30")
        assert over.kind in ("timeout", "budget_exceeded")
        assert await client.session.status() == {}


@pytest.mark.parametrize("kind", BOTH)
async def test_waiting_for_an_asynchronous_send(tmp_path: Path, kind: str) -> None:
    async with driven(kind, tmp_path, [text("done")]) as (_, drive, _):
        session = (await drive("send-async", "go")).said["sessionID"]
        over = await drive("status", session, "--wait", "30")
        assert (over.kind, over.said["answer"]["text"]) == (None, "done")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("command", ["send", "send-async"])
async def test_a_prompt_that_cannot_begin(tmp_path: Path, kind: str, command: str) -> None:
    """OpenCode takes a prompt for a model it does not have, and says so as an event alone."""
    async with driven(kind, tmp_path, [text("done")]) as (_, drive, _):
        sent = await drive(command, "-m", "test/none", "go")
        assert sent.kind is not None
        assert "none" in sent.said["failure"]["message"]
        if kind == "original":  # its session keeps the prompt
            assert (await drive("status", sent.said["sessionID"])).kind == "stuck"


FAILURES: list[tuple[Reply, str]] = [
    (error(401, "invalid key"), "auth_failed"),
    (error(400, "nonsense"), "provider_unavailable"),
    (text("half an ans", finish="length"), "output_truncated"),
]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("reply", "failure"), FAILURES)
async def test_failures_have_their_names(
    tmp_path: Path, kind: str, reply: Reply, failure: str
) -> None:
    async with driven(kind, tmp_path, [reply]) as (_, drive, _):
        sent = await drive("send", "go")
        assert sent.kind == failure
        assert sent.said["failure"]["message"]


@pytest.mark.parametrize(
    ("said", "kind"), [('{"a": 1}', None), ("here you are: {}", "assistant_output_not_json")]
)
async def test_an_answer_that_has_to_be_json(tmp_path: Path, said: str, kind: str | None) -> None:
    async with driven("ostler", tmp_path, [text(said)]) as (_, drive, _):
        sent = await drive("send", "--expect-json", "go")
        assert sent.kind == kind
        assert sent.said.get("value") == ({"a": 1} if kind is None else None)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    drive = Drive(tmp_path, f"http://127.0.0.1:{free_port()}")
    for command in (["check"], ["send", "go"], ["list"], ["models"], ["abort", "ses_1"]):
        assert (await drive(*command)).kind == "server_unreachable", command


async def test_usage(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for arguments in (
        ["drive", "send", "-m", "gpt", "go"],
        ["drive", "send", "  "],
        ["drive", "send", "--deadline", "0", "go"],
        ["drive", "--url", "ftp://x", "check"],
        ["drive", "list", "--url", "ftp://x"],
        ["drive"],
    ):
        done = await place.ostler(*arguments)
        assert done.code == 2, (arguments, done)


# ── servers that it starts ────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def starting(tmp_path: Path) -> AsyncIterator[Drive]:
    """With ``ostler`` on PATH, and the scripted model; what was started is stopped."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "ostler"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ostler "$@"\n')
    program.chmod(0o755)
    place = Place(tmp_path)
    drive = Drive(place.home, f"http://127.0.0.1:{free_port()}")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    async with ModelServer([text("started")]) as model:
        place.configure(model.url)
        started = _Starting(drive, path)
        try:
            yield started
        finally:
            await started("check", "--stop")


class _Starting(Drive):
    def __init__(self, drive: Drive, path: str) -> None:
        super().__init__(drive.home, drive.url)
        self._path = path

    async def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        return await super().__call__(*arguments, stdin=stdin, PATH=self._path, **variables)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_server_is_started_once_and_stopped_by_its_process_id(tmp_path: Path) -> None:
    async with starting(tmp_path) as drive:
        assert (await drive("check")).kind == "server_unreachable"
        first = await drive("check", "--start", "--dir", str(tmp_path / "project"))
        assert (first.kind, first.said["started"]) == (None, True)
        assert first.said["version"] == first.said["server"]
        again = await drive("check", "--start")
        assert (again.said.get("started"), again.said["pid"]) == (None, first.said["pid"])
        sent = await drive("send", "go")
        assert sent.said["text"] == "started"
        stopped = await drive("check", "--stop")
        assert (stopped.said["stopped"], stopped.said["pid"]) == (True, first.said["pid"])
        assert not is_alive(first.said["pid"])
        assert (await drive("check", "--stop")).said["stopped"] is False


async def test_a_wedged_server_that_it_started_is_stopped(tmp_path: Path) -> None:
    async with starting(tmp_path) as drive:
        pid = (await drive("check", "--start")).said["pid"]
        session = (await drive("create")).said["sessionID"]
        os.kill(pid, signal.SIGSTOP)
        sent = await drive("abort", session)
        assert sent.kind == "server_unreachable"
        assert sent.said["failure"]["evidence"]["stopped"] == pid
        assert not is_alive(pid)


async def test_a_program_that_is_no_server(tmp_path: Path) -> None:
    drive = Drive(tmp_path, f"http://127.0.0.1:{free_port()}")
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho I am broken; exit 3\n")
    program.chmod(0o755)
    checked = await drive("check", "--start", "--binary", str(program))
    assert checked.kind == "server_unreachable"
    assert "I am broken" in checked.said["failure"]["evidence"]["log"]


async def test_a_server_elsewhere_is_not_started(tmp_path: Path) -> None:
    drive = Drive(tmp_path, "http://192.0.2.1:4096")
    checked = await drive("check", "--start", ALL_PROXY=f"http://127.0.0.1:{free_port()}")
    assert checked.kind == "server_unreachable"
    assert "another machine" in checked.said["failure"]["message"]
