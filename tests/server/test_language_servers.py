"""What language servers find in a changed file is in the tool's answer; servers that do not behave
break nothing."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ostler.config.trust import Trust
from ostler.integrations.lsp import client, connection, servers
from tests.server.test_abort import eventually
from tests.support import lsp_server
from tests.support.model_server import text, tool
from tests.support.product import Json, Ostler, serving

TXT = {"extensions": [".txt"]}


def command(log: Path, *words: str) -> list[str]:
    return [sys.executable, lsp_server.__file__, str(log), *words]


def heard(log: Path, method: str | None = None) -> list[Json]:
    """What the scripted servers noted, or the parameters of each message of a method."""
    noted = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [n["params"] for n in noted if n.get("method") == method] if method else noted


class Project:
    """A served project whose .txt files have the scripted server."""

    def __init__(self, ostler: Ostler, log: Path) -> None:
        self.ostler, self.log, self.root = ostler, log, ostler.root

    async def call(self, name: str, **arguments: Any) -> Json:
        """The state of one tool call."""
        self.ostler.model.extend(tool(name, **arguments), text("done"))
        session = await self.ostler.create(title="Named")
        await self.ostler.prompt(session)
        (part,) = await self.ostler.parts(session, "tool")
        return dict(part["state"])

    async def write(self, name: str = "a.txt", content: str = "fine\n") -> Json:
        return await self.call("write", filePath=name, content=content)

    async def status(self) -> list[tuple[str, str, str]]:
        return [(s["id"], s["root"], s["status"]) for s in await self.ostler.get("/lsp")]

    def heard(self, method: str | None = None) -> list[Json]:
        return heard(self.log, method)

    def pids(self) -> list[int]:
        return [pid for n in self.heard() for key in ("pid", "child") if (pid := n.get(key))]


@asynccontextmanager
async def project(
    tmp_path: Path, *words: str, lsp: Any = None, entry: Json | None = None, **more: Any
) -> AsyncIterator[Project]:
    log = tmp_path / "lsp.log"
    own = {"mine": {"command": command(log, *words), **TXT, **(entry or {})}}
    config = {"lsp": own if lsp is None else lsp, **more.pop("config", {})}
    async with serving(tmp_path, config=config, titles=False, **more) as ostler:
        yield Project(ostler, log)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# ── what a server finds ───────────────────────────────────────────────────────────────────────


async def test_errors_are_in_the_answer(tmp_path: Path) -> None:
    async with project(tmp_path) as it:
        events = await it.ostler.events()
        assert await it.status() == []
        state = await it.write(content="fine\nBAD thing\nODD\n")
        path = str(it.root / "a.txt")
        assert state["output"] == (
            "Wrote file successfully.\n\nLSP errors detected in this file, please fix:\n"
            f'<diagnostics file="{path}">\nERROR [2:1] BAD thing\n</diagnostics>'
        )
        found = state["metadata"]["diagnostics"]
        assert [(d["severity"], d["message"]) for d in found[path]] == [
            (1, "BAD thing"),
            (2, "ODD"),
        ]
        await events.until("lsp.updated")
        assert await it.status() == [("mine", "", "connected")]
        edit = {"filePath": "a.txt", "oldString": "BAD", "newString": "good"}
        state = await it.call("edit", **edit)
        assert state["output"] == "Edit applied successfully."
        assert [d["message"] for d in state["metadata"]["diagnostics"][path]] == ["ODD"]
        state = await it.write("b.txt", "fine\n")
        assert state["output"] == "Wrote file successfully."
        await it.write("b.txt", "BAD\n")
        state = await it.write("c.txt", "fine\n")
        assert "LSP errors detected in other files:\n" in state["output"]
        assert str(it.root / "b.txt") in state["output"]


async def test_a_patch(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Add File: a.txt\n+BAD\n*** Add File: b.txt\n+ok\n*** End Patch"
    async with project(tmp_path, model={"id": "gpt-5-x"}) as it:
        state = await it.call("apply_patch", patchText=patch)
        assert "LSP errors detected in a.txt, please fix:\n" in state["output"]
        assert "b.txt, please fix" not in state["output"]


@pytest.mark.parametrize("words", ["pull", "pieces", "stale", "noisy", "incremental"])
async def test_however_it_speaks(tmp_path: Path, words: str) -> None:
    async with project(tmp_path, words) as it:
        for content, expected in (("BAD one\n", True), ("fine\n", False), ("BAD\n", True)):
            state = await it.write(content=content)
            assert ("ERROR [1:1] BAD" in state["output"]) == expected
            assert "of before" not in state["output"]


async def test_what_a_change_breaks_beside_it(tmp_path: Path) -> None:
    """A server that is asked is asked for the open files as well: it does not say by itself that
    an error there is gone."""
    async with project(tmp_path, "pull") as it:
        await it.write("b.txt", "BAD\n")
        (it.root / "b.txt").write_text("mended by somebody else\n")
        state = await it.write("a.txt", "fine\n")
        assert state["metadata"]["diagnostics"] == {}


async def test_what_a_server_is_told(tmp_path: Path) -> None:
    settings = {"a": {"b": 7}}
    entry = {"initialization": settings, "env": {"OWN": "yes"}}
    async with project(tmp_path, "incremental", entry=entry) as it:
        await it.write(content="one\n\U0001f600x")
        await it.write(content="two\n")
        (greeting,) = it.heard("initialize")
        root = it.root.as_uri()
        assert greeting["rootUri"] == root
        assert greeting["processId"] == os.getpid()
        assert greeting["initializationOptions"] == settings
        assert it.heard()[0]["environment"]["OWN"] == "yes"
        assert it.heard("workspace/didChangeConfiguration") == [{"settings": settings}]
        uri = f"{root}/a.txt"
        (opened,) = it.heard("textDocument/didOpen")
        text = {"languageId": "plaintext", "version": 0, "text": "one\n\U0001f600x"}
        assert opened["textDocument"] == {"uri": uri, **text}
        (changed,) = it.heard("textDocument/didChange")
        assert changed["textDocument"] == {"uri": uri, "version": 1}
        end = {"line": 1, "character": 3}  # in UTF-16 units
        at = {"start": {"line": 0, "character": 0}, "end": end}
        assert changed["contentChanges"] == [{"range": at, "text": "two\n"}]
        watched = [c for p in it.heard("workspace/didChangeWatchedFiles") for c in p["changes"]]
        assert {"uri": uri, "type": 1} in watched
        assert {"uri": uri, "type": 2} in watched
        answers = {n["id"]: n for n in it.heard() if "id" in n and "method" not in n}
        assert answers["s1"]["result"] == [7, settings, None]
        assert answers["s2"]["result"] == [{"name": "project", "uri": root}]
        assert answers["s3"]["result"] is None
        assert answers["s4"]["error"]["code"] == -32601


async def test_reading_opens_a_file(tmp_path: Path) -> None:
    async with project(tmp_path, files={"a.txt": "BAD\n"}) as it:
        state = await it.call("read", filePath="a.txt")
        assert "LSP" not in state["output"]
        await eventually(lambda: bool(it.heard("textDocument/didOpen")))
        assert len(it.heard("initialize")) == 1


async def test_what_others_change_is_told_with_the_next_edit(tmp_path: Path) -> None:
    async with project(tmp_path, files={"a.txt": "x\n", "b.txt": "x\n", "c.txt": "x\n"}) as it:
        for name in ("a.txt", "b.txt"):
            await it.write(name, "BAD\n")
        (it.root / "a.txt").write_text("mended\n")
        (it.root / "b.txt").unlink()
        state = await it.write("c.txt", "fine\n")
        closed = [p["textDocument"]["uri"] for p in it.heard("textDocument/didClose")]
        assert closed == [(it.root / "b.txt").as_uri()]
        assert str(it.root / "b.txt") not in state["metadata"]["diagnostics"]
        changed = [p["textDocument"]["uri"] for p in it.heard("textDocument/didChange")]
        assert (it.root / "a.txt").as_uri() in changed


async def test_a_file_that_a_patch_deletes(tmp_path: Path) -> None:
    async with project(tmp_path, model={"id": "gpt-5-x"}) as it:
        patch = "*** Begin Patch\n*** {}\n*** End Patch"
        await it.call("apply_patch", patchText=patch.format("Add File: a.txt\n+BAD"))
        await it.call("apply_patch", patchText=patch.format("Delete File: a.txt"))
        uri = (it.root / "a.txt").as_uri()
        assert it.heard("textDocument/didClose") == [{"textDocument": {"uri": uri}}]
        last = it.heard("workspace/didChangeWatchedFiles")[-1]
        assert last == {"changes": [{"uri": uri, "type": 3}]}


@pytest.mark.parametrize("words", [(), ("real",)])
async def test_a_path_with_a_link_and_odd_characters(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with project(tmp_path, *words) as it:
        (it.root / "real #1 é").mkdir()
        (it.root / "link").symlink_to("real #1 é")
        state = await it.write("link/a b%20.txt", "BAD\n")
        assert str(it.root / "link/a b%20.txt") in state["metadata"]["diagnostics"]


# ── which servers, and where ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lsp", [False, {}, {"mine": {"disabled": True}}])
async def test_none_where_none_is_asked_for(tmp_path: Path, lsp: Any) -> None:
    async with project(tmp_path, lsp=lsp) as it:
        assert (await it.write(content="BAD\n"))["output"] == "Wrote file successfully."
        assert await it.status() == []


async def test_a_server_for_each_root(tmp_path: Path) -> None:
    """The nearest marker of a built-in server; its command may be another one."""
    lsp = {"pyright": {"command": command(tmp_path / "lsp.log")}}
    async with project(tmp_path, lsp=lsp) as it:
        for folder in ("one/deep", "two"):
            (it.root / folder).mkdir(parents=True)
        (it.root / "one/pyproject.toml").write_text("")
        (it.root / "two/setup.py").write_text("")
        for name in ("one/deep/a.py", "one/b.py", "two/a.py", "a.py"):
            assert "ERROR" in (await it.write(name, "BAD\n"))["output"]
        roots = [("pyright", root, "connected") for root in ("one", "two", "")]
        assert await it.status() == roots
        assert len(it.heard("initialize")) == 3
        languages = {p["textDocument"]["languageId"] for p in it.heard("textDocument/didOpen")}
        assert languages == {"python"}


async def test_files_of_others_are_not_shown(tmp_path: Path) -> None:
    config = {"permission": {"external_directory": "allow"}}
    async with project(tmp_path, config=config) as it:
        state = await it.write(str(tmp_path / "outside.txt"), "BAD\n")
        assert state["output"] == "Wrote file successfully."
        await it.write("a.md", "BAD\n")
        assert it.heard() == []


async def test_a_server_that_is_not_installed(tmp_path: Path) -> None:
    """A built-in one is none of the user's business; one they named is."""
    lsp = {"mine": {"command": ["no-such-program"], **TXT}}
    async with project(tmp_path, lsp=lsp, PATH="/nowhere") as it:
        assert "ERROR" not in (await it.write(content="BAD\n"))["output"]
        await it.write("a.go", "BAD\n")
        assert await it.status() == [("mine", "", "error")]


