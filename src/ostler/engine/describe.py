"""A new agent, described by a model from what a person wants it to do."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgspec

from ostler.engine.instance import Instance
from ostler.engine.retry import Retries
from ostler.engine.tokens import max_output
from ostler.models.delta import ToolCall
from ostler.models.failure import ModelFailure
from ostler.models.request import ChatMessage, ModelRequest, TextBlock, ToolDefinition
from ostler.schema.errors import StructuredOutputData, StructuredOutputError, TurnError
from ostler.schema.provider import Model

DEADLINE = 180.0
"""Seconds for the whole of it, attempts after failures included."""
TOOL = "StructuredOutput"
PROMPT = """\
You set up an agent: a language model with a role, which other programs call by name. You are told \
what it is for, and answer by calling the StructuredOutput tool once.

- identifier: what it is called. Two to four words of lower-case letters and digits, joined by \
hyphens, that say what it does: `release-notes-writer`, not `helper` or `assistant`.
- whenToUse: one or two sentences, read by whoever has to choose between agents. Begin with "Use \
this agent when", and name what makes it the right one, and what is better left to others where \
that is easily mixed up.
- systemPrompt: its instructions, in the second person. Say what it is responsible for, in which \
order it works, what it must check before it answers, what its answer looks like, and where it \
stops or asks. Be concrete about the task at hand; leave out what any careful agent does anyway. \
A page at most.

Write in the language of the request."""

_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_IDENTIFIER = 64
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Described(msgspec.Struct, frozen=True, rename="camel"):
    """What an agent is called, when it is to be chosen, and its prompt."""

    identifier: Text
    when_to_use: Text
    system_prompt: Text


async def describe_agent(instance: Instance, wanted: str, model: Model) -> Described:
    """Ask a model; its failures are tried again as those of a turn are. Raises TurnError, also for
    an answer of the wrong shape and when the time is over."""
    request = _request(instance, wanted, model)
    retries = Retries(instance.config.retry)
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    return _decoded(await _asked(instance, request))
                except ModelFailure as e:
                    delay = retries.delay(e)
                    if delay is None:
                        raise
                    await asyncio.sleep(delay)
    except TimeoutError:
        raise _shapeless(f"no answer within {DEADLINE:g} s") from None


def _request(instance: Instance, wanted: str, model: Model) -> ModelRequest:
    asked = f"The agent is for this: {wanted}\n\nTaken names: {', '.join(sorted(instance.agents))}"
    words = "Give the agent. Call this once."
    return ModelRequest(
        provider=instance.models.provider_of(model),
        model=model,
        messages=[
            ChatMessage("system", (TextBlock(PROMPT),)),
            ChatMessage("user", (TextBlock(asked),)),
        ],
        tools=[ToolDefinition(TOOL, words, _schema())],
        tool_choice="required",
        max_output=max_output(model),
        places=(instance.directory, instance.worktree),
    )


def _schema() -> dict[str, Any]:
    keys = [field.encode_name for field in msgspec.structs.fields(Described)]
    texts = {key: {"type": "string"} for key in keys}
    return {"type": "object", "properties": texts, "required": keys}


async def _asked(instance: Instance, request: ModelRequest) -> Sequence[ToolCall]:
    calls: list[ToolCall] = []
    async with aclosing(instance.models.stream(request)) as stream:
        async for batch in stream:
            calls += (delta for delta in batch if isinstance(delta, ToolCall))
    return calls


def _decoded(calls: Sequence[ToolCall]) -> Described:
    """Raises TurnError."""
    if not calls:
        raise _shapeless("the model answered without a description")
    try:
        found = msgspec.json.decode(calls[0].arguments, type=Described)
    except msgspec.DecodeError as e:
        raise _shapeless(f"the model's description is not of the right shape: {e}") from None
    name = found.identifier
    if not _IDENTIFIER.fullmatch(name) or len(name) > _LONGEST_IDENTIFIER:
        raise _shapeless(f"the model's name for the agent cannot be one: {name[:80]!r}")
    return found


def _shapeless(message: str) -> TurnError:
    return TurnError(StructuredOutputError(data=StructuredOutputData(message=message, retries=0)))
