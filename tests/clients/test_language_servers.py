"""Language servers that others made, from npm: pyright and TypeScript's."""

import asyncio
import os
import shutil
import sys
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_clients import MODULES, needs
from tests.server.test_abort import eventually
from tests.server.test_language_servers import Project, alive
from tests.support.product import Json, Ostler, serving

PROGRAMS = f"{MODULES / '.bin'}{os.pathsep}{os.environ['PATH']}"
FLAG = {"OPENCODE_EXPERIMENTAL_LSP_TOOL": "1", "PATH": PROGRAMS}
BAD = "def double(x: int) -> str:\n    return x\n\n\ndouble(3)\n"
CALLER = "from good import double\n\ndouble('x')\n"
pytestmark = needs(
    shutil.which("node"),
    *((MODULES / name).exists() for name in ("pyright", "typescript-language-server")),
)


def served(
    tmp_path: Path, files: dict[str, str], lsp: Any = True, **variables: str
) -> AbstractAsyncContextManager[Ostler]:
    config = {"lsp": lsp}
    return serving(tmp_path, files=files, config=config, titles=False, **{**FLAG, **variables})


def symbols(state: Json) -> set[str]:
    return {symbol["name"] for symbol in state["metadata"]["result"]}


def lines(state: Json) -> list[int]:
    """Where the answers point to, from 0."""
    places = state["metadata"]["result"]
    return sorted((p.get("targetRange") or p["range"])["start"]["line"] for p in places)


async def test_pyright(tmp_path: Path) -> None:
    async with served(tmp_path, {"pyproject.toml": "", "use.py": CALLER}) as ostler:
        it = Project(ostler, tmp_path / "none")
        state = await it.write("good.py", BAD)
        assert 'ERROR [2:12] Type "int" is not assignable to return type "str"' in state["output"]
        assert await it.status() == [("pyright", "", "connected")]
        fix = {"filePath": "good.py", "oldString": "return x", "newString": "return str(x)"}
        state = await it.call("edit", **fix)
        assert state["output"] == "Edit applied successfully."
        await it.call("read", filePath="use.py")
        state = await it.write("good.py", BAD.replace("return x", "return str(x)"))
        assert "in other files" in state["output"]
        assert "use.py" in state["output"]
        at = {"filePath": "use.py", "line": 3, "character": 2}
        state = await it.call("lsp", operation="goToDefinition", **at)
        assert lines(state) == [0]
        assert state["metadata"]["result"][0]["uri"] == (it.root / "good.py").as_uri()
        state = await it.call("lsp", operation="hover", **at)
        assert "double" in state["output"]
        assert symbols(await it.call("lsp", operation="documentSymbol", **at)) == set()
        state = await it.call("lsp", operation="workspaceSymbol", query="double", **at)
        assert symbols(state) == {"double"}
        state = await it.call("lsp", operation="outgoingCalls", **at)
        assert state["status"] == "completed"


@pytest.mark.parametrize("trusted", [False, True])
async def test_pyright_and_a_virtual_environment(tmp_path: Path, trusted: bool) -> None:
    """Its interpreter is the project's own code; without trust, pyright works without."""
    trust = {"OSTLER_TRUST": "1"} if trusted else {}
    strict = {"python": {"analysis": {"typeCheckingMode": "strict"}}}
    lsp = {"pyright": {"initialization": strict}}
    async with served(tmp_path, {"pyproject.toml": ""}, lsp, **trust) as ostler:
        venv = ostler.root / ".venv"
        made = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(venv))
        )
        assert await made.wait() == 0
        (package,) = venv.glob("lib/python*/site-packages")
        (package / "own_package.py").write_text("value = 1\n")
        content = "import own_package\nprint(own_package)\ndef f(x):\n    print(x)\n"
        state = await Project(ostler, tmp_path / "none").write("a.py", content)
        assert "Type annotation is missing" in state["output"]
        assert ("could not be resolved" in state["output"]) == (not trusted)


async def test_typescript(tmp_path: Path) -> None:
    files = {"package.json": "{}", "package-lock.json": "{}"}
    async with served(tmp_path, files, OSTLER_TRUST="1") as ostler:
        it = Project(ostler, tmp_path / "none")
        (it.root / "node_modules").mkdir()
        (it.root / "node_modules/typescript").symlink_to(MODULES / "typescript")
        good = "export function double(x: number): number {\n  return x * 2;\n}\ndouble(1);\n"
        state = await it.write("a.ts", good.replace("x * 2", "`${x}`"))
        assert "ERROR [2:3] Type 'string' is not assignable to type 'number'." in state["output"]
        assert await it.status() == [("typescript", "", "connected")]
        state = await it.write("a.ts", good)
        assert state["output"] == "Wrote file successfully."
        began = time.monotonic()
        for line in ("// one\n", "// two\n"):  # still no mistakes: it says nothing of that
            await it.write("a.ts", good + line)
        assert time.monotonic() - began < 4
        at = {"filePath": "a.ts", "line": 1, "character": 17}
        for operation in ("findReferences", "goToDefinition", "goToImplementation"):
            state = await it.call("lsp", operation=operation, **at)
            assert 0 in lines(state)
        assert symbols(await it.call("lsp", operation="documentSymbol", **at)) == {"double"}
        state = await it.call("lsp", operation="workspaceSymbol", query="dou", **at)
        assert symbols(state) == {"double"}
        assert symbols(await it.call("lsp", operation="prepareCallHierarchy", **at)) == {"double"}
        state = await it.call("lsp", operation="incomingCalls", **at)
        assert [c["from"]["uri"] for c in state["metadata"]["result"]] == [
            (it.root / "a.ts").as_uri()
        ]


async def test_typescript_waits_for_trust_and_needs_the_projects_compiler(tmp_path: Path) -> None:
    files = {"package.json": "{}", "package-lock.json": "{}"}
    async with served(tmp_path, files) as ostler:
        it = Project(ostler, tmp_path / "none")
        await it.write("a.ts", "const x: number = '';\n")
        assert await it.status() == []
        (it.root / "node_modules").mkdir()
        (it.root / "node_modules/typescript").symlink_to(MODULES / "typescript")
        await ostler.post("/instance/dispose")
        state = await it.write("a.ts", "const x: number = '';\n")
        assert state["output"] == "Wrote file successfully."
        assert await it.status() == [("typescript", "", "error")]
        instance = await ostler.runtime.instance()
        assert ostler.runtime.held_back(instance) == ["the language server typescript"]


async def test_a_server_that_is_killed(tmp_path: Path) -> None:
    async with served(tmp_path, {"pyproject.toml": ""}) as ostler:
        it = Project(ostler, tmp_path / "none")
        events = await ostler.events()
        assert "ERROR" in (await it.write("good.py", BAD))["output"]
        (pid,) = _children("pyright-langserver")
        os.kill(pid, 9)
        await events.until("lsp.updated", 2)
        assert await it.status() == [("pyright", "", "error")]
        assert (await it.write("good.py", BAD))["output"] == "Wrote file successfully."
        await eventually(lambda: not alive(pid))


def _children(name: str) -> list[int]:
    """Processes that this one started, with a word in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and name.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
