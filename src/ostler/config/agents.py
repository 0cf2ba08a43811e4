"""The agents there are: built-in ones, changed and joined by the configured ones.

Rules, their order and every default are OpenCode 1.18's; the prompts are our own.
"""

import msgspec

from ostler.permission import rules_from_config
from ostler.schema.agent import Agent, AgentMode
from ostler.schema.config import AgentConfig, Config
from ostler.schema.errors import BadRequest
from ostler.schema.part import ModelRef
from ostler.schema.permission import PermissionRule

EXPLORE_PROMPT = """\
You search code and answer questions about it. You change nothing.

- Start wide (glob for names, grep for words), then read what looks relevant.
- Run independent searches in parallel. Try other names and spellings before you give up.
- Answer with absolute paths and line numbers, and quote the lines that matter.
- Say what you looked for and did not find. Do not guess."""

TITLE_PROMPT = """\
You write a title for a conversation between a user and a coding agent. Answer with the title alone.

- One line of at most 50 characters, in the user's language, without quotes or a full stop.
- Name the subject so that the user finds it again: keep file names, errors and numbers exact.
- If the message is only a greeting, name it as such. Never answer the message itself."""

SUMMARY_PROMPT = """\
You describe what was done in a conversation, as its author would in a pull request: two or three \
sentences in the first person that say what changed and why. No tool names, no preamble, no list."""

COMPACTION_PROMPT = """\
You keep the memory of a coding agent. You are given a conversation and write down what the agent \
must know to go on without it: facts, decisions, exact names, what is done and what is left. Write \
only what the conversation says. Do not answer questions in it and do not continue the work."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the default rules depend on. ``readable``: folders outside the project that may be read
    unasked (skills, references); ``plans``: the plan folder below the data folder, relative to the
    worktree."""

    tool_output: str
    tmp: str
    readable: tuple[str, ...] = ()
    data_plans: str = ""
    data_plans_relative: str = ""


def build_agents(config: Config, around: Surroundings) -> dict[str, Agent]:
    """By key, the default agent first, then by name."""
    own = rules_from_config(config.permission)
    agents = {agent.name: agent for agent in _built_in(around, own)}
    for name, entry in (config.agent or {}).items():
        if entry.disable:
            agents.pop(name, None)
            continue
        agents[name] = _configured(name, entry, agents.get(name), around, own)
    for name, agent in agents.items():
        agents[name] = msgspec.structs.replace(
            agent, permission=_with_tool_output(agent.permission, around)
        )
    first = config.default_agent or "build"
    ordered = sorted(agents.items(), key=lambda item: (item[0] != first, item[1].name))
    return dict(ordered)


def default_agent(agents: dict[str, Agent], config: Config) -> Agent:
    """The agent of a prompt that names none. Raises BadRequest when the configured one will not
    do, or there is none that will."""
    name = config.default_agent
    if name is not None:
        agent = agents.get(name)
        if agent is None:
            raise BadRequest(f'default agent "{name}" not found')
        if agent.mode == "subagent":
            raise BadRequest(f'default agent "{name}" is a subagent')
        if agent.hidden:
            raise BadRequest(f'default agent "{name}" is hidden')
        return agent
    usable = [a for a in agents.values() if a.mode != "subagent" and not a.hidden]
    if not usable:
        raise BadRequest(
            "no primary agent is configured: every one is disabled, hidden or a subagent"
        )
    return agents.get("build", usable[0]) if agents.get("build") in usable else usable[0]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────


def _rule(permission: str, pattern: str, action: str) -> PermissionRule:
    return PermissionRule(permission=permission, pattern=pattern, action=action)  # type: ignore[arg-type]


def _external(around: Surroundings) -> list[PermissionRule]:
    allowed = [f"{around.tool_output}/*", f"{around.tmp}/*", *(f"{d}/*" for d in around.readable)]
    return [
        _rule("external_directory", "*", "ask"),
        *(_rule("external_directory", pattern, "allow") for pattern in dict.fromkeys(allowed)),
    ]


