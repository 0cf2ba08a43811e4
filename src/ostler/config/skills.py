"""Skills: folders with a SKILL.md, found wherever OpenCode looks for them."""

import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import msgspec

from ostler.config.discover import Folder, ancestors, is_set
from ostler.config.front_matter import FrontMatterError
from ostler.config.markdown import read_entry
from ostler.config.paths import Paths
from ostler.config.validate import Warning_
from ostler.config.write import replace_file
from ostler.schema.agent import Skill
from ostler.schema.config import SkillsConfig

FILE = "SKILL.md"
BUILT_IN = "<built-in>"
VERSION_FILE = ".opencode-version"

CUSTOMIZE = """\
# Configuring this program

Configuration is JSON with comments, in `opencode.json` or `opencode.jsonc`: in the project (the
nearest one wins) and in `~/.config/opencode/`. `debug config` shows the merged result and where
each value comes from.

- **Models**: `"model": "provider/model"`; an endpoint of your own under `provider.<id>` with `npm`
  (`@ai-sdk/openai-compatible` for most), `options.baseURL`, `options.apiKey` (`{env:NAME}` reads a
  variable) and `models`.
- **Agents**: `agent.<name>` or `.opencode/agent/<name>.md`: front matter (`description`, `mode`
  primary/subagent/all, `model`, `temperature`, `steps`, `permission`) and a prompt as the body.
- **Commands**: `command.<name>` or `.opencode/command/<name>.md`: a template with `$ARGUMENTS`,
  `$1`, ``!`shell` `` and `@file`.
- **Skills**: `.opencode/skill/<name>/SKILL.md` with `name` and `description`.
- **Tools**: `.opencode/tool/<name>.py` (a function with type hints) or `.ts`.
- **Permissions**: `permission.<tool>` is allow, ask or deny, or an object of patterns; the last
  match wins.
- **MCP servers**: `mcp.<name>` with `type` local (`command`) or remote (`url`).
- **Instructions**: AGENTS.md, and files, globs or URLs under `instructions`.

Change one thing at a time, run `debug config` after it, and read what it reports.
"""


class FoundSkills(msgspec.Struct, frozen=True):
    """By name; of a name found twice the later one, with a warning. ``folders``: where a SKILL.md
    is, one that is left out included."""

    skills: dict[str, Skill]
    folders: list[str]
    warnings: list[Warning_]


def find_skills(
    directory: str,
    worktree: str,
    paths: Paths,
    folders: Sequence[Folder],
    config: SkillsConfig | None,
    environment: Mapping[str, str],
    fetched: Sequence[str] = (),
) -> FoundSkills:
    """``fetched`` are folders that skills.urls were stored in (see ``fetch``)."""
    found = FoundSkills({}, [], [])
    built_in = Skill(
        name="customize-opencode",
        location=BUILT_IN,
        content=CUSTOMIZE,
        description="How to configure this program. Use only to create or change its own "
        "configuration: opencode.json, agents, commands, skills, tools, MCP servers, permissions.",
    )
    found.skills[built_in.name] = built_in
    for file in _files(directory, worktree, paths, folders, config, environment, found.warnings):
        _add(found, file)
    for folder in fetched:
        for file in _walk(folder, hidden=True):
            _add(found, file)
    return found


def _files(
    directory: str,
    worktree: str,
    paths: Paths,
    folders: Sequence[Folder],
    config: SkillsConfig | None,
    environment: Mapping[str, str],
    warnings: list[Warning_],
) -> Iterator[str]:
    """Every SKILL.md, in the order of precedence, lowest first."""
    if not is_set(environment, "OPENCODE_DISABLE_EXTERNAL_SKILLS"):
        claude = not (
            is_set(environment, "OPENCODE_DISABLE_CLAUDE_CODE")
            or is_set(environment, "OPENCODE_DISABLE_CLAUDE_CODE_SKILLS")
        )
        names = [".claude", ".agents"] if claude else [".agents"]
        places = [paths.home, *ancestors(directory, worktree)]
        for place in dict.fromkeys(places):
            for name in names:
                yield from _walk(os.path.join(place, name, "skills"), hidden=True)
    for folder in folders:
        for name in ("skill", "skills"):
            yield from _walk(os.path.join(folder.path, name), hidden=False)
    for entry in (config.paths if config else None) or ():
        path = os.path.join(paths.home, entry[2:]) if entry.startswith("~/") else entry
        path = os.path.normpath(os.path.join(directory, path))
        if not os.path.isdir(path):
            warnings.append(Warning_("skills.paths", 0, f"no such folder: {path}"))
        yield from _walk(path, hidden=False)


