"""``ostler debug lsp``."""

import json
import sys
from pathlib import Path

from tests.server.test_language_servers import command, heard
from tests.support.command import Place


def prepared(tmp_path: Path) -> Place:
    files = {"a.txt": "BAD\n", "b.txt": "fine\n", "c.odd": "x\n", "README.md": "x\n"}
    place = Place(tmp_path, files)
    entry = {"command": command(tmp_path / "lsp.log"), "extensions": [".txt", ".odd"]}
    place.configure("http://127.0.0.1:9", {"lsp": {"mine": entry}})
    return place


async def test_what_servers_say(tmp_path: Path) -> None:
    place = prepared(tmp_path)
    path = place.root / "a.txt"
    done = await place.ostler("debug", "lsp", "diagnostics", "a.txt")
    found = json.loads(done.out)
    assert [d["message"] for d in found[str(path)]] == ["BAD"]
    for file in ("a.txt", path.as_uri()):
        done = await place.ostler("debug", "lsp", "document-symbols", file)
        assert [s["name"] for s in json.loads(done.out)] == ["main"]
    done = await place.ostler("debug", "lsp", "symbols", "")
    names = {s["name"] for s in json.loads(done.out)}
    assert "13 of c.odd" in names  # a file of each kind was opened
    done = await place.ostler("debug", "lsp", "symbols", "b.txt", "--file", "b.txt")
    assert [s["name"] for s in json.loads(done.out)] == ["13 of b.txt"]
    log = heard(tmp_path / "lsp.log")
    ended = sum(n.get("method") == "exit" for n in log)
    assert ended == sum("started" in n for n in log) == 5


async def test_what_cannot_be_said(tmp_path: Path) -> None:
    place = prepared(tmp_path)
    for arguments, message in (
        (("diagnostics", "none.txt"), f"There is no file {place.root}/none.txt"),
        (("diagnostics", "README.md"), "No LSP server available"),
    ):
        done = await place.ostler("debug", "lsp", *arguments)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
    place.configure("http://127.0.0.1:9")
    done = await place.ostler("debug", "lsp", "diagnostics", "a.txt")
    assert done.code == 2
    assert '"lsp": true' in done.err


async def test_nothing_is_imported_where_they_are_off(tmp_path: Path) -> None:
    """Start-up does not pay for what is not used."""
    place = prepared(tmp_path)
    script = (
        "import asyncio, sys\n"
        "from ostler.runtime import Runtime\n"
        "async def main():\n"
        "    runtime = Runtime()\n"
        "    instance = await runtime.instance()\n"
        "    await instance.language_servers.edited('/x.py')\n"
        "    runtime.held_back(instance)\n"
        "    await runtime.close()\n"
        "asyncio.run(main())\n"
        "print([m for m in sys.modules if m.startswith('ostler.integrations.lsp.')])\n"
    )
    place.configure("http://127.0.0.1:9")
    (place.root / "script.py").write_text(script)
    import asyncio

    from tests.support.command import SOURCES
    from tests.support.product import environment

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "script.py"),
        cwd=place.root,
        env={**environment(place.home), "PYTHONPATH": SOURCES},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert out.decode().strip() == "['ostler.integrations.lsp.servers']"
