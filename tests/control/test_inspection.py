"""What looks wrong in a session, by rule. tests/cli/test_inspect.py has the command."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.control.inspection import Finding, inspect

Json = dict[str, Any]
NOTHING = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}


def tokens(input: int = 10, output: int = 5, reasoning: int = 0) -> Json:
    return {**NOTHING, "input": input, "output": output, "reasoning": reasoning}


def prompt(message_id: str = "msg_1", model: str = "m1") -> Json:
    info = {"id": message_id, "role": "user", "model": {"providerID": "test", "modelID": model}}
    return {"info": info, "parts": [said("go")]}


def answer(*parts: Json, **info: Any) -> Json:
    known = {
        "id": "msg_2",
        "role": "assistant",
        "parentID": "msg_1",
        "providerID": "test",
        "modelID": "m1",
        "finish": "stop",
        "tokens": tokens(),
        "time": {"created": 1000, "completed": 2500},
    }
    return {"info": {**known, **info}, "parts": list(parts)}


def said(text: str) -> Json:
    return {"type": "text", "text": text}


def thought(text: str) -> Json:
    return {"type": "reasoning", "text": text}


def called(tool: str = "bash", status: str = "completed", **given: Any) -> Json:
    return {"type": "tool", "tool": tool, "state": {"status": status, "input": given}}


def rules(*messages: Json, **more: Any) -> list[tuple[str, str | None]]:
    return [(f.rule, f.kind) for f in inspect(messages, **more).findings]


ASK = {"id": "per_1", "sessionID": "ses_1", "permission": "bash", "patterns": ["rm *"]}
QUESTION = {"id": "que_1", "sessionID": "ses_1", "questions": [{"question": "Which?"}]}
ABORTED = {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
REFUSED = {"name": "APIError", "data": {"message": "no key", "statusCode": 401}}

CASES: list[tuple[str, list[Json], list[tuple[str, str | None]]]] = [
    ("a good answer", [prompt(), answer(said("done"))], []),
    (
        "tool calls before the answer",
        [prompt(), answer(called(), finish="tool-calls"), answer(said("done"))],
        [],
    ),
    (
        "0 output tokens and no text",
        [prompt(), answer(tokens=tokens(output=0))],
        [("never_answered", "empty_completion")],
    ),
    (
        "all tokens 0",
        [prompt(), answer(tokens=NOTHING)],
        [("never_reached", "empty_completion")],
    ),
    (
        "all tokens 0, and the error says why",
        [prompt(), answer(tokens=NOTHING, error=REFUSED, finish=None)],
        [("failed", "auth_failed"), ("never_reached", None)],
    ),
    (
        "aborted before anything came",
        [prompt(), answer(tokens=NOTHING, error=ABORTED, finish=None)],
        [("failed", "aborted")],
    ),
    (
        "a provider that counts nothing",
        [prompt(), answer(said("done"), tokens=NOTHING)],
        [("no_usage", None)],
    ),
    (
        "stop with tool calls alone",
        [prompt(), answer(called(command="ls"))],
        [("only_tool_calls", "assistant_output_missing_text_part")],
    ),
    (
        "cut off",
        [prompt(), answer(said("half an"), finish="length")],
        [("truncated", "output_truncated")],
    ),
    (
        "reasoning took it all",
        [prompt(), answer(thought("hm"), finish="length", tokens=tokens(output=0, reasoning=90))],
        [("truncated", "output_truncated"), ("reasoning_only", "output_truncated")],
    ),
    (
        "reasoning and a stop",
        [prompt(), answer(thought("hm"), tokens=tokens(output=1, reasoning=90))],
        [("reasoning_only", "output_truncated")],
    ),
    (
        "another model answered",
        [prompt(model="m2"), answer(said("done"))],
        [("other_model", None)],
    ),
    (
        "a summary may be another model's",
        [prompt(model="m2"), answer(said("so far"), summary=True)],
        [],
    ),
    (
        "three identical calls, over two messages",
        [
            prompt(),
            answer(called(command="ls"), called(command="ls"), finish="tool-calls"),
            answer(called(command="ls"), finish="tool-calls"),
            answer(said("done")),
        ],
        [("repeats", "stuck")],
    ),
    (
        "calls that differ",
        [prompt(), answer(*(called(command=f"ls {n}") for n in range(5)), said("x"))],
        [],
    ),
    ("a prompt without an answer", [prompt()], [("unanswered", "stuck")]),
    (
        "an answer without an end",
        [prompt(), answer(said("ha"), time={"created": 1000}, finish=None)],
        [("interrupted", None)],
    ),
    ("nothing at all", [], []),
]


@pytest.mark.parametrize(
    ("messages", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rules(messages: list[Json], expected: list[tuple[str, str | None]]) -> None:
    assert rules(*messages) == expected


def test_a_fallback_says_why_another_model_answered() -> None:
    failed = {"providerID": "test", "modelID": "m2", "kind": "rate_limited", "message": "too many"}
    (finding,) = inspect([prompt(model="m2"), answer(said("x"), fallback=[failed])]).findings
    assert finding == Finding(
        "other_model", "test/m1 answered, test/m2 was asked for (test/m2: too many)", "msg_2"
    )


def test_what_waits_for_a_person() -> None:
    running = answer(called(status="running"), time={"created": 1}, finish=None, tokens=NOTHING)
    found = inspect([prompt(), running], asks=[ASK, QUESTION], is_running=True).findings
    assert [(f.kind, f.message) for f in found] == [
        ("pending_permission", "somebody has to allow: bash rm *"),
        ("pending_question", "somebody has to answer: Which?"),
    ]


def test_what_still_runs_is_not_wrong() -> None:
    assert rules(prompt(), is_running=True) == []
    begun = answer(time={"created": 1}, finish=None, tokens=NOTHING)
    assert rules(prompt(), begun, is_running=True) == []


def test_sums() -> None:
    found = inspect([prompt(), answer(said("a"), cost=0.5), answer(said("b"), cost=0.25)])
    assert (found.usage.input, found.usage.output, found.cost) == (20, 10, 0.75)
    assert [step.seconds for step in found.steps] == [None, 1.5, 1.5]


leaves = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "info": st.fixed_dictionaries(
                    {},
                    optional={
                        "role": st.sampled_from(["user", "assistant"]),
                        "finish": st.none() | st.sampled_from(["stop", "length", "other"]),
                        "tokens": st.none() | st.just(tokens()) | st.just({}),
                        "model": st.none() | st.just({}) | st.text(max_size=2),
                        "error": st.none() | st.just({}) | st.just(ABORTED),
                        "time": st.none() | st.just({}) | st.just({"created": 1}),
                    },
                ),
                "parts": st.none()
                | st.lists(
                    st.just({})
                    | st.just(said("x"))
                    | st.just({"type": "tool"})
                    | st.just({"type": "text"}),
                    max_size=3,
                ),
            },
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_whatever_is_missing_is_nothing(messages: list[Json], is_running: bool) -> None:
    assert len(inspect(messages, is_running=is_running).steps) == len(messages)
