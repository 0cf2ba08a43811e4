"""Reading and changing files: ``read``, ``write``, ``edit``, ``apply_patch``."""

import asyncio
import os
from pathlib import Path

import pytest

from ostler.schema.errors import PermissionDenied, ToolError
from ostler.tools import apply_patch, edit, read, write
from ostler.tools.tool import Tool
from tests.support.host import ScriptedHost, make_context, run_tool

# ── read ──────────────────────────────────────────────────────────────────────────────────────


async def test_numbered_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    host = ScriptedHost()
    result = await run_tool(read.TOOL, make_context(tmp_path, host), filePath="a.txt")
    assert "1: one\n2: two\n3: three\n" in result.output
    assert "End of file - total 3 lines" in result.output
    assert result.title == "a.txt"
    assert [(a.permission, a.patterns) for a in host.asks] == [("read", ["a.txt"])]
    assert host.warmed == [str(tmp_path / "a.txt")]


async def test_a_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 101)))
    result = await run_tool(read.TOOL, tmp_path, filePath="a.txt", offset=10, limit=2)
    assert "10: line 10\n11: line 11\n" in result.output
    assert "line 12" not in result.output
    assert "Use offset=12 to continue" in result.output
    assert result.metadata["display"]["totalLines"] == 100
    with pytest.raises(ToolError, match=r"Offset 200 is out of range for this file \(100 lines\)"):
        await run_tool(read.TOOL, tmp_path, filePath="a.txt", offset=200)


async def test_long_lines_and_large_files_are_cut(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("x" * 5000 + "\nend\n")
    result = await run_tool(read.TOOL, tmp_path, filePath="long.txt")
    assert "... (line truncated to 2000 chars)" in result.output
    assert "2: end" in result.output
    (tmp_path / "large.txt").write_text("y" * 99 + "\n" + "z" * 99 + "\n" * 1)
    (tmp_path / "large.txt").write_text(("y" * 99 + "\n") * 1000)
    result = await run_tool(read.TOOL, tmp_path, filePath="large.txt")
    assert "Output capped at 50 KB. Showing lines 1-512. Use offset=513" in result.output
    following = await run_tool(read.TOOL, tmp_path, filePath="large.txt", offset=513)
    assert "513: yyy" in following.output


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", 0),
        (b"a", 1),
        (b"a\r\nb\rc\n", 3),
        (b"\xef\xbb\xbfa\n", 1),
        ("é\n".encode(), 1),
        (b"\n\n", 2),
    ],
)
async def test_line_ends(tmp_path: Path, content: bytes, lines: int) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    result = await run_tool(read.TOOL, tmp_path, filePath="a.txt")
    assert f"total {lines} lines" in result.output
    assert "\ufeff" not in result.output


async def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").touch()
    result = await run_tool(read.TOOL, tmp_path, filePath=".")
    assert "b.txt\nsub/" in result.output
    assert "(2 entries)" in result.output


async def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "reader.py").write_text("x")
    with pytest.raises(ToolError, match=r"File not found: .*\n\nDid you mean .*\n.*/reader.py"):
        await run_tool(read.TOOL, tmp_path, filePath="read")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    with pytest.raises(ToolError, match="Cannot read binary file"):
        await run_tool(read.TOOL, tmp_path, filePath="b.bin")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ToolError, match="Not a regular file"):
        await run_tool(read.TOOL, tmp_path, filePath="pipe")
    with pytest.raises(ToolError, match="offset"):
        await run_tool(read.TOOL, tmp_path, filePath="reader.py", offset=-1)


