"""Plugins and tools in TypeScript, in turns over HTTP. What the host itself does is tested in
tests/plugins."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.model_server import Reply, calls, text, tool
from tests.support.plugin_host import MODULES, ON_EACH, RUNTIMES, SHARED, needs
from tests.support.product import Ostler, serving, texts

PLUGIN = """
import type { Plugin } from "@opencode-ai/plugin"
import { tool } from "@opencode-ai/plugin"

export const Mine: Plugin = async ({ client, $, directory, worktree, project }) => {
  const seen: string[] = []
  return {
    config: async (config) => {
      config.agent = { ...config.agent, helper: { mode: "primary", description: "Helps" } }
    },
    event: async ({ event }) => { seen.push(event.type) },
    "chat.message": async (_input, output) => {
      const first = output.parts[0]
      if (first.type === "text") first.text += " politely"
    },
    "experimental.chat.system.transform": async (_input, output) => {
      output.system.push("Sessions: " + (await client.session.list()).data!.length)
    },
    "tool.execute.before": async (input, output) => {
      if (input.tool === "bash" && output.args.command.includes(".env")) throw new Error("not that")
    },
    "tool.execute.after": async (_input, output) => { output.title = "mine" },
    "shell.env": async (_input, output) => { output.env.MINE = "from the plugin" },
    tool: {
      shout: tool({
        description: "Say it louder",
        args: {
          text: tool.schema.string().describe("what"),
          times: tool.schema.number().default(2),
        },
        async execute(args, context) {
          context.metadata({ title: "shouting" })
          const said = await $`printf %s ${args.text}`.text()
          return said.toUpperCase().repeat(args.times) + " " + seen.includes("session.created")
        },
      }),
    },
  }
}
"""
MATH = """
import { tool } from "@opencode-ai/plugin"

export const add = tool({
  description: "Add two numbers",
  args: { a: tool.schema.number(), b: tool.schema.number() },
  async execute(args) {
    return String(args.a + args.b)
  },
})
"""
WITH_PYTHON = """
import { tool } from "@opencode-ai/plugin"
import path from "path"

export default tool({
  description: "Add two numbers in Python",
  args: { a: tool.schema.number(), b: tool.schema.number() },
  async execute(args, context) {
    const script = path.join(context.worktree, ".opencode/tools/add.py")
    const result = await Bun.$`python3 ${script} ${args.a} ${args.b}`.text()
    return result.trim()
  },
})
"""
DEFINED = """
import z from "zod"
import { Tool } from "opencode/tool"

