"""Each tool, with a rule from each place that rules come from, and what can come of it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import Reply, calls, text
from tests.support.product import Json, Ostler, serving

PATCH = "*** Begin Patch\n*** Add File: made\n+x\n*** End Patch"
TOOLS: dict[str, tuple[str, Json, str]] = {
    "bash": ("bash", {"command": "touch made"}, "bash"),
    "write": ("write", {"filePath": "made", "content": "x"}, "edit"),
    "edit": ("edit", {"filePath": "a.txt", "oldString": "one", "newString": "one!"}, "edit"),
    "apply_patch": ("apply_patch", {"patchText": PATCH}, "edit"),
    "read": ("read", {"filePath": "a.txt"}, "read"),
    "glob": ("glob", {"pattern": "*.txt"}, "glob"),
    "grep": ("grep", {"pattern": "one"}, "grep"),
    "todowrite": ("todowrite", {"todos": []}, "todowrite"),
    "skill": ("skill", {"name": "careful"}, "skill"),
    "webfetch": ("webfetch", {"url": "http://127.0.0.1:9/x"}, "webfetch"),
    "own": ("own", {}, "own"),
}
"""Name -> the tool, a call of it, and the permission it takes."""
FILES = {"a.txt": "one\n", "README.md": "x\n"}
SKILL = "---\nname: careful\ndescription: Be careful.\n---\nSlowly.\n"
OWN = 'def own() -> str:\n    "Own."\n    return "x"\n'
Source = Callable[[Ostler, Json], Any]


async def _in_config(ostler: Ostler, rule: Json, path: Path, wrap: Callable[[Json], Json]) -> None:
    written = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**written, **wrap({"permission": rule})}))
    await ostler.post("/instance/dispose")


async def of_the_user(ostler: Ostler, rule: Json) -> Json:
    path = ostler.root.parent / "home/.config/opencode/opencode.json"
    await _in_config(ostler, rule, path, dict)
    return {}


async def of_the_project(ostler: Ostler, rule: Json) -> Json:
    await _in_config(ostler, rule, ostler.root / "opencode.json", dict)
    return {}


async def of_the_agent(ostler: Ostler, rule: Json) -> Json:
    path = ostler.root / "opencode.json"
    await _in_config(ostler, rule, path, lambda config: {"agent": {"build": config}})
    return {}


async def of_the_session(ostler: Ostler, rule: Json) -> Json:
    ((name, action),) = rule.items()
    return {"permission": [{"permission": name, "pattern": "*", "action": action}]}


SOURCES: tuple[Source, ...] = (of_the_user, of_the_project, of_the_agent, of_the_session)


def script_for(name: str, arguments: Mapping[str, Any]) -> Callable[[Json], Reply]:
    """The tool twice, each in an answer of its own, then a word."""

    def answer(body: Json) -> Reply:
        done = sum(1 for m in body["messages"] if m["role"] == "tool")
        return calls((name, dict(arguments))) if done < 2 else text("done")

    return answer


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.__name__)
@pytest.mark.parametrize("case", TOOLS)
async def test_what_comes_of_a_call(tmp_path: Path, case: str, source: Source) -> None:
    name, arguments, permission = TOOLS[case]
    model = {"id": "gpt-5-x"} if case == "apply_patch" else {}
    async with serving(
        tmp_path,
        script_for(name, arguments),
        files=FILES,
        titles=False,
        model=model,
        OSTLER_TRUST="1",
    ) as ostler:
        for path, content in (
            (".opencode/skills/careful/SKILL.md", SKILL),
            (".opencode/tool/own.py", OWN),
        ):
            (ostler.root / path).parent.mkdir(parents=True)
            (ostler.root / path).write_text(content)
        body = await source(ostler, {permission: "ask"})
        await _once(ostler, body, permission)
        await _rejected(ostler, body)
        await _always(ostler, body)
        body = await source(ostler, {permission: "deny"})
        await _denied(ostler, body, name)


async def _started(ostler: Ostler, body: Json) -> tuple[str, Any]:
    events = await ostler.events()
    session = await ostler.create(title="Named", **body)
    await ostler.prompt_async(session)
    return session, events


async def _reply(ostler: Ostler, events: Any, reply: str, count: int = 1) -> Json:
    asked: Json = (await events.until("permission.asked", count))["properties"]
    await ostler.post(f"/permission/{asked['id']}/reply", {"reply": reply})
    return asked


async def _once(ostler: Ostler, body: Json, permission: str) -> None:
    _, events = await _started(ostler, body)
    assert (await _reply(ostler, events, "once"))["permission"] == permission
    await _reply(ostler, events, "once", 2)
    await events.idle()
    assert len(events.of("permission.asked")) == 2
    await events.close()


async def _rejected(ostler: Ostler, body: Json) -> None:
    session, events = await _started(ostler, body)
    await _reply(ostler, events, "reject")
    await events.idle()
    (part,) = await ostler.parts(session, "tool")
    assert part["state"]["status"] == "error"
    await events.close()


async def _always(ostler: Ostler, body: Json) -> None:
    session, events = await _started(ostler, body)
    await _reply(ostler, events, "always")
    await events.idle()
    assert len(events.of("permission.asked")) == 1
    assert len(await ostler.parts(session, "tool")) == 2
    await events.close()


async def _denied(ostler: Ostler, body: Json, name: str) -> None:
    ostler.model.requests.clear()
    session, events = await _started(ostler, body)
    await events.idle()
    offered = [t["function"]["name"] for t in ostler.model.requests[0]["tools"]]
    assert name not in offered
    assert events.of("permission.asked") == []
    states = [p["state"] for p in await ostler.parts(session, "tool")]
    assert all("unavailable" in str(state) for state in states)
    await events.close()
