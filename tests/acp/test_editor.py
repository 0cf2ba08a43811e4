"""``ostler acp`` as an editor has it: a process, spoken to by the protocol's official package."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import acp
from acp import schema
from tests.support import mcp_server
from tests.support.command import SOURCES, free_port
from tests.support.model_server import STALL, ModelServer, Reply, Script, delta, error, text, tool
from tests.support.product import DEADLINE, Json, environment, with_model
from tests.support.repository import make_repository

ASK = {"permission": {"bash": "ask", "edit": "ask"}}


class Editor:
    """An editor's side: keeps the updates, answers permission requests with ``choice``."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, Any]] = []
        self.asked: list[Any] = []
        self.choice: str | None = "once"
        self.silent = False
        self.news = asyncio.Event()

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.updates.append((session_id, update))
        self.news.set()

    async def request_permission(
        self, session_id: str, tool_call: Any, options: list[Any], **_: Any
    ) -> schema.RequestPermissionResponse:
        self.asked.append((session_id, tool_call, options))
        self.news.set()
        if self.silent:
            await asyncio.Event().wait()
        if self.choice is None:
            return schema.RequestPermissionResponse(
                outcome=schema.DeniedOutcome(outcome="cancelled")
            )
        return schema.RequestPermissionResponse(
            outcome=schema.AllowedOutcome(outcome="selected", option_id=self.choice)
        )

    def on_connect(self, conn: Any) -> None:
        pass

    def of(self, kind: str) -> list[Any]:
        """The updates of a kind, in order."""
        return [u for _, u in self.updates if u.session_update == kind]

    def said(self, kind: str = "agent_message_chunk") -> str:
        return "".join(u.content.text for u in self.of(kind))

    async def until(self, kind: str) -> Any:
        """The first update of a kind."""
        await self._wait(lambda: self.of(kind))
        return self.of(kind)[0]

    async def until_asked(self) -> None:
        await self._wait(lambda: self.asked)

    async def _wait(self, there: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not there():
                self.news.clear()
                await self.news.wait()


class Workspace:
    def __init__(self, agent: Any, editor: Editor, root: Path, model: ModelServer) -> None:
        self.agent, self.editor, self.root, self.model = agent, editor, root, model

    async def new(self, **more: Any) -> str:
        session = await self.agent.new_session(cwd=str(self.root), mcp_servers=[], **more)
        return str(session.session_id)

    async def prompt(self, session: str, *blocks: Any) -> Any:
        made = [acp.text_block(b) if isinstance(b, str) else b for b in blocks]
        async with asyncio.timeout(DEADLINE):
            return await self.agent.prompt(session_id=session, prompt=made)


@asynccontextmanager
async def editing(
    tmp_path: Path,
    script: Script,
    config: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    arguments: Sequence[str] = (),
) -> AsyncIterator[Workspace]:
    root, home = tmp_path / "project", tmp_path / "home"
    if not root.exists():
        make_repository(root, {"README.md": "A project.\n"})
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    (home / ".config/opencode").mkdir(parents=True, exist_ok=True)
    async with ModelServer(script) as models:
        written = with_model(models.url, config, **(model or {}))
        (home / ".config/opencode/opencode.json").write_text(json.dumps(written))
        editor: Any = Editor()
        variables = environment(home, PYTHONPATH=SOURCES)
        async with acp.spawn_agent_process(
            editor,
            sys.executable,
            *("-m", "ostler", "acp", *arguments),
            env=variables,
            cwd=root,
            use_unstable_protocol=True,
        ) as (agent, _process):
            async with asyncio.timeout(DEADLINE):
                about = await agent.initialize(protocol_version=acp.PROTOCOL_VERSION)
            assert about.protocol_version == 1
            assert about.agent_capabilities
            assert about.agent_capabilities.load_session
            yield Workspace(agent, editor, root, models)


async def test_a_prompt_with_streamed_updates(tmp_path: Path) -> None:
    reply = Reply(
        [
            delta({"reasoning_content": "Hm. "}),
            delta({"content": "Hello "}),
            delta({"content": "there"}),
            delta({}, "stop", usage={"prompt_tokens": 10, "completion_tokens": 5}),
        ]
    )
    limits = {"limit": {"context": 1000, "output": 100}}
    async with editing(tmp_path, [reply], model=limits) as workspace:
        session = await workspace.new()
        offered = await workspace.editor.until("available_commands_update")
        assert {"init", "review"} <= {c.name for c in offered.available_commands}
        answer = await workspace.prompt(session, "hi")
        assert answer.stop_reason == "end_turn"
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 5)
        assert workspace.editor.said("agent_thought_chunk") == "Hm. "
        assert workspace.editor.said() == "Hello there"
        (usage,) = workspace.editor.of("usage_update")
        assert (usage.used, usage.size) == (10, 1000)


