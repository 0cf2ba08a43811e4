"""Retention: what goes, in which order, and what never does."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ostler.events import Bus
from ostler.schema.config import MEGABYTE, RetentionConfig
from ostler.schema.part import (
    CompactionPart,
    FilePart,
    ToolPart,
    ToolStateCompleted,
    ToolTime,
)
from ostler.schema.session import Session, SessionShare, SessionTime
from ostler.store import MEMORY, Store
from ostler.upkeep.sessions import CLEARED, Freed, Nobody, Retention
from tests.support import build

DAY = 86_400_000
NOW = 1_000 * DAY


def memory_store() -> Store:
    return Store(MEMORY, Bus())


def aged(days: float, archived: float | None = None, **fields: Any) -> Session:
    """A session that was touched, and archived, so many days ago."""
    at = int(NOW - days * DAY)
    put_away = None if archived is None else int(NOW - archived * DAY)
    time = SessionTime(created=1, updated=at, archived=put_away)
    return build.session(time=time, **fields)


def apply(store: Store, users: Any = None, **config: int) -> Freed:
    retention = Retention(store, users or Nobody(), NOW)
    return asyncio.run(retention.apply(RetentionConfig(**config)))


def left(store: Store) -> set[str]:
    return {row[0] for row in store.db.rows("SELECT id FROM session")}


def with_text(store: Store, session: Session, size: int) -> Session:
    store.sessions.create(session)
    message = build.user_message(session.id)
    store.messages.save(message)
    store.messages.save_part(build.text_part(message, "x" * size))
    store.commit()
    return session


def test_nothing_goes_unasked() -> None:
    store = memory_store()
    old = with_text(store, aged(999, archived=999), 10)
    assert apply(store) == Freed()
    assert left(store) == {old.id}


def test_what_is_older_goes_with_all_it_has() -> None:
    store = memory_store()
    old, young = with_text(store, aged(31), 10), with_text(store, aged(29), 10)
    assert apply(store, days=30) == Freed(sessions=1)
    assert left(store) == {young.id}
    assert store.db.rows("SELECT count(*) FROM part") == [(1,)]
    assert store.db.rows("SELECT count(*) FROM message") == [(1,)]
    assert old.id


def test_archived_ones_have_a_time_of_their_own() -> None:
    store = memory_store()
    kept = {
        store.sessions.create(session).id
        for session in (aged(100), aged(100, archived=3), aged(0.5, archived=50))
    }
    gone = store.sessions.create(aged(100, archived=8))
    child = store.sessions.create(aged(100, parentID=gone.id))
    assert apply(store, archived_days=7) == Freed(sessions=2)
    assert left(store) == kept
    assert child.id not in kept


def test_a_family_stays_whole() -> None:
    """A child that is young, at work or shared keeps all; a parent that is gone keeps none."""
    store = memory_store()
    kept: set[str] = set()
    for fields in ({"share": SessionShare(url="http://x/share/1/2")}, {"days": 1.0}, {}):
        root = store.sessions.create(aged(100))
        middle = store.sessions.create(aged(100, parentID=root.id))
        leaf = store.sessions.create(aged(fields.pop("days", 100), parentID=middle.id, **fields))
        kept |= {root.id, middle.id, leaf.id}
    store.turns.begin(leaf.id)
    alone = store.sessions.create(aged(100, parentID="ses_gone"))
    assert apply(store, days=30) == Freed(sessions=1)
    assert left(store) == kept
    assert alone.id not in kept


def test_what_somebody_has_begun_just_now_stays() -> None:
    store = memory_store()
    session = store.sessions.create(aged(100))

    class Busy(Nobody):
        def is_busy(self, session_id: str) -> bool:
            return session_id == session.id

    assert apply(store, Busy(), days=30) == Freed()
    assert apply(store, days=30) == Freed(sessions=1)


def test_by_size_what_is_worth_least_goes_first() -> None:
    """Outputs that are not shown, then what is archived, then the oldest; never today's."""
    store = memory_store()
    old = with_text(store, aged(50), 2 * MEGABYTE)
    archived = with_text(store, aged(5, archived=5), 2 * MEGABYTE)
    young = with_text(store, aged(2), 2 * MEGABYTE)
    today = with_text(store, aged(0.5), 2 * MEGABYTE)
    pruned = with_text(store, aged(40), 10)
    part = with_output(store, pruned, compacted=1)
    assert apply(store, size=12) == Freed()
    assert apply(store, size=9) == Freed(outputs=1)
    assert output_of(store, part) == CLEARED
    assert apply(store, size=7) == Freed(sessions=1)
    assert archived.id not in left(store)
    assert apply(store, size=5) == Freed(sessions=1)
    assert left(store) == {young.id, today.id, pruned.id}
    assert apply(store, size=1) == Freed(sessions=2)
    assert left(store) == {today.id}
    assert old.id


