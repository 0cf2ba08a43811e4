"""Turns over HTTP: what a prompt leaves behind, and what a client hears of it."""

import asyncio
from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.model_server import text, tool
from tests.support.product import serving, texts, tools


async def test_a_text_turn(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("Hel", "lo")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        answer = await ostler.prompt(session, "hi there")
        assert texts(answer) == "Hello"
        info = answer["info"]
        assert (info["role"], info["finish"], info["agent"]) == ("assistant", "stop", "build")
        assert (info["providerID"], info["modelID"]) == ("test", "m1")
        assert info["tokens"]["input"] == 10
        assert info["tokens"]["output"] == 5
        assert [p["type"] for p in answer["parts"]] == ["step-start", "text", "step-finish"]
        messages = await ostler.messages(session)
        assert [m["info"]["role"] for m in messages] == ["user", "assistant"]
        assert messages[1] == answer
        await events.idle()
        assert "".join(e["delta"] for e in events.of("message.part.delta")) == "Hello"
        assert [s["status"]["type"] for s in events.of("session.status")][-1] == "idle"
        assert await ostler.get("/session/status") == {}


async def test_the_order_of_events(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("Hello")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt(session)
        await events.idle()
        kinds = events.kinds()
        assert kinds[0] == "server.connected"
        order = [
            kinds.index("session.created"),
            kinds.index("message.updated"),
            kinds.index("message.part.updated"),
            kinds.index("session.status"),
            kinds.index("message.part.delta"),
            kinds.index("session.diff"),
            kinds.index("session.idle"),
        ]
        assert order == sorted(order)


async def test_what_the_model_is_sent(tmp_path: Path) -> None:
    files = {"AGENTS.md": "Speak like a sailor.\n", "README.md": "x\n"}
    async with serving(tmp_path, [text("ok")], files=files) as ostler:
        await ostler.prompt(await ostler.create(), "the task")
        sent = ostler.model.requests[0]
        system = "\n".join(m["content"] for m in sent["messages"] if m["role"] == "system")
        assert "Speak like a sailor." in system
        assert str(ostler.root) in system
        assert sent["messages"][-1] == {"role": "user", "content": "the task"}
        names = {t["function"]["name"] for t in sent["tools"]}
        assert {"bash", "read", "edit", "write", "glob", "grep", "task", "webfetch"} <= names
        assert "todoread" not in names
        assert sent["stream"] is True
        assert ostler.model.headers[0]["authorization"] == "Bearer test-key"


async def test_a_tool_round(tmp_path: Path) -> None:
    script = [tool("bash", command="echo one; echo two >&2"), text("done")]
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert texts(answer) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert part["tool"] == "bash"
        state = part["state"]
        assert state["status"] == "completed"
        assert state["input"] == {"command": "echo one; echo two >&2"}
        assert "one" in state["output"]
        assert "two" in state["output"]
        assert state["metadata"]["exit"] == 0
        assert state["time"]["end"] >= state["time"]["start"]
        assert ostler.model.requests[1]["messages"][-1]["role"] == "tool"
        messages = await ostler.messages(session)
        assert [m["info"].get("finish") for m in messages] == [None, "tool-calls", "stop"]


async def test_parallel_calls_run_at_the_same_time(tmp_path: Path) -> None:
    # Each waits for the file the other makes: one after the other they would never end.
    first = {"command": "touch a; while [ ! -e b ]; do sleep 0.01; done; echo saw b"}
    second = {"command": "touch b; while [ ! -e a ]; do sleep 0.01; done; echo saw a"}
    script = [model.calls(("bash", first), ("bash", second)), text("done")]
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        outputs = [p["state"]["output"] for p in await ostler.parts(session, "tool")]
        assert ["saw b" in outputs[0], "saw a" in outputs[1]] == [True, True]
        results = [m for m in ostler.model.requests[1]["messages"] if m["role"] == "tool"]
        assert [r["tool_call_id"] for r in results] == ["call_0", "call_1"]


async def test_reasoning_is_kept_apart(tmp_path: Path) -> None:
    async with serving(tmp_path, [model.reasoning("let me think", "42")]) as ostler:
        answer = await ostler.prompt(await ostler.create())
        (thought,) = [p for p in answer["parts"] if p["type"] == "reasoning"]
        assert thought["text"] == "let me think"
        assert thought["time"]["end"]
        assert texts(answer) == "42"


async def test_cost_from_the_models_prices(tmp_path: Path) -> None:
    prices = {"cost": {"input": 3, "output": 15}, "limit": {"context": 100_000, "output": 10_000}}
    reply = text("ok", tokens=model.usage(1_000, 100))
    async with serving(tmp_path, [reply], model=prices) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert answer["info"]["cost"] == pytest.approx(0.0045)
        assert (await ostler.get(f"/session/{session}"))["cost"] == pytest.approx(0.0045)
        (finish,) = [p for p in answer["parts"] if p["type"] == "step-finish"]
        assert finish["cost"] == pytest.approx(0.0045)
        assert finish["reason"] == "stop"


async def test_a_title_in_the_background(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        assert (await ostler.get(f"/session/{session}"))["title"].startswith("New session")
        await ostler.prompt(session, "repair the pump")
        await events.until(
            lambda e: (
                e["type"] == "session.updated" and e["properties"]["info"]["title"] == "A title"
            )
        )
        assert "repair the pump" in str(ostler.model.title_requests[0]["messages"])


async def test_a_title_of_the_users_own_stays(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        session = await ostler.create(title="Mine")
        await ostler.prompt(session)
        assert (await ostler.get(f"/session/{session}"))["title"] == "Mine"
        assert ostler.model.title_requests == []


async def test_no_reply_stores_the_prompt_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        session = await ostler.create()
        stored = await ostler.prompt(session, "remember this", noReply=True)
        assert stored["info"]["role"] == "user"
        assert ostler.model.requests == []
        await ostler.prompt(session, "and now")
        users = [m for m in ostler.model.requests[0]["messages"] if m["role"] == "user"]
        assert "remember this" in str(users)


async def test_prompts_while_busy_are_answered_in_their_order(tmp_path: Path) -> None:
    script = [tool("bash", command="while [ ! -e go ]; do sleep 0.01; done"), text("both")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt_async(session, "first")
        await ostler.model.wait_for_requests(1)
        second = asyncio.create_task(ostler.prompt(session, "second"))
        await events.until(
            lambda e: (
                e["type"] == "message.part.updated"
                and e["properties"]["part"].get("text") == "second"
            )
        )
        (ostler.root / "go").touch()
        assert texts(await second) == "both"
        await events.idle()
        sent = ostler.model.requests[1]["messages"]
        assert "second" in str(sent[-1])
        assert len(events.of("session.idle")) == 1


async def test_structured_output(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
    }
    async with serving(tmp_path, [tool("StructuredOutput", answer=42)]) as ostler:
        answer = await ostler.prompt(
            await ostler.create(), format={"type": "json_schema", "schema": schema}
        )
        assert answer["info"]["structured"] == {"answer": 42}
        assert "error" not in answer["info"]


async def test_an_answer_not_in_the_asked_for_shape(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    async with serving(tmp_path, [text("forty-two")]) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session, format={"type": "json_schema", "schema": schema})
        assert answer["info"]["error"]["name"] == "StructuredOutputError"
        assert texts(await ostler.prompt(session)) == "forty-two"


async def test_the_last_allowed_step_has_no_tools_to_call(tmp_path: Path) -> None:
    config = {"agent": {"build": {"steps": 2}}}
    script = [tool("bash", command="true"), text("that is all")]
    async with serving(tmp_path, script, config=config) as ostler:
        answer = await ostler.prompt(await ostler.create())
        assert texts(answer) == "that is all"
        last = ostler.model.requests[1]["messages"][-1]
        assert last["role"] == "assistant"
        assert "step" in last["content"].lower()


async def test_the_diff_of_a_prompt(tmp_path: Path) -> None:
    script = [tool("write", filePath="new.txt", content="hello\n"), text("done")]
    async with serving(tmp_path, script) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        await ostler.prompt(session)
        await events.idle()
        user = (await ostler.messages(session))[0]["info"]
        (diff,) = await ostler.get(f"/session/{session}/diff", messageID=user["id"])
        assert (diff["file"], diff["status"], diff["additions"]) == ("new.txt", "added", 1)
        assert "+hello" in diff["patch"]
        assert await ostler.get(f"/session/{session}/diff") == []
        summary = (await ostler.get(f"/session/{session}"))["summary"]
        assert summary == {"additions": 1, "deletions": 0, "files": 1}
        (patch,) = await ostler.parts(session, "patch")
        assert patch["files"] == [str(ostler.root / "new.txt")]


async def test_an_agent_and_a_model_of_the_prompts_choice(tmp_path: Path) -> None:
    config = {"agent": {"poet": {"prompt": "You write verse.", "mode": "primary"}}}
    async with serving(tmp_path, [text("roses")], config=config) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(
            session, agent="poet", model={"providerID": "test", "modelID": "m1"}
        )
        assert answer["info"]["agent"] == "poet"
        assert "You write verse." in str(ostler.model.requests[0]["messages"][0])
        assert (await ostler.get(f"/session/{session}"))["agent"] == "poet"


async def test_a_file_given_with_the_prompt(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")], files={"notes.txt": "remember milk\n"}) as ostler:
        url = f"file://{ostler.root}/notes.txt"
        parts = [
            {"type": "text", "text": "see this"},
            {"type": "file", "mime": "text/plain", "url": url, "filename": "notes.txt"},
        ]
        await ostler.prompt(await ostler.create(), parts=parts)
        assert "remember milk" in str(ostler.model.requests[0]["messages"])


async def test_an_image_given_with_the_prompt(tmp_path: Path) -> None:
    pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    pixel += "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    parts = [
        {"type": "text", "text": "what is it"},
        {"type": "file", "mime": "image/png", "url": pixel, "filename": "p.png"},
    ]
    modalities = {"attachment": True, "modalities": {"input": ["text", "image"], "output": []}}
    async with serving(tmp_path, [text("a dot")], model=modalities) as ostler:
        await ostler.prompt(await ostler.create(), parts=parts)
        content = ostler.model.requests[0]["messages"][-1]["content"]
        assert {"type": "image_url", "image_url": {"url": pixel}} in content


async def test_invalid_arguments_are_told_to_the_model(tmp_path: Path) -> None:
    script = [tool("read", path=3), tool("nosuchtool", x=1), text("sorry")]
    async with serving(tmp_path, script) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert texts(answer) == "sorry"
        results = [
            m["content"] for m in ostler.model.requests[2]["messages"] if m["role"] == "tool"
        ]
        assert "filePath" in results[0]
        assert "nosuchtool" in results[1]
        assert "bash" in results[1]
        assert tools(answer) == []


async def test_arguments_that_are_not_json(tmp_path: Path) -> None:
    broken = model.Reply(
        [
            model.raw_call("read", '{"filePath": '),
            model.delta({}, "tool_calls", usage=model.usage()),
            model.DONE,
        ]
    )
    async with serving(tmp_path, [broken, text("sorry")]) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "sorry"
        (part,) = await ostler.parts(session, "tool")
        assert part["tool"] == "invalid"
        assert "read" in str(part["state"])


async def test_shell_and_command(tmp_path: Path) -> None:
    config = {"command": {"greet": {"template": "Greet $1 and !`echo $((40+2))`"}}}
    async with serving(tmp_path, [text("ok")], config=config) as ostler:
        session = await ostler.create()
        shell = await ostler.post(
            f"/session/{session}/shell", {"agent": "build", "command": "echo from the shell"}
        )
        assert "from the shell" in str(shell["parts"])
        assert ostler.model.requests == []
        await ostler.post(f"/session/{session}/command", {"command": "greet", "arguments": "Ada"})
        assert "Greet Ada and 42" in str(ostler.model.requests[0]["messages"][-1])
        assert "from the shell" in str(ostler.model.requests[0]["messages"])


async def test_fork(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("one"), text("two")]) as ostler:
        session = await ostler.create()
        await ostler.prompt(session, "first")
        await ostler.prompt(session, "second")
        messages = await ostler.messages(session)
        forked = await ostler.post(
            f"/session/{session}/fork", {"messageID": messages[2]["info"]["id"]}
        )
        copies = await ostler.messages(forked["id"])
        assert [texts(m) for m in copies] == ["first", "one"]
        assert copies[1]["info"]["parentID"] == copies[0]["info"]["id"]
        assert not {m["info"]["id"] for m in copies} & {m["info"]["id"] for m in messages}
