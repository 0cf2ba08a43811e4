"""Packages from npm: which, where, and what of them is loaded."""

import asyncio
import io
import json
import os
import shutil
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ostler.integrations.plugins import packages, semver
from ostler.integrations.plugins.plugin import PluginError
from tests.support.plugin_host import ON_EACH, SHARED, hosting, needs


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("*", True),
        ("", True),
        ("1", True),
        ("1.x", True),
        ("1.18", True),
        ("1.18.33", True),
        ("=1.18.33", True),
        ("v1.18.33", True),
        ("1.18.32", False),
        ("^1.0.0", True),
        ("^1.18.33", True),
        ("^1.18.34", False),
        ("^1.19", False),
        ("^0.9", False),
        ("^2", False),
        ("~1.18.0", True),
        ("~1.18", True),
        ("~1.17", False),
        ("~1", True),
        (">=1.0.0", True),
        (">= 1.0.0", True),
        (">1.18.33", False),
        (">1.18", False),
        (">1.17", True),
        ("<=1.18", True),
        ("<1.18.33", False),
        ("<2", True),
        (">=1.4.3 <2", True),
        (">=1.4.3 <1.18", False),
        ("0.x || >=1.2", True),
        ("0.x || 2.x", False),
        ("1.0.0 - 1.18", True),
        ("1.0.0 - 1.17.9", False),
        ("latest", False),
        (">=1.18.33-beta.1", True),
    ],
)
def test_version_ranges(wanted: str, fits: bool) -> None:
    assert semver.satisfies((1, 18, 33), wanted) is fits


def test_a_caret_of_a_version_below_one() -> None:
    assert semver.satisfies((0, 2, 5), "^0.2.3")
    assert not semver.satisfies((0, 3, 0), "^0.2.3")
    assert semver.satisfies((0, 0, 3), "^0.0.3")
    assert not semver.satisfies((0, 0, 4), "^0.0.3")


@pytest.mark.parametrize(
    ("spec", "folder"),
    [
        ("pkg@latest", "pkg@latest"),
        ("@scope/pkg@1.2", "@scope/pkg@1.2"),
        ("alias@npm:other@^1", "alias@npm_other@^1"),
        ("git+https://host/a/b.git", "git+https_//host/a/b.git"),
        ("../../etc", "__/__/etc"),
        ("a/./b", "a/_/b"),
    ],
)
def test_folders_of_packages(spec: str, folder: str) -> None:
    assert packages.sanitised(spec) == folder


def test_obsolete_plugins() -> None:
    assert packages.is_obsolete("opencode-copilot-auth@0.0.9")
    assert packages.is_obsolete("opencode-openai-codex-auth")
    assert not packages.is_obsolete("opencode-other-auth")


def folder_of(root: Path, manifest: object, *files: str) -> str:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    root.mkdir(exist_ok=True)
    if manifest is not None:
        (root / "package.json").write_text(json.dumps(manifest))
    return str(root)


@pytest.mark.parametrize(
    ("manifest", "files", "entry"),
    [
        ({"exports": {"./server": "./s.js"}, "main": "m.js"}, ["s.js", "m.js"], "s.js"),
        ({"exports": {".": "./e.js"}, "main": "m.js"}, ["e.js", "m.js"], "m.js"),
        ({"exports": {"./server": {"types": "x", "import": "./s.js"}}}, ["s.js"], "s.js"),
        ({"main": "dist/index.js"}, ["dist/index.js"], "dist/index.js"),
        ({"main": "dist"}, ["dist/index.js"], "dist/index.js"),
        ({"main": "dist/index"}, ["dist/index.js"], "dist/index.js"),
        ({"exports": "./m.mjs"}, ["m.mjs"], "m.mjs"),
        ({"exports": {".": {"import": {"default": "./m.mjs"}}}}, ["m.mjs"], "m.mjs"),
        ({"exports": {"import": "./m.mjs", "require": "./m.cjs"}}, ["m.mjs"], "m.mjs"),
        ({"exports": {"./tui": "./t.js"}}, ["t.js", "index.ts"], "index.ts"),
        ({}, ["index.js"], "index.js"),
        (None, ["index.ts", "index.js"], "index.ts"),
    ],
)
def test_the_entry_of_a_package(
    tmp_path: Path, manifest: object, files: list[str], entry: str
) -> None:
    folder = folder_of(tmp_path / "p", manifest, *files)
    assert packages.entry("p", folder) == os.path.join(folder, entry)


def test_entries_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.js").write_text("")
    outside = folder_of(tmp_path / "a", {"main": "../outside.js"})
    with pytest.raises(PluginError, match="outside of its directory"):
        packages.entry("a", outside)
    nothing = folder_of(tmp_path / "b", {"name": "b"})
    with pytest.raises(PluginError, match="neither an entry"):
        packages.entry("b", nothing)
    later = folder_of(tmp_path / "c", {"engines": {"opencode": "^2"}, "main": "i.js"}, "i.js")
    with pytest.raises(PluginError, match=r"requires opencode \^2"):
        packages.entry("c", later)
    broken = folder_of(tmp_path / "d", None, "package.json")
    with pytest.raises(PluginError, match=r"package\.json"):
        packages.entry("d", broken)


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "a b.ts").write_text("")
    url = (tmp_path / "a b.ts").as_uri()
    assert packages.entry(url, None) == str(tmp_path / "a b.ts")
    assert packages.is_path(url)
    assert packages.is_path("/x")
    assert not packages.is_path("@scope/x")


# ── installing, from a registry of one tarball on loopback ────────────────────────────────────


