"""The store through its tables: what is written is read back, in the server's order."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler import ids
from ostler.events import Bus
from ostler.schema.errors import BadRequest, NotFound
from ostler.schema.part import Part, StepStartPart, TextPart, ToolPart, ToolStatePending
from ostler.schema.session import Todo
from ostler.store import MEMORY, Store, StoreFailure
from ostler.store.codec import encode, part_decoder, part_ids, restore, strip
from ostler.store.migrations import MIGRATIONS
from ostler.store.sessions import SessionQuery
from tests.support import build


def memory_store() -> tuple[Store, Bus]:
    bus = Bus()
    return Store(MEMORY, bus), bus


def test_a_session_reads_back_as_written() -> None:
    store, _ = memory_store()
    session = store.sessions.create(build.session(metadata={"k": [1, None]}))
    assert store.sessions.get(session.id) == session
    with pytest.raises(NotFound, match="ses_nope"):
        store.sessions.get("ses_nope")


def test_messages_keep_the_order_in_which_they_were_stored() -> None:
    """Ids are the client's affair: an id that sorts first may well be stored last."""
    store, _ = memory_store()
    session = store.sessions.create(build.session())
    stored = ["msg_zz", "msg_aa", "msg_mm"]
    for message_id in stored:
        store.messages.save(build.user_message(session.id, id=message_id))
    assert [m.info.id for m in store.messages.history(session.id)] == stored


def test_a_saved_message_is_replaced_in_place() -> None:
    store, _ = memory_store()
    session = store.sessions.create(build.session())
    first, second = build.user_message(session.id), build.user_message(session.id)
    for message in (first, second):
        store.messages.save(message)
    store.messages.save(build.user_message(session.id, id=first.id, system="new"))
    history = store.messages.history(session.id)
    assert [m.info.id for m in history] == [first.id, second.id]
    assert history[0].info.system == "new"  # type: ignore[union-attr]


def test_an_id_of_another_session_is_refused() -> None:
    store, _ = memory_store()
    one, other = store.sessions.create(build.session()), store.sessions.create(build.session())
    message = build.user_message(one.id)
    store.messages.save(message)
    with pytest.raises(BadRequest, match="another session"):
        store.messages.save(build.user_message(other.id, id=message.id))
    assert store.messages.get(one.id, message.id).info == message


def test_pages_are_the_newest_first_but_ascending() -> None:
    store, _ = memory_store()
    session = store.sessions.create(build.session())
    messages = [build.user_message(session.id) for _ in range(5)]
    for message in messages:
        store.messages.save(message)
        store.messages.save_part(build.text_part(message, message.id))
    newest = store.messages.page(session.id, 2)
    assert _ids(newest.json) == [messages[3].id, messages[4].id]
    assert newest.older is not None
    assert newest.older.id == messages[3].id
    before = store.messages.page(session.id, 3, before=messages[3].id)
    assert _ids(before.json) == [m.id for m in messages[:3]]
    assert before.older is None
    assert _ids(store.messages.page(session.id).json) == [m.id for m in messages]


def _ids(page: bytes) -> list[str]:
    import msgspec

    decoded = msgspec.json.decode(page)
    for message in decoded:
        for part in message["parts"]:
            assert part["text"] == message["info"]["id"]
            assert part["messageID"] == message["info"]["id"]
    return [m["info"]["id"] for m in decoded]


def test_removing_a_message_removes_its_parts() -> None:
    store, _ = memory_store()
    session = store.sessions.create(build.session())
    message = build.user_message(session.id)
    store.messages.save(message)
    store.messages.save_part(build.text_part(message, "x"))
    store.messages.remove(session.id, message.id)
    store.messages.remove(session.id, message.id)  # again: nothing happens
    assert store.messages.history(session.id) == []
    assert store.db.rows("SELECT * FROM part") == []


def test_deleting_a_session_takes_its_children_along() -> None:
    store, _ = memory_store()
    parent = store.sessions.create(build.session())
    child = store.sessions.create(build.session(parentID=parent.id))
    store.messages.save(build.user_message(child.id))
    store.sessions.save_todos(parent.id, [Todo("a", "pending", "high")])
    store.sessions.delete(parent.id)
    for table in ("session", "message", "todo"):
        assert store.db.rows(f"SELECT * FROM {table}") == []


def test_listing_filters() -> None:
    store, _ = memory_store()
    made = {
        name: store.sessions.create(build.session(title=name, **fields))
        for name, fields in {
            "plain": {},
            "other place": {"directory": "/elsewhere"},
            "100% done": {},
            "sub": {"path": "a/b/c"},
            "child": {"parentID": "ses_parent"},
        }.items()
    }

    def titles(**query: object) -> set[str]:
        return {s.title for s in store.sessions.select(SessionQuery(**query))}  # type: ignore[arg-type]

    assert titles() == set(made)
    assert titles(directory="/elsewhere") == {"other place"}
    assert titles(search="100%") == {"100% done"}
    assert titles(path="a/b") == {"sub"}
    assert titles(path="a_b") == set()
    assert "child" not in titles(roots=True)
    assert titles(project="nowhere") == set()
    assert len(store.sessions.select(SessionQuery(limit=2))) == 2


