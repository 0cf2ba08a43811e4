"""Copies of a project beside it, and sessions that move between them."""

from pathlib import Path

import httpx
import pytest

from ostler.project import git
from tests.support.model_server import text, tool
from tests.support.product import Json, Ostler, serving, texts


async def project_id(ostler: Ostler) -> str:
    return str((await ostler.get("/project/current"))["id"])


async def copy(ostler: Ostler, folder: Path, name: str = "one") -> str:
    body = {"strategy": "git_worktree", "directory": str(folder), "name": name}
    path = f"/experimental/project/{await project_id(ostler)}/copy"
    return str((await ostler.post(path, body))["directory"])


async def refused(ostler: Ostler, method: str, path: str, body: Json) -> Json:
    answer = await ostler.http.request(method, path, json=body)
    assert answer.status_code == 400
    return dict(answer.json())


async def test_a_copy_is_made_listed_and_removed(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        made = await copy(ostler, tmp_path / "copies")
        assert made == f"{tmp_path}/copies/one"
        assert Path(made, "README.md").read_text() == "A project.\n"
        project = await project_id(ostler)
        listed = await ostler.get(f"/project/{project}/directories")
        assert listed == [
            {"directory": made, "strategy": "git_worktree"},
            {"directory": str(ostler.root)},
        ]
        path = f"/experimental/project/{project}/copy"
        Path(made, "README.md").write_text("changed\n")
        kept = await refused(ostler, "DELETE", path, {"directory": made, "force": False})
        assert kept["name"] == "ProjectCopyError"
        assert kept["data"]["forceRequired"] is True
        body = {"directory": made, "force": True}
        assert (await ostler.http.request("DELETE", path, json=body)).status_code == 204
        assert not Path(made).exists()
        assert len(await ostler.get(f"/project/{project}/directories")) == 1


async def test_copies_made_by_hand_are_taken_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        project = await project_id(ostler)
        by_hand = tmp_path / "by-hand"
        await git.checked(str(ostler.root), "worktree", "add", "--detach", str(by_hand))
        answer = await ostler.http.post(f"/experimental/project/{project}/copy/refresh")
        assert answer.status_code == 204
        listed = await ostler.get(f"/project/{project}/directories")
        assert str(by_hand) in [d["directory"] for d in listed]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"strategy": "magic", "directory": "/tmp/x"}, "strategy unavailable: magic"),
        ({"strategy": "git_worktree", "directory": "relative"}, "must be absolute"),
        (
            {"strategy": "git_worktree", "directory": "/tmp/x", "name": "../y"},
            "Invalid project copy directory",
        ),
    ],
)
async def test_copies_that_cannot_be(tmp_path: Path, body: Json, said: str) -> None:
    async with serving(tmp_path) as ostler:
        path = f"/experimental/project/{await project_id(ostler)}/copy"
        assert said in (await refused(ostler, "POST", path, body))["data"]["message"]
        unknown = await refused(ostler, "POST", "/experimental/project/nothing/copy", body)
        assert "source not found" in unknown["data"]["message"]
        body = {"directory": str(ostler.root), "force": True}
        assert "Invalid" in (await refused(ostler, "DELETE", path, body))["data"]["message"]
        assert ostler.root.exists()


async def test_names_for_copies(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        path = f"/experimental/project/{await project_id(ostler)}/copy/generate-name"
        named = await ostler.post(path, {"context": "Fix the login of the web app!"})
        assert named == {"name": "fix-the-login-the"}
        assert (await ostler.post(path, {}))["name"]


MOVE = "/experimental/control-plane/move-session"


async def move(ostler: Ostler, session: str, target: str, **more: object) -> httpx.Response:
    body = {"sessionID": session, "destination": {"directory": target}, **more}
    return await ostler.http.post(MOVE, json=body)


async def test_a_session_moves_with_its_changes(tmp_path: Path) -> None:
    script = [tool("bash", command="pwd"), text("here")]
    async with serving(tmp_path, script) as ostler:
        target = await copy(ostler, tmp_path / "copies")
        session = await ostler.create()
        (ostler.root / "README.md").write_text("changed\n")
        (ostler.root / "new.txt").write_text("new\n")
        assert (await move(ostler, session, target, moveChanges=True)).status_code == 204
        assert (ostler.root / "README.md").read_text() == "A project.\n"
        assert not (ostler.root / "new.txt").exists()
        assert Path(target, "README.md").read_text() == "changed\n"
        assert Path(target, "new.txt").read_text() == "new\n"
        assert (await ostler.get(f"/session/{session}"))["directory"] == target
        assert texts(await ostler.prompt(session)) == "here"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"].strip() == target


async def test_changes_that_do_not_apply_stay(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        target = await copy(ostler, tmp_path / "copies")
        Path(target, "README.md").write_text("other\n")
        session = await ostler.create()
        (ostler.root / "README.md").write_text("mine\n")
        answer = await move(ostler, session, target, moveChanges=True)
        assert answer.json()["name"] == "MoveSessionError"
        assert (ostler.root / "README.md").read_text() == "mine\n"
        assert Path(target, "README.md").read_text() == "other\n"
        assert (await ostler.get(f"/session/{session}"))["directory"] == str(ostler.root)


async def test_moves_that_cannot_be(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        session = await ostler.create()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for target, who, said in (
            (str(elsewhere), session, "belongs to another project"),
            (str(tmp_path / "nowhere"), session, "does not exist"),
            (str(ostler.root), "ses_nothing", "Session not found"),
        ):
            answer = await move(ostler, who, target)
            assert answer.status_code == 400
            assert answer.json()["name"] == "MoveSessionError"
            assert said in answer.json()["data"]["message"]


async def test_a_change_of_the_branch_is_told(tmp_path: Path) -> None:
    script = [tool("bash", command="git checkout -q -b other"), text("done")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        await ostler.prompt(await ostler.create())
        assert (await events.until("vcs.branch.updated"))["properties"] == {"branch": "other"}
        await git.checked(str(ostler.root), "checkout", "--detach")
        await ostler.get("/vcs")
        assert (await events.until("vcs.branch.updated", 2))["properties"] == {}
        await copy(ostler, tmp_path / "copies")
        changed = await events.until("project.directories.updated")
        assert changed["properties"] == {"projectID": await project_id(ostler)}
