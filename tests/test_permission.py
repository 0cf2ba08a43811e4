"""Permission rules and requests: the whole table of who decides what."""

import asyncio
import fnmatch
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.permission import (
    Permissions,
    evaluate,
    hidden,
    inherited,
    matches,
    rules_from_config,
)
from ostler.schema.errors import (
    PermissionCorrected,
    PermissionDenied,
    PermissionRejected,
    TaggedNotFound,
    ToolError,
)
from ostler.schema.permission import PermissionRequest, PermissionRule
from ostler.schema.session import Unattended

MATCHES = [
    ("ls", "ls *", True),
    ("ls -a", "ls *", True),
    ("lsx", "ls *", False),
    ("git status", "git *", True),
    ("a/b/c", "a/*", True),
    ("a\nb", "a*b", True),
    ("abc", "a?c", True),
    ("ac", "a?c", False),
    ("a.c", "a.c", True),
    ("abc", "a.c", False),
    ("[x]", "[x]", True),
    ("Git", "git", False),
    ("a\\b", "a/b", True),
    ("", "*", True),
    ("prefix x", "x", False),
]


@pytest.mark.parametrize(("text", "pattern", "expected"), MATCHES)
def test_wildcards(text: str, pattern: str, expected: bool) -> None:
    assert matches(text, pattern) is expected


@given(st.text("ab/* ?.", max_size=8), st.text("ab/*?.", max_size=6))
def test_wildcards_agree_with_fnmatch(text: str, pattern: str) -> None:
    """Without brackets and the optional tail, the two are the same language."""
    expected = re.fullmatch(fnmatch.translate(pattern), text) is not None
    assert matches(text, pattern) is expected


def rules(config: Any) -> list[PermissionRule]:
    return rules_from_config(config)


def test_the_last_matching_rule_wins() -> None:
    def decide(config: Any) -> str:
        return evaluate("bash", "git push", rules(config)).action

    assert decide({"bash": {"*": "ask", "git *": "allow"}}) == "allow"
    assert decide({"bash": {"git *": "allow", "*": "deny"}}) == "deny"
    assert decide({"ba*": "deny"}) == "deny"
    assert decide({}) == "ask"
    assert evaluate("bash", "ls", rules("allow"), rules({"bash": "deny"})).action == "deny"


def test_home_is_expanded_at_the_start_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("OPENCODE_TEST_HOME", raising=False)
    made = rules({"read": {"~/x/*": "deny", "$HOME": "deny", "a/~": "deny"}})
    assert [r.pattern for r in made] == ["/home/me/x/*", "/home/me", "a/~"]


def test_hiding_needs_a_final_deny_of_everything() -> None:
    assert hidden("bash", rules({"bash": {"git *": "allow", "*": "deny"}}))
    assert not hidden("bash", rules({"bash": {"*": "deny", "git *": "allow"}}))
    assert hidden("write", rules({"edit": "deny"}))
    assert not hidden("write", rules({"write": "deny"}))
    assert not hidden("bash", [])


def test_children_inherit_denials() -> None:
    parent = rules({"bash": "deny", "read": "allow", "external_directory": "allow"})
    assert [r.permission for r in inherited(parent)] == ["bash", "external_directory"]


class Desk:
    """Permissions with somebody who writes down what is asked."""

    def __init__(self, deadline: float = 30.0) -> None:
        self.asked: list[PermissionRequest] = []
        self.replied: list[tuple[str, str]] = []
        self.service = Permissions(
            self.asked.append, lambda r, reply: self.replied.append((r.id, reply)), deadline
        )

    def ask(self, *patterns: str, **fields: Any) -> "asyncio.Task[None]":
        return asyncio.create_task(
            self.service.ask(
                **{
                    "session_id": "ses_1",
                    "permission": "bash",
                    "patterns": patterns,
                    "always": ["git *"],
                    "metadata": {},
                    "rules": [],
                    **fields,
                }
            )
        )

    async def wait_asked(self, count: int) -> PermissionRequest:
        async with asyncio.timeout(5):
            while len(self.asked) < count:
                await asyncio.sleep(0)
        return self.asked[-1]


async def test_allowed_and_denied_by_rule_ask_nobody() -> None:
    desk = Desk()
    await desk.ask("ls", rules=rules("allow"))
    with pytest.raises(PermissionDenied, match="rule"):
        await desk.ask("ls", "rm", rules=rules({"bash": {"*": "allow", "rm": "deny"}}))
    assert desk.asked == []


async def test_once_lets_this_call_through_only() -> None:
    desk = Desk()
    for _ in range(2):
        call = desk.ask("git push")
        request = await desk.wait_asked(len(desk.asked) + 1)
        desk.service.reply(request.id, "once")
        await call
    assert len(desk.asked) == 2
    assert desk.service.pending() == []


async def test_always_is_remembered_and_releases_what_it_covers() -> None:
    desk = Desk()
    first, covered, other = desk.ask("git push"), desk.ask("git pull"), desk.ask("rm x")
    await desk.wait_asked(3)
    desk.service.reply(desk.asked[0].id, "always")
    await first
    await covered
    await desk.ask("git log")  # remembered
    assert [p.patterns for p in desk.service.pending()] == [["rm x"]]
    desk.service.reply(desk.asked[2].id, "once")
    await other


async def test_reject_takes_the_session_s_other_requests_along() -> None:
    desk = Desk()
    one, two = desk.ask("a"), desk.ask("b")
    elsewhere = desk.ask("c", session_id="ses_2")
    await desk.wait_asked(3)
    desk.service.reply(desk.asked[0].id, "reject")
    for call in (one, two):
        with pytest.raises(PermissionRejected):
            await call
    assert [p.sessionID for p in desk.service.pending()] == ["ses_2"]
    desk.service.close()
    with pytest.raises(PermissionRejected):
        await elsewhere


async def test_reject_with_a_message_is_feedback() -> None:
    desk = Desk()
    call = desk.ask("a")
    request = await desk.wait_asked(1)
    desk.service.reply(request.id, "reject", "use make")
    with pytest.raises(PermissionCorrected, match="use make"):
        await call


async def test_an_unknown_request_is_not_found() -> None:
    with pytest.raises(TaggedNotFound, match="per_nope"):
        Desk().service.reply("per_nope", "once")


async def test_nobody_answers_for_ever() -> None:
    desk = Desk(deadline=0.01)
    with pytest.raises(ToolError, match="Nobody answered"):
        await desk.ask("a")
    assert desk.replied == [(desk.asked[0].id, "reject")]


async def test_the_unattended_policy_answers() -> None:
    desk = Desk()
    await desk.ask("a", unattended=Unattended(permission="allow"))
    with pytest.raises(PermissionCorrected, match="policy"):
        await desk.ask("a", unattended=Unattended())
    with pytest.raises(PermissionCorrected, match="because"):
        await desk.ask("a", unattended=Unattended(message="because"))
    assert desk.asked == []


async def test_ancestors_denials_cannot_be_lifted() -> None:
    desk = Desk()
    above = [rules({"*": "allow", "edit": "deny"})]
    with pytest.raises(PermissionDenied):
        await desk.ask("x", permission="edit", rules=rules("allow"), ancestors=above)
    await desk.ask("x", rules=rules("allow"), ancestors=above)


async def test_a_cancelled_call_withdraws_its_request() -> None:
    desk = Desk()
    call = desk.ask("a")
    await desk.wait_asked(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert desk.service.pending() == []
