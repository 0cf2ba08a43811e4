"""Long conversations: compaction, pruning, and the guard against loops."""

from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.model_server import text, tool
from tests.support.product import Json, serving, texts

SMALL = {"limit": {"context": 50_000, "output": 4_000}}
FULL = model.usage(49_000, 10)


async def test_a_full_context_is_compacted_and_work_goes_on(tmp_path: Path) -> None:
    script = [
        model.Reply(
            [
                model.call("bash", command="echo found it"),
                model.delta({}, "tool_calls", usage=FULL),
                model.DONE,
            ]
        ),
        text("finished"),
    ]

    def answer(body: Json) -> model.Reply:
        asked = str(body["messages"][-1])
        if "Use these headings" in asked:
            assert "found it" in asked
            assert "tools" not in body or not body["tools"]
            return text("SUMMARY: it was found")
        if not body.get("tools"):
            return text("A title")
        if any("SUMMARY" in str(m) for m in body["messages"]):
            return script[1]
        return script[0]

    async with serving(tmp_path, answer, model=SMALL) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        final = await ostler.prompt(session, "find it")
        assert texts(final) == "finished"
        await events.until("session.compacted")
        messages = await ostler.messages(session)
        (summary,) = [m for m in messages if m["info"].get("summary") is True]
        assert texts(summary) == "SUMMARY: it was found"
        (mark,) = await ostler.parts(session, "compaction")
        assert mark["auto"] is True
        assert not [m for m in messages if "error" in m["info"]]


async def test_the_providers_own_overflow_is_compacted_too(tmp_path: Path) -> None:
    def answer(body: Json) -> model.Reply:
        if "Use these headings" in str(body["messages"][-1]):
            return text("SUMMARY")
        if not body.get("tools"):
            return text("A title")
        if any("SUMMARY" in str(m) for m in body["messages"]):
            return text("answered")
        return model.error(
            400, "This model's maximum context length is 100 tokens", code="context_length_exceeded"
        )

    async with serving(tmp_path, answer, model=SMALL) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        assert texts(await ostler.prompt(session, "a long story")) == "answered"
        await events.idle()
        assert events.of("session.error") == []
        (mark,) = await ostler.parts(session, "compaction")
        assert mark["overflow"] is True


async def test_an_overflow_that_compaction_cannot_mend_ends(tmp_path: Path) -> None:
    def answer_to(body: Json) -> model.Reply:
        if body.get("tools"):
            return model.error(400, "maximum context length", code="context_length_exceeded")
        return text("SUMMARY")

    async with serving(tmp_path, answer_to, model=SMALL) as ostler:
        answer = await ostler.prompt(await ostler.create())
        assert answer["info"]["error"]["name"] == "ContextOverflowError"
        assert len(ostler.model.requests) < 6


async def test_without_automatic_compaction_an_overflow_is_an_error(tmp_path: Path) -> None:
    overflow = model.error(400, "maximum context length", code="context_length_exceeded")
    config = {"compaction": {"auto": False}}
    async with serving(tmp_path, [overflow, text("ok")], model=SMALL, config=config) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert answer["info"]["error"]["name"] == "ContextOverflowError"
        assert await ostler.parts(session, "compaction") == []


async def test_summarize_on_request(tmp_path: Path) -> None:
    def answer(body: Json) -> model.Reply:
        if "Use these headings" in str(body["messages"][-1]):
            return text("SUMMARY")
        return text("answer" if body.get("tools") else "A title")

    async with serving(tmp_path, answer) as ostler:
        session = await ostler.create()
        for number in range(3):
            await ostler.prompt(session, f"prompt {number} " + "x " * 6000)
        body = {"providerID": "test", "modelID": "m1"}
        assert await ostler.post(f"/session/{session}/summarize", body) is True
        await ostler.prompt(session, "after")
        sent = str(ostler.model.requests[-1]["messages"])
        assert "SUMMARY" in sent
        assert "prompt 0" not in sent
        assert "after" in sent
        assert len(await ostler.messages(session)) == 10


async def test_old_results_are_pruned_where_configured(tmp_path: Path) -> None:
    big = [tool("bash", command=f"head -c 4000{n} /dev/zero | tr '\\0' x") for n in range(8)]
    script = [*big, text("one"), text("two"), text("three")]
    config = {"compaction": {"prune": True}, "tool_output": {"max_bytes": 50_000}}
    async with serving(tmp_path, script, config=config) as ostler:
        session = await ostler.create()
        await ostler.prompt(session, "first")
        await ostler.prompt(session, "second")
        await ostler.prompt(session, "third")
        pruned = [
            bool(p["state"]["time"].get("compacted")) for p in await ostler.parts(session, "tool")
        ]
        assert pruned[0] is True
        assert pruned[-1] is False
        await ostler.prompt(session, "fourth")
        results = [m for m in ostler.model.requests[-1]["messages"] if m["role"] == "tool"]
        assert "xxx" not in results[0]["content"]
        assert "xxx" in results[-1]["content"]
        assert "xxx" in (await ostler.parts(session, "tool"))[0]["state"]["output"]


@pytest.mark.parametrize("reply", ["reject", "once"])
async def test_the_same_call_over_and_over_is_asked_about(tmp_path: Path, reply: str) -> None:
    again = tool("read", filePath="README.md")
    async with serving(tmp_path, [again, again, again, text("enough")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        assert asked["permission"] == "doom_loop"
        assert asked["patterns"] == ["read"]
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": reply})
        await events.idle()
        last = await ostler.parts(session, "tool")
        assert last[-1]["state"]["status"] == ("error" if reply == "reject" else "completed")
        assert len(ostler.model.requests) == (3 if reply == "reject" else 4)


async def test_calls_that_differ_are_no_loop(tmp_path: Path) -> None:
    script = [*[tool("bash", command=f"echo {i}") for i in range(6)], text("done")]
    async with serving(tmp_path, script) as ostler:
        assert texts(await ostler.prompt(await ostler.create())) == "done"
