"""Plugins in Python, in turns over HTTP: each hook, and what a plugin cannot do."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.model_server import calls, text, tool
from tests.support.product import Json, serving, texts

PNG = "data:image/png;base64,iVBORw0KGgo="


def user_plugin(tmp_path: Path, source: str, name: str = "own.py") -> Path:
    """A plugin of the user's own, which needs no trust."""
    file = tmp_path / "home/.config/opencode/plugin" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    return file


def lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


NOTE = """
import json
def note(**said):
    with open({path!r}, "a") as file:
        file.write(json.dumps(said) + "\\n")
"""


async def test_a_prompt_can_be_changed_before_it_is_stored(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def chat_message(input, output):
    output["parts"][0]["text"] += " politely"
    output["parts"].append({"type": "text", "text": input["agent"], "synthetic": True})
    output["message"]["system"] = "Be kind."
""",
    )
    async with serving(tmp_path, [text("ok")], titles=False) as ostler:
        session = await ostler.create(title="Named")
        await ostler.prompt(session, "go", agent="build")
        user, _ = await ostler.messages(session)
        assert [p["text"] for p in user["parts"]] == ["go politely", "build"]
        (request,) = ostler.model.requests
        assert "Be kind." in str(request["messages"][0]["content"])
        assert "go politely" in str(request["messages"][1]["content"])


async def test_a_request_can_be_changed_before_it_is_sent(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
async def chat_params(input, output):
    assert input["model"]["id"] == "m1" and input["provider"]["info"]["id"] == "test"
    output["temperature"], output["topP"], output["maxOutputTokens"] = 0.25, 0.5, 77
    output["options"]["seed"] = 7

async def chat_headers(input, output):
    output["headers"]["x-mine"] = input["agent"]

async def experimental_chat_system_transform(input, output):
    output["system"].append("Also this.")

async def experimental_chat_messages_transform(input, output):
    output["messages"][-1]["parts"][-1]["text"] = "other words"

async def tool_definition(input, output):
    if input["toolID"] == "read":
        output["description"] = "Read what you like."
        output["parameters"]["properties"]["extra"] = {"type": "string"}
""",
    )
    async with serving(tmp_path, [text("ok")], titles=False, model={"temperature": True}) as ostler:
        session = await ostler.create(title="Named")
        await ostler.prompt(session, "go")
        (request,) = ostler.model.requests
        assert (request["temperature"], request["top_p"], request["seed"]) == (0.25, 0.5, 7)
        assert request["max_tokens"] == 77
        assert ostler.model.headers[0]["x-mine"] == "build"
        assert "Also this." in str([m for m in request["messages"] if m["role"] == "system"])
        assert "other words" in str(request["messages"][-1])
        read = next(t["function"] for t in request["tools"] if t["function"]["name"] == "read")
        assert read["description"] == "Read what you like."
        assert "extra" in read["parameters"]["properties"]
        stored = (await ostler.messages(session))[0]["parts"][0]["text"]
        assert stored == "go"  # what is shown to the model is not what is stored


