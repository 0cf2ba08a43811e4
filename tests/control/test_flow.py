"""What a flow can say, carried out against a real server with a scripted model."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ostler.control.checks import git
from ostler.control.cleaning import Removed, clean
from ostler.control.spending import Spent
from ostler.control.store import ControlError
from tests.support.flows import Flows, asked, stage, working
from tests.support.model_server import STALL, Reply, delta, error, text, tool
from tests.support.product import Ostler

LIST = {"type": "array", "items": {"type": "string"}}


async def test_artifacts_go_on_transcripts_do_not(tmp_path: Path) -> None:
    script = [text('{"files": ["a.py"]}'), text("looked"), text("all is well")]
    plan = {
        "plan": stage(
            "Plan {{ inputs.issue }}",
            contract={"type": "object", "required": ["files"]},
            summary="{{ artifacts.this.value.files | length }} file",
        ),
        "look": stage("Look at {{ artifacts.plan.value.files[0] }}", needs=["plan"]),
        "tell": stage(
            "Sum up: {{ artifacts.plan.summary }}; {{ artifacts.look.text }}", needs=["look"]
        ),
    }
    async with working(tmp_path, script) as (flows, ostler):
        run = await flows.run({"issue": "#12"}, stages=plan)
        assert run.status == "passed"
        prompts = asked(ostler)
        assert "Plan #12" in prompts[0]
        assert "JSON Schema" in prompts[0]
        assert "Look at a.py" in prompts[1]
        assert "Sum up: 1 file; looked" in prompts[2]
        assert all(len(r["messages"]) == 2 for r in ostler.model.requests)  # a session each
        titles = {s["title"] for s in await ostler.get("/session")}
        assert titles == {f"{run.id}-{name}-a1" for name in plan}


async def test_stages_that_need_nothing_of_each_other_run_side_by_side(tmp_path: Path) -> None:
    both = asyncio.Event()
    waiting = Reply([both, delta({"content": "done"}), delta({}, "stop"), b"data: [DONE]\n\n"])
    async with working(tmp_path, [waiting]) as (flows, ostler):
        run = await flows.start(stages={"a": stage(), "b": stage(), "c": stage(needs=["a", "b"])})
        await ostler.model.wait_for_requests(2)
        both.set()
        assert (await flows.over(run)).status == "passed"
        assert len(ostler.model.requests) == 3


async def test_a_stage_for_each_of_a_list(tmp_path: Path) -> None:
    plan = {
        "list": stage(contract=LIST),
        "each": stage(
            "Do {{ item }}", needs=["list"], for_each="{{ artifacts.list.value | tojson }}"
        ),
        "sum": stage("{{ artifacts.each.value | length }} done", needs=["each"]),
    }
    script = [text('["one", "two", "three"]'), text("did it")]
    async with working(tmp_path, script) as (flows, ostler):
        run = await flows.run(stages=plan)
        assert run.status == "passed"
        told = " ".join(asked(ostler))
        assert all(f"Do {item}" in told for item in ("one", "two", "three"))
        assert "3 done" in asked(ostler)[-1]
        assert {"each[0]", "each[1]", "each[2]"} <= set(flows.stages(run))


async def test_the_first_of_several_that_passes_wins(tmp_path: Path) -> None:
    script = [Reply([delta({"content": "slow"}), STALL]), text("quick")]
    async with working(tmp_path, script) as (flows, _):
        run = await flows.run(stages={"one": stage(best_of=2)})
        assert run.status == "passed"
        assert flows.stages(run)["one"].artifact["text"] == "quick"  # type: ignore[index]
        assert sorted(flows.kinds(run)) == ["aborted", "passed"]


async def test_work_in_a_worktree_of_its_own(tmp_path: Path) -> None:
    script = [tool("write", filePath="made.txt", content="made\n"), text("done"), text("seen")]
    plan = {
        "make": stage(worktree=True, checks=[{"run": "test -f made.txt"}]),
        "look": stage(needs=["make"], checks=[{"run": "grep made made.txt"}]),
    }
    async with working(tmp_path, script) as (flows, ostler):
        run = await flows.run(stages=plan)
        assert run.status == "passed", run.failure
        make, look = flows.attempts(run)
        assert not (ostler.root / "made.txt").exists()
        assert look.directory == make.directory != str(ostler.root)
        assert [d["file"] for d in make.diff] == ["made.txt"]
        assert make.branch == f"ostler/{run.id}-make-a1"
        artifact = flows.stages(run)["make"].artifact
        assert artifact is not None
        assert len(artifact["commit"]) == 40


async def test_what_old_runs_leave_behind_is_removed(tmp_path: Path) -> None:
    script = [tool("write", filePath="made.txt", content="made\n"), text("done")]
    async with working(tmp_path, script) as (flows, ostler):
        run = await flows.run(stages={"make": stage(worktree=True)})
        (made,) = flows.attempts(run)
        store, root = flows.plane.store, flows.plane.context.worktrees
        assert await clean(store, root, 1.0, records=True) == Removed()
        assert await clean(store, root, 0.0, records=False) == Removed(1)
        assert not Path(made.directory).exists()
        assert await git(str(ostler.root), "show", f"{made.branch}:made.txt") == "made"
        assert await clean(store, root, 0.0, records=True) == Removed(0, [run.id])
        assert (store.runs(), flows.attempts(run), flows.stages(run)) == ([], [], {})


@pytest.mark.parametrize(
    ("command", "repeat", "status", "why"),
    [
        ("grep green a.txt", 1, "passed", ""),
        ("true", 1, "escalated", "shows nothing"),
        ("grep green a.txt && mkdir once", 3, "escalated", "passes by chance"),
        ("sleep 60", 1, "escalated", "did not end in time"),
    ],
)
async def test_a_check_must_have_been_red(
    tmp_path: Path, command: str, repeat: int, status: str, why: str
) -> None:
    script = [tool("write", filePath="a.txt", content="green\n"), text("done")]
    check = {"run": command, "red_to_green": True, "repeat": repeat, "timeout": 0.5}
    files = {"a.txt": "red\n"}
    async with working(tmp_path, script, files=files) as (flows, _):
        run = await flows.run(stages={"one": stage(checks=[check], attempts=1)})
        assert run.status == status, run.failure
        (attempt, *_) = flows.attempts(run)
        (evidence,) = attempt.checks
        assert why in evidence["why"]
        if status == "passed":
            assert evidence["red"]["exit"] == 1
            assert evidence["runs"][0]["exit"] == 0
            assert len(evidence["runs"][0]["tree"]) == 40


ASKING = {"permission": {"bash": "ask"}}


@pytest.mark.parametrize(
    ("asks", "made"),
    [
        ({"permissions": [{"permission": "bash", "pattern": "touch *", "reply": "once"}]}, True),
        ({"permissions": [{"permission": "bash", "pattern": "rm *", "reply": "once"}],
          "deadline": 0.1}, False),
        ({"deadline": 0.1, "default": "once"}, True),
    ],
)  # fmt: skip
async def test_what_is_asked_is_answered_by_rule(
    tmp_path: Path, asks: dict[str, Any], made: bool
) -> None:
    script = [tool("bash", command="touch made"), text("done")]
    async with working(tmp_path, script, config=ASKING) as (flows, ostler):
        await flows.run(stages={"one": stage(attempts=1)}, asks=asks)
        assert (ostler.root / "made").exists() is made


@pytest.mark.parametrize("allow", [True, False])
async def test_what_is_asked_is_answered_by_a_reviewer(tmp_path: Path, allow: bool) -> None:
    verdict = json.dumps({"allow": allow, "reason": "because"})
    script = [tool("bash", command="touch made"), text(verdict), text("done")]
    async with working(tmp_path, script, config=ASKING, models=["judge"]) as (flows, ostler):
        run = await flows.run(stages={"one": stage(attempts=1)}, asks={"reviewer": "test/judge"})
        (attempt, *_) = flows.attempts(run)
        assert Spent(attempt.tokens or {}).total == 3 * 15  # the reviewer's call is one of them
        assert (ostler.root / "made").exists() is allow
        assert ostler.model.requests[1]["model"] == "judge"
        assert "touch made" in asked(ostler)[1]


async def test_a_question_is_answered_by_a_reviewer(tmp_path: Path) -> None:
    question = {"question": "Which?", "header": "W", "options": [{"label": "A", "description": ""}]}
    script = [
        tool("question", questions=[question]),
        text('{"answers": [["A"]]}'),
        text("A it is"),
    ]
    async with working(tmp_path, script) as (flows, _):
        asks = {"questions": "reviewer", "reviewer": "test/m1"}
        run = await flows.run(stages={"one": stage(attempts=1)}, asks=asks)
        assert flows.attempts(run)[0].text == "A it is"


async def test_what_is_asked_is_answered_by_a_person(tmp_path: Path) -> None:
    script = [tool("bash", command="touch made"), text("done")]
    async with working(tmp_path, script, config=ASKING) as (flows, ostler):
        run = await flows.start(stages={"one": stage()})
        waiting = await until_waiting(flows, run.id)
        assert (waiting["kind"], waiting["patterns"]) == ("permission", ["touch made"])
        await ostler.post(f"/permission/{waiting['id']}/reply", {"reply": "once"})
        assert (await flows.over(run)).status == "passed"
        assert (ostler.root / "made").exists()
        assert flows.attempts(run)[0].waiting is None


async def until_waiting(flows: Flows, run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            for attempt in flows.plane.store.attempts(run_id):
                if attempt.waiting is not None:
                    return attempt.waiting
            await asyncio.sleep(0.02)


async def test_who_wants_to_be_told_is(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        told.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    hook = await asyncio.start_server(hear, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{hook.sockets[0].getsockname()[1]}/hook"
    script = [tool("bash", command="touch made"), text("done")]
    async with hook, working(tmp_path, script, config=ASKING) as (flows, ostler):
        run = await flows.start(stages={"one": stage()}, notify=[url, "http://127.0.0.1:9"])
        waiting = await until_waiting(flows, run.id)
        async with asyncio.timeout(20):
            while not told:
                await asyncio.sleep(0.02)
        assert told[0]["waiting"]["id"] == waiting["id"]
        server, request = told[0]["server"], told[0]["waiting"]["id"]
        assert server == flows.url
        await ostler.post(f"/permission/{request}/reply", {"reply": "once"})
        await flows.over(run)
        async with asyncio.timeout(20):
            while len(told) < 2:
                await asyncio.sleep(0.02)
        assert (told[1]["run"], told[1]["status"]) == (run.id, "passed")


async def test_a_run_is_cancelled_and_gone_on_with(tmp_path: Path) -> None:
    from ostler.control.plane import end_run

    script = [text("first"), Reply([delta({"content": "wait"}), STALL]), text("second")]
    async with working(tmp_path, script) as (flows, ostler):
        run = await flows.start(stages={"a": stage(), "b": stage(needs=["a"])})
        await ostler.model.wait_for_requests(2)
        store, pool = flows.plane.store, flows.plane.context.pool
        await end_run(store, pool, store.run(run.id), "cancelled")
        done = await flows.over(run)
        assert done.status == "cancelled"
        assert flows.kinds(run) == ["passed", "aborted"]
        await flows.plane.restart(done, None)
        assert (await flows.over(run)).status == "passed"
        assert [(a.stage, a.number) for a in flows.attempts(run)] == [("a", 1), ("b", 1), ("b", 2)]


async def test_a_run_is_gone_on_with_from_a_stage(tmp_path: Path) -> None:
    plan = {"a": stage(), "b": stage(needs=["a"]), "c": stage(needs=["b"])}
    async with working(tmp_path, [text("done")]) as (flows, _):
        run = await flows.run(stages=plan)
        await flows.plane.restart(run, "b")
        assert (await flows.over(run)).status == "passed"
        assert [(a.stage, a.number) for a in flows.attempts(run)] == [
            ("a", 1), ("b", 1), ("c", 1), ("b", 2), ("c", 2),
        ]  # fmt: skip


async def test_a_run_is_forked_from_a_stage(tmp_path: Path) -> None:
    plan = {
        "a": stage("Begin with {{ inputs.word }}"),
        "b": stage("Use {{ artifacts.a.text }} and {{ inputs.word }}", needs=["a"]),
    }
    script = [text("first"), text("old end"), text("new end")]
    async with working(tmp_path, script) as (flows, ostler):
        old = await flows.run({"word": "one"}, stages=plan)
        new = await flows.plane.fork(old, "b", {"word": "two"})
        await flows.plane.start(new)
        assert (await flows.over(new)).status == "passed"
        assert "Use first and two" in asked(ostler)[-1]
        assert [a.stage for a in flows.attempts(new)] == ["b"]
        assert (flows.plane.store.run(new.id).forked, new.inputs) == (old.id, {"word": "two"})
        assert flows.attempts(old)[-1].text == "old end"
        with pytest.raises(ControlError, match=r"no stage c; its stages are a, b"):
            await flows.plane.fork(old, "c", {})


async def test_what_was_said_before_a_failure_is_kept(tmp_path: Path) -> None:
    async with working(tmp_path, [text("no JSON")]) as (flows, _):
        run = await flows.run(stages={"one": stage(contract=LIST, attempts=1)})
        assert {a.text for a in flows.attempts(run)} == {"no JSON"}


async def test_a_run_has_a_budget(tmp_path: Path) -> None:
    plan = {"a": stage(), "b": stage(needs=["a"])}
    async with working(tmp_path, [text("done")]) as (flows, ostler):
        run = await flows.run(stages=plan, budget={"tokens": 16})
        assert run.status == "failed"
        assert run.failure is not None
        assert run.failure["kind"] == "budget_exceeded"
        assert len(ostler.model.requests) <= 2


async def test_a_server_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    async with working(tmp_path, [error(503, "busy", {"retry-after": "0"}), text("done")]) as (
        flows,
        ostler,
    ):
        run = await flows.run(stages={"one": stage()})
        assert run.status == "passed"
        assert flows.kinds(run) == ["passed"]  # the server's own retry
        assert isinstance(ostler, Ostler)