async def test_events_come_after_the_commit_and_in_order() -> None:
    store, bus = memory_store()
    with bus.subscribe() as events:
        session = store.sessions.create(build.session())
        message = build.user_message(session.id)
        store.messages.save(message)
        assert events.take().events == []  # not durable yet
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [e.kind for e in events.take().events] == ["session.created", "message.updated"]


def test_replay_shows_the_present_state_of_what_changed() -> None:
    store, bus = memory_store()
    old = store.sessions.create(build.session(directory="/a"))
    store.commit()
    with bus.subscribe(after=0) as events:
        mark = events.take().events[-1].seq
    session = store.sessions.create(build.session(directory="/a"))
    elsewhere = store.sessions.create(build.session(directory="/b"))
    message = build.user_message(session.id)
    store.messages.save(message)
    part = build.text_part(message, "first")
    store.messages.save_part(part)
    store.messages.save_part(build.text_part(message, "second", id=part.id))
    gone = build.user_message(old.id)
    store.messages.save(gone)
    store.messages.remove(old.id, gone.id)
    replayed = list(store.replay.since(mark, "/a"))
    assert [e.kind for e in replayed] == [
        "message.removed",
        "session.updated",
        "message.updated",
        "message.part.updated",
    ]
    assert replayed[-1].properties.part.text == "second"  # type: ignore[attr-defined]
    everywhere = [e.location.directory for e in store.replay.since(mark)]
    assert "/b" in everywhere
    assert elsewhere.directory == "/b"


def test_the_order_goes_on_after_reopening(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    store = Store(path, Bus())
    session = store.sessions.create(build.session())
    store.close()
    bus = Bus()
    again = Store(path, bus)
    with bus.subscribe() as events:
        again.messages.save(build.user_message(session.id))
        again.commit()
        assert events.take().events[0].seq > 1
    again.close()


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    one, two = Store(path, Bus()), Store(path, Bus())
    session = one.sessions.create(build.session())
    one.commit()
    for store in (one, two, one, two):
        store.messages.save(build.user_message(session.id))
        store.commit()
    places = [row[0] for row in one.db.rows("SELECT seq FROM message ORDER BY seq")]
    assert len(set(places)) == 4
    assert len(two.messages.history(session.id)) == 4
    one.close()
    two.close()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Store(str(path), Bus()).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreFailure, match="newer Ostler"):
        Store(str(path), Bus())


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("this is not a database, but it is long enough to look at" * 50)
    with pytest.raises(StoreFailure, match=r"x\.db"):
        Store(str(path), Bus())


DYING = """
import os, signal, sys
from ostler.events import Bus
from ostler.store import Store
from tests.support import build

store = Store(sys.argv[1], Bus())
session = store.sessions.create(build.session(id="ses_one"))
store.turns.begin(session.id)
store.commit()
store.messages.save(build.user_message(session.id))   # never committed
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_nine_only_what_was_committed_is_there(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'src'}"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DYING), path], env=environment, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    store = Store(path, Bus())
    assert store.messages.history("ses_one") == []
    assert store.turns.abandoned() == ["ses_one"]
    store.turns.settle("ses_one")
    assert store.turns.abandoned() == []
    store.close()


def test_a_living_owner_keeps_its_turn(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    mine = Store(path, Bus())
    session = mine.sessions.create(build.session())
    mine.turns.begin(session.id)
    mine.commit()
    assert mine.turns.abandoned() == []
    assert not mine.turns.owner_elsewhere(session.id)
    mine.turns.end(session.id)
    mine.close()


PARTS = st.sampled_from(
    [
        lambda ids_: TextPart(**ids_, text='with "quotes" and \\ and ü'),
        lambda ids_: StepStartPart(**ids_),
        lambda ids_: ToolPart(
            **ids_, callID="c", tool="bash", state=ToolStatePending(input={"id": "x"}, raw="")
        ),
    ]
)


@given(PARTS, st.integers(0, 10**9))
def test_ids_leave_and_come_back(make: object, number: int) -> None:
    own = {"id": f"prt_{number}", "sessionID": ids.new("ses"), "messageID": ids.new("msg")}
    part: Part = make(own)  # type: ignore[operator]
    fragment = part_ids(part.sessionID, part.messageID, part.id)
    stored = strip(encode(part), fragment)
    assert own["messageID"] not in stored
    assert part_decoder.decode(restore(stored.encode(), fragment)) == part