async def test_calls_can_be_changed_and_refused(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def tool_execute_before(input, output):
    if ".env" in output["args"].get("command", ""):
        raise ValueError("not the .env file")
    output["args"]["command"] = output["args"]["command"].replace("one", "two")

def tool_execute_after(input, output):
    output["output"] += f"seen {input['args']['command']}"
    output["title"] = "mine"
    output["metadata"]["by"] = "plugin"

def shell_env(input, output):
    output["env"]["MINE"] = "from the plugin"
""",
    )
    script = [
        calls(
            ("bash", {"command": "echo one $MINE"}),
            ("bash", {"command": "cat .env"}),
        ),
        text("done"),
    ]
    async with serving(tmp_path, script, titles=False) as ostler:
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        first, second = (p["state"] for p in await ostler.parts(session, "tool"))
        assert first["status"] == "completed"
        assert first["output"].startswith("two from the plugin")
        assert first["output"].endswith("seen echo two $MINE")
        assert first["title"] == "mine"
        assert first["metadata"]["by"] == "plugin"
        assert first["input"] == {"command": "echo one $MINE"}  # what the model wrote
        assert (second["status"], second["error"]) == ("error", "not the .env file")
        shell = await ostler.post(
            f"/session/{session}/shell", {"agent": "build", "command": "echo $MINE"}
        )
        assert "from the plugin" in shell["parts"][0]["state"]["output"]


@pytest.mark.parametrize(
    ("status", "rule", "outcome"),
    [
        ("allow", "ask", "completed"),
        ("deny", "ask", "error"),
        ("allow", "deny", "error"),  # a plugin cannot permit what a rule denies
        ("deny", "allow", "completed"),  # nor is it asked of what a rule allows
    ],
)
async def test_it_may_answer_what_would_be_asked(
    tmp_path: Path, status: str, rule: str, outcome: str
) -> None:
    user_plugin(
        tmp_path,
        f"""
def permission_ask(input, output):
    assert input["permission"] == input["type"] == "bash" and input["patterns"]
    output["status"] = {status!r}
""",
    )
    config = {"permission": {"bash": {"*": rule, "never": "deny"}}}
    script = [tool("bash", command="echo hello"), text("done")]
    async with serving(tmp_path, script, titles=False, config=config) as ostler:
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == outcome


async def test_it_cannot_widen_what_a_subagents_parent_was_denied(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def config(config):
    config["agent"] = {"general": {"permission": {"bash": "allow"}}}

def permission_ask(input, output):
    output["status"] = "allow"
""",
    )
    script = [
        tool("task", description="d", prompt="p", subagent_type="general"),
        tool("bash", command="touch made"),
        text("sub done"),
        text("done"),
    ]
    async with serving(tmp_path, script, titles=False) as ostler:
        rules = [{"permission": "bash", "pattern": "touch *", "action": "deny"}]
        session = await ostler.create(title="Named", permission=rules)
        assert texts(await ostler.prompt(session)) == "done"
        assert not (ostler.root / "made").exists()


async def test_texts_commands_and_compactions(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def experimental_text_complete(input, output):
    output["text"] = output["text"].upper()

def command_execute_before(input, output):
    output["parts"].append({"type": "text", "text": f"{input['command']}: {input['arguments']}"})

def experimental_session_compacting(input, output):
    output["context"].append("Mind the gap.")
""",
    )
    config = {"command": {"greet": {"template": "Say hello"}}}
    async with serving(tmp_path, [text("hel", "lo")], titles=False, config=config) as ostler:
        session = await ostler.create(title="Named")
        answer = await ostler.post(
            f"/session/{session}/command", {"command": "greet", "arguments": "you"}
        )
        assert texts(answer) == "HELLO"
        assert "greet: you" in str(ostler.model.requests[0]["messages"])
        body = {"providerID": "test", "modelID": "m1"}
        await ostler.post(f"/session/{session}/summarize", body)
        assert "Mind the gap." in str(ostler.model.requests[-1]["messages"])


async def test_the_configuration_can_be_changed(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def config(config):
    config.setdefault("agent", {})["helper"] = {
        "mode": "primary", "prompt": "Help.", "description": "Made by a plugin"
    }
    config.setdefault("command", {})["made"] = {"template": "Do it"}
""",
    )
    async with serving(tmp_path, [text("ok")], titles=False) as ostler:
        agents = {a["name"]: a for a in await ostler.get("/agent")}
        assert agents["helper"]["description"] == "Made by a plugin"
        assert "made" in [c["name"] for c in await ostler.get("/command")]
        assert "helper" in (await ostler.get("/config"))["agent"]
        await ostler.prompt(await ostler.create(title="Named"), agent="helper")
        assert "Help." in str(ostler.model.requests[0]["messages"][0])


