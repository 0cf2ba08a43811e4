"""A conversation that grows is sent as one that is new: what is kept of it never shows."""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.models import anthropic, bedrock, gemini, openai_chat, openai_responses
from ostler.models.repair import repaired
from ostler.models.request import (
    Block,
    ChatMessage,
    ModelRequest,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from ostler.schema.config import ModelConfig
from tests.support import build

TEXTS = st.sampled_from(["", " ", "one", 'quo"te\0', "ü"])
IDS = st.sampled_from(["call_1", "call_2", "abcdefghi"])
BLOCKS: dict[str, st.SearchStrategy[Block]] = {
    "user": st.builds(TextBlock, TEXTS),
    "assistant": st.one_of(
        st.builds(TextBlock, TEXTS),
        st.builds(ReasoningBlock, TEXTS, st.just({"anthropic": {"signature": "s"}})),
        st.builds(ToolCallBlock, IDS, st.just("bash"), st.just({"command": "ls"})),
    ),
    "tool": st.builds(ToolResultBlock, IDS, st.just("bash"), TEXTS, st.booleans()),
}


def message(role: Any) -> st.SearchStrategy[ChatMessage]:
    blocks = st.lists(BLOCKS[role], min_size=1, max_size=3)
    return st.builds(lambda found: ChatMessage(role, tuple(found)), blocks)


CONVERSATIONS = st.lists(st.one_of(*map(message, BLOCKS)), max_size=30)
STEPS = st.lists(st.integers(0, 6), max_size=8)
"""How many messages are new each time; the first of all may be taken away instead (0)."""

WIRES: dict[str, tuple[Callable[[ModelRequest], Any], str]] = {
    "chat": (openai_chat.encode_request, "m1"),
    "chat, mistral": (openai_chat.encode_request, "mistral-large"),
    "chat, marked": (openai_chat.encode_request, "claude-x"),
    "responses": (openai_responses.encode_request, "m1"),
    "messages": (anthropic.encode_body, "claude-x"),
    "gemini": (gemini.encode_request, "gemini-2"),
    "gemini 3": (gemini.encode_request, "gemini-3-pro"),
    "converse": (bedrock.encode_request, "anthropic.claude-x"),
    "converse, no caches": (bedrock.encode_request, "meta.llama"),
}


def sent(wire: str, messages: list[ChatMessage]) -> Any:
    encode, model = WIRES[wire]
    known = build.provider("http://127.0.0.1", ModelConfig(id=model))
    system = [ChatMessage("system", (TextBlock(f"rule {n}"),)) for n in range(3)]
    made = encode(build.request("", provider=known, messages=[*system, *messages]))
    return made if isinstance(made, bytes) else msgspec.json.encode(made)


def fresh(messages: list[ChatMessage]) -> list[ChatMessage]:
    return [ChatMessage(m.role, m.content) for m in messages]


@pytest.mark.parametrize("wire", WIRES)
@given(conversation=CONVERSATIONS, steps=STEPS)
def test_every_wire(wire: str, conversation: list[ChatMessage], steps: list[int]) -> None:
    length, messages = 0, copy.copy(conversation)
    for step in steps:
        length += step
        if step == 0 and messages:
            del messages[0]  # a compaction
        shown = messages[:length]
        assert sent(wire, shown) == sent(wire, fresh(shown))


@given(conversation=CONVERSATIONS, steps=STEPS)
def test_repair(conversation: list[ChatMessage], steps: list[int]) -> None:
    def plain(messages: Any) -> list[Any]:
        return [(m.role, m.content) for m in messages]

    length, messages = 0, copy.copy(conversation)
    for step in steps:
        length += step
        if step == 0 and messages:
            del messages[0]
        shown = messages[:length]
        assert plain(repaired(shown)) == plain(repaired(fresh(shown)))


def test_the_beginning_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    encode = openai_chat._encoded

    def counting(message: ChatMessage, *rest: Any) -> bytes:
        looked.append(message.role)
        return encode(message, *rest)

    monkeypatch.setattr(openai_chat, "_encoded", counting)
    messages = [ChatMessage("user", (TextBlock(str(n)),)) for n in range(100)]
    sent("chat", messages)
    looked.clear()
    sent("chat", [*messages, ChatMessage("user", (TextBlock("new"),))])
    assert looked.count("user") == 1
