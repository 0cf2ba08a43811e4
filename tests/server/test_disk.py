"""A disk that is nearly full, and one that gets full: what is refused, told and kept."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ostler.disk import Brake
from ostler.schema.errors import DiskLow
from tests.support.command import Place
from tests.support.model_server import ModelServer, text, tool
from tests.support.product import serving, texts
from tests.support.small_disk import RESERVE, empty, fill, small_disk

EVERYTHING = {"disk": {"free": 2**30}}
"""More megabytes than any disk has."""
PARTS = {"parts": [{"type": "text", "text": "go"}]}
WAYS: dict[str, dict[str, Any]] = {
    "message": PARTS,
    "prompt_async": PARTS,
    "command": {"command": "init", "arguments": ""},
    "shell": {"command": "true", "agent": "build"},
    "summarize": {"providerID": "test", "modelID": "m1"},
    "init": {"providerID": "test", "modelID": "m1", "messageID": "msg_1"},
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_turn_is_begun(tmp_path: Path, way: str) -> None:
    async with serving(tmp_path, config=EVERYTHING) as ostler:
        session = await ostler.create()
        answer = await ostler.http.post(f"/session/{session}/{way}", json=WAYS[way])
        assert answer.status_code == 507
        body = answer.json()
        assert body["name"] == "DiskLowError"
        assert body["data"]["path"] in (
            str(tmp_path / "home/.local/share/ostler"),
            str(ostler.root),
        )
        assert 0 < body["data"]["free"] < body["data"]["needed"] == 2**50
        for said in (body["data"]["path"], "disk.free", "ostler db size", "ostler db vacuum"):
            assert said in body["data"]["message"]
        assert await ostler.messages(session) == []
        assert ostler.model.requests == []
        assert (await ostler.get("/global/health"))["disk"]["needed"] == 2**50


async def test_zero_is_no_limit(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("fine")], config={"disk": {"free": 0}}) as ostler:
        assert texts(await ostler.prompt(await ostler.create())) == "fine"
        assert "disk" not in await ostler.get("/global/health")


def test_a_disk_is_looked_at_once_a_second(tmp_path: Path) -> None:
    now = 0.0
    brake = Brake([str(tmp_path)], clock=lambda: now)
    brake.check()
    tmp_path.rmdir()
    brake.check()  # what cannot be looked at is not refused either
    now = 5.0
    brake.check()
    with pytest.raises(DiskLow, match=r"nearly full: / has .* MB free, .* 1125899906842\.6"):
        Brake(["/"], 1125899906842 * 2**20 + 2**19 + 2**17).check()


async def test_a_small_disk_needs_a_twentieth(tmp_path: Path) -> None:
    with small_disk(tmp_path / "project", 20) as disk:
        async with serving(tmp_path, [text("one"), text("two")]) as ostler:
            session = await ostler.create()
            fill(disk, leave=2**19)
            answer = await ostler.http.post(f"/session/{session}/message", json=PARTS)
            assert answer.status_code == 507
            assert answer.json()["data"]["path"] == str(disk)
            assert answer.json()["data"]["needed"] == 2**20
            assert "1.0 MB" in answer.json()["data"]["message"]
            empty(disk)
            assert texts(await ostler.prompt(session)) == "one"


@pytest.mark.parametrize("leave", [0, 24_576, 65_536])
async def test_a_disk_that_gets_full_while_a_turn_runs(tmp_path: Path, leave: int) -> None:
    """The turn ends and says why; what was stored before is whole; with room again it goes on."""
    with small_disk(tmp_path / "home", 24) as disk:
        file = disk / RESERVE
        filling = f"head -c 40000000 /dev/zero > {file}; truncate -s -{leave} {file}"
        script = [
            text("before"),
            tool("bash", command=filling + "; seq 20000"),
            *(tool("bash", command=f"seq {last}") for last in range(20_000, 20_004)),
            text("well again"),
        ]
        async with serving(tmp_path, script) as ostler:
            session = await ostler.create()
            assert texts(await ostler.prompt(session)) == "before"
            events = await ostler.events()
            answer = await ostler.http.post(f"/session/{session}/message", json=PARTS)
            assert answer.status_code == 507, answer.text
            assert answer.json()["name"] == "DiskFullError"
            assert "ostler.db could not be written" in answer.json()["data"]["message"]
            await events.idle()
            told = [e["error"]["name"] for e in events.of("session.error")]
            assert told == ["DiskFullError"]
            assert await ostler.get("/session/status") == {}
            refused = await ostler.http.post(f"/session/{session}/message", json=PARTS)
            assert refused.json()["name"] == "DiskLowError"
            empty(disk)
            assert texts((await ostler.messages(session))[1]) == "before"
            assert _is_whole(ostler.runtime.paths.database)
            # What ran when it happened is answered with the next prompt.
            assert "again" in texts(await ostler.prompt(session))
        assert _is_whole(ostler.runtime.paths.database)


async def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The same through a limit of the process, where nothing can be mounted."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("another process cannot be limited here")
    place = Place(tmp_path)
    database = place.home / ".local/share/ostler/ostler.db"
    script = [text("before"), tool("bash", command="seq 20000"), text("well again")]
    async with ModelServer(script) as models:
        place.configure(models.url)
        async with place.serve() as served:
            session = (await served.post("/session"))["id"]
            await served.post(f"/session/{session}/message", PARTS)
            size = database.with_name("ostler.db-wal").stat().st_size
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            limit = (size + 16_384, resource.RLIM_INFINITY)
            resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, limit)
            answer = await served.http.post(f"/session/{session}/message", json=PARTS)
            assert (answer.status_code, answer.json()["name"]) == (507, "DiskFullError")
            resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, unlimited)
            again = await served.post(f"/session/{session}/message", PARTS)
            assert texts(again) == "well again"
        assert _is_whole(str(database))


async def test_run_is_refused_with_a_code_of_its_own(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([]) as models:
        place.configure(models.url, EVERYTHING)
        async with place.serve() as served:
            url = str(served.http.base_url)
            for arguments in ([], ["--attach", url], ["--command", "init"]):
                done = await place.ostler("run", *arguments, "go")
                assert done.code == 6
                assert "nearly full" in done.err
        assert models.requests == []


def _is_whole(path: str) -> bool:
    with sqlite3.connect(path) as db:
        rows = db.execute("PRAGMA integrity_check").fetchall()
        lost = "SELECT count(*) FROM part WHERE message NOT IN (SELECT seq FROM message)"
        return rows == [("ok",)] and db.execute(lost).fetchone() == (0,)