def tarball(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return made.getvalue()


PLUGIN = {
    "package.json": json.dumps(
        {
            "name": "a-plugin",
            "version": "1.0.0",
            "main": "index.js",
            "engines": {"opencode": ">=1.0.0"},
            "scripts": {"postinstall": 'touch "$INIT_CWD/../../../ran" ran'},
        }
    ),
    "index.js": """\
export const P = async () => ({ "shell.env": async (_i, o) => { o.installed = 1 } })
""",
}


@asynccontextmanager
async def served(content: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """(an address that answers everything with ``content``, what it was asked for)."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def variables(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


@ON_EACH
async def test_a_plugin_is_installed_once(runtime: str, tmp_path: Path) -> None:
    async with served(tarball(PLUGIN)) as (address, asked):
        spec = f"a-plugin@{address}/a-plugin.tgz"
        async with hosting(runtime, tmp_path, {}, plugins=[spec]) as hosted:
            assert await hosted.plugin.call("shell.env", {}, {}) == {"installed": 1}
        assert asked
    async with hosting(runtime, tmp_path, {}, plugins=[spec]) as hosted:  # nobody serves it now
        assert await hosted.plugin.call("shell.env", {}, {}) == {"installed": 1}
    assert not list(tmp_path.rglob("ran"))
    folder = tmp_path / "cache/packages" / packages.sanitised(spec)
    assert sorted(p.name for p in folder.parent.iterdir()) == [folder.name]


@needs("node")
async def test_two_processes_install_at_the_same_time(tmp_path: Path) -> None:
    async with served(tarball(PLUGIN)) as (address, asked):
        spec = f"{address}/a-plugin.tgz"
        home = variables(tmp_path)
        await packages.plugin(spec, str(tmp_path / "first"), home)
        once = len(asked)
        cache = str(tmp_path / "cache")
        folders = await asyncio.gather(*(packages.plugin(spec, cache, home) for _ in range(3)))
        assert len(set(folders)) == 1
        assert os.path.basename(folders[0]) == "a-plugin"
        assert len(asked) == 2 * once


@needs("node")
async def test_a_package_that_cannot_be_installed(tmp_path: Path) -> None:
    async with served(b"this is no package") as (address, _):
        spec = f"a-plugin@{address}/a.tgz"
        async with hosting("node", tmp_path, {}, plugins=[spec]) as hosted:
            (failure,) = hosted.loaded.failures
            assert failure.source == spec
            assert "could not be installed" in failure.message
            assert "npm error" in failure.message
    left = [p for p in (tmp_path / "cache/packages").rglob("*") if p.is_file()]
    assert not left


async def test_no_package_manager(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}
    with pytest.raises(PluginError, match="npm is needed"):
        await packages.plugin("a-plugin", str(tmp_path / "cache"), nowhere)
    with pytest.raises(PluginError, match="npm is needed"):
        await packages.own(str(tmp_path / "data"), nowhere)


@needs("node")
async def test_what_a_configuration_folder_needs(tmp_path: Path) -> None:
    folder = tmp_path / ".opencode"
    folder.mkdir()
    assert not await packages.install_folder(str(folder), variables(tmp_path))
    (folder / "package.json").write_text('{"name": "x"}')
    assert not packages.needs_install(str(folder))
    async with served(tarball(PLUGIN)) as (address, _):
        manifest = {"dependencies": {"a-plugin": f"{address}/a-plugin.tgz"}}
        (folder / "package.json").write_text(json.dumps(manifest))
        assert packages.needs_install(str(folder))
        assert await packages.install_folder(str(folder), variables(tmp_path))
    assert (folder / "node_modules/a-plugin/index.js").exists()
    assert not await packages.install_folder(str(folder), variables(tmp_path))
    assert json.loads((folder / "package.json").read_text()) == manifest
    assert not list(folder.glob("*.lock"))


@needs("node")
async def test_the_hosts_own_packages(tmp_path: Path) -> None:
    folder = Path(await packages.own(str(SHARED), variables(tmp_path)))
    assert await packages.own(str(SHARED), {"PATH": ""}) == str(folder)  # no npm needed any more
    modules = folder / "node_modules"
    for name in ("zod", "esbuild", "@opencode-ai/sdk", "@opencode-ai/plugin", "opencode"):
        assert (modules / name / "package.json").exists()


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads(Path(packages.NODE, "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    wanted = json.loads(Path(packages.NODE, "package.json").read_text())["dependencies"]
    assert lock["packages"][""]["dependencies"] == wanted


async def test_obsolete_plugins_are_left_out(tmp_path: Path) -> None:
    async with hosting("node", tmp_path, {}, plugins=["opencode-copilot-auth@0.0.9"]) as hosted:
        assert not hosted.loaded.plugins
        assert not hosted.loaded.failures


@needs("node")
async def test_packages_of_other_versions_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await packages.own(str(SHARED), variables(tmp_path))
    host = tmp_path / "plugin-host"
    for name in ("old", "recent"):
        (host / name / "node_modules").mkdir(parents=True)
    os.utime(host / "old", (0, 0))
    monkeypatch.setattr(packages, "_install", _copied(made))
    folder = await packages.own(str(tmp_path), variables(tmp_path))
    assert {p.name for p in host.iterdir()} == {"recent", os.path.basename(folder)}


def _copied(made: str) -> Any:
    async def install(folder: str, *_: Any) -> None:
        modules = os.path.join(made, "node_modules/@opencode-ai/sdk")
        shutil.copytree(modules, os.path.join(folder, "node_modules/@opencode-ai/sdk"))

    return install