@pytest.mark.parametrize(
    ("choice", "status", "output"),
    [("once", "completed", "hi\n"), ("reject", "failed", "rejected"), (None, "failed", "rejected")],
)
async def test_a_tool_call_that_asks(
    tmp_path: Path, choice: str | None, status: str, output: str
) -> None:
    script = [tool("bash", command="echo hi"), text("done")]
    async with editing(tmp_path, script, ASK) as workspace:
        workspace.editor.choice = choice
        session = await workspace.new()
        answer = await workspace.prompt(session, "go")
        assert answer.stop_reason == "end_turn"
        (asked,) = workspace.editor.asked
        assert (asked[0], asked[1].title, asked[1].kind) == (session, "echo hi", "execute")
        assert [o.kind for o in asked[2]] == ["allow_once", "allow_always", "reject_once"]
        (begun,) = workspace.editor.of("tool_call")
        assert (begun.tool_call_id, begun.kind, begun.status) == ("call_0", "execute", "pending")
        last = workspace.editor.of("tool_call_update")[-1]
        assert last.status == status
        assert output in last.content[0].content.text
        assert workspace.editor.said() == ("done" if choice == "once" else "")


async def test_always_is_asked_once(tmp_path: Path) -> None:
    script = [tool("bash", command="echo a"), tool("bash", command="echo a"), text("done")]
    async with editing(tmp_path, script, ASK) as workspace:
        workspace.editor.choice = "always"
        await workspace.prompt(await workspace.new(), "go")
        assert len(workspace.editor.asked) == 1
        assert workspace.editor.said() == "done"


async def test_an_edit_shows_its_diff(tmp_path: Path) -> None:
    script = [
        tool("edit", filePath="README.md", oldString="A project.", newString="Mine."),
        tool("todowrite", todos=[{"content": "x", "status": "pending", "priority": "high"}]),
        text("done"),
    ]
    async with editing(tmp_path, script, ASK) as workspace:
        await workspace.prompt(await workspace.new(), "go")
        (asked,) = workspace.editor.asked
        assert asked[1].kind == "edit"
        assert "+Mine." in asked[1].content[0].content.text
        changes = workspace.editor.of("tool_call_update")
        edited = next(u for u in changes if u.status == "completed")
        diff = edited.content[1]
        assert (diff.type, diff.old_text, diff.new_text) == ("diff", "A project.", "Mine.")
        (plan,) = workspace.editor.of("plan")
        assert (plan.entries[0].content, plan.entries[0].priority) == ("x", "high")


async def test_cancelling(tmp_path: Path) -> None:
    async with editing(tmp_path, [Reply([delta({"content": "thinking"}), STALL])]) as workspace:
        session = await workspace.new()
        prompting = asyncio.create_task(workspace.prompt(session, "go"))
        await workspace.editor.until("agent_message_chunk")
        await workspace.agent.cancel(session_id=session)
        assert (await prompting).stop_reason == "cancelled"