export const Weather = Tool.define("weather", async () => ({
  description: "Say what the weather is like",
  parameters: z.object({ place: z.string() }),
  async execute(args: { place: string }, ctx: { sessionID: string }) {
    const metadata = { session: ctx.sessionID }
    return { title: args.place, output: `sunny in ${args.place}`, metadata }
  },
}))
"""


@asynccontextmanager
async def hosting(
    tmp_path: Path, runtime: str, script: Sequence[Reply], **options: Any
) -> AsyncIterator[Ostler]:
    """A server whose plugins run under ``runtime``."""
    data = tmp_path / "home/.local/share/ostler"
    data.mkdir(parents=True)
    (SHARED / "plugin-host").mkdir(parents=True, exist_ok=True)
    (data / "plugin-host").symlink_to(SHARED / "plugin-host")
    options.setdefault("OSTLER_TRUST", "1")
    options.setdefault("OSTLER_PLUGIN_RUNTIME", RUNTIMES[runtime])
    async with serving(tmp_path, script, titles=False, **options) as ostler:
        yield ostler


def put(ostler: Ostler, path: str, source: str) -> None:
    file = ostler.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)


@ON_EACH
async def test_a_plugin_takes_part_in_a_turn(tmp_path: Path, runtime: str) -> None:
    script = [
        calls(
            ("shout", {"text": 'it\'s "loud" $HOME'}),
            ("bash", {"command": "echo $MINE"}),
            ("bash", {"command": "cat .env"}),
            ("shout", {"text": 3}),
        ),
        text("done"),
    ]
    async with hosting(tmp_path, runtime, script) as ostler:
        put(ostler, ".opencode/plugin/mine.ts", PLUGIN)
        assert "helper" in [a["name"] for a in await ostler.get("/agent")]
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        (first, *_) = ostler.model.requests
        assert "go politely" in str(first["messages"])
        assert "Sessions: 1" in str(first["messages"])
        told = next(t["function"] for t in first["tools"] if t["function"]["name"] == "shout")
        assert told["parameters"]["required"] == ["text"]
        assert told["parameters"]["properties"]["text"]["description"] == "what"
        shout, echo, refused, wrong = (p["state"] for p in await ostler.parts(session, "tool"))
        assert shout["output"] == 'IT\'S "LOUD" $HOME' * 2 + " true"
        assert shout["title"] == "mine"
        assert echo["output"].strip() == "from the plugin"
        assert (refused["status"], refused["error"]) == ("error", "not that")
        assert wrong["status"] == "error"
        assert "shout" in wrong["error"]


@ON_EACH
async def test_tools_in_the_styles_that_users_have(tmp_path: Path, runtime: str) -> None:
    script = [
        calls(
            ("math_add", {"a": 1, "b": 2}),
            ("python-add", {"a": 20, "b": 22}),
            ("weather", {"place": "Delft"}),
        ),
        text("done"),
    ]
    async with hosting(tmp_path, runtime, script) as ostler:
        put(ostler, ".opencode/tool/math.ts", MATH)
        put(ostler, ".opencode/tools/python-add.ts", WITH_PYTHON)
        # A helper that a tool starts, which is no tool itself: it has no docstring.
        put(
            ostler,
            ".opencode/tools/add.py",
            "import sys\nif __name__ == '__main__':\n"
            "    print(int(sys.argv[1]) + int(sys.argv[2]))\n",
        )
        put(ostler, ".opencode/tools/weather.ts", DEFINED)
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        states = [p["state"] for p in await ostler.parts(session, "tool")]
        assert [s.get("output") for s in states] == ["3", "42", "sunny in Delft"], states
        assert states[2]["title"] == "Delft"
        assert states[2]["metadata"]["session"] == session


@needs("node")
async def test_a_published_plugin(tmp_path: Path) -> None:
    spec = f"file://{MODULES}/@tarquinen/opencode-dcp"
    async with hosting(tmp_path, "node", [text("done")], config={"plugin": [spec]}) as ostler:
        put(ostler, ".opencode/dcp.json", json.dumps({"enabled": True, "autoUpdate": False}))
        assert "dcp-compress" in [c["name"] for c in await ostler.get("/command")]
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        names = [t["function"]["name"] for t in ostler.model.requests[0]["tools"]]
        assert "compress" in names


@needs("node")
async def test_one_that_ends_its_process_ends_nothing_else(tmp_path: Path) -> None:
    source = """
export default async () => ({
  "tool.execute.before": async (input, output) => {
    if (output.args.command === "boom") process.exit(3)
  },
})
"""
    script = [tool("bash", command="boom"), tool("bash", command="echo still here"), text("done")]
    async with hosting(tmp_path, "node", script) as ostler:
        put(ostler, ".opencode/plugin/boom.ts", source)
        session = await ostler.create(title="Named")
        assert texts(await ostler.prompt(session)) == "done"
        boom, after = (p["state"] for p in await ostler.parts(session, "tool"))
        assert boom["status"] == "error"
        assert "boom.ts" in boom["error"]
        assert after["output"].strip() == "still here"


async def test_without_a_runtime_the_rest_works(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "bash", "rg"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    async with hosting(
        tmp_path, "node", [text("fine")], PATH=str(programs), OSTLER_PLUGIN_RUNTIME=""
    ) as ostler:
        put(ostler, ".opencode/tool/math.ts", MATH)
        put(ostler, ".opencode/tool/own.py", 'def own() -> str:\n    "Own."\n    return ""\n')
        assert texts(await ostler.prompt(await ostler.create(title="Named"))) == "fine"
        assert "own" in await ostler.get("/experimental/tool/ids")
        warnings = [w.message for w in (await ostler.runtime.instance()).loaded.warnings]
        assert any("Node" in w and "math.ts" in w for w in warnings), warnings


async def test_a_projects_own_wait_for_trust(tmp_path: Path) -> None:
    async with hosting(tmp_path, "node", [text("fine")], OSTLER_TRUST="") as ostler:
        put(ostler, ".opencode/plugin/mine.ts", PLUGIN)
        put(ostler, ".opencode/tool/math.ts", MATH)
        assert texts(await ostler.prompt(await ostler.create(title="Named"))) == "fine"
        held = ostler.runtime.held_back(await ostler.runtime.instance())
        assert held == [
            "the tool file .opencode/tool/math.ts",
            "the plugin .opencode/plugin/mine.ts",
        ]
        assert not [p for p in os.listdir("/proc") if p.isdecimal() and _is_host(p, tmp_path)]


def _is_host(pid: str, tmp_path: Path) -> bool:
    try:
        return (
            str(tmp_path) in Path(f"/proc/{pid}/cmdline").read_text()
            and "main.mjs" in Path(f"/proc/{pid}/cmdline").read_text()
        )
    except OSError:
        return False