async def test_a_small_model_can_be_chosen(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def experimental_provider_small_model(input, output):
    output["model"] = input["provider"]["models"]["tiny"]
""",
    )
    async with serving(tmp_path, [text("ok")], models=["tiny"], titles=False) as ostler:
        await ostler.prompt(await ostler.create())
        await ostler.model.wait_for_requests(2)
        assert {r["model"] for r in ostler.model.requests} == {"m1", "tiny"}


async def test_events_reach_it_the_last_ones_too(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    user_plugin(
        tmp_path,
        NOTE.format(path=str(seen))
        + """
async def event(input):
    note(event=input["event"]["type"])

def dispose():
    note(event="disposed")
""",
    )
    async with serving(tmp_path, [text("ok")], titles=False) as ostler:
        await ostler.prompt(await ostler.create(title="Named"))
        await ostler.post("/instance/dispose")
        kinds = [line["event"] for line in lines(seen)]
        assert kinds.count("session.idle") == 1
        assert kinds[-1] == "disposed"
        assert "message.part.updated" in kinds


async def test_its_tools_are_the_models(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
def plugin(input):
    def add(a: int, b: int) -> str:
        "Add two numbers."
        return f"{a + b} in {input.directory} {input.options}"
    return {"tool": {"sum": add}}
""",
    )
    script = [tool("sum", a=1, b=2), text("done")]
    async with serving(tmp_path, script, titles=False) as ostler:
        session = await ostler.create(title="Named")
        await ostler.prompt(session)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["output"] == f"3 in {ostler.root} {{}}"
        assert "sum" in await ostler.get("/experimental/tool/ids")


async def test_its_client_speaks_to_this_server(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    user_plugin(
        tmp_path,
        NOTE.format(path=str(seen))
        + """
import asyncio
def plugin(input):
    async def before(hook, output):
        sessions = (await input.client.get("/session")).json()
        note(titles=[s["title"] for s in sessions])
        async with input.client.stream("GET", "/event") as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    note(first=line)
                    break
    return {"tool.execute.before": before}
""",
    )
    script = [tool("bash", command="true"), text("done")]
    async with serving(tmp_path, script, titles=False) as ostler:
        await ostler.prompt(await ostler.create(title="Named"))
        titles, first = lines(seen)
        assert titles == {"titles": ["Named"]}
        assert "server.connected" in first["first"]


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def chat_params(input, output):\n    raise KeyError('x')\n", "'x'"),
        ("def chat_params(input, output):\n    output['temperature'] = 'hot'\n", "temperature"),
        ("import sys\ndef chat_message(input, output):\n    sys.exit(1)\n", "1"),
        ("def chat_message(input, output):\n    output.clear()\n", "chat.message"),
        ("def tool_definition(input, output):\n    output['parameters'] = 3\n", "parameters"),
        ("def config(config):\n    config['model'] = 3\n", "model"),
        ("def experimental_text_complete(input, output):\n    output['text'] = None\n", "text"),
    ],
)
async def test_one_that_fails_is_reported_and_the_turn_goes_on(
    tmp_path: Path, source: str, said: str
) -> None:
    user_plugin(tmp_path, source)
    async with serving(tmp_path, [text("fine")], titles=False) as ostler:
        events = await ostler.events("/global/event")
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session, "go")) == "fine"
        error = await events.until(lambda e: e["type"] == "session.error")
        assert said in error["properties"]["error"]["data"]["message"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def chat_params(input, output)\n    pass\n", "own.py:1"),
        ("x = 1\nraise ValueError('not today')\n", "own.py:2 is left out: ValueError: not today"),
        ("x = 1\n", "has no hook"),
        ("def plugin(input):\n    return 3\n", "must return hooks by name"),
        ("def plugin(input):\n    return {'tool': 3}\n", "tool must hold functions"),
    ],
)
async def test_one_that_does_not_load_is_left_out(tmp_path: Path, source: str, said: str) -> None:
    user_plugin(tmp_path, source)
    user_plugin(tmp_path, "def chat_params(i, o):\n    o['options']['seed'] = 9\n", "z.py")
    async with serving(tmp_path, [text("fine")], titles=False) as ostler:
        events = await ostler.events("/global/event")
        assert texts(await ostler.prompt(await ostler.create(title="Named"))) == "fine"
        assert ostler.model.requests[0]["seed"] == 9
        error = await events.until(lambda e: e["type"] == "session.error")
        assert said in error["properties"]["error"]["data"]["message"]


