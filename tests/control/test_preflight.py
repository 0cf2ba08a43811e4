"""What a run could ask with nobody there, and what it names that does not exist."""

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ostler.config.agents import Surroundings, build_agents
from ostler.control.plan import AskRule, Asks, Plan, Reply, Stage
from ostler.control.plan_file import plan_of
from ostler.control.preflight import (
    PreflightError,
    covers,
    preflight,
    remedy,
    requests,
    unanswered,
)
from ostler.permission import evaluate, matches
from ostler.schema.config import Config
from ostler.schema.permission import PermissionRule


def agent(name: str, *rules: tuple[str, str, str], mode: str = "primary") -> dict[str, Any]:
    return {
        "name": name,
        "mode": mode,
        "options": {},
        "permission": [
            {"permission": permission, "pattern": pattern, "action": action}
            for permission, pattern, action in (("*", "*", "allow"), ("question", "*", "deny"),
                                                ("plan_enter", "*", "deny"),
                                                ("plan_exit", "*", "deny"), *rules)
        ],
    }  # fmt: skip


def plan(*rules: AskRule, stage: Stage | None = None, **asks: Any) -> Plan:
    return Plan(
        name="demo",
        stages={"fix": stage or Stage(prompt="go")},
        asks=Asks(permissions=list(rules), **asks),
    )


def paths(agents: list[dict[str, Any]], of: Plan) -> list[tuple[str, str, str]]:
    return [(" -> ".join(u.agents), u.permission, u.pattern) for u in unanswered(agents, of)]


RULES: list[tuple[str, list[tuple[str, str, str]], list[tuple[str, str]]]] = [
    ("nothing is asked", [], []),
    ("an ask", [("edit", "*", "ask")], [("edit", "*")]),
    ("one that a later rule takes back", [("edit", "*", "ask"), ("*", "*", "allow")],
     [("question", "*"), ("plan_enter", "*"), ("plan_exit", "*")]),
    ("one that a later rule takes back in part",
     [("read", "*.env", "ask"), ("read", "a.env", "allow")], [("read", "*.env")]),
    ("one that a later denial takes back", [("bash", "git *", "ask"), ("bash", "*", "deny")], []),
    ("a question", [("question", "*", "allow")], [("question", "*")]),
    ("a question that would be asked for", [("question", "*", "ask")], [("question", "*")]),
    ("a loop", [("doom_loop", "*", "ask")], [("doom_loop", "*")]),
    ("folders", [("external_directory", "*", "ask"), ("external_directory", "/tmp/*", "allow")],
     [("external_directory", "*")]),
    ("the end of planning", [("plan_exit", "*", "allow")], [("plan_exit", "*")]),
]  # fmt: skip


@pytest.mark.parametrize(("case", "rules", "expected"), RULES, ids=[r[0] for r in RULES])
def test_what_an_agent_may_ask(
    case: str, rules: list[tuple[str, str, str]], expected: list[tuple[str, str]]
) -> None:
    assert paths([agent("build", *rules)], plan()) == [("build", *each) for each in expected]


def test_without_any_rule_everything_is_asked() -> None:
    bare = {"name": "build", "mode": "primary", "permission": []}
    assert ("build", "*", "*") in paths([bare], plan())


def test_subagents_are_followed_along_task() -> None:
    agents = [
        agent("build", ("task", "secret", "deny")),
        agent("secret", ("edit", "*", "ask"), mode="subagent"),
        agent("deep", ("webfetch", "*", "ask"), mode="all"),
        agent("middle", ("task", "*", "deny"), ("task", "deep", "allow"), mode="subagent"),
        agent("other", ("edit", "*", "ask")),
    ]
    assert paths(agents, plan()) == [("build -> deep", "webfetch", "*")]
    agents[0]["permission"].append({"permission": "task", "pattern": "deep", "action": "deny"})
    assert paths(agents, plan()) == [("build -> middle -> deep", "webfetch", "*")]
    agents[3]["permission"] = [r for r in agents[3]["permission"] if r["permission"] != "task"]
    assert paths(agents, plan()) == []


def test_agents_that_call_each_other_are_followed_once() -> None:
    both = ("task", "*", "allow"), ("edit", "*", "ask")
    agents = [agent("a", *both, mode="all"), agent("b", *both, mode="all")]
    assert paths(agents, plan()) == [("a", "edit", "*"), ("a -> b", "edit", "*")]


