"""Hooks of plugins in TypeScript and JavaScript, under Node and under Bun."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ostler.integrations.plugins.plugin import PluginRefused
from ostler.integrations.plugins.sources import PluginSource
from tests.support.plugin_host import MODULES, ON_EACH, REQUIRED, call, hosting

Json = dict[str, Any]

EVERY = """\
import type { Plugin } from "@opencode-ai/plugin"

export const Every: Plugin = async () => ({
  config: async (config) => {
    config.username = "changed"
    config.command = { x: { template: "t" } }
  },
  "chat.message": async (input, output) => {
    output.message.agent = input.agent
    output.parts.push({ type: "text", text: "added" } as any)
  },
  "chat.params": async (input, output) => {
    output.temperature = 0.25
    delete output.topK
    output.maxOutputTokens = undefined
    output.options = { model: input.model.id }
  },
  "chat.headers": async (input, output) => { output.headers["x-session"] = input.sessionID },
  "permission.ask": async (_input, output) => { output.status = "deny" },
  "command.execute.before": async (input, output) => {
    output.parts[0].text = `${input.command} ${input.arguments}`
  },
  "tool.execute.before": async (input, output) => { output.args.path = `/x/${input.tool}` },
  "tool.execute.after": async (input, output) => {
    output.title += "!"
    output.metadata.args = input.args
  },
  "shell.env": async (input, output) => { output.env.WHERE = input.cwd },
  "tool.definition": async (input, output) => {
    output.description = `${input.toolID}: ${output.description}`
    output.parameters.properties.extra = { type: "string" }
  },
  "experimental.chat.messages.transform": async (_input, output) => {
    output.messages.splice(0, 1)
  },
  "experimental.chat.system.transform": async (input, output) => {
    output.system.push(input.model.id)
  },
  "experimental.provider.small_model": async (input, output) => {
    output.model = input.provider.models.small
  },
  "experimental.session.compacting": async (input, output) => {
    output.context.push(input.sessionID)
    output.prompt = "Shorter"
  },
  "experimental.compaction.autocontinue": async (input, output) => {
    output.enabled = input.overflow
  },
  "experimental.text.complete": async (_input, output) => {
    output.text = output.text.toUpperCase()
  },
})
"""
CHANGES: list[tuple[str, Json, Json, Json]] = [
    (
        "chat.message",
        {"sessionID": "s", "agent": "plan"},
        {"message": {"agent": "build"}, "parts": []},
        {"message": {"agent": "plan"}, "parts": [{"type": "text", "text": "added"}]},
    ),
    (
        "chat.params",
        {"model": {"id": "m"}},
        {"temperature": 1, "topP": 0.5, "topK": 3, "maxOutputTokens": 9, "options": {}},
        {"temperature": 0.25, "topP": 0.5, "options": {"model": "m"}},
    ),
    ("chat.headers", {"sessionID": "s"}, {"headers": {}}, {"headers": {"x-session": "s"}}),
    ("permission.ask", {"id": "p"}, {"status": "ask"}, {"status": "deny"}),
    (
        "command.execute.before",
        {"command": "c", "sessionID": "s", "arguments": "a b"},
        {"parts": [{"text": ""}]},
        {"parts": [{"text": "c a b"}]},
    ),
    (
        "tool.execute.before",
        {"tool": "read", "sessionID": "s", "callID": "c"},
        {"args": {"path": "y"}},
        {"args": {"path": "/x/read"}},
    ),
    (
        "tool.execute.after",
        {"tool": "read", "args": {"a": 1}},
        {"title": "T", "output": "o", "metadata": {}},
        {"title": "T!", "output": "o", "metadata": {"args": {"a": 1}}},
    ),
    ("shell.env", {"cwd": "/d"}, {"env": {"A": "1"}}, {"env": {"A": "1", "WHERE": "/d"}}),
    (
        "tool.definition",
        {"toolID": "read"},
        {"description": "Reads", "parameters": {"properties": {}}},
        {
            "description": "read: Reads",
            "parameters": {"properties": {"extra": {"type": "string"}}},
        },
    ),
    ("experimental.chat.messages.transform", {}, {"messages": [1, 2]}, {"messages": [2]}),
    (
        "experimental.chat.system.transform",
        {"model": {"id": "m"}},
        {"system": ["s"]},
        {"system": ["s", "m"]},
    ),
    (
        "experimental.provider.small_model",
        {"provider": {"models": {"small": {"id": "tiny"}}}},
        {},
        {"model": {"id": "tiny"}},
    ),
    (
        "experimental.session.compacting",
        {"sessionID": "s"},
        {"context": []},
        {"context": ["s"], "prompt": "Shorter"},
    ),
    (
        "experimental.compaction.autocontinue",
        {"overflow": False},
        {"enabled": True},
        {"enabled": False},
    ),
    ("experimental.text.complete", {}, {"text": "abc"}, {"text": "ABC"}),
]


@ON_EACH
async def test_every_hook_changes_its_output(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"plugin/every.ts": EVERY}) as hosted:
        plugin = hosted.plugin
        assert plugin.hooks == {"config", *(name for name, *_ in CHANGES)}
        for name, given, output, expected in CHANGES:
            assert await plugin.call(name, given, output) == expected, name
        config = {"model": "a/b"}
        assert await plugin.call("config", config, config) == {
            "model": "a/b",
            "username": "changed",
            "command": {"x": {"template": "t"}},
        }
        assert config == {"model": "a/b"}  # outputs travel by value


@ON_EACH
async def test_a_hook_that_throws_refuses(runtime: str, tmp_path: Path) -> None:
    source = """\
