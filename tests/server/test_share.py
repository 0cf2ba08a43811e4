"""Sharing a session: a page that shows it, at an address nobody can guess."""

from pathlib import Path

from ostler.server.access import Access
from tests.support.model_server import calls, text
from tests.support.product import serving

SCRIPT = [calls(("bash", {"command": "echo '<b>out</b>'"})), text("<script>alert(1)</script> & so")]


async def test_a_shared_session_can_be_looked_at(tmp_path: Path) -> None:
    async with serving(tmp_path, SCRIPT) as ostler:
        session = await ostler.create(title="A <title>")
        await ostler.prompt(session, "show me")
        shared = await ostler.post(f"/session/{session}/share")
        url = shared["share"]["url"]
        assert await ostler.post(f"/session/{session}/share") == shared
        page = await ostler.http.get(url)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "A &lt;title&gt;" in page.text
        assert "show me" in page.text
        assert "&lt;b&gt;out&lt;/b&gt;" in page.text
        assert "<script>" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await ostler.http.get(url[:-1])).status_code == 404
        unshared = (await ostler.http.delete(f"/session/{session}/share")).json()
        assert "share" not in unshared
        assert (await ostler.http.get(url)).status_code == 404


async def test_sharing_can_be_disabled(tmp_path: Path) -> None:
    async with serving(tmp_path, config={"share": "disabled"}) as ostler:
        session = await ostler.create()
        answer = await ostler.http.post(f"/session/{session}/share")
        assert answer.status_code == 403
        assert "disabled" in answer.text
        assert (await ostler.http.post("/session/ses_nope/share")).status_code == 404


async def test_a_password_guards_the_page_too(tmp_path: Path) -> None:
    async with serving(tmp_path, access=Access(password="secret")) as ostler:
        assert (await ostler.http.get("/share/ses_x/y")).status_code == 401
