"""Running a command: its template, filled and expanded, becomes a prompt."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ostler import ids
from ostler.config.commands import SHELL_SECONDS, expand, split_arguments
from ostler.engine import hooks, mentions, submit
from ostler.engine.instance import Instance
from ostler.schema.agent import Agent, Command
from ostler.schema.errors import DomainError, NotFound
from ostler.schema.event import CommandExecuted
from ostler.schema.message import CommandInput, MessageWithParts, PromptInput, PromptModel
from ostler.schema.part import ModelRef, PartInput, SubtaskPartInput
from ostler.schema.session import Session
from ostler.tools import process
from ostler.tools.shell import choose, tool_command

if TYPE_CHECKING:
    import mcp_types as types

    from ostler.integrations.mcp.connection import Connection


async def available(instance: Instance) -> dict[str, Command]:
    """By name: the configured commands, and the prompts of MCP servers, which come first."""
    await instance.mcp.ready()
    prompts = instance.mcp.prompts()
    if not prompts:
        return instance.commands
    made = await asyncio.gather(*(_of_prompt(n, c, p) for n, (c, p) in prompts.items()))
    return {**instance.commands, **{command.name: command for command in made}}


async def _of_prompt(name: str, connection: "Connection", prompt: "types.Prompt") -> Command:
    """A prompt as a list shows it: with the places ``$1`` … for its arguments. One that the server
    does not give so, because it checks them, has no text to show."""
    from ostler.integrations.mcp.connection import McpError

    places = {a.name: f"${n}" for n, a in enumerate(prompt.arguments or (), 1)}
    try:
        template = await connection.template(prompt.name, places)
    except McpError:
        template = ""
    return Command(
        name=name,
        template=template,
        hints=list(places.values()),
        description=prompt.description,
        source="mcp",
    )


async def run(instance: Instance, session_id: str, body: CommandInput) -> MessageWithParts:
    """Prompt the session with a command and wait for the answer.

    Raises NotFound for the session, command, agent or model, and as ``submit.prompt`` does;
    DomainError when an MCP server does not give its prompt, or the command would run what an
    untrusted project wrote; DiskLow.
    """
    instance.disk.check()
    session = instance.store.sessions.get(session_id)
    commands = await available(instance)
    command = commands.get(body.command)
    if command is None:
        names = ", ".join(sorted(commands))
        raise NotFound(f'Command not found: "{body.command}". Available commands: {names}')
    agent = submit.choose_agent(instance, session, command.agent or body.agent)
    model = _model(instance, session, command, body, agent)
    text = await _text(instance, command, body.arguments)
    message_id = body.messageID or ids.new("msg")
    prompt = _prompt(instance, command, body, agent, model, text)
    parts = await hooks.command_parts(
        instance, command.name, session_id, body.arguments, prompt.parts
    )
    answer = await submit.prompt(
        instance, session_id, msgspec.structs.replace(prompt, parts=parts, messageID=message_id)
    )
    instance.bus.publish(
        CommandExecuted(
            name=command.name,
            sessionID=session_id,
            arguments=body.arguments,
            messageID=message_id,
        ),
        instance.location,
    )
    return answer


async def _text(instance: Instance, command: Command, arguments: str) -> str:
    """The filled template. An MCP server fills in its prompts itself, and what it writes runs
    nothing. Raises DomainError."""
    found = instance.mcp.prompts().get(command.name) if command.source == "mcp" else None
    if found is None:

        async def shell(line: str) -> str:
            objection = instance.own_code.of_command(command, instance.skills)
            if objection is not None:
                raise DomainError("CommandHeldBack", objection)
            return await _shell(instance, line)

        return await expand(command.template, arguments, shell)
    from ostler.integrations.mcp.connection import McpError

    connection, prompt = found
    names = [argument.name for argument in prompt.arguments or ()]
    words = split_arguments(arguments)
    if len(words) > len(names) > 0:
        words[len(names) - 1 :] = [" ".join(words[len(names) - 1 :])]
    try:
        return await connection.prompt(prompt.name, dict(zip(names, words, strict=False)))
    except McpError as e:
        raise DomainError("McpPromptError", str(e)) from None


def _model(
    instance: Instance, session: Session, command: Command, body: CommandInput, agent: Agent
) -> PromptModel:
    """The command's model, its agent's, the request's, the session's, the default."""
    for name in (command.model, _name(agent.model), body.model):
        if name:
            model = instance.models.parse(name)
            return PromptModel(providerID=model.providerID, modelID=model.id)
    model = submit.choose_model(instance, session, PromptInput(parts=[]), agent)
    return PromptModel(providerID=model.providerID, modelID=model.id)


def _name(model: ModelRef | None) -> str | None:
    return f"{model.providerID}/{model.modelID}" if model else None


def _prompt(
    instance: Instance,
    command: Command,
    body: CommandInput,
    agent: Agent,
    model: PromptModel,
    text: str,
) -> PromptInput:
    """The filled template as a prompt, or as a subtask where the command or its agent asks for
    one: the subtask's message stays with the caller's agent and model."""
    as_subtask = command.subtask is True or (
        agent.mode == "subagent" and command.subtask is not False
    )
    if not as_subtask:
        parts: list[PartInput] = [*mentions.parts_of(instance, text), *(body.parts or ())]
        return PromptInput(
            parts=parts,
            agent=agent.name,
            model=model,
            variant=body.variant,
            budget=body.budget,
        )
    subtask = SubtaskPartInput(
        prompt=text,
        description=command.description or command.name,
        agent=agent.name,
        model=ModelRef(providerID=model.providerID, modelID=model.modelID),
        command=command.name,
    )
    requested = instance.models.parse(body.model) if body.model else None
    return PromptInput(
        parts=[subtask, *(body.parts or ())],
        agent=body.agent,
        model=PromptModel(providerID=requested.providerID, modelID=requested.id)
        if requested
        else None,
        variant=body.variant,
        budget=body.budget,
    )


async def _shell(instance: Instance, command: str) -> str:
    """What a command in a template prints; a failing one, what it prints. Run in the project's
    directory (OpenCode 1.18 runs it in the server's own)."""
    chunks: list[bytes] = []
    shell = choose(instance.config, instance.environment)
    finished = await process.run(
        tool_command(shell, command),
        directory=instance.directory,
        environment=instance.environment,
        on_output=chunks.append,
        timeout=SHELL_SECONDS,
    )
    if finished.ending == "timeout":
        chunks.append(f"[not finished within {SHELL_SECONDS:.0f} s]".encode())
    return b"".join(chunks).decode("utf-8", "replace")