export const Careful = async () => ({
  "tool.execute.before": async (input, output) => {
    if (output.args.filePath?.endsWith(".env")) throw new Error("Do not read .env files")
  },
  "shell.env": () => { throw "no" },
})
"""
    async with hosting(runtime, tmp_path, {"plugin/careful.js": source}) as hosted:
        plugin = hosted.plugin
        fine = {"args": {"filePath": "a.txt"}}
        assert await plugin.call("tool.execute.before", {"tool": "read"}, fine) == fine
        with pytest.raises(PluginRefused) as refused:
            await plugin.call("tool.execute.before", {}, {"args": {"filePath": ".env"}})
        assert str(refused.value) == "Do not read .env files"
        with pytest.raises(PluginRefused, match=r"^no$"):
            await plugin.call("shell.env", {}, {})


@ON_EACH
async def test_events_come_in_order_and_nobody_waits(runtime: str, tmp_path: Path) -> None:
    source = """\
const seen = []
export const One = async () => ({
  event: async ({ event }) => { seen.push(["one", event.type]) },
  "shell.env": async (_i, o) => { o.seen = seen },
})
export const Two = async () => ({
  event: ({ event }) => { seen.push(["two", event.type]); throw new Error("is only logged") },
})
"""
    async with hosting(runtime, tmp_path, {"plugin/e.ts": source}) as hosted:
        for number in range(3):
            hosted.plugin.tell({"id": str(number), "type": f"t{number}", "properties": {}})
        seen: list[list[str]] = []
        while len(seen) < 6:
            seen = (await hosted.plugin.call("shell.env", {}, {}))["seen"]
        assert [n for who, n in seen if who == "one"] == ["t0", "t1", "t2"]
        assert [n for who, n in seen if who == "two"] == ["t0", "t1", "t2"]


@ON_EACH
async def test_plugins_are_given_their_surroundings(runtime: str, tmp_path: Path) -> None:
    source = """\
export default {
  id: "mine",
  server: async (input, options) => ({
    "shell.env": async (_i, output) => {
      const { directory, worktree, project, serverUrl, experimental_workspace, $ } = input
      experimental_workspace.register("x", {})
      Object.assign(output, {
        directory, worktree, options, project: project.id, cwd: process.cwd(),
        url: [serverUrl instanceof URL, serverUrl.href], shell: typeof $,
      })
    },
  }),
}
"""
    name = "plugin/mine.ts"
    source_of = PluginSource(f"file://{tmp_path}/project/{name}", {"level": 3})
    async with hosting(runtime, tmp_path, {name: source}, plugins=[source_of]) as hosted:
        root = str(hosted.root)
        assert await hosted.plugin.call("shell.env", {}, {}) == {
            "directory": root,
            "worktree": root,
            "options": {"level": 3},
            "project": "a-project",
            "cwd": root,
            "url": [True, "http://127.0.0.1:4096/"],
            "shell": "function",
        }


HOOKS = '{ "shell.env": async (_i, o) => { o.n++ } }'
TYPED = '{ "shell.env": async (_i: any, o: any) => { o.n++ } }'
FORMS = {
    "named.ts": f"export const A = async () => ({TYPED})",
    "twice.js": f"export const A = async () => ({HOOKS})\nexport default A",
    "default.mjs": f"export default async () => ({HOOKS})",
    "object.js": f"export default {{ server: async () => ({HOOKS}) }}",
    "served.js": f"export const A = {{ server: async () => ({HOOKS}) }}",
    "sync.js": f"export const A = () => ({HOOKS})",
    "common.cjs": f"module.exports = async () => ({HOOKS})",
    "exports.js": f"exports.A = async () => ({HOOKS})",
    "object.cjs": f"const A = async () => ({HOOKS})\nmodule.exports = {{ ['A']: A }}",
    "typed.cts": f"export = async () => ({TYPED})",
    "typed.mts": f"const A = async () => ({TYPED})\nexport {{ A }}",
    "dir/index.ts": f"export const A = async () => ({TYPED})",
}


@ON_EACH
async def test_forms_of_a_module(runtime: str, tmp_path: Path) -> None:
    paths = [str(tmp_path / "project" / name.removesuffix("/index.ts")) for name in FORMS]
    async with hosting(runtime, tmp_path, FORMS, plugins=paths) as hosted:
        assert not hosted.loaded.failures
        for plugin in hosted.loaded.plugins:
            assert await plugin.call("shell.env", {}, {"n": 0}) == {"n": 1}, plugin.name


MODULE = {
    "plugin/m.ts": """\
