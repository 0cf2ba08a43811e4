"""examples/: programs a user starts from."""

import asyncio
import sys
from pathlib import Path

from tests.support.command import SOURCES
from tests.support.model_server import error, text
from tests.support.product import DEADLINE, environment, serving

EXAMPLE = Path(__file__).parents[2] / "examples/simple_client.py"


async def run(home: Path, url: str, *words: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), *words),
        env=environment(home, PYTHONPATH=SOURCES, OPENCODE_API_URL=url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_simple_client(tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 35
    script = [text("Hel", "lo"), error(400, "no such thing")]
    async with serving(tmp_path, script) as ostler:
        url = str(ostler.http.base_url)
        assert await run(tmp_path, url, "say", "hello") == (0, "Hello\n", "")
        code, _, err = await run(tmp_path, url, "and again")
        assert (code, "no such thing" in err) == (1, True)
    code, _, err = await run(tmp_path, url)
    assert (code, err.startswith("Error: ")) == (1, True)
