"""Each failure of the taxonomy, made to happen for real, and what the playbook does about it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ostler.control import attempt as attempts
from ostler.control.failures import KINDS
from tests.support.flows import Flows, stage, working
from tests.support.model_server import STALL, Reply, delta, error, event, text, tool
from tests.support.product import Ostler

CONTRACT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
GOOD = text('{"n": 1}')
EMPTY = Reply(
    [delta({}, "stop", usage={"prompt_tokens": 5, "completion_tokens": 0}), event("[DONE]")]
)
FAST = {
    k: {"seconds": 0.01} for k in ("rate_limited", "provider_unavailable", "server_unreachable")
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "NOTHING_SECONDS", 1.0)
    monkeypatch.setattr(attempts, "UNREACHABLE_SECONDS", 1.0)


class Case:
    """A stage, what the model says to it, and how its attempts and the run end."""

    def __init__(
        self,
        script: list[Reply],
        kinds: list[str],
        status: str,
        stage: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        plan: dict[str, Any] | None = None,
    ) -> None:
        self.script, self.kinds, self.status = script, kinds, status
        self.stage, self.config, self.plan = stage or {}, config or {}, plan or {}


NO_RETRY = {"retry": {"attempts": 0}}
CASES = {
    "assistant_output_not_json": Case(
        [text("I think it is one"), GOOD],
        ["assistant_output_not_json", "passed"],
        "passed",
        {"contract": CONTRACT},
    ),
    "assistant_output_not_json twice": Case(
        [text("I think it is one")],
        ["assistant_output_not_json", "assistant_output_not_json"],
        "escalated",
        {"contract": CONTRACT},
    ),
    "contract_violation": Case(
        [text('{"n": "one"}'), GOOD],
        ["contract_violation", "passed"],
        "passed",
        {"contract": CONTRACT},
    ),
    "stuck": Case(
        [text('{"n": "one"}')],
        ["contract_violation"] * 3,
        "escalated",
        {"contract": CONTRACT, "attempts": 9},
        plan={"playbook": {"contract_violation": {"times": 9}}},
    ),
    "auth_failed": Case([error(401, "bad key")], ["auth_failed"], "failed"),
    "rate_limited": Case(
        [error(429, "slow down"), GOOD],
        ["rate_limited", "passed"],
        "passed",
        config=NO_RETRY,
    ),
    "provider_unavailable": Case(
        [Reply([], dropped=True), GOOD],
        ["provider_unavailable", "passed"],
        "passed",
        config=NO_RETRY,
    ),
    "context_overflow": Case(
        [error(400, "maximum context length is 10 tokens", code="context_length_exceeded"), GOOD],
        ["context_overflow", "passed"],
        "passed",
        config={"compaction": {"auto": False}},
    ),
    "output_truncated": Case(
        [text("half an ans", finish="length"), GOOD], ["output_truncated", "passed"], "passed"
    ),
    "empty_completion": Case(
        [EMPTY, GOOD], ["empty_completion", "passed"], "passed", config=NO_RETRY
    ),
    "timeout": Case(
        [Reply([delta({"content": "wait"}), STALL]), GOOD],
        ["timeout", "passed"],
        "passed",
        {"timeout": 0.7},
    ),
    "check_failed": Case(
        [
            tool("bash", command="echo red > a"),
            text("done"),
            tool("bash", command="echo green > a"),
            text("done"),
        ],
        ["check_failed", "passed"],
        "passed",
        {"checks": [{"run": "grep green a"}]},
    ),
    "budget_exceeded": Case(
        [text("a long answer")],
        ["budget_exceeded"],
        "failed",
        {"attempt_budget": {"tokens": 3}},
    ),
    "pending_permission": Case(
        [tool("bash", command="rm -r x"), text("")],
        ["pending_permission"],
        "escalated",
        {"asks": {"deadline": 0.2}},
        config={"permission": {"bash": "ask"}, **NO_RETRY},
    ),
    "pending_question": Case(
        [
            tool("question", questions=[{"question": "Which?", "header": "W", "options": []}]),
            text(""),
        ],
        ["pending_question"],
        "escalated",
        {"asks": {"deadline": 0.2}},
        config=NO_RETRY,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_is_named_and_handled(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    async with working(tmp_path, case.script, config=case.config) as (flows, _):
        run = await flows.run(
            stages={"one": stage(**case.stage)},
            playbook={**FAST, **case.plan.get("playbook", {})},
        )
        assert flows.kinds(run) == case.kinds, flows.attempts(run)
        assert run.status == case.status
        if run.status != "passed":
            assert run.failure is not None
            assert run.failure["kind"] == name.split()[0]
            assert run.failure["message"]


async def aborted(flows: Flows, ostler: Ostler) -> None:
    """Somebody aborts the session."""
    await ostler.model.wait_for_requests(1)
    (attempt,) = flows.plane.store.attempts(flows.plane.store.runs()[0].id)
    await ostler.post(f"/session/{attempt.session}/abort")


async def deleted(flows: Flows, ostler: Ostler) -> None:
    """Somebody deletes the session."""
    await ostler.model.wait_for_requests(1)
    (attempt,) = flows.plane.store.attempts(flows.plane.store.runs()[0].id)
    await ostler.http.delete(f"/session/{attempt.session}")


@pytest.mark.parametrize("what", [aborted, deleted])
async def test_a_session_that_is_lost_is_no_fault_of_the_agents(
    tmp_path: Path, what: Callable[[Flows, Ostler], Awaitable[None]]
) -> None:
    script = [Reply([delta({"content": "wait"}), STALL]), text("done")]
    async with working(tmp_path, script) as (flows, ostler):
        run = await flows.start(stages={"one": stage(attempts=1)})
        await what(flows, ostler)
        done = await flows.over(run)
        assert flows.kinds(done) == ["aborted", "passed"]
        assert done.status == "passed"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (429, "Rate limit reached", "rate_limited"),
        (503, "Error 429: slow down", "rate_limited"),
        (503, "Failed to generate an answer", "provider_unavailable"),
    ],
)
async def test_a_provider_that_the_server_would_ask_again_too_late(
    tmp_path: Path, status: int, said: str, kind: str
) -> None:
    script = [error(status, said, {"retry-after": "300"})]
    async with working(tmp_path, script) as (flows, _):
        run = await flows.run(stages={"one": stage()}, playbook={kind: {"action": "stop"}})
        assert flows.kinds(run) == [kind]
        assert run.status == "failed"


async def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    async with working(tmp_path, [text("done")]) as (flows, _):
        flows.url = "http://127.0.0.1:9"
        playbook = {"server_unreachable": {"times": 2, "seconds": 0.01, "then": "stop"}}
        run = await flows.run(stages={"one": stage()}, playbook=playbook)
        assert flows.kinds(run) == ["server_unreachable"] * 3
        assert run.status == "failed"


async def test_the_next_model_is_asked_where_one_stays_away(tmp_path: Path) -> None:
    script = [error(429, "slow down")] * 2 + [text("done")]
    async with working(tmp_path, script, config=NO_RETRY, models=["m2"]) as (flows, ostler):
        playbook = {"rate_limited": {"times": 1, "seconds": 0.01}}
        run = await flows.run(
            stages={"one": stage(model="test/m1", fallback=["test/m2"])}, playbook=playbook
        )
        assert flows.kinds(run) == ["rate_limited", "rate_limited", "passed"]
        assert [r["model"] for r in ostler.model.requests] == ["m1", "m1", "m2"]


def test_the_list_is_covered() -> None:
    elsewhere = {"aborted", "server_unreachable", "assistant_output_missing_text_part"}
    assert {name.split()[0] for name in CASES} | elsewhere == set(KINDS)


async def test_tool_calls_without_a_word(tmp_path: Path) -> None:
    """The one step that the agent has is used for a call."""
    config = {"agent": {"build": {"steps": 1}}, **NO_RETRY}
    async with working(tmp_path, [tool("bash", command="true"), EMPTY], config=config) as (
        flows,
        _,
    ):
        run = await flows.run(stages={"one": stage(attempts=1)})
        assert flows.kinds(run)[0] in ("assistant_output_missing_text_part", "empty_completion")


async def test_a_request_that_is_refused_as_such_is_not_repeated(tmp_path: Path) -> None:
    async with working(tmp_path, [error(422, "no such parameter")]) as (flows, ostler):
        run = await flows.run(stages={"one": stage()}, playbook=FAST)
        assert flows.kinds(run) == ["provider_unavailable"]
        assert run.status == "escalated"
        assert len(ostler.model.requests) == 1
