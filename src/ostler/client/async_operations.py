"""Every operation of the API, as coroutines.

Written by ``python -m scripts.generate_client`` from the API document, not by hand.
Arguments have the API's own names; what is None is not sent. ``directory``: the
project a call is about; ``deadline``: seconds, the client's own where it is None.
Raises ClientError.
"""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ostler.client.address import MODEL_DEADLINE
from ostler.client.answers import Health
from ostler.client.connection import Connection
from ostler.client.events import EventStream
from ostler.client.group import AsyncGroup
from ostler.schema.agent import Agent, Command, Skill
from ostler.schema.auth import Auth
from ostler.schema.base import JsonObject
from ostler.schema.config import Config
from ostler.schema.file import FileChange, FileContent, FileNode, Symbol, TextMatch
from ostler.schema.mcp import (
    McpAuthorization,
    McpLocalConfig,
    McpRemoteConfig,
    McpResource,
    MCPStatus,
)
from ostler.schema.message import MessageWithParts, OutputFormat, PromptModel, Thinking
from ostler.schema.part import AgentPartInput, FilePartInput, Part, SubtaskPartInput, TextPartInput
from ostler.schema.permission import PermissionRequest, PermissionRule
from ostler.schema.project import Path, Project, ProjectCommands, ProjectDirectory, ProjectIcon
from ostler.schema.provider import ConfigProviders, ProviderList
from ostler.schema.pty import Pty, PtyShell, PtyTicket
from ostler.schema.question import QuestionAnswer, QuestionRequest
from ostler.schema.session import (
    Budget,
    Session,
    SessionModel,
    SessionStatus,
    SnapshotFileDiff,
    Todo,
    Unattended,
)
from ostler.schema.vcs import VcsApplied, VcsFileDiff, VcsFileStatus, VcsInfo
from ostler.schema.worktree import Worktree


class AuthGroup(AsyncGroup):
    async def set(
        self, providerID: str, body: Auth | Mapping[str, Any], *, deadline: float | None = None
    ) -> bool:
        """``PUT /auth/{providerID}``"""
        return await self._call(
            "PUT /auth/{providerID}",
            bool,
            path={"providerID": providerID},
            body=body,
            deadline=deadline,
        )

    async def remove(self, providerID: str, *, deadline: float | None = None) -> bool:
        """``DELETE /auth/{providerID}``"""
        return await self._call(
            "DELETE /auth/{providerID}", bool, path={"providerID": providerID}, deadline=deadline
        )


