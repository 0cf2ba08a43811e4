"""The file gets smaller again, in bites that stop nobody; damage is told and loses nothing."""

import asyncio
import sqlite3
import time
from functools import partial
from pathlib import Path

import pytest

from ostler.events import Bus
from ostler.schema.errors import NotFound, StoreBusy
from ostler.store import Store, StoreFailure
from ostler.store.bites import BITE, MOST, Bites, in_bites
from ostler.store.migrations import MIGRATIONS
from ostler.store.retention import owners_gone, sweep
from ostler.store.sessions import bury, trim_tombstones
from ostler.store.space import give_back, rewrite, space, write_back
from tests.support import build


def filled(path: Path, messages: int = 200, size: int = 20_000) -> tuple[Store, str]:
    """A store with one session of so many messages, and its id."""
    store = Store(str(path), Bus())
    session = store.sessions.create(build.session())
    for _ in range(messages):
        message = build.user_message(session.id)
        store.messages.save(message)
        store.messages.save_part(build.text_part(message, "x" * size))
    store.close()  # everything is in the file then, nothing in its log
    return Store(str(path), Bus()), session.id


def made_before(path: Path) -> None:
    """A file as Ostler made it before files could shrink."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        for script in MIGRATIONS:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.close()


async def test_what_is_free_is_given_back_in_small_bites(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store, session = filled(path)
    full = path.stat().st_size
    known = store.sessions.known(session)
    store.sessions.delete(session, contents=False)
    store.commit()
    assert owners_gone(store.db) == [known.seq]
    swept = await in_bites(partial(sweep, store.db, known.seq))
    assert swept.done == 400
    assert owners_gone(store.db) == []
    assert space(store.db).free > full / 2
    given = await in_bites(partial(give_back, store.db, slack=0))
    assert space(store.db).free == 0
    write_back(str(path))
    assert path.stat().st_size < full / 10
    assert given.done > 500
    store.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_some_free_pages_are_kept_for_what_comes_next(tmp_path: Path) -> None:
    store, session = filled(tmp_path / "x.db")
    store.sessions.delete(session)
    await in_bites(partial(give_back, store.db))
    assert space(store.db).free == 1024 * 1024
    store.close()


async def test_nothing_waits_for_another_process_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store, session = filled(path)
    store.sessions.delete(session)
    store.commit()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert give_back(store.db, 10) is None
    assert time.monotonic() - began < 1
    other.execute("COMMIT")
    other.close()
    assert give_back(store.db, 10) == 10
    store.close()


def test_a_bite_is_as_large_as_time_allows() -> None:
    bites = Bites()
    for _ in range(20):
        bites.take(lambda count: count)
    assert bites.size == MOST
    slow = 0

    def bite(count: int) -> int:
        nonlocal slow
        slow += 1
        until = time.perf_counter() + 2 * BITE
        while time.perf_counter() < until:
            pass
        return count

    for _ in range(20):
        bites.take(bite)
    assert bites.size == 4


async def test_what_cannot_be_done_just_now_is_tried_again_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostler.store.bites.PAUSE", 0)
    tries = iter([None, None, 3, None, 2, 0])
    assert (await in_bites(lambda _: next(tries))).done == 5
    assert (await in_bites(lambda _: None)).done == 0


async def test_the_loop_goes_on_between_bites() -> None:
    left = 50
    seen = []

    def bite(count: int) -> int:
        nonlocal left
        left -= 1
        return max(0, left)

    async def other() -> None:
        while left > 0:
            seen.append(left)
            await asyncio.sleep(0)

    await asyncio.gather(in_bites(bite), other())
    assert len(set(seen)) > 40


# ── files made before ─────────────────────────────────────────────────────────────────────────


def test_a_file_made_before_is_opened_as_it_is_and_can_be_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    made_before(path)
    store, session = filled(path)
    assert not space(store.db).shrinks
    store.sessions.delete(session)
    store.commit()
    assert give_back(store.db, 100) == 0
    full = path.stat().st_size
    assert rewrite(str(path))  # with the store open beside it
    assert space(store.db).shrinks
    kept = store.sessions.create(build.session())
    store.commit()
    write_back(str(path))
    assert path.stat().st_size < full / 10
    assert store.sessions.get(kept.id) == kept
    store.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_large_file_is_written_anew_only_when_nobody_else_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostler.store.space.BESIDE_OTHERS", 100_000)
    path = tmp_path / "x.db"
    made_before(path)
    store, session = filled(path)
    assert not rewrite(str(path))
    store.sessions.get(session)
    store.close()
    assert rewrite(str(path))
    again = Store(str(path), Bus())
    assert space(again.db).shrinks
    assert len(again.messages.history(session)) == 200
    again.close()


def test_a_file_that_another_process_writes_is_not_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    Store(str(path), Bus()).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match=r"x\.db: try again"):
        rewrite(str(path))
    other.close()


# ── what only grows ───────────────────────────────────────────────────────────────────────────


def test_removals_are_forgotten_but_for_the_newest(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "x.db"), Bus())
    location = store.sessions.known(store.sessions.create(build.session()).id).location
    for number in range(30):
        bury(store.db, store.db.next_seq(), location, "message.removed", b"x" * (100 * number))
    newest = store.db.rows("SELECT max(seq) FROM tombstone")
    trim_tombstones(store.db, 5_000)
    assert store.db.rows("SELECT count(*) FROM tombstone") == [(2,)]
    assert store.db.rows("SELECT max(seq) FROM tombstone") == newest
    trim_tombstones(store.db, 1)
    assert store.db.rows("SELECT max(seq) FROM tombstone") == newest
    store.close()


def test_lock_files_of_the_dead_are_removed(tmp_path: Path) -> None:
    import os

    store = Store(str(tmp_path / "x.db"), Bus())
    store.turns.begin(store.sessions.create(build.session()).id)
    folder = tmp_path / "x.db-owners"
    for name in ("old", "young"):
        (folder / name).touch()
    os.utime(folder / "old", (1, 1))
    store.turns.forget_dead()
    assert "old" not in os.listdir(folder)
    assert len(os.listdir(folder)) == 2
    store.close()


# ── what another process did ──────────────────────────────────────────────────────────────────


def test_a_session_that_another_process_deleted_is_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    here, there = Store(path, Bus()), Store(path, Bus())
    session = here.sessions.create(build.session())
    here.commit()
    there.sessions.delete(session.id)
    there.commit()
    here.sessions.create(build.session())
    with pytest.raises(NotFound, match=session.id):
        here.messages.save(build.user_message(session.id))
    here.close()
    there.close()


# ── damage ────────────────────────────────────────────────────────────────────────────────────


def test_damage_is_told_with_the_file_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store, session = filled(path, 50)
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(20, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    damaged = Store(str(path), Bus())
    with pytest.raises(StoreFailure, match=r"x\.db is not a usable database: .*`ostler db check`"):
        damaged.messages.history(session)
    damaged.close()
    assert path.read_bytes()[20 * 4096 : 21 * 4096 - 1].startswith(b"\xff" * 200)


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(StoreFailure, match=r"x\.db is not a usable database"):
        Store(str(path), Bus())
    assert path.read_bytes() == content
