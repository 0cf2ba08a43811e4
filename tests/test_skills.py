"""The skills that ship: they load, their scripts run, and they are in the wheel."""

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ostler.client import AsyncClient
from ostler.control.inspection import inspect
from tests.control.test_inspection import CASES
from tests.support.command import SOURCES
from tests.support.model_server import text
from tests.support.product import DEADLINE, environment
from tests.support.servers import BOTH, server_of

ROOT = Path(__file__).parents[1]
SKILLS = ROOT / "skills"


async def run(home: Path, url: str, *command: str, stdin: str = "") -> tuple[int | None, str, str]:
    """A script, with ``ostler`` on PATH."""
    programs = home / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (home / "tmp").mkdir(exist_ok=True)
    program = programs / "ostler"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ostler "$@"\n')
    program.chmod(0o755)
    variables = environment(home, PYTHONPATH=SOURCES, OPENCODE_API_URL=url)
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**variables, "PATH": f"{programs}{os.pathsep}{variables['PATH']}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE * 2):
        out, err = await process.communicate(stdin.encode())
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("kind", BOTH)
async def test_both_servers_load_them(tmp_path: Path, kind: str) -> None:
    config = {"skills": {"paths": [str(SKILLS)]}}
    async with (
        server_of(kind, tmp_path, **config) as server,
        AsyncClient(server.url) as client,
    ):
        found = {skill.name: skill for skill in await client.app.skills()}
        for name in ("ostler-driver", "ostler-session"):
            assert found[name].description
            assert "scripts/" in found[name].content


async def test_the_driver_s_script(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    task = [sys.executable, str(SKILLS / "ostler-driver/scripts/task.py")]
    async with server_of("ostler", tmp_path / "server", [text("forty-two")]) as server:
        code, out, err = await run(tmp_path, server.url, *task, "what", "is it?")
        assert (code, out) == (0, "forty-two\n"), err
        assert "session: ses_" in err
        code, _, err = await run(tmp_path, server.url, *task, "--model", "test/none", "go")
        assert code not in (0, 1, 2)
        assert err.startswith("contract_violation: ")


async def test_the_session_s_scripts(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    scripts = SKILLS / "ostler-session/scripts"
    async with (
        server_of("ostler", tmp_path / "server", [text("forty-two")]) as server,
        AsyncClient(server.url) as client,
    ):
        session = await client.session.create()
        await client.prompt(session.id, "what is it?")
        code, out, err = await run(tmp_path, server.url, str(scripts / "inspect.sh"), session.id)
        assert (code, "forty-two" in out) == (0, True), err
        messages = json.dumps(await client.call(f"GET /session/{session.id}/message"))
    script = str(scripts / "parse_session.sh")
    code, out, err = await run(tmp_path, "", script, "--json", stdin=messages)
    assert (code, json.loads(out)["findings"]) == (0, []), err


def test_every_finding_is_explained() -> None:
    page = (SKILLS / "ostler-session/SKILL.md").read_text()
    rules = {finding.rule for _, messages, _ in CASES for finding in inspect(messages).findings}
    assert len(rules) >= 11
    for rule in rules | {"pending"}:
        assert f"| `{rule}` |" in page


def test_they_are_in_the_wheel(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for file in (SKILLS / "ostler-driver").rglob("*.*"):
        assert f"ostler/skills/{file.relative_to(SKILLS)}" in names
