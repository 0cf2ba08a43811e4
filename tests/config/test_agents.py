"""What comes of a configuration: agents, commands, skills, instructions."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.config import default_paths
from ostler.config.agents import Surroundings, build_agents, default_agent
from ostler.config.commands import build_commands, expand, fill, mentioned, split_arguments
from ostler.config.discover import Folder
from ostler.config.instructions import Instructions
from ostler.config.skills import find_skills
from ostler.permission import evaluate, hidden
from ostler.schema.agent import Agent
from ostler.schema.config import Config
from ostler.schema.errors import BadRequest

AROUND = Surroundings(
    tool_output="/data/tool-output",
    tmp="/tmp/ostler",
    data_plans="/data/plans",
    data_plans_relative="../data/plans",
)


def config_of(raw: dict[str, Any]) -> Config:
    return msgspec.convert(raw, Config)


def agents_of(raw: dict[str, Any] | None = None) -> dict[str, Agent]:
    return build_agents(config_of(raw or {}), AROUND)


def action(agent: Agent, permission: str, pattern: str = "x") -> str:
    return evaluate(permission, pattern, agent.permission).action


def test_the_built_in_ones() -> None:
    agents = agents_of()
    assert next(iter(agents)) == "build"
    assert {n for n, a in agents.items() if not a.hidden} == {"build", "plan", "general", "explore"}
    assert {n for n, a in agents.items() if a.mode == "subagent"} == {"general", "explore"}
    build, plan, explore = agents["build"], agents["plan"], agents["explore"]
    assert action(build, "bash") == action(build, "edit") == "allow"
    assert action(build, "external_directory", "/etc/*") == "ask"
    assert action(build, "external_directory", "/data/tool-output/*") == "allow"
    assert action(build, "read", "secrets/.env") == "ask"
    assert action(build, "read", ".env.example") == "allow"
    assert action(build, "doom_loop") == "ask"
    assert action(plan, "edit", "src/a.py") == "deny"
    assert action(plan, "edit", ".opencode/plans/1.md") == "allow"
    assert action(explore, "edit") == "deny"
    assert action(explore, "grep") == "allow"
    assert hidden("write", explore.permission)


def test_configured_ones() -> None:
    agents = agents_of(
        {
            "permission": {"bash": "ask"},
            "agent": {
                "build": {"temperature": 0.3, "permission": {"bash": {"git *": "allow"}}},
                "mine": {"prompt": "Mine.", "model": "a/b/c", "options": {"k": 1}},
                "plan": {"disable": True},
            },
        }
    )
    assert "plan" not in agents
    build, mine = agents["build"], agents["mine"]
    assert (build.temperature, build.native) == (0.3, True)
    assert action(build, "bash", "rm x") == "ask"
    assert action(build, "bash", "git status") == "allow"
    assert (mine.mode, mine.prompt, mine.options) == ("all", "Mine.", {"k": 1})
    assert mine.model is not None
    assert (mine.model.providerID, mine.model.modelID) == ("a", "b/c")
    assert action(mine, "bash") == "ask"


def test_the_default_agent() -> None:
    def default(raw: dict[str, Any]) -> str:
        config = config_of(raw)
        return default_agent(build_agents(config, AROUND), config).name

    assert default({}) == "build"
    assert default({"default_agent": "plan"}) == "plan"
    assert default({"agent": {"build": {"disable": True}}}) == "plan"
    for raw, says in (
        ({"default_agent": "nope"}, "not found"),
        ({"default_agent": "general"}, "subagent"),
        ({"default_agent": "title"}, "hidden"),
        ({"agent": {n: {"disable": True} for n in ("build", "plan")}}, "no primary agent"),
    ):
        with pytest.raises(BadRequest, match=says):
            default(raw)


# ── commands ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        ("Do $ARGUMENTS now", "a b", "Do a b now"),
        ("$1 then $2", "one two three", "one then two three"),
        ("$2 and $1", '"a b" c', "c and a b"),
        ("$1 $3", "one", "one "),
        ("no places", "extra", "no places\n\nextra"),
        ("no places", " ", "no places"),
    ],
)
def test_arguments(template: str, arguments: str, expected: str) -> None:
    assert fill(template, arguments) == expected


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=5))
def test_plain_words_are_split_at_blanks(words: list[str]) -> None:
    assert split_arguments(" ".join(words)) == words


async def test_shell_output_is_put_in() -> None:
    async def shell(command: str) -> str:
        return f"<{command}>"

    assert await expand("a !`x $1` b !`y`", "1", shell) == "a <x 1> b <y>"


def test_mentions() -> None:
    text = "see @src/a.py, @general and @~/n.md, again @general; mail a@b.c `@no`"
    assert mentioned(text) == ["src/a.py", "general", "~/n.md", "general;"]


def test_commands_by_name() -> None:
    commands = build_commands(
        config_of({"command": {"go": {"template": "Go $2 $ARGUMENTS", "agent": "plan"}}}), []
    )
    assert {"init", "review", "go"} <= commands.keys()
    assert commands["go"].hints == ["$2", "$ARGUMENTS"]
    assert commands["go"].agent == "plan"


# ── skills and instructions ───────────────────────────────────────────────────────────────────


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_skills(tmp_path: Path) -> None:
    project = tmp_path / "project"
    folder = Folder(str(project / ".opencode"), reads_files=True, project=True)
    header = "---\nname: {0}\ndescription: About {0}\n---\nDo {0}.\n"
    write(project / ".opencode/skills/clean/SKILL.md", header.format("clean"))
    write(tmp_path / "home/.claude/skills/deploy/SKILL.md", header.format("deploy"))
    write(project / ".opencode/skills/broken/SKILL.md", "---\nname: [\n---\n")
    environment = {"HOME": str(tmp_path / "home")}
    found = find_skills(
        str(project), str(project), default_paths(environment), [folder], None, environment
    )
    assert {"clean", "deploy"} <= found.skills.keys()
    assert found.skills["clean"].description == "About clean"
    assert found.skills["clean"].content.strip() == "Do clean."
    assert "broken" in str(found.warnings)


async def _no_fetch(url: str) -> bytes:
    raise OSError(f"nothing is fetched here: {url}")


def instructions(tmp_path: Path, directory: str, *patterns: str) -> Instructions:
    environment = {"HOME": str(tmp_path / "home")}
    project = tmp_path / "project"
    return Instructions(
        str(project / directory),
        str(project),
        default_paths(environment),
        patterns,
        environment,
        _no_fetch,
    )


async def test_instructions_upward_and_of_the_user(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/opencode/AGENTS.md", "of the user")
    write(tmp_path / "project/AGENTS.md", "of the root")
    write(tmp_path / "project/app/AGENTS.md", "of the app")
    write(tmp_path / "project/CLAUDE.md", "not beside AGENTS.md")
    write(tmp_path / "AGENTS.md", "not above the worktree")
    texts = [text for _, text in await instructions(tmp_path, "app").system()]
    assert sorted(texts) == ["of the app", "of the root", "of the user"]


async def test_claude_md_in_the_place_of_agents_md(tmp_path: Path) -> None:
    write(tmp_path / "project/CLAUDE.md", "claude")
    assert [text for _, text in await instructions(tmp_path, ".").system()] == ["claude"]


async def test_configured_instructions(tmp_path: Path) -> None:
    write(tmp_path / "project/docs/a.md", "a")
    write(tmp_path / "project/docs/b.md", "b")
    found = await instructions(tmp_path, ".", "docs/*.md", "https://127.0.0.1:9/x.md").system()
    assert sorted(text for _, text in found) == ["a", "b"]


def test_instructions_of_a_folder_are_shown_once(tmp_path: Path) -> None:
    write(tmp_path / "project/AGENTS.md", "root")
    write(tmp_path / "project/lib/AGENTS.md", "lib")
    write(tmp_path / "project/lib/x/a.py", "x")
    found = instructions(tmp_path, ".")
    shown: set[str] = set()
    path = str(tmp_path / "project/lib/x/a.py")
    assert [text for _, text in found.nearby(path, shown)] == ["lib"]
    assert found.nearby(path, shown) == []
