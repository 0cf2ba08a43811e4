"""The rehearsal model: short orders, one call at a time, and plain words about itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.models.rehearsal import Action, plan, respond
from ostler.models.request import (
    ChatMessage,
    TextBlock,
    ToolDefinition,
    ToolResultBlock,
)
from tests.support import build

TOOLS = [
    ToolDefinition(name, "", {"type": "object"})
    for name in ("bash", "read", "write", "edit", "grep", "glob")
]


def ask(said: str, *results: ToolResultBlock, tools: Any = TOOLS) -> Action | str:
    messages = [ChatMessage("user", (TextBlock(said),))]
    messages += [ChatMessage("tool", (result,)) for result in results]
    return respond(build.request("http://127.0.0.1:9/v1", messages=messages, tools=tools))


@pytest.mark.parametrize(
    ("said", "tool", "arguments"),
    [
        ("create a.txt containing hello world", "write", {"content": "hello world\n"}),
        ('write "a b.txt" with "x\\ny"', "write", {"filePath": "a b.txt"}),
        ("replace old with new in a.txt", "edit", {"oldString": "old", "newString": "new"}),
        ('change "a b" to "c d" in f.py', "edit", {"oldString": "a b", "newString": "c d"}),
        ("run echo hi; ls", "bash", {}),
        ("run `echo a; echo b`", "bash", {"command": "echo a; echo b"}),
        ("find TODO", "grep", {"pattern": "TODO"}),
        ("please read src/main.py.", "read", {"filePath": "src/main.py"}),
        ("Now run make test", "bash", {"command": "make test"}),
    ],
)
def test_orders(said: str, tool: str, arguments: dict[str, Any]) -> None:
    action = ask(said)
    assert isinstance(action, Action)
    assert action.tool == tool
    assert arguments.items() <= action.arguments.items()


def test_several_lines_in_a_fence() -> None:
    action = ask("create a.py containing ```\nx = 1; y = 2\nprint(x)\n``` then run python3 a.py")
    assert isinstance(action, Action)
    assert action.arguments == {"filePath": "a.py", "content": "x = 1; y = 2\nprint(x)\n"}


def test_steps_joined_by_then() -> None:
    actions, unknown = plan("create a containing x, then run ls and then read a; sing a song")
    assert [a.tool for a in actions] == ["write", "bash", "read"]
    assert unknown == ["sing a song"]


def result(output: str, failed: bool = False) -> ToolResultBlock:
    return ToolResultBlock(id="c", name="bash", output=output, failed=failed)


def test_one_call_at_a_time_and_a_report() -> None:
    said = "run echo one then run echo two"
    first, second = ask(said), ask(said, result("one\n"))
    assert isinstance(first, Action)
    assert isinstance(second, Action)
    assert (first.arguments["command"], second.arguments["command"]) == ("echo one", "echo two")
    report = ask(said, result("one\n"), result("two\n"))
    assert isinstance(report, str)
    assert "two" in report
    assert "not an AI" in report


def test_a_failure_ends_it() -> None:
    report = ask("run false then run true", result("no such thing", failed=True))
    assert isinstance(report, str)
    assert "Step 1 failed" in report
    assert "no such thing" in report


def test_what_it_does_not_understand() -> None:
    answer = ask("write me a poem about the sea")
    assert isinstance(answer, str)
    assert "not an AI" in answer
    assert "create FILE containing TEXT" in answer


def test_a_tool_that_is_not_there() -> None:
    answer = ask("run ls", tools=TOOLS[1:])
    assert isinstance(answer, str)
    assert "bash tool" in answer


def test_a_title() -> None:
    answer = ask("repair the pump in the cellar", tools=[])
    assert isinstance(answer, str)
    assert 0 < len(answer) <= 60
    assert "\n" not in answer


@given(st.text(max_size=80))
def test_any_text_gets_an_answer(said: str) -> None:
    answer = ask(said)
    if isinstance(answer, Action):
        json.dumps(answer.arguments)
    else:
        assert answer
