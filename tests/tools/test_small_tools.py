"""The other tools, what is offered of all of them, and how long results are cut."""

import os
import time
from pathlib import Path

import pytest

from ostler.permission import ALLOW_ALL
from ostler.project import search
from ostler.schema.agent import Agent, Skill
from ostler.schema.config import AgentConfig, Config, ToolOutputConfig
from ostler.schema.errors import PermissionDenied, QuestionRejected, ToolError
from ostler.schema.permission import PermissionRule
from ostler.tools import glob, grep, question, registry, skill, task, todoread, todowrite
from ostler.tools.arity import prefix
from ostler.tools.tool import Subtask, SubtaskResult, ToolResult
from ostler.tools.truncate import bound, clean_up
from tests.support.host import ScriptedHost, make_context, run_tool

BUILD = Agent(name="build", mode="primary", permission=[ALLOW_ALL], options={})


@pytest.fixture(params=["ripgrep", "stand-in"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    if request.param == "stand-in":
        monkeypatch.setattr(search, "default_program", lambda: search.STAND_IN)
    for name, text in {
        "a.py": "import os\nprint('hello')\n",
        "sub/b.py": "hello = 1\n",
        "sub/c.txt": "hello there\n",
        ".hidden/d.py": "hello\n",
        "ignored.log": "hello\n",
        ".gitignore": "*.log\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".git").mkdir()
    return tmp_path


async def test_glob(project: Path) -> None:
    host = ScriptedHost()
    result = await run_tool(glob.TOOL, make_context(project, host), pattern="**/*.py")
    assert set(result.output.splitlines()) == {f"{project}/a.py", f"{project}/sub/b.py"}
    assert result.metadata == {"count": 2, "truncated": False}
    assert host.asks[0].permission == "glob"
    inner = await run_tool(glob.TOOL, project, pattern="*.py", path="sub")
    assert inner.output == f"{project}/sub/b.py"
    assert (await run_tool(glob.TOOL, project, pattern="*.go")).output == "No files found"
    with pytest.raises(ToolError, match="must be a directory"):
        await run_tool(glob.TOOL, project, pattern="*", path="a.py")
    with pytest.raises(ToolError):
        await run_tool(glob.TOOL, project, pattern="*", path="nope")


async def test_grep(project: Path) -> None:
    host = ScriptedHost()
    result = await run_tool(grep.TOOL, make_context(project, host), pattern="hel+o")
    assert result.metadata["matches"] == 4
    assert f"{project}/a.py:\n  Line 2: print('hello')" in result.output
    assert "ignored.log" not in result.output
    assert host.asks[0].patterns == ["hel+o"]
    narrowed = await run_tool(grep.TOOL, project, pattern="hello", include="*.txt")
    assert narrowed.metadata["matches"] == 1
    assert (await run_tool(grep.TOOL, project, pattern="absent")).output == "No files found"
    with pytest.raises(ToolError, match=r"unclosed|unterminated"):
        await run_tool(grep.TOOL, project, pattern="(")
    with pytest.raises(ToolError, match="pattern is required"):
        await run_tool(grep.TOOL, project, pattern="")


async def test_many_matches_are_cut(project: Path) -> None:
    (project / "many.txt").write_text("match\n" * 500)
    result = await run_tool(grep.TOOL, project, pattern="^match$")
    assert result.metadata == {"matches": 100, "truncated": True}
    assert "Results truncated" in result.output


async def test_todos(tmp_path: Path) -> None:
    context = make_context(tmp_path, ScriptedHost())
    todos = [
        {"content": "a", "status": "completed", "priority": "low"},
        {"content": "b", "status": "pending", "priority": "high"},
    ]
    written = await run_tool(todowrite.TOOL, context, todos=todos)
    assert (written.title, written.metadata) == ("1 todos", {"todos": todos})
    assert (await run_tool(todoread.TOOL, context)).output == written.output
    with pytest.raises(ToolError, match="priority"):
        await run_tool(todowrite.TOOL, context, todos=[{"content": "x", "status": "pending"}])


async def test_skill(tmp_path: Path) -> None:
    folder = tmp_path / "skills/clean"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text("x")
    (folder / "run.sh").write_text("x")
    known = Skill(
        name="clean", description="d", location=str(folder / "SKILL.md"), content="Do it."
    )
    host = ScriptedHost(skills=[known])
    result = await run_tool(skill.TOOL, make_context(tmp_path, host), name="clean")
    assert "Do it." in result.output
    assert f"<file>{folder}/run.sh</file>" in result.output
    assert "SKILL.md</file>" not in result.output
    assert [(a.permission, a.patterns, a.always) for a in host.asks] == [
        ("skill", ["clean"], ["clean"])
    ]
    with pytest.raises(ToolError, match=r'"x" not found[.] Available skills: clean'):
        await run_tool(skill.TOOL, make_context(tmp_path, host), name="x")


async def test_question(tmp_path: Path) -> None:
    asked = [
        {"question": "Q1?", "header": "h", "options": [{"label": "A", "description": "d"}]},
        {"question": "Q2?", "header": "h", "options": []},
    ]
    context = make_context(tmp_path, ScriptedHost(answers=[["A", "B"]]))
    result = await run_tool(question.TOOL, context, questions=asked)
    assert '"Q1?"="A, B", "Q2?"="Unanswered"' in result.output
    assert (result.title, result.metadata) == ("Asked 2 questions", {"answers": [["A", "B"], []]})
    with pytest.raises(QuestionRejected):
        await run_tool(question.TOOL, make_context(tmp_path, ScriptedHost()), questions=asked)


async def test_task(tmp_path: Path) -> None:
    done = SubtaskResult("ses_2", "found it", {"sessionId": "ses_2"})
    host = ScriptedHost(subtask=lambda _: done)
    arguments = {"description": "look", "prompt": "look around", "subagent_type": "general"}
    result = await run_tool(task.TOOL, make_context(tmp_path, host), **arguments)
    assert '<task id="ses_2" state="completed">' in result.output
    assert "found it" in result.output
    assert host.subtasks == [Subtask(description="look", prompt="look around", agent="general")]
    with pytest.raises(ToolError, match="background"):
        await run_tool(task.TOOL, make_context(tmp_path, host), **arguments, background=True)


def test_a_task_names_the_agents_that_may_be_used() -> None:
    caller = Agent(
        name="build",
        mode="primary",
        permission=[ALLOW_ALL, PermissionRule(permission="task", pattern="secret", action="deny")],
        options={},
    )
    agents = [
        Agent(name=name, mode=mode, permission=[], options={}, description=f"about {name}")
        for name, mode in (("general", "subagent"), ("secret", "subagent"), ("plan", "primary"))
    ]
    described = task.describe("Hands over.", agents, caller)
    assert "- general: about general" in described
    assert "secret" not in described
    assert "plan" not in described


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("npm run dev --port 1", "npm run dev"),
        ("git push origin", "git push"),
        ("rm -rf x", "rm"),
        ("unknown a b", "unknown"),
        ("docker compose up -d", "docker compose up"),
    ],
)
def test_what_always_remembers(words: str, expected: str) -> None:
    assert " ".join(prefix(words.split())) == expected


# ── what is offered ───────────────────────────────────────────────────────────────────────────


def offered(
    model: str = "claude", agent: Agent = BUILD, config: Config | None = None, **more: bool
) -> set[str]:
    return set(
        registry.offered(
            registry.BUILTIN,
            model_api_id=model,
            agent=agent,
            config=config or Config(),
            environment={},
            switches=more,
        )
    )


def test_every_tool_has_a_schema_a_model_can_read() -> None:
    for tool in registry.builtin_tools().values():
        schema = tool.parameters
        assert schema["type"] == "object"
        assert set(schema["required"]) <= set(schema["properties"])
        assert "$ref" not in str(schema)
        assert tool.description


def test_patches_or_edits_by_model() -> None:
    assert {"edit", "write"} <= offered()
    assert "apply_patch" not in offered()
    assert "apply_patch" in offered("gpt-5.2")
    assert not {"edit", "write"} & offered("gpt-5.2")
    assert "edit" in offered("gpt-4.1")
    assert "edit" in offered("gpt-oss-120b")


def test_what_is_denied_or_switched_off_is_not_offered() -> None:
    rule = PermissionRule(permission="edit", pattern="*", action="deny")
    denied = Agent(name="build", mode="primary", permission=[ALLOW_ALL, rule], options={})
    assert not {"edit", "write", "apply_patch"} & offered(agent=denied)
    partly = PermissionRule(permission="bash", pattern="rm *", action="deny")
    some = Agent(name="build", mode="primary", permission=[ALLOW_ALL, partly], options={})
    assert "bash" in offered(agent=some)
    assert "bash" not in offered(bash=False)


def test_todoread_only_where_it_is_turned_on() -> None:
    assert "todoread" not in offered()
    assert "todoread" in offered(todoread=True)
    assert "todoread" in offered(config=Config(tools={"todoread": True}))
    configured = Config(agent={"build": AgentConfig(tools={"todoread": True})})
    assert "todoread" in offered(config=configured)


# ── long results ──────────────────────────────────────────────────────────────────────────────


async def test_a_result_that_fits_is_left_alone(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    result = await bound(ToolResult("short", metadata={"a": 1}), context)
    assert result == ToolResult("short", metadata={"a": 1, "truncated": False})
    own = ToolResult("x" * 100_000, metadata={"truncated": True})
    assert await bound(own, context) is own


@pytest.mark.parametrize("text", ["line\n" * 5000, "x" * 200_000, "é" * 60_000])
async def test_a_long_one_is_cut_and_kept_whole_in_a_file(tmp_path: Path, text: str) -> None:
    context = make_context(tmp_path)
    result = await bound(ToolResult(text), context)
    assert len(result.output.encode()) < 53_000
    assert "truncated..." in result.output
    assert Path(result.metadata["outputPath"]).read_text() == text


async def test_old_outputs_are_removed(tmp_path: Path) -> None:
    config = Config(tool_output=ToolOutputConfig(max_lines=1))
    context = make_context(tmp_path, config=config)
    paths = [(await bound(ToolResult("a\nb"), context)).metadata["outputPath"] for _ in range(2)]
    os.utime(paths[0], (0, 0))
    assert clean_up(context.output_dir, time.time()) == 1
    assert [os.path.exists(p) for p in paths] == [False, True]


async def test_refusals_reach_the_model(tmp_path: Path) -> None:
    host = ScriptedHost(refuse={"glob": PermissionDenied("not here")})
    with pytest.raises(PermissionDenied, match="not here"):
        await run_tool(glob.TOOL, make_context(tmp_path, host), pattern="*")
