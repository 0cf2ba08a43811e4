"""Tools that users write in Python, in turns over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Place
from tests.support.model_server import text, tool
from tests.support.product import Json, Ostler, serving, texts

WEATHER = '''
import dataclasses, sys
from typing import Annotated, Literal

@dataclasses.dataclass
class Place:
    name: str
    country: str = "NL"

async def weather(place: Place, unit: Literal["C", "F"] = "C") -> dict:
    """Say what the weather is like.

    Second line of it.

    Args:
        place (Place): where
        unit: of the temperature
    """
    return {"output": f"{place.name}/{place.country} 20 {unit}", "title": "Weather"}

def count(items: Annotated[list[int], "what is added"]) -> int:
    "Add numbers."
    return sum(items)

def where(context) -> str:
    "Say where we are."
    return context.directory

def broken(reason: str) -> str:
    "Fail."
    raise ValueError(reason)

def leave() -> str:
    "Exit."
    sys.exit(3)

def _private() -> str:
    "No tool."
    return ""

def without_docstring() -> str:
    return ""
'''


async def put(ostler: Ostler, name: str, source: str) -> None:
    folder = ostler.root / ".opencode/tool"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(source)
    await ostler.post("/instance/dispose")


async def called(ostler: Ostler) -> Json:
    """The state of the call in a new session's turn."""
    session = await ostler.create(title="Named")
    await ostler.prompt(session)
    (part,) = await ostler.parts(session, "tool")
    state: Json = part["state"]
    return state


async def test_what_the_model_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")], titles=False, OSTLER_TRUST="1") as ostler:
        await put(ostler, "weather.py", WEATHER)
        assert texts(await ostler.prompt(await ostler.create(title="Named"))) == "ok"
        told = {t["function"]["name"]: t["function"] for t in ostler.model.requests[0]["tools"]}
        own = {name for name in told if name.startswith("weather")}
        assert own == {
            "weather",
            "weather_count",
            "weather_where",
            "weather_broken",
            "weather_leave",
        }
        weather = told["weather"]
        assert weather["description"] == ("Say what the weather is like.\n\nSecond line of it.")
        parameters = weather["parameters"]
        assert parameters["required"] == ["place"]
        assert parameters["properties"]["unit"] == {
            "enum": ["C", "F"],
            "description": "of the temperature",
        }
        assert parameters["properties"]["place"]["properties"]["name"] == {"type": "string"}
        assert parameters["properties"]["place"]["description"] == "where"
        numbers = told["weather_count"]["parameters"]["properties"]["items"]
        assert numbers["description"] == "what is added"
        assert told["weather_where"]["parameters"]["properties"] == {}
        assert own <= set(await ostler.get("/experimental/tool/ids"))


@pytest.mark.parametrize(
    ("name", "arguments", "status", "said"),
    [
        ("weather", {"place": {"name": "Delft"}}, "completed", "Delft/NL 20 C"),
        ("weather_count", {"items": [1, 2, 3]}, "completed", "6"),
        ("weather_broken", {"reason": "of course"}, "error", "ValueError: of course"),
        ("weather_leave", {}, "error", "SystemExit: 3"),
        ("weather_count", {"items": ["x"]}, "error", "$.items[0]"),
        ("weather", {}, "error", "place"),
    ],
)
async def test_what_comes_of_a_call(
    tmp_path: Path, name: str, arguments: dict[str, Any], status: str, said: str
) -> None:
    script = [tool(name, **arguments), text("done")]
    async with serving(tmp_path, script, titles=False, OSTLER_TRUST="1") as ostler:
        await put(ostler, "weather.py", WEATHER)
        state = await called(ostler)
        assert state["status"] == status
        assert said in state.get("output", state.get("error", ""))
        if name == "weather_broken":
            assert "weather.py:" in state["error"]


async def test_rules_hold_for_it(tmp_path: Path) -> None:
    config = {"permission": {"weather_count": "deny"}}
    async with serving(
        tmp_path, [text("ok")], titles=False, config=config, OSTLER_TRUST="1"
    ) as ostler:
        await put(ostler, "weather.py", WEATHER)
        await ostler.prompt(await ostler.create(title="Named"))
        names = [t["function"]["name"] for t in ostler.model.requests[0]["tools"]]
        assert "weather" in names
        assert "weather_count" not in names


async def test_a_projects_tools_wait_for_trust(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    source = f'open({str(marker)!r}, "w")\ndef mine() -> str:\n    "Mine."\n    return "x"\n'
    async with serving(tmp_path, [text("ok")], titles=False) as ostler:
        await put(ostler, "mine.py", source)
        await ostler.prompt(await ostler.create(title="Named"))
        names = [t["function"]["name"] for t in ostler.model.requests[0]["tools"]]
        assert "mine" not in names
        assert not marker.exists()


async def test_a_file_that_fails_is_left_out_and_named(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.configure("http://127.0.0.1:9")
    folder = place.home / ".config/opencode/tools"
    folder.mkdir(parents=True)
    for name, source in (
        ("bad_syntax.py", "def x(:\n"),
        ("bad_import.py", "\nimport no_such_module\n"),
        ("bad_hint.py", 'def f(x: "Nowhere") -> str:\n    "d"\n'),
        ("bad_type.py", 'def f(x: complex) -> str:\n    "d"\n'),
        ("bad_exit.py", "raise SystemExit(1)\n"),
        ("good.py", 'def good() -> str:\n    "Good."\n    return "x"\n'),
    ):
        (folder / name).write_text(source)
    shown = (await place.ostler("debug", "config", "--sources")).out
    for name, said in (
        ("bad_syntax.py", "SyntaxError"),
        ("bad_import.py", "no_such_module"),
        ("bad_hint.py", "Nowhere"),
        ("bad_type.py", "complex"),
        ("bad_exit.py", "SystemExit"),
    ):
        (line,) = (one for one in shown.splitlines() if name in one and "warning" in one)
        assert said in line
    tools = json.loads((await place.ostler("debug", "agent", "build")).out)["tools"]
    assert "good" in tools
