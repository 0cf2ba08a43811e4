"""Cassettes: recorded once, played back in another place without a model server."""

import json
import re
from pathlib import Path

from tests.support.command import Place
from tests.support.model_server import ModelServer, error, text, tool

NOWHERE = "http://127.0.0.1:9/v1"


async def record(place: Place, cassette: Path) -> None:
    script = [
        tool("read", filePath=f"{place.root}/README.md"),
        tool("bash", command="echo made > made.txt; pwd"),
        text("All ", "done."),
    ]
    async with ModelServer(script) as models:
        place.configure(models.url)
        done = await place.ostler("run", "--record", str(cassette), "go on")
    assert (done.code, done.out) == (0, "All done.\n"), done.err


async def test_played_back_elsewhere(tmp_path: Path) -> None:
    cassette = tmp_path / "cassette.jsonl"
    await record(Place(tmp_path / "first"), cassette)
    assert cassette.stat().st_mode & 0o777 == 0o600
    recorded = cassette.read_text()
    assert "test-key" not in recorded
    other = Place(tmp_path / "a much longer name than the first")
    other.configure(NOWHERE)
    # What the model said is played word for word: it names the first place's file.
    moved = recorded.replace(str(tmp_path / "first/project"), str(other.root))
    cassette.write_text(moved)
    done = await other.ostler("run", "--replay", str(cassette), "go on")
    assert (done.code, done.out) == (0, "All done.\n"), done.err
    assert (other.root / "made.txt").read_text() == "made\n"


async def test_the_block_that_changed_is_named(tmp_path: Path) -> None:
    cassette = tmp_path / "cassette.jsonl"
    place = Place(tmp_path / "first")
    await record(place, cassette)
    place.configure(NOWHERE)
    (place.root / "README.md").write_text("Another project.\n")
    done = await place.ostler("run", "--replay", str(cassette), "go on")
    assert done.code == 7
    assert "messages[3].content[0] (tool, tool_result of read) is different" in done.err
    assert "A project." in done.err
    assert "Another project." in done.err

    done = await place.ostler("run", "--replay", str(cassette), "go elsewhere")
    assert "messages[1].content[0] (user, text) is different" in done.err


async def test_failures_are_played_as_well(tmp_path: Path) -> None:
    cassette = tmp_path / "cassette.jsonl"
    place = Place(tmp_path)
    async with ModelServer([error(503), text("in the end")]) as models:
        place.configure(models.url, {"retry": {"delay": 1}})
        assert (await place.ostler("run", "--record", str(cassette), "go")).code == 0
    place.configure(NOWHERE, {"retry": {"delay": 1}})
    done = await place.ostler("run", "--replay", str(cassette), "go")
    assert (done.code, done.out) == (0, "in the end\n")
    again = await place.ostler("run", "--replay", str(cassette), "--continue", "and more")
    assert again.code == 7
    assert "is different" in again.err


async def test_a_served_session_without_the_recorded_key(tmp_path: Path) -> None:
    """What was recorded with a provider of the catalogue plays where its key is not set."""
    cassette = tmp_path / "cassette.jsonl"
    place = Place(tmp_path)
    async with ModelServer([text("from groq")]) as models:
        entry = {"options": {"baseURL": models.url, "apiKey": "x"}}
        model = "groq/openai/gpt-oss-120b"
        place.configure(models.url, {"model": model, "provider": {"groq": entry}})
        assert await served(place, "--record", str(cassette)) == "from groq"
    place.configure(NOWHERE)
    assert await served(place, "--replay", str(cassette)) == "from groq"


async def served(place: Place, *arguments: str) -> str:
    """What a server says to one prompt."""
    async with place.serve(*arguments) as server:
        session = (await server.http.post("/session", json={"title": "Named"})).json()
        said = {"parts": [{"type": "text", "text": "go"}]}
        answer = (await server.http.post(f"/session/{session['id']}/message", json=said)).json()
        assert "error" not in answer["info"], answer["info"]["error"]
        return str(answer["parts"][1]["text"])


async def test_what_is_no_cassette(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.configure(NOWHERE)
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    for arguments, said in (
        (["--replay", str(tmp_path / "missing")], "No such file"),
        (["--replay", str(tmp_path / "other.json")], "no cassette"),
        (["--record", "a", "--replay", "b"], "exclude each other"),
        (["--record", "a", "--attach", "http://127.0.0.1:9"], "--attach"),
    ):
        done = await place.ostler("run", *arguments, "go")
        assert done.code == 2
        assert re.search(said, done.err)
