"""Tools in TypeScript and JavaScript, under Node and under Bun."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ostler.integrations.plugins.calls import result_of
from ostler.integrations.plugins.packages import own
from ostler.schema.errors import PermissionRejected, ToolError
from tests.support.plugin_host import ON_EACH, SHARED, Call, call, hosting

MATH = """\
import { tool } from "@opencode-ai/plugin"

const two = { a: tool.schema.number().describe("First number"), b: tool.schema.number() }

export const add = tool({
  description: "Add two numbers",
  args: two,
  async execute(args): Promise<string> {
    return String(args.a + args.b)
  },
})

export const multiply = tool({
  description: "Multiply two numbers",
  args: two,
  async execute(args, context) {
    return `${args.a * args.b} for ${context.agent}`
  },
})
"""
PYTHON = """\
import { tool } from "@opencode-ai/plugin"
import path from "path"

export default tool({
  description: "Add two numbers with Python",
  args: { a: tool.schema.number(), b: tool.schema.number() },
  async execute({ a, b }) {
    const script = path.join(import.meta.dir, "add.py")
    return (await Bun.$`python3 ${script} ${a} ${b}`.text()).trim()
  },
})
"""
ADD = "import sys\nprint(int(sys.argv[1]) + int(sys.argv[2]))\n"
DEFINED = """\
import { Tool } from "opencode/tool"
import { z } from "zod"

