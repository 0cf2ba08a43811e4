"""Bun's shell and the parts of ``Bun`` that plugins use: the same under Node as under Bun."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.plugin_host import ON_EACH, hosting, needs

Json = dict[str, Any]

WORDS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["", " ", "'", '"', "$HOME", "`id`", "$(id)", "\\", "\\'", "a\nb", "*", "~", "-n"]
    )
    | st.sampled_from([";", "&&", "|", ">", "{a,b}", "%s", "!", "#", "ä€😀", "\\n", "'\"'\"'"]),
    max_size=6,
)


def examples(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    found: list[Any] = []

    @settings(max_examples=number, database=None)
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


PRINTF = """\
export const P = async ({ $ }) => ({
  "shell.env": async (input, output) => {
    output.lists = []
    for (const words of input.lists) {
      const text = await $`printf '%s\\0' start ${words}`.quiet().text()
      output.lists.push(text.split("\\0").slice(1, -1))
    }
    output.inDouble = []
    output.inSingle = []
    for (const word of input.words) {
      output.inDouble.push(await $`printf '%s' "a ${word} b"`.text())
      output.inSingle.push(await $`printf '%s' 'a '${word}' b'`.text())
    }
  },
})
"""


@ON_EACH
async def test_words_come_through_unchanged(runtime: str, tmp_path: Path) -> None:
    lists = [words for words in examples(WORDS, 60) if words]
    words = [word for some in lists[:15] for word in some][:25]
    async with hosting(runtime, tmp_path, {"plugin/p.js": PRINTF}) as hosted:
        output = await hosted.plugin.call("shell.env", {"lists": lists, "words": words}, {})
        assert output["lists"] == lists
        assert output["inDouble"] == [f"a {word} b" for word in words]
        assert output["inSingle"] == [f"a {word} b" for word in words]


@needs("node")
async def test_words_inside_of_quotes_and_substitutions(tmp_path: Path) -> None:
    """Beyond what Bun's shell understands: the places of a real one."""
    source = """\
export const P = async ({ $ }) => ({
  "shell.env": async (input, output) => {
    const w = input.word
    output.single = await $`printf '%s' 'a ${w} b'`.text()
    output.nested = await $`printf '%s' "$(printf '%s' ${w})|$(printf '%s' "${w}")"`.text()
    output.joined = await $`printf '%s' --flag=${w}`.text()
    output.loop = await $`for x in ${[w, w]}; do printf '<%s>' "$x"; done`.text()
  },
})
"""
    async with hosting("node", tmp_path, {"plugin/p.js": source}) as hosted:
        for word in ["plain", "it's", '"', "$HOME `id`", "a b", "\\", "ä;&|"]:
            assert await hosted.plugin.call("shell.env", {"word": word}, {}) == {
                "single": f"a {word} b",
                "nested": f"{word}|{word}",
                "joined": f"--flag={word}",
                "loop": f"<{word}><{word}>",
            }


SHELL = """\
import fs from "node:fs"
import { $ as imported } from "bun"
const tried = async (work) => {
  try { return await work() } catch (error) {
    return [error.name, error.exitCode, error.stdout.toString(), error.stderr.toString()]
  }
}
export const S = async ({ $, directory }) => ({
  "shell.env": async (_input, o) => {
    const done = await $`echo out; echo err 1>&2`.quiet()
    o.done = [done.exitCode, done.stdout.toString(), done.stderr.toString(), done.text()]
    o.failed = await tried(() => $`sh -c "echo o; echo e >&2; exit 3"`.quiet())
    const kept = await $`exit 4`.nothrow().quiet()
    o.kept = kept.exitCode
    o.unthrown = (await $`sh -c "exit 5"`.throws(false).quiet()).exitCode
    o.json = await $`echo '{"a": [1]}'`.json()
    o.text = await $`printf 'x y'`.text()
    o.lines = []
    for await (const line of $`printf 'one\\ntwo\\n'`.lines()) o.lines.push(line)
    o.lines = o.lines.filter((line) => line)
    o.bytes = [...new Uint8Array(await $`printf abc`.arrayBuffer())]
    o.blob = await (await $`printf blob`.blob()).text()
    o.cwd = (await $`pwd`.cwd("/").text()).trim()
    o.here = (await $`pwd`.text()).trim() === directory
    o.env = (await $`echo $GREETING`.env({ ...process.env, GREETING: "hi" }).text()).trim()
    o.raw = await $`printf '%s' ${{ raw: "a b" }}`.text()
    o.number = await $`printf '%s' ${7}`.text()
    o.array = await $`printf '<%s>' ${["a b", "c"]}`.text()
    o.pipe = (await $`printf 'b\\na\\n' | sort`.text()).trim().split("\\n")
    o.and = (await $`true && echo yes || echo no`.text()).trim()
    const file = directory + "/a file.txt"
    await $`echo content > ${file}`
    o.file = fs.readFileSync(file, "utf8")
    o.read = (await $`cat < ${file}`.text()).trim()
    o.fed = await $`cat < ${new Response("fed")}`.text()
    o.buffer = await $`cat < ${Buffer.from("bytes")}`.text()
    const big = "x".repeat(300_000)
    o.big = (await $`echo ${big}`.text()).length
    o.braces = $.braces("a{b,c{1,2}}d").sort()
    o.escaped = [$.escape("plain"), $.escape("it is").length > 5]
    o.same = imported === Bun.$ && typeof Bun.$ === "function"
    const parallel = await Promise.all([1, 2, 3].map((n) => $`echo ${n}`.text()))
    o.parallel = parallel.map((text) => text.trim())
  },
})
"""


