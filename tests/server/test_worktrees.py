"""Worktrees: further checkouts of a project."""

from pathlib import Path

from tests.support.model_server import text, tool
from tests.support.product import Ostler, serving
from tests.support.repository import git


async def made(ostler: Ostler, **body: str) -> dict[str, str]:
    events = await ostler.events()
    created = await ostler.post("/experimental/worktree", body)
    ready = await events.until("worktree.ready")
    assert ready["properties"]["name"] == created["name"]
    await events.close()
    return dict(created)


async def test_made_listed_used_and_removed(tmp_path: Path) -> None:
    script = [tool("write", filePath="made.txt", content="x"), text("done")]
    async with serving(tmp_path, script, files={"a.txt": "one\n"}) as ostler:
        created = await made(ostler, name="Fix The Pump!")
        where = Path(created["directory"])
        assert (created["name"], created["branch"]) == ("fix-the-pump", "opencode/fix-the-pump")
        assert (where / "a.txt").read_text() == "one\n"
        assert await ostler.get("/experimental/worktree") == [str(where)]
        session = await ostler.http.post("/session", json={}, params={"directory": str(where)})
        await ostler.prompt(session.json()["id"])
        assert (where / "made.txt").exists()
        assert not (ostler.root / "made.txt").exists()
        again = await made(ostler, name="fix the pump")
        assert again["name"] == "fix-the-pump-2"
        for each in (created, again):
            body = {"directory": each["directory"]}
            removed = await ostler.http.request("DELETE", "/experimental/worktree", json=body)
            assert removed.json() is True
        assert not where.exists()
        assert "opencode/" not in git(ostler.root, "branch")
        assert await ostler.get("/experimental/worktree") == []


async def test_start_commands_run_in_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        project = await ostler.get("/project/current")
        start = {"commands": {"start": "echo project > log"}}
        await ostler.http.patch(f"/project/{project['id']}", json=start)
        created = await made(ostler, startCommand="echo request >> log")
        assert (Path(created["directory"]) / "log").read_text() == "project\nrequest\n"


async def test_a_start_command_that_fails(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        events = await ostler.events()
        await ostler.post("/experimental/worktree", {"startCommand": "echo no luck; exit 3"})
        failed = await events.until("worktree.failed")
        assert "no luck" in failed["properties"]["message"]


async def test_reset(tmp_path: Path) -> None:
    async with serving(tmp_path, files={"a.txt": "one\n"}) as ostler:
        created = await made(ostler)
        where = Path(created["directory"])
        (where / "a.txt").write_text("changed\n")
        (where / "new.txt").write_text("new\n")
        body = {"directory": str(where)}
        assert await ostler.post("/experimental/worktree/reset", body) is True
        assert (where / "a.txt").read_text() == "one\n"
        assert not (where / "new.txt").exists()


async def test_what_cannot_be(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        body = {"directory": str(ostler.root)}
        for method, path in (("DELETE", ""), ("POST", "/reset")):
            answer = await ostler.http.request(method, f"/experimental/worktree{path}", json=body)
            assert answer.status_code == 400
            assert "no worktree" in answer.text
        assert (ostler.root / "README.md").exists()


async def test_outside_version_control(tmp_path: Path) -> None:
    async with serving(tmp_path, version_control=False) as ostler:
        answer = await ostler.http.post("/experimental/worktree", json={})
        assert (answer.status_code, answer.json()["name"]) == (400, "WorktreeNotGitError")
