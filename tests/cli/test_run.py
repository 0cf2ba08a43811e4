"""``ostler run``: what is printed where, and the exit code."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.command import Place, kill
from tests.support.model_server import STALL, ModelServer, Reply, text, tool


async def test_words_on_stdout_and_steps_on_stderr(tmp_path: Path) -> None:
    place = Place(tmp_path)
    script = [tool("write", filePath="a.txt", content="hello\n"), text("All done.")]
    async with ModelServer(script) as models:
        place.configure(models.url)
        done = await place.ostler("run", "make", "a file")
    assert (done.code, done.out) == (0, "All done.\n")
    assert "write a.txt" in done.err
    assert "hello" in done.err
    assert "2 steps" in done.err
    assert models.requests[0]["messages"][-1]["content"] == 'make "a file"'
    assert (place.root / "a.txt").read_text() == "hello\n"


async def test_one_json_object_a_line(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([tool("bash", command="echo hi"), text("done")]) as models:
        place.configure(models.url)
        done = await place.ostler("run", "--format", "json", "go")
    lines = done.lines()
    assert [line["type"] for line in lines] == [
        "step_start",
        "tool_use",
        "step_finish",
        "step_start",
        "text",
        "step_finish",
    ]
    assert len({line["sessionID"] for line in lines}) == 1
    assert all(line["timestamp"] > 0 for line in lines)
    assert lines[1]["part"]["state"]["output"].startswith("hi")
    assert lines[4]["part"]["text"] == "done"
    assert done.code == 0


async def test_what_is_piped_in_is_added(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([text("ok")]) as models:
        place.configure(models.url)
        await place.ostler("run", "summarise", stdin="the piped text")
        assert models.requests[0]["messages"][-1]["content"] == "summarise\nthe piped text"


async def test_a_session_goes_on(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([text("one"), text("two"), text("three")]) as models:
        place.configure(models.url)
        first = await place.ostler("run", "--format", "json", "--title", "Mine", "first")
        session = first.lines()[0]["sessionID"]
        second = await place.ostler("run", "--format", "json", "-c", "second")
        assert second.lines()[0]["sessionID"] == session
        third = await place.ostler("run", "--format", "json", "-s", session, "--fork", "third")
        assert third.lines()[0]["sessionID"] != session
        asked = [m["content"] for m in models.requests[2]["messages"] if m["role"] == "user"]
        assert asked == ["first", "second", "third"]


async def test_what_would_be_asked_is_refused_unless_auto(tmp_path: Path) -> None:
    place = Place(tmp_path)
    script = [tool("bash", command="touch made"), text("done")]
    async with ModelServer([*script, *script]) as models:
        place.configure(models.url, {"permission": {"bash": "ask"}})
        refused = await place.ostler("run", "go")
        assert refused.code == 8
        assert "permission requested: bash (touch made)" in refused.err
        assert not (place.root / "made").exists()
        models.extend()
        allowed = await place.ostler("run", "--auto", "go")
        assert allowed.code == 0 or (place.root / "made").exists()


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (model.error(401, "bad key"), 4, "bad key"),
        (model.error(402, "pay first"), 4, "pay first"),
        (model.error(400, "bad request"), 7, "bad request"),
        (model.error(503, "overloaded"), 5, "overloaded"),
        (text("cut of", finish="length"), 6, "output limit"),
        (
            Reply([model.delta({}, "content_filter", usage=model.usage()), model.DONE]),
            7,
            "content",
        ),
    ],
    ids=["credential", "quota", "refused", "unavailable", "length", "content"],
)
async def test_exit_codes_by_cause(tmp_path: Path, reply: Reply, code: int, says: str) -> None:
    place = Place(tmp_path)
    async with ModelServer([reply]) as models:
        place.configure(models.url, {"retry": {"attempts": 1, "delay": 1}})
        done = await place.ostler("run", "go")
    assert done.code == code
    assert says in done.err
    assert done.err.count("Error:") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "must provide a message"),
        (["run", "-m", "nope/nope", "x"], "nope"),
        (["run", "-m", "nope", "x"], "provider/model"),
        (["run", "-s", "ses_nope", "x"], "ses_nope"),
        (["run", "-c", "x"], "no session"),
        (["run", "--fork", "x"], "--fork"),
        (["run", "--file", "nope.txt", "x"], "nope.txt"),
        (["run", "--dir", "/does/not/exist", "x"], "/does/not/exist"),
        (["run", "--command", "nope", "x"], "nope"),
        (["run", "--format", "xml", "x"], "xml"),
        (["run", "--frmat", "json", "x"], "--format"),
        (["nope"], "nope"),
    ],
)
async def test_usage(tmp_path: Path, arguments: list[str], says: str) -> None:
    place = Place(tmp_path)
    place.configure("http://127.0.0.1:9/v1")
    done = await place.ostler(*arguments)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


async def test_a_configuration_with_a_mistake(tmp_path: Path) -> None:
    place = Place(tmp_path, {"opencode.json": '{\n  "model": 5\n}'})
    done = await place.ostler("run", "x")
    assert done.code == 3
    assert "opencode.json" in done.err
    assert "model" in done.err


async def test_ctrl_c_ends_the_turn_and_says_so_by_its_code(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([Reply([STALL]), text("later")]) as models:
        place.configure(models.url)
        process = await place.start("run", "go")
        assert process.stdin is not None
        process.stdin.close()
        try:
            await models.wait_for_requests(1)
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(10):
                assert await process.wait() == 130
        finally:
            kill(process)
        done = await place.ostler("run", "-c", "again")
        assert (done.code, done.out) == (0, "later\n")


async def test_against_a_server(tmp_path: Path) -> None:
    place = Place(tmp_path)
    script = [tool("bash", command="pwd"), text("over there")]
    async with ModelServer(script) as models:
        place.configure(models.url)
        async with place.serve(OPENCODE_SERVER_PASSWORD="secret") as served:
            url = str(served.http.base_url)
            refused = await place.ostler("run", "--attach", url, "go")
            assert refused.code == 2
            assert "password" in refused.err
            done = await place.ostler(
                "run", "--attach", url, "-p", "secret", "--format", "json", "go"
            )
    assert done.code == 0
    kinds = [line["type"] for line in done.lines()]
    assert kinds.count("step_finish") == 2
    assert "over there" in done.out


async def test_without_a_model_the_rehearsal_says_what_it_is(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = await place.ostler("run", "create a.txt containing hi then read a.txt")
    assert done.code == 0
    assert "not an AI" in done.out
    assert (place.root / "a.txt").read_text().strip() == "hi"


async def test_try(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = await place.ostler("try", variables={"TMPDIR": str(tmp_path)})
    assert done.code == 0
    assert "NameError" in done.err
    assert "total: 12" in done.err
    assert "+print(" in done.out
    assert "ostler serve" in done.out
    (scratch,) = tmp_path.glob("ostler-try-*")
    assert (scratch / "total.py").exists()


async def test_models(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert (await place.ostler("models")).out == "rehearsal/rehearsal\n"
    place.configure("http://127.0.0.1:9/v1")
    assert (await place.ostler("models")).out == "test/m1\n"
    assert (await place.ostler("models", "nope")).code == 2
