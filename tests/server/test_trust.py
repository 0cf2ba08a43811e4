"""What a project itself would run is held back until the project is trusted."""

import json
from pathlib import Path

import pytest

from tests.support.model_server import text
from tests.support.product import Json, Ostler, serving, texts

OWN = "---\ndescription: Says.\n---\nSays !`echo run; touch made`"
SKILL = "---\nname: shelly\ndescription: d\n---\nSays !`touch made`"


async def ask(ostler: Ostler, command: str) -> Json:
    session = await ostler.create(title="Named")
    body = {"command": command, "arguments": ""}
    answer = await ostler.http.post(f"/session/{session}/command", json=body)
    return {"status": answer.status_code, **answer.json()}


@pytest.mark.parametrize("command", ["says", "configured", "shelly"])
async def test_shell_lines_of_a_projects_commands(tmp_path: Path, command: str) -> None:
    async with serving(tmp_path, [text("ok")], titles=False) as ostler:
        root = ostler.root
        for path, content in (
            (".opencode/command/says.md", OWN),
            (".opencode/skills/shelly/SKILL.md", SKILL),
            (
                "opencode.json",
                json.dumps({"command": {"configured": {"template": "!`touch made`"}}}),
            ),
        ):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)
        await ostler.post("/instance/dispose")
        refused = await ask(ostler, command)
        assert (refused["status"], refused["name"]) == (400, "CommandHeldBack")
        assert f"ostler trust {root}" in refused["data"]["message"]
        assert not (root / "made").exists()
        assert ostler.model.requests == []
        from ostler.config.trust import Trust

        Trust(ostler.runtime.paths.state, {}).add(str(root))
        assert (await ask(ostler, command))["status"] == 200
        assert (root / "made").exists()


async def test_a_command_without_shell_lines_needs_no_trust(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")], titles=False) as ostler:
        folder = ostler.root / ".opencode/command"
        folder.mkdir(parents=True)
        (folder / "plain.md").write_text("Say $ARGUMENTS.")
        await ostler.post("/instance/dispose")
        answer = await ask(ostler, "plain")
        assert texts(answer) == "ok"


async def test_what_the_user_configured_runs(tmp_path: Path) -> None:
    config = {"command": {"mine": {"template": "!`touch made`"}}}
    async with serving(tmp_path, [text("ok")], config=config, titles=False) as ostler:
        assert (await ask(ostler, "mine"))["status"] == 200
        assert (ostler.root / "made").exists()


async def test_everything_is_trusted_where_that_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")], titles=False, OSTLER_TRUST="1") as ostler:
        folder = ostler.root / ".opencode/command"
        folder.mkdir(parents=True)
        (folder / "says.md").write_text(OWN)
        await ostler.post("/instance/dispose")
        assert (await ask(ostler, "says"))["status"] == 200
