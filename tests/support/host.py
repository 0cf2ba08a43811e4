"""A tool's surroundings for tests: a host that does what it is told and remembers what was asked of
it."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ostler.integrations.lsp.servers import LanguageServers
from ostler.permission import ALLOW_ALL
from ostler.schema.agent import Agent, Skill
from ostler.schema.config import Config
from ostler.schema.errors import QuestionRejected, ToolError
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


class Ask(msgspec.Struct, frozen=True):
    permission: str
    patterns: list[str]
    always: list[str]
    metadata: Metadata


class ScriptedHost:
    """A ToolHost with prepared answers.

    ``refuse`` maps a permission to the error its asks end in; ``on_ask`` runs at every ask,
    ``on_edited`` at every written file (a formatter, say). ``answers`` None: questions are
    dismissed.
    """

    def __init__(
        self,
        *,
        refuse: Mapping[str, ToolError] | None = None,
        answers: list[QuestionAnswer] | None = None,
        skills: Sequence[Skill] = (),
        diagnostics: dict[str, list[dict[str, Any]]] | None = None,
        instructions: Sequence[tuple[str, str]] = (),
        subtask: Callable[[Subtask], SubtaskResult] | None = None,
        on_ask: Callable[[Ask], None] | None = None,
        on_edited: Callable[[str], None] | None = None,
        language_servers: LanguageServers | None = None,
    ) -> None:
        self._refuse, self._answers, self._skills = refuse or {}, answers, list(skills)
        self._diagnostics, self._instructions = diagnostics or {}, list(instructions)
        self._subtask, self._on_ask, self._on_edited = subtask, on_ask, on_edited
        self._language_servers = language_servers
        self._todos: list[Todo] = []
        self.asks: list[Ask] = []
        self.updates: list[tuple[str | None, Metadata | None]] = []
        self.updated = asyncio.Event()
        self.edits: list[tuple[str, bool]] = []
        self.removals: list[str] = []
        self.warmed: list[str] = []
        self.questions: list[QuestionInfo] = []
        self.subtasks: list[Subtask] = []

    def asked(self, permission: str) -> list[Ask]:
        return [ask for ask in self.asks if ask.permission == permission]

    async def ask(
        self,
        permission: str,
        patterns: Sequence[str],
        always: Sequence[str],
        metadata: Metadata,
    ) -> None:
        ask = Ask(permission, list(patterns), list(always), metadata)
        self.asks.append(ask)
        if self._on_ask:
            self._on_ask(ask)
        if permission in self._refuse:
            raise self._refuse[permission]
        # A real ask may wait: others get a turn.
        await asyncio.sleep(0)

    def update(self, title: str | None = None, metadata: Metadata | None = None) -> None:
        self.updates.append((title, metadata))
        self.updated.set()

    async def edited(self, path: str, created: bool) -> Edited:
        self.edits.append((path, created))
        if self._on_edited:
            self._on_edited(path)
        return Edited(self._diagnostics)

    async def removed(self, path: str) -> None:
        self.removals.append(path)

    async def warm(self, path: str) -> None:
        self.warmed.append(path)

    async def shell_environment(self, directory: str) -> Mapping[str, str]:
        return {}

    def language_servers(self) -> LanguageServers:
        assert self._language_servers is not None, "no language servers were prepared"
        return self._language_servers

    def nearby_instructions(self, path: str) -> list[tuple[str, str]]:
        return self._instructions

    async def question(self, questions: Sequence[QuestionInfo]) -> list[QuestionAnswer]:
        self.questions = list(questions)
        if self._answers is None:
            raise QuestionRejected
        return self._answers

    def todos(self) -> list[Todo]:
        return self._todos

    def set_todos(self, todos: list[Todo]) -> None:
        self._todos = todos

    def skills(self) -> list[Skill]:
        return self._skills

    async def subtask(self, task: Subtask) -> SubtaskResult:
        self.subtasks.append(task)
        if self._subtask is None:
            raise ToolError("no subtask was prepared")
        return self._subtask(task)


def make_context(
    directory: Path | str,
    host: ScriptedHost | None = None,
    *,
    worktree: Path | str | None = None,
    config: Config | None = None,
    environment: dict[str, str] | None = None,
    agent: Agent | None = None,
) -> ToolContext:
    """A context for a directory that is its own worktree, whole outputs going to a folder beside
    it; everything is allowed."""
    directory = str(directory)
    return ToolContext(
        session_id="ses_1",
        message_id="msg_1",
        call_id="call_1",
        agent=agent or Agent(name="build", mode="primary", permission=[ALLOW_ALL], options={}),
        directory=directory,
        worktree=str(worktree or directory),
        config=config or Config(),
        host=host or ScriptedHost(),
        aborted=asyncio.Event(),
        output_dir=directory.rstrip("/") + ".output",
        environment=dict(os.environ) if environment is None else environment,
    )


async def run_tool(tool: Tool, context: ToolContext | Path | str, **arguments: Any) -> ToolResult:
    """Call a tool as the engine does."""
    if not isinstance(context, ToolContext):
        context = make_context(context)
    return await tool.run(arguments, context)
