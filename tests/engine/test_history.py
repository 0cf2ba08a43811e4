"""A conversation kept in memory is the one that is stored, whatever happened to that."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ostler.engine.convert import continued, conversation
from ostler.engine.history import History
from ostler.events import Bus
from ostler.schema.errors import UnknownData, UnknownError
from ostler.schema.message import AssistantMessage, UserMessage, UserSummary
from ostler.schema.session import SnapshotFileDiff
from ostler.store import MEMORY, Store
from tests.support import build

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "write", "fail", "sum up", "remove", "leave out"]),
        st.integers(0, 30),
    ),
    max_size=25,
)


def plain(messages: Any) -> list[Any]:
    return [(m.role, m.content) for m in messages]


@given(operations=OPERATIONS)
def test_it_goes_on_as_it_would_begin(operations: list[tuple[str, int]]) -> None:
    store = Store(MEMORY, Bus())
    session = store.sessions.create(build.session()).id
    model = build.provider("http://127.0.0.1").models["m1"]
    kept = History(store, session)
    stored: list[Any] = []
    for number, (what, which) in enumerate(operations):
        chosen = stored[which % len(stored)] if stored else None
        if what in ("ask", "answer") or chosen is None:
            make = build.user_message if what == "ask" else build.assistant_message
            stored.append(made := make(session, agent=f"agent{which % 3}"))
            store.messages.save(made)
            store.messages.save_part(build.text_part(made, f"text {number}"))
        elif what == "write":
            store.messages.save_part(build.text_part(chosen, f"more {number}"))
        elif what == "fail" and isinstance(chosen, AssistantMessage):
            error = UnknownError(data=UnknownData(message="x"))
            store.messages.save(build.assistant_message(session, id=chosen.id, error=error))
        elif what == "sum up" and isinstance(chosen, UserMessage):
            diff = SnapshotFileDiff(file="a", additions=1, deletions=0, patch="")
            summary = UserSummary(diffs=[diff] * (which % 2))
            store.messages.save(build.user_message(session, id=chosen.id, summary=summary))
        elif what == "remove":
            store.messages.remove(session, chosen.id)
            stored.remove(chosen)
        kept.refresh()
        shown = list(kept.active())
        if what == "leave out" and shown:
            del shown[which % len(shown)]
        assert plain(continued(kept, shown, model)) == plain(conversation(shown, model))
        new = History(store, session).refresh()
        again = [e for e in new.active() if e.message.id in {s.message.id for s in shown}]
        assert plain(continued(kept, shown, model)) == plain(conversation(again, model))
        assert kept.diffs == new.diffs