export const Search = Tool.define("code_search", async () => ({
  description: "Search",
  parameters: z.object({ query: z.string(), limit: z.number().int().default(3) }),
  async execute(params, ctx) {
    const { query, limit } = params
    return { title: query, output: `${query} ${limit}`, metadata: { s: ctx.sessionID } }
  },
}))
export default Tool.define("plain_one", {
  description: "Plain",
  parameters: z.object({}),
  execute: async () => ({ title: "", output: "plain", metadata: {} }),
})
"""


@ON_EACH
async def test_tools_as_the_documentation_writes_them(runtime: str, tmp_path: Path) -> None:
    files = {
        "tool/math.ts": MATH,
        "tool/python-add.ts": PYTHON,
        "tool/add.py": ADD,
        "tool/defined.ts": DEFINED,
    }
    async with hosting(runtime, tmp_path, files) as hosted:
        ids = {tool.id for tool in hosted.loaded.tools}
        assert ids == {"math_add", "math_multiply", "python-add", "code_search", "plain_one"}
        added = hosted.tool("math_add")
        assert added.description == "Add two numbers"
        assert added.parameters == {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "a": {"type": "number", "description": "First number"},
                "b": {"type": "number"},
            },
            "required": ["a", "b"],
        }
        assert await hosted.run("math_add", a=2, b=3) == "5"
        assert await hosted.run("math_multiply", a=2, b=3) == "6 for build"
        assert await hosted.run("python-add", a=20, b=22) == "42"
        searched = await hosted.run("code_search", query="x")
        assert searched == {"title": "x", "output": "x 3", "metadata": {"s": "ses_1"}}
        assert await hosted.run("plain_one") == {"title": "", "output": "plain", "metadata": {}}


@ON_EACH
async def test_arguments_that_do_not_fit(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/math.ts": MATH}) as hosted:
        with pytest.raises(ToolError) as told:
            await hosted.run("math_add", a="two", b=3)
        assert str(told.value) == (
            "The math_add tool was called with invalid arguments: "
            'Invalid input: expected number, received string\n  at ["a"].\n'
            "Please rewrite the input so it satisfies the expected schema."
        )


KINDS = """\
import { tool } from "@opencode-ai/plugin"
const s = tool.schema
const echo = (args: object) => async (a: any) => JSON.stringify(a)
export const kinds = tool({
  description: "Every kind",
  args: {
    text: s.string().min(1).max(9).regex(/^a/),
    count: s.number().int().positive(),
    flag: s.boolean().optional().describe("A flag"),
    choice: s.enum(["x", "y"]).default("x"),
    list: s.array(s.object({ k: s.string() })),
    either: s.union([s.string(), s.number()]).nullable(),
    record: s.record(s.string(), s.unknown()).optional(),
  },
  execute: echo({}),
})
export const plain = {
  description: "JSON Schemas by name",
  args: { a: { type: "string" }, b: { type: "array", items: { type: "number" } } },
  execute: echo({}),
}
export const whole = {
  description: "A JSON Schema",
  parameters: { type: "object", properties: { a: { type: "string" } } },
  execute: echo({}),
}
export const none = { description: "No arguments", args: {}, execute: async () => "none" }
export const notATool = { description: "has no execute", args: {} }
export const helper = () => 1
"""
SAFE = {"minimum": -9007199254740991, "maximum": 9007199254740991}


@ON_EACH
async def test_parameters_of_every_kind(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/my.ts": KINDS}) as hosted:
        assert {t.id for t in hosted.loaded.tools} == {
            "my_kinds",
            "my_plain",
            "my_whole",
            "my_none",
        }
        schema = hosted.tool("my_kinds").parameters
        assert schema["required"] == ["text", "count", "list", "either"]
        assert schema["properties"] == {
            "text": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a"},
            "count": {"type": "integer", "exclusiveMinimum": 0, "maximum": SAFE["maximum"]},
            "flag": {"description": "A flag", "type": "boolean"},
            "choice": {"default": "x", "type": "string", "enum": ["x", "y"]},
            "list": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}},
                    "required": ["k"],
                },
            },
            "either": {
                "anyOf": [{"anyOf": [{"type": "string"}, {"type": "number"}]}, {"type": "null"}]
            },
            "record": {
                "type": "object",
                "propertyNames": {"type": "string"},
                "additionalProperties": {},
            },
        }
        got = await hosted.run("my_kinds", text="ab", count=1, list=[], either=None, extra=1)
        assert json.loads(got) == {
            "text": "ab",
            "count": 1,
            "choice": "x",
            "list": [],
            "either": None,
        }
        plain = hosted.tool("my_plain").parameters
        assert plain == {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "array", "items": {"type": "number"}},
            },
            "required": ["a", "b"],
        }
        assert json.loads(await hosted.run("my_plain", a=1)) == {"a": 1}
        whole = {"type": "object", "properties": {"a": {"type": "string"}}}
        assert hosted.tool("my_whole").parameters == whole
        assert hosted.tool("my_none").parameters["properties"] == {}


ZOD3 = """\
import { z } from "zod/v3"
enum Level { Low, High }
export default {
  description: "zod 3",
  args: {
    text: z.string().email().describe("Mail"),
    count: z.number().int().min(1).max(5),
    choice: z.enum(["x", "y"]).default("y"),
    level: z.nativeEnum(Level).optional(),
    literal: z.literal(7),
    list: z.array(z.boolean()).min(1),
    pair: z.tuple([z.string(), z.number()]),
    deep: z.object({ a: z.string().nullable(), b: z.number().optional() }).strict(),
    either: z.union([z.string(), z.number()]),
    trimmed: z.string().transform((s) => s.trim()),
    map: z.record(z.number()),
  },
  execute: async (args) => JSON.stringify(args),
}
export const whole = {
  description: "an object of zod 3",
  parameters: z.object({ a: z.string() }),
  execute: async (args) => args.a,
}
"""


@ON_EACH
async def test_parameters_of_the_older_zod(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/old.ts": ZOD3}) as hosted:
        schema = hosted.tool("old").parameters
        assert schema["properties"] == {
            "text": {"type": "string", "format": "email", "description": "Mail"},
            "count": {"type": "integer", "minimum": 1, "maximum": 5},
            "choice": {"type": "string", "enum": ["x", "y"], "default": "y"},
            "level": {"enum": [0, 1]},
            "literal": {"type": "number", "const": 7},
            "list": {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "number"}],
                "minItems": 2,
            },
            "deep": {
                "type": "object",
                "properties": {
                    "a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "b": {"type": "number"},
                },
                "required": ["a"],
                "additionalProperties": False,
            },
            "either": {"anyOf": [{"type": "string"}, {"type": "number"}]},
            "trimmed": {"type": "string"},
            "map": {"type": "object", "additionalProperties": {"type": "number"}},
        }
        assert "choice" not in schema["required"]
        assert "level" not in schema["required"]
        given: dict[str, Any] = {
            "text": "a@b.de",
            "count": 2,
            "literal": 7,
            "list": [True],
            "pair": ["a", 1],
            "deep": {"a": None},
            "either": 3,
            "trimmed": "  x ",
            "map": {"k": 1},
        }
        got = json.loads(await hosted.run("old", **given))
        assert got == {**given, "choice": "y", "trimmed": "x"}
        with pytest.raises(ToolError, match=r'at \["deep","a"\]'):
            await hosted.run("old", **{**given, "deep": {}})
        assert await hosted.run("old_whole", a="x") == "x"


@ON_EACH
async def test_a_tool_with_a_zod_of_its_own(runtime: str, tmp_path: Path) -> None:
    """Its descriptions are in that copy's registry, and its own place comes before the host's."""
    source = """\
