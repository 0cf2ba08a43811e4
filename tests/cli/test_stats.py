"""``ostler stats``: totals that are the sum of all messages, subagents' included."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Place
from tests.support.model_server import ModelServer, Reply, calls, text, tool, usage

PRICE = {
    "input": 3,
    "output": 15,
    "cache_read": 0.3,
    "cache_write": 3.75,
    "context_over_200k": {"input": 6, "output": 22.5, "cache_read": 0.6, "cache_write": 7.5},
}
DETAILS = {
    "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 30},
}


def counted(reply: Reply, prompt: int, completion: int) -> Reply:
    """The reply with this usage, of which a part is read from a cache and a part is reasoning."""
    last = text("", tokens=usage(prompt, completion, **DETAILS))
    return Reply([*reply.chunks[:-2], *last.chunks[1:]])


def by_hand(prompt: int, completion: int) -> float:
    """USD of such an answer."""
    over = prompt > 200_000
    price: dict[str, Any] = PRICE["context_over_200k"] if over else PRICE  # type: ignore[assignment]
    return (
        (prompt - 500) * price["input"]
        + completion * price["output"]  # reasoning costs what output costs
        + 400 * price["cache_read"]
        + 100 * price["cache_write"]
    ) / 1e6


async def test_the_sum_of_all_messages(tmp_path: Path) -> None:
    place = Place(tmp_path)
    task = {"description": "d", "prompt": "p", "subagent_type": "general"}
    sizes = [(1_000, 100), (5_000, 200), (250_000, 300), (2_000, 50)]

    def script(body: Any) -> Reply:
        if not body.get("tools"):
            return text("A title")
        number = next(numbers)
        replies = [
            calls(("task", task)),
            tool("bash", command="true"),
            text("reported"),
            text("done"),
        ]
        made = counted(replies[number], *sizes[number])
        if number < 2:
            made.chunks[-2:] = [  # type: ignore[index]
                made.chunks[-2].replace(b'"stop"', b'"tool_calls"'),
                made.chunks[-1],
            ]
        return Reply(list(made.chunks))

    numbers = iter(range(10))
    async with ModelServer(script) as models:
        place.configure(models.url)
        path = place.home / ".config/opencode/opencode.json"
        config = json.loads(path.read_text())
        config["provider"]["test"]["models"]["m1"].update(cost=PRICE, reasoning=True)
        path.write_text(json.dumps(config))
        ran = await place.ostler("run", "--title", "Named", "go")
        assert ran.code == 0, ran.err
    done = await place.ostler("stats", "--format", "json")
    found = json.loads(done.out)
    assert found["cost"] == pytest.approx(sum(by_hand(*size) for size in sizes), abs=1e-9)
    assert (found["sessions"], found["messages"]) == (2, 6)
    assert found["input"] == sum(p for p, _ in sizes) - 4 * 500
    assert found["output"] + found["reasoning"] == sum(c for _, c in sizes)
    assert (found["reasoning"], found["cache_read"], found["cache_write"]) == (120, 1600, 400)
    assert found["tools"] == {"bash": 1, "task": 1}
    (model,) = found["models"]
    assert (model["model"], model["messages"]) == ("test/m1", 4)

    shown = await place.ostler("stats", "--models", "--tools", "1")
    lines = shown.out.splitlines()
    assert {len(line) for line in lines if line} == {58}
    assert f"${found['cost']:.2f}" in shown.out
    assert "test/m1" in shown.out
    assert "task" not in shown.out
    assert "█" in shown.out
    assert "Sessions                                              2" in shown.out


async def test_days_projects_and_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    empty = await place.ostler("stats")
    assert (empty.code, "$0.00" in empty.out) == (0, True)
    async with ModelServer([text("done")]) as models:
        place.configure(models.url)
        await place.ostler("run", "go")
    for arguments, sessions in (
        (["--days", "0"], 1),
        (["--days", "7"], 1),
        (["--project", ""], 1),
        (["--project", "another"], 0),
    ):
        found = json.loads((await place.ostler("stats", *arguments, "--format", "json")).out)
        assert found["sessions"] == sessions
    assert (await place.ostler("stats", "--models=some")).code == 2
