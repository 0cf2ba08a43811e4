"""Revert and unrevert: files and messages go back to a point, and come back."""

from pathlib import Path

from tests.support.model_server import STALL, Reply, text, tool
from tests.support.product import Ostler, serving, texts

FILES = {"a.txt": "one\n", "gone.txt": "here\n"}
SCRIPT = [
    tool("write", filePath="a.txt", content="two\n"),
    text("wrote two"),
    tool("bash", command="echo three > a.txt; echo new > b.txt; rm gone.txt"),
    text("wrote three"),
]


def state(ostler: Ostler) -> dict[str, str]:
    return {p.name: p.read_text() for p in ostler.root.iterdir() if p.is_file()}


async def two_prompts(ostler: Ostler) -> tuple[str, list[str]]:
    session = await ostler.create()
    await ostler.prompt(session, "first")
    await ostler.prompt(session, "second")
    return session, [m["info"]["id"] for m in await ostler.messages(session)]


async def test_revert_and_unrevert(tmp_path: Path) -> None:
    async with serving(tmp_path, SCRIPT, files=FILES) as ostler:
        session, ids = await two_prompts(ostler)
        after = {"a.txt": "three\n", "b.txt": "new\n"}
        assert state(ostler) == after
        reverted = await ostler.post(f"/session/{session}/revert", {"messageID": ids[3]})
        assert reverted["revert"]["messageID"] == ids[3]
        assert "b.txt" in reverted["revert"]["diff"]
        assert state(ostler) == {"a.txt": "two\n", "gone.txt": "here\n"}
        assert len(await ostler.messages(session)) == 6
        back = await ostler.post(f"/session/{session}/unrevert")
        assert "revert" not in back
        assert state(ostler) == after


async def test_reverting_further_and_then_all_the_way_back(tmp_path: Path) -> None:
    async with serving(tmp_path, SCRIPT, files=FILES) as ostler:
        session, ids = await two_prompts(ostler)
        await ostler.post(f"/session/{session}/revert", {"messageID": ids[3]})
        await ostler.post(f"/session/{session}/revert", {"messageID": ids[0]})
        assert state(ostler) == FILES
        await ostler.post(f"/session/{session}/unrevert")
        assert state(ostler) == {"a.txt": "three\n", "b.txt": "new\n"}


async def test_the_next_prompt_makes_it_final(tmp_path: Path) -> None:
    async with serving(tmp_path, [*SCRIPT, text("another way")], files=FILES) as ostler:
        events = await ostler.events()
        session, ids = await two_prompts(ostler)
        await ostler.post(f"/session/{session}/revert", {"messageID": ids[3]})
        await ostler.prompt(session, "third")
        messages = await ostler.messages(session)
        assert [texts(m) for m in messages] == ["first", "", "wrote two", "third", "another way"]
        assert "revert" not in await ostler.get(f"/session/{session}")
        assert {e["messageID"] for e in events.of("message.removed")} == set(ids[3:])
        assert "second" not in str(ostler.model.requests[-1]["messages"])


async def test_a_part_of_an_answer(tmp_path: Path) -> None:
    script = [
        tool("write", filePath="a.txt", content="two\n"),
        tool("write", filePath="a.txt", content="three\n"),
        text("done"),
    ]
    async with serving(tmp_path, script, files=FILES) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        second = (await ostler.messages(session))[2]
        part = next(p for p in second["parts"] if p["type"] == "tool")
        await ostler.post(
            f"/session/{session}/revert",
            {"messageID": second["info"]["id"], "partID": part["id"]},
        )
        assert state(ostler)["a.txt"] == "one\n"


async def test_not_while_busy_and_not_to_an_unknown_point(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok"), Reply([STALL])], files=FILES) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        route = f"/session/{session}/revert"
        first = (await ostler.messages(session))[0]["info"]["id"]
        unknown = await ostler.http.post(route, json={"messageID": "msg_nope"})
        assert unknown.status_code == 404
        assert "msg_nope" in unknown.text
        await ostler.prompt_async(session)
        await ostler.model.wait_for_requests(2)
        busy = await ostler.http.post(route, json={"messageID": first})
        assert busy.status_code == 409
        await ostler.post(f"/session/{session}/abort")


async def test_outside_version_control_messages_alone_go_back(tmp_path: Path) -> None:
    async with serving(tmp_path, SCRIPT, files=FILES, version_control=False) as ostler:
        session, ids = await two_prompts(ostler)
        reverted = await ostler.post(f"/session/{session}/revert", {"messageID": ids[3]})
        assert reverted["revert"]["messageID"] == ids[3]
        assert state(ostler)["a.txt"] == "three\n"
