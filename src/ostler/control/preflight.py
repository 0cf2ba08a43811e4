"""Before a run begins: what would wait for a person who is not there, and what does not exist.

Functions over a plan and a server's answers (``GET /agent``, ``GET /config/providers``), and one
that asks for those.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ostler.config.jsonc import Path
from ostler.control.plan import Asks, Plan, Stage
from ostler.control.pool import Pool
from ostler.control.problems import PlanIssue, meant, models_named
from ostler.permission import evaluate, inherited, matches, rules_from_config
from ostler.schema.errors import OstlerError
from ostler.schema.permission import PermissionRule

QUESTIONS = ("question", "plan_enter", "plan_exit")
"""Tools that ask the user something whenever they are allowed."""
SEVERAL = ("bash", "edit", "external_directory")
"""One request of these may be for several patterns, and a rule answers all of them or none."""
DEFAULT_AGENT = "build"


class Agent(msgspec.Struct, frozen=True):
    """An agent as ``GET /agent`` lists it, as far as it matters here."""

    name: str
    mode: str = "primary"
    permission: list[PermissionRule] = []
    hidden: bool | None = None


class Unanswered(msgspec.Struct, frozen=True):
    """A request that nobody would answer. ``agents``: from the stage's own down to the subagent
    that asks; ``several``: a rule of the plan answers it, but not beside other patterns."""

    stage: str
    agents: tuple[str, ...]
    permission: str
    pattern: str
    several: bool = False

    def __str__(self) -> str:
        return f"stage {self.stage}: {' -> '.join(self.agents)} {self.asks}; {self.hint}"

    @property
    def asks(self) -> str:
        """What can be asked, in words."""
        if self.permission in QUESTIONS:
            return f"can ask a person a question ({self.permission})"
        for_what = "" if self.pattern == "*" else f" for {json.dumps(self.pattern)}"
        return f'can ask for permission "{self.permission}"{for_what}' + (
            " together with others, which no one rule answers" if self.several else ""
        )

    @property
    def hint(self) -> str:
        """What answers it, as a line of the flow file."""
        if self.permission in QUESTIONS:
            return 'set "questions: reject" (or reviewer) in asks'
        return f"add {self.rule} to asks.permissions"

    @property
    def rule(self) -> str:
        """A rule that answers it, as YAML."""
        pattern = f"pattern: {json.dumps(self.pattern, ensure_ascii=False)}, "
        if self.pattern == "*" or _of_several(self.permission):
            pattern = ""
        return f"{{permission: {json.dumps(self.permission)}, {pattern}reply: reject}}"


class PreflightError(OstlerError):
    """A run that must not begin: requests that nobody would answer, agents and models that do not
    exist. The message ends with what answers all requests, to be put into the file."""

    def __init__(
        self, unanswered: Sequence[Unanswered] = (), missing: Sequence[PlanIssue] = ()
    ) -> None:
        self.unanswered, self.missing = tuple(unanswered), tuple(missing)
        lines = [str(each) for each in (*self.missing, *self.unanswered)]
        if unanswered:
            lines += ["Refused by rule, for all of them:", remedy(unanswered)]
        super().__init__("\n".join(lines))


def preflight(
    agents: Iterable[Mapping[str, Any]],
    providers: Mapping[str, Any],
    plan: Plan,
    *,
    attended: bool = False,
) -> None:
    """Raises PreflightError for everything that is found. ``agents`` and ``providers`` as
    ``GET /agent`` and ``GET /config/providers`` answer."""
    listed = list(agents)
    missing = [*missing_agents(listed, plan), *missing_models(providers, plan)]
    waiting = unanswered(listed, plan, attended=attended)
    if missing or waiting:
        raise PreflightError(waiting, missing)


async def check_run(
    pool: Pool, plan: Plan, servers: Sequence[str], directory: str, attended: bool
) -> None:
    """``preflight`` with what the first server says; all must be well. Raises PreflightError,
    ClientError."""
    await pool.check(servers)
    client = pool.server(servers[0]).client
    agents = await client.app.agents(directory=directory)
    providers = await client.config.providers(directory=directory)
    preflight(msgspec.to_builtins(agents), msgspec.to_builtins(providers), plan, attended=attended)


# ── what does not exist ───────────────────────────────────────────────────────────────────────


def missing_agents(agents: Iterable[Mapping[str, Any]], plan: Plan) -> list[PlanIssue]:
    """Agents that the plan names and the server does not have."""
    known = [agent.name for agent in _agents(agents)]
    named: list[tuple[Path, str | None]] = [(("agent",), plan.agent)]
    named += [(("stages", name, "agent"), stage.agent) for name, stage in plan.stages.items()]
    return [
        PlanIssue(f'the server has no agent "{agent}"', path, meant(agent, known, _among(known)))
        for path, agent in named
        if agent is not None and agent not in known
    ]


def missing_models(providers: Mapping[str, Any], plan: Plan) -> list[PlanIssue]:
    """Models, fallbacks and reviewers that the plan names and the server cannot reach."""
    known = {
        str(provider["id"]): [str(model) for model in provider.get("models") or ()]
        for provider in providers.get("providers") or ()
    }
    return [
        issue for path, model in models_named(plan) for issue in _missing_model(model, path, known)
    ]


def _missing_model(
    name: str, path: Path, known: Mapping[str, Sequence[str]]
) -> Iterator[PlanIssue]:
    provider, _, model = name.partition("/")
    if provider not in known:
        hint = meant(provider, known, _among(known))
        yield PlanIssue(f'the server has no provider "{provider}"', path, hint)
    elif model not in known[provider]:
        hint = meant(model, known[provider], _among(known[provider]))
        yield PlanIssue(f'provider "{provider}" has no model "{model}"', path, hint)


def _among(known: Iterable[str], most: int = 8) -> str:
    names = list(known)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"it has {', '.join(names[:most]) or 'none'}{more}"


# ── what nobody answers ───────────────────────────────────────────────────────────────────────


def unanswered(
    agents: Iterable[Mapping[str, Any]], plan: Plan, *, attended: bool = False
) -> list[Unanswered]:
    """Every request that an agent of a stage, or a subagent it can reach, may make and that no
    rule, reviewer or deadline of 0 seconds of the plan answers, by stage. ``attended``: somebody is
    there, who answers everything. A stage's own ``asks`` count instead of the plan's. Agents that
    do not exist are left to ``missing_agents``."""
    if attended:
        return []
    known = {agent.name: agent for agent in _agents(agents)}
    found: dict[Unanswered, None] = {}
    for name, stage in plan.stages.items():
        asks = stage.asks or plan.asks
        root = stage.agent or plan.agent or _default(known.values())
        for path, rules in _reached(root, stage, known):
            for permission, pattern in requests(rules):
                if not _is_answered(asks, permission, pattern):
                    several = _has_rule(asks, permission, pattern)
                    found[Unanswered(name, path, permission, pattern, several)] = None
    return list(found)


def remedy(found: Iterable[Unanswered]) -> str:
    """The ``asks`` of a flow file that answer all of them with a no."""
    lines, rules = ["asks:"], dict[str, None]()
    for each in found:
        if each.permission in QUESTIONS:
            if "  questions: reject" not in lines:
                lines.append("  questions: reject")
        else:
            rules[each.rule] = None
    if rules:
        lines += ["  permissions:", *(f"    - {rule}" for rule in rules)]
    return "\n".join(lines)


def requests(rules: Sequence[PermissionRule]) -> list[tuple[str, str]]:
    """(permission, pattern) of what an agent with these rules may ask: each ``ask`` that no later
    rule covers, what no rule covers at all, and the tools that put questions."""
    everything = [PermissionRule(permission="*", pattern="*", action="ask"), *rules]
    asks = [
        (rule.permission, rule.pattern)
        for index, rule in enumerate(everything)
        if rule.action == "ask"
        and rule.permission not in QUESTIONS
        and not any(_covers_rule(later, rule) for later in everything[index + 1 :])
    ]
    questions = [(tool, "*") for tool in QUESTIONS if evaluate(tool, "*", rules).action != "deny"]
    return list(dict.fromkeys(asks + questions))


def covers(wide: str, narrow: str) -> bool:
    """Whether a wildcard pattern matches all that another one does; False where that is not
    certain."""
    return all(matches(text, wide) for text in _samples(narrow))


def _samples(pattern: str) -> Iterator[str]:
    """Texts that a pattern matches, each of its stars once empty and once long, of characters that
    no pattern has: what matches all of these matches whatever stands there."""
    stars = min(pattern.count("*"), 6)
    parts = pattern.replace("?", "\x01").split("*", stars)
    for filling in itertools.product(("", "\x02" * 3), repeat=stars):
        yield "".join(itertools.chain(*itertools.zip_longest(parts, filling, fillvalue="")))
    if pattern.endswith(" *"):
        yield from _samples(pattern[:-2])


def _covers_rule(wide: PermissionRule, narrow: PermissionRule) -> bool:
    return covers(wide.permission, narrow.permission) and covers(wide.pattern, narrow.pattern)


def _is_answered(asks: Asks, permission: str, pattern: str) -> bool:
    if asks.deadline == 0:
        return True
    if permission in QUESTIONS:
        return asks.questions != "person"
    if asks.reviewer is not None:
        return True
    return _has_rule(asks, permission, "*" if _of_several(permission) else pattern)


def _of_several(permission: str) -> bool:
    return any(matches(each, permission) for each in SEVERAL)


def _has_rule(asks: Asks, permission: str, pattern: str) -> bool:
    return any(
        covers(rule.permission, permission) and covers(rule.pattern, pattern)
        for rule in asks.permissions
    )


# ── agents ────────────────────────────────────────────────────────────────────────────────────


def _agents(listed: Iterable[Mapping[str, Any]]) -> list[Agent]:
    """Older servers say permissions as a configuration does, in an object."""
    return [
        msgspec.convert(
            {**agent, "permission": rules_from_config(agent["permission"])}
            if isinstance(agent.get("permission"), Mapping)
            else agent,
            Agent,
        )
        for agent in listed
    ]


def _default(agents: Iterable[Agent]) -> str:
    """The agent of a prompt that names none: a server lists it first."""
    usable = [agent.name for agent in agents if agent.mode != "subagent" and not agent.hidden]
    return usable[0] if usable else DEFAULT_AGENT


def _reached(
    root: str, stage: Stage, known: Mapping[str, Agent]
) -> Iterator[tuple[tuple[str, ...], list[PermissionRule]]]:
    """The agent and every subagent below it by its shortest path, with the rules each has there."""
    session = [
        PermissionRule(permission=tool, pattern="*", action="allow" if on else "deny")
        for tool, on in (stage.tools or {}).items()
    ]
    waiting: list[tuple[tuple[str, ...], list[PermissionRule]]] = []
    if root in known:
        waiting.append(((root,), session))
    seen = {root}
    while waiting:
        path, session = waiting.pop(0)
        rules = [*known[path[-1]].permission, *session]
        yield path, rules
        for agent in known.values():
            if agent.name in seen or agent.mode == "primary":
                continue
            if evaluate("task", agent.name, rules).action != "deny":
                seen.add(agent.name)
                waiting.append(((*path, agent.name), _child_rules(session, agent)))


def _child_rules(session: Sequence[PermissionRule], agent: Agent) -> list[PermissionRule]:
    """What a server gives a subagent's session: the denials above it, and no subagents of its own
    unless the agent's rules speak of them."""
    rules = inherited(session)
    if not any(rule.permission == "task" for rule in agent.permission):
        rules.append(PermissionRule(permission="task", pattern="*", action="deny"))
    return rules
