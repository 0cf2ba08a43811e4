"""What a run is to do: stages that need each other, and what each may cost. Data only:
``plan_file`` reads it from YAML, ``flow`` carries it out.
"""

from typing import Any, Literal

import msgspec

from ostler.schema.base import JsonObject, Positive

Reply = Literal["once", "always", "reject"]


# Type checkers demand that every subclass repeat ``frozen=True``; at run time it is inherited.
_KIND: Any = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}


class _Part(msgspec.Struct, **_KIND):
    pass


class Limits(_Part):
    """What may be spent; an absent one is no limit. ``cost`` in USD."""

    tokens: Positive | None = None
    cost: float | None = None
    seconds: float | None = None


class Check(_Part):
    """A shell command that the control plane runs in the stage's directory: exit 0 passes.

    ``red_to_green``: it must fail on the commit the stage began with. ``repeat``: how often it is
    run, to expose one that passes by chance. ``timeout`` in seconds.
    """

    run: str
    name: str | None = None
    red_to_green: bool = False
    repeat: Positive = 1
    timeout: float = 600.0


class AskRule(_Part):
    reply: Reply
    permission: str = "*"
    pattern: str = "*"


class Asks(_Part):
    """What is done when a session asks. ``permissions`` are tried in order: the first rule whose
    ``permission`` and ``pattern`` (wildcards) match all of a request answers it. What no rule
    answers goes to ``reviewer`` (a model, ``provider/model``), else to a person, who has
    ``deadline`` seconds; then ``default`` counts.
    """

    permissions: list[AskRule] = []
    questions: Literal["person", "reviewer", "reject"] = "person"
    reviewer: str | None = None
    deadline: float = 3600.0
    default: Reply = "reject"


class Stage(_Part):
    """``prompt`` is a template over ``inputs``, ``artifacts`` (by stage: ``.summary``, ``.value``,
    ``.text``) and, with ``for_each``, ``item``. ``contract`` is a JSON Schema that the answer must
    satisfy, or the path of one beside the file. ``attempts`` are the agent's: those lost to the
    provider or the transport do not count. ``timeout`` is seconds for one attempt. ``worktree``: a
    git worktree of its own, on a branch of its own. ``best_of``: so many attempts side by side, the
    first that passes wins. ``for_each``: a template that gives a JSON list (or the name of an
    input); the stage is carried out for each item.
    """

    prompt: str
    needs: list[str] = []
    agent: str | None = None
    model: str | None = None
    fallback: list[str] = []
    system: str | None = None
    contract: JsonObject | None = None
    checks: list[Check] = []
    timeout: float = 900.0
    attempts: Positive = 3
    budget: Limits | None = None
    attempt_budget: Limits | None = None
    worktree: bool = False
    best_of: Positive = 1
    for_each: str | None = None
    summary: str | None = None
    tools: dict[str, bool] | None = None
    asks: Asks | None = None


class Input(_Part):
    description: str = ""
    default: Any = msgspec.UNSET


class Plan(_Part):
    """``servers`` are base URLs; none: the one that the command line names, or one that is started.
    ``playbook`` overrides rules of ``policy.PLAYBOOK`` by kind of failure. ``notify``: URLs that
    are told when the run waits for a person and when it is over."""

    name: str
    stages: dict[str, Stage]
    description: str = ""
    inputs: dict[str, Input] = {}
    servers: list[str] = []
    directory: str | None = None
    agent: str | None = None
    model: str | None = None
    fallback: list[str] = []
    budget: Limits | None = None
    concurrency: Positive = 4
    asks: Asks = Asks()
    playbook: JsonObject = {}
    notify: list[str] = []
