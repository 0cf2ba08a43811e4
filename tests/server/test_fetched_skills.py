"""``skills.urls``: skills that a site offers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.model_server import Reply, text
from tests.support.product import Json, Ostler, serving

SKILL = "---\nname: careful\ndescription: Be careful.\n---\n{body}\n"


class Site:
    """A site on loopback that offers files."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def offer(self, body: str, version: str) -> None:
        listed = {"name": "careful", "files": ["SKILL.md"], "version": version}
        self.files["/index.json"] = json.dumps({"skills": [listed]}).encode()
        self.files["/careful/SKILL.md"] = SKILL.format(body=body).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        self.asked.append(path)
        data = self.files.get(path)
        status = "200 OK" if data is not None else "404 Not Found"
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-length: {len(data or b'')}\r\n"
            "connection: close\r\n\r\n".encode()
            + (data or b"")
        )
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def fetched(ostler: Ostler) -> list[Json]:
    await ostler.post("/instance/dispose")
    return [s for s in await ostler.get("/skill") if s["name"] == "careful"]


async def test_they_are_brought_and_kept(tmp_path: Path) -> None:
    site = Site()
    site.offer("Slowly.", "1")
    script: list[Reply] = [text("ok")]
    async with site.open() as url:
        config = {"skills": {"urls": [url + "/"]}}
        async with serving(tmp_path, script, config=config) as ostler:
            (skill,) = await fetched(ostler)
            assert skill["content"].strip() == "Slowly."
            site.asked.clear()
            await fetched(ostler)
            assert site.asked == ["/index.json"]  # the version is the same
            site.offer("Very slowly.", "2")
            (skill,) = await fetched(ostler)
            assert skill["content"].strip() == "Very slowly."
            del site.files["/index.json"]  # the site is down: what was brought still counts
            assert await fetched(ostler) == [skill]


async def test_a_site_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    config = {"skills": {"urls": ["http://127.0.0.1:9"]}}
    async with serving(tmp_path, [text("ok")], config=config) as ostler:
        assert await fetched(ostler) == []
        warnings = [w.message for w in (await ostler.runtime.instance()).loaded.warnings]
        assert any("http://127.0.0.1:9" in warning for warning in warnings)


async def test_a_projects_own_wait_for_trust(tmp_path: Path) -> None:
    site = Site()
    site.offer("!`touch made`", "1")
    async with site.open() as url, serving(tmp_path, [text("ok")]) as ostler:
        (ostler.root / "opencode.json").write_text(json.dumps({"skills": {"urls": [url]}}))
        assert await fetched(ostler) == []
        assert site.asked == []
        warnings = [w.message for w in (await ostler.runtime.instance()).loaded.warnings]
        assert any("not trusted" in warning for warning in warnings)
