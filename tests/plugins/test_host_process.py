"""The process of the plugin host: what becomes of it and of what it started."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from ostler.integrations.plugins import host as host_module
from ostler.integrations.plugins import rpc, runtimes
from ostler.integrations.plugins.plugin import PluginError
from ostler.schema.errors import ToolError
from tests.support.plugin_host import ON_EACH, Call, hosting, needs, processes_of

TROUBLE = """\
import { spawn } from "node:child_process"
let loads = 0
export const Trouble = async () => {
  loads++
  return {
    "shell.env": async (input, output) => {
      if (input.exit !== undefined) process.exit(input.exit)
      if (input.loop) for (;;) {}
      if (input.never) await new Promise(() => {})
      if (input.later) setTimeout(() => { throw new Error("later") }, 0)
      if (input.rejected) Promise.reject(new Error("rejected"))
      if (input.start) spawn("sleep", ["1000"], { stdio: "inherit" })
      output.pid = process.pid
      output.n = ++loads
    },
    tool: {
      die: { description: "", args: {}, execute: async () => { process.kill(process.pid, 9) } },
    },
  }
}
"""
FILES = {
    "plugin/trouble.js": TROUBLE,
    "tool/fine.js": "export default { description: '', args: {}, execute: async () => 'fine' }",
}


async def gone(group: int) -> None:
    async with asyncio.timeout(10):
        while processes_of(group):
            await asyncio.sleep(0.01)


@ON_EACH
async def test_a_plugin_ends_the_process(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        call = hosted.plugin.call
        first = await call("shell.env", {"start": True}, {})
        with pytest.raises(PluginError, match=r"ended.*shell\.env"):
            await call("shell.env", {"exit": 3}, {})
        second = await call("shell.env", {}, {})
        assert second["pid"] != first["pid"]
        assert second["n"] == first["n"]  # loaded anew
        assert await hosted.run("fine") == "fine"
        await gone(first["pid"])
        with pytest.raises(ToolError, match="ended"):
            await hosted.run("die")
        assert await hosted.run("fine") == "fine"


@ON_EACH
async def test_calls_that_wait_when_it_ends(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        call = hosted.plugin.call
        waiting = [asyncio.ensure_future(call("shell.env", {"never": True}, {})) for _ in range(5)]
        await call("shell.env", {}, {})
        with pytest.raises(PluginError):
            await call("shell.env", {"exit": 0}, {})
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {PluginError}


@ON_EACH
async def test_an_endless_loop(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller has the deadline; a host that does not answer after it is killed."""
    monkeypatch.setattr(host_module, "UNRESPONSIVE", 0.2)
    async with hosting(runtime, tmp_path, FILES) as hosted:
        call = hosted.plugin.call
        before = await call("shell.env", {}, {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call("shell.env", {"loop": True}, {}), 0.2)
        await gone(before["pid"])
        assert (await call("shell.env", {}, {}))["pid"] != before["pid"]


@ON_EACH
async def test_a_hook_that_only_waits_does_not_cost_the_host(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "UNRESPONSIVE", 20.0)
    async with hosting(runtime, tmp_path, FILES) as hosted:
        call = hosted.plugin.call
        before = await call("shell.env", {}, {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call("shell.env", {"never": True}, {}), 0.1)
        assert (await call("shell.env", {}, {}))["pid"] == before["pid"]


@ON_EACH
async def test_it_is_killed_and_started_again_on_demand(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        before = await hosted.plugin.call("shell.env", {"start": True}, {})
        waiting = asyncio.ensure_future(hosted.plugin.call("shell.env", {"never": True}, {}))
        await hosted.plugin.call("shell.env", {}, {})
        await hosted.host.restart()
        with pytest.raises(PluginError, match="started again"):
            await waiting
        assert not processes_of(before["pid"])
        assert (await hosted.plugin.call("shell.env", {}, {}))["pid"] == hosted.host.pid


@ON_EACH
async def test_it_is_not_started_for_ever(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "PAUSES", (0.0, 0.0, 0.0))
    async with hosting(runtime, tmp_path, FILES) as hosted:
        refused = 0
        for _ in range(8):
            with pytest.raises(PluginError) as raised:
                await hosted.plugin.call("shell.env", {"exit": 1}, {})
            refused += "ended 4 times" in str(raised.value)
        assert refused == 4


@ON_EACH
async def test_faults_outside_of_any_call_are_logged(
    runtime: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ostler.plugins")
    async with hosting(runtime, tmp_path, FILES) as hosted:
        before = await hosted.plugin.call("shell.env", {"later": True, "rejected": True}, {})
        while "later" not in caplog.text or "rejected" not in caplog.text:
            after = await hosted.plugin.call("shell.env", {}, {})
            assert after["pid"] == before["pid"]


@ON_EACH
async def test_nothing_is_left_behind(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        pid = (await hosted.plugin.call("shell.env", {"start": True}, {}))["pid"]
        assert len(processes_of(pid)) >= 2
    assert not processes_of(pid)
    with pytest.raises(PluginError, match="closed"):
        await hosted.plugin.call("shell.env", {}, {})


@ON_EACH
async def test_it_ends_when_its_input_is_closed(runtime: str, tmp_path: Path) -> None:
    """As it is when Ostler is killed."""
    async with hosting(runtime, tmp_path, FILES) as hosted:
        pid = (await hosted.plugin.call("shell.env", {}, {}))["pid"]
        (await hosted.host.peer()).close_output()
        await gone(pid)


NOISE = """\
import { spawnSync } from "node:child_process"
import fs from "node:fs"
console.log("at load")
export const Noise = async () => ({
  "shell.env": async (_input, output) => {
    console.log('{"jsonrpc":"2.0","id":1,"result":{}}')
    console.error("an error")
    process.stdout.write("no end of line")
    fs.writeSync(1, "written\\n")
    spawnSync("echo", ["from a child"], { stdio: "inherit" })
    spawnSync("cat", { stdio: "inherit" })
    for (let i = 0; i < 3000; i++) console.log("x".repeat(100))
    output.fine = true
  },
})
"""


@ON_EACH
async def test_what_plugins_print_is_a_log(
    runtime: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ostler.plugins")
    async with hosting(runtime, tmp_path, {"plugin/noise.js": NOISE}) as hosted:
        for _ in range(3):
            assert await hosted.plugin.call("shell.env", {}, {}) == {"fine": True}
    for said in ("at load", "an error", "no end of line", "written", "from a child"):
        assert said in caplog.text


@ON_EACH
async def test_events_for_a_host_that_does_not_read(
    runtime: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc, "MAX_EVENTS", 100)
    source = """\
const seen = []
export const A = async () => ({
  event: async ({ event }) => { seen.push(event.id) },
  "shell.env": async (_i, output) => { output.seen = seen },
})
"""
    async with hosting(runtime, tmp_path, {"plugin/a.js": source}) as hosted:
        pid = hosted.host.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        filler = "x" * 10_000
        for number in range(2000):
            hosted.plugin.tell({"id": number, "type": "t", "properties": {"filler": filler}})
            await asyncio.sleep(0)
        os.kill(pid, signal.SIGCONT)
        seen: list[int] = []
        while not seen or seen[-1] != 1999:
            seen = (await hosted.plugin.call("shell.env", {}, {}))["seen"]
        assert seen == sorted(seen)
        assert seen[0] == 0
        assert seen[-100:] == list(range(1900, 2000))
        assert len(seen) < 500
        assert "events for plugins are dropped" in caplog.text


@ON_EACH
async def test_a_plugin_that_never_finishes_loading(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "LOAD", 1.0)
    fine = 'export const A = async () => ({ "shell.env": (_i, o) => { o.fine = true } })'
    files = {
        "plugin/1.js": fine,
        "plugin/2-waits.js": "export const A = () => new Promise(() => {})",
        "plugin/3-loops.js": "for (;;) {}",
        "plugin/4-exits.js": "process.exit(7)",
        "plugin/5.js": fine,
    }
    async with hosting(runtime, tmp_path, files) as hosted:
        failures = [(Path(f.source).name, f.message) for f in hosted.loaded.failures]
        assert [name for name, _ in failures] == ["2-waits.js", "3-loops.js", "4-exits.js"]
        assert "was not loaded within 1 s" in failures[0][1]
        assert "was not loaded within 1 s" in failures[1][1]
        assert "ended while it loaded" in failures[2][1]
        for plugin in hosted.loaded.plugins:
            assert await plugin.call("shell.env", {}, {}) == {"fine": True}


@ON_EACH
async def test_a_plugin_that_does_not_clean_up(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "DISPOSE", 0.2)
    source = "export const A = async () => ({ dispose: () => new Promise(() => {}) })"
    async with hosting(runtime, tmp_path, {"plugin/a.js": source}) as hosted:
        pid = hosted.host.pid
    assert pid
    assert not processes_of(pid)


@needs("node")
async def test_a_warm_start_compiles_nothing(tmp_path: Path) -> None:
    source = "export const A = async () => ({ 'shell.env': async (i: any, o: any) => { o.x = 1 } })"
    no_esbuild = {"ESBUILD_BINARY_PATH": "/bin/false"}
    files = {"plugin/a.ts": source}
    async with hosting("node", tmp_path, files, variables=no_esbuild) as hosted:
        assert hosted.loaded.failures  # it is needed once
    async with hosting("node", tmp_path, files) as hosted:
        assert not hosted.loaded.failures
    async with hosting("node", tmp_path, files, variables=no_esbuild) as hosted:
        assert await hosted.plugin.call("shell.env", {}, {}) == {"x": 1}


@needs("node")
async def test_a_closed_host_with_nothing_loaded(tmp_path: Path) -> None:
    async with hosting("node", tmp_path, {}) as hosted:
        assert hosted.host.pid is None
        assert not hosted.loaded.plugins


async def test_no_runtime(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"Node 20 or newer .*neither is not in PATH"):
        await runtimes.find({"PATH": str(tmp_path)})
    with pytest.raises(PluginError, match=r"node19 is not in PATH"):
        await runtimes.find({"PATH": str(tmp_path), runtimes.VARIABLE: "node19"})


def program(path: Path, says: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("node", "bun", "chosen"),
    [
        ("v20.11.1", "1.2.3", "node"),
        ("v18.19.0", "1.2.3", "bun"),
        ("v20.5.0", "1.2.3", "bun"),
        ("nonsense", "1.2.3", "bun"),
        ("v18.19.0", "1.0.9", "node is 18.19; .*bun is 1.0"),
    ],
)
async def test_which_runtime(tmp_path: Path, node: str, bun: str, chosen: str) -> None:
    places = {
        "node": program(tmp_path / "bin/node", node),
        "bun": program(tmp_path / "bin/bun", bun),
    }
    search = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    if chosen not in places:
        with pytest.raises(PluginError, match=chosen):
            await runtimes.find(search)
        return
    found = await runtimes.find(search)
    assert (found.kind, found.program) == (chosen, places[chosen])
    named = await runtimes.find({**search, runtimes.VARIABLE: places["bun"]})
    assert named.kind == "bun"


@ON_EACH
async def test_progress_comes_before_the_result(runtime: str, tmp_path: Path) -> None:
    source = """\
export default { description: "", args: {}, execute: async (_a, ctx) => {
  for (let i = 0; i < 50; i++) ctx.metadata({ metadata: { i } })
  return "done"
} }
"""
    async with hosting(runtime, tmp_path, {"tool/t.js": source}) as hosted:
        made = Call()
        assert await hosted.tool("t").run({}, made.given) == "done"
        assert [shown for _, shown in made.shown] == [{"i": i} for i in range(50)]