async def test_an_image(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    result = await run_tool(read.TOOL, tmp_path, filePath="p.png")
    assert result.output == "Image read successfully"
    (picture,) = result.attachments
    assert (picture.mime, picture.url[:22]) == ("image/png", "data:image/png;base64,")


async def test_instructions_of_the_folder_come_along(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    host = ScriptedHost(instructions=[("/p/AGENTS.md", "Use tabs.")])
    result = await run_tool(read.TOOL, make_context(tmp_path, host), filePath="a.txt")
    assert "<system-reminder>\nInstructions from: /p/AGENTS.md\nUse tabs." in result.output


@pytest.mark.parametrize("tool", [read.TOOL, write.TOOL, edit.TOOL])
async def test_outside_the_project(tmp_path: Path, tool: Tool) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "a.txt").write_text("secret")
    host = ScriptedHost(refuse={"external_directory": PermissionDenied("no")})
    arguments = {"content": "x", "oldString": "secret", "newString": "x"}
    with pytest.raises(PermissionDenied):
        await run_tool(tool, make_context(project, host), filePath="../a.txt", **arguments)
    assert host.asked("external_directory")[0].patterns == [f"{tmp_path}/*"]
    assert (tmp_path / "a.txt").read_text() == "secret"


# ── write ─────────────────────────────────────────────────────────────────────────────────────


async def test_write_makes_folders_and_says_what_it_did(tmp_path: Path) -> None:
    host = ScriptedHost()
    context = make_context(tmp_path, host)
    result = await run_tool(write.TOOL, context, filePath="a/b/c.txt", content="hi\n")
    path = tmp_path / "a/b/c.txt"
    assert path.read_text() == "hi\n"
    assert result.output == "Wrote file successfully."
    assert result.metadata["exists"] is False
    (ask,) = host.asks
    assert (ask.permission, ask.patterns) == ("edit", ["a/b/c.txt"])
    assert "+hi" in ask.metadata["diff"]
    assert host.edits == [(str(path), True)]
    again = await run_tool(write.TOOL, context, filePath="a/b/c.txt", content="ho\n")
    assert again.metadata["exists"] is True


async def test_write_keeps_mode_and_mark(tmp_path: Path) -> None:
    path = tmp_path / "run.sh"
    path.write_bytes(b"\xef\xbb\xbf#!/bin/sh\n")
    path.chmod(0o755)
    await run_tool(write.TOOL, tmp_path, filePath="run.sh", content="#!/bin/bash\n")
    assert path.read_bytes() == b"\xef\xbb\xbf#!/bin/bash\n"
    assert os.access(path, os.X_OK)


async def test_nothing_is_written_without_permission(tmp_path: Path) -> None:
    host = ScriptedHost(refuse={"edit": PermissionDenied("no")})
    with pytest.raises(PermissionDenied):
        await run_tool(write.TOOL, make_context(tmp_path, host), filePath="a", content="x")
    assert not (tmp_path / "a").exists()


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(ToolError, match="is a directory"):
        await run_tool(write.TOOL, tmp_path, filePath="d", content="x")
    with pytest.raises(ToolError, match="is a directory"):
        await run_tool(edit.TOOL, tmp_path, filePath="d", oldString="a", newString="b")


async def test_errors_found_by_a_language_server_are_reported(tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    place = {"start": {"line": 2, "character": 4}, "end": {"line": 2, "character": 5}}
    diagnostics = {path: [{"severity": 1, "message": "undefined name x", "range": place}]}
    context = make_context(tmp_path, ScriptedHost(diagnostics=diagnostics))
    result = await run_tool(write.TOOL, context, filePath="a.py", content="x\n")
    assert "undefined name x" in result.output
    assert "3:5" in result.output


# ── edit ──────────────────────────────────────────────────────────────────────────────────────


async def test_edit(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    host = ScriptedHost()
    result = await run_tool(
        edit.TOOL, make_context(tmp_path, host), filePath="a.txt", oldString="two", newString="2"
    )
    assert (tmp_path / "a.txt").read_text() == "one\n2\nthree\n"
    assert result.output == "Edit applied successfully."
    assert "-two\n+2" in result.metadata["diff"]
    changed = result.metadata["filediff"]
    assert (changed["additions"], changed["deletions"]) == (1, 1)
    assert host.edits == [(str(tmp_path / "a.txt"), False)]


async def test_edit_every_occurrence(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x y x\n")
    arguments = {"filePath": "a.txt", "oldString": "x", "newString": "z"}
    with pytest.raises(ToolError, match="multiple matches"):
        await run_tool(edit.TOOL, tmp_path, **arguments)
    await run_tool(edit.TOOL, tmp_path, **arguments, replaceAll=True)
    assert (tmp_path / "a.txt").read_text() == "z y z\n"


async def test_edit_makes_a_file_from_nothing(tmp_path: Path) -> None:
    await run_tool(edit.TOOL, tmp_path, filePath="n/a.txt", oldString="", newString="new\n")
    assert (tmp_path / "n/a.txt").read_text() == "new\n"
    with pytest.raises(ToolError, match="oldString cannot be empty"):
        await run_tool(edit.TOOL, tmp_path, filePath="n/a.txt", oldString="", newString="x")


async def test_edit_keeps_line_ends_and_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    await run_tool(edit.TOOL, tmp_path, filePath="a.txt", oldString="one\ntwo", newString="1\n2")
    assert path.read_bytes() == b"\xef\xbb\xbf1\r\n2\r\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"oldString": "x", "newString": "x"}, "identical"),
        ({"oldString": "absent", "newString": "x"}, "Could not find oldString"),
        ({"filePath": "nope.txt", "oldString": "a", "newString": "b"}, "not found"),
        ({"filePath": "", "oldString": "a", "newString": "b"}, "filePath is required"),
        ({"oldString": "a"}, "newString"),
    ],
)
async def test_edits_that_cannot_be_made(
    tmp_path: Path, arguments: dict[str, str], says: str
) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    with pytest.raises(ToolError, match=says):
        await run_tool(edit.TOOL, tmp_path, **{"filePath": "a.txt", **arguments})
    assert (tmp_path / "a.txt").read_text() == "one\n"


async def test_what_a_formatter_made_of_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n")
    host = ScriptedHost(on_edited=lambda p: Path(p).write_text("TWO\n") and None)
    context = make_context(tmp_path, host)
    result = await run_tool(edit.TOOL, context, filePath="a.txt", oldString="one", newString="two")
    assert "+TWO" in result.metadata["diff"]


async def test_edits_of_one_file_at_the_same_time(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"<{n}>\n" for n in range(20)))
    await asyncio.gather(
        *(
            run_tool(edit.TOOL, tmp_path, filePath="a.txt", oldString=f"<{n}>", newString=f"[{n}]")
            for n in range(20)
        )
    )
    assert (tmp_path / "a.txt").read_text() == "".join(f"[{n}]\n" for n in range(20))


# ── apply_patch ───────────────────────────────────────────────────────────────────────────────

PATCH = """*** Begin Patch
*** Add File: new/n.txt
+hello
*** Update File: a.txt
@@
 one
-two
+2
*** Update File: b.txt
*** Move to: c.txt
@@ start
-old
+new
*** Delete File: d.txt
*** End Patch"""


async def test_a_patch_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "b.txt").write_text("old\nstart\nold\n")
    (tmp_path / "d.txt").write_text("d\n")
    host = ScriptedHost()
    result = await run_tool(apply_patch.TOOL, make_context(tmp_path, host), patchText=PATCH)
    files = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.txt")}
    assert files == {
        "new/n.txt": "hello\n",
        "a.txt": "one\n2\nthree\n",
        "c.txt": "old\nstart\nnew\n",
    }
    assert result.output.splitlines()[1:] == ["A new/n.txt", "M a.txt", "M c.txt", "D d.txt"]
    (ask,) = host.asks
    assert (ask.permission, ask.patterns) == ("edit", ["new/n.txt", "a.txt", "b.txt", "d.txt"])
    assert host.removals == [str(tmp_path / "b.txt"), str(tmp_path / "d.txt")]
    kinds = [f["type"] for f in result.metadata["files"]]
    assert kinds == ["add", "update", "move", "delete"]


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ("nonsense", "verification failed"),
        ("*** Begin Patch\n*** End Patch", "empty patch"),
        (
            "*** Begin Patch\n*** Update File: a.txt\n@@\n-two\n+2\n"
            "*** Update File: b.txt\n@@\n-absent\n+x\n*** End Patch",
            "verification failed",
        ),
        (
            "*** Begin Patch\n*** Add File: n.txt\n+x\n*** Delete File: nope.txt\n*** End Patch",
            "nope.txt",
        ),
    ],
)
async def test_a_patch_that_does_not_fit_changes_nothing(
    tmp_path: Path, patch: str, says: str
) -> None:
    before = {"a.txt": "one\ntwo\n", "b.txt": "b\n"}
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ToolError, match=says):
        await run_tool(apply_patch.TOOL, tmp_path, patchText=patch)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("tool", [read.TOOL, write.TOOL, edit.TOOL])
async def test_a_link_that_leads_outside_is_asked_about(tmp_path: Path, tool: Tool) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (outside / "a.txt").write_text("secret")
    (project / "link").symlink_to(outside)
    host = ScriptedHost(refuse={"external_directory": PermissionDenied("no")})
    arguments = {"content": "x", "oldString": "secret", "newString": "x"}
    with pytest.raises(PermissionDenied):
        await run_tool(tool, make_context(project, host), filePath="link/a.txt", **arguments)
    assert host.asked("external_directory")[0].patterns == [f"{outside}/*"]
    assert (outside / "a.txt").read_text() == "secret"