class AppGroup(AsyncGroup):
    async def log(
        self,
        *,
        service: str,
        level: Literal["debug", "info", "error", "warn"],
        message: str,
        extra: Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /log``"""
        return await self._call(
            "POST /log",
            bool,
            body={"service": service, "level": level, "message": message, "extra": extra},
            directory=directory,
            deadline=deadline,
        )

    async def agents(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[Agent]:
        """``GET /agent``"""
        return await self._call("GET /agent", list[Agent], directory=directory, deadline=deadline)

    async def skills(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[Skill]:
        """``GET /skill``"""
        return await self._call("GET /skill", list[Skill], directory=directory, deadline=deadline)


class ExperimentalControlPlaneGroup(AsyncGroup):
    async def move_session(
        self,
        *,
        sessionID: str,
        destination: Mapping[str, Any],
        moveChanges: bool | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /experimental/control-plane/move-session``"""
        await self._call(
            "POST /experimental/control-plane/move-session",
            None,
            body={"sessionID": sessionID, "destination": destination, "moveChanges": moveChanges},
            deadline=deadline,
        )


class ExperimentalCapabilitiesGroup(AsyncGroup):
    async def get(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /experimental/capabilities``"""
        return await self._call(
            "GET /experimental/capabilities", JsonObject, directory=directory, deadline=deadline
        )


class ExperimentalConsoleGroup(AsyncGroup):
    async def get(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /experimental/console``"""
        return await self._call(
            "GET /experimental/console", JsonObject, directory=directory, deadline=deadline
        )

    async def list_orgs(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /experimental/console/orgs``"""
        return await self._call(
            "GET /experimental/console/orgs", JsonObject, directory=directory, deadline=deadline
        )

    async def switch_org(
        self,
        *,
        accountID: str,
        orgID: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /experimental/console/switch``"""
        return await self._call(
            "POST /experimental/console/switch",
            bool,
            body={"accountID": accountID, "orgID": orgID},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalSessionGroup(AsyncGroup):
    async def list(
        self,
        *,
        roots: bool | None = None,
        start: float | None = None,
        cursor: float | None = None,
        search: str | None = None,
        limit: float | None = None,
        archived: bool | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[Any]:
        """``GET /experimental/session``"""
        return await self._call(
            "GET /experimental/session",
            builtins.list[Any],
            query={
                "roots": roots,
                "start": start,
                "cursor": cursor,
                "search": search,
                "limit": limit,
                "archived": archived,
            },
            directory=directory,
            deadline=deadline,
        )

    async def background(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /experimental/session/{sessionID}/background``"""
        return await self._call(
            "POST /experimental/session/{sessionID}/background",
            bool,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalResourceGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> dict[str, McpResource]:
        """``GET /experimental/resource``"""
        return await self._call(
            "GET /experimental/resource",
            dict[str, McpResource],
            directory=directory,
            deadline=deadline,
        )


class ExperimentalProjectCopyGroup(AsyncGroup):
    async def generate_name(
        self,
        projectID: str,
        *,
        context: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /experimental/project/{projectID}/copy/generate-name``"""
        return await self._call(
            "POST /experimental/project/{projectID}/copy/generate-name",
            JsonObject,
            path={"projectID": projectID},
            body={"context": context},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalWorkspaceAdapterGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/workspace/adapter``"""
        return await self._call(
            "GET /experimental/workspace/adapter",
            builtins.list[JsonObject],
            directory=directory,
            deadline=deadline,
        )


class ExperimentalWorkspaceGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.adapter = ExperimentalWorkspaceAdapterGroup(connection)

    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/workspace``"""
        return await self._call(
            "GET /experimental/workspace",
            builtins.list[JsonObject],
            directory=directory,
            deadline=deadline,
        )

    async def create(
        self,
        *,
        type: str,
        id: str | None = None,
        branch: str | None = None,
        extra: Any = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /experimental/workspace``"""
        return await self._call(
            "POST /experimental/workspace",
            JsonObject,
            body={"id": id, "type": type, "branch": branch, "extra": extra},
            directory=directory,
            deadline=deadline,
        )

    async def sync_list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /experimental/workspace/sync-list``"""
        await self._call(
            "POST /experimental/workspace/sync-list", None, directory=directory, deadline=deadline
        )

    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/workspace/status``"""
        return await self._call(
            "GET /experimental/workspace/status",
            builtins.list[JsonObject],
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, id: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``DELETE /experimental/workspace/{id}``"""
        return await self._call(
            "DELETE /experimental/workspace/{id}",
            JsonObject,
            path={"id": id},
            directory=directory,
            deadline=deadline,
        )

    async def warp(
        self,
        *,
        id: str | None,
        sessionID: str,
        copyChanges: bool | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /experimental/workspace/warp``"""
        await self._call(
            "POST /experimental/workspace/warp",
            None,
            body={"id": id, "sessionID": sessionID, "copyChanges": copyChanges},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.control_plane = ExperimentalControlPlaneGroup(connection)
        self.capabilities = ExperimentalCapabilitiesGroup(connection)
        self.console = ExperimentalConsoleGroup(connection)
        self.session = ExperimentalSessionGroup(connection)
        self.resource = ExperimentalResourceGroup(connection)
        self.project_copy = ExperimentalProjectCopyGroup(connection)
        self.workspace = ExperimentalWorkspaceGroup(connection)


class GlobalConfigGroup(AsyncGroup):
    async def get(self, *, deadline: float | None = None) -> Config:
        """``GET /global/config``"""
        return await self._call("GET /global/config", Config, deadline=deadline)

    async def update(
        self, body: Config | Mapping[str, Any], *, deadline: float | None = None
    ) -> Config:
        """``PATCH /global/config``"""
        return await self._call("PATCH /global/config", Config, body=body, deadline=deadline)


class GlobalGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.config = GlobalConfigGroup(connection)

    async def health(self, *, deadline: float | None = None) -> Health:
        """``GET /global/health``"""
        return await self._call("GET /global/health", Health, deadline=deadline)

    def event(self) -> EventStream:
        """``GET /global/event``"""
        return self._events("/global/event")

    async def dispose(self, *, deadline: float | None = None) -> bool:
        """``POST /global/dispose``"""
        return await self._call("POST /global/dispose", bool, deadline=deadline)

    async def upgrade(self, *, target: str, deadline: float | None = None) -> Any:
        """``POST /global/upgrade``"""
        return await self._call(
            "POST /global/upgrade", Any, body={"target": target}, deadline=deadline
        )


class EventGroup(AsyncGroup):
    def subscribe(self, *, directory: str | None = None) -> EventStream:
        """``GET /event``"""
        return self._events("/event", directory=directory)


class ConfigGroup(AsyncGroup):
    async def get(self, *, directory: str | None = None, deadline: float | None = None) -> Config:
        """``GET /config``"""
        return await self._call("GET /config", Config, directory=directory, deadline=deadline)

    async def update(
        self,
        body: Config | Mapping[str, Any],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Config:
        """``PATCH /config``"""
        return await self._call(
            "PATCH /config", Config, body=body, directory=directory, deadline=deadline
        )

    async def providers(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> ConfigProviders:
        """``GET /config/providers``"""
        return await self._call(
            "GET /config/providers", ConfigProviders, directory=directory, deadline=deadline
        )


class ToolGroup(AsyncGroup):
    async def list(
        self,
        *,
        provider: str,
        model: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/tool``"""
        return await self._call(
            "GET /experimental/tool",
            builtins.list[JsonObject],
            query={"provider": provider, "model": model},
            directory=directory,
            deadline=deadline,
        )

    async def ids(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> QuestionAnswer:
        """``GET /experimental/tool/ids``"""
        answer: QuestionAnswer = await self._call(
            "GET /experimental/tool/ids", QuestionAnswer, directory=directory, deadline=deadline
        )
        return answer


class WorktreeGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> QuestionAnswer:
        """``GET /experimental/worktree``"""
        answer: QuestionAnswer = await self._call(
            "GET /experimental/worktree", QuestionAnswer, directory=directory, deadline=deadline
        )
        return answer

    async def create(
        self,
        *,
        name: str | None = None,
        startCommand: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Worktree:
        """``POST /experimental/worktree``"""
        return await self._call(
            "POST /experimental/worktree",
            Worktree,
            body={"name": name, "startCommand": startCommand},
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, *, directory: str, project_directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``DELETE /experimental/worktree``"""
        return await self._call(
            "DELETE /experimental/worktree",
            bool,
            body={"directory": directory},
            directory=project_directory,
            deadline=deadline,
        )

    async def reset(
        self, *, directory: str, project_directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /experimental/worktree/reset``"""
        return await self._call(
            "POST /experimental/worktree/reset",
            bool,
            body={"directory": directory},
            directory=project_directory,
            deadline=deadline,
        )


class FindGroup(AsyncGroup):
    async def text(
        self, *, pattern: str, directory: str | None = None, deadline: float | None = None
    ) -> list[TextMatch]:
        """``GET /find``"""
        return await self._call(
            "GET /find",
            list[TextMatch],
            query={"pattern": pattern},
            directory=directory,
            deadline=deadline,
        )

    async def files(
        self,
        *,
        query: str,
        dirs: Literal["true", "false"] | None = None,
        type: Literal["file", "directory"] | None = None,
        limit: int | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> QuestionAnswer:
        """``GET /find/file``"""
        answer: QuestionAnswer = await self._call(
            "GET /find/file",
            QuestionAnswer,
            query={"query": query, "dirs": dirs, "type": type, "limit": limit},
            directory=directory,
            deadline=deadline,
        )
        return answer

    async def symbols(
        self, *, query: str, directory: str | None = None, deadline: float | None = None
    ) -> list[Symbol]:
        """``GET /find/symbol``"""
        return await self._call(
            "GET /find/symbol",
            list[Symbol],
            query={"query": query},
            directory=directory,
            deadline=deadline,
        )


class FileGroup(AsyncGroup):
    async def list(
        self, *, path: str, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[FileNode]:
        """``GET /file``"""
        return await self._call(
            "GET /file",
            builtins.list[FileNode],
            query={"path": path},
            directory=directory,
            deadline=deadline,
        )

    async def read(
        self, *, path: str, directory: str | None = None, deadline: float | None = None
    ) -> FileContent:
        """``GET /file/content``"""
        return await self._call(
            "GET /file/content",
            FileContent,
            query={"path": path},
            directory=directory,
            deadline=deadline,
        )

    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[FileChange]:
        """``GET /file/status``"""
        return await self._call(
            "GET /file/status", builtins.list[FileChange], directory=directory, deadline=deadline
        )


class InstanceGroup(AsyncGroup):
    async def dispose(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /instance/dispose``"""
        return await self._call(
            "POST /instance/dispose", bool, directory=directory, deadline=deadline
        )


class PathGroup(AsyncGroup):
    async def get(self, *, directory: str | None = None, deadline: float | None = None) -> Path:
        """``GET /path``"""
        return await self._call("GET /path", Path, directory=directory, deadline=deadline)


class VcsGroup(AsyncGroup):
    async def get(self, *, directory: str | None = None, deadline: float | None = None) -> VcsInfo:
        """``GET /vcs``"""
        return await self._call("GET /vcs", VcsInfo, directory=directory, deadline=deadline)

    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[VcsFileStatus]:
        """``GET /vcs/status``"""
        return await self._call(
            "GET /vcs/status", list[VcsFileStatus], directory=directory, deadline=deadline
        )

    async def diff(
        self,
        *,
        mode: Literal["git", "branch"],
        context: int | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> list[VcsFileDiff]:
        """``GET /vcs/diff``"""
        return await self._call(
            "GET /vcs/diff",
            list[VcsFileDiff],
            query={"mode": mode, "context": context},
            directory=directory,
            deadline=deadline,
        )

    async def diff_raw(self, *, directory: str | None = None, deadline: float | None = None) -> str:
        """``GET /vcs/diff/raw``"""
        return await self._call("GET /vcs/diff/raw", str, directory=directory, deadline=deadline)

    async def apply(
        self, *, patch: str, directory: str | None = None, deadline: float | None = None
    ) -> VcsApplied:
        """``POST /vcs/apply``"""
        return await self._call(
            "POST /vcs/apply",
            VcsApplied,
            body={"patch": patch},
            directory=directory,
            deadline=deadline,
        )


class CommandGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Command]:
        """``GET /command``"""
        return await self._call(
            "GET /command", builtins.list[Command], directory=directory, deadline=deadline
        )


class LspGroup(AsyncGroup):
    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[JsonObject]:
        """``GET /lsp``"""
        return await self._call(
            "GET /lsp", list[JsonObject], directory=directory, deadline=deadline
        )


class FormatterGroup(AsyncGroup):
    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[JsonObject]:
        """``GET /formatter``"""
        return await self._call(
            "GET /formatter", list[JsonObject], directory=directory, deadline=deadline
        )


class McpAuthGroup(AsyncGroup):
    async def start(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> McpAuthorization:
        """``POST /mcp/{name}/auth``"""
        return await self._call(
            "POST /mcp/{name}/auth",
            McpAuthorization,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``DELETE /mcp/{name}/auth``"""
        return await self._call(
            "DELETE /mcp/{name}/auth",
            JsonObject,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )

    async def callback(
        self, name: str, *, code: str, directory: str | None = None, deadline: float | None = None
    ) -> MCPStatus:
        """``POST /mcp/{name}/auth/callback``"""
        answer: MCPStatus = await self._call(
            "POST /mcp/{name}/auth/callback",
            MCPStatus,
            path={"name": name},
            body={"code": code},
            directory=directory,
            deadline=deadline,
        )
        return answer

    async def authenticate(
        self, name: str, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> MCPStatus:
        """``POST /mcp/{name}/auth/authenticate``"""
        answer: MCPStatus = await self._call(
            "POST /mcp/{name}/auth/authenticate",
            MCPStatus,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )
        return answer


class McpGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.auth = McpAuthGroup(connection)

    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> dict[str, MCPStatus]:
        """``GET /mcp``"""
        return await self._call(
            "GET /mcp", dict[str, MCPStatus], directory=directory, deadline=deadline
        )

    async def add(
        self,
        *,
        name: str,
        config: McpLocalConfig | Mapping[str, Any] | McpRemoteConfig,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> dict[str, MCPStatus]:
        """``POST /mcp``"""
        return await self._call(
            "POST /mcp",
            dict[str, MCPStatus],
            body={"name": name, "config": config},
            directory=directory,
            deadline=deadline,
        )

    async def connect(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /mcp/{name}/connect``"""
        return await self._call(
            "POST /mcp/{name}/connect",
            bool,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )

    async def disconnect(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /mcp/{name}/disconnect``"""
        return await self._call(
            "POST /mcp/{name}/disconnect",
            bool,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )


class ProjectGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Project]:
        """``GET /project``"""
        return await self._call(
            "GET /project", builtins.list[Project], directory=directory, deadline=deadline
        )

    async def current(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> Project:
        """``GET /project/current``"""
        return await self._call(
            "GET /project/current", Project, directory=directory, deadline=deadline
        )

    async def init_git(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> Project:
        """``POST /project/git/init``"""
        return await self._call(
            "POST /project/git/init", Project, directory=directory, deadline=deadline
        )

    async def update(
        self,
        projectID: str,
        *,
        name: str | None = None,
        icon: ProjectIcon | Mapping[str, Any] | None = None,
        commands: ProjectCommands | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Project:
        """``PATCH /project/{projectID}``"""
        return await self._call(
            "PATCH /project/{projectID}",
            Project,
            path={"projectID": projectID},
            body={"name": name, "icon": icon, "commands": commands},
            directory=directory,
            deadline=deadline,
        )

    async def directories(
        self, projectID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[ProjectDirectory]:
        """``GET /project/{projectID}/directories``"""
        return await self._call(
            "GET /project/{projectID}/directories",
            builtins.list[ProjectDirectory],
            path={"projectID": projectID},
            directory=directory,
            deadline=deadline,
        )


class PtyGroup(AsyncGroup):
    async def shells(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[PtyShell]:
        """``GET /pty/shells``"""
        return await self._call(
            "GET /pty/shells", builtins.list[PtyShell], directory=directory, deadline=deadline
        )

    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Pty]:
        """``GET /pty``"""
        return await self._call(
            "GET /pty", builtins.list[Pty], directory=directory, deadline=deadline
        )

    async def create(
        self,
        *,
        command: str | None = None,
        args: Sequence[str] | None = None,
        cwd: str | None = None,
        title: str | None = None,
        env: Mapping[str, str] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Pty:
        """``POST /pty``"""
        return await self._call(
            "POST /pty",
            Pty,
            body={"command": command, "args": args, "cwd": cwd, "title": title, "env": env},
            directory=directory,
            deadline=deadline,
        )

    async def get(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Pty:
        """``GET /pty/{ptyID}``"""
        return await self._call(
            "GET /pty/{ptyID}", Pty, path={"ptyID": ptyID}, directory=directory, deadline=deadline
        )

    async def update(
        self,
        ptyID: str,
        *,
        title: str | None = None,
        size: Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Pty:
        """``PUT /pty/{ptyID}``"""
        return await self._call(
            "PUT /pty/{ptyID}",
            Pty,
            path={"ptyID": ptyID},
            body={"title": title, "size": size},
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``DELETE /pty/{ptyID}``"""
        return await self._call(
            "DELETE /pty/{ptyID}",
            bool,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    async def connect_token(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> PtyTicket:
        """``POST /pty/{ptyID}/connect-token``"""
        return await self._call(
            "POST /pty/{ptyID}/connect-token",
            PtyTicket,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    def connect(self, ptyID: str, *, cursor: str | None = None, ticket: str | None = None) -> Any:
        """``GET /pty/{ptyID}/connect``"""
        return self._socket(
            "/pty/{ptyID}/connect",
            path={"ptyID": ptyID},
            query={"cursor": cursor, "ticket": ticket},
        )


class QuestionGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[QuestionRequest]:
        """``GET /question``"""
        return await self._call(
            "GET /question", builtins.list[QuestionRequest], directory=directory, deadline=deadline
        )

    async def reply(
        self,
        requestID: str,
        *,
        answers: Sequence[Sequence[str]],
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /question/{requestID}/reply``"""
        return await self._call(
            "POST /question/{requestID}/reply",
            bool,
            path={"requestID": requestID},
            body={"answers": answers},
            directory=directory,
            deadline=deadline,
        )

    async def reject(
        self, requestID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /question/{requestID}/reject``"""
        return await self._call(
            "POST /question/{requestID}/reject",
            bool,
            path={"requestID": requestID},
            directory=directory,
            deadline=deadline,
        )


class PermissionGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[PermissionRequest]:
        """``GET /permission``"""
        return await self._call(
            "GET /permission",
            builtins.list[PermissionRequest],
            directory=directory,
            deadline=deadline,
        )

    async def reply(
        self,
        requestID: str,
        *,
        reply: Literal["once", "always", "reject"],
        message: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /permission/{requestID}/reply``"""
        return await self._call(
            "POST /permission/{requestID}/reply",
            bool,
            path={"requestID": requestID},
            body={"reply": reply, "message": message},
            directory=directory,
            deadline=deadline,
        )

    async def respond(
        self,
        sessionID: str,
        permissionID: str,
        *,
        response: Literal["once", "always", "reject"],
        message: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /session/{sessionID}/permissions/{permissionID}``. Ostler's own: ``message``."""
        return await self._call(
            "POST /session/{sessionID}/permissions/{permissionID}",
            bool,
            path={"sessionID": sessionID, "permissionID": permissionID},
            body={"response": response, "message": message},
            directory=directory,
            deadline=deadline,
        )


class ProviderOauthGroup(AsyncGroup):
    async def authorize(
        self,
        providerID: str,
        *,
        method: float,
        inputs: Mapping[str, str] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject | None:
        """``POST /provider/{providerID}/oauth/authorize``"""
        answer: JsonObject | None = await self._call(
            "POST /provider/{providerID}/oauth/authorize",
            JsonObject | None,
            path={"providerID": providerID},
            body={"method": method, "inputs": inputs},
            directory=directory,
            deadline=deadline,
        )
        return answer

    async def callback(
        self,
        providerID: str,
        *,
        method: float,
        code: str | None = None,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> bool:
        """``POST /provider/{providerID}/oauth/callback``"""
        return await self._call(
            "POST /provider/{providerID}/oauth/callback",
            bool,
            path={"providerID": providerID},
            body={"method": method, "code": code},
            directory=directory,
            deadline=deadline,
        )


class ProviderGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.oauth = ProviderOauthGroup(connection)

    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> ProviderList:
        """``GET /provider``"""
        return await self._call(
            "GET /provider", ProviderList, directory=directory, deadline=deadline
        )

    async def auth(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /provider/auth``"""
        return await self._call(
            "GET /provider/auth", JsonObject, directory=directory, deadline=deadline
        )


class SessionGroup(AsyncGroup):
    async def list(
        self,
        *,
        scope: Literal["project"] | None = None,
        path: str | None = None,
        roots: bool | None = None,
        start: float | None = None,
        search: str | None = None,
        limit: float | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[Session]:
        """``GET /session``"""
        return await self._call(
            "GET /session",
            builtins.list[Session],
            query={
                "scope": scope,
                "path": path,
                "roots": roots,
                "start": start,
                "search": search,
                "limit": limit,
            },
            directory=directory,
            deadline=deadline,
        )

    async def create(
        self,
        *,
        parentID: str | None = None,
        title: str | None = None,
        agent: str | None = None,
        model: SessionModel | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        permission: Sequence[PermissionRule | Mapping[str, Any]] | None = None,
        workspaceID: str | None = None,
        unattended: Unattended | bool | Mapping[str, Any] | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Session:
        """``POST /session``. Ostler's own: ``unattended``, ``budget``."""
        return await self._call(
            "POST /session",
            Session,
            body={
                "parentID": parentID,
                "title": title,
                "agent": agent,
                "model": model,
                "metadata": metadata,
                "permission": permission,
                "workspaceID": workspaceID,
                "unattended": unattended,
                "budget": budget,
            },
            directory=directory,
            deadline=deadline,
        )

    async def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> dict[str, SessionStatus]:
        """``GET /session/status``"""
        return await self._call(
            "GET /session/status", dict[str, SessionStatus], directory=directory, deadline=deadline
        )

    async def get(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``GET /session/{sessionID}``"""
        return await self._call(
            "GET /session/{sessionID}",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def delete(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``DELETE /session/{sessionID}``"""
        return await self._call(
            "DELETE /session/{sessionID}",
            bool,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def update(
        self,
        sessionID: str,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        permission: Sequence[PermissionRule | Mapping[str, Any]] | None = None,
        time: Mapping[str, Any] | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Session:
        """``PATCH /session/{sessionID}``. Ostler's own: ``budget``."""
        return await self._call(
            "PATCH /session/{sessionID}",
            Session,
            path={"sessionID": sessionID},
            body={
                "title": title,
                "metadata": metadata,
                "permission": permission,
                "time": time,
                "budget": budget,
            },
            directory=directory,
            deadline=deadline,
        )

    async def children(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Session]:
        """``GET /session/{sessionID}/children``"""
        return await self._call(
            "GET /session/{sessionID}/children",
            builtins.list[Session],
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def todo(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Todo]:
        """``GET /session/{sessionID}/todo``"""
        return await self._call(
            "GET /session/{sessionID}/todo",
            builtins.list[Todo],
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def diff(
        self,
        sessionID: str,
        *,
        messageID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[SnapshotFileDiff]:
        """``GET /session/{sessionID}/diff``"""
        return await self._call(
            "GET /session/{sessionID}/diff",
            builtins.list[SnapshotFileDiff],
            path={"sessionID": sessionID},
            query={"messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    async def messages(
        self,
        sessionID: str,
        *,
        limit: int | None = None,
        before: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[MessageWithParts]:
        """``GET /session/{sessionID}/message``"""
        return await self._call(
            "GET /session/{sessionID}/message",
            builtins.list[MessageWithParts],
            path={"sessionID": sessionID},
            query={"limit": limit, "before": before},
            directory=directory,
            deadline=deadline,
        )

    async def prompt(
        self,
        sessionID: str,
        *,
        parts: Sequence[
            TextPartInput | Mapping[str, Any] | FilePartInput | AgentPartInput | SubtaskPartInput
        ],
        messageID: str | None = None,
        model: PromptModel | Mapping[str, Any] | None = None,
        agent: str | None = None,
        noReply: bool | None = None,
        tools: Mapping[str, bool] | None = None,
        format: OutputFormat | Mapping[str, Any] | None = None,
        system: str | None = None,
        variant: str | None = None,
        thinking: Thinking | Mapping[str, Any] | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> MessageWithParts:
        """``POST /session/{sessionID}/message``. Ostler's own: ``thinking``, ``budget``."""
        return await self._call(
            "POST /session/{sessionID}/message",
            MessageWithParts,
            path={"sessionID": sessionID},
            body={
                "messageID": messageID,
                "model": model,
                "agent": agent,
                "noReply": noReply,
                "tools": tools,
                "format": format,
                "system": system,
                "variant": variant,
                "parts": parts,
                "thinking": thinking,
                "budget": budget,
            },
            directory=directory,
            deadline=deadline,
        )

    async def message(
        self,
        sessionID: str,
        messageID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> MessageWithParts:
        """``GET /session/{sessionID}/message/{messageID}``"""
        return await self._call(
            "GET /session/{sessionID}/message/{messageID}",
            MessageWithParts,
            path={"sessionID": sessionID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    async def delete_message(
        self,
        sessionID: str,
        messageID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``DELETE /session/{sessionID}/message/{messageID}``"""
        return await self._call(
            "DELETE /session/{sessionID}/message/{messageID}",
            bool,
            path={"sessionID": sessionID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    async def fork(
        self,
        sessionID: str,
        *,
        messageID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Session:
        """``POST /session/{sessionID}/fork``"""
        return await self._call(
            "POST /session/{sessionID}/fork",
            Session,
            path={"sessionID": sessionID},
            body={"messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    async def abort(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /session/{sessionID}/abort``"""
        return await self._call(
            "POST /session/{sessionID}/abort",
            bool,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def init(
        self,
        sessionID: str,
        *,
        modelID: str,
        providerID: str,
        messageID: str,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> bool:
        """``POST /session/{sessionID}/init``"""
        return await self._call(
            "POST /session/{sessionID}/init",
            bool,
            path={"sessionID": sessionID},
            body={"modelID": modelID, "providerID": providerID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    async def share(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``POST /session/{sessionID}/share``"""
        return await self._call(
            "POST /session/{sessionID}/share",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def unshare(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``DELETE /session/{sessionID}/share``"""
        return await self._call(
            "DELETE /session/{sessionID}/share",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def summarize(
        self,
        sessionID: str,
        *,
        providerID: str,
        modelID: str,
        auto: bool | None = None,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> bool:
        """``POST /session/{sessionID}/summarize``"""
        return await self._call(
            "POST /session/{sessionID}/summarize",
            bool,
            path={"sessionID": sessionID},
            body={"providerID": providerID, "modelID": modelID, "auto": auto},
            directory=directory,
            deadline=deadline,
        )

    async def prompt_async(
        self,
        sessionID: str,
        *,
        parts: Sequence[
            TextPartInput | Mapping[str, Any] | FilePartInput | AgentPartInput | SubtaskPartInput
        ],
        messageID: str | None = None,
        model: PromptModel | Mapping[str, Any] | None = None,
        agent: str | None = None,
        noReply: bool | None = None,
        tools: Mapping[str, bool] | None = None,
        format: OutputFormat | Mapping[str, Any] | None = None,
        system: str | None = None,
        variant: str | None = None,
        thinking: Thinking | Mapping[str, Any] | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /session/{sessionID}/prompt_async``. Ostler's own: ``thinking``, ``budget``."""
        await self._call(
            "POST /session/{sessionID}/prompt_async",
            None,
            path={"sessionID": sessionID},
            body={
                "messageID": messageID,
                "model": model,
                "agent": agent,
                "noReply": noReply,
                "tools": tools,
                "format": format,
                "system": system,
                "variant": variant,
                "parts": parts,
                "thinking": thinking,
                "budget": budget,
            },
            directory=directory,
            deadline=deadline,
        )

    async def command(
        self,
        sessionID: str,
        *,
        arguments: str,
        command: str,
        messageID: str | None = None,
        agent: str | None = None,
        model: str | None = None,
        variant: str | None = None,
        parts: Sequence[Mapping[str, Any]] | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> MessageWithParts:
        """``POST /session/{sessionID}/command``. Ostler's own: ``budget``."""
        return await self._call(
            "POST /session/{sessionID}/command",
            MessageWithParts,
            path={"sessionID": sessionID},
            body={
                "messageID": messageID,
                "agent": agent,
                "model": model,
                "arguments": arguments,
                "command": command,
                "variant": variant,
                "parts": parts,
                "budget": budget,
            },
            directory=directory,
            deadline=deadline,
        )

    async def shell(
        self,
        sessionID: str,
        *,
        agent: str,
        command: str,
        messageID: str | None = None,
        model: PromptModel | Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> MessageWithParts:
        """``POST /session/{sessionID}/shell``"""
        return await self._call(
            "POST /session/{sessionID}/shell",
            MessageWithParts,
            path={"sessionID": sessionID},
            body={"messageID": messageID, "agent": agent, "model": model, "command": command},
            directory=directory,
            deadline=deadline,
        )

    async def revert(
        self,
        sessionID: str,
        *,
        messageID: str,
        partID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Session:
        """``POST /session/{sessionID}/revert``"""
        return await self._call(
            "POST /session/{sessionID}/revert",
            Session,
            path={"sessionID": sessionID},
            body={"messageID": messageID, "partID": partID},
            directory=directory,
            deadline=deadline,
        )

    async def unrevert(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``POST /session/{sessionID}/unrevert``"""
        return await self._call(
            "POST /session/{sessionID}/unrevert",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class PartGroup(AsyncGroup):
    async def delete(
        self,
        sessionID: str,
        messageID: str,
        partID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``DELETE /session/{sessionID}/message/{messageID}/part/{partID}``"""
        return await self._call(
            "DELETE /session/{sessionID}/message/{messageID}/part/{partID}",
            bool,
            path={"sessionID": sessionID, "messageID": messageID, "partID": partID},
            directory=directory,
            deadline=deadline,
        )

    async def update(
        self,
        sessionID: str,
        messageID: str,
        partID: str,
        body: Part | Mapping[str, Any],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Part:
        """``PATCH /session/{sessionID}/message/{messageID}/part/{partID}``"""
        answer: Part = await self._call(
            "PATCH /session/{sessionID}/message/{messageID}/part/{partID}",
            Part,
            path={"sessionID": sessionID, "messageID": messageID, "partID": partID},
            body=body,
            directory=directory,
            deadline=deadline,
        )
        return answer


class SyncHistoryGroup(AsyncGroup):
    async def list(
        self,
        body: Mapping[str, int],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[JsonObject]:
        """``POST /sync/history``"""
        return await self._call(
            "POST /sync/history",
            builtins.list[JsonObject],
            body=body,
            directory=directory,
            deadline=deadline,
        )


class SyncGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.history = SyncHistoryGroup(connection)

    async def start(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /sync/start``"""
        return await self._call("POST /sync/start", bool, directory=directory, deadline=deadline)

    async def replay(
        self,
        *,
        directory: str,
        events: Sequence[Mapping[str, Any]],
        project_directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /sync/replay``"""
        return await self._call(
            "POST /sync/replay",
            JsonObject,
            body={"directory": directory, "events": events},
            directory=project_directory,
            deadline=deadline,
        )

    async def steal(
        self, *, sessionID: str, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``POST /sync/steal``"""
        return await self._call(
            "POST /sync/steal",
            JsonObject,
            body={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class TuiControlGroup(AsyncGroup):
    async def next(
        self, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> JsonObject:
        """``GET /tui/control/next``"""
        return await self._call(
            "GET /tui/control/next", JsonObject, directory=directory, deadline=deadline
        )

    async def response(
        self, body: Any, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/control/response``"""
        return await self._call(
            "POST /tui/control/response", bool, body=body, directory=directory, deadline=deadline
        )


class TuiGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.control = TuiControlGroup(connection)

    async def append_prompt(
        self, *, text: str, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/append-prompt``"""
        return await self._call(
            "POST /tui/append-prompt",
            bool,
            body={"text": text},
            directory=directory,
            deadline=deadline,
        )

    async def open_help(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/open-help``"""
        return await self._call("POST /tui/open-help", bool, directory=directory, deadline=deadline)

    async def open_sessions(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/open-sessions``"""
        return await self._call(
            "POST /tui/open-sessions", bool, directory=directory, deadline=deadline
        )

    async def open_themes(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/open-themes``"""
        return await self._call(
            "POST /tui/open-themes", bool, directory=directory, deadline=deadline
        )

    async def open_models(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/open-models``"""
        return await self._call(
            "POST /tui/open-models", bool, directory=directory, deadline=deadline
        )

    async def submit_prompt(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/submit-prompt``"""
        return await self._call(
            "POST /tui/submit-prompt", bool, directory=directory, deadline=deadline
        )

    async def clear_prompt(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/clear-prompt``"""
        return await self._call(
            "POST /tui/clear-prompt", bool, directory=directory, deadline=deadline
        )

    async def execute_command(
        self, *, command: str, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/execute-command``"""
        return await self._call(
            "POST /tui/execute-command",
            bool,
            body={"command": command},
            directory=directory,
            deadline=deadline,
        )

    async def show_toast(
        self,
        *,
        message: str,
        variant: Literal["info", "success", "warning", "error"],
        title: str | None = None,
        duration: int | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /tui/show-toast``"""
        return await self._call(
            "POST /tui/show-toast",
            bool,
            body={"title": title, "message": message, "variant": variant, "duration": duration},
            directory=directory,
            deadline=deadline,
        )

    async def publish(
        self,
        body: Mapping[str, Any],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /tui/publish``"""
        return await self._call(
            "POST /tui/publish", bool, body=body, directory=directory, deadline=deadline
        )

    async def select_session(
        self, *, sessionID: str, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/select-session``"""
        return await self._call(
            "POST /tui/select-session",
            bool,
            body={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class V2HealthGroup(AsyncGroup):
    async def get(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/health``"""
        return await self._call(
            "GET /api/health", JsonObject, directory=directory, deadline=deadline
        )


class V2LocationGroup(AsyncGroup):
    async def get(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/location``"""
        return await self._call(
            "GET /api/location", JsonObject, directory=directory, deadline=deadline
        )


class V2AgentGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/agent``"""
        return await self._call(
            "GET /api/agent", JsonObject, directory=directory, deadline=deadline
        )


class V2SessionRevertGroup(AsyncGroup):
    async def stage(
        self,
        sessionID: str,
        *,
        messageID: str,
        files: bool | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/session/{sessionID}/revert/stage``"""
        return await self._call(
            "POST /api/session/{sessionID}/revert/stage",
            JsonObject,
            path={"sessionID": sessionID},
            body={"messageID": messageID, "files": files},
            directory=directory,
            deadline=deadline,
        )

    async def clear(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /api/session/{sessionID}/revert/clear``"""
        await self._call(
            "POST /api/session/{sessionID}/revert/clear",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def commit(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /api/session/{sessionID}/revert/commit``"""
        await self._call(
            "POST /api/session/{sessionID}/revert/commit",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class V2SessionPermissionGroup(AsyncGroup):
    async def create(
        self,
        sessionID: str,
        *,
        action: str,
        resources: Sequence[str],
        id: str | None = None,
        save: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
        agent: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/session/{sessionID}/permission``"""
        return await self._call(
            "POST /api/session/{sessionID}/permission",
            JsonObject,
            path={"sessionID": sessionID},
            body={
                "id": id,
                "action": action,
                "resources": resources,
                "save": save,
                "metadata": metadata,
                "source": source,
                "agent": agent,
            },
            directory=directory,
            deadline=deadline,
        )

    async def list(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/permission``"""
        return await self._call(
            "GET /api/session/{sessionID}/permission",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def get(
        self,
        sessionID: str,
        requestID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/permission/{requestID}``"""
        return await self._call(
            "GET /api/session/{sessionID}/permission/{requestID}",
            JsonObject,
            path={"sessionID": sessionID, "requestID": requestID},
            directory=directory,
            deadline=deadline,
        )

    async def reply(
        self,
        sessionID: str,
        requestID: str,
        *,
        reply: Literal["once", "always", "reject"],
        message: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/permission/{requestID}/reply``"""
        await self._call(
            "POST /api/session/{sessionID}/permission/{requestID}/reply",
            None,
            path={"sessionID": sessionID, "requestID": requestID},
            body={"reply": reply, "message": message},
            directory=directory,
            deadline=deadline,
        )


class V2SessionQuestionGroup(AsyncGroup):
    async def list(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/question``"""
        return await self._call(
            "GET /api/session/{sessionID}/question",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def reply(
        self,
        sessionID: str,
        requestID: str,
        *,
        answers: Sequence[Sequence[str]],
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/question/{requestID}/reply``"""
        await self._call(
            "POST /api/session/{sessionID}/question/{requestID}/reply",
            None,
            path={"sessionID": sessionID, "requestID": requestID},
            body={"answers": answers},
            directory=directory,
            deadline=deadline,
        )

    async def reject(
        self,
        sessionID: str,
        requestID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/question/{requestID}/reject``"""
        await self._call(
            "POST /api/session/{sessionID}/question/{requestID}/reject",
            None,
            path={"sessionID": sessionID, "requestID": requestID},
            directory=directory,
            deadline=deadline,
        )


class V2SessionGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.revert = V2SessionRevertGroup(connection)
        self.permission = V2SessionPermissionGroup(connection)
        self.question = V2SessionQuestionGroup(connection)

    async def list(
        self,
        *,
        limit: float | None = None,
        order: Literal["asc", "desc"] | None = None,
        search: str | None = None,
        project: str | None = None,
        subpath: str | None = None,
        cursor: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session``"""
        return await self._call(
            "GET /api/session",
            JsonObject,
            query={
                "limit": limit,
                "order": order,
                "search": search,
                "project": project,
                "subpath": subpath,
                "cursor": cursor,
            },
            directory=directory,
            deadline=deadline,
        )

    async def create(
        self,
        *,
        id: str | None = None,
        agent: str | None = None,
        model: Mapping[str, Any] | None = None,
        location: Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/session``"""
        return await self._call(
            "POST /api/session",
            JsonObject,
            body={"id": id, "agent": agent, "model": model, "location": location},
            directory=directory,
            deadline=deadline,
        )

    async def active(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/active``"""
        return await self._call(
            "GET /api/session/active", JsonObject, directory=directory, deadline=deadline
        )

    async def get(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}``"""
        return await self._call(
            "GET /api/session/{sessionID}",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def switch_agent(
        self,
        sessionID: str,
        *,
        agent: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/agent``"""
        await self._call(
            "POST /api/session/{sessionID}/agent",
            None,
            path={"sessionID": sessionID},
            body={"agent": agent},
            directory=directory,
            deadline=deadline,
        )

    async def switch_model(
        self,
        sessionID: str,
        *,
        model: Mapping[str, Any],
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/model``"""
        await self._call(
            "POST /api/session/{sessionID}/model",
            None,
            path={"sessionID": sessionID},
            body={"model": model},
            directory=directory,
            deadline=deadline,
        )

    async def prompt(
        self,
        sessionID: str,
        *,
        prompt: Mapping[str, Any],
        id: str | None = None,
        delivery: Literal["steer", "queue"] | None = None,
        resume: bool | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/session/{sessionID}/prompt``"""
        return await self._call(
            "POST /api/session/{sessionID}/prompt",
            JsonObject,
            path={"sessionID": sessionID},
            body={"id": id, "prompt": prompt, "delivery": delivery, "resume": resume},
            directory=directory,
            deadline=deadline,
        )

    async def compact(
        self, sessionID: str, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> None:
        """``POST /api/session/{sessionID}/compact``"""
        await self._call(
            "POST /api/session/{sessionID}/compact",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def wait(
        self, sessionID: str, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> None:
        """``POST /api/session/{sessionID}/wait``"""
        await self._call(
            "POST /api/session/{sessionID}/wait",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def context(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/context``"""
        return await self._call(
            "GET /api/session/{sessionID}/context",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def history(
        self,
        sessionID: str,
        *,
        limit: str | None = None,
        after: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/history``"""
        return await self._call(
            "GET /api/session/{sessionID}/history",
            JsonObject,
            path={"sessionID": sessionID},
            query={"limit": limit, "after": after},
            directory=directory,
            deadline=deadline,
        )

    def events(
        self, sessionID: str, *, after: str | None = None, directory: str | None = None
    ) -> EventStream:
        """``GET /api/session/{sessionID}/event``"""
        return self._events(
            "/api/session/{sessionID}/event",
            path={"sessionID": sessionID},
            query={"after": after},
            directory=directory,
        )

    async def interrupt(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /api/session/{sessionID}/interrupt``"""
        await self._call(
            "POST /api/session/{sessionID}/interrupt",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    async def message(
        self,
        sessionID: str,
        messageID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/message/{messageID}``"""
        return await self._call(
            "GET /api/session/{sessionID}/message/{messageID}",
            JsonObject,
            path={"sessionID": sessionID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    async def messages(
        self,
        sessionID: str,
        *,
        limit: float | None = None,
        order: Literal["asc", "desc"] | None = None,
        cursor: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/message``"""
        return await self._call(
            "GET /api/session/{sessionID}/message",
            JsonObject,
            path={"sessionID": sessionID},
            query={"limit": limit, "order": order, "cursor": cursor},
            directory=directory,
            deadline=deadline,
        )


class V2ModelGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/model``"""
        return await self._call(
            "GET /api/model", JsonObject, directory=directory, deadline=deadline
        )


class V2ProviderGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/provider``"""
        return await self._call(
            "GET /api/provider", JsonObject, directory=directory, deadline=deadline
        )

    async def get(
        self, providerID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/provider/{providerID}``"""
        return await self._call(
            "GET /api/provider/{providerID}",
            JsonObject,
            path={"providerID": providerID},
            directory=directory,
            deadline=deadline,
        )


class V2IntegrationConnectGroup(AsyncGroup):
    async def key(
        self,
        integrationID: str,
        *,
        key: str,
        label: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/integration/{integrationID}/connect/key``"""
        await self._call(
            "POST /api/integration/{integrationID}/connect/key",
            None,
            path={"integrationID": integrationID},
            body={"key": key, "label": label},
            directory=directory,
            deadline=deadline,
        )

    async def oauth(
        self,
        integrationID: str,
        *,
        methodID: str,
        inputs: Mapping[str, str],
        label: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/integration/{integrationID}/connect/oauth``"""
        return await self._call(
            "POST /api/integration/{integrationID}/connect/oauth",
            JsonObject,
            path={"integrationID": integrationID},
            body={"methodID": methodID, "inputs": inputs, "label": label},
            directory=directory,
            deadline=deadline,
        )


class V2IntegrationAttemptGroup(AsyncGroup):
    async def status(
        self, attemptID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/integration/attempt/{attemptID}``"""
        return await self._call(
            "GET /api/integration/attempt/{attemptID}",
            JsonObject,
            path={"attemptID": attemptID},
            directory=directory,
            deadline=deadline,
        )

    async def cancel(
        self, attemptID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/integration/attempt/{attemptID}``"""
        await self._call(
            "DELETE /api/integration/attempt/{attemptID}",
            None,
            path={"attemptID": attemptID},
            directory=directory,
            deadline=deadline,
        )

    async def complete(
        self,
        attemptID: str,
        *,
        code: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/integration/attempt/{attemptID}/complete``"""
        await self._call(
            "POST /api/integration/attempt/{attemptID}/complete",
            None,
            path={"attemptID": attemptID},
            body={"code": code},
            directory=directory,
            deadline=deadline,
        )


class V2IntegrationGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.connect = V2IntegrationConnectGroup(connection)
        self.attempt = V2IntegrationAttemptGroup(connection)

    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/integration``"""
        return await self._call(
            "GET /api/integration", JsonObject, directory=directory, deadline=deadline
        )

    async def get(
        self, integrationID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/integration/{integrationID}``"""
        return await self._call(
            "GET /api/integration/{integrationID}",
            JsonObject,
            path={"integrationID": integrationID},
            directory=directory,
            deadline=deadline,
        )


class V2CredentialGroup(AsyncGroup):
    async def update(
        self,
        credentialID: str,
        *,
        label: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``PATCH /api/credential/{credentialID}``"""
        await self._call(
            "PATCH /api/credential/{credentialID}",
            None,
            path={"credentialID": credentialID},
            body={"label": label},
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, credentialID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/credential/{credentialID}``"""
        await self._call(
            "DELETE /api/credential/{credentialID}",
            None,
            path={"credentialID": credentialID},
            directory=directory,
            deadline=deadline,
        )


class V2PermissionRequestGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/permission/request``"""
        return await self._call(
            "GET /api/permission/request", JsonObject, directory=directory, deadline=deadline
        )


class V2PermissionSavedGroup(AsyncGroup):
    async def list(
        self,
        *,
        projectID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/permission/saved``"""
        return await self._call(
            "GET /api/permission/saved",
            JsonObject,
            query={"projectID": projectID},
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, id: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/permission/saved/{id}``"""
        await self._call(
            "DELETE /api/permission/saved/{id}",
            None,
            path={"id": id},
            directory=directory,
            deadline=deadline,
        )


class V2PermissionGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.request = V2PermissionRequestGroup(connection)
        self.saved = V2PermissionSavedGroup(connection)


class V2FsGroup(AsyncGroup):
    async def read(
        self, path: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bytes:
        """``GET /api/fs/read/{path}``"""
        return await self._call(
            "GET /api/fs/read/{path}",
            bytes,
            path={"path": path},
            directory=directory,
            deadline=deadline,
        )

    async def list(
        self,
        *,
        path: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/fs/list``"""
        return await self._call(
            "GET /api/fs/list",
            JsonObject,
            query={"path": path},
            directory=directory,
            deadline=deadline,
        )

    async def find(
        self,
        *,
        query: str,
        type: Literal["file", "directory"] | None = None,
        limit: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/fs/find``"""
        return await self._call(
            "GET /api/fs/find",
            JsonObject,
            query={"query": query, "type": type, "limit": limit},
            directory=directory,
            deadline=deadline,
        )


class V2CommandGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/command``"""
        return await self._call(
            "GET /api/command", JsonObject, directory=directory, deadline=deadline
        )


class V2SkillGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/skill``"""
        return await self._call(
            "GET /api/skill", JsonObject, directory=directory, deadline=deadline
        )


class V2EventGroup(AsyncGroup):
    def subscribe(self, *, directory: str | None = None) -> EventStream:
        """``GET /api/event``"""
        return self._events("/api/event", directory=directory)


class V2PtyGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/pty``"""
        return await self._call("GET /api/pty", JsonObject, directory=directory, deadline=deadline)

    async def create(
        self,
        *,
        command: str | None = None,
        args: Sequence[str] | None = None,
        cwd: str | None = None,
        title: str | None = None,
        env: Mapping[str, str] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/pty``"""
        return await self._call(
            "POST /api/pty",
            JsonObject,
            body={"command": command, "args": args, "cwd": cwd, "title": title, "env": env},
            directory=directory,
            deadline=deadline,
        )

    async def get(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/pty/{ptyID}``"""
        return await self._call(
            "GET /api/pty/{ptyID}",
            JsonObject,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    async def update(
        self,
        ptyID: str,
        *,
        title: str | None = None,
        size: Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``PUT /api/pty/{ptyID}``"""
        return await self._call(
            "PUT /api/pty/{ptyID}",
            JsonObject,
            path={"ptyID": ptyID},
            body={"title": title, "size": size},
            directory=directory,
            deadline=deadline,
        )

    async def remove(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/pty/{ptyID}``"""
        await self._call(
            "DELETE /api/pty/{ptyID}",
            None,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    async def connect_token(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``POST /api/pty/{ptyID}/connect-token``"""
        return await self._call(
            "POST /api/pty/{ptyID}/connect-token",
            JsonObject,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    def connect(self, ptyID: str, *, cursor: str | None = None, ticket: str | None = None) -> Any:
        """``GET /api/pty/{ptyID}/connect``"""
        return self._socket(
            "/api/pty/{ptyID}/connect",
            path={"ptyID": ptyID},
            query={"cursor": cursor, "ticket": ticket},
        )


class V2QuestionRequestGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/question/request``"""
        return await self._call(
            "GET /api/question/request", JsonObject, directory=directory, deadline=deadline
        )


class V2QuestionGroup(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.request = V2QuestionRequestGroup(connection)


class V2ReferenceGroup(AsyncGroup):
    async def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/reference``"""
        return await self._call(
            "GET /api/reference", JsonObject, directory=directory, deadline=deadline
        )


class V2ProjectCopyGroup(AsyncGroup):
    async def create(
        self,
        projectID: str,
        *,
        strategy: str,
        directory: str,
        name: str | None = None,
        project_directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /experimental/project/{projectID}/copy``"""
        return await self._call(
            "POST /experimental/project/{projectID}/copy",
            JsonObject,
            path={"projectID": projectID},
            body={"strategy": strategy, "directory": directory, "name": name},
            directory=project_directory,
            deadline=deadline,
        )

    async def remove(
        self,
        projectID: str,
        *,
        directory: str,
        force: bool,
        project_directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``DELETE /experimental/project/{projectID}/copy``"""
        await self._call(
            "DELETE /experimental/project/{projectID}/copy",
            None,
            path={"projectID": projectID},
            body={"directory": directory, "force": force},
            directory=project_directory,
            deadline=deadline,
        )

    async def refresh(
        self, projectID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /experimental/project/{projectID}/copy/refresh``"""
        await self._call(
            "POST /experimental/project/{projectID}/copy/refresh",
            None,
            path={"projectID": projectID},
            directory=directory,
            deadline=deadline,
        )


class V2Group(AsyncGroup):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.health = V2HealthGroup(connection)
        self.location = V2LocationGroup(connection)
        self.agent = V2AgentGroup(connection)
        self.session = V2SessionGroup(connection)
        self.model = V2ModelGroup(connection)
        self.provider = V2ProviderGroup(connection)
        self.integration = V2IntegrationGroup(connection)
        self.credential = V2CredentialGroup(connection)
        self.permission = V2PermissionGroup(connection)
        self.fs = V2FsGroup(connection)
        self.command = V2CommandGroup(connection)
        self.skill = V2SkillGroup(connection)
        self.event = V2EventGroup(connection)
        self.pty = V2PtyGroup(connection)
        self.question = V2QuestionGroup(connection)
        self.reference = V2ReferenceGroup(connection)
        self.project_copy = V2ProjectCopyGroup(connection)


class Operations(AsyncGroup):
    """The operations by noun."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.auth = AuthGroup(connection)
        self.app = AppGroup(connection)
        self.experimental = ExperimentalGroup(connection)
        self.global_ = GlobalGroup(connection)
        self.event = EventGroup(connection)
        self.config = ConfigGroup(connection)
        self.tool = ToolGroup(connection)
        self.worktree = WorktreeGroup(connection)
        self.find = FindGroup(connection)
        self.file = FileGroup(connection)
        self.instance = InstanceGroup(connection)
        self.path = PathGroup(connection)
        self.vcs = VcsGroup(connection)
        self.command = CommandGroup(connection)
        self.lsp = LspGroup(connection)
        self.formatter = FormatterGroup(connection)
        self.mcp = McpGroup(connection)
        self.project = ProjectGroup(connection)
        self.pty = PtyGroup(connection)
        self.question = QuestionGroup(connection)
        self.permission = PermissionGroup(connection)
        self.provider = ProviderGroup(connection)
        self.session = SessionGroup(connection)
        self.part = PartGroup(connection)
        self.sync = SyncGroup(connection)
        self.tui = TuiGroup(connection)
        self.v2 = V2Group(connection)
