"""Routes for what OpenCode's maker hosts: they answer, and there is nothing of it here."""

from pathlib import Path

from tests.support.product import serving


async def test_there_is_nothing_hosted(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        session = await ostler.create()
        assert (await ostler.get("/experimental/console"))["switchableOrgCount"] == 0
        assert await ostler.get("/experimental/console/orgs") == {"orgs": []}
        for path in ("", "/adapter", "/status"):
            assert await ostler.get(f"/experimental/workspace{path}") == []
        assert await ostler.post("/experimental/workspace/sync-list") is None
        warp = {"id": None, "sessionID": session}
        assert await ostler.post("/experimental/workspace/warp", warp) is None
        assert await ostler.post("/sync/start") is True
        assert await ostler.post("/sync/history") == []
        assert await ostler.post("/sync/steal", {"sessionID": session}) == {"sessionID": session}
        assert await ostler.get("/api/health") == {"healthy": True}


async def test_what_would_need_it_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        session = await ostler.create()
        for path, body, name in (
            ("/experimental/workspace", {"type": "cloud"}, "WorkspaceCreateError"),
            (
                "/experimental/workspace/warp",
                {"id": "wrk_1", "sessionID": session},
                "WorkspaceWarpError",
            ),
        ):
            answer = await ostler.http.post(path, json=body)
            assert answer.status_code == 400
            assert answer.json()["name"] == name
            assert "worktree" in answer.json()["data"]["message"]