import { three } from "./lib/three"
import { four } from "./lib/four.js"
import folder from "./lib"
import data, { number } from "./lib/data.json"
import text from "./lib/prompt.txt"
import type { Nothing } from "./lib/types-only"
import { $ } from "bun"
import path from "node:path"
const five = require("./lib/five.cjs")
const six = require("./lib/six")
enum Colour { Red = "red" }
namespace Inner { export const deep = 1 }
class Holder { constructor(private readonly held: number) {} get value() { return this.held } }

export const M = async () => ({
  "shell.env": async (_i: unknown, o: Record<string, unknown>) => {
    const seven = await import("./lib/seven")
    Object.assign(o, {
      three, four, folder, data, number, text, five, six: six.default ?? six, seven: seven.default,
      colour: Colour.Red, deep: Inner.deep, held: new Holder(8).value, dollar: typeof $,
      dir: path.basename(import.meta.dir), dirname: path.basename(import.meta.dirname),
      file: import.meta.file, path: path.basename(import.meta.path), here: path.basename(__dirname),
      filename: path.basename(__filename), own: typeof Bun.file,
    })
  },
})
""",
    "plugin/lib/three.ts": "export const three: number = 3",
    "plugin/lib/four.ts": "export const four: number = 4",
    "plugin/lib/index.ts": "export default 'folder' as string",
    "plugin/lib/data.json": '{"number": 5, "not-a-name": 6}',
    "plugin/lib/prompt.txt": "Be brief.\n",
    "plugin/lib/five.cjs": "module.exports = { where: require('path').basename(__dirname) }",
    "plugin/lib/six.ts": "const six: number = 6\nexport default six",
    "plugin/lib/seven.tsx": "export default 7 satisfies number",
}


@ON_EACH
async def test_modules_are_found_as_bun_finds_them(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, MODULE) as hosted:
        assert await hosted.plugin.call("shell.env", {}, {}) == {
            "three": 3,
            "four": 4,
            "folder": "folder",
            "data": {"number": 5, "not-a-name": 6},
            "number": 5,
            "text": "Be brief.\n",
            "five": {"where": "lib"},
            "six": 6,
            "seven": 7,
            "colour": "red",
            "deep": 1,
            "held": 8,
            "dollar": "function",
            "dir": "plugin",
            "dirname": "plugin",
            "file": "m.ts",
            "path": "m.ts",
            "here": "plugin",
            "filename": "m.ts",
            "own": "function",
        }


FAULTY = {
    "plugin/1-fine.ts": 'export const A = async () => ({ "shell.env": async () => {} })',
    "plugin/2-syntax.ts": "export const A = async () => {\n  const x: = 1\n}\n",
    "plugin/3-syntax.js": "export const A = async () => {\n\n  const x = = 1\n}\n",
    "plugin/4-throws.ts": "export const A = async () => {\n  throw new Error('no key')\n}\n",
    "plugin/5-module.js": "throw new Error('at once')\n",
    "plugin/6-missing.ts": "import x from './nothing'\nexport const A = async () => ({ x })\n",
    "plugin/7-package.ts": "import x from 'no-package'\nexport const A = async () => ({ x })\n",
    "plugin/8-value.js": "export const A = async () => ({})\nexport const version = '1.0'\n",
    "plugin/9-nothing.js": "const x = 1\n",
    "plugin/a-syntax-deep.js": "import './lib/broken.js'\nexport const A = async () => ({})\n",
    "plugin/lib/broken.js": "export const a = 1\nexport const b = }\n",
    "plugin/z-last.js": 'export const A = async () => ({ "shell.env": async () => {} })',
}
WORDS = {
    "2-syntax.ts": r"2-syntax\.ts:2:",
    "3-syntax.js": r"3-syntax\.js:3:",
    "4-throws.ts": r"4-throws\.ts:2.*no key",
    "5-module.js": r"5-module\.js:1.*at once",
    "6-missing.ts": r"nothing.*6-missing\.ts",
    "7-package.ts": r"no-package.*7-package\.ts",
    "8-value.js": r"its export version is not a function",
    "9-nothing.js": r"exports nothing",
    "a-syntax-deep.js": r"lib/broken\.js:2:",
}


@ON_EACH
async def test_what_cannot_be_loaded_is_told_and_the_rest_loads(
    runtime: str, tmp_path: Path
) -> None:
    tools = {"tool/bad.ts": "export default {", "tool/good.js": "export const x = 1"}
    async with hosting(runtime, tmp_path, {**FAULTY, **tools}) as hosted:
        loaded = [Path(plugin.name).name for plugin in hosted.loaded.plugins]
        assert loaded == ["1-fine.ts", "z-last.js"]
        failures = {Path(f.source).name: f.message for f in hosted.loaded.failures}
        assert failures.keys() == {*WORDS, "bad.ts"}
        for name, words in WORDS.items():
            assert re.search(words, failures[name]), failures[name]


@ON_EACH
async def test_plugins_clean_up_when_the_host_closes(runtime: str, tmp_path: Path) -> None:
    source = """\
