"""``ostler serve`` as a process."""

import asyncio
import signal
import time
from pathlib import Path

from tests.support.command import Place, free_port


async def test_it_answers_and_stops_on_a_signal_with_a_reader_attached(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with place.serve() as served:
        health = await served.get("/global/health")
        assert health["healthy"] is True
        assert (await served.get("/doc"))["openapi"].startswith("3.")
        async with served.http.stream("GET", "/event", timeout=None) as events:
            assert events.status_code == 200
            began = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                async for _ in events.aiter_raw():
                    pass
                assert await served.process.wait() == 0
            assert time.monotonic() - began < 2.5


async def test_it_does_not_listen_to_the_world_without_a_password(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = await place.ostler("serve", "--hostname", "0.0.0.0", "--port", str(free_port()))
    assert done.code == 2
    assert "OPENCODE_SERVER_PASSWORD" in done.err


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with place.serve() as served:
        done = await place.ostler("serve", "--port", str(served.http.base_url.port))
        assert done.code == 1
        assert str(served.http.base_url.port) in done.err
        assert "Traceback" not in done.err


async def test_a_password_of_the_environment(tmp_path: Path) -> None:
    async with Place(tmp_path).serve(OPENCODE_SERVER_PASSWORD="secret") as served:
        assert (await served.http.get("/global/health")).status_code == 401
        allowed = await served.http.get("/global/health", auth=("opencode", "secret"))
        assert allowed.status_code == 200


async def test_it_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    server = await place.start("serve", "--port", str(free_port()), "--until-stdin-ends")
    assert server.stdout is not None
    async with asyncio.timeout(30):
        while b"listening on" not in (line := await server.stdout.readline()):
            assert line
        assert server.returncode is None
        assert server.stdin is not None
        server.stdin.close()
        assert await server.wait() == 0
