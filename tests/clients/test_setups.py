"""Set-ups as people have them in public repositories, read by the original and by Ostler.

``tests/data/setups/`` has five of them, with the keys, nesting and spellings that were found and
with words of our own. Both servers are asked what they make of a copy. What may differ is said
once, in ``normal``; everything that the files say must be the same.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.clients.test_clients import needs
from tests.support.command import Place
from tests.support.original import is_here, original
from tests.support.product import Json
from tests.support.repository import make_repository

SETUPS = Path(__file__).parents[1] / "data/setups"
NAMES = sorted(p.name for p in SETUPS.iterdir())
VARIABLES = {"OSTLER_TRUST": "1", "USER": "someone", "LOGNAME": "someone"}
ROUTES = ("agent", "command", "skill", "config", "mcp")
BUILT_IN = ("init", "review", "customize-opencode")
WORDED = ("prompt", "description", "template", "content", "hints")

pytestmark = needs(is_here())

Answers = dict[str, Any]


@pytest.mark.parametrize("name", NAMES)
async def test_a_setup_is_read_alike(tmp_path: Path, name: str) -> None:
    theirs_place, ours_place = tmp_path / "original", tmp_path / "ours"
    theirs_root, ours = theirs_place / "project", Place(ours_place)
    for root in (theirs_root, ours.root):
        shutil.copytree(SETUPS / name, root, dirs_exist_ok=True)
    make_repository(theirs_root, {"README.md": "A project.\n"})
    async with original(theirs_place / "home", theirs_root) as http:
        theirs = await answers(http, theirs_root, theirs_place)
    async with ours.serve(**VARIABLES) as served:
        own = await answers(served.http, ours.root, ours_place)
    wanted = normal(theirs)
    assert wanted["agent"]
    for route in ROUTES:
        assert normal(own)[route] == wanted[route], route


async def answers(http: httpx.AsyncClient, root: Path, place: Path) -> Answers:
    """Every route's answer, without the folders' own names."""
    directory = {"directory": str(root)}
    found = {r: (await http.get(f"/{r}", params=directory)).json() for r in ROUTES}
    text = json.dumps(found)
    for path, name in ((root, "<root>"), (place / "home", "<home>"), (place, "<place>")):
        text = text.replace(str(path), name)
    return dict(json.loads(text))


def normal(found: Answers) -> Answers:
    """The answers without what may differ:

    - absent and null are the same: the original writes null for what an agent or a command lacks;
    - each has data, cache and temporary folders of its own name;
    - the words of built-in agents, commands and skills are each one's own, unless the set-up puts
      its own in their place; so is the sentence below the text of a skill that is a command;
    - agents may read the folders of skills, which the original finds in no fixed order;
    - the original writes ``$schema`` into configuration files that lack it, and says so;
    - a server that cannot be reached is told of in each one's words.
    """
    found = without_nulls(found)
    text = json.dumps(found).replace("/share/opencode/", "/share/ostler/")
    found = json.loads(text.replace("/tmp/opencode/", "/tmp/ostler/"))
    config = found["config"]
    found["agent"] = [agent(entry, config["agent"]) for entry in found["agent"]]
    found["command"] = by_name([command(entry, config["command"]) for entry in found["command"]])
    found["skill"] = by_name([skill(entry) for entry in found["skill"]])
    found["config"].pop("$schema", None)
    found["mcp"] = {name: status["status"] for name, status in found["mcp"].items()}
    return found


def agent(entry: Json, configured: Json) -> Json:
    rules = [(r["permission"], r["pattern"], r["action"]) for r in entry["permission"]]
    own = configured.get(entry["name"]) or {}
    left = without(entry, {k for k in WORDED if k not in own} if entry.get("native") else ())
    return {**left, "permission": sorted_folders(rules)}


def command(entry: Json, configured: Json) -> Json:
    if entry["name"] in BUILT_IN and entry["name"] not in configured:
        return without(entry, WORDED)
    if entry["source"] == "skill":
        return {**entry, "template": entry["template"].rpartition("\n")[0]}
    return entry


def skill(entry: Json) -> Json:
    return without(entry, WORDED if entry["location"] == "<built-in>" else ())


def without(entry: Json, keys: Collection[str]) -> Json:
    return {k: v for k, v in entry.items() if k not in keys}


def sorted_folders(rules: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """With neighbours that allow folders in the order of their names: it means the same."""
    result: list[tuple[str, str, str]] = []
    folders: list[tuple[str, str, str]] = []
    for rule in [*rules, ("", "", "")]:
        if rule[0] == "external_directory" and rule[2] == "allow":
            folders.append(rule)
            continue
        result += [*sorted(folders), rule]
        folders = []
    return result[:-1]


def by_name(entries: list[Json]) -> list[Json]:
    return sorted(entries, key=lambda entry: str(entry["name"]))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


AGENT, COMMAND, MODE = (f".opencode/{noun}/x.md" for noun in ("agent", "command", "mode"))
SKILL, FILE = ".opencode/skills/x/SKILL.md", "opencode.json"


def front(lines: str, body: str = "Body.") -> str:
    return f"---\n{lines}\n---\n{body}\n"


FILES: dict[str, tuple[str, str]] = {
    "another program's list of tools": (AGENT, front("description: d\ntools: Glob, Grep, Read")),
    "a list of tools": (AGENT, front("tools: [Read, Bash]")),
    "no tools": (AGENT, front("description: d\ntools:")),
    "no model": (AGENT, front("model:")),
    "no description": (AGENT, front("description:\nmode: subagent")),
    "another program's model": (AGENT, front("description: d\nmodel: inherit")),
    "a colour's name": (AGENT, front("color: blue")),
    "a colour that is a comment": (AGENT, front("color: #ff0000")),
    "a short colour": (AGENT, front('color: "#fff"')),
    "a number in quotes": (AGENT, front('temperature: "0.3"')),
    "a number in powers of ten": (AGENT, front("temperature: 3e-1\nsteps: 5.0")),
    "no such mode": (AGENT, front("mode: secondary")),
    "a list of permissions": (AGENT, front("permission:\n  - bash")),
    "one permission": (AGENT, front("permission: deny")),
    "no such permission": (AGENT, front("permission:\n  bash: never")),
    "a switch as permission": (AGENT, front("permission:\n  bash: false")),
    "permissions too deep": (AGENT, front("permission:\n  bash:\n    git:\n      push: deny")),
    "no steps": (AGENT, front("steps: 0")),
    "yes is a word": (AGENT, front("disable: yes")),
    "on and off are words": (AGENT, front("description: on\nextra: no\nyes: off\nn: y")),
    "a key twice": (AGENT, front("description: a\ndescription: b")),
    "keys that are no texts": (AGENT, front("o:\n  1: a\n  true: b\n  null: c\n  2.5: d")),
    "numbers and times": (AGENT, front("a: 010\nb: 0x1f\nc: 1_000\nd: 12:30\ne: 2001-12-14")),
    "anchors": (AGENT, front("base: &b {x: 1}\nopt:\n  <<: *b\n  y: 2")),
    "a colon": (AGENT, front("description: a: b\nmode: subagent")),
    "a colon under a key with a dash": (AGENT, front("a-b: x: y\nmode: subagent")),
    "a star": (AGENT, front("description: *bold* text\nmode: subagent")),
    "an at sign": (AGENT, front("description: @me do\nmode: subagent")),
    "front matter without an end": (AGENT, "---\ndescription: d\nmode: subagent\n"),
    "a rule after four dashes": (AGENT, "----\ndescription: d\n----\nb\n"),
    "a blank line first": (AGENT, "\n---\ndescription: d\n---\nb\n"),
    "text behind the end": (AGENT, "---\ndescription: d\n---x\nb\n"),
    "line ends of Windows": (AGENT, "---\r\ndescription: d\r\n---\r\nBody\r\nmore\r\n"),
    "a name of its own": (AGENT, front("name: My Agent / 2\ndescription: d")),
    "a prompt in front": (AGENT, front("prompt: from the front", "")),
    "newer permissions in front": (AGENT, front("permissions:\n  bash: deny")),
    "an empty command": (COMMAND, ""),
    "a command without text": (COMMAND, front("description: d", "")),
    "a switch in quotes": (COMMAND, front('subtask: "true"')),
    "hints that are no YAML": (COMMAND, front("description: d\nargument-hint: [a] [b]")),
    "hints that are repaired": (COMMAND, front("description: d\nhint: [a] [b]: c")),
    "a command's template in front": (COMMAND, front("template: t")),
    "a mode of the wrong shape": (MODE, front("description: 5")),
    "a mode's name": (MODE, front("name: zed\nmode: subagent")),
    "a skill's hints": (SKILL, front("name: x\ndescription: d\nargument-hint: [a] [b]")),
    "a skill's colon": (SKILL, front("name: x\ndescription: a: b, c: d")),
    "a skill's number": (SKILL, front("name: 5\ndescription: d")),
    "a skill without description": (SKILL, front("name: x\ndescription:")),
    "a skill with blank lines": (SKILL, "---\nname: x\n---\n\n\n# Hi\n\n"),
    "an empty file": (FILE, ""),
    "a list": (FILE, "[]"),
    "quotes of JavaScript": (FILE, "{'model': 'a/b'}"),
    "no end": (FILE, '{"model": "a/b"'),
    "null": (FILE, '{"model": null}'),
    "null deep down": (FILE, '{"agent": {"x": {"prompt": null}}}'),
    "null where anything goes": (FILE, '{"agent": {"x": {"options": {"a": [null, {}]}}}}'),
    "a model's variant": (FILE, '{"model": "a/b#high"}'),
    "newer agents": (
        FILE,
        '{"agents": {"x": {"model": "a/b#high", "system": "s", "steps": 3, "disabled": false,'
        ' "request": {"body": {"a": 1}}}, "y": {"system": 5}, "z": {"model": {"providerID": "a",'
        ' "model": "b", "variant": "c"}}}, "commands": {"c": {"template": "t",'
        ' "model": "a/b#low"}, "d": {"description": "no template"}}}',
    ),
    "agents twice": (FILE, '{"agents": {"x": {"system": "s"}}, "agent": {"x": {"prompt": "p"}}}'),
    "newer permissions": (FILE, '{"permissions": {"bash": "ask"}}'),
    "newer permissions of an agent": (FILE, '{"agents": {"x": {"permissions": []}}}'),
    "newer permissions of a mode": (FILE, '{"mode": {"x": {"permissions": []}}}'),
    "a server without a type": (FILE, '{"mcp": {"a": {"command": ["x"]}}}'),
    "a server without an address": (FILE, '{"mcp": {"a": {"type": "remote"}}}'),
    "a server's switch": (FILE, '{"mcp": {"a": {"enabled": true}}}'),
    "a command in one text": (FILE, '{"mcp": {"a": {"type": "local", "command": "npx x"}}}'),
    "another program's type": (FILE, '{"mcp": {"a": {"type": "stdio", "command": ["x"]}}}'),
    "another program's servers": (FILE, '{"mcpServers": {"a": {"command": "x"}}}'),
    "another program's arguments": (
        FILE,
        '{"mcp": {"a": {"type": "local", "command": ["x"], "args": ["y"], "env": {"A": "1"},'
        ' "enabled": false}}}',
    ),
    "newer servers": (
        FILE,
        '{"mcp": {"servers": {"a": {"type": "remote", "url": "http://127.0.0.1:9/",'
        ' "disabled": true, "oauth": {"client_id": "i", "callback_port": 1234}}, "b": {"type":'
        ' "local", "command": ["x"], "disabled": true, "timeout": {"catalog": 100,'
        ' "execution": 100}}}, "timeout": {"catalog": 5000, "execution": 5000}}}',
    ),
    "servers that are off": (
        FILE,
        '{"mcp": {"a": {"type": "local", "command": ["x"], "disabled": true}}}',
    ),
    "no such action": (FILE, '{"permission": {"bash": {"x": "never"}}}'),
    "shared by itself": (FILE, '{"autoshare": true}'),
    "a list of skills": (FILE, '{"skills": ["./a"]}'),
    "newer compaction": (FILE, '{"compaction": {"keep": {"tokens": 5}, "buffer": 7}}'),
    "instructions in one text": (FILE, '{"instructions": "a.md"}'),
    "keys nobody knows": (FILE, '{"agnet": {}, "provider": {"p": {"models": {"m": {"foo": 1}}}}}'),
    "a file that is not there": (FILE, '{"agent": {"x": {"prompt": "{file:./nope.md}"}}}'),
    "an agent's own keys": (
        FILE,
        '{"agent": {"x": {"reasoningEffort": "high", "options": {"a": 1}, "maxSteps": 4,'
        ' "tools": {"write": false}}}}',
    ),
    "references": (
        ".opencode/opencode.json",
        '{"references": {"a": "./docs", "b": "~/c", "d": {"path": "../e"}}}',
    ),
    "a plugin that lies there": (".opencode/plugin/p.ts", "export const P = async () => ({})\n"),
}
SLICES = 4


@pytest.mark.parametrize("part", range(SLICES))
async def test_an_odd_file_is_read_alike(tmp_path: Path, part: int) -> None:
    """Also when it is wrong: the same error, about the same file and key."""
    cases = dict(list(FILES.items())[part::SLICES])
    places = [tmp_path / "original", tmp_path / "ours"]
    ours = Place(places[1])
    for place in places:
        for number, (name, text) in enumerate(cases.values()):
            file = place / str(number) / name
            file.parent.mkdir(parents=True)
            file.write_text(text, newline="")
            make_repository(place / str(number), {})
    (places[0] / "home").mkdir()
    async with (
        original(places[0] / "home", places[0]) as theirs,
        ours.serve(**VARIABLES) as served,
    ):
        servers = [(theirs, places[0]), (served.http, places[1])]
        different = []
        for number, case in enumerate(cases):
            asked = (outcome(http, place / str(number), place) for http, place in servers)
            wanted, found = await asyncio.gather(*asked)
            if wanted != found:
                different.append((case, wanted, found))
        assert not different, different


async def outcome(http: httpx.AsyncClient, root: Path, place: Path) -> Any:
    """The answers of every route, or which error there is, in which file, at which keys."""
    config = await http.get("/config", headers={"x-opencode-directory": quote(str(root), safe="")})
    if config.status_code == 200:
        return normal(await answers(http, root, place))
    error = config.json()
    data = error["data"]
    # of entries of several kinds the original tells what each kind would want, of commands nothing
    issues = [] if "command" in data["path"] else data.get("issues") or []
    at = sorted({tuple(map(str, issue["path"]))[:2] for issue in issues})
    return config.status_code, error["name"], os.path.relpath(data["path"], root), at
