"""What an editor lets a person choose for a session: the model, its effort, and the mode, which is
an agent."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ostler.acp.rpc import INVALID_PARAMS, RpcError
from ostler.engine.instance import Instance
from ostler.schema.agent import Agent
from ostler.schema.provider import Model

Json = dict[str, Any]
DEFAULT_EFFORT = "default"


class Choice(msgspec.Struct, frozen=True):
    """What is chosen now. ``effort`` is a variant of the model; None: the model as it is."""

    model: Model
    agent: Agent
    effort: str | None = None


def config_options(instance: Instance, choice: Choice) -> list[Json]:
    """The choices there are; effort only for models that have variants."""
    options = [_model(instance, choice)]
    variants = list(choice.model.variants or ())
    if variants:
        options.append(
            _select(
                "effort",
                "Effort",
                "thought_level",
                choice.effort or DEFAULT_EFFORT,
                [{"value": v, "name": v.capitalize()} for v in (*variants, DEFAULT_EFFORT)],
                description="How much this model thinks",
            )
        )
    options.append(_mode(instance, choice))
    return options


def _model(instance: Instance, choice: Choice) -> Json:
    models = [
        {"value": f"{provider.id}/{model.id}", "name": f"{provider.name}/{model.name}"}
        for provider in instance.models.providers.values()
        for model in provider.models.values()
    ]
    current = f"{choice.model.providerID}/{choice.model.id}"
    return _select("model", "Model", "model", current, models)


def _mode(instance: Instance, choice: Choice) -> Json:
    modes = []
    for agent in modes_of(instance):
        described = {"description": agent.description} if agent.description else {}
        modes.append({"value": agent.name, "name": agent.name, **described})
    return _select("mode", "Session Mode", "mode", choice.agent.name, modes)


def modes_of(instance: Instance) -> list[Agent]:
    """The agents a person may work with."""
    return [a for a in instance.agents.values() if a.mode != "subagent" and not a.hidden]


def _select(
    option_id: str,
    name: str,
    category: str,
    current: str,
    options: Iterable[Json],
    **more: str,
) -> Json:
    return {
        "id": option_id,
        "name": name,
        **more,
        "category": category,
        "type": "select",
        "currentValue": current,
        "options": list(options),
    }


def changed(instance: Instance, choice: Choice, option: str, value: str) -> Choice:
    """The choice with one option set. Raises RpcError, NotFound for a model."""
    if option == "model":
        model = instance.models.parse(value)
        keeps = choice.effort in (model.variants or ())
        effort = choice.effort if keeps else None
        return msgspec.structs.replace(choice, model=model, effort=effort)
    if option == "effort":
        variants = (*(choice.model.variants or ()), DEFAULT_EFFORT)
        if value not in variants:
            raise _unknown("effort", value, variants)
        return msgspec.structs.replace(choice, effort=None if value == DEFAULT_EFFORT else value)
    if option == "mode":
        modes = {agent.name: agent for agent in modes_of(instance)}
        if value not in modes:
            raise _unknown("mode", value, modes)
        return msgspec.structs.replace(choice, agent=modes[value])
    raise RpcError(
        INVALID_PARAMS, f"Invalid params: unknown config option: {option}", {"configId": option}
    )


def _unknown(what: str, value: str, known: Iterable[str]) -> RpcError:
    return RpcError(
        INVALID_PARAMS,
        f"Invalid params: {what} not found: {value}; there are {', '.join(known)}",
        {what: value},
    )
