"""A pass of upkeep over a folder that has grown: what is derived gets a bound, nothing of a user's
is touched, one failure keeps nothing else from being done."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ostler.config.paths import Paths, default_paths
from ostler.events import Bus
from ostler.schema.project import Project, ProjectTime
from ostler.store import Store
from ostler.upkeep import caches
from ostler.upkeep.freeable import freeable
from ostler.upkeep.places import places
from ostler.upkeep.stamp import is_due, stamp
from ostler.upkeep.upkeep import Upkeep
from tests.support import build
from tests.support.product import environment

DAY = 86_400.0


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = default_paths(environment(tmp_path))
    found.ensure()
    return found


def opened(paths: Paths) -> Store:
    return Store(paths.database, Bus())


def put(path: str, days: float = 0, size: int = 10) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"x" * size)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def folder(path: str, days: float = 0, *inside: str) -> str:
    os.makedirs(path)
    for name in inside:
        put(os.path.join(path, name, "file"))
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def configure(paths: Paths, config: dict[str, Any]) -> None:
    os.makedirs(paths.config)
    Path(paths.config, "opencode.json").write_text(json.dumps(config))


async def upkeep(paths: Paths, **more: Any) -> Upkeep:
    store = opened(paths)
    made = Upkeep(paths, {}, store, **more)
    try:
        assert await made.run()
    finally:
        store.close()
    return made


async def test_caches_and_outputs_that_nobody_needs_go(paths: Paths) -> None:
    cache, data = paths.cache, paths.data
    gone = [
        put(f"{paths.tool_output}/tool_old", 8),
        folder(f"{cache}/packages/left@1.0.0", 31, "node_modules"),
        folder(f"{cache}/packages/@scope/left@1.0.0", 31, "node_modules"),
        folder(f"{cache}/packages/half@2.123.part", 2),
        folder(f"{cache}/skills/unused", 31, "sub"),
        folder(f"{cache}/skills/tmpabc", 2, "sub"),
        folder(f"{data}/plugin-host/0123456789abcdef", 31, "node_modules"),
    ]
    kept = [
        put(f"{paths.tool_output}/tool_young", 6),
        put(f"{paths.tool_output}/notes-of-mine", 60),
        folder(f"{cache}/packages/used@1.0.0", 29, "node_modules"),
        folder(f"{cache}/packages/@scope/used@1.0.0", 29, "node_modules"),
        folder(f"{cache}/packages/half@3.123.part", 0.5),
        folder(f"{cache}/skills/used", 1, "sub"),
        folder(f"{data}/worktree/project/branch", 900, "sub"),
        put(f"{data}/plans/plan.md", 900),
        put(f"{data}/auth.json", 900),
        put(f"{data}/control.sqlite", 900),
    ]
    before = freeable(paths, _space(paths))
    assert before["old tool outputs"] == 4096
    assert before["unused packages and skills"] > 0
    await upkeep(paths)
    assert [path for path in gone if os.path.exists(path)] == []
    assert [path for path in kept if not os.path.exists(path)] == []
    after = freeable(paths, _space(paths))
    assert after["old tool outputs"] == after["unused packages and skills"] == 0


def _space(paths: Paths) -> Any:
    from ostler.store.space import space

    store = opened(paths)
    found = space(store.db)
    store.close()
    return found


def test_outputs_are_bounded_in_size_too(paths: Paths) -> None:
    from ostler.tools.truncate import clean_up

    for number in range(5):
        put(f"{paths.tool_output}/tool_{number}", number, 1_000)
    assert clean_up(paths.tool_output, most=3_000) == 2
    assert sorted(os.listdir(paths.tool_output)) == ["tool_0", "tool_1", "tool_2"]


def test_what_is_used_counts_as_young(paths: Paths) -> None:
    package = folder(f"{paths.cache}/packages/used@latest", 31, "node_modules")
    os.utime(package)
    assert caches.clean(paths) == []


async def test_retention_is_the_users_own(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's configuration is not asked: it would speak of the sessions of all."""
    store = opened(paths)
    store.sessions.create(build.session())
    store.close()
    project = tmp_path / "project"
    project.mkdir()
    (project / "opencode.json").write_text('{"retention": {"days": 1}}')
    monkeypatch.chdir(project)
    assert (await upkeep(paths)).freed.sessions == 0
    configure(paths, {"retention": {"days": 1}})
    assert (await upkeep(paths)).freed.sessions == 1