async def test_cancelling_what_asks(tmp_path: Path) -> None:
    async with editing(tmp_path, [tool("bash", command="echo")], ASK) as workspace:
        session = await workspace.new()
        workspace.editor.silent = True
        prompting = asyncio.create_task(workspace.prompt(session, "go"))
        await workspace.editor.until_asked()
        await workspace.agent.cancel(session_id=session)
        assert (await prompting).stop_reason == "cancelled"


async def test_files_pictures_and_commands_in_prompts(tmp_path: Path) -> None:
    commands = {"command": {"greet": {"template": "Greet $1 now.", "description": "Greets"}}}
    sees = {"modalities": {"input": ["text", "image"], "output": ["text"]}}
    async with editing(tmp_path, [text("ok")], commands, sees) as workspace:
        session = await workspace.new()
        readme = f"file://{workspace.root}/README.md"
        await workspace.prompt(
            session,
            "look",
            acp.resource_link_block("README.md", readme),
            acp.resource_block(acp.embedded_text_resource("file:///x/y.txt", "inline")),
            acp.image_block("iVBORw0KGgo=", "image/png"),
        )
        sent = str(workspace.model.requests[-1]["messages"][-1]["content"])
        assert "A project." in sent
        assert "/x/y.txt\\ninline" in sent
        assert "data:image/png;base64,iVBORw0KGgo=" in sent
        await workspace.prompt(session, "/greet Tom")
        assert "Greet Tom now." in str(workspace.model.requests[-1]["messages"][-1])
        asked = len(workspace.model.requests)
        await workspace.prompt(session, "/nothing")
        assert "Unknown command /nothing" in workspace.editor.said()
        assert len(workspace.model.requests) == asked
        compacted = await workspace.prompt(session, "/compact")
        assert compacted.usage.output_tokens > 0


async def test_choosing_model_effort_and_mode(tmp_path: Path) -> None:
    variants = {"variants": {"low": {"reasoningEffort": "low"}, "high": {"x": 1}}}
    async with editing(tmp_path, [text("ok")], model=variants) as workspace:
        session = await workspace.agent.new_session(cwd=str(workspace.root), mcp_servers=[])
        options = {o.id: o for o in session.config_options}
        assert options["model"].current_value == "test/m1"
        assert [v.value for v in options["effort"].options] == ["low", "high", "default"]
        assert [m.value for m in options["mode"].options] == ["build", "plan"]
        changed = await workspace.agent.set_config_option(
            session_id=session.session_id, config_id="effort", value="low"
        )
        assert {o.id: o.current_value for o in changed.config_options}["effort"] == "low"
        await workspace.agent.set_session_mode(session_id=session.session_id, mode_id="plan")
        await workspace.prompt(session.session_id, "go")
        body = workspace.model.requests[-1]
        assert body["reasoning_effort"] == "low"
        assert "plan mode" in str(body["messages"])
        with pytest.raises(acp.RequestError, match="mode not found: nowhere"):
            await workspace.agent.set_session_mode(session_id=session.session_id, mode_id="nowhere")


async def test_sessions_are_found_again(tmp_path: Path) -> None:
    script = [tool("bash", command="echo one"), text("done")]
    async with editing(tmp_path, script) as workspace:
        session = await workspace.new()
        await workspace.prompt(session, "first")
    async with editing(tmp_path, [text("again")]) as workspace:
        cwd = str(workspace.root)
        (listed,) = (await workspace.agent.list_sessions(cwd=cwd)).sessions
        assert (listed.session_id, listed.cwd) == (session, cwd)
        await workspace.agent.load_session(cwd=cwd, session_id=session, mcp_servers=[])
        editor = workspace.editor
        assert editor.said("user_message_chunk") == "first"
        assert editor.of("tool_call")[0].title == "echo one"
        assert editor.of("tool_call_update")[-1].content[0].content.text == "one\n"
        assert editor.said() == "done"
        fork = await workspace.agent.fork_session(cwd=cwd, session_id=session, mcp_servers=[])
        assert fork.session_id != session
        assert [s for s, _ in editor.updates].count(fork.session_id) >= 3
        seen = len(editor.updates)
        await workspace.agent.resume_session(cwd=cwd, session_id=session, mcp_servers=[])
        assert not [u for _, u in editor.updates[seen:] if u.session_update == "user_message_chunk"]
        await workspace.prompt(session, "second")
        assert editor.said().endswith("again")
        await workspace.agent.close_session(session_id=session)
        with pytest.raises(acp.RequestError, match="session not found"):
            await workspace.prompt(session, "third")


