"""Agents, commands and skills as the API lists them."""

from typing import Any, Literal

from ostler.schema.base import Wire
from ostler.schema.part import ModelRef
from ostler.schema.permission import PermissionRuleset
from ostler.schema.session import Budget

AgentMode = Literal["subagent", "primary", "all"]


class Agent(Wire):
    """``permission`` is the complete rule list, defaults first; ``options`` go to the model;
    ``fallback``: models to ask, in order, when its own cannot answer; ``budget``: of each prompt it
    answers."""

    name: str
    mode: AgentMode
    permission: PermissionRuleset
    options: dict[str, Any]
    description: str | None = None
    native: bool | None = None
    hidden: bool | None = None
    topP: float | None = None
    temperature: float | None = None
    color: str | None = None
    model: ModelRef | None = None
    variant: str | None = None
    prompt: str | None = None
    steps: int | None = None
    fallback: list[ModelRef] | None = None
    budget: Budget | None = None


class Command(Wire):
    """``hints``: the placeholders in the template, ``$1`` … then ``$ARGUMENTS``."""

    name: str
    template: str
    hints: list[str]
    description: str | None = None
    agent: str | None = None
    model: str | None = None
    source: Literal["command", "mcp", "skill"] | None = None
    subtask: bool | None = None


class Skill(Wire):
    """``location``: the SKILL.md, or ``<built-in>``; ``content``: its text without front matter."""

    name: str
    location: str
    content: str
    description: str | None = None