import fs from "node:fs"
export const A = async ({ directory }) => ({
  dispose: async () => { fs.writeFileSync(directory + "/disposed", "yes") },
})
export const B = async () => ({ dispose: async () => { throw new Error("is only logged") } })
"""
    async with hosting(runtime, tmp_path, {"plugin/d.ts": source}):
        pass
    assert (tmp_path / "project/disposed").read_text() == "yes"


DCP = MODULES / "@tarquinen/opencode-dcp"


@ON_EACH
@pytest.mark.skipif(not (DCP.exists() or REQUIRED), reason="`make clients` brings it")
async def test_a_published_plugin(runtime: str, tmp_path: Path) -> None:
    """Dynamic context pruning, with six hooks, a tool, and calls of the client."""
    spec = "@tarquinen/opencode-dcp@3.1.14"
    folder = tmp_path / "cache/packages" / spec
    folder.mkdir(parents=True)
    (folder / "node_modules").symlink_to(MODULES)
    settings = {"autoUpdate": False}
    files = {".opencode/dcp.json": json.dumps(settings)}
    variables = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    async with hosting(runtime, tmp_path, files, plugins=[spec], variables=variables) as hosted:
        plugin = hosted.plugin
        assert "experimental.chat.messages.transform" in plugin.hooks
        config = await plugin.call("config", {}, {"permission": {"edit": "ask"}})
        assert config["command"]["dcp-compress"]["description"]
        assert config["experimental"]["primary_tools"] == ["compress"]
        assert config["permission"]["edit"] == "ask"
        (tool,) = plugin.tools
        assert tool.id == "compress"
        assert {"topic", "content"} <= tool.parameters["properties"].keys()
        output = await plugin.call("experimental.text.complete", {}, {"text": "Plain text"})
        assert output["text"] == "Plain text"


@ON_EACH
async def test_many_hooks_at_once(runtime: str, tmp_path: Path) -> None:
    source = 'export const A = async () => ({ "shell.env": async (i, o) => { o.n = i.n } })'
    async with hosting(runtime, tmp_path, {"plugin/a.js": source}) as hosted:
        hook = hosted.plugin.call
        outputs = await asyncio.gather(*(hook("shell.env", {"n": n}, {}) for n in range(200)))
        assert outputs == [{"n": n} for n in range(200)]


PAGE = Path(__file__).parents[2] / "docs/plugins-typescript.md"


@ON_EACH
async def test_the_documentations_examples(runtime: str, tmp_path: Path) -> None:
    examples = re.findall(r"^```ts\n// \.opencode/(\S+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    files = {**dict(examples), "three.txt": "1\n2\n3"}
    async with hosting(runtime, tmp_path, files) as hosted:
        context = call(directory=str(hosted.root))
        assert await hosted.tool("lines").run({"path": "three.txt"}, context) == "3"
        plugin = hosted.plugin
        refused = {"args": {"filePath": "/x/.env"}}
        with pytest.raises(PluginRefused, match=r"Do not read \.env files"):
            await plugin.call("tool.execute.before", {"tool": "read"}, refused)
        with pytest.raises(PluginRefused, match="exit code 128"):  # no repository here
            await plugin.call("shell.env", {}, {"env": {}})