async def test_a_subagents_asks_reach_the_editor(tmp_path: Path) -> None:
    task = tool("task", description="d", prompt="child task", subagent_type="general")

    def answer(body: Json) -> Reply:
        if not body.get("tools"):
            return text("A title")
        if any(m["role"] == "tool" for m in body["messages"]):
            return text("done")
        said = str([m for m in body["messages"] if m["role"] == "user"])
        return tool("bash", command="echo child") if "child task" in said else task

    async with editing(tmp_path, answer, ASK) as workspace:
        session = await workspace.new()
        assert (await workspace.prompt(session, "go")).stop_reason == "end_turn"
        (asked,) = workspace.editor.asked
        assert (asked[0], asked[1].title) == (session, "echo child")


async def test_an_editors_mcp_servers(tmp_path: Path) -> None:
    server = schema.McpServerStdio(
        name="mine", command=sys.executable, args=[mcp_server.__file__], env=[]
    )
    script = [tool("mine_echo", text="x"), text("done")]
    async with editing(tmp_path, script) as workspace:
        cwd = str(workspace.root)
        session = await workspace.agent.new_session(cwd=cwd, mcp_servers=[server])
        await workspace.prompt(session.session_id, "go")
        last = workspace.editor.of("tool_call_update")[-1]
        assert last.content[0].content.text == "echo: x"


async def test_failures_are_told(tmp_path: Path) -> None:
    async with editing(tmp_path, [error(401, "bad key")]) as workspace:
        session = await workspace.new()
        with pytest.raises(acp.RequestError, match="bad key") as refused:
            await workspace.prompt(session, "go")
        assert refused.value.code in (-32000, -32603)
        for wrong in ("relative", "/no/such/folder"):
            with pytest.raises(acp.RequestError, match="cwd"):
                await workspace.agent.new_session(cwd=wrong, mcp_servers=[])
        with pytest.raises(acp.RequestError, match="unknown auth method"):
            await workspace.agent.authenticate(method_id="x")


async def test_the_api_beside(tmp_path: Path) -> None:
    port = free_port()
    async with editing(tmp_path, [text("ok")], arguments=("--port", str(port))) as workspace:
        session = await workspace.new()
        await workspace.prompt(session, "go")
        async with httpx.AsyncClient(trust_env=False) as http:
            messages = await http.get(f"http://127.0.0.1:{port}/session/{session}/message")
        assert len(messages.json()) == 2


async def test_standard_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with (tmp_path / "out").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ostler", "acp"),
            cwd=tmp_path,
            env=environment(tmp_path / "home", PYTHONPATH=SOURCES),
            stdin=asyncio.subprocess.PIPE,
            stdout=out,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 2
    assert b"is a file" in said


async def test_the_process_ends_with_its_editor(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ostler", "acp"),
        cwd=tmp_path,
        env=environment(tmp_path / "home", PYTHONPATH=SOURCES),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'nonsense\n{"id":1}\n[]\n{"jsonrpc":"2.0","id":2,"method":"x"}\n')
    async with asyncio.timeout(DEADLINE):
        answers = [json.loads(await process.stdout.readline()) for _ in range(3)]
        assert [a["error"]["code"] for a in answers] == [-32700, -32600, -32601]
        process.stdin.close()
        assert await process.wait() == 0
