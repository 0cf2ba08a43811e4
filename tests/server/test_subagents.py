"""Subagents: sessions below a session, with no more rights than it has."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.model_server import STALL, Reply, text, tool
from tests.support.product import Json, serving, texts

TASK = tool("task", description="look around", prompt="child task", subagent_type="general")


def child_and_parent(*child: Reply) -> Callable[[Json], Reply]:
    """The parent calls the task tool once; the child goes through its replies."""
    replies = list(child)

    def answer(body: Json) -> Reply:
        messages = body["messages"]
        if not body.get("tools"):
            return text("A title")
        if "child task" in str([m for m in messages if m["role"] == "user"]):
            return replies.pop(0) if len(replies) > 1 else replies[0]
        return text("parent done") if any(m["role"] == "tool" for m in messages) else TASK

    return answer


async def test_a_child_session(tmp_path: Path) -> None:
    prices = {"cost": {"input": 1, "output": 1}}
    async with serving(tmp_path, child_and_parent(text("child says")), model=prices) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session, "parent task")) == "parent done"
        (child,) = await ostler.get(f"/session/{session}/children")
        assert child["parentID"] == session
        assert child["title"] == "look around (@general subagent)"
        (part,) = await ostler.parts(session, "tool")
        assert "child says" in part["state"]["output"]
        assert part["state"]["metadata"]["sessionId"] == child["id"]
        assert [texts(m) for m in await ostler.messages(child["id"])] == [
            "child task",
            "child says",
        ]
        parent = await ostler.get(f"/session/{session}")
        assert parent["children"]["cost"] == pytest.approx(child["cost"])
        assert child["cost"] > 0
        assert session in [s["id"] for s in await ostler.get("/session", roots="true")]
        assert child["id"] not in [s["id"] for s in await ostler.get("/session", roots="true")]


async def test_what_the_parent_is_denied_the_child_is_denied(tmp_path: Path) -> None:
    config = {
        "permission": {"bash": "deny"},
        "agent": {"general": {"permission": {"bash": "allow"}}},
    }
    script = child_and_parent(tool("bash", command="touch made"), text("child says"))
    async with serving(tmp_path, script, config=config) as ostler:
        session = await ostler.create()
        await ostler.prompt(session, "parent task")
        (child,) = await ostler.get(f"/session/{session}/children")
        (part,) = await ostler.parts(child["id"], "tool")
        assert part["tool"] == "invalid"  # it is not even offered
        assert not (ostler.root / "made").exists()


async def test_a_rule_of_the_parents_session_holds_below(tmp_path: Path) -> None:
    rules = [{"permission": "edit", "pattern": "*", "action": "deny"}]
    script = child_and_parent(tool("write", filePath="made", content="x"), text("child says"))
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create(permission=rules)
        await ostler.prompt(session, "parent task")
        assert not (ostler.root / "made").exists()


async def test_a_child_of_an_unattended_session_is_unattended(tmp_path: Path) -> None:
    config = {"permission": {"bash": "ask"}}
    script = child_and_parent(tool("bash", command="touch made"), text("child says"))
    async with serving(tmp_path, script, config=config) as ostler:
        events = await ostler.events()
        session = await ostler.create(unattended=True)
        await ostler.prompt(session, "parent task")
        assert events.of("permission.asked") == []
        assert not (ostler.root / "made").exists()


async def test_a_child_has_a_deadline(tmp_path: Path) -> None:
    config = {"subagent_timeout": 100}
    script = child_and_parent(Reply([STALL]))
    async with serving(tmp_path, script, config=config) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session, "parent task")) == "parent done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"
        assert "did not finish" in part["state"]["error"]
        (child,) = await ostler.get(f"/session/{session}/children")
        last = (await ostler.messages(child["id"]))[-1]["info"]
        assert last["error"]["name"] == "MessageAbortedError"


async def test_a_child_that_fails_is_a_failed_call(tmp_path: Path) -> None:
    script = child_and_parent(model.error(400, "no such thing"))
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session, "parent task")) == "parent done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"
        assert "no such thing" in part["state"]["error"]


async def test_children_have_no_children_of_their_own(tmp_path: Path) -> None:
    nested = tool("task", description="deeper", prompt="x", subagent_type="general")
    script = child_and_parent(nested, text("child says"))
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create()
        await ostler.prompt(session, "parent task")
        (child,) = await ostler.get(f"/session/{session}/children")
        assert await ostler.get(f"/session/{child['id']}/children") == []


async def test_an_agent_named_in_the_prompt_is_not_asked_for(tmp_path: Path) -> None:
    config = {"permission": {"task": "ask"}}
    parts = [{"type": "text", "text": "parent task"}, {"type": "agent", "name": "general"}]
    async with serving(tmp_path, child_and_parent(text("child says")), config=config) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session, parts=parts)) == "parent done"


async def test_a_command_that_runs_in_a_subagent(tmp_path: Path) -> None:
    config = {"command": {"look": {"template": "child task", "agent": "general", "subtask": True}}}
    async with serving(tmp_path, child_and_parent(text("child says")), config=config) as ostler:
        session = await ostler.create()
        await ostler.post(f"/session/{session}/command", {"command": "look", "arguments": ""})
        assert len(await ostler.get(f"/session/{session}/children")) == 1
        (part,) = await ostler.parts(session, "tool")
        assert part["tool"] == "task"
        assert "child says" in part["state"]["output"]


async def test_deleting_the_parent_deletes_the_children(tmp_path: Path) -> None:
    async with serving(tmp_path, child_and_parent(text("child says"))) as ostler:
        session = await ostler.create()
        await ostler.prompt(session, "parent task")
        (child,) = await ostler.get(f"/session/{session}/children")
        await ostler.http.delete(f"/session/{session}")
        assert (await ostler.http.get(f"/session/{child['id']}")).status_code == 404