async def test_a_configuration_that_cannot_be_read_deletes_nothing(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(paths)
    store.sessions.create(build.session())
    store.close()
    configure(paths, {"retention": {"days": "one"}})
    old = put(f"{paths.tool_output}/tool_old", 8)
    assert (await upkeep(paths)).freed.sessions == 0
    assert "nothing is deleted by retention" in caplog.text
    assert "retention.days" in caplog.text
    assert not os.path.exists(old)


async def test_one_part_that_fails_is_told_and_stops_no_other(
    paths: Paths, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OSError("no such device")

    monkeypatch.setattr("ostler.upkeep.caches.clean", broken)
    store = opened(paths)
    session = store.sessions.create(build.session())
    message = build.user_message(session.id)
    store.messages.save(message)
    store.sessions.delete(session.id, contents=False)
    store.close()
    await upkeep(paths)
    assert "upkeep of caches: no such device" in caplog.text
    store = opened(paths)
    assert store.db.rows("SELECT * FROM message") == []
    store.close()


async def test_rows_that_nobody_owns_go(paths: Paths) -> None:
    store = opened(paths)
    session = store.sessions.create(build.session())
    message = build.user_message(session.id)
    store.messages.save(message)
    store.messages.save_part(build.text_part(message, "kept"))
    for table in ("todo", "turn"):
        columns = "(99, '[]')" if table == "todo" else "(99, 'x', 1)"
        store.db.write(f"INSERT INTO {table} VALUES {columns}")
    store.db.write("INSERT INTO part VALUES (90, 90, ?, 91, 'prt_a', '{}')", (1,))
    store.db.write("INSERT INTO part VALUES (92, 92, 98, 97, 'prt_b', '{}')")
    store.close()
    await upkeep(paths)
    store = opened(paths)
    counts = {t: store.db.rows(f"SELECT count(*) FROM {t}")[0][0] for t in ("part", "todo", "turn")}
    assert counts == {"part": 1, "todo": 0, "turn": 0}
    store.close()


async def test_projects_that_are_gone_are_forgotten_when_nothing_is_left(
    paths: Paths, tmp_path: Path
) -> None:
    store = opened(paths)
    here = str(tmp_path)

    def known(name: str, days: float, worktree: str = "/gone", *sandboxes: str) -> None:
        at = int((time.time() - days * DAY) * 1000)
        made = ProjectTime(created=at, updated=at)
        store.projects.save(
            Project(id=name, worktree=worktree, time=made, sandboxes=list(sandboxes))
        )

    known("gone", 40)
    known("gone but young", 2)
    known("there", 40, here, "/gone/too", here)
    known("with a session", 40)
    store.sessions.create(build.session(projectID="with a session"))
    store.close()
    await upkeep(paths)
    store = opened(paths)
    assert {p.id for p in store.projects.all()} == {"gone but young", "there", "with a session"}
    found = store.projects.get("there")
    assert found is not None
    assert found.sandboxes == [here]
    store.close()


async def test_one_process_at_a_time(paths: Paths) -> None:
    store = opened(paths)
    with open(stamp(paths.state), "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not await Upkeep(paths, {}, store).run()
    assert await Upkeep(paths, {}, store).run()
    store.close()


async def test_it_is_due_once_a_day(paths: Paths) -> None:
    assert not is_due(paths.state)  # the first day begins now
    then = time.time() - 1.1 * DAY
    os.utime(stamp(paths.state), (then, then))
    assert is_due(paths.state)
    await upkeep(paths)
    assert not is_due(paths.state)


async def test_a_part_that_takes_too_long_goes_on_another_time(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio

    async def for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    caplog.set_level("INFO")
    monkeypatch.setattr("ostler.upkeep.upkeep.keep_small", for_ever)
    await upkeep(paths, patience=0.01)
    assert "upkeep of snapshots goes on another time" in caplog.text


def test_every_place_is_counted_once(paths: Paths) -> None:
    opened(paths).close()
    put(f"{paths.data}/snapshot/p/file", 0, 5_000)
    put(f"{paths.data}/auth.json", 0, 100)
    put(f"{paths.cache}/packages/a/file", 0, 9_000)
    found = {place.name: place.bytes for place in places(paths)}
    assert found["snapshots"] == 8_192
    assert found["plugin packages"] == 12_288
    assert found["other"] == 4_096
    assert found["database"] > 0
