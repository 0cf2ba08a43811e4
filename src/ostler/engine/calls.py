"""Tool calls: from what the model wrote to a tool part's final state."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ostler import ids
from ostler.engine import hooks
from ostler.engine.host import InstanceHost
from ostler.schema.agent import Agent
from ostler.schema.errors import (
    PermissionRejected,
    QuestionRejected,
    StoreFailure,
    ToolError,
)
from ostler.schema.part import (
    FilePart,
    ToolPart,
    ToolStateCompleted,
    ToolStateError,
    ToolStateRunning,
    ToolTime,
    ToolTimeStart,
)
from ostler.schema.permission import PermissionRule, PermissionTool
from ostler.schema.question import QuestionAnswer, QuestionInfo, QuestionTool
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

if TYPE_CHECKING:
    from ostler.engine.turn import Turn

log = logging.getLogger(__name__)

READ_ONLY = frozenset(
    (
        "read",
        "glob",
        "grep",
        "webfetch",
        "websearch",
        "todowrite",
        "todoread",
        "question",
        "skill",
        "lsp",
        "invalid",
        "StructuredOutput",
    )
)
"""Tools after which no file can have changed, so that no snapshot is needed."""


class Call(InstanceHost):
    """One call being carried out; also the ToolHost the tool sees.

    ``save`` stores a state durably, ``show`` publishes it only. ``blocked`` is set when a person
    or policy rejected the call outright, which ends the turn after the step.
    """

    def __init__(self, turn: "Turn", part: ToolPart, agent: Agent) -> None:
        super().__init__(turn.instance)
        self.turn, self.part, self.agent = turn, part, agent
        self.blocked = False
        self.started = ids.now_ms()
        self._finished = False

    # ── the call's life ──────────────────────────────────────────────────────────────────────

    async def run(self, tool: Tool, arguments: dict[str, Any]) -> None:
        """Carry the call out and store how it ended. Never raises but on cancellation, which
        ``interrupt`` then puts on record."""
        try:
            await self._carry_out(tool, arguments)
        except StoreFailure:
            self._finished = True  # it ends the turn, which says so

    async def _carry_out(self, tool: Tool, arguments: dict[str, Any]) -> None:
        self._save(ToolStateRunning(input=arguments, time=ToolTimeStart(start=self.started)))
        try:
            await self._guard_against_loops(tool.id, arguments)
            context = self._context()
            chosen = await hooks.before_call(self._instance, self.part, arguments)
            result = await bound(await tool.run(chosen, context), context)
            result = await hooks.after_call(self._instance, self.part, chosen, result)
        except (PermissionRejected, QuestionRejected) as e:
            if self.turn.aborted.is_set():
                return  # nobody rejected it: ``interrupt`` says what happened
            self.blocked = not self._instance_continues_on_deny()
            self._fail(arguments, str(e))
        except ToolError as e:
            self._fail(arguments, str(e))
        except (asyncio.CancelledError, StoreFailure):
            raise
        except Exception as e:
            log.exception("tool %s failed unexpectedly", tool.id)
            self._fail(arguments, f"{type(e).__name__}: {e}")
        else:
            self._complete(arguments, result)

    def interrupt(self) -> None:
        """Record that an abort ended the call, unless it had ended already."""
        if not self._finished:
            metadata = {**(self._metadata() or {}), "interrupted": True}
            self._fail(self.part.state.input, "Tool execution aborted", metadata)

    def _complete(self, arguments: dict[str, Any], result: ToolResult) -> None:
        attachments = [
            FilePart(
                id=ids.new("prt"),
                sessionID=self.part.sessionID,
                messageID=self.part.messageID,
                mime=a.mime,
                url=a.url,
                filename=a.filename,
            )
            for a in result.attachments
        ]
        self._finished = True
        self._save(
            ToolStateCompleted(
                input=arguments,
                output=result.output,
                title=result.title,
                metadata=result.metadata,
                time=ToolTime(start=self.started, end=ids.now_ms()),
                attachments=attachments or None,
            )
        )

    def _fail(
        self, arguments: dict[str, Any], message: str, metadata: Metadata | None = None
    ) -> None:
        self._finished = True
        self._save(
            ToolStateError(
                input=arguments,
                error=message,
                metadata=self._metadata() if metadata is None else metadata,
                time=ToolTime(start=self.started, end=ids.now_ms()),
            )
        )

    def _metadata(self) -> Metadata | None:
        state = self.part.state
        return state.metadata if isinstance(state, ToolStateRunning) else None

    def _save(self, state: Any) -> None:
        self.part = msgspec.structs.replace(self.part, state=state)
        self._instance.store.messages.save_part(self.part)

    def _context(self) -> ToolContext:
        instance = self._instance
        return ToolContext(
            session_id=self.part.sessionID,
            message_id=self.part.messageID,
            call_id=self.part.callID,
            agent=self.agent,
            directory=instance.directory,
            worktree=instance.worktree,
            config=instance.config,
            host=self,
            aborted=self.turn.aborted,
            output_dir=instance.output_dir,
            environment=instance.environment,
        )

    def _instance_continues_on_deny(self) -> bool:
        experimental = self._instance.config.experimental
        return bool(experimental and experimental.continue_loop_on_deny)

    async def _guard_against_loops(self, tool: str, arguments: dict[str, Any]) -> None:
        """The same call three times running needs permission."""
        if self.turn.repeats(tool, arguments):
            await self.ask("doom_loop", [tool], [tool], {"tool": tool, "input": arguments})

    # ── ToolHost ─────────────────────────────────────────────────────────────────────────────

    async def ask(
        self,
        permission: str,
        patterns: Sequence[str],
        always: Sequence[str],
        metadata: Metadata,
    ) -> None:
        session = self.turn.session()
        await self._instance.permissions.ask(
            session_id=session.id,
            permission=permission,
            patterns=patterns,
            always=always,
            metadata=metadata,
            rules=self.turn.rules(self.agent),
            ancestors=self.turn.ancestor_rules(),
            tool=PermissionTool(messageID=self.part.messageID, callID=self.part.callID),
            unattended=session.unattended,
        )

    def update(self, title: str | None = None, metadata: Metadata | None = None) -> None:
        state = self.part.state
        if self._finished or not isinstance(state, ToolStateRunning):
            return
        self.part = msgspec.structs.replace(
            self.part,
            state=ToolStateRunning(
                input=state.input,
                time=state.time,
                title=state.title if title is None else title,
                metadata=state.metadata if metadata is None else metadata,
            ),
        )
        self._instance.store.messages.show_part(self.part)

    async def shell_environment(self, directory: str) -> Mapping[str, str]:
        return await hooks.shell_environment(
            self._instance, directory, self.part.sessionID, self.part.callID
        )

    def nearby_instructions(self, path: str) -> list[tuple[str, str]]:
        return self._instance.instructions.nearby(path, self.turn.shown_instructions)

    async def question(self, questions: Sequence[QuestionInfo]) -> list[QuestionAnswer]:
        session = self.turn.session()
        return await self._instance.questions.ask(
            session.id,
            questions,
            QuestionTool(messageID=self.part.messageID, callID=self.part.callID),
            session.unattended,
        )

    def todos(self) -> list[Todo]:
        return self._instance.store.sessions.todos(self.part.sessionID)

    def set_todos(self, todos: list[Todo]) -> None:
        self._instance.store.sessions.save_todos(self.part.sessionID, todos)

    async def subtask(self, task: Subtask) -> SubtaskResult:
        from ostler.engine.subagents import run_subtask

        return await run_subtask(self, task)


def permission_rules(
    agent: Agent, session_rules: Sequence[PermissionRule] | None
) -> list[PermissionRule]:
    """The agent's rules, then the session's: later ones win."""
    return [*agent.permission, *(session_rules or ())]
