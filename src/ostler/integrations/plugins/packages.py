"""Packages from npm: what the host itself needs, and plugins that are named in configuration.

They are brought by the user's own ``npm`` (``bun`` where there is no npm), so that registries,
proxies and credentials are the ones it is configured with. Scripts of packages never run. A folder
is made beside its place and renamed into it: who finds it finds it whole.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from ostler.integrations.plugins import program, semver
from ostler.integrations.plugins.plugin import Json, PluginError

DEADLINE = 300.0
"""Seconds an installation may take, and may wait for another process's."""
UNUSED = 30 * 86_400.0
"""Seconds after which packages of the host that nobody used are removed."""
COMPATIBLE = (1, 18, 33)
"""The version of OpenCode that plugins' ``engines.opencode`` is compared with."""
NODE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")
INDEXES = tuple(f"index.{e}" for e in ("ts", "tsx", "js", "mjs", "cjs"))
"""As OpenCode 1.18 looks for them in a plugin's directory."""
OBSOLETE = ("opencode-openai-codex-auth", "opencode-copilot-auth")
"""Plugins that OpenCode 1.18 ignores: what they did is built in."""
_NAMED = re.compile(r"^(@[^/@\s]+/[^/@\s]+|[^/@\s:]+)(?:@(.+))?$")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"|?*\\]')
_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund")


def is_path(spec: str) -> bool:
    return spec.startswith(("file://", ".", "/"))


def is_obsolete(spec: str) -> bool:
    return any(name in spec for name in OBSOLETE)


# ── installing ────────────────────────────────────────────────────────────────────────────────


async def own(data: str, environment: Mapping[str, str]) -> str:
    """The folder whose ``node_modules`` has what the host needs and what plugins may import without
    bringing it (``<data>/plugin-host/<hash>``), made if it is not there. Raises PluginError."""
    folder = os.path.join(data, "plugin-host", _hash_of_own())
    if os.path.isdir(folder):
        os.utime(folder)  # it is in use
        return folder
    async with _made(folder) as part:
        if part:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(NODE, name), part)
            bun = ["install", "--production"]
            await _install(part, ["ci"], bun, environment, "the plugin host")
            brought = os.path.join(part, "node_modules")
            shutil.copytree(os.path.join(NODE, "modules"), brought, dirs_exist_ok=True)
            _open_to_all(os.path.join(brought, "@opencode-ai", "sdk"))
    await asyncio.to_thread(_forget_others, folder)
    return folder


def _forget_others(folder: str) -> None:
    """Remove what other versions of Ostler brought and nobody has used for a while."""
    with os.scandir(os.path.dirname(folder)) as entries:
        for entry in entries:
            if time.time() - entry.stat().st_mtime > UNUSED and entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)


def _open_to_all(folder: str) -> None:
    """Put a file beside each of a package's exports. Bun does not read ``exports`` of a package it
    finds through NODE_PATH: it goes by the names of files."""
    for name, how in _manifest(folder)["exports"].items():
        place = os.path.join(folder, "index.js" if name == "." else f"{name}.js")
        target = os.path.relpath(os.path.join(folder, how["import"]), os.path.dirname(place))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w") as f:
            f.write(f'export * from "./{target}";\n')


def _hash_of_own() -> str:
    digest = hashlib.sha256(b"1")  # counts changes of how the folder is made
    places = [os.path.join(NODE, "package-lock.json")]
    for folder, _, names in os.walk(os.path.join(NODE, "modules")):
        places += [os.path.join(folder, name) for name in names]
    for place in sorted(places):
        with open(place, "rb") as f:
            digest.update(f"{os.path.relpath(place, NODE)}\0".encode() + f.read())
    return digest.hexdigest()[:16]


async def plugin(spec: str, cache: str, environment: Mapping[str, str]) -> str:
    """The folder of a plugin's package, brought if it is not there. ``spec`` is what npm takes; a
    bare name means its latest version at the time it was brought. Raises PluginError."""
    named = _NAMED.match(spec)
    wanted = f"{spec}@latest" if named and not named[2] else spec
    folder = os.path.join(cache, "packages", sanitised(wanted))
    with contextlib.suppress(OSError):
        os.utime(folder)  # it is in use
    if not os.path.isdir(os.path.join(folder, "node_modules")):
        async with _made(folder) as part:
            if part:
                with open(os.path.join(part, "package.json"), "w") as f:
                    f.write('{"private": true}\n')
                add = ["add", "--exact", wanted]
                await _install(part, ["install", "--save-exact", wanted], add, environment, spec)
    name = named[1] if named else next(iter(_manifest(folder).get("dependencies") or {}), "")
    found = os.path.join(folder, "node_modules", name)
    if not name or not os.path.isdir(found):
        raise PluginError(f"{spec} was installed into {folder}, but brought no package")
    return found


def sanitised(spec: str) -> str:
    """A spec as the relative path of its folder, OpenCode's own where it can be one."""
    parts = _UNSAFE.sub("_", spec).split("/")
    return "/".join("_" * len(part) if part.strip(".") == "" else part for part in parts)


async def install_folder(folder: str, environment: Mapping[str, str]) -> bool:
    """Bring what the ``package.json`` of a configuration directory names, where it names something
    and there is no ``node_modules`` yet. Whether anything was to be done. Raises PluginError."""
    if not needs_install(folder):
        return False
    async with _locked(os.path.join(folder, ".ostler-install.lock")):
        if needs_install(folder):
            await _install(folder, ["install"], ["install"], environment, folder)
    return True


