"""``ostler inspect``."""

import asyncio
import json
from pathlib import Path

import pytest

from ostler.client import AsyncClient
from tests.support.command import Place
from tests.support.model_server import ModelServer, text, tool
from tests.support.servers import BOTH, server_of


@pytest.mark.parametrize("kind", BOTH)
async def test_a_session_of_a_server(tmp_path: Path, kind: str) -> None:
    (tmp_path / "server").mkdir()
    script = [tool("bash", command="echo hi", description="Say hi"), text("All done.")]
    async with (
        server_of(kind, tmp_path / "server", script) as server,
        AsyncClient(server.url) as client,
    ):
        session = await client.session.create(title="A session")
        await client.prompt(session.id, "please do")
        place = Place(tmp_path)
        shown = await place.ostler("inspect", session.id, "--url", server.url)
        assert shown.code == 0, shown.err
        for words in ("A session", "please do", "echo hi", "completed", "hi", "All done."):
            assert words in shown.out
        assert "20 in, 10 out tokens" in shown.out
        assert shown.out.endswith("Nothing looks wrong.\n")
        variables = {"OPENCODE_API_URL": server.url}
        found = (await place.ostler("inspect", session.id, "--json", variables=variables)).lines()
        assert found[0]["findings"] == []
        assert found[0]["usage"]["output"] == 10
        assert [step["role"] for step in found[0]["steps"]] == ["user", "assistant", "assistant"]


async def test_an_ask_that_waits(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    script = [tool("bash", command="rm x", description="Remove"), text("done")]
    async with (
        server_of("ostler", tmp_path / "server", script, permission={"bash": "ask"}) as server,
        AsyncClient(server.url) as client,
        client.events() as events,
    ):
        session = await client.session.create()
        turn = asyncio.create_task(client.prompt(session.id, "go"))
        await anext(e async for e in events if e.type == "permission.asked")
        shown = await Place(tmp_path).ostler("inspect", session.id, "--url", server.url)
        assert "pending (pending_permission): somebody has to allow: bash rm x" in shown.out
        turn.cancel()
        await asyncio.wait((turn,))


async def test_a_session_of_the_local_store(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([text("hello there")]) as model:
        place.configure(model.url)
        ran = await place.ostler("run", "--format", "json", "say hello")
    session = ran.lines()[0]["sessionID"]
    shown = await place.ostler("inspect", session)
    assert (shown.code, "hello there" in shown.out) == (0, True), shown.err
    unknown = await place.ostler("inspect", "ses_unknown")
    assert (unknown.code, unknown.out) == (2, "")
    assert "ses_unknown" in unknown.err


async def test_messages_from_standard_input(tmp_path: Path) -> None:
    place = Place(tmp_path)
    info = {"id": "msg_1", "role": "assistant", "finish": "length", "time": {"created": 1}}
    message = {"info": info, "parts": [{"type": "text", "text": "half"}]}
    for said in ([message], {"info": {"id": "ses_1"}, "messages": [message]}, message):
        shown = await place.ostler("inspect", "-", stdin=json.dumps(said))
        assert (shown.code, "- truncated (output_truncated)" in shown.out) == (0, True), shown
    for wrong in ("", "{", "[1]", '{"messages": 1}', '[{"info": 1}]'):
        refused = await place.ostler("inspect", "-", stdin=wrong)
        assert (refused.code, refused.out) == (2, ""), wrong


async def test_long_texts_are_shortened_unless_all_is_wanted(tmp_path: Path) -> None:
    place = Place(tmp_path)
    message = {"info": {"role": "user"}, "parts": [{"type": "text", "text": "x" * 5000}]}
    shown = await place.ostler("inspect", "-", stdin=json.dumps([message]))
    assert "(1000 more characters)" in shown.out
    shown = await place.ostler("inspect", "-", "--full", stdin=json.dumps([message]))
    assert "x" * 5000 in shown.out
