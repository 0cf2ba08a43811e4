"""Asks: who is asked, what the answers do, and that nobody waits for ever."""

from pathlib import Path

from tests.support import model_server as model
from tests.support.model_server import text, tool
from tests.support.product import serving, texts

ASK_BASH = {"permission": {"bash": "ask"}}
TOUCH = tool("bash", command="touch made")


async def test_once(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, TOUCH, text("done")], config=ASK_BASH) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        assert asked["permission"] == "bash"
        assert asked["patterns"] == ["touch made"]
        assert asked["sessionID"] == session
        assert [r["id"] for r in await ostler.get("/permission")] == [asked["id"]]
        assert not (ostler.root / "made").exists()
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": "once"})
        again = (await events.until("permission.asked", 2))["properties"]
        assert (ostler.root / "made").exists()
        await ostler.post(f"/permission/{again['id']}/reply", {"reply": "once"})
        await events.idle()
        assert await ostler.get("/permission") == []


async def test_always(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, TOUCH, text("done")], config=ASK_BASH) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        assert asked["always"] == ["touch *"]
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": "always"})
        await events.idle()
        assert len(events.of("permission.asked")) == 1


async def test_reject_ends_the_turn(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, text("never")], config=ASK_BASH) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": "reject"})
        await events.idle()
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"
        assert not (ostler.root / "made").exists()
        assert len(ostler.model.requests) == 1


async def test_reject_with_a_message_lets_the_model_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, text("as you say")], config=ASK_BASH) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        reply = {"reply": "reject", "message": "use mktemp"}
        await ostler.post(f"/permission/{asked['id']}/reply", reply)
        await events.idle()
        assert "use mktemp" in ostler.model.requests[1]["messages"][-1]["content"]
        assert texts((await ostler.messages(session))[-1]) == "as you say"


async def test_the_older_route_of_an_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, text("done")], config=ASK_BASH) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        await ostler.post(f"/session/{session}/permissions/{asked['id']}", {"response": "once"})
        await events.idle()
        assert (ostler.root / "made").exists()


async def test_the_last_rule_that_matches_wins(tmp_path: Path) -> None:
    config = {"permission": {"bash": {"*": "deny", "git *": "allow", "git push *": "deny"}}}
    script = [
        model.calls(
            ("bash", {"command": "git status"}),
            ("bash", {"command": "git push origin"}),
            ("bash", {"command": "git status && touch made"}),
        ),
        text("done"),
    ]
    async with serving(tmp_path, script, config=config) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        statuses = [p["state"]["status"] for p in await ostler.parts(session, "tool")]
        assert statuses == ["completed", "error", "error"]
        assert not (ostler.root / "made").exists()


async def test_a_denied_tool_is_not_offered(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")], config={"permission": {"edit": "deny"}}) as ostler:
        await ostler.prompt(await ostler.create())
        names = {t["function"]["name"] for t in ostler.model.requests[0]["tools"]}
        assert not {"edit", "write", "apply_patch"} & names


async def test_rules_of_the_session(tmp_path: Path) -> None:
    rules = [{"permission": "bash", "pattern": "*", "action": "deny"}]
    async with serving(tmp_path, [TOUCH, text("ok")]) as ostler:
        session = await ostler.create(permission=rules)
        await ostler.prompt(session)
        assert not (ostler.root / "made").exists()


async def test_a_path_outside_the_project_is_asked_for(tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    script = [tool("read", filePath=str(outside)), text("done")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("permission.asked"))["properties"]
        assert asked["permission"] == "external_directory"
        assert asked["patterns"] == [f"{tmp_path}/*"]
        await ostler.post(f"/permission/{asked['id']}/reply", {"reply": "reject"})
        await events.idle()
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"


async def test_an_unattended_session_is_never_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, text("I could not")], config=ASK_BASH) as ostler:
        events = await ostler.events()
        session = await ostler.create(unattended=True)
        answer = await ostler.prompt(session)
        assert texts(answer) == "I could not"
        assert events.of("permission.asked") == []
        told = ostler.model.requests[1]["messages"][-1]["content"]
        assert "Nobody is attending" in told
        assert not (ostler.root / "made").exists()


async def test_an_unattended_policy_that_allows(tmp_path: Path) -> None:
    async with serving(tmp_path, [TOUCH, text("done")], config=ASK_BASH) as ostler:
        session = await ostler.create(unattended={"permission": "allow"})
        await ostler.prompt(session)
        assert (ostler.root / "made").exists()


async def test_an_ask_has_a_deadline(tmp_path: Path) -> None:
    config = {**ASK_BASH, "ask_timeout": 50}
    async with serving(tmp_path, [TOUCH, text("moving on")], config=config) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"
        assert await ostler.get("/permission") == []


async def test_a_question_is_answered(tmp_path: Path) -> None:
    question = {
        "question": "Which colour?",
        "header": "Colour",
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "c"}],
    }
    script = [tool("question", questions=[question]), text("red it is")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("question.asked"))["properties"]
        assert asked["questions"][0]["question"] == "Which colour?"
        assert [q["id"] for q in await ostler.get("/question")] == [asked["id"]]
        await ostler.post(f"/question/{asked['id']}/reply", {"answers": [["Red"]]})
        await events.idle()
        assert "Red" in ostler.model.requests[1]["messages"][-1]["content"]


async def test_a_question_is_dismissed(tmp_path: Path) -> None:
    question = {"question": "Which?", "header": "H", "options": [{"label": "A", "description": ""}]}
    async with serving(tmp_path, [tool("question", questions=[question]), text("x")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session)
        asked = (await events.until("question.asked"))["properties"]
        await ostler.post(f"/question/{asked['id']}/reject")
        await events.idle()
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"


async def test_an_unattended_session_asks_no_questions(tmp_path: Path) -> None:
    question = {"question": "Which?", "header": "H", "options": [{"label": "A", "description": ""}]}
    script = [tool("question", questions=[question]), text("I chose A")]
    async with serving(tmp_path, script) as ostler:
        answer = await ostler.prompt(await ostler.create(unattended=True))
        assert texts(answer) == "I chose A"


async def test_unknown_asks(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        reply = await ostler.http.post("/permission/per_nope/reply", json={"reply": "once"})
        assert reply.status_code == 404
        assert "per_nope" in reply.text
        reply = await ostler.http.post("/permission/per_nope/reply", json={"reply": "perhaps"})
        assert reply.status_code == 400
        reply = await ostler.http.post("/question/que_nope/reject")
        assert reply.status_code == 404
