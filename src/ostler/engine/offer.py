"""Which tools a step offers the model."""

from typing import TYPE_CHECKING

import msgspec

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
    found = offered(
        instance.tools,
        model_id=model.api.id,
        provider_id=model.providerID,
        rulesets=[turn.rules(agent), *turn.ancestor_rules()],
        wanted=(user.tools if user else None) or {},
        config=instance.config,
        environment=instance.environment,
    )
    result = {tool.id: tool for tool in found}
    if "task" in result:
        task = result["task"]
        agents = [a for a in instance.agents.values() if a.mode != "primary" and not a.hidden]
        result["task"] = msgspec.structs.replace(
            task, description=describe(task.description, agents, turn.rules(agent))
        )
    return result