import { z } from "zod"
import manifest from "zod/package.json"
export default {
  description: manifest.name,
  args: { a: z.string().describe("A text"), b: z.object({ c: z.number().describe("Deep") }) },
  execute: async () => manifest.version,
}
"""
    brought = os.path.join(await own(str(SHARED), os.environ), "node_modules/zod")
    copy = tmp_path / "project/tool/node_modules/zod"
    shutil.copytree(brought, copy)
    manifest = json.loads((copy / "package.json").read_text())
    (copy / "package.json").write_text(json.dumps({**manifest, "version": "4.0.0-own"}))
    async with hosting(runtime, tmp_path, {"tool/own.ts": source}) as hosted:
        properties = hosted.tool("own").parameters["properties"]
        assert properties["a"] == {"type": "string", "description": "A text"}
        assert properties["b"]["properties"]["c"]["description"] == "Deep"
        assert await hosted.run("own", a="x", b={"c": 1}) == "4.0.0-own"


CONTEXT = """\
export const all = {
  description: "Everything a context has",
  args: {},
  async execute(_args, ctx) {
    ctx.metadata({ title: "Working", metadata: { step: 1 } })
    await ctx.ask({ permission: "mine", patterns: ["a/*"], always: ["*"], metadata: { why: "so" } })
    ctx.metadata({ metadata: { step: 2 } })
    const { abort, metadata, ask, ...plain } = ctx
    const file = { type: "file", mime: "text/plain", url: "data:text/plain,hi", filename: "hi.txt" }
    return {
      title: "Done",
      output: JSON.stringify(plain),
      metadata: { aborted: abort.aborted, isSignal: abort instanceof AbortSignal },
      attachments: [file],
    }
  },
}
export const wait = {
  description: "Until it is aborted",
  args: {},
  execute: (_args, ctx) => new Promise((resolve) => {
    ctx.metadata({ title: "waiting" })
    ctx.abort.addEventListener("abort", () => resolve("aborted"))
  }),
}
export const caught = {
  description: "Goes on after a refusal",
  args: {},
  execute: (_args, ctx) => ctx.ask({ permission: "x", patterns: [], always: [], metadata: {} })
    .then(() => "allowed", (error) => `refused: ${error.message}`),
}
"""


@ON_EACH
async def test_what_a_tool_is_given(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/ctx.ts": CONTEXT}) as hosted:
        made = Call()
        result = await hosted.tool("ctx_all").run({}, made.given)
        assert made.asked == [("mine", ["a/*"], ["*"], {"why": "so"})]
        assert made.shown == [("Working", {"step": 1}), (None, {"step": 2})]
        assert json.loads(result.pop("output")) == {
            "sessionID": "ses_1",
            "messageID": "msg_1",
            "callID": "call_1",
            "agent": "build",
            "directory": "/the/directory",
            "worktree": "/the",
            "extra": {},
            "messages": [],
        }
        attachment = {
            "type": "file",
            "mime": "text/plain",
            "url": "data:text/plain,hi",
            "filename": "hi.txt",
        }
        assert result == {
            "title": "Done",
            "metadata": {"aborted": False, "isSignal": True},
            "attachments": [attachment],
        }


@ON_EACH
async def test_a_refusal_is_the_engines_own_again(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/ctx.ts": CONTEXT}) as hosted:
        refusal = PermissionRejected("not now")
        with pytest.raises(PermissionRejected) as raised:
            await hosted.tool("ctx_all").run({}, Call(refusal).given)
        assert raised.value is refusal
        caught = await hosted.tool("ctx_caught").run({}, Call(refusal).given)
        assert caught == f"refused: {refusal}"


@ON_EACH
async def test_a_call_is_aborted(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/ctx.ts": CONTEXT}) as hosted:
        made = Call()
        running = asyncio.ensure_future(hosted.tool("ctx_wait").run({}, made.given))
        while not made.shown:
            await asyncio.sleep(0)
        made.aborted.set()
        assert await running == "aborted"


@ON_EACH
async def test_a_call_is_given_up(runtime: str, tmp_path: Path) -> None:
    """The tool is told; the host goes on."""
    source = """\
