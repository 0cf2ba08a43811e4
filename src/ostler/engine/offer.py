"""Which tools a step offers the model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler.engine.instance import Instance
from ostler.permission import hidden
from ostler.schema.agent import Agent
from ostler.schema.message import UserMessage
from ostler.schema.permission import PermissionRule
from ostler.schema.provider import Model
from ostler.tools.mcp import mcp_tools
from ostler.tools.registry import offered
from ostler.tools.task import describe
from ostler.tools.tool import Tool

if TYPE_CHECKING:
    from ostler.engine.turn import Turn


def offered_tools(
    turn: "Turn", agent: Agent, model: Model, user: UserMessage | None = None
) -> dict[str, Tool]:
    """By id. Left out is what the model's kind, the rules, or the prompt's ``tools`` exclude, and
    what is denied to any session above this one."""
    above = turn.ancestor_rules()
    found = offered_to(
        turn.instance,
        agent,
        model,
        turn.session().permission or (),
        user.tools if user else None,
        mcp_tools(turn.instance.mcp),
    )
    return {
        name: tool
        for name, tool in found.items()
        if not any(hidden(name, rules) for rules in above)
    }


def offered_to(
    instance: Instance,
    agent: Agent,
    model: Model,
    session_rules: Sequence[PermissionRule] = (),
    switches: Mapping[str, bool] | None = None,
    more: Mapping[str, Tool] | None = None,
) -> dict[str, Tool]:
    """By id: what an agent is offered with a model, whatever the session, of the built-in tools and
    ``more``."""
    tools = {**instance.tools, **(more or {})}
    names = offered(
        tools,
        model_api_id=model.api.id,
        agent=agent,
        config=instance.config,
        environment=instance.environment,
        session_rules=session_rules,
        switches=switches,
    )
    result = {name: tools[name] for name in names}
    if "task" in result:
        agents = [a for a in instance.agents.values() if not a.hidden]
        text = describe(result["task"].description, agents, agent)
        result["task"] = msgspec.structs.replace(result["task"], description=text)
    return result
