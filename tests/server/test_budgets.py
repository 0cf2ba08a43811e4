"""Budgets: refused before it is sent, drawn on by subagents, shown on the session."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import Reply, calls, text, tool, usage
from tests.support.product import Json, Ostler, serving, texts

PRICED = {"cost": {"input": 1, "output": 10}, "limit": {"context": 200_000, "output": 8_000}}
"""USD per million tokens."""


def answer(said: str = "done", prompt: int = 1_000, completion: int = 100) -> Reply:
    return text(said, tokens=usage(prompt, completion))


def error_of(message: Json) -> Json:
    error: Json = message["info"]["error"]
    assert error["name"] == "BudgetExceededError", error
    data: Json = error["data"]
    return data


async def budget_of(ostler: Ostler, session: str) -> Json:
    found: Json = (await ostler.get(f"/session/{session}"))["budget"]
    return found


@pytest.mark.parametrize(
    ("budget", "resource"), [({"tokens": 500}, "tokens"), ({"cost": 0.0001}, "cost")]
)
async def test_what_does_not_fit_is_not_sent(tmp_path: Path, budget: Json, resource: str) -> None:
    async with serving(tmp_path, [answer()], model=PRICED) as ostler:
        session = await ostler.create(budget=budget)
        data = error_of(await ostler.prompt(session))
        assert (data["scope"], data["resource"], data["sessionID"]) == (
            "session",
            resource,
            session,
        )
        assert data["allowed"] == budget[resource]
        assert data["needed"] > budget[resource]
        assert ostler.model.requests == ostler.model.title_requests == []
        # What was refused can go on with more.
        await ostler.http.patch(f"/session/{session}", json={"budget": {"tokens": 100_000}})
        assert texts(await ostler.prompt(session)) == "done"


async def test_what_is_spent_and_reserved_can_be_seen(tmp_path: Path) -> None:
    gate = asyncio.Event()
    held = Reply([gate, *answer().chunks])
    async with serving(tmp_path, [held, answer()], model=PRICED) as ostler:
        session = await ostler.create(budget={"tokens": 60_000, "cost": 1})
        await ostler.prompt_async(session)
        await ostler.model.wait_for_requests(1)
        during = await budget_of(ostler, session)
        assert during["spent"]["tokens"] == 0
        assert during["reserved"]["tokens"] > 8_000
        assert during["reserved"]["cost"] > 0.08
        events = await ostler.events()
        gate.set()
        await events.idle()
        after = await budget_of(ostler, session)
        assert after["reserved"] == {"tokens": 0, "cost": 0, "seconds": 0}
        assert after["spent"]["tokens"] == 1_100
        assert after["spent"]["cost"] == pytest.approx(0.002)
        assert after["spent"]["seconds"] > 0
        assert (await ostler.get(f"/session/{session}"))["title"] == "go"


async def test_a_shorter_answer_is_asked_for_where_little_is_left(tmp_path: Path) -> None:
    replies = [answer(), text("cut", finish="length", tokens=usage(1_000, 2_000))]
    async with serving(tmp_path, replies, model=PRICED) as ostler:
        session = await ostler.create(budget={"cost": 0.05})
        assert texts(await ostler.prompt(session)) == "done"
        first, *_ = ostler.model.requests
        assert 1_000 <= first["max_tokens"] < 5_000
        data = error_of(await ostler.prompt(session))
        assert data["resource"] == "cost"


async def test_a_prompts_budget_is_for_its_answer_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, [answer(prompt=20_000)], model=PRICED) as ostler:
        session = await ostler.create()
        for _ in range(2):
            answered = await ostler.prompt(session, budget={"tokens": 30_000})
            assert texts(answered) == "done"
        assert error_of(await ostler.prompt(session, budget={"tokens": 100}))["scope"] == "prompt"
        assert texts(await ostler.prompt(session)) == "done"


async def test_an_agents_budget_ends_a_loop_of_calls(tmp_path: Path) -> None:
    def loop(body: Json) -> Reply:
        number = sum(1 for m in body["messages"] if m["role"] == "tool")
        return Reply(
            tool("bash", command=f"echo {number}").chunks[:-2] + list(answer("", 10_000).chunks[1:])
        )

    config = {"agent": {"build": {"budget": {"cost": 0.2}}}}
    async with serving(tmp_path, loop, model=PRICED, config=config, titles=False) as ostler:
        session = await ostler.create()
        data = error_of(await ostler.prompt(session))
        assert data["scope"] == "agent"
        spent = (await ostler.get(f"/session/{session}"))["cost"]
        assert 0.1 < spent <= 0.2
        assert len(ostler.model.requests) > 5


async def test_subagents_draw_on_the_session_above(tmp_path: Path) -> None:
    def script(body: Json) -> Reply:
        if any(t["function"]["name"] == "task" for t in body.get("tools") or ()):
            if body["messages"][-1]["role"] == "tool":
                return answer("both reported")
            task: dict[str, Any] = {"description": "d", "prompt": "p", "subagent_type": "general"}
            return calls(("task", task), ("task", {**task, "prompt": "q"}))
        return answer("report", 40_000, 1_000)

    async with serving(tmp_path, script, model=PRICED, titles=False) as ostler:
        session = await ostler.create(budget={"tokens": 100_000})
        assert texts(await ostler.prompt(session)) == "both reported"
        above = await budget_of(ostler, session)
        assert above["spent"]["tokens"] > 82_000
        assert above["reserved"]["tokens"] == 0
        error_of(await ostler.prompt(session, "again"))


async def test_a_budget_of_time_ends_what_takes_longer(tmp_path: Path) -> None:
    async with serving(
        tmp_path, [tool("bash", command="sleep 60"), answer()], model=PRICED
    ) as ostler:
        session = await ostler.create()
        data = error_of(await ostler.prompt(session, budget={"seconds": 0.5}))
        assert (data["resource"], data["allowed"]) == ("seconds", 0.5)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"
        assert texts(await ostler.prompt(session)) == "done"


async def test_bad_budgets_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, [answer()]) as ostler:
        for bad in ({"cost": -1}, {"tokens": "many"}):
            refused = await ostler.http.post("/session", json={"budget": bad})
            assert refused.status_code == 400
            assert "budget" in refused.text
