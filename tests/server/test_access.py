"""Who may talk to the server."""

from pathlib import Path

import pytest

from ostler.server.access import Access
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


# ── a page that the user happens to visit ────────────────────────────────────────────────────


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
async def test_a_foreign_page_changes_nothing(tmp_path: Path, origin: str) -> None:
    """Such a request needs no permission of CORS: the browser sends it, and hides the answer."""
    async with serving(tmp_path) as ostler:
        simple = {"origin": origin, "content-type": "text/plain"}
        for path in ("/session", "/instance/dispose", "/global/dispose"):
            answer = await ostler.http.post(path, headers=simple)
            assert answer.status_code == 403
            assert origin in answer.text
        assert await ostler.get("/session") == []


async def test_pages_that_may(tmp_path: Path) -> None:
    access = Access(origins=frozenset(["http://app.example"]))
    async with serving(tmp_path, access=access) as ostler:
        own = str(ostler.http.base_url).rstrip("/")
        for origin in ("http://app.example", own):
            answer = await ostler.http.post("/session", json={}, headers={"origin": origin})
            assert answer.status_code == 200


async def test_every_operation_wants_the_password(tmp_path: Path) -> None:
    async with serving(tmp_path, access=LOCKED) as ostler:
        answer = await ostler.http.get("/doc", auth=("opencode", "secret"))
        tried = 0
        for path, operations in answer.json()["paths"].items():
            filled = path.replace("{", "").replace("}", "")
            for method in operations:
                refused = await ostler.http.request(method.upper(), filled)
                assert refused.status_code == 401, (method, path)
                tried += 1
        assert tried > 130


async def test_the_user_name_may_be_another(tmp_path: Path) -> None:
    access = Access(password="secret", username="robot")
    async with serving(tmp_path, access=access) as ostler:
        for name, status in (("robot", 200), ("opencode", 401)):
            answer = await ostler.http.get("/session", auth=(name, "secret"))
            assert answer.status_code == status


# ── files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "inner/../../secret.txt",
        "{outside}/secret.txt",
        "link.txt",
        "folder/secret.txt",
        "%2e%2e/secret.txt",
    ],
)
async def test_files_outside_the_project_are_not_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("a secret")
    async with serving(tmp_path) as ostler:
        (ostler.root / "link.txt").symlink_to(tmp_path / "secret.txt")
        (ostler.root / "folder").symlink_to(tmp_path)
        asked = path.replace("{outside}", str(tmp_path))
        answer = await ostler.http.get("/file/content", params={"path": asked})
        assert "a secret" not in answer.text
        assert answer.status_code in (200, 400, 404)  # a file that is not there is empty


@pytest.mark.parametrize("path", ["..", "../..", "folder", "{outside}"])
async def test_folders_outside_the_project_are_not_listed(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as ostler:
        (ostler.root / "folder").symlink_to(tmp_path)
        asked = path.replace("{outside}", str(tmp_path))
        answer = await ostler.http.get("/file", params={"path": asked})
        assert answer.status_code == 400
