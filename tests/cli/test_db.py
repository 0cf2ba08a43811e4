"""``ostler db``: queries as OpenCode answers them; what is stored, made less, and checked."""

import asyncio
import json
import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from ostler.store.migrations import MIGRATIONS
from tests.support.command import Place
from tests.support.model_server import ModelServer, text, tool
from tests.support.product import texts

GO = {"parts": [{"type": "text", "text": "go"}]}
DAY = 86_400.0


def database(place: Place) -> Path:
    return place.home / ".local/share/ostler/ostler.db"


async def ran(place: Place, *prompts: str) -> None:
    async with ModelServer([text("done")]) as models:
        place.configure(models.url)
        for prompt in prompts:
            done = await place.ostler("run", "--title", prompt, prompt)
            assert done.code == 0, done.err


def execute(place: Place, *statements: str) -> None:
    with sqlite3.connect(database(place)) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


# ── queries ───────────────────────────────────────────────────────────────────────────────────

ANSWERS = {
    "select 1": ("1\n1\n", [{"1": 1}]),
    "select 1 as a, 'x y' as b, null as c": (
        "a\tb\tc\n1\tx y\t\n",
        [{"a": 1, "b": "x y", "c": None}],
    ),
    "select id from session": ("", []),
    "select x'00ff' as blob": ("blob\n0,255\n", [{"blob": {"0": 0, "1": 255}}]),
    "select 1.5 as f, 2.0 as g, 1e300 as h": (
        "f\tg\th\n1.5\t2\t1e+300\n",
        [{"f": 1.5, "g": 2, "h": 1e300}],
    ),
    "select 'é' as t; ": ("t\né\n", [{"t": "é"}]),
}
"""Statement -> as tab-separated text and as JSON; the original's answers, seen in 1.18.33."""


@pytest.mark.parametrize("statement", ANSWERS)
async def test_queries(tmp_path: Path, statement: str) -> None:
    place = Place(tmp_path)
    table, rows = ANSWERS[statement]
    plain, as_json = await asyncio.gather(
        place.ostler("db", statement), place.ostler("db", "--format", "json", statement)
    )
    assert (plain.code, plain.out) == (0, table)
    assert json.loads(as_json.out) == rows
    if rows:
        assert as_json.out.startswith("[\n  {\n    ")