async def test_a_custom_server_says_all_there_is_to_say(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        body = {"lsp": {"mine": {"command": ["x"]}}}
        answer = await ostler.http.patch("/config", json=body)
        assert answer.status_code == 400
        (issue,) = answer.json()["data"]["issues"]
        assert issue["path"] == ["lsp", "mine"]
        assert '"extensions"' in issue["message"]
        body = {"lsp": {"pyright": {"command": ["x"]}, "mine": {"disabled": True}}}
        assert (await ostler.http.patch("/config", json=body)).status_code == 200


# ── trust ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_project_would_run_waits_for_trust(tmp_path: Path) -> None:
    async with project(tmp_path, lsp=True) as it:
        own = {"lsp": {"own": {"command": command(it.log), **TXT}}}
        (it.root / "opencode.json").write_text(json.dumps(own))
        await it.ostler.post("/instance/dispose")
        instance = await it.ostler.runtime.instance()
        assert it.ostler.runtime.held_back(instance) == ["the language server own"]
        assert (await it.write(content="BAD\n"))["output"] == "Wrote file successfully."
        assert it.heard() == []
        assert await it.status() == [("own", "", "error")]
        Trust(it.ostler.runtime.paths.state, {}).add(str(it.root))
        assert "ERROR" in (await it.write(content="BAD\n"))["output"]
        assert await it.status() == [("own", "", "connected")]


def _program(path: Path, log: Path, name: str) -> None:
    """A program that is the scripted server, and says in its log by what name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport sys\nsys.argv = [{name!r}, {str(log)!r}]\n"
                    + Path(lsp_server.__file__).read_text())  # fmt: skip
    path.chmod(0o755)


@pytest.mark.parametrize("trusted", [False, True])
async def test_programs_that_the_project_brings(tmp_path: Path, trusted: bool) -> None:
    """One of the project's own is not run untrusted, and one on PATH is run in any case."""
    _program(tmp_path / "bin/gopls", tmp_path / "lsp.log", "of the user")
    (tmp_path / "bin/python").symlink_to(sys.executable)
    paths = f"{tmp_path}/bin:node_modules/.bin:{os.environ['PATH']}"
    trust = {"OSTLER_TRUST": "1"} if trusted else {}
    async with project(tmp_path, lsp=True, PATH=paths, **trust) as it:
        for name in ("gopls", "pyright-langserver", "biome"):
            _program(it.root / "node_modules/.bin" / name, it.log, f"own {name}")
        (it.root / "pyproject.toml").write_text("")
        for file in ("a.go", "a.py", "a.json"):
            found = "in this file" in (await it.write(file, "BAD\n"))["output"]
            assert found == (trusted or file == "a.go")
        started = [n["started"][0] for n in it.heard() if "started" in n]
        assert started == (["of the user", "own pyright-langserver", "own biome"] if trusted
                           else ["of the user"])  # fmt: skip
        instance = await it.ostler.runtime.instance()
        held = [] if trusted else ["the language server pyright"]
        assert it.ostler.runtime.held_back(instance) == held


@pytest.mark.parametrize("trusted", [False, True])
async def test_servers_that_run_what_the_project_configures(tmp_path: Path, trusted: bool) -> None:
    _program(tmp_path / "bin/rust-analyzer", tmp_path / "lsp.log", "rust")
    trust = {"OSTLER_TRUST": "1"} if trusted else {}
    paths = f"{tmp_path}/bin:{os.environ['PATH']}"
    async with project(tmp_path, lsp=True, PATH=paths, **trust) as it:
        (it.root / "crate/src").mkdir(parents=True)
        (it.root / "Cargo.toml").write_text('[workspace]\nmembers = ["crate"]\n')
        (it.root / "crate/Cargo.toml").write_text("")
        assert ("ERROR" in (await it.write("crate/src/a.rs", "BAD\n"))["output"]) == trusted
        assert await it.status() == [("rust", "", "connected" if trusted else "error")]


# ── servers that do not behave ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", ["deaf", "babbling", "dying"])
async def test_one_that_fails(
    tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The edit is done, the server is told as failed, and is not tried again."""
    monkeypatch.setattr(client, "INITIALIZE_SECONDS", 0.5)
    async with project(tmp_path, words) as it:
        events = await it.ostler.events()
        for content in ("BAD\n", "BAD again\n"):
            assert (await it.write(content=content))["output"] == "Wrote file successfully."
            assert (it.root / "a.txt").read_text() == content
        await events.until("lsp.updated", 2 if words == "dying" else 1)
        assert await it.status() == [("mine", "", "error")]
        assert len(it.pids()) == 1
        await eventually(lambda: not any(map(alive, it.pids())))
        if words == "dying":
            await eventually(lambda: "out of luck" in caplog.text)
        await it.ostler.post("/instance/dispose")
        assert await it.status() == []


async def test_one_that_is_slow_to_start_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "START_SECONDS", 0.1)
    async with project(tmp_path, "deaf") as it:
        began = time.monotonic()
        await it.write()
        assert time.monotonic() - began < 4
        assert await it.status() == []
        await it.ostler.post("/instance/dispose")
        await eventually(lambda: not any(map(alive, it.pids())))


async def test_one_that_finds_nothing_is_waited_for_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOADING_SECONDS", 0.0)
    monkeypatch.setattr(client, "DOCUMENT_SECONDS", 2.0)
    monkeypatch.setattr(client, "SILENT_SECONDS", 0.1)
    async with project(tmp_path, "mute") as it:
        took = []
        for content in ("BAD\n", "BAD again\n", "BAD too\n"):
            began = time.monotonic()
            assert (await it.write(content=content))["output"] == "Wrote file successfully."
            took.append(time.monotonic() - began)
        assert took[0] > 2.0
        assert max(took[1:]) < 1.9
        assert await it.status() == [("mine", "", "connected")]


async def test_an_aborted_edit_does_not_wait(tmp_path: Path) -> None:
    async with project(tmp_path, "deaf") as it:
        it.ostler.model.extend(tool("write", filePath="a.txt", content="x"), text("done"))
        session = await it.ostler.create(title="Named")
        await it.ostler.prompt_async(session)
        await eventually(lambda: bool(it.heard("initialize")))
        began = time.monotonic()
        await it.ostler.post(f"/session/{session}/abort")
        events = await it.ostler.events()
        await it.ostler.prompt_async(session)
        await events.idle()
        assert time.monotonic() - began < 5


async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GRACE", 0.1)
    async with project(tmp_path, "stubborn") as it:
        await it.write()
        server, child = it.pids()
        assert alive(server)
        assert alive(child)
        await it.ostler.post("/instance/dispose")
        await eventually(lambda: not any(map(alive, (server, child))))
        assert [n.get("method") for n in it.heard()][-2:] == ["shutdown", "exit"]


async def test_there_are_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_OPEN", 2)
    monkeypatch.setattr(servers, "MOST_RUNNING", 2)
    lsp = {"pyright": {"command": command(tmp_path / "lsp.log")}}
    async with project(tmp_path, lsp=lsp) as it:
        for name in ("one", "two", "three"):
            (it.root / name).mkdir()
            (it.root / name / "setup.py").write_text("")
            await it.write(f"{name}/a.py", "x\n")
        assert [root for _, root, _ in await it.status()] == ["two", "three"]
        await eventually(lambda: len([p for p in it.pids() if alive(p)]) == 2)
        for name in ("b.py", "c.py"):
            await it.write(f"three/{name}", "x\n")
        (closed,) = it.heard("textDocument/didClose")
        assert closed["textDocument"]["uri"].endswith("/three/a.py")


async def test_few_other_files_come_with_an_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MOST_OTHERS", 1)
    async with project(tmp_path) as it:
        for name, content in (("b.txt", "ODD\n"), ("c.txt", "BAD\n"), ("d.txt", "ODD\n")):
            await it.write(name, content)
        found = (await it.write("a.txt", "ODD\n"))["metadata"]["diagnostics"]
        assert list(found) == [str(it.root / "a.txt"), str(it.root / "c.txt")]


async def test_an_idle_one_is_ended_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "IDLE_SECONDS", 0.1)
    async with project(tmp_path) as it:
        await it.write(content="BAD\n")
        await eventually(lambda: not any(map(alive, it.pids())))
        assert await it.status() == []
        monkeypatch.undo()
        assert "ERROR" in (await it.write(content="BAD again\n"))["output"]


async def test_edits_at_once_share_a_server(tmp_path: Path) -> None:
    async with project(tmp_path) as it:
        instance = await it.ostler.runtime.instance()
        names = [f"{i}.txt" for i in range(20)]
        for name in names:
            (it.root / name).write_text("BAD\n")
        edits = (instance.language_servers.edited(str(it.root / name)) for name in names)
        found = await asyncio.gather(*edits)
        assert len(it.heard("initialize")) == 1
        assert all(str(it.root / n) in f for n, f in zip(names, found, strict=True))