async def test_one_that_hangs_is_given_up(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        "import asyncio\nasync def chat_params(input, output):\n    await asyncio.sleep(3600)\n",
    )
    config = {"plugin_timeout": 50}
    async with serving(tmp_path, [text("fine")], titles=False, config=config) as ostler:
        events = await ostler.events("/global/event")
        for _ in range(5):
            answer = await ostler.prompt(await ostler.create(title="Named"))
            assert texts(answer) == "fine"
        errors = [e for e in events.seen if e["type"] == "session.error"]
        assert len(errors) == 3
        last = errors[-1]["properties"]["error"]["data"]["message"]
        assert "did not answer" in last
        assert "not called any more" in last


async def test_a_guard_that_hangs_lets_nothing_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostler.integrations.plugins.hooks.HOOK_SECONDS", 0.05)
    user_plugin(
        tmp_path,
        "import asyncio\nasync def tool_execute_before(i, o):\n    await asyncio.sleep(3600)\n",
    )
    script = [tool("bash", command="touch made"), text("done")]
    config = {"plugin_timeout": 50}
    async with serving(tmp_path, script, titles=False, config=config) as ostler:
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "error"
        assert "did not answer" in part["state"]["error"]
        assert not (ostler.root / "made").exists()


async def test_a_projects_own_wait_for_trust(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    source = f"open({str(ran)!r}, 'w').close()\ndef config(config):\n    pass\n"
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(source)
    async with serving(tmp_path, [text("fine")], titles=False) as ostler:
        folder = ostler.root / ".opencode/plugins"
        folder.mkdir(parents=True)
        (folder / "own.py").write_text(source)
        (ostler.root / "opencode.json").write_text(json.dumps({"plugin": [str(elsewhere)]}))
        assert texts(await ostler.prompt(await ostler.create(title="Named"))) == "fine"
        assert not ran.exists()
        instance = await ostler.runtime.instance()
        held = ostler.runtime.held_back(instance)
        assert [h for h in held if "plugin" in h] == [
            "the plugin ../elsewhere.py",
            "the plugin .opencode/plugins/own.py",
        ]
        warnings = [w.message for w in instance.loaded.warnings]
        assert any("not trusted" in w and "own.py" in w for w in warnings)


async def test_what_is_configured(tmp_path: Path) -> None:
    """Options, the order of loading, a module that is installed, and OPENCODE_PURE."""
    seen = tmp_path / "seen"
    source = NOTE.format(path=str(seen)) + (
        "def plugin(input):\n"
        "    note(name=__file__[-4:], **input.options)\n"
        "    return {'config': print}\n"
    )
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(source)
    config = {
        "plugin": [str(tmp_path / "b.py"), [str(tmp_path / "a.py"), {"level": 3}], "python:no.such"]
    }
    async with serving(tmp_path, [text("fine")], titles=False, config=config) as ostler:
        listed = (await ostler.get("/config"))["plugin"]
        assert listed[0] == f"file://{tmp_path}/b.py"
        assert lines(seen) == [{"name": "b.py"}, {"name": "a.py", "level": 3}]
        instance = await ostler.runtime.instance()
        assert "No module named 'no'" in str(instance.loaded.warnings)
    seen.unlink()
    async with serving(
        tmp_path, [text("fine")], titles=False, config=config, OPENCODE_PURE="1"
    ) as ostler:
        await ostler.get("/config")
        assert lines(seen) == []


async def test_loading_does_not_wait_for_ever_for_its_own_server(tmp_path: Path) -> None:
    user_plugin(
        tmp_path,
        """
import asyncio
def plugin(input):
    asyncio.run(input.client.get("/config"))
    return {}
""",
    )
    async with serving(tmp_path, [text("fine")], titles=False) as ostler:
        async with asyncio.timeout(10):
            await ostler.get("/config")
        instance = await ostler.runtime.instance()
        assert "use it in a hook" in str(instance.loaded.warnings)


# ── providers ─────────────────────────────────────────────────────────────────────────────────

ACCOUNT = """
import asyncio, json
def authorize(inputs):
    async def callback(code):
        if code != "right":
            return {"type": "failed"}
        return {"type": "success", "access": "old", "refresh": "r", "expires": 1}
    return {"url": "http://sign.in", "instructions": inputs["who"], "method": "code",
            "callback": callback}

async def loader(stored, provider):
    kept = await stored()
    assert kept["type"] == "oauth" and provider["id"] == "acme"
    async def fetch(call):
        import httpx
        from ostler.integrations.plugins.plugin import HttpAnswer
        # as a plugin does that renews its token with each call
        token = (await stored())["access"]
        client = httpx.AsyncClient(trust_env=False)
        request = client.build_request(
            call.method, call.url, content=call.body,
            headers={**call.headers, "authorization": f"Bearer {token}-signed"},
        )
        answer = await client.send(request, stream=True)
        return HttpAnswer(
            status=answer.status_code, headers=dict(answer.headers), body=answer.aiter_bytes()
        )
    return {"apiKey": "", "fetch": fetch}

async def models(provider, context):
    found = dict(provider["models"])
    found["more"] = {**found["m"], "id": "more", "name": "More"}
    return found

auth = {
    "provider": "acme",
    "loader": loader,
    "methods": [
        {"type": "oauth", "label": "Acme account", "authorize": authorize,
         "prompts": [{"type": "text", "key": "who", "message": "Who are you?"}]},
        {"type": "api", "label": "A key"},
    ],
}
provider = {"id": "acme", "models": models}
"""


async def test_it_can_sign_in_to_a_provider_and_call_it(tmp_path: Path) -> None:
    user_plugin(tmp_path, ACCOUNT)
    async with serving(tmp_path, [text("hello")], titles=False) as ostler:
        described = {
            "npm": "@ai-sdk/openai-compatible",
            "api": ostler.model.url,
            "models": {"m": {"name": "M"}},
        }
        (ostler.root / "opencode.json").write_text(json.dumps({"provider": {"acme": described}}))
        await ostler.post("/instance/dispose")
        methods = (await ostler.get("/provider/auth"))["acme"]
        assert [(m["type"], m["label"]) for m in methods] == [
            ("oauth", "Acme account"),
            ("api", "A key"),
        ]
        assert methods[0]["prompts"][0]["key"] == "who"
        path = "/provider/acme/oauth"
        assert await ostler.post(f"{path}/authorize", {"method": 1}) is None
        for code, status in (("wrong", 400), ("right", 200)):
            body = {"method": 0, "inputs": {"who": "me"}}
            started = await ostler.post(f"{path}/authorize", body)
            assert started == {
                "url": "http://sign.in",
                "instructions": "me",
                "method": "code",
            }
            answer = await ostler.http.post(f"{path}/callback", json={"method": 0, "code": code})
            assert answer.status_code == status
        model = {"providerID": "acme", "modelID": "more"}
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session, model=model)) == "hello"
        assert ostler.model.headers[-1]["authorization"] == "Bearer old-signed"
        renewed = {"type": "oauth", "access": "new", "refresh": "r", "expires": 2}
        assert (await ostler.http.put("/auth/acme", json=renewed)).status_code == 200
        await ostler.prompt(session, model=model)
        assert ostler.model.headers[-1]["authorization"] == "Bearer new-signed"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("async def loader(stored, provider):\n    raise ValueError('no luck')\n", "no luck"),
        ("def loader(stored, provider):\n    return 3\n", "not a dict"),
        (
            "async def loader(s, p):\n    async def fetch(call):\n        raise OSError('cut')\n"
            "    return {'fetch': fetch}\n",
            "cut",
        ),
    ],
)
async def test_one_that_cannot_call_the_provider_is_named(
    tmp_path: Path, broken: str, said: str
) -> None:
    user_plugin(tmp_path, ACCOUNT + broken + "auth['loader'] = loader\n")
    config = {"retry": {"attempts": 0}}
    async with serving(tmp_path, [text("hello")], titles=False, config=config) as ostler:
        described = {"api": ostler.model.url, "models": {"m": {"name": "M"}}}
        (ostler.root / "opencode.json").write_text(json.dumps({"provider": {"acme": described}}))
        await ostler.post("/instance/dispose")
        await ostler.http.put(
            "/auth/acme", json={"type": "oauth", "access": "a", "refresh": "r", "expires": 2}
        )
        model = {"providerID": "acme", "modelID": "m"}
        answer = await ostler.prompt(await ostler.create(title="Named"), model=model)
        message = answer["info"]["error"]["data"]["message"]
        assert said in message