def _base(around: Surroundings) -> list[PermissionRule]:
    return [
        _rule("*", "*", "allow"),
        _rule("doom_loop", "*", "ask"),
        *_external(around),
        _rule("question", "*", "deny"),
        _rule("plan_enter", "*", "deny"),
        _rule("plan_exit", "*", "deny"),
        _rule("read", "*", "allow"),
        _rule("read", "*.env", "ask"),
        _rule("read", "*.env.*", "ask"),
        _rule("read", "*.env.example", "allow"),
    ]


def _with_tool_output(rules: list[PermissionRule], around: Surroundings) -> list[PermissionRule]:
    """Results kept for the agent stay readable, unless it denies exactly that folder."""
    pattern = f"{around.tool_output}/*"
    denied = any(
        r.permission == "external_directory" and r.pattern == pattern and r.action == "deny"
        for r in rules
    )
    return rules if denied else [*rules, _rule("external_directory", pattern, "allow")]


def _built_in(around: Surroundings, own: list[PermissionRule]) -> list[Agent]:
    base = _base(around)

    def native(name: str, mode: AgentMode, extra: list[PermissionRule], **fields: object) -> Agent:
        return Agent(
            name=name,
            mode=mode,
            native=True,
            permission=[*base, *extra, *own],
            options={},
            **fields,  # type: ignore[arg-type]
        )

    hidden = [_rule("*", "*", "deny")]
    return [
        native(
            "build",
            "primary",
            [_rule("question", "*", "allow"), _rule("plan_enter", "*", "allow")],
            description="The default agent. Works with every tool its permissions allow.",
        ),
        native(
            "plan",
            "primary",
            [
                _rule("question", "*", "allow"),
                _rule("plan_exit", "*", "allow"),
                _rule("task", "general", "deny"),
                _rule("external_directory", f"{around.data_plans}/*", "allow"),
                _rule("edit", "*", "deny"),
                _rule("edit", ".opencode/plans/*.md", "allow"),
                _rule("edit", f"{around.data_plans_relative}/*.md", "allow"),
            ],
            description="Plan mode. Reads and thinks, and edits nothing but its plan.",
        ),
        native(
            "general",
            "subagent",
            [_rule("todowrite", "*", "deny")],
            description="An agent for research and work of several steps, to be done apart or in "
            "parallel.",
        ),
        native(
            "explore",
            "subagent",
            [
                _rule("*", "*", "deny"),
                *(
                    _rule(name, "*", "allow")
                    for name in ("grep", "glob", "list", "bash", "webfetch", "websearch", "read")
                ),
                *_external(around),
            ],
            description="Finds its way in a code base: files by name, code by words, answers to "
            "how something works. Say how thorough it should be: quick, medium or very thorough.",
            prompt=EXPLORE_PROMPT,
        ),
        native("compaction", "primary", hidden, hidden=True, prompt=COMPACTION_PROMPT),
        native("title", "primary", hidden, hidden=True, temperature=0.5, prompt=TITLE_PROMPT),
        native("summary", "primary", hidden, hidden=True, prompt=SUMMARY_PROMPT),
    ]


def _configured(
    name: str,
    entry: AgentConfig,
    known: Agent | None,
    around: Surroundings,
    own: list[PermissionRule],
) -> Agent:
    if known is None:
        known = Agent(
            name=name,
            mode="all",
            native=False,
            permission=[*_base(around), *own],
            options={},
        )
    changes: dict[str, object] = {
        "options": {**known.options, **(entry.options or {})},
        "permission": [*known.permission, *rules_from_config(entry.permission)],
    }
    for field, value in (
        ("model", _model(entry.model)),
        ("variant", entry.variant),
        ("prompt", entry.prompt),
        ("description", entry.description),
        ("temperature", entry.temperature),
        ("topP", entry.top_p),
        ("mode", entry.mode),
        ("color", entry.color),
        ("hidden", entry.hidden),
        ("steps", entry.steps),
        ("name", entry.name),
        ("budget", entry.budget),
        ("fallback", [_ref(name) for name in entry.fallback] if entry.fallback else None),
    ):
        if value is not None:
            changes[field] = value
    return msgspec.structs.replace(known, **changes)


def _model(name: str | None) -> ModelRef | None:
    return None if name is None else _ref(name)


def _ref(name: str) -> ModelRef:
    provider, _, model = name.partition("/")
    return ModelRef(providerID=provider, modelID=model)
