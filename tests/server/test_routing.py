"""Other models where one cannot answer, and one limiter for every session."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import Reply, error, text, tool
from tests.support.product import Json, Ostler, serving, texts

SOON = {"attempts": 3, "delay": 1}


def by_model(**replies: Any) -> Any:
    """A script: model -> its replies, in order, the last one again and again."""
    left = {name: list(given) for name, given in replies.items()}

    def answer(body: Json) -> Reply:
        mine = left[body["model"]]
        reply: Reply = mine.pop(0) if len(mine) > 1 else mine[0]
        return reply

    return answer


def asked(ostler: Ostler) -> list[str]:
    return [r["model"] for r in ostler.model.requests if r.get("tools")]


def routed(**more: Any) -> dict[str, Any]:
    return {
        "config": {"retry": {**SOON, **more}},
        "model": {"fallback": ["test/unknown", "test/m2", "test/m3"]},
        "models": ["m2", "m3"],
        "titles": False,
    }


async def test_a_refused_credential_turns_to_the_next_model(tmp_path: Path) -> None:
    script = by_model(
        m1=[error(401, "bad key")],
        m2=[tool("bash", command="true"), text("from two")],
        m3=[text("from three")],
    )
    async with serving(tmp_path, script, **routed()) as ostler:
        session = await ostler.create(title="Named")
        answer = await ostler.prompt(session)
        assert texts(answer) == "from two"
        assert asked(ostler) == ["m1", "m2", "m2"]  # and stays there for the turn
        info = answer["info"]
        assert (info["providerID"], info["modelID"]) == ("test", "m2")
        (failed,) = info["fallback"]
        assert (failed["modelID"], failed["kind"]) == ("m1", "auth")
        assert "bad key" in failed["message"]


async def test_a_passing_failure_is_tried_again_before_that(tmp_path: Path) -> None:
    script = by_model(
        m1=[error(503)], m2=[error(429, "quota", code="insufficient_quota")], m3=[text("three")]
    )
    async with serving(tmp_path, script, **routed(beforeFallback=1)) as ostler:
        answer = await ostler.prompt(await ostler.create(title="Named"))
        assert texts(answer) == "three"
        assert asked(ostler) == ["m1", "m1", "m2", "m3"]
        assert [f["kind"] for f in answer["info"]["fallback"]] == ["unavailable", "quota"]


async def test_when_all_fail_the_last_failure_stands(tmp_path: Path) -> None:
    script = by_model(m1=[error(401)], m2=[error(402)], m3=[error(403, "not for you")])
    async with serving(tmp_path, script, **routed()) as ostler:
        answer = await ostler.prompt(await ostler.create(title="Named"))
        assert "not for you" in answer["info"]["error"]["data"]["message"]
        assert answer["info"]["modelID"] == "m3"


@pytest.mark.parametrize("status", [400, 413])
async def test_what_is_wrong_with_the_request_is_not_routed_around(
    tmp_path: Path, status: int
) -> None:
    script = by_model(m1=[error(status, "no such field")], m2=[text("x")], m3=[text("x")])
    config = routed()
    config["config"] = {**config["config"], "compaction": {"auto": False}}
    async with serving(tmp_path, script, **config) as ostler:
        answer = await ostler.prompt(await ostler.create(title="Named"))
        assert answer["info"]["error"]
        assert asked(ostler) == ["m1"]


async def test_an_agents_own_list_comes_first(tmp_path: Path) -> None:
    script = by_model(m1=[error(404, "no such model")], m2=[text("two")], m3=[text("three")])
    config = routed()
    config["config"]["agent"] = {"build": {"fallback": ["test/m3"]}}
    async with serving(tmp_path, script, **config) as ostler:
        assert texts(await ostler.prompt(await ostler.create(title="Named"))) == "three"


async def test_a_request_to_wait_holds_every_session_back(tmp_path: Path) -> None:
    times: list[float] = []

    def answer(body: Json) -> Reply:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            return error(429, "slow down", {"retry-after": "1"})
        return text("ok")

    async with serving(tmp_path, answer, titles=False) as ostler:
        events = await ostler.events()
        one, two = [await ostler.create(title="Named") for _ in range(2)]
        first = asyncio.create_task(ostler.prompt(one))
        await ostler.model.wait_for_requests(1)
        await events.until(lambda e: e["properties"].get("status", {}).get("type") == "retry")
        assert texts(await ostler.prompt(two)) == "ok"
        assert texts(await first) == "ok"
        assert len(times) == 3
        assert min(times[1:]) - times[0] >= 0.95
        pauses = [
            p["status"]["message"]
            for p in events.of("session.status")
            if p["sessionID"] == two and p["status"]["type"] == "retry"
        ]
        assert any("pause" in said for said in pauses)


async def test_calls_at_once_are_bounded_where_that_is_configured(tmp_path: Path) -> None:
    released = [asyncio.Event() for _ in range(6)]
    replies = [Reply([gate, *text("ok").chunks]) for gate in released]
    options = {"maxConcurrency": 2}
    async with serving(tmp_path, replies, titles=False, options=options) as ostler:
        sessions = [await ostler.create(title="Named") for _ in released]
        prompts = [asyncio.create_task(ostler.prompt(s)) for s in sessions]
        for number, gate in enumerate(released):
            await ostler.model.wait_for_requests(min(len(released), number + 2))
            await ostler.get("/session/status")
            assert len(ostler.model.requests) <= number + 2
            gate.set()
        assert [texts(a) for a in await asyncio.gather(*prompts)] == ["ok"] * 6
