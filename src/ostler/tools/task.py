"""``task``: hands work to a subagent and waits for what it says at the end.

The engine runs it (``ToolHost.subtask``): depth limit, unknown agents, permission and the child
session are its business.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec

from ostler.permission import evaluate
from ostler.schema.agent import Agent
from ostler.schema.errors import ToolError
from ostler.tools.tool import Subtask, Tool, ToolContext, ToolResult, decode, define

BACKGROUND_VARIABLE = "OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS"


class Params(msgspec.Struct, kw_only=True):
    description: Annotated[str, msgspec.Meta(description="The task in three to five words")]
    prompt: Annotated[str, msgspec.Meta(description="What the subagent is to do")]
    subagent_type: Annotated[str, msgspec.Meta(description="The agent to use")]
    task_id: (
        Annotated[
            str,
            msgspec.Meta(description="An earlier task's id, to go on in its session"),
        ]
        | None
    ) = None
    command: Annotated[str, msgspec.Meta(description="The command this task comes from")] | None = (
        None
    )


DESCRIPTION = """\
Gives a task to a subagent, which works on its own and reports once at the end. Use it for \
searches that take many rounds and for work that would fill this conversation with detail; for one \
file or one known symbol, read and grep are quicker.

- The subagent sees nothing of this conversation: the prompt must hold all it needs, and say what \
to report and whether to change files or only look.
- Several calls in one answer run side by side.
- The report goes to you, not to the user: tell them what matters of it, and check what it claims \
to have changed.
- The result names the task's id; pass it as task_id to go on where that subagent left off."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    result = await context.host.subtask(
        Subtask(
            description=params.description,
            prompt=params.prompt,
            agent=params.subagent_type,
            task_id=params.task_id,
            command=params.command,
        )
    )
    return task_result(result.session_id, result.text, params.description, result.metadata)


def task_result(session_id: str, text: str, title: str, metadata: Mapping[str, Any]) -> ToolResult:
    """A subagent's report as the calling model reads it; the id lets it be continued."""
    opening = f'<task id="{session_id}" state="completed">'
    output = f"{opening}\n<task_result>\n{text}\n</task_result>\n</task>"
    return ToolResult(output, title, dict(metadata))


def describe(description: str, agents: Iterable[Agent], caller: Agent) -> str:
    """The tool's description with the agents the caller may use, by name."""
    usable = [
        agent
        for agent in sorted(agents, key=lambda agent: agent.name)
        if agent.mode != "primary"
        and evaluate("task", agent.name, caller.permission).action != "deny"
    ]
    if not usable:
        return description
    lines = [f"- {agent.name}: {agent.description or _UNDESCRIBED}" for agent in usable]
    return "\n".join([description, "", "Agents to choose from (subagent_type):", *lines])


_UNDESCRIBED = "To be used only when the user asks for it by name."


async def _run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
    if arguments.get("background"):
        raise ToolError(
            f"background is not available: it needs {BACKGROUND_VARIABLE}, which this server does "
            "not support. Leave it out; several task calls in one answer run side by side."
        )
    return await execute(decode("task", arguments, Params), context)


_DEFINED = define("task", DESCRIPTION, Params, execute)
TOOL = Tool(_DEFINED.id, _DEFINED.description, _run, _DEFINED.parameters_of)
