"""Which tools a step offers the model."""

from typing import TYPE_CHECKING

import msgspec

from ostler.permission import hidden
from ostler.schema.agent import Agent
from ostler.schema.message import UserMessage
from ostler.schema.provider import Model
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
    instance = turn.instance
    names = offered(
        instance.tools,
        model_api_id=model.api.id,
        agent=agent,
        config=instance.config,
        environment=instance.environment,
        session_rules=turn.session().permission or (),
        switches=user.tools if user else None,
    )
    above = turn.ancestor_rules()
    result = {
        name: instance.tools[name]
        for name in names
        if not any(hidden(name, rules) for rules in above)
    }
    if "task" in result:
        agents = [a for a in instance.agents.values() if not a.hidden]
        text = describe(result["task"].description, agents, agent)
        result["task"] = msgspec.structs.replace(result["task"], description=text)
    return result
