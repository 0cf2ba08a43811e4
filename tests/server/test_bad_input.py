"""What clients get wrong: each mistake is named, and nothing that was stored is lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import text
from tests.support.product import serving, texts

TEXT = [{"type": "text", "text": "x"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/session", b"{not json", 400, "JSON"),
        ("POST", "/session", b"[]", 400, "object"),
        ("POST", "/session", b'{"title": 5}', 400, "title"),
        ("POST", "/session", b'{"parentID": "ses_nope"}', 404, "ses_nope"),
        ("PATCH", "/session/{id}", b'{"time": {"archived": "x"}}', 400, "time.archived"),
        ("POST", "/session/{id}/message", b"", 400, "empty body"),
        ("POST", "/session/{id}/message", b'{"parts": "x"}', 400, "parts"),
        ("POST", "/session/{id}/message", b'{"parts": [{"type": "song"}]}', 400, "song"),
        ("POST", "/session/{id}/message", b'{"parts": [{"type": "text"}]}', 400, "text"),
        ("POST", "/session/{id}/message", b'{"messageID": "x", "parts": []}', 400, "messageID"),
        ("GET", "/session/{id}/message?limit=x", None, 400, "limit"),
        ("GET", "/session/{id}/message?limit=-1", None, 400, "limit"),
        ("GET", "/session/{id}/message?before=zzz&limit=2", None, 400, "before"),
        ("GET", "/session/ses_nope", None, 404, "ses_nope"),
        ("GET", "/session/nonsense", None, 400, "sessionID"),
        ("DELETE", "/session/ses_nope", None, 404, "ses_nope"),
        ("GET", "/session/ses_nope/message", None, 404, "ses_nope"),
        ("POST", "/session/ses_nope/message", b'{"parts": []}', 404, "ses_nope"),
        ("GET", "/session/{id}/message/msg_nope", None, 404, "msg_nope"),
        ("POST", "/session/{id}/command", b'{"command":"nope","arguments":""}', 404, "nope"),
        ("POST", "/session/{id}/shell", b'{"agent":"nope","command":"ls"}', 404, "nope"),
        ("POST", "/session/{id}/summarize", b'{"providerID":"test"}', 400, "modelID"),
        ("POST", "/session/{id}/fork", b'{"messageID":"msg_nope"}', 400, "msg_nope"),
        ("GET", "/file?path=../..", None, 400, "../.."),
        ("GET", "/file?path=nope", None, 404, "nope"),
        ("GET", "/find?pattern=(", None, 400, "pattern"),
        ("GET", "/find/file", None, 400, "query"),
        ("GET", "/vcs/diff?mode=x", None, 400, "mode"),
        ("POST", "/vcs/apply", b'{"patch":"nonsense"}', 400, "not-clean"),
        ("GET", "/session?directory=%00x", None, 400, "NUL"),
        ("GET", "/find/file?query=a&directory=/no/such/place", None, 400, "/no/such/place"),
        ("GET", "/no/such/route", None, 404, "/no/such/route"),
        ("PUT", "/session", b"{}", 404, "PUT /session"),
    ],
)
async def test_named_mistakes(
    tmp_path: Path, method: str, path: str, body: bytes | None, status: int, says: str
) -> None:
    async with serving(tmp_path, [text("still here")]) as ostler:
        session = await ostler.create()
        headers = {"content-type": "application/json"} if body is not None else {}
        answer = await ostler.http.request(
            method, path.replace("{id}", session), content=body, headers=headers
        )
        assert (answer.status_code, says in answer.text) == (status, True), answer.text
        assert answer.headers["content-type"].startswith("application/json")
        shaped = answer.json()
        assert {"name", "data"} <= shaped.keys() or "_tag" in shaped
        assert texts(await ostler.prompt(session)) == "still here"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"agent": "nope"}, "nope"),
        ({"model": {"providerID": "test", "modelID": "nope"}}, "nope"),
        ({"model": {"providerID": "nope", "modelID": "m1"}}, "nope"),
    ],
    ids=["agent", "model", "provider"],
)
async def test_unknown_names_in_a_prompt(tmp_path: Path, body: dict[str, Any], says: str) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        events = await ostler.events()
        session = await ostler.create()
        answer = await ostler.http.post(f"/session/{session}/message", json={"parts": TEXT, **body})
        assert answer.status_code == 404
        assert says in answer.text
        await events.until("session.error")
        assert await ostler.messages(session) == []
        assert texts(await ostler.prompt(session)) == "ok"


async def test_a_missing_file_in_a_prompt(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        session = await ostler.create()
        url = f"file://{ostler.root}/nope.txt"
        parts = [*TEXT, {"type": "file", "mime": "text/plain", "url": url}]
        answer = await ostler.http.post(f"/session/{session}/message", json={"parts": parts})
        assert "nope.txt" in answer.text or "nope.txt" in str(ostler.model.requests[0])
        assert texts(await ostler.prompt(session)) == "ok"


async def test_a_body_that_is_not_json_by_its_own_account(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        answer = await ostler.http.post(
            "/session", content=b"title=x", headers={"content-type": "text/plain"}
        )
        assert answer.status_code == 415


async def test_unknown_keys_are_ignored(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        assert (await ostler.post("/session", {"title": "x", "colour": "red"}))["title"] == "x"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{broken", "opencode.json:1:"),
        ('{"model": 5}', "model"),
        ('{"agent": {"x": {"steps": "many"}}}', "steps"),
    ],
)
async def test_a_configuration_that_cannot_be_used(tmp_path: Path, written: str, says: str) -> None:
    async with serving(tmp_path, [text("ok")], files={"opencode.json": written}) as ostler:
        answer = await ostler.http.post("/session", json={})
        assert answer.status_code == 400
        assert says in answer.text
        assert "opencode.json" in answer.text
        (ostler.root / "opencode.json").write_text("{}")
        assert texts(await ostler.prompt(await ostler.create())) == "ok"
