"""Calls of tools without a turn: for a person who wants to see what one does, and for what a prompt
attaches."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ostler import ids
from ostler.engine import hooks
from ostler.engine.host import InstanceHost
from ostler.engine.instance import Instance
from ostler.permission import evaluate
from ostler.schema.agent import Agent
from ostler.schema.errors import PermissionDenied, QuestionRejected, ToolError
from ostler.schema.question import QuestionAnswer, QuestionInfo
from ostler.schema.session import Todo
from ostler.tools.tool import (
    Metadata,
    Subtask,
    SubtaskResult,
    Tool,
    ToolContext,
    ToolResult,
)
from ostler.tools.truncate import bound


async def call_directly(
    instance: Instance, agent: Agent, tool: Tool, arguments: dict[str, Any]
) -> ToolResult:
    """What the agent's rules deny is denied; what they would ask is allowed, as who calls it is who
    would be asked. Raises ToolError."""
    context = _context(instance, agent, DirectHost(instance, agent), ids.new("ses"))
    return await bound(await tool.run(arguments, context), context)


async def read_for_user(instance: Instance, session_id: str, arguments: dict[str, Any]) -> str:
    """What the read tool answers for a file the user attached; no rule says anything about it.
    Raises ToolError."""
    agent = instance.default_agent()
    context = _context(instance, agent, _UserHost(instance, agent), session_id)
    return (await instance.tools["read"].run(arguments, context)).output


def _context(instance: Instance, agent: Agent, host: "DirectHost", session_id: str) -> ToolContext:
    return ToolContext(
        session_id=session_id,
        message_id=ids.new("msg"),
        call_id=ids.new("prt"),
        agent=agent,
        directory=instance.directory,
        worktree=instance.worktree,
        config=instance.config,
        host=host,
        aborted=asyncio.Event(),
        output_dir=instance.output_dir,
        environment=instance.environment,
    )


class DirectHost(InstanceHost):
    """A ToolHost that shows nothing and asks nobody."""

    def __init__(self, instance: Instance, agent: Agent) -> None:
        super().__init__(instance)
        self._agent = agent
        self._todos: list[Todo] = []

    async def ask(
        self,
        permission: str,
        patterns: Sequence[str],
        always: Sequence[str],
        metadata: Metadata,
    ) -> None:
        for pattern in patterns:
            rule = evaluate(permission, pattern, self._agent.permission)
            if rule.action == "deny":
                raise PermissionDenied(
                    f"{self._agent.name} may not: {permission} {pattern} is denied by the rule "
                    f"{rule.permission} {rule.pattern}"
                )

    def update(self, title: str | None = None, metadata: Metadata | None = None) -> None:
        pass

    async def shell_environment(self, directory: str) -> Mapping[str, str]:
        return await hooks.shell_environment(self._instance, directory)

    def nearby_instructions(self, path: str) -> list[tuple[str, str]]:
        return self._instance.instructions.nearby(path, set())

    async def question(self, questions: Sequence[QuestionInfo]) -> list[QuestionAnswer]:
        raise QuestionRejected

    def todos(self) -> list[Todo]:
        return self._todos

    def set_todos(self, todos: list[Todo]) -> None:
        self._todos = todos

    async def subtask(self, task: Subtask) -> SubtaskResult:
        raise ToolError("A subagent needs a session: use `ostler run`")


class _UserHost(DirectHost):
    """The host of a read on the user's own behalf: the file alone, whatever the rules say."""

    async def ask(
        self,
        permission: str,
        patterns: Sequence[str],
        always: Sequence[str],
        metadata: Metadata,
    ) -> None:
        pass

    async def warm(self, path: str) -> None:
        pass

    def nearby_instructions(self, path: str) -> list[tuple[str, str]]:
        return []
