"""The documentation's shell examples, run as they are written: a page is one script.

Blocks marked ``sh`` are run, and ``json`` blocks that look like configuration are read as one.
"""

import asyncio
import json
import os
import re
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from ostler.cli.drive import FIRST_CODE
from ostler.config.json_schema import config_schema
from ostler.control.failures import KINDS
from ostler.models.access import package
from ostler.models.catalogue import packaged
from ostler.models.registry import CHAT_COMPLETIONS, speaks
from ostler.schema.config import Config
from tests.support.command import SOURCES, free_port
from tests.support.product import environment
from tests.support.repository import make_repository

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
SESSION_SKILL = "skills/ostler-session/SKILL.md"
SHOWS = {
    "README.md": ["hello", '"type":"tool"', "session.idle"],
    "docs/run.md": ["write notes.txt", "read notes.txt", "\n1\n"],
    "docs/serve.md": ['"finish":"stop"', "server.connected", '"unattended"'],
    "docs/models.md": ["rehearsal/rehearsal", "edit a.txt", "Groq api", "Logged out from groq"],
    "docs/budgets.md": ["hello", "Total Cost", '"tokens":100000', '"spent":{"tokens":'],
    "docs/tools.md": ['"lines"'],
    "docs/flows.md": ["look  passed", "run-"],
    "docs/plugins.md": ["none of your business", "CI is 1"],
    "docs/debug.md": ["explore", "build (primary)", "ostler version: "],
    "docs/client.md": ["Done: 2 steps.", " None ", "Done: 1 step.", "session.created {"],
    "docs/drive.md": [
        *('"started":true', '"text":', '"state":"idle"', '"deleted":true', '"stopped":true'),
        *("ostler-driver", "ostler-session"),
    ],
    "docs/inspect.md": ["Nothing looks wrong.", '"findings":[]', "- truncated (output_truncated)"],
    "docs/replay.md": ["write a.txt"],
    "docs/permissions.md": [],
    "docs/agents.md": [".opencode/agents/rehearsal.md"],
    "docs/disk.md": ["in all", "nothing is wrong.", "sessions\n1\n", '"title": ', "ostler.db"],
    "docs/trust.md": ["Trusted: ", "No longer trusted: "],
}


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")])
async def test_shell_examples(tmp_path: Path, page: str) -> None:
    script = "\n".join(["set -eu", *blocks(page, "sh")]).replace("4096", str(free_port()))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, arguments in (("ostler", "-m ostler "), ("python3", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "home").mkdir()
    project = make_repository(tmp_path / "project", {"README.md": "x\n"})
    variables = environment(tmp_path / "home", PYTHONPATH=SOURCES, TMPDIR=str(tmp_path))
    printed = tmp_path / "printed"
    with printed.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            cwd=project,
            env={**variables, "PATH": f"{programs}{os.pathsep}{variables['PATH']}"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(60):
            code: int | str = await process.wait()
    except TimeoutError:
        code = "not at the end after 60 s"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the server a page starts goes with it
    out = printed.read_text()
    assert code == 0, out
    for shown in SHOWS[page]:
        assert shown in out, out


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "json")])
def test_configuration_examples(page: str) -> None:
    for block in blocks(page, "json"):
        known = {f.encode_name for f in msgspec.structs.fields(Config)}
        assert json.loads(block).keys() <= known
        assert not list(
            jsonschema_rs.Draft202012Validator(config_schema()).iter_errors(json.loads(block))
        )
        msgspec.json.decode(block, type=Config)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_tests_that_the_wires_page_names_are_there() -> None:
    page = (ROOT / "docs/wires.md").read_text()
    named = set(re.findall(r"`(test_\w+)(?:::(test_\w+))?`", page))
    assert len(named) > 30
    for module, test in named:
        source = (ROOT / "tests/models" / f"{module}.py").read_text()
        assert not test or f"def {test}(" in source, f"{module}::{test}"


def test_how_many_models_can_be_spoken_to() -> None:
    page = (ROOT / "docs/wires.md").read_text()
    models = [
        model
        for provider_id in packaged().entries
        for model in packaged().provider(provider_id).models.values()  # type: ignore[union-attr]
    ]
    spoken = sum(speaks(package(model)) for model in models)
    assert f"Of the catalogue's {len(models):,} models {spoken:,} can be spoken to" in page
    others = f"and {len(CHAT_COMPLETIONS) - 1} more"
    assert others in page


def test_the_exit_codes_of_drive() -> None:
    page = (ROOT / "docs/drive.md").read_text()
    for place, kind in enumerate(KINDS):
        assert f"| {FIRST_CODE + place} | `{kind}` |" in page


def test_the_findings_of_inspect() -> None:
    page, skill = ((ROOT / name).read_text() for name in ("docs/inspect.md", SESSION_SKILL))
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == set(
        re.findall(r"^\| `(\w+)` \|", skill, re.M)
    )
