"""``bash``: what it returns, what it asks, and that it always ends."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from ostler.schema.config import Config, ToolOutputConfig
from ostler.schema.errors import ToolError
from ostler.tools.bash import TIMEOUT_VARIABLE, TOOL
from ostler.tools.bash_commands import scan
from tests.support.host import ScriptedHost, make_context, run_tool


async def test_output_and_exit_status(tmp_path: Path) -> None:
    result = await run_tool(TOOL, tmp_path, command="echo out; echo err >&2; exit 3")
    assert result.output == "out\nerr\n"
    assert result.metadata == {"output": "out\nerr\n", "exit": 3, "truncated": False}
    assert result.title == "echo out; echo err >&2; exit 3"
    assert (await run_tool(TOOL, tmp_path, command="true")).output == "(no output)"


async def test_directory_and_environment(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    context = make_context(tmp_path, environment={**os.environ, "COLOUR": "red"})
    result = await run_tool(TOOL, context, command="pwd; echo $COLOUR", workdir="sub")
    assert result.output.split() == [str(tmp_path / "sub"), "red"]
    with pytest.raises(ToolError, match="Working directory not found"):
        await run_tool(TOOL, context, command="pwd", workdir="nope")


async def test_standard_input_is_empty(tmp_path: Path) -> None:
    assert (await run_tool(TOOL, tmp_path, command="cat; echo end")).output == "end\n"


async def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    result = await run_tool(TOOL, tmp_path, command=r"printf 'a\xff\xfeb\n'")
    assert result.output == "a\ufffd\ufffdb\n"


async def test_progress_is_shown(tmp_path: Path) -> None:
    host = ScriptedHost()
    await run_tool(TOOL, make_context(tmp_path, host), command="echo one")
    shown = [metadata for _, metadata in host.updates]
    assert shown[0] == {"output": ""}
    assert {"output": "one\n"} in shown


async def test_a_timeout_ends_everything_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    result = await run_tool(
        TOOL, tmp_path, command="echo begun; sleep 30 & echo $! > pid; sleep 30", timeout=100
    )
    assert time.monotonic() - began < 5
    assert "begun" in result.output
    assert "exceeding timeout 100 ms" in result.output
    assert result.metadata["exit"] is None
    await _gone(tmp_path / "pid")


async def test_the_default_timeout_can_be_set(tmp_path: Path) -> None:
    context = make_context(tmp_path, environment={**os.environ, TIMEOUT_VARIABLE: "50"})
    assert "timeout 50 ms" in (await run_tool(TOOL, context, command="sleep 30")).output


async def test_an_abort_ends_the_unwilling_too(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    command = "trap '' TERM; (trap '' TERM; sleep 30) & echo $! > pid; sleep 30"
    call = asyncio.create_task(run_tool(TOOL, context, command=command))
    await _until_written(tmp_path / "pid")
    began = time.monotonic()
    context.aborted.set()
    result = await call
    assert time.monotonic() - began < 1
    assert "User aborted the command" in result.output
    await _gone(tmp_path / "pid")


async def test_a_cancelled_call_leaves_nothing_behind(tmp_path: Path) -> None:
    call = asyncio.create_task(run_tool(TOOL, tmp_path, command="echo $$ > pid; sleep 30"))
    await _until_written(tmp_path / "pid")
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    await _gone(tmp_path / "pid")


async def test_a_process_in_the_background_does_not_hold_up_the_call(tmp_path: Path) -> None:
    began = time.monotonic()
    command = "sleep 30 & echo $! > pid; echo started"
    result = await run_tool(TOOL, tmp_path, command=command)
    assert time.monotonic() - began < 2
    assert result.output == "started\n"
    os.kill(int((tmp_path / "pid").read_text()), 9)  # it was left alone


async def test_long_output_is_kept_in_a_file(tmp_path: Path) -> None:
    config = Config(tool_output=ToolOutputConfig(max_lines=10))
    context = make_context(tmp_path, config=config)
    result = await run_tool(TOOL, context, command="seq 1000")
    assert result.metadata["truncated"] is True
    path = result.metadata["outputPath"]
    assert f"Full output saved to: {path}" in result.output
    assert result.output.rstrip().endswith("1000")
    assert len(result.output.splitlines()) < 20
    assert Path(path).read_text() == "".join(f"{n}\n" for n in range(1, 1001))


async def test_output_without_end_is_bounded_in_memory(tmp_path: Path) -> None:
    result = await run_tool(TOOL, tmp_path, command="yes | head -c 30000000", timeout=20_000)
    assert result.metadata["truncated"] is True
    assert len(result.output) < 60_000


async def test_what_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="Cannot run the command"):
        await run_tool(TOOL, tmp_path, command="echo \0")
    with pytest.raises(ToolError, match="command"):
        await run_tool(TOOL, tmp_path)
    with pytest.raises(ToolError, match="timeout"):
        await run_tool(TOOL, tmp_path, command="true", timeout=0)


async def test_what_is_asked(tmp_path: Path) -> None:
    host = ScriptedHost()
    await run_tool(
        TOOL, make_context(tmp_path, host), command="git status && cat /etc/hosts | head -1"
    )
    (outside,) = host.asked("external_directory")
    assert outside.patterns == ["/etc/*"]
    (ask,) = host.asked("bash")
    assert ask.patterns == ["git status", "cat /etc/hosts", "head -1"]
    assert ask.always == ["git status *", "cat *", "head *"]


@pytest.mark.parametrize(
    ("command", "patterns"),
    [
        ("ls", ["ls"]),
        ("cd sub && make", ["make"]),
        ("cd sub", []),
        ("for f in *; do rm $f; done", ["rm $f"]),
        ("echo $(whoami)", ["echo $(whoami)", "whoami"]),
        ("(rm a; rm b) | tee log", ["rm a", "rm b", "tee log"]),
        ("if true; then rm a; fi", ["true", "rm a"]),
        ("f() { rm a; }; f", ["rm a", "f"]),
        ("echo hi > out.txt", ["echo hi > out.txt"]),
        ("VAR=1 make", ["VAR=1 make"]),
        ("> file", ["> file"]),
        ("x=1", ["x=1"]),
        ("echo 'unclosed", ["echo 'unclosed"]),
    ],
)
def test_each_command_is_looked_at_by_itself(command: str, patterns: list[str]) -> None:
    found = scan(command, "/project", "/project", "/project", "/home/user")
    assert set(patterns) <= set(found.patterns)
    if patterns != ["echo 'unclosed"]:
        assert list(found.patterns) == patterns


@pytest.mark.parametrize(
    ("command", "directories"),
    [
        ("cat a.txt", []),
        ("cat /project/a.txt", []),
        ("rm -rf /tmp/x", ["/tmp"]),
        ("cat ../other/a", ["/other"]),
        ("cat ~/secret", ["/home/user"]),
        ("cp a.txt '/srv/b c'", ["/srv"]),
        ("cat /etc/*.conf", ["/etc"]),
        ("ls /etc", []),
        ("cat $FILE", []),
    ],
)
def test_folders_outside_the_project(command: str, directories: list[str]) -> None:
    found = scan(command, "/project", "/project", "/project", "/home/user")
    assert list(found.directories) == directories


async def _until_written(path: Path) -> None:
    async with asyncio.timeout(10):
        while not path.exists() or not path.read_text().strip():
            await asyncio.sleep(0.005)


async def _gone(pid_file: Path) -> None:
    """Until the process has ended (a killed one is first an orphan somebody has to bury)."""
    pid = int(pid_file.read_text())
    async with asyncio.timeout(10):
        while _state(pid) not in (None, "Z"):
            await asyncio.sleep(0.005)


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