def test_tools_of_the_stage_count_and_their_denials_go_down() -> None:
    agents = [
        agent("build", ("bash", "*", "ask"), ("webfetch", "*", "ask")),
        agent("helper", ("bash", "*", "ask"), ("webfetch", "*", "ask"), mode="subagent"),
    ]
    stage = Stage(prompt="go", tools={"bash": False, "webfetch": True})
    assert paths(agents, plan(stage=stage)) == [("build -> helper", "webfetch", "*")]
    stage = Stage(prompt="go", tools={"bash": False, "webfetch": True, "task": False})
    assert paths(agents, plan(stage=stage)) == []


def test_the_agent_is_the_stages_or_the_plans_or_the_servers_first() -> None:
    agents = [agent(name, (name, "*", "ask")) for name in ("first", "second", "third")]
    of = Plan(name="demo", stages={"a": Stage(prompt="go"), "b": Stage(prompt="go", agent="third")})
    assert [u.permission for u in unanswered(agents, of)] == ["first", "third"]
    of = Plan(name="demo", stages=of.stages, agent="second")
    assert [u.permission for u in unanswered(agents, of)] == ["second", "third"]


def rule(permission: str = "*", pattern: str = "*", reply: Reply = "reject") -> AskRule:
    return AskRule(permission=permission, pattern=pattern, reply=reply)


ENV, GIT, QUESTION = ("read", "*.env"), ("bash", "git *"), ("question", "*")
ANSWERS: list[tuple[str, dict[str, Any], tuple[str, str], bool]] = [
    ("no rule", {}, ENV, False),
    ("a rule for all", {"permissions": [rule()]}, ENV, True),
    ("its rule", {"permissions": [rule("read", "*.env")]}, ENV, True),
    ("a wider rule", {"permissions": [rule("r*")]}, ENV, True),
    ("a narrower rule", {"permissions": [rule("read", "a.env")]}, ENV, False),
    ("another's rule", {"permissions": [rule("edit")]}, ENV, False),
    ("a reviewer", {"reviewer": "a/b"}, ENV, True),
    ("nobody is waited for", {"deadline": 0.0}, ENV, True),
    ("a person", {"default": "once"}, ENV, False),
    ("a command among others", {"permissions": [rule("bash", "git *")]}, GIT, False),
    ("any command", {"permissions": [rule("bash", "git *", "once"), rule("bash")]}, GIT, True),
    ("a rule for a question", {"permissions": [rule()]}, QUESTION, False),
    ("a reviewer of questions", {"questions": "reviewer", "reviewer": "a/b"}, QUESTION, True),
    ("a reviewer of permissions alone", {"reviewer": "a/b"}, QUESTION, False),
    ("no for a question", {"questions": "reject"}, QUESTION, True),
]


@pytest.mark.parametrize(
    ("case", "asks", "request_", "expected"), ANSWERS, ids=[a[0] for a in ANSWERS]
)
def test_who_answers(
    case: str, asks: dict[str, Any], request_: tuple[str, str], expected: bool
) -> None:
    action = "allow" if request_[0] == "question" else "ask"
    agents = [agent("build", (*request_, action))]
    of = Plan(name="demo", stages={"fix": Stage(prompt="go")}, asks=Asks(**asks))
    assert (unanswered(agents, of) == []) == expected
    assert unanswered(agents, of, attended=True) == []
    own = Plan(name="demo", stages={"fix": Stage(prompt="go", asks=Asks(**asks))})
    assert (unanswered(agents, own) == []) == expected


def test_sentences_say_what_to_add() -> None:
    agents = [
        agent("build", (*ENV, "ask"), (*QUESTION, "allow"), ("doom_loop", "*", "ask")),
        agent("helper", ("bash", "git *", "ask"), mode="subagent"),
    ]
    of = plan(rule("bash", "git *", "once"))
    with pytest.raises(PreflightError) as caught:
        preflight(agents, {"providers": []}, of)
    assert str(caught.value).splitlines() == [
        'stage fix: build can ask for permission "read" for "*.env"; '
        'add {permission: "read", pattern: "*.env", reply: reject} to asks.permissions',
        'stage fix: build can ask for permission "doom_loop"; '
        'add {permission: "doom_loop", reply: reject} to asks.permissions',
        "stage fix: build can ask a person a question (question); "
        'set "questions: reject" (or reviewer) in asks',
        'stage fix: build -> helper can ask for permission "bash" for "git *" together with '
        "others, which no one rule answers; "
        'add {permission: "bash", reply: reject} to asks.permissions',
        "Refused by rule, for all of them:",
        "asks:",
        "  questions: reject",
        "  permissions:",
        '    - {permission: "read", pattern: "*.env", reply: reject}',
        '    - {permission: "doom_loop", reply: reject}',
        '    - {permission: "bash", reply: reject}',
    ]