async def test_statements_that_change_something_do(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for statement in ("create table mine (a)", "insert into mine values (1), (2)"):
        done = await place.ostler("db", statement)
        assert (done.code, done.out) == (0, "")
    assert (await place.ostler("db", "select sum(a) from mine")).out == "sum(a)\n3\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nonsense",), 1, 'near "nonsense": syntax error'),
        (("select 1; select 2",), 1, "one statement at a time"),
        (("--format", "xml", "select 1"), 2, "--format: expected tsv or json, got 'xml'"),
    ],
)
async def test_mistakes(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = await Place(tmp_path).ostler("db", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "Traceback" not in done.err


async def test_path(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert (await place.ostler("db", "path")).out == f"{database(place)}\n"
    named = await place.ostler("db", "path", variables={"OSTLER_DB": "other.db"})
    assert named.out == f"{database(place).with_name('other.db')}\n"


async def test_without_a_query_it_is_sqlite3(tmp_path: Path) -> None:
    place = Place(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    missing = await place.ostler("db", variables={"PATH": str(programs)})
    assert missing.code == 1
    assert "sqlite3 is not installed" in missing.err
    assert "ostler db" in missing.err
    program = programs / "sqlite3"
    program.write_text('#!/bin/sh\necho "opened $1"; cat\n')
    program.chmod(0o755)
    variables = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = await place.ostler("db", stdin="select 42;", variables=variables)
    assert done.out == f"opened {database(place)}\nselect 42;"


# ── size ──────────────────────────────────────────────────────────────────────────────────────


async def test_size_by_place_project_and_session(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await ran(place, "small", "large " + "x" * 50_000)
    shown = await place.ostler("db", "size")
    assert shown.code == 0, shown.err
    for part in ("database", "snapshots", "in all", "Projects", str(place.root), "Sessions"):
        assert part in shown.out
    found = json.loads((await place.ostler("db", "size", "--json")).out)
    assert found["total"] == sum(p["bytes"] for p in found["places"])
    (project,) = found["projects"]
    assert (project["worktree"], project["sessions"]) == (str(place.root), 2)
    large, small = found["sessions"]
    assert (large["title"][:5], small["title"]) == ("large", "small")
    assert large["bytes"] > 50_000 > small["bytes"] > 0
    assert project["bytes"] == large["bytes"] + small["bytes"]
    assert (large["messages"], large["archived"]) == (2, False)
    newest = json.loads((await place.ostler("db", "size", "--json", "--newest")).out)
    updated = [s["updated"] for s in newest["sessions"]]
    assert updated == sorted(updated, reverse=True)


async def test_size_of_nothing(tmp_path: Path) -> None:
    done = await Place(tmp_path).ostler("db", "size")
    assert done.code == 0
    assert "nothing" in done.out


# ── vacuum ────────────────────────────────────────────────────────────────────────────────────


async def test_vacuum_beside_a_running_server(tmp_path: Path) -> None:
    """What was deleted leaves the file; what runs goes on; what is stored stays."""
    place = Place(tmp_path)
    script = [
        tool("bash", command="while [ ! -e go ]; do sleep 0.01; done"),
        text("done"),
    ]
    async with ModelServer(script) as models:
        place.configure(models.url)
        async with place.serve() as served:
            kept = (await served.post("/session", {"title": "kept"}))["id"]
            gone = (await served.post("/session"))["id"]
            note = {"noReply": True, "parts": [{"type": "text", "text": "x" * 3_000_000}]}
            await served.post(f"/session/{gone}/message", note)
            await served.post(f"/session/{kept}/prompt_async", GO)
            await models.wait_for_requests(1)
            await served.http.delete(f"/session/{gone}")
            done = await place.ostler("db", "vacuum", "--json")
            assert done.code == 0, done.err
            found = json.loads(done.out)
            assert found["sessions"] == 0
            before, after = found["before"], found["after"]
            assert sum(before.values()) - sum(after.values()) > 2_500_000
            assert database(place).stat().st_size < 500_000
            (place.root / "go").touch()
            while await served.get("/session/status"):
                await asyncio.sleep(0.01)
            messages = await served.get(f"/session/{kept}/message")
            assert texts(messages[-1]) == "done"
            again = await place.ostler("db", "check")
            assert again.code == 0, again.out


async def test_vacuum_writes_a_file_made_before_anew(tmp_path: Path) -> None:
    place = Place(tmp_path)
    database(place).parent.mkdir(parents=True)
    with sqlite3.connect(database(place)) as db:
        for script in MIGRATIONS:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.close()
    await ran(place, "one")
    kind = "select auto_vacuum from pragma_auto_vacuum"
    assert (await place.ostler("db", kind)).out.endswith("\n0\n")
    found = json.loads((await place.ostler("db", "vacuum", "--json")).out)
    assert found["rewritten"] is True
    assert (await place.ostler("db", kind)).out.endswith("\n2\n")
    assert (await place.ostler("db", "select count(*) from message")).out.endswith("\n2\n")
    assert json.loads((await place.ostler("db", "vacuum", "--json")).out)["rewritten"] is None


async def test_vacuum_applies_retention(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await ran(place, "old", "young")
    then = int((time.time() - 40 * DAY) * 1000)
    execute(
        place,
        f"UPDATE session SET updated = {then},"
        f" data = json_set(data, '$.time.updated', {then})"
        " WHERE json_extract(data, '$.title') = 'old'",
    )
    titles = "select json_extract(data, '$.title') as title from session order by seq"
    shown = await place.ostler("db", "vacuum")
    assert shown.code == 0, shown.err
    assert (await place.ostler("db", titles)).out == "title\nold\nyoung\n"
    file = place.home / ".config/opencode/opencode.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "retention": {"days": 30}}))
    shown = await place.ostler("db", "vacuum")
    assert "By retention: 1 session deleted" in shown.out
    assert (await place.ostler("db", titles)).out == "title\nyoung\n"


async def test_run_cleans_up_once_a_day(tmp_path: Path) -> None:
    """Where no server runs, nobody else does."""
    place = Place(tmp_path)
    old = place.home / ".local/share/ostler/tool-output/tool_old"
    old.parent.mkdir(parents=True)
    old.touch()
    then = time.time() - 8 * DAY
    os.utime(old, (then, then))
    stamp = place.home / ".local/state/ostler/upkeep"
    await ran(place, "first")
    assert old.exists()
    os.utime(stamp, (then, then))
    await ran(place, "second")
    assert not old.exists()
    assert time.time() - stamp.stat().st_mtime < 60


# ── check ─────────────────────────────────────────────────────────────────────────────────────


async def found_by_check(place: Place) -> tuple[int, list[dict[str, Any]]]:
    done = await place.ostler("db", "check", "--json")
    return done.code, json.loads(done.out)["findings"]


async def test_nothing_is_wrong(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert await found_by_check(place) == (0, [])
    assert not database(place).exists()  # looking makes nothing
    await ran(place, "one")
    done = await place.ostler("db", "check")
    assert (done.code, done.out) == (0, f"{database(place)}: nothing is wrong.\n")


async def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await ran(place, "one")
    execute(
        place,
        "INSERT INTO message VALUES (9001, 9001, 9000, 'msg_x', '{}')",
        "INSERT INTO part VALUES (9002, 9002, 9000, 9001, 'prt_x', '{}')",
        "INSERT INTO todo VALUES (9000, '[]')",
        "UPDATE session SET parent = 'ses_gone'",
    )
    snapshots = place.home / ".local/share/ostler/snapshot"
    (folder,) = (p for p in snapshots.glob("*/*") if p.is_dir())
    moved = folder.with_name("a" * 40)
    shutil.copytree(folder, moved)
    config = (moved / "config").read_text()
    (moved / "config").write_text(config.replace(str(place.root), "/gone/away"))
    left = folder.with_name(f"{folder.name}.77")
    left.mkdir()
    os.utime(left, (1, 1))
    code, findings = await found_by_check(place)
    assert code == 1
    assert sorted(f["kind"] for f in findings) == [
        "left_behind",
        *["rows_without_owner"] * 3,
        "sessions_without_parent",
        "snapshots_without_checkout",
    ]
    told = "\n".join(f["message"] for f in findings)
    for part in ("1 rows of part", "/gone/away", str(left)):
        assert part in told
    assert (await place.ostler("db", "vacuum")).code == 0
    code, findings = await found_by_check(place)
    assert {f["kind"] for f in findings} == {
        "sessions_without_parent",
        "snapshots_without_checkout",
    }


@pytest.mark.parametrize("command", [["size"], ["vacuum"], ["select 1"], ["check"]])
async def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, command: list[str]) -> None:
    place = Place(tmp_path)
    database(place).parent.mkdir(parents=True)
    database(place).write_bytes(b"SQLite format 3\0" + b"\xff" * 8_000)
    done = await place.ostler("db", *command)
    assert done.code == 1
    said = done.err + done.out
    assert f"{database(place)} is not a usable database" in said
    assert "Traceback" not in said
    assert database(place).read_bytes() == b"SQLite format 3\0" + b"\xff" * 8_000


@pytest.mark.parametrize("command", [["size"], ["vacuum"], ["select 1"], ["check"]])
async def test_a_newer_file_is_told_and_left_alone(tmp_path: Path, command: list[str]) -> None:
    place = Place(tmp_path)
    await ran(place, "one")
    execute(place, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    done = await place.ostler("db", *command)
    assert done.code == 1
    assert f"this Ostler knows {len(MIGRATIONS)}" in done.err + done.out
    with sqlite3.connect(database(place)) as db:
        assert db.execute("SELECT count(*) FROM message").fetchone() == (2,)
    db.close()


async def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await ran(place, "x" * 100_000)
    content = bytearray(database(place).read_bytes())
    for page in range(16, len(content) // 4096):
        content[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    database(place).write_bytes(content)
    code, findings = await found_by_check(place)
    assert code == 1
    assert {f["kind"] for f in findings} == {"damaged"}
    assert all(str(database(place)) in f["message"] for f in findings)
    assert database(place).read_bytes() == content