def _walk(root: str, hidden: bool) -> Iterator[str]:
    """Each SKILL.md below a folder; links are followed, a loop of them is not."""
    if not os.path.isdir(root):
        return
    seen: set[str] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(
            f for f in folders if f != "node_modules" and (hidden or not f.startswith("."))
        )
        if FILE in files:
            yield os.path.join(place, FILE)


def _add(found: FoundSkills, file: str) -> None:
    try:
        with open(file, encoding="utf-8", newline="") as source:
            entry = read_entry(source.read())
    except (OSError, UnicodeDecodeError, FrontMatterError) as e:
        found.warnings.append(Warning_(file, 0, f"skill left out: {e}"))
        return
    found.folders.append(os.path.dirname(file))
    name, description = entry.fields.get("name"), entry.fields.get("description")
    if not isinstance(name, str) or not name:
        reason = entry.problem or "it has no name"
        found.warnings.append(Warning_(file, 0, f"skill left out: {reason}"))
        return
    if "description" in entry.fields and not isinstance(description, str):
        found.warnings.append(Warning_(file, 0, "skill left out: its description is no text"))
        return
    before = found.skills.get(name)
    if before is not None and before.location not in (BUILT_IN, file):
        message = f"skill {name} replaces the one at {before.location}"
        found.warnings.append(Warning_(file, 0, message))
    found.skills[name] = Skill(
        name=name, location=file, content=entry.text, description=description
    )


# ── skills from the network ───────────────────────────────────────────────────────────────────


class _Listed(msgspec.Struct):
    name: str
    files: list[str]
    version: str | None = None


class _Index(msgspec.Struct):
    skills: list[_Listed]


Fetch = Callable[[str], Awaitable[bytes]]


async def fetch(url: str, cache: str, get: Fetch) -> list[str]:
    """Bring the skills of ``<url>/index.json`` into the cache; returns their folders. What is there
    already is kept unless the index names another version; where the index cannot be had, the one
    of last time counts. Raises ValueError for a bad index, OSError as ``get`` does."""
    base = url.rstrip("/")
    kept = os.path.join(cache, "skills", hashlib.sha256(base.encode()).hexdigest()[:16] + ".json")
    try:
        data = await get(f"{base}/index.json")
    except OSError:
        if not os.path.isfile(kept):
            raise
        with open(kept, "rb") as last:
            data = last.read()
    try:
        index = msgspec.json.decode(data, type=_Index)
    except msgspec.DecodeError as e:
        raise ValueError(f"{base}/index.json: {e}") from None
    replace_file(kept, data.decode())
    folders = []
    for listed in index.skills:
        if FILE not in listed.files or not _plain(listed.name):
            continue
        folder = os.path.join(cache, "skills", listed.name)
        if not _current(folder, listed.version):
            await _store(base, listed, folder, get)
        with contextlib.suppress(OSError):
            os.utime(folder)  # it is in use
        folders.append(folder)
    return folders


def _plain(name: str) -> bool:
    return bool(name) and "/" not in name and "\\" not in name and name not in (".", "..")


def _current(folder: str, version: str | None) -> bool:
    if not os.path.isfile(os.path.join(folder, FILE)):
        return False
    if version is None:
        return True
    try:
        with open(os.path.join(folder, VERSION_FILE), encoding="utf-8") as stored:
            return stored.read().strip() == version
    except OSError:
        return False


async def _store(base: str, listed: _Listed, folder: str, get: Fetch) -> None:
    """Fetch everything first, then put it in place of what was there."""
    import shutil
    import tempfile

    os.makedirs(os.path.dirname(folder), exist_ok=True)
    fresh = tempfile.mkdtemp(dir=os.path.dirname(folder))
    try:
        for name in listed.files:
            target = os.path.normpath(os.path.join(fresh, name))
            if not target.startswith(fresh + os.sep):
                raise ValueError(f"skill {listed.name}: {name} leads out of its folder")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            data = await get(f"{base}/{listed.name}/{name}")
            with open(target, "wb") as file:
                file.write(data)
        if listed.version is not None:
            with open(os.path.join(fresh, VERSION_FILE), "w", encoding="utf-8") as file:
                file.write(listed.version)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