def with_output(
    store: Store, session: Session, size: int = 2 * MEGABYTE, compacted: int | None = None
) -> ToolPart:
    """A message with a tool's result."""
    message = build.assistant_message(session.id)
    store.messages.save(message)
    image = FilePart(
        id="prt_x", sessionID=session.id, messageID=message.id, mime="image/png", url="data:,x"
    )
    part = ToolPart(
        id=f"prt_{message.id}",
        sessionID=session.id,
        messageID=message.id,
        callID="c",
        tool="bash",
        state=ToolStateCompleted(
            input={"command": "seq"},
            output="x" * size,
            title="seq",
            metadata={"exit": 0, "output": "x" * 5_000},
            time=ToolTime(start=1, end=2, compacted=compacted),
            attachments=[image],
        ),
    )
    store.messages.save_part(part)
    store.commit()
    return part


def state_of(store: Store, part: ToolPart) -> ToolStateCompleted:
    (found,) = store.messages.get(part.sessionID, part.messageID).parts
    assert isinstance(found, ToolPart)
    assert isinstance(found.state, ToolStateCompleted)
    return found.state


def output_of(store: Store, part: ToolPart) -> str:
    return state_of(store, part).output


def test_outputs_before_a_summary_are_cleared_and_the_tail_is_not() -> None:
    store = memory_store()
    session = store.sessions.create(aged(20))
    before = with_output(store, session, 10_000)
    small = with_output(store, session, 100)
    tail = with_output(store, session, 10_000)
    asked = build.user_message(session.id)
    store.messages.save(asked)
    mark = CompactionPart(
        id="prt_mark",
        sessionID=session.id,
        messageID=asked.id,
        auto=True,
        tail_start_id=tail.messageID,
    )
    store.messages.save_part(mark)
    summary = build.assistant_message(session.id, parentID=asked.id, summary=True, finish="stop")
    store.messages.save(summary)
    after = with_output(store, session, 10_000)
    young = store.sessions.create(aged(2))
    pruned = with_output(store, young, compacted=1)
    assert apply(store, output_days=10) == Freed(outputs=2)
    assert apply(store, output_days=10) == Freed()
    state = state_of(store, before)
    assert (state.output, state.attachments, state.metadata) == (CLEARED, None, {"exit": 0})
    assert state.time.compacted == NOW
    assert state.input == {"command": "seq"}
    assert output_of(store, small) == CLEARED  # it had an image
    for part in (tail, after, pruned):
        assert len(output_of(store, part)) >= 10_000
    assert store.sessions.get(session.id).time.updated == session.time.updated


def test_a_failed_summary_hides_nothing() -> None:
    store = memory_store()
    session = store.sessions.create(aged(20))
    with_output(store, session)
    asked = build.user_message(session.id)
    store.messages.save(asked)
    store.messages.save(build.assistant_message(session.id, parentID=asked.id, summary=True))
    assert apply(store, output_days=10) == Freed()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),  # days since it was touched
            st.none() | st.integers(0, 60),  # since it was archived
            st.none() | st.integers(0, 9),  # its parent, of those before it
            st.booleans(),  # shared
            st.booleans(),  # at work
        ),
        max_size=10,
    ),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_families_go_whole_or_not_at_all(
    drawn: list[tuple[int, int | None, int | None, bool, bool]], days: int, archived_days: int
) -> None:
    """Against what one would say by looking at each family."""
    store = memory_store()
    made: list[Session] = []
    root: dict[str, str] = {}
    busy = set()
    for touched, archived, parent, shared, at_work in drawn:
        above = made[parent % len(made)] if parent is not None and made else None
        session = aged(
            touched + 0.5,
            None if archived is None else archived + 0.5,
            parentID=above.id if above else None,
            share=SessionShare(url="http://x") if shared else None,
        )
        made.append(with_text(store, session, 5))
        root[session.id] = root[above.id] if above else session.id
        if at_work:
            store.turns.begin(session.id)
            busy.add(session.id)
    expected = set()
    for session in made:
        family = [s for s in made if root[s.id] == root[session.id]]
        top = next(s for s in family if s.id == root[session.id])
        idle = min((NOW - s.time.updated) / DAY for s in family)
        archived = None if top.time.archived is None else (NOW - top.time.archived) / DAY
        needed = any(s.share or s.id in busy for s in family)
        due = idle > days or (archived is not None and archived > archived_days and idle > 1)
        if needed or not due:
            expected.add(session.id)
    apply(store, days=days, archived_days=archived_days)
    assert left(store) == expected
    owners = {row[0] for row in store.db.rows("SELECT DISTINCT session FROM part")}
    assert len(owners) == len(expected)
