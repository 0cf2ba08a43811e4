"""Model servers that misbehave: every failure is named on the message, nothing stored is lost, and
the session stays usable."""

from pathlib import Path

import pytest

from tests.support import model_server as model
from tests.support.model_server import CUT, RESET, STALL, Reply, text, tool
from tests.support.product import serving, texts

BEGUN = model.delta({"role": "assistant", "content": "so far"})
SOON = {"retry": {"delay": 1}}


@pytest.mark.parametrize(
    ("reply", "name", "says"),
    [
        (model.error(401, "bad key"), "APIError", "bad key"),
        (model.error(403, "not yours"), "APIError", "not yours"),
        (model.error(404, "no such model m1"), "APIError", "no such model"),
        (model.error(400, "tools are not supported"), "APIError", "tools are not supported"),
        (
            Reply([b"<html>gateway</html>"], 400, {}, "text/html"),
            "APIError",
            "HTML page",
        ),
    ],
    ids=["401", "403", "404", "400", "not json"],
)
async def test_refusals(tmp_path: Path, reply: Reply, name: str, says: str) -> None:
    async with serving(tmp_path, [reply, text("well again")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        answer = await ostler.prompt(session)
        error = answer["info"]["error"]
        assert error["name"] == name
        assert says in error["data"]["message"]
        await events.idle()
        assert [e["error"]["name"] for e in events.of("session.error")] == [name]
        assert texts(await ostler.prompt(session)) == "well again"
        assert len(await ostler.messages(session)) == 4


@pytest.mark.parametrize("end", [CUT, RESET], ids=["closed", "reset"])
async def test_a_server_that_dies_in_the_middle_is_asked_again(tmp_path: Path, end: object) -> None:
    script = [Reply([BEGUN, end]), text("whole")]
    async with serving(tmp_path, script, config=SOON) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert "error" not in answer["info"]
        assert texts(answer) == "whole"  # what the first attempt wrote is taken back
        await events.until("message.part.removed")
        assert len(ostler.model.requests) == 2
        retries = [
            e["status"] for e in events.of("session.status") if e["status"]["type"] == "retry"
        ]
        assert [r["attempt"] for r in retries] == [1]
        assert retries[0]["message"]
        assert retries[0]["next"] > 0


async def test_an_overloaded_server_says_when_to_come_back(tmp_path: Path) -> None:
    script = [model.error(429, "slow down", {"retry-after-ms": "20"}), text("ok")]
    async with serving(tmp_path, script, config=SOON) as ostler:
        assert texts(await ostler.prompt(await ostler.create())) == "ok"


async def test_retries_come_to_an_end(tmp_path: Path) -> None:
    busy = model.error(503, "busy", {"retry-after-ms": "1"})
    async with serving(tmp_path, [busy]) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert answer["info"]["error"]["name"] == "APIError"
        assert answer["info"]["error"]["data"]["statusCode"] == 503
        assert 2 <= len(ostler.model.requests) <= 12


async def test_a_stalled_stream(tmp_path: Path) -> None:
    script = [Reply([BEGUN, STALL]), text("whole")]
    async with serving(tmp_path, script, config=SOON, options={"chunkTimeout": 50}) as ostler:
        answer = await ostler.prompt(await ostler.create())
        assert "whole" in texts(answer)


async def test_a_server_that_never_answers(tmp_path: Path) -> None:
    never = Reply([text("late").whole], before=30.0)
    options = {"headerTimeout": 50}
    async with serving(tmp_path, [never, text("whole")], config=SOON, options=options) as ostler:
        assert texts(await ostler.prompt(await ostler.create())) == "whole"


async def test_a_whole_request_that_takes_too_long(tmp_path: Path) -> None:
    slow = Reply([BEGUN, *[model.delta({"content": "."}), 0.01] * 2000])
    options = {"timeout": 100}
    async with serving(tmp_path, [slow, text("whole")], config=SOON, options=options) as ostler:
        assert "whole" in texts(await ostler.prompt(await ostler.create()))


@pytest.mark.parametrize(
    "garbage",
    [b"data: {not json\n\n", b"data: [1,2]\n\n", b'data: {"choices": "none"}\n\n', b"\xff\xfe\n\n"],
)
async def test_garbage_in_the_stream(tmp_path: Path, garbage: bytes) -> None:
    script = [Reply([BEGUN, garbage, CUT]), text("whole")]
    async with serving(tmp_path, script, config=SOON) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        assert "whole" in texts(answer)
        assert "error" not in answer["info"]


async def test_an_error_inside_the_stream(tmp_path: Path) -> None:
    broken = model.event({"error": {"message": "the model fell over", "code": 500}})
    script = [Reply([BEGUN, broken]), text("whole")]
    async with serving(tmp_path, script, config=SOON) as ostler:
        assert "whole" in texts(await ostler.prompt(await ostler.create()))


async def test_an_empty_answer_is_a_failure(tmp_path: Path) -> None:
    empty = Reply([model.delta({}, "stop", usage=model.usage()), model.DONE])
    async with serving(tmp_path, [empty, text("words")], config=SOON) as ostler:
        session = await ostler.create()
        assert texts(await ostler.prompt(session)) == "words"
        assert len(ostler.model.requests) == 2


async def test_only_empty_answers(tmp_path: Path) -> None:
    empty = Reply([model.delta({}, "stop", usage=model.usage()), model.DONE])
    async with serving(tmp_path, [empty], config=SOON) as ostler:
        answer = await ostler.prompt(await ostler.create())
        assert answer["info"]["error"]["name"] == "APIError"
        assert "neither text nor a tool call" in answer["info"]["error"]["data"]["message"]


async def test_an_answer_cut_off_by_its_length(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("a long st", finish="length")]) as ostler:
        answer = await ostler.prompt(await ostler.create())
        assert texts(answer) == "a long st"
        assert answer["info"]["finish"] == "length"


async def test_refused_content(tmp_path: Path) -> None:
    refused = Reply([model.delta({}, "content_filter", usage=model.usage()), model.DONE])
    async with serving(tmp_path, [refused]) as ostler:
        answer = await ostler.prompt(await ostler.create())
        assert answer["info"]["error"]["name"] == "ContentFilterError"


async def test_nobody_listens_at_the_address(tmp_path: Path) -> None:
    config = {"retry": {"attempts": 1, "delay": 1}}
    options = {"baseURL": "http://127.0.0.1:9/v1"}
    async with serving(tmp_path, config=config, options=options) as ostler:
        session = await ostler.create()
        answer = await ostler.prompt(session)
        error = answer["info"]["error"]
        assert error["name"] == "APIError"
        assert "127.0.0.1:9" in error["data"]["message"]


async def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    script = [tool("write", filePath="a.txt", content="x"), model.error(400, "no"), text("ok")]
    async with serving(tmp_path, script, config=SOON) as ostler:
        session = await ostler.create()
        await ostler.prompt(session)
        (part,) = await ostler.parts(session, "tool")
        assert part["state"]["status"] == "completed"
        assert (ostler.root / "a.txt").read_text() == "x"
        assert texts(await ostler.prompt(session)) == "ok"
        sent = ostler.model.requests[2]["messages"]
        assert [m["role"] for m in sent if m["role"] == "tool"] == ["tool"]
