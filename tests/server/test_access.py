"""Who may talk to the server."""

from pathlib import Path

import pytest

from ostler.server.app import Access
from tests.support.product import serving

LOCKED = Access(password="secret")


async def test_a_password(tmp_path: Path) -> None:
    async with serving(tmp_path, access=LOCKED) as ostler:
        for path in ("/session", "/global/health", "/doc", "/event", "/nonsense"):
            refused = await ostler.http.get(path)
            assert refused.status_code == 401
            assert refused.content == b""
            assert refused.headers["www-authenticate"].startswith("Basic")
        wrong = await ostler.http.get("/session", auth=("opencode", "guess"))
        assert wrong.status_code == 401
        right = await ostler.http.get("/session", auth=("opencode", "secret"))
        assert right.status_code == 200


async def test_a_page_of_another_name_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        rebound = await ostler.http.get("/session", headers={"host": "evil.example:4096"})
        assert rebound.status_code == 403
        assert "evil.example" in rebound.text


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_other_origins_get_no_permission(tmp_path: Path, origin: str) -> None:
    async with serving(tmp_path) as ostler:
        answer = await ostler.http.get("/session", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


async def test_an_allowed_origin(tmp_path: Path) -> None:
    access = Access(origins=frozenset(["http://app.example"]))
    async with serving(tmp_path, access=access) as ostler:
        headers = {"origin": "http://app.example", "access-control-request-method": "POST"}
        answer = await ostler.http.options("/session", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "http://app.example"
        assert "POST" in answer.headers["access-control-allow-methods"]