def test_the_remedy_answers_all_that_the_built_in_agents_ask() -> None:
    around = Surroundings(tool_output="/data/output", tmp="/tmp/x")
    config = Config(permission={"bash": {"*": "ask", "ls *": "allow"}})
    agents = [msgspec.to_builtins(each) for each in build_agents(config, around).values()]
    raw: dict[str, Any] = {
        "name": "demo",
        "stages": {"a": {"prompt": "go"}, "b": {"prompt": "go", "agent": "plan"}},
    }
    found = unanswered(agents, plan_of(raw))
    assert {" -> ".join(u.agents) for u in found if u.permission == "external_directory"} == {
        "build", "build -> general", "build -> explore", "plan", "plan -> explore",
    }  # fmt: skip
    assert unanswered(agents, plan_of({**raw, **yaml.safe_load(remedy(found))})) == []


def test_the_example_of_the_documentation_is_answered_for() -> None:
    page = (Path(__file__).parents[2] / "docs/flow-files.md").read_text()
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    around = Surroundings(tool_output="/data/output", tmp="/tmp/x")
    config = Config(permission={"bash": "ask", "edit": "ask"})
    agents = [msgspec.to_builtins(each) for each in build_agents(config, around).values()]
    assert unanswered(agents, plan_of(example)) == []


PROVIDERS = {
    "providers": [
        {"id": "anthropic", "models": {"claude-5": {}, "claude-4": {}}},
        {"id": "router", "models": {"maker/model": {}}},
    ],
    "default": {},
}


def test_what_does_not_exist_is_named() -> None:
    of = Plan(
        name="demo",
        agent="biuld",
        model="anthropic/claude-5",
        fallback=["router/maker/model", "anthropc/x"],
        stages={"fix": Stage(prompt="go", agent="zzz", fallback=["anthropic/claude-6"])},
        asks=Asks(reviewer="router/other"),
    )
    with pytest.raises(PreflightError) as caught:
        preflight([agent("build")], PROVIDERS, of)
    assert str(caught.value).splitlines() == [
        'agent: the server has no agent "biuld"; did you mean "build"?',
        'stages.fix.agent: the server has no agent "zzz"; it has build',
        'fallback[1]: the server has no provider "anthropc"; did you mean "anthropic"?',
        'stages.fix.fallback[0]: provider "anthropic" has no model "claude-6"; '
        'did you mean "claude-5"?',
        'asks.reviewer: provider "router" has no model "other"; it has maker/model',
    ]


def test_an_older_servers_permissions_are_read() -> None:
    older = {"name": "build", "mode": "primary", "permission": {"*": "allow", "edit": "ask"}}
    assert ("build", "edit", "*") in paths([older], plan())


# ── every set of rules ────────────────────────────────────────────────────────────────────────

PATTERNS = st.text("ab*? ", max_size=5)
TEXTS = st.text("ab ", max_size=5)


def every(alphabet: str, most: int) -> list[str]:
    lengths = range(most + 1)
    return ["".join(word) for n in lengths for word in itertools.product(alphabet, repeat=n)]


def test_a_pattern_that_covers_another_matches_all_that_it_does() -> None:
    texts, patterns = every("ab ", 4), every("a*? ", 3)
    matched = {pattern: {t for t in texts if matches(t, pattern)} for pattern in patterns}
    covered = [(w, n) for w in patterns for n in patterns if covers(w, n)]
    assert [(w, n) for w, n in covered if not matched[n] <= matched[w]] == []
    assert {("*", n) for n in patterns} <= set(covered)
    assert ("a*", "a?") in covered


ACTIONS: Any = st.sampled_from(("allow", "deny", "ask"))
RULE = st.builds(
    PermissionRule,
    permission=st.sampled_from(("*", "a", "b", "a*")),
    pattern=PATTERNS,
    action=ACTIONS,
)


@given(st.lists(RULE, max_size=5), st.sampled_from("ab"), TEXTS)
def test_whatever_is_asked_was_foreseen(
    rules: list[PermissionRule], permission: str, text: str
) -> None:
    assume(evaluate(permission, text, rules).action == "ask")
    assert any(matches(permission, p) and matches(text, t) for p, t in requests(rules))
