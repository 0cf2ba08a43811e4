"""One flow against Ostler and against the original: the same ends, the same evidence."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_setups import needs
from tests.support.flows import flowing, stage
from tests.support.model_server import ModelServer, Reply, text, tool
from tests.support.original import is_here, original
from tests.support.product import serving, with_model
from tests.support.repository import make_repository

pytestmark = needs(is_here())
PLAN: dict[str, Any] = {
    "stages": {
        "plan": stage("Plan it", contract={"type": "object", "required": ["file"]}),
        "make": stage(
            "Make {{ artifacts.plan.value.file }}",
            needs=["plan"],
            worktree=True,
            checks=[{"run": "test -f made.txt", "red_to_green": True}],
        ),
        "tell": stage("Tell what is in {{ artifacts.make.text }}", needs=["make"]),
    }
}


def script() -> list[Reply]:
    return [
        text("I will make it"),
        text('{"file": "made.txt"}'),
        tool("write", filePath="made.txt", content="made\n"),
        text("made.txt"),
        text("one line"),
    ]


EXPECTED = [
    ("plan", 1, "assistant_output_not_json", []),
    ("plan", 2, None, []),
    ("make", 1, None, [True]),
    ("tell", 1, None, []),
]


async def carried_out(tmp_path: Path, root: Path, url: str) -> list[Any]:
    async with flowing(tmp_path, str(root), url) as flows:
        run = await flows.run(**PLAN)
        assert run.status == "passed", run.failure
        assert all(a.tokens for a in flows.attempts(run))
        return [
            (
                a.stage,
                a.number,
                a.failure["kind"] if a.failure else None,
                [c["passed"] for c in a.checks],
            )
            for a in flows.attempts(run)
        ]


async def test_ostler(tmp_path: Path) -> None:
    async with serving(tmp_path, script(), titles=False) as ostler:
        found = await carried_out(tmp_path, ostler.root, str(ostler.http.base_url))
        assert found == EXPECTED


async def test_the_original(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "project"
    make_repository(root, {"README.md": "A project.\n"})
    async with ModelServer(script()) as model:
        folder = home / ".config/opencode"
        folder.mkdir(parents=True)
        (folder / "opencode.json").write_text(json.dumps(with_model(model.url)))
        async with original(home, root) as http:
            assert await carried_out(tmp_path, root, str(http.base_url)) == EXPECTED


@pytest.mark.parametrize("reply", ["once", "reject"])
async def test_the_original_is_answered_by_rule(tmp_path: Path, reply: str) -> None:
    home, root = tmp_path / "home", tmp_path / "project"
    make_repository(root, {"README.md": "A project.\n"})
    answers = [tool("bash", command="touch made"), text("done")]
    async with ModelServer(answers) as model:
        folder = home / ".config/opencode"
        folder.mkdir(parents=True)
        config = with_model(model.url, {"permission": {"bash": "ask"}})
        (folder / "opencode.json").write_text(json.dumps(config))
        async with (
            original(home, root) as http,
            flowing(tmp_path, str(root), str(http.base_url)) as flows,
        ):
            rule = {"permission": "bash", "reply": reply}
            await flows.run(stages={"one": stage(attempts=1)}, asks={"permissions": [rule]})
            assert (root / "made").exists() is (reply == "once")