def needs_install(folder: str) -> bool:
    if os.path.isdir(os.path.join(folder, "node_modules")):
        return False
    try:
        manifest = _manifest(folder)
    except PluginError:
        return False
    return bool(manifest.get("dependencies") or manifest.get("devDependencies"))


@asynccontextmanager
async def _made(folder: str) -> AsyncIterator[str | None]:
    """A folder to fill, which then becomes ``folder``; None where another process made it."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    async with _locked(f"{folder}.lock"):
        if os.path.isdir(os.path.join(folder, "node_modules")):
            yield None
            return
        part = f"{folder}.{os.getpid()}.part"
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        try:
            yield part
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(part, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)


@asynccontextmanager
async def _locked(path: str) -> AsyncIterator[None]:
    """One installation into a place at a time, of all processes. The operating system drops the
    lock of one that dies."""
    deadline = time.monotonic() + DEADLINE
    while (descriptor := _lock(path)) is None:
        if time.monotonic() > deadline:
            raise PluginError(f"another process holds {path}")
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _lock(path: str) -> int | None:
    """A descriptor that holds the lock; None while another does."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except OSError:  # held, or removed by whoever held it
        pass
    os.close(descriptor)
    return None


async def _install(
    folder: str,
    npm: Sequence[str],
    bun: Sequence[str],
    environment: Mapping[str, str],
    what: str,
) -> None:
    path = environment.get("PATH", os.defpath)
    if place := shutil.which("npm", path=path):
        command = [place, *npm, *_FLAGS, "--loglevel=error"]
    elif place := shutil.which("bun", path=path):
        command = [place, *bun, "--ignore-scripts"]
    else:
        raise PluginError(
            f"{what}: npm is needed to install packages and is not in PATH (it comes with Node, "
            "https://nodejs.org)"
        )
    try:
        status, said = await program.run(
            command, directory=folder, environment=environment, timeout=DEADLINE
        )
    except OSError as e:
        raise PluginError(f"{what}: cannot run {place}: {e.strerror}") from None
    if status is None:
        raise PluginError(f"{what}: {command[0]} did not finish within {DEADLINE:.0f} s")
    if status != 0:
        raise PluginError(f"{what} could not be installed ({' '.join(command[:2])}):\n{said}")


# ── what a package offers ─────────────────────────────────────────────────────────────────────


def entry(spec: str, folder: str | None) -> str:
    """The file to load for a plugin: of its package in ``folder``, or of the path it is. Raises
    PluginError."""
    place = folder or path_of(spec)
    if not os.path.isdir(place):
        return place
    if os.path.isfile(os.path.join(place, "package.json")):
        manifest = _manifest(place)
        if folder:
            _check_engine(spec, manifest)
        for named in _entries(manifest):
            if found := _file(spec, place, named):
                return found
    if found := _index(place):
        return found
    raise PluginError(
        f"Plugin {spec}: {place} has neither an entry in package.json nor an index file"
    )


def path_of(spec: str) -> str:
    return unquote(urlsplit(spec).path) if spec.startswith("file://") else os.path.abspath(spec)


def _entries(manifest: Json) -> list[str]:
    """``exports["./server"]``, ``main``, ``exports["."]``: the order is OpenCode's for the first
    two, which knows no third."""
    exports = manifest.get("exports")
    table = exports if isinstance(exports, dict) else {}
    whole = exports if isinstance(exports, str) or "." not in table else table["."]
    if isinstance(whole, dict) and any(key.startswith(".") for key in whole):
        whole = None
    main = manifest.get("main")
    candidates = (_condition(table.get("./server")), main, _condition(whole))
    return [c for c in candidates if isinstance(c, str) and c.strip()]


def _condition(value: Any) -> str | None:
    """The path that ``import`` gets."""
    if isinstance(value, list):
        return next(filter(None, map(_condition, value)), None)
    if isinstance(value, dict):
        wanted = ("import", "node", "default")
        return next(filter(None, (_condition(value.get(key)) for key in wanted)), None)
    return value if isinstance(value, str) else None


def _file(spec: str, folder: str, named: str) -> str | None:
    place = os.path.realpath(os.path.join(folder, named))
    if not place.startswith(os.path.realpath(folder) + os.sep):
        raise PluginError(f"Plugin {spec}: its entry {named} is outside of its directory")
    if os.path.isfile(place):
        return place
    for extension in ("js", "mjs", "cjs", "ts"):
        if os.path.isfile(f"{place}.{extension}"):
            return f"{place}.{extension}"
    return _index(place)


def _index(folder: str) -> str | None:
    candidates = (os.path.join(folder, name) for name in INDEXES)
    return next((c for c in candidates if os.path.isfile(c)), None)


def _check_engine(spec: str, manifest: Json) -> None:
    engines = manifest.get("engines")
    wanted = engines.get("opencode") if isinstance(engines, dict) else None
    if isinstance(wanted, str) and not semver.satisfies(COMPATIBLE, wanted):
        version = ".".join(map(str, COMPATIBLE))
        raise PluginError(
            f"Plugin {spec} requires opencode {wanted}; this is compatible to {version}"
        )


def _manifest(folder: str) -> Json:
    path = os.path.join(folder, "package.json")
    try:
        with open(path, "rb") as f:
            manifest = msgspec.json.decode(f.read())
    except OSError as e:
        raise PluginError(f"{path}: {e.strerror}") from None
    except msgspec.DecodeError as e:
        raise PluginError(f"{path}: {e}") from None
    if not isinstance(manifest, dict):
        raise PluginError(f"{path}: expected an object")
    return manifest