@ON_EACH
async def test_the_shell(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"plugin/s.js": SHELL}) as hosted:
        output = await hosted.plugin.call("shell.env", {}, {})
        assert output == {
            "done": [0, "out\n", "err\n", "out\n"],
            "failed": ["ShellError", 3, "o\n", "e\n"],
            "kept": 4,
            "unthrown": 5,
            "json": {"a": [1]},
            "text": "x y",
            "lines": ["one", "two"],
            "bytes": [97, 98, 99],
            "blob": "blob",
            "cwd": "/",
            "here": True,
            "env": "hi",
            "raw": "ab",
            "number": "7",
            "array": "<a b><c>",
            "pipe": ["a", "b"],
            "and": "yes",
            "file": "content\n",
            "read": "content",
            "fed": "fed",
            "buffer": "bytes",
            "big": 300_001,
            "braces": ["abd", "ac1d", "ac2d"],
            "escaped": ["plain", True],
            "same": True,
            "parallel": ["1", "2", "3"],
        }


DEFAULTS = """\
export const D = async ({ $ }) => ({
  "shell.env": async (_input, o) => {
    const mine = new $.Shell()
    mine.cwd("/").env({ PATH: process.env.PATH, A: "1" }).nothrow()
    o.mine = (await mine`echo $(pwd) $A`.text()).trim()
    o.status = (await mine`sh -c "exit 2"`.quiet()).exitCode
    o.others = (await $`echo $(pwd)`.text()).trim() === process.cwd()
  },
})
"""


@ON_EACH
async def test_a_shell_with_its_own_defaults(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"plugin/d.js": DEFAULTS}) as hosted:
        output = await hosted.plugin.call("shell.env", {}, {})
        assert output == {"mine": "/ 1", "status": 2, "others": True}


BUN = """\
import fs from "node:fs"
import { file as imported, which } from "bun"
export const B = async ({ directory }) => ({
  "shell.env": async (_input, o) => {
    const place = directory + "/made/a.json"
    o.written = await Bun.write(place, JSON.stringify({ a: "ä" }))
    const file = Bun.file(place)
    o.file = [await file.exists(), await file.text(), await file.json(), file.size, file.type,
      file.name === place, (await file.arrayBuffer()).byteLength, (await file.bytes()).length,
      file instanceof Blob, await new Response(file.stream()).text()]
    o.none = await Bun.file(directory + "/none").exists()
    o.missing = await Bun.file(directory + "/none").text().then(() => "read", (e) => e.code)
    await Bun.write(Bun.file(directory + "/b"), new Uint8Array([104, 105]))
    await Bun.write(directory + "/c", Bun.file(directory + "/b"))
    await Bun.write(directory + "/d", new Response("response"))
    o.copies = ["b", "c", "d"].map((name) => fs.readFileSync(`${directory}/${name}`, "utf8"))
    await Bun.file(directory + "/b").delete()
    o.deleted = fs.existsSync(directory + "/b")
    const sh = Bun.which("sh")
    o.which = [sh === which("sh"), sh.endsWith("/sh"), Bun.which("no-such")]
    o.env = Bun.env.HOME === process.env.HOME
    const child = Bun.spawn(["sh", "-c", "cat; echo err >&2; exit 3"], {
      stdin: new TextEncoder().encode("in"), stdout: "pipe", stderr: "pipe", cwd: "/",
    })
    o.child = [await new Response(child.stdout).text(), await child.stderr.text(),
      await child.exited, child.exitCode, typeof child.pid]
    const piped = Bun.spawn({ cmd: ["cat"], stdin: "pipe", stdout: "pipe" })
    piped.stdin.write("typed")
    piped.stdin.end()
    o.piped = await piped.stdout.text()
    const killed = Bun.spawn(["sleep", "100"])
    killed.kill()
    await killed.exited
    o.killed = [killed.killed, killed.signalCode]
    o.ended = await new Promise((resolve) => {
      Bun.spawn(["sh", "-c", "exit 6"], { onExit: (_p, code) => resolve(code) })
    })
    const sync = Bun.spawnSync(["sh", "-c", "echo out; echo err >&2; exit 2"])
    o.sync = [sync.exitCode, sync.success, sync.stdout.toString(), sync.stderr.toString()]
    try { Bun.spawnSync(["no-such-program"]) } catch (e) { o.noProgram = e.code }
    const before = Date.now()
    await Bun.sleep(20)
    Bun.sleepSync(20)
    o.slept = Date.now() - before >= 38
    o.uuid = /^[0-9a-f-]{36}$/.test(Bun.randomUUIDv7())
    o.urls = [Bun.fileURLToPath("file:///a%20b"), Bun.pathToFileURL("/a b").href]
    o.imported = typeof imported("x").text
  },
})
"""


@ON_EACH
async def test_the_parts_of_bun(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, {"plugin/b.js": BUN}) as hosted:
        output = await hosted.plugin.call("shell.env", {}, {})
        text = '{"a":"ä"}'
        kind = "application/json;charset=utf-8"
        assert output == {
            "written": 10,
            "file": [True, text, {"a": "ä"}, 10, kind, True, 10, 10, True, text],
            "none": False,
            "missing": "ENOENT",
            "copies": ["hi", "hi", "response"],
            "deleted": False,
            "which": [True, True, None],
            "env": True,
            "child": ["in", "err\n", 3, 3, "number"],
            "piped": "typed",
            "killed": [True, "SIGTERM"],
            "ended": 6,
            "sync": [2, False, "out\n", "err\n"],
            "noProgram": "ENOENT",
            "slept": True,
            "uuid": True,
            "urls": ["/a b", "file:///a%20b"],
            "imported": "function",
        }
