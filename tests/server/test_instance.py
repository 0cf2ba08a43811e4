"""What a directory and the whole server have: configuration, credentials, tools, projects; and the
remote control of terminal UIs."""

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ostler import runtime
from tests.support.model_server import text, tool
from tests.support.product import serving, texts
from tests.support.repository import git, make_repository

# ── configuration ─────────────────────────────────────────────────────────────────────────────


async def test_the_global_configuration(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        file = tmp_path / "home/.config/opencode/opencode.json"
        file.write_text("// by hand\n" + file.read_text())
        before = await ostler.get("/global/config")
        assert before["model"] == "test/m1"
        everywhere = await ostler.events("/event")
        after = (await ostler.http.patch("/global/config", json={"username": "Ada"})).json()
        assert after == {**before, "username": "Ada"}
        assert file.read_text().startswith("// by hand\n")
        assert (await ostler.get("/config"))["username"] == "Ada"
        await everywhere.until("server.instance.disposed")


async def test_the_projects_configuration(tmp_path: Path) -> None:
    files = {"opencode.jsonc": '{\n  // kept\n  "username": "Bob"\n}\n'}
    async with serving(tmp_path, files=files) as ostler:
        asked = {"agent": {"poet": {"prompt": "Verse."}}}
        assert (await ostler.http.patch("/config", json=asked)).json() == asked
        written = (ostler.root / "opencode.jsonc").read_text()
        assert "// kept" in written
        assert "poet" in [a["name"] for a in await ostler.get("/agent")]
        assert (await ostler.get("/config"))["username"] == "Bob"


@pytest.mark.parametrize("path", ["/config", "/global/config"])
async def test_a_configuration_with_a_mistake_is_not_written(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as ostler:
        before = await ostler.get("/global/config")
        refused = await ostler.http.patch(path, json={"agent": {"x": {"steps": "many"}}})
        assert refused.status_code == 400
        assert "agent.x.steps" in refused.text
        assert await ostler.get("/global/config") == before
        assert not (ostler.root / "opencode.json").exists()


# ── credentials ───────────────────────────────────────────────────────────────────────────────


async def test_a_key_that_is_kept_is_used(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")], options={"apiKey": ""}) as ostler:
        assert (
            await ostler.http.put("/auth/test", json={"type": "api", "key": "kept-key"})
        ).json() is True
        file = tmp_path / "home/.local/share/ostler/auth.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == {"test": {"type": "api", "key": "kept-key"}}
        assert texts(await ostler.prompt(await ostler.create())) == "ok"
        assert ostler.model.headers[0]["authorization"] == "Bearer kept-key"
        assert (await ostler.http.delete("/auth/test")).json() is True
        assert json.loads(file.read_text()) == {}
        assert (await ostler.http.delete("/auth/never-there")).json() is True


async def test_keys_of_opencode_are_read_and_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "home/.local/share/opencode/auth.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"test": {"type": "api", "key": "theirs"}, "odd": {"type": "new"}}')
    async with serving(tmp_path, [text("ok")], options={"apiKey": ""}) as ostler:
        await ostler.prompt(await ostler.create())
        assert ostler.model.headers[0]["authorization"] == "Bearer theirs"
        await ostler.http.put("/auth/other/", json={"type": "api", "key": "k"})
        assert "other" not in theirs.read_text()
        own = json.loads((tmp_path / "home/.local/share/ostler/auth.json").read_text())
        assert list(own) == ["other"]


async def test_a_credential_of_no_known_kind(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        refused = await ostler.http.put("/auth/test", json={"type": "magic", "key": "k"})
        assert refused.status_code == 400
        assert "magic" in refused.text


# ── tools, the log, what is running ───────────────────────────────────────────────────────────


async def test_tools(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        ids = await ostler.get("/experimental/tool/ids")
        assert {"bash", "apply_patch", "edit", "invalid"} <= set(ids)
        tools = await ostler.get("/experimental/tool", provider="test", model="m1")
        by_id = {t["id"]: t for t in tools}
        assert "apply_patch" not in by_id
        assert by_id["bash"]["parameters"]["required"] == ["command"]
        unknown = await ostler.http.get("/experimental/tool?provider=test&model=nope")
        assert unknown.status_code == 404


async def test_statuses(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        assert await ostler.get("/lsp") == []
        assert await ostler.get("/formatter") == []
        assert await ostler.get("/experimental/capabilities") == {"backgroundSubagents": False}


async def test_a_line_for_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path) as ostler:
        line = {"service": "bot", "level": "error", "message": "it broke", "extra": {"a": 1}}
        assert await ostler.post("/log", line) is True
        assert 'it broke {"a":1}' in caplog.text
        refused = await ostler.http.post("/log", json={**line, "level": "loud"})
        assert refused.status_code == 400


async def test_an_upgrade_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        answer = await ostler.http.post("/global/upgrade", json={"target": "9.9.9"})
        assert answer.status_code == 200
        assert answer.json()["success"] is False


# ── projects ──────────────────────────────────────────────────────────────────────────────────


async def test_a_projects_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        events = await ostler.events("/event")
        project = await ostler.get("/project/current")
        body = {"name": "Pump", "commands": {"start": "make"}, "icon": {"color": "blue"}}
        changed = (await ostler.http.patch(f"/project/{project['id']}", json=body)).json()
        assert body.items() <= changed.items()
        assert await ostler.get("/project/current") == changed
        assert [p["name"] for p in await ostler.get("/project")] == ["Pump"]
        places = await ostler.get(f"/project/{project['id']}/directories")
        assert places == [{"directory": str(ostler.root)}]
        assert (await ostler.http.patch("/project/nope", json=body)).status_code == 404
        await events.close()


async def test_a_second_checkout_is_a_sandbox(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        assert (await ostler.get("/project/current"))["sandboxes"] == []
        other = tmp_path / "other"
        git(ostler.root, "worktree", "add", "-q", str(other))
        await ostler.get("/project/current", directory=str(other))
        assert (await ostler.get("/project/current"))["sandboxes"] == [str(other)]


async def test_putting_a_directory_under_version_control(tmp_path: Path) -> None:
    async with serving(tmp_path, version_control=False) as ostler:
        assert (await ostler.get("/project/current"))["id"] == "global"
        assert (await ostler.post("/project/git/init"))["id"] == "global"
        assert (ostler.root / ".git").is_dir()
        assert (await ostler.get("/vcs"))["branch"]


# ── terminal UIs ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "body", "kind", "properties"),
    [
        ("append-prompt", {"text": "hi"}, "tui.prompt.append", {"text": "hi"}),
        ("submit-prompt", {}, "tui.command.execute", {"command": "prompt.submit"}),
        ("open-help", {}, "tui.command.execute", {"command": "help.show"}),
        (
            "execute-command",
            {"command": "session_new"},
            "tui.command.execute",
            {"command": "session.new"},
        ),
        (
            "execute-command",
            {"command": "agent.cycle"},
            "tui.command.execute",
            {"command": "agent.cycle"},
        ),
        (
            "show-toast",
            {"message": "m", "variant": "info"},
            "tui.toast.show",
            {"message": "m", "variant": "info"},
        ),
        (
            "publish",
            {"type": "tui.prompt.append", "properties": {"text": "x"}},
            "tui.prompt.append",
            {"text": "x"},
        ),
    ],
)
async def test_remote_control(
    tmp_path: Path, path: str, body: dict[str, Any], kind: str, properties: dict[str, Any]
) -> None:
    async with serving(tmp_path) as ostler:
        events = await ostler.events()
        assert await ostler.post(f"/tui/{path}", body) is True
        assert (await events.until(kind))["properties"] == properties


async def test_remote_control_with_mistakes(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        session = await ostler.create()
        events = await ostler.events()
        assert await ostler.post("/tui/select-session", {"sessionID": session}) is True
        await events.until("tui.session.select")
        for path, body, status in (
            ("select-session", {"sessionID": "ses_nope"}, 404),
            ("execute-command", {"command": "dance"}, 400),
            ("publish", {"type": "session.idle", "properties": {}}, 400),
            ("publish", {"type": "tui.prompt.append", "properties": {}}, 400),
            ("show-toast", {"message": "m", "variant": "loud"}, 400),
        ):
            answer = await ostler.http.post(f"/tui/{path}", json=body)
            assert answer.status_code == status, path


async def test_directories_of_their_own(tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"x.txt": "x\n"})
    async with serving(tmp_path) as ostler:
        events = await ostler.events()
        await ostler.http.post("/tui/open-help", params={"directory": str(other)})
        await ostler.post("/tui/append-prompt", {"text": "here"})
        await events.until("tui.prompt.append")
        assert events.of("tui.command.execute") == []


async def test_directories_nobody_works_in_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "MOST_INSTANCES", 3)
    script = [tool("bash", command="while [ ! -e go ]; do sleep 0.01; done"), text("done")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        await ostler.model.wait_for_requests(1)
        for number in range(8):
            await ostler.get("/path", directory=str(tmp_path / f"d{number}"))
        kept = [instance.directory for instance in ostler.runtime.instances()]
        assert len(kept) == 3
        assert str(ostler.root) in kept
        (ostler.root / "go").touch()
        await events.idle()
        assert texts((await ostler.messages(session))[-1]) == "done"


async def test_a_ui_that_asks_gets_the_calls(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        await ostler.post("/tui/append-prompt", {"text": "nobody asked"})
        asking = asyncio.create_task(ostler.get("/tui/control/next"))
        await ostler.get("/path")  # the question is there
        await ostler.post("/tui/append-prompt", {"text": "hello"})
        await ostler.post("/tui/submit-prompt")
        call = {"path": "/tui/append-prompt", "body": {"text": "hello"}}
        assert await asking == call
        assert (await ostler.get("/tui/control/next"))["path"] == "/tui/submit-prompt"
        assert await ostler.post("/tui/control/response", {"any": "thing"}) is True


async def test_a_folder_that_has_gone(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        gone = {"directory": str(tmp_path / "gone")}
        answer = await ostler.http.post("/project/git/init", params=gone)
        assert answer.status_code == 400
        assert "No such directory" in answer.json()["data"]["message"]


async def test_there_is_no_sign_in_but_a_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        assert await ostler.get("/provider/auth") == {}
        for step, name in (
            ("authorize", "ProviderAuthValidationFailed"),
            ("callback", "ProviderAuthOauthMissing"),
        ):
            answer = await ostler.http.post(f"/provider/test/oauth/{step}", json={"method": 0})
            assert answer.status_code == 400
            assert answer.json()["name"] == name
