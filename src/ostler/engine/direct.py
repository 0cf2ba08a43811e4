"""One call of a tool without a session or a model, for a person who wants to see what it does."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ostler import ids
from ostler.engine import hooks
from ostler.engine.instance import Instance
from ostler.permission import evaluate
from ostler.schema.agent import Agent, Skill
from ostler.schema.errors import PermissionDenied, QuestionRejected, ToolError
from ostler.schema.event import FileEdited
from ostler.schema.question import QuestionAnswer, QuestionInfo
from ostler.schema.session import Todo
from ostler.tools.tool import (
    Edited,
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
    context = ToolContext(
        session_id=ids.new("ses"),
        message_id=ids.new("msg"),
        call_id=ids.new("prt"),
        agent=agent,
        directory=instance.directory,
        worktree=instance.worktree,
        config=instance.config,
        host=_DirectHost(instance, agent),
        aborted=asyncio.Event(),
        output_dir=instance.output_dir,
        environment=instance.environment,
    )
    return await bound(await tool.run(arguments, context), context)


class _DirectHost:
    def __init__(self, instance: Instance, agent: Agent) -> None:
        self._instance, self._agent = instance, agent
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

    async def edited(self, path: str, created: bool) -> Edited:
        await self._instance.formatters.format(path)
        self._instance.bus.publish(FileEdited(file=path), self._instance.location)
        return Edited()

    async def removed(self, path: str) -> None:
        pass

    async def warm(self, path: str) -> None:
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

    def skills(self) -> list[Skill]:
        return self._instance.skills

    async def subtask(self, task: Subtask) -> SubtaskResult:
        raise ToolError("A subagent needs a session: use `ostler run`")
