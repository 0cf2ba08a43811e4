"""Conversations as providers insist on them."""

from hypothesis import given
from hypothesis import strategies as st

from ostler.models.repair import NO_RESULT, repaired
from ostler.models.request import ChatMessage, TextBlock, ToolCallBlock, ToolResultBlock

USER = ChatMessage("user", (TextBlock("go"),))


def calls(*ids: str) -> ChatMessage:
    return ChatMessage("assistant", tuple(ToolCallBlock(i, "bash", {}) for i in ids))


def results(*ids: str) -> ChatMessage:
    return ChatMessage("tool", tuple(ToolResultBlock(i, "bash", f"of {i}") for i in ids))


def test_what_is_whole_stays_as_it_is() -> None:
    messages = [USER, calls("a", "b"), results("a", "b"), calls("a"), results("a"), USER]
    assert repaired(messages) is messages


def test_a_call_without_a_result_gets_one() -> None:
    for after in ([], [USER], [calls("c"), results("c")]):
        found = repaired([USER, calls("a", "b"), results("a"), *after])
        added = found[3]
        assert added.role == "tool"
        (block,) = added.content
        assert isinstance(block, ToolResultBlock)
        assert (block.id, block.output, block.failed) == ("b", NO_RESULT, True)
        assert list(found[4:]) == after


def test_a_result_without_a_call_is_left_out() -> None:
    assert list(repaired([results("a"), USER])) == [USER]
    found = repaired([USER, calls("a"), results("a", "x"), results("y")])
    assert [m.role for m in found] == ["user", "assistant", "tool"]
    assert [b.id for b in found[2].content if isinstance(b, ToolResultBlock)] == ["a"]


_ids = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)
_messages = st.one_of(st.just(USER), _ids.map(lambda i: calls(*i)), _ids.map(lambda i: results(*i)))


@given(st.lists(_messages, max_size=8))
def test_every_call_has_its_result_right_after_it(messages: list[ChatMessage]) -> None:
    waiting: set[str] = set()
    for message in repaired(messages):
        if message.role == "tool":
            answered = {b.id for b in message.content if isinstance(b, ToolResultBlock)}
            assert answered
            assert answered <= waiting
            waiting -= answered
        else:
            assert not waiting
            waiting = {b.id for b in message.content if isinstance(b, ToolCallBlock)}
    assert not waiting
    again = repaired(messages)
    assert repaired(again) is again