let aborted = 0
export const wait = { description: "", args: {}, execute: (_a, ctx) => new Promise(() => {
  ctx.abort.addEventListener("abort", () => { aborted++ })
}) }
export const count = { description: "", args: {}, execute: async () => String(aborted) }
"""
    async with hosting(runtime, tmp_path, {"tool/t.ts": source}) as hosted:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hosted.run("t_wait"), 0.2)
        assert await hosted.run("t_count") == "1"


@ON_EACH
async def test_what_a_tool_throws(runtime: str, tmp_path: Path) -> None:
    source = """\
const made = (execute) => ({ description: "", args: {}, execute })
export const error = made(async () => { throw new TypeError("no such row") })
export const text = made(() => { throw "just text" })
export const nothing = made(async () => { throw undefined })
export const circle = made(async () => { const a = {}; a.a = a; return a })
"""
    async with hosting(runtime, tmp_path, {"tool/t.js": source}) as hosted:
        for name, message in (
            ("t_error", "no such row"),
            ("t_text", "just text"),
            ("t_nothing", "undefined"),
            ("t_circle", r"(?i)circular|cyclic"),
        ):
            with pytest.raises(ToolError, match=message):
                await hosted.run(name)


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, ""),
        ("text", "text"),
        (7, "7"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        ({"a": 1}, '{"a":1}'),
        ({"output": "o"}, {"output": "o"}),
        ({"output": 5, "title": 1, "metadata": []}, {"output": "5"}),
        ({"output": {"a": 1}, "title": "t"}, {"output": '{"a":1}', "title": "t"}),
        (
            {"output": "", "attachments": [{"url": "u"}, 1]},
            {"output": "", "attachments": [{"url": "u"}]},
        ),
    ],
)
def test_results(returned: Any, expected: Any) -> None:
    assert result_of(returned) == expected


@ON_EACH
async def test_many_calls_at_once(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"tool/math.ts": MATH}) as hosted:
        add = hosted.tool("math_add")
        results = await asyncio.gather(*(add.run({"a": n, "b": n}, call()) for n in range(100)))
        assert results == [str(2 * n) for n in range(100)]


@ON_EACH
async def test_large_arguments_and_results(runtime: str, tmp_path: Path) -> None:
    source = """\
const parameters = { type: "object", properties: {} }
export default { description: "", parameters, execute: async (a) => a.text + a.text }
"""
    async with hosting(runtime, tmp_path, {"tool/t.js": source}) as hosted:
        text = "ä\n" * 1_000_000
        assert await hosted.run("t", text=text) == text + text
