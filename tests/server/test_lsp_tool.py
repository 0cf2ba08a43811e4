"""The ``lsp`` tool: questions about code, answered by language servers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_language_servers import Project, command, project
from tests.support.product import Json

HERE = {"filePath": "a.txt", "line": 3, "character": 2}


@asynccontextmanager
async def asking(tmp_path: Path, **more: Any) -> AsyncIterator[Project]:
    more = {"files": {"a.txt": "one\ntwo\nthree\n"}, **more}
    async with project(tmp_path, OPENCODE_EXPERIMENTAL_LSP_TOOL="1", **more) as it:
        yield it


def place(it: Project, line: int) -> Json:
    start = {"line": line, "character": 0}
    uri = (it.root / "a.txt").as_uri()
    return {"uri": uri, "range": {"start": start, "end": {"line": line, "character": 1}}}


async def test_every_operation(tmp_path: Path) -> None:
    async with asking(tmp_path) as it:
        item = {"name": "main", "kind": 12, **place(it, 0)}
        item["selectionRange"] = item["range"]
        variable = {"name": "13 of a.txt", "kind": 13, "location": place(it, 0)}
        at = "a.txt:3:2"
        for operation, title, result in (
            ("goToDefinition", at, [place(it, 2)]),
            ("findReferences", at, [place(it, 1), place(it, 2)]),
            ("hover", at, [{"contents": "line 2"}]),
            ("documentSymbol", "a.txt", [item]),
            ("workspaceSymbol", "", [variable]),
            ("goToImplementation", at, []),  # which it does not know
            ("prepareCallHierarchy", at, [item]),
            ("incomingCalls", at, [{"from": "main"}]),
            ("outgoingCalls", at, []),
        ):
            state = await it.call("lsp", operation=operation, **HERE)
            assert state["title"] == f"{operation} {title}".strip()
            assert state["metadata"] == {"result": result, "truncated": False}
            if result:
                assert json.loads(state["output"]) == result
            else:
                assert state["output"] == f"No results found for {operation}"
        state = await it.call("lsp", operation="workspaceSymbol", query="b.txt", **HERE)
        assert state["metadata"]["result"] == []
        (asked, *_) = it.heard("textDocument/definition")
        assert asked["position"] == {"line": 2, "character": 1}
        state = await it.call("lsp", operation="hover", **{**HERE, "line": 1})
        assert state["output"] == "No results found for hover"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filePath": "none.txt"}, "File not found: {root}/none.txt"),
        ({"filePath": "README.md"}, "No LSP server available for this file type."),
        ({"line": 0}, "`int` >= 1"),
        ({"operation": "rename"}, "Invalid enum value 'rename'"),
    ],
)
async def test_what_cannot_be_asked(tmp_path: Path, arguments: Json, message: str) -> None:
    files = {"a.txt": "one\n", "README.md": "x\n"}
    async with asking(tmp_path, files=files) as it:
        state = await it.call("lsp", **{"operation": "hover", **HERE, **arguments})
        assert state["status"] == "error"
        assert message.format(root=it.root) in state["error"]


async def test_a_server_that_waits_for_trust_says_so(tmp_path: Path) -> None:
    async with asking(tmp_path, lsp=True) as it:
        own = {"lsp": {"own": {"command": command(it.log), "extensions": [".txt"]}}}
        (it.root / "opencode.json").write_text(json.dumps(own))
        await it.ostler.post("/instance/dispose")
        state = await it.call("lsp", operation="hover", **HERE)
        assert f"ostler trust {it.root}" in state["error"]


async def test_permission(tmp_path: Path) -> None:
    async with asking(tmp_path, config={"permission": {"lsp": "ask"}}) as it:
        for operation, shown in (
            ("hover", {"operation": "hover", **HERE}),
            ("documentSymbol", {"operation": "documentSymbol", "filePath": "a.txt"}),
            ("workspaceSymbol", {"operation": "workspaceSymbol"}),
        ):
            events = await it.ostler.events()
            session = await it.ostler.create(title="Named")
            from tests.support.model_server import text, tool

            it.ostler.model.extend(tool("lsp", operation=operation, **HERE), text("done"))
            await it.ostler.prompt_async(session)
            asked = (await events.until("permission.asked"))["properties"]
            if "filePath" in shown:
                shown["filePath"] = str(it.root / "a.txt")
            assert (asked["permission"], asked["patterns"]) == ("lsp", ["*"])
            assert asked["metadata"] == shown
            await it.ostler.post(f"/permission/{asked['id']}/reply", {"reply": "once"})
            await events.idle()


@pytest.mark.parametrize(
    ("flags", "offered"),
    [
        ({}, False),
        ({"OPENCODE_EXPERIMENTAL": "1"}, True),
        ({"OPENCODE_EXPERIMENTAL_LSP_TOOL": "true"}, True),
        ({"OPENCODE_EXPERIMENTAL": "1", "OPENCODE_EXPERIMENTAL_LSP_TOOL": "0"}, False),
    ],
)
async def test_the_flag(tmp_path: Path, flags: dict[str, str], offered: bool) -> None:
    async with project(tmp_path, **flags) as it:
        ids = await it.ostler.get("/experimental/tool/ids")
        assert ("lsp" in ids) == offered
        if offered:
            assert ids.index("lsp") == ids.index("apply_patch") + 1
        listed = await it.ostler.get("/experimental/tool", provider="test", model="m1")
        assert any(t["id"] == "lsp" for t in listed) == offered
