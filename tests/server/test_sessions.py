"""Sessions as records: create, list, change, copy, delete; their messages page by page."""

from pathlib import Path
from urllib.parse import quote

from tests.support.model_server import text, tool
from tests.support.product import serving, texts
from tests.support.repository import make_repository


async def test_create_get_change_delete(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        events = await ostler.events()
        made = await ostler.post("/session", {"title": "A title"})
        assert made["id"].startswith("ses_")
        assert made["directory"] == str(ostler.root)
        assert made["title"] == "A title"
        assert made["projectID"] == (await ostler.get("/project/current"))["id"]
        assert await ostler.get(f"/session/{made['id']}") == made
        changed = await ostler.http.patch(
            f"/session/{made['id']}", json={"title": "Other", "time": {"archived": 5}}
        )
        assert changed.json()["title"] == "Other"
        assert changed.json()["time"]["archived"] == 5
        assert (await ostler.http.delete(f"/session/{made['id']}")).json() is True
        assert (await ostler.http.get(f"/session/{made['id']}")).status_code == 404
        await events.until("session.deleted")
        assert events.kinds("session.created", "session.updated", "session.deleted")[0] == (
            "session.created"
        )


async def test_list(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        first = await ostler.create(title="apples")
        second = await ostler.create(title="pears")
        child = await ostler.create(parentID=first)
        listed = [s["id"] for s in await ostler.get("/session")]
        assert set(listed) == {first, second, child}
        assert {s["id"] for s in await ostler.get("/session", roots="true")} == {first, second}
        assert [s["id"] for s in await ostler.get("/session", search="pear")] == [second]
        assert len(await ostler.get("/session", limit="1")) == 1
        assert [s["id"] for s in await ostler.get(f"/session/{first}/children")] == [child]


async def test_directories_are_apart(tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"x.txt": "x\n"})
    async with serving(tmp_path, [tool("bash", command="pwd"), text("done")]) as ostler:
        here = await ostler.create()
        header = {"x-opencode-directory": quote(str(other), safe="")}
        there = (await ostler.http.post("/session", json={}, headers=header)).json()
        assert there["directory"] == str(other)
        by_query = await ostler.get("/session", directory=str(other))
        assert [s["id"] for s in by_query] == [there["id"]]
        assert [s["id"] for s in await ostler.get("/session")] == [here]
        await ostler.prompt(there["id"])  # no header: a session knows its directory
        (part,) = await ostler.parts(there["id"], "tool")
        assert part["state"]["output"].strip().startswith(str(other))
        paths = await ostler.get("/path", directory=str(other))
        assert paths["worktree"] == str(other)


async def test_messages_page_by_page(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        session = await ostler.create()
        for number in range(3):
            await ostler.prompt(session, f"prompt {number}")
        route = f"/session/{session}/message"
        everything = [m["info"]["id"] for m in await ostler.get(route)]
        seen: list[str] = []
        page = await ostler.http.get(route, params={"limit": 4})
        while True:
            seen = [m["info"]["id"] for m in page.json()] + seen
            cursor = page.headers.get("x-next-cursor")
            if cursor is None:
                break
            page = await ostler.http.get(route, params={"limit": 4, "before": cursor})
        assert seen == everything
        assert len(everything) == 6


async def test_single_messages_and_parts(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("first answer")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        answer = await ostler.prompt(session)
        message = answer["info"]["id"]
        route = f"/session/{session}/message/{message}"
        assert await ostler.get(route) == answer
        part = next(p for p in answer["parts"] if p["type"] == "text")
        changed = await ostler.http.patch(
            f"{route}/part/{part['id']}", json={**part, "text": "other words"}
        )
        assert changed.json()["text"] == "other words"
        assert texts(await ostler.get(route)) == "other words"
        assert (await ostler.http.delete(f"{route}/part/{part['id']}")).json() is True
        assert texts(await ostler.get(route)) == ""
        assert (await ostler.http.delete(route)).json() is True
        assert (await ostler.http.get(route)).status_code == 404
        await events.until("message.removed")


async def test_todos(tmp_path: Path) -> None:
    todos = [{"content": "wash", "status": "pending", "priority": "high"}]
    async with serving(tmp_path, [tool("todowrite", todos=todos), text("ok")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt(session)
        (todo,) = await ostler.get(f"/session/{session}/todo")
        assert todo["content"] == "wash"
        await events.until("todo.updated")


async def test_order_is_the_servers_whatever_ids_clients_send(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("one"), text("two")]) as ostler:
        session = await ostler.create()
        await ostler.prompt(session, "first", messageID="msg_zzzzzzzzzzzzzzzzzzzzzzzzzz")
        await ostler.prompt(session, "second", messageID="msg_00000000000000000000000000")
        said = [texts(m) for m in await ostler.messages(session)]
        assert said == ["first", "one", "second", "two"]


async def test_the_same_message_twice(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("one")]) as ostler:
        session = await ostler.create()
        body = {"messageID": "msg_mine", "parts": [{"type": "text", "text": "first"}]}
        await ostler.post(f"/session/{session}/message", body)
        again = await ostler.http.post(f"/session/{session}/message", json=body)
        assert again.status_code == 400
        assert "msg_mine" in again.text
        assert [texts(m) for m in await ostler.messages(session)] == ["first", "one"]


async def test_sessions_of_every_project(tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"x.txt": "x\n"})
    async with serving(tmp_path) as ostler:
        here = await ostler.create(title="here")
        there = (
            await ostler.http.post("/session", json={}, params={"directory": str(other)})
        ).json()["id"]
        child = await ostler.create(parentID=here)
        route = "/experimental/session"
        listed = await ostler.get(route)
        assert {s["id"] for s in listed} == {here, there, child}
        assert {s["project"]["worktree"] for s in listed} == {str(ostler.root), str(other)}
        assert {s["id"] for s in await ostler.get(route, roots="true")} == {here, there}
        assert [s["id"] for s in await ostler.get(route, search="here")] == [here]
        await ostler.http.patch(f"/session/{here}", json={"time": {"archived": 1}})
        assert here not in [s["id"] for s in await ostler.get(route)]
        assert here in [s["id"] for s in await ostler.get(route, archived="true")]
        assert await ostler.post(f"/experimental/session/{here}/background") is False
