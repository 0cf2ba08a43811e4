"""Every operation of the API, for callers without an event loop.

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
from ostler.client.blocking import BlockingEvents, LoopThread
from ostler.client.connection import Connection
from ostler.client.group import Group
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


class AuthGroup(Group):
    def set(
        self, providerID: str, body: Auth | Mapping[str, Any], *, deadline: float | None = None
    ) -> bool:
        """``PUT /auth/{providerID}``"""
        return self._call(
            "PUT /auth/{providerID}",
            bool,
            path={"providerID": providerID},
            body=body,
            deadline=deadline,
        )

    def remove(self, providerID: str, *, deadline: float | None = None) -> bool:
        """``DELETE /auth/{providerID}``"""
        return self._call(
            "DELETE /auth/{providerID}", bool, path={"providerID": providerID}, deadline=deadline
        )


class AppGroup(Group):
    def log(
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
        return self._call(
            "POST /log",
            bool,
            body={"service": service, "level": level, "message": message, "extra": extra},
            directory=directory,
            deadline=deadline,
        )

    def agents(self, *, directory: str | None = None, deadline: float | None = None) -> list[Agent]:
        """``GET /agent``"""
        return self._call("GET /agent", list[Agent], directory=directory, deadline=deadline)

    def skills(self, *, directory: str | None = None, deadline: float | None = None) -> list[Skill]:
        """``GET /skill``"""
        return self._call("GET /skill", list[Skill], directory=directory, deadline=deadline)


class ExperimentalControlPlaneGroup(Group):
    def move_session(
        self,
        *,
        sessionID: str,
        destination: Mapping[str, Any],
        moveChanges: bool | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /experimental/control-plane/move-session``"""
        self._call(
            "POST /experimental/control-plane/move-session",
            None,
            body={"sessionID": sessionID, "destination": destination, "moveChanges": moveChanges},
            deadline=deadline,
        )


class ExperimentalCapabilitiesGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /experimental/capabilities``"""
        return self._call(
            "GET /experimental/capabilities", JsonObject, directory=directory, deadline=deadline
        )


class ExperimentalConsoleGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /experimental/console``"""
        return self._call(
            "GET /experimental/console", JsonObject, directory=directory, deadline=deadline
        )

    def list_orgs(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /experimental/console/orgs``"""
        return self._call(
            "GET /experimental/console/orgs", JsonObject, directory=directory, deadline=deadline
        )

    def switch_org(
        self,
        *,
        accountID: str,
        orgID: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /experimental/console/switch``"""
        return self._call(
            "POST /experimental/console/switch",
            bool,
            body={"accountID": accountID, "orgID": orgID},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalSessionGroup(Group):
    def list(
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
        return self._call(
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

    def background(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /experimental/session/{sessionID}/background``"""
        return self._call(
            "POST /experimental/session/{sessionID}/background",
            bool,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalResourceGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> dict[str, McpResource]:
        """``GET /experimental/resource``"""
        return self._call(
            "GET /experimental/resource",
            dict[str, McpResource],
            directory=directory,
            deadline=deadline,
        )


class ExperimentalProjectCopyGroup(Group):
    def generate_name(
        self,
        projectID: str,
        *,
        context: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /experimental/project/{projectID}/copy/generate-name``"""
        return self._call(
            "POST /experimental/project/{projectID}/copy/generate-name",
            JsonObject,
            path={"projectID": projectID},
            body={"context": context},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalWorkspaceAdapterGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/workspace/adapter``"""
        return self._call(
            "GET /experimental/workspace/adapter",
            builtins.list[JsonObject],
            directory=directory,
            deadline=deadline,
        )


class ExperimentalWorkspaceGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.adapter = ExperimentalWorkspaceAdapterGroup(connection, thread)

    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/workspace``"""
        return self._call(
            "GET /experimental/workspace",
            builtins.list[JsonObject],
            directory=directory,
            deadline=deadline,
        )

    def create(
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
        return self._call(
            "POST /experimental/workspace",
            JsonObject,
            body={"id": id, "type": type, "branch": branch, "extra": extra},
            directory=directory,
            deadline=deadline,
        )

    def sync_list(self, *, directory: str | None = None, deadline: float | None = None) -> None:
        """``POST /experimental/workspace/sync-list``"""
        self._call(
            "POST /experimental/workspace/sync-list", None, directory=directory, deadline=deadline
        )

    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/workspace/status``"""
        return self._call(
            "GET /experimental/workspace/status",
            builtins.list[JsonObject],
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, id: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``DELETE /experimental/workspace/{id}``"""
        return self._call(
            "DELETE /experimental/workspace/{id}",
            JsonObject,
            path={"id": id},
            directory=directory,
            deadline=deadline,
        )

    def warp(
        self,
        *,
        id: str | None,
        sessionID: str,
        copyChanges: bool | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /experimental/workspace/warp``"""
        self._call(
            "POST /experimental/workspace/warp",
            None,
            body={"id": id, "sessionID": sessionID, "copyChanges": copyChanges},
            directory=directory,
            deadline=deadline,
        )


class ExperimentalGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.control_plane = ExperimentalControlPlaneGroup(connection, thread)
        self.capabilities = ExperimentalCapabilitiesGroup(connection, thread)
        self.console = ExperimentalConsoleGroup(connection, thread)
        self.session = ExperimentalSessionGroup(connection, thread)
        self.resource = ExperimentalResourceGroup(connection, thread)
        self.project_copy = ExperimentalProjectCopyGroup(connection, thread)
        self.workspace = ExperimentalWorkspaceGroup(connection, thread)


class GlobalConfigGroup(Group):
    def get(self, *, deadline: float | None = None) -> Config:
        """``GET /global/config``"""
        return self._call("GET /global/config", Config, deadline=deadline)

    def update(self, body: Config | Mapping[str, Any], *, deadline: float | None = None) -> Config:
        """``PATCH /global/config``"""
        return self._call("PATCH /global/config", Config, body=body, deadline=deadline)


class GlobalGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.config = GlobalConfigGroup(connection, thread)

    def health(self, *, deadline: float | None = None) -> Health:
        """``GET /global/health``"""
        return self._call("GET /global/health", Health, deadline=deadline)

    def event(self) -> BlockingEvents:
        """``GET /global/event``"""
        return self._events("/global/event")

    def dispose(self, *, deadline: float | None = None) -> bool:
        """``POST /global/dispose``"""
        return self._call("POST /global/dispose", bool, deadline=deadline)

    def upgrade(self, *, target: str, deadline: float | None = None) -> Any:
        """``POST /global/upgrade``"""
        return self._call("POST /global/upgrade", Any, body={"target": target}, deadline=deadline)


class EventGroup(Group):
    def subscribe(self, *, directory: str | None = None) -> BlockingEvents:
        """``GET /event``"""
        return self._events("/event", directory=directory)


class ConfigGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> Config:
        """``GET /config``"""
        return self._call("GET /config", Config, directory=directory, deadline=deadline)

    def update(
        self,
        body: Config | Mapping[str, Any],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Config:
        """``PATCH /config``"""
        return self._call(
            "PATCH /config", Config, body=body, directory=directory, deadline=deadline
        )

    def providers(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> ConfigProviders:
        """``GET /config/providers``"""
        return self._call(
            "GET /config/providers", ConfigProviders, directory=directory, deadline=deadline
        )


class ToolGroup(Group):
    def list(
        self,
        *,
        provider: str,
        model: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[JsonObject]:
        """``GET /experimental/tool``"""
        return self._call(
            "GET /experimental/tool",
            builtins.list[JsonObject],
            query={"provider": provider, "model": model},
            directory=directory,
            deadline=deadline,
        )

    def ids(self, *, directory: str | None = None, deadline: float | None = None) -> QuestionAnswer:
        """``GET /experimental/tool/ids``"""
        answer: QuestionAnswer = self._call(
            "GET /experimental/tool/ids", QuestionAnswer, directory=directory, deadline=deadline
        )
        return answer


class WorktreeGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> QuestionAnswer:
        """``GET /experimental/worktree``"""
        answer: QuestionAnswer = self._call(
            "GET /experimental/worktree", QuestionAnswer, directory=directory, deadline=deadline
        )
        return answer

    def create(
        self,
        *,
        name: str | None = None,
        startCommand: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Worktree:
        """``POST /experimental/worktree``"""
        return self._call(
            "POST /experimental/worktree",
            Worktree,
            body={"name": name, "startCommand": startCommand},
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, *, directory: str, project_directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``DELETE /experimental/worktree``"""
        return self._call(
            "DELETE /experimental/worktree",
            bool,
            body={"directory": directory},
            directory=project_directory,
            deadline=deadline,
        )

    def reset(
        self, *, directory: str, project_directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /experimental/worktree/reset``"""
        return self._call(
            "POST /experimental/worktree/reset",
            bool,
            body={"directory": directory},
            directory=project_directory,
            deadline=deadline,
        )


class FindGroup(Group):
    def text(
        self, *, pattern: str, directory: str | None = None, deadline: float | None = None
    ) -> list[TextMatch]:
        """``GET /find``"""
        return self._call(
            "GET /find",
            list[TextMatch],
            query={"pattern": pattern},
            directory=directory,
            deadline=deadline,
        )

    def files(
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
        answer: QuestionAnswer = self._call(
            "GET /find/file",
            QuestionAnswer,
            query={"query": query, "dirs": dirs, "type": type, "limit": limit},
            directory=directory,
            deadline=deadline,
        )
        return answer

    def symbols(
        self, *, query: str, directory: str | None = None, deadline: float | None = None
    ) -> list[Symbol]:
        """``GET /find/symbol``"""
        return self._call(
            "GET /find/symbol",
            list[Symbol],
            query={"query": query},
            directory=directory,
            deadline=deadline,
        )


class FileGroup(Group):
    def list(
        self, *, path: str, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[FileNode]:
        """``GET /file``"""
        return self._call(
            "GET /file",
            builtins.list[FileNode],
            query={"path": path},
            directory=directory,
            deadline=deadline,
        )

    def read(
        self, *, path: str, directory: str | None = None, deadline: float | None = None
    ) -> FileContent:
        """``GET /file/content``"""
        return self._call(
            "GET /file/content",
            FileContent,
            query={"path": path},
            directory=directory,
            deadline=deadline,
        )

    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[FileChange]:
        """``GET /file/status``"""
        return self._call(
            "GET /file/status", builtins.list[FileChange], directory=directory, deadline=deadline
        )


class InstanceGroup(Group):
    def dispose(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /instance/dispose``"""
        return self._call("POST /instance/dispose", bool, directory=directory, deadline=deadline)


class PathGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> Path:
        """``GET /path``"""
        return self._call("GET /path", Path, directory=directory, deadline=deadline)


class VcsGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> VcsInfo:
        """``GET /vcs``"""
        return self._call("GET /vcs", VcsInfo, directory=directory, deadline=deadline)

    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[VcsFileStatus]:
        """``GET /vcs/status``"""
        return self._call(
            "GET /vcs/status", list[VcsFileStatus], directory=directory, deadline=deadline
        )

    def diff(
        self,
        *,
        mode: Literal["git", "branch"],
        context: int | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> list[VcsFileDiff]:
        """``GET /vcs/diff``"""
        return self._call(
            "GET /vcs/diff",
            list[VcsFileDiff],
            query={"mode": mode, "context": context},
            directory=directory,
            deadline=deadline,
        )

    def diff_raw(self, *, directory: str | None = None, deadline: float | None = None) -> str:
        """``GET /vcs/diff/raw``"""
        return self._call("GET /vcs/diff/raw", str, directory=directory, deadline=deadline)

    def apply(
        self, *, patch: str, directory: str | None = None, deadline: float | None = None
    ) -> VcsApplied:
        """``POST /vcs/apply``"""
        return self._call(
            "POST /vcs/apply",
            VcsApplied,
            body={"patch": patch},
            directory=directory,
            deadline=deadline,
        )


class CommandGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Command]:
        """``GET /command``"""
        return self._call(
            "GET /command", builtins.list[Command], directory=directory, deadline=deadline
        )


class LspGroup(Group):
    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[JsonObject]:
        """``GET /lsp``"""
        return self._call("GET /lsp", list[JsonObject], directory=directory, deadline=deadline)


class FormatterGroup(Group):
    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> list[JsonObject]:
        """``GET /formatter``"""
        return self._call(
            "GET /formatter", list[JsonObject], directory=directory, deadline=deadline
        )


class McpAuthGroup(Group):
    def start(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> McpAuthorization:
        """``POST /mcp/{name}/auth``"""
        return self._call(
            "POST /mcp/{name}/auth",
            McpAuthorization,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``DELETE /mcp/{name}/auth``"""
        return self._call(
            "DELETE /mcp/{name}/auth",
            JsonObject,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )

    def callback(
        self, name: str, *, code: str, directory: str | None = None, deadline: float | None = None
    ) -> MCPStatus:
        """``POST /mcp/{name}/auth/callback``"""
        answer: MCPStatus = self._call(
            "POST /mcp/{name}/auth/callback",
            MCPStatus,
            path={"name": name},
            body={"code": code},
            directory=directory,
            deadline=deadline,
        )
        return answer

    def authenticate(
        self, name: str, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> MCPStatus:
        """``POST /mcp/{name}/auth/authenticate``"""
        answer: MCPStatus = self._call(
            "POST /mcp/{name}/auth/authenticate",
            MCPStatus,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )
        return answer


class McpGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.auth = McpAuthGroup(connection, thread)

    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> dict[str, MCPStatus]:
        """``GET /mcp``"""
        return self._call("GET /mcp", dict[str, MCPStatus], directory=directory, deadline=deadline)

    def add(
        self,
        *,
        name: str,
        config: McpLocalConfig | Mapping[str, Any] | McpRemoteConfig,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> dict[str, MCPStatus]:
        """``POST /mcp``"""
        return self._call(
            "POST /mcp",
            dict[str, MCPStatus],
            body={"name": name, "config": config},
            directory=directory,
            deadline=deadline,
        )

    def connect(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /mcp/{name}/connect``"""
        return self._call(
            "POST /mcp/{name}/connect",
            bool,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )

    def disconnect(
        self, name: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /mcp/{name}/disconnect``"""
        return self._call(
            "POST /mcp/{name}/disconnect",
            bool,
            path={"name": name},
            directory=directory,
            deadline=deadline,
        )


class ProjectGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Project]:
        """``GET /project``"""
        return self._call(
            "GET /project", builtins.list[Project], directory=directory, deadline=deadline
        )

    def current(self, *, directory: str | None = None, deadline: float | None = None) -> Project:
        """``GET /project/current``"""
        return self._call("GET /project/current", Project, directory=directory, deadline=deadline)

    def init_git(self, *, directory: str | None = None, deadline: float | None = None) -> Project:
        """``POST /project/git/init``"""
        return self._call("POST /project/git/init", Project, directory=directory, deadline=deadline)

    def update(
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
        return self._call(
            "PATCH /project/{projectID}",
            Project,
            path={"projectID": projectID},
            body={"name": name, "icon": icon, "commands": commands},
            directory=directory,
            deadline=deadline,
        )

    def directories(
        self, projectID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[ProjectDirectory]:
        """``GET /project/{projectID}/directories``"""
        return self._call(
            "GET /project/{projectID}/directories",
            builtins.list[ProjectDirectory],
            path={"projectID": projectID},
            directory=directory,
            deadline=deadline,
        )


class PtyGroup(Group):
    def shells(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[PtyShell]:
        """``GET /pty/shells``"""
        return self._call(
            "GET /pty/shells", builtins.list[PtyShell], directory=directory, deadline=deadline
        )

    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Pty]:
        """``GET /pty``"""
        return self._call("GET /pty", builtins.list[Pty], directory=directory, deadline=deadline)

    def create(
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
        return self._call(
            "POST /pty",
            Pty,
            body={"command": command, "args": args, "cwd": cwd, "title": title, "env": env},
            directory=directory,
            deadline=deadline,
        )

    def get(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Pty:
        """``GET /pty/{ptyID}``"""
        return self._call(
            "GET /pty/{ptyID}", Pty, path={"ptyID": ptyID}, directory=directory, deadline=deadline
        )

    def update(
        self,
        ptyID: str,
        *,
        title: str | None = None,
        size: Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Pty:
        """``PUT /pty/{ptyID}``"""
        return self._call(
            "PUT /pty/{ptyID}",
            Pty,
            path={"ptyID": ptyID},
            body={"title": title, "size": size},
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``DELETE /pty/{ptyID}``"""
        return self._call(
            "DELETE /pty/{ptyID}",
            bool,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    def connect_token(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> PtyTicket:
        """``POST /pty/{ptyID}/connect-token``"""
        return self._call(
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


class QuestionGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[QuestionRequest]:
        """``GET /question``"""
        return self._call(
            "GET /question", builtins.list[QuestionRequest], directory=directory, deadline=deadline
        )

    def reply(
        self,
        requestID: str,
        *,
        answers: Sequence[Sequence[str]],
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /question/{requestID}/reply``"""
        return self._call(
            "POST /question/{requestID}/reply",
            bool,
            path={"requestID": requestID},
            body={"answers": answers},
            directory=directory,
            deadline=deadline,
        )

    def reject(
        self, requestID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /question/{requestID}/reject``"""
        return self._call(
            "POST /question/{requestID}/reject",
            bool,
            path={"requestID": requestID},
            directory=directory,
            deadline=deadline,
        )


class PermissionGroup(Group):
    def list(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[PermissionRequest]:
        """``GET /permission``"""
        return self._call(
            "GET /permission",
            builtins.list[PermissionRequest],
            directory=directory,
            deadline=deadline,
        )

    def reply(
        self,
        requestID: str,
        *,
        reply: Literal["once", "always", "reject"],
        message: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /permission/{requestID}/reply``"""
        return self._call(
            "POST /permission/{requestID}/reply",
            bool,
            path={"requestID": requestID},
            body={"reply": reply, "message": message},
            directory=directory,
            deadline=deadline,
        )

    def respond(
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
        return self._call(
            "POST /session/{sessionID}/permissions/{permissionID}",
            bool,
            path={"sessionID": sessionID, "permissionID": permissionID},
            body={"response": response, "message": message},
            directory=directory,
            deadline=deadline,
        )


class ProviderOauthGroup(Group):
    def authorize(
        self,
        providerID: str,
        *,
        method: float,
        inputs: Mapping[str, str] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject | None:
        """``POST /provider/{providerID}/oauth/authorize``"""
        answer: JsonObject | None = self._call(
            "POST /provider/{providerID}/oauth/authorize",
            JsonObject | None,
            path={"providerID": providerID},
            body={"method": method, "inputs": inputs},
            directory=directory,
            deadline=deadline,
        )
        return answer

    def callback(
        self,
        providerID: str,
        *,
        method: float,
        code: str | None = None,
        directory: str | None = None,
        deadline: float = MODEL_DEADLINE,
    ) -> bool:
        """``POST /provider/{providerID}/oauth/callback``"""
        return self._call(
            "POST /provider/{providerID}/oauth/callback",
            bool,
            path={"providerID": providerID},
            body={"method": method, "code": code},
            directory=directory,
            deadline=deadline,
        )


class ProviderGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.oauth = ProviderOauthGroup(connection, thread)

    def list(self, *, directory: str | None = None, deadline: float | None = None) -> ProviderList:
        """``GET /provider``"""
        return self._call("GET /provider", ProviderList, directory=directory, deadline=deadline)

    def auth(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /provider/auth``"""
        return self._call("GET /provider/auth", JsonObject, directory=directory, deadline=deadline)


class SessionGroup(Group):
    def list(
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
        return self._call(
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

    def create(
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
        return self._call(
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

    def status(
        self, *, directory: str | None = None, deadline: float | None = None
    ) -> dict[str, SessionStatus]:
        """``GET /session/status``"""
        return self._call(
            "GET /session/status", dict[str, SessionStatus], directory=directory, deadline=deadline
        )

    def get(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``GET /session/{sessionID}``"""
        return self._call(
            "GET /session/{sessionID}",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def delete(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``DELETE /session/{sessionID}``"""
        return self._call(
            "DELETE /session/{sessionID}",
            bool,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def update(
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
        return self._call(
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

    def children(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Session]:
        """``GET /session/{sessionID}/children``"""
        return self._call(
            "GET /session/{sessionID}/children",
            builtins.list[Session],
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def todo(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> builtins.list[Todo]:
        """``GET /session/{sessionID}/todo``"""
        return self._call(
            "GET /session/{sessionID}/todo",
            builtins.list[Todo],
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def diff(
        self,
        sessionID: str,
        *,
        messageID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[SnapshotFileDiff]:
        """``GET /session/{sessionID}/diff``"""
        return self._call(
            "GET /session/{sessionID}/diff",
            builtins.list[SnapshotFileDiff],
            path={"sessionID": sessionID},
            query={"messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    def messages(
        self,
        sessionID: str,
        *,
        limit: int | None = None,
        before: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[MessageWithParts]:
        """``GET /session/{sessionID}/message``"""
        return self._call(
            "GET /session/{sessionID}/message",
            builtins.list[MessageWithParts],
            path={"sessionID": sessionID},
            query={"limit": limit, "before": before},
            directory=directory,
            deadline=deadline,
        )

    def prompt(
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
        return self._call(
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

    def message(
        self,
        sessionID: str,
        messageID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> MessageWithParts:
        """``GET /session/{sessionID}/message/{messageID}``"""
        return self._call(
            "GET /session/{sessionID}/message/{messageID}",
            MessageWithParts,
            path={"sessionID": sessionID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    def delete_message(
        self,
        sessionID: str,
        messageID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``DELETE /session/{sessionID}/message/{messageID}``"""
        return self._call(
            "DELETE /session/{sessionID}/message/{messageID}",
            bool,
            path={"sessionID": sessionID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    def fork(
        self,
        sessionID: str,
        *,
        messageID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Session:
        """``POST /session/{sessionID}/fork``"""
        return self._call(
            "POST /session/{sessionID}/fork",
            Session,
            path={"sessionID": sessionID},
            body={"messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    def abort(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /session/{sessionID}/abort``"""
        return self._call(
            "POST /session/{sessionID}/abort",
            bool,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def init(
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
        return self._call(
            "POST /session/{sessionID}/init",
            bool,
            path={"sessionID": sessionID},
            body={"modelID": modelID, "providerID": providerID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    def share(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``POST /session/{sessionID}/share``"""
        return self._call(
            "POST /session/{sessionID}/share",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def unshare(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``DELETE /session/{sessionID}/share``"""
        return self._call(
            "DELETE /session/{sessionID}/share",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def summarize(
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
        return self._call(
            "POST /session/{sessionID}/summarize",
            bool,
            path={"sessionID": sessionID},
            body={"providerID": providerID, "modelID": modelID, "auto": auto},
            directory=directory,
            deadline=deadline,
        )

    def prompt_async(
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
        self._call(
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

    def command(
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
        return self._call(
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

    def shell(
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
        return self._call(
            "POST /session/{sessionID}/shell",
            MessageWithParts,
            path={"sessionID": sessionID},
            body={"messageID": messageID, "agent": agent, "model": model, "command": command},
            directory=directory,
            deadline=deadline,
        )

    def revert(
        self,
        sessionID: str,
        *,
        messageID: str,
        partID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> Session:
        """``POST /session/{sessionID}/revert``"""
        return self._call(
            "POST /session/{sessionID}/revert",
            Session,
            path={"sessionID": sessionID},
            body={"messageID": messageID, "partID": partID},
            directory=directory,
            deadline=deadline,
        )

    def unrevert(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> Session:
        """``POST /session/{sessionID}/unrevert``"""
        return self._call(
            "POST /session/{sessionID}/unrevert",
            Session,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class PartGroup(Group):
    def delete(
        self,
        sessionID: str,
        messageID: str,
        partID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``DELETE /session/{sessionID}/message/{messageID}/part/{partID}``"""
        return self._call(
            "DELETE /session/{sessionID}/message/{messageID}/part/{partID}",
            bool,
            path={"sessionID": sessionID, "messageID": messageID, "partID": partID},
            directory=directory,
            deadline=deadline,
        )

    def update(
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
        answer: Part = self._call(
            "PATCH /session/{sessionID}/message/{messageID}/part/{partID}",
            Part,
            path={"sessionID": sessionID, "messageID": messageID, "partID": partID},
            body=body,
            directory=directory,
            deadline=deadline,
        )
        return answer


class SyncHistoryGroup(Group):
    def list(
        self,
        body: Mapping[str, int],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> builtins.list[JsonObject]:
        """``POST /sync/history``"""
        return self._call(
            "POST /sync/history",
            builtins.list[JsonObject],
            body=body,
            directory=directory,
            deadline=deadline,
        )


class SyncGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.history = SyncHistoryGroup(connection, thread)

    def start(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /sync/start``"""
        return self._call("POST /sync/start", bool, directory=directory, deadline=deadline)

    def replay(
        self,
        *,
        directory: str,
        events: Sequence[Mapping[str, Any]],
        project_directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /sync/replay``"""
        return self._call(
            "POST /sync/replay",
            JsonObject,
            body={"directory": directory, "events": events},
            directory=project_directory,
            deadline=deadline,
        )

    def steal(
        self, *, sessionID: str, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``POST /sync/steal``"""
        return self._call(
            "POST /sync/steal",
            JsonObject,
            body={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class TuiControlGroup(Group):
    def next(self, *, directory: str | None = None, deadline: float = MODEL_DEADLINE) -> JsonObject:
        """``GET /tui/control/next``"""
        return self._call(
            "GET /tui/control/next", JsonObject, directory=directory, deadline=deadline
        )

    def response(
        self, body: Any, *, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/control/response``"""
        return self._call(
            "POST /tui/control/response", bool, body=body, directory=directory, deadline=deadline
        )


class TuiGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.control = TuiControlGroup(connection, thread)

    def append_prompt(
        self, *, text: str, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/append-prompt``"""
        return self._call(
            "POST /tui/append-prompt",
            bool,
            body={"text": text},
            directory=directory,
            deadline=deadline,
        )

    def open_help(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /tui/open-help``"""
        return self._call("POST /tui/open-help", bool, directory=directory, deadline=deadline)

    def open_sessions(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /tui/open-sessions``"""
        return self._call("POST /tui/open-sessions", bool, directory=directory, deadline=deadline)

    def open_themes(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /tui/open-themes``"""
        return self._call("POST /tui/open-themes", bool, directory=directory, deadline=deadline)

    def open_models(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /tui/open-models``"""
        return self._call("POST /tui/open-models", bool, directory=directory, deadline=deadline)

    def submit_prompt(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /tui/submit-prompt``"""
        return self._call("POST /tui/submit-prompt", bool, directory=directory, deadline=deadline)

    def clear_prompt(self, *, directory: str | None = None, deadline: float | None = None) -> bool:
        """``POST /tui/clear-prompt``"""
        return self._call("POST /tui/clear-prompt", bool, directory=directory, deadline=deadline)

    def execute_command(
        self, *, command: str, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/execute-command``"""
        return self._call(
            "POST /tui/execute-command",
            bool,
            body={"command": command},
            directory=directory,
            deadline=deadline,
        )

    def show_toast(
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
        return self._call(
            "POST /tui/show-toast",
            bool,
            body={"title": title, "message": message, "variant": variant, "duration": duration},
            directory=directory,
            deadline=deadline,
        )

    def publish(
        self,
        body: Mapping[str, Any],
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> bool:
        """``POST /tui/publish``"""
        return self._call(
            "POST /tui/publish", bool, body=body, directory=directory, deadline=deadline
        )

    def select_session(
        self, *, sessionID: str, directory: str | None = None, deadline: float | None = None
    ) -> bool:
        """``POST /tui/select-session``"""
        return self._call(
            "POST /tui/select-session",
            bool,
            body={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class V2HealthGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/health``"""
        return self._call("GET /api/health", JsonObject, directory=directory, deadline=deadline)


class V2LocationGroup(Group):
    def get(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/location``"""
        return self._call("GET /api/location", JsonObject, directory=directory, deadline=deadline)


class V2AgentGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/agent``"""
        return self._call("GET /api/agent", JsonObject, directory=directory, deadline=deadline)


class V2SessionRevertGroup(Group):
    def stage(
        self,
        sessionID: str,
        *,
        messageID: str,
        files: bool | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``POST /api/session/{sessionID}/revert/stage``"""
        return self._call(
            "POST /api/session/{sessionID}/revert/stage",
            JsonObject,
            path={"sessionID": sessionID},
            body={"messageID": messageID, "files": files},
            directory=directory,
            deadline=deadline,
        )

    def clear(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /api/session/{sessionID}/revert/clear``"""
        self._call(
            "POST /api/session/{sessionID}/revert/clear",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def commit(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /api/session/{sessionID}/revert/commit``"""
        self._call(
            "POST /api/session/{sessionID}/revert/commit",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )


class V2SessionPermissionGroup(Group):
    def create(
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
        return self._call(
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

    def list(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/permission``"""
        return self._call(
            "GET /api/session/{sessionID}/permission",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def get(
        self,
        sessionID: str,
        requestID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/permission/{requestID}``"""
        return self._call(
            "GET /api/session/{sessionID}/permission/{requestID}",
            JsonObject,
            path={"sessionID": sessionID, "requestID": requestID},
            directory=directory,
            deadline=deadline,
        )

    def reply(
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
        self._call(
            "POST /api/session/{sessionID}/permission/{requestID}/reply",
            None,
            path={"sessionID": sessionID, "requestID": requestID},
            body={"reply": reply, "message": message},
            directory=directory,
            deadline=deadline,
        )


class V2SessionQuestionGroup(Group):
    def list(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/question``"""
        return self._call(
            "GET /api/session/{sessionID}/question",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def reply(
        self,
        sessionID: str,
        requestID: str,
        *,
        answers: Sequence[Sequence[str]],
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/question/{requestID}/reply``"""
        self._call(
            "POST /api/session/{sessionID}/question/{requestID}/reply",
            None,
            path={"sessionID": sessionID, "requestID": requestID},
            body={"answers": answers},
            directory=directory,
            deadline=deadline,
        )

    def reject(
        self,
        sessionID: str,
        requestID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/question/{requestID}/reject``"""
        self._call(
            "POST /api/session/{sessionID}/question/{requestID}/reject",
            None,
            path={"sessionID": sessionID, "requestID": requestID},
            directory=directory,
            deadline=deadline,
        )


class V2SessionGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.revert = V2SessionRevertGroup(connection, thread)
        self.permission = V2SessionPermissionGroup(connection, thread)
        self.question = V2SessionQuestionGroup(connection, thread)

    def list(
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
        return self._call(
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

    def create(
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
        return self._call(
            "POST /api/session",
            JsonObject,
            body={"id": id, "agent": agent, "model": model, "location": location},
            directory=directory,
            deadline=deadline,
        )

    def active(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/session/active``"""
        return self._call(
            "GET /api/session/active", JsonObject, directory=directory, deadline=deadline
        )

    def get(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}``"""
        return self._call(
            "GET /api/session/{sessionID}",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def switch_agent(
        self,
        sessionID: str,
        *,
        agent: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/agent``"""
        self._call(
            "POST /api/session/{sessionID}/agent",
            None,
            path={"sessionID": sessionID},
            body={"agent": agent},
            directory=directory,
            deadline=deadline,
        )

    def switch_model(
        self,
        sessionID: str,
        *,
        model: Mapping[str, Any],
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/session/{sessionID}/model``"""
        self._call(
            "POST /api/session/{sessionID}/model",
            None,
            path={"sessionID": sessionID},
            body={"model": model},
            directory=directory,
            deadline=deadline,
        )

    def prompt(
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
        return self._call(
            "POST /api/session/{sessionID}/prompt",
            JsonObject,
            path={"sessionID": sessionID},
            body={"id": id, "prompt": prompt, "delivery": delivery, "resume": resume},
            directory=directory,
            deadline=deadline,
        )

    def compact(
        self, sessionID: str, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> None:
        """``POST /api/session/{sessionID}/compact``"""
        self._call(
            "POST /api/session/{sessionID}/compact",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def wait(
        self, sessionID: str, *, directory: str | None = None, deadline: float = MODEL_DEADLINE
    ) -> None:
        """``POST /api/session/{sessionID}/wait``"""
        self._call(
            "POST /api/session/{sessionID}/wait",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def context(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/context``"""
        return self._call(
            "GET /api/session/{sessionID}/context",
            JsonObject,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def history(
        self,
        sessionID: str,
        *,
        limit: str | None = None,
        after: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/history``"""
        return self._call(
            "GET /api/session/{sessionID}/history",
            JsonObject,
            path={"sessionID": sessionID},
            query={"limit": limit, "after": after},
            directory=directory,
            deadline=deadline,
        )

    def events(
        self, sessionID: str, *, after: str | None = None, directory: str | None = None
    ) -> BlockingEvents:
        """``GET /api/session/{sessionID}/event``"""
        return self._events(
            "/api/session/{sessionID}/event",
            path={"sessionID": sessionID},
            query={"after": after},
            directory=directory,
        )

    def interrupt(
        self, sessionID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /api/session/{sessionID}/interrupt``"""
        self._call(
            "POST /api/session/{sessionID}/interrupt",
            None,
            path={"sessionID": sessionID},
            directory=directory,
            deadline=deadline,
        )

    def message(
        self,
        sessionID: str,
        messageID: str,
        *,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/session/{sessionID}/message/{messageID}``"""
        return self._call(
            "GET /api/session/{sessionID}/message/{messageID}",
            JsonObject,
            path={"sessionID": sessionID, "messageID": messageID},
            directory=directory,
            deadline=deadline,
        )

    def messages(
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
        return self._call(
            "GET /api/session/{sessionID}/message",
            JsonObject,
            path={"sessionID": sessionID},
            query={"limit": limit, "order": order, "cursor": cursor},
            directory=directory,
            deadline=deadline,
        )


class V2ModelGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/model``"""
        return self._call("GET /api/model", JsonObject, directory=directory, deadline=deadline)


class V2ProviderGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/provider``"""
        return self._call("GET /api/provider", JsonObject, directory=directory, deadline=deadline)

    def get(
        self, providerID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/provider/{providerID}``"""
        return self._call(
            "GET /api/provider/{providerID}",
            JsonObject,
            path={"providerID": providerID},
            directory=directory,
            deadline=deadline,
        )


class V2IntegrationConnectGroup(Group):
    def key(
        self,
        integrationID: str,
        *,
        key: str,
        label: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/integration/{integrationID}/connect/key``"""
        self._call(
            "POST /api/integration/{integrationID}/connect/key",
            None,
            path={"integrationID": integrationID},
            body={"key": key, "label": label},
            directory=directory,
            deadline=deadline,
        )

    def oauth(
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
        return self._call(
            "POST /api/integration/{integrationID}/connect/oauth",
            JsonObject,
            path={"integrationID": integrationID},
            body={"methodID": methodID, "inputs": inputs, "label": label},
            directory=directory,
            deadline=deadline,
        )


class V2IntegrationAttemptGroup(Group):
    def status(
        self, attemptID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/integration/attempt/{attemptID}``"""
        return self._call(
            "GET /api/integration/attempt/{attemptID}",
            JsonObject,
            path={"attemptID": attemptID},
            directory=directory,
            deadline=deadline,
        )

    def cancel(
        self, attemptID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/integration/attempt/{attemptID}``"""
        self._call(
            "DELETE /api/integration/attempt/{attemptID}",
            None,
            path={"attemptID": attemptID},
            directory=directory,
            deadline=deadline,
        )

    def complete(
        self,
        attemptID: str,
        *,
        code: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``POST /api/integration/attempt/{attemptID}/complete``"""
        self._call(
            "POST /api/integration/attempt/{attemptID}/complete",
            None,
            path={"attemptID": attemptID},
            body={"code": code},
            directory=directory,
            deadline=deadline,
        )


class V2IntegrationGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.connect = V2IntegrationConnectGroup(connection, thread)
        self.attempt = V2IntegrationAttemptGroup(connection, thread)

    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/integration``"""
        return self._call(
            "GET /api/integration", JsonObject, directory=directory, deadline=deadline
        )

    def get(
        self, integrationID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/integration/{integrationID}``"""
        return self._call(
            "GET /api/integration/{integrationID}",
            JsonObject,
            path={"integrationID": integrationID},
            directory=directory,
            deadline=deadline,
        )


class V2CredentialGroup(Group):
    def update(
        self,
        credentialID: str,
        *,
        label: str,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``PATCH /api/credential/{credentialID}``"""
        self._call(
            "PATCH /api/credential/{credentialID}",
            None,
            path={"credentialID": credentialID},
            body={"label": label},
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, credentialID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/credential/{credentialID}``"""
        self._call(
            "DELETE /api/credential/{credentialID}",
            None,
            path={"credentialID": credentialID},
            directory=directory,
            deadline=deadline,
        )


class V2PermissionRequestGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/permission/request``"""
        return self._call(
            "GET /api/permission/request", JsonObject, directory=directory, deadline=deadline
        )


class V2PermissionSavedGroup(Group):
    def list(
        self,
        *,
        projectID: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/permission/saved``"""
        return self._call(
            "GET /api/permission/saved",
            JsonObject,
            query={"projectID": projectID},
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, id: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/permission/saved/{id}``"""
        self._call(
            "DELETE /api/permission/saved/{id}",
            None,
            path={"id": id},
            directory=directory,
            deadline=deadline,
        )


class V2PermissionGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.request = V2PermissionRequestGroup(connection, thread)
        self.saved = V2PermissionSavedGroup(connection, thread)


class V2FsGroup(Group):
    def read(
        self, path: str, *, directory: str | None = None, deadline: float | None = None
    ) -> bytes:
        """``GET /api/fs/read/{path}``"""
        return self._call(
            "GET /api/fs/read/{path}",
            bytes,
            path={"path": path},
            directory=directory,
            deadline=deadline,
        )

    def list(
        self,
        *,
        path: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/fs/list``"""
        return self._call(
            "GET /api/fs/list",
            JsonObject,
            query={"path": path},
            directory=directory,
            deadline=deadline,
        )

    def find(
        self,
        *,
        query: str,
        type: Literal["file", "directory"] | None = None,
        limit: str | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``GET /api/fs/find``"""
        return self._call(
            "GET /api/fs/find",
            JsonObject,
            query={"query": query, "type": type, "limit": limit},
            directory=directory,
            deadline=deadline,
        )


class V2CommandGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/command``"""
        return self._call("GET /api/command", JsonObject, directory=directory, deadline=deadline)


class V2SkillGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/skill``"""
        return self._call("GET /api/skill", JsonObject, directory=directory, deadline=deadline)


class V2EventGroup(Group):
    def subscribe(self, *, directory: str | None = None) -> BlockingEvents:
        """``GET /api/event``"""
        return self._events("/api/event", directory=directory)


class V2PtyGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/pty``"""
        return self._call("GET /api/pty", JsonObject, directory=directory, deadline=deadline)

    def create(
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
        return self._call(
            "POST /api/pty",
            JsonObject,
            body={"command": command, "args": args, "cwd": cwd, "title": title, "env": env},
            directory=directory,
            deadline=deadline,
        )

    def get(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``GET /api/pty/{ptyID}``"""
        return self._call(
            "GET /api/pty/{ptyID}",
            JsonObject,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    def update(
        self,
        ptyID: str,
        *,
        title: str | None = None,
        size: Mapping[str, Any] | None = None,
        directory: str | None = None,
        deadline: float | None = None,
    ) -> JsonObject:
        """``PUT /api/pty/{ptyID}``"""
        return self._call(
            "PUT /api/pty/{ptyID}",
            JsonObject,
            path={"ptyID": ptyID},
            body={"title": title, "size": size},
            directory=directory,
            deadline=deadline,
        )

    def remove(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``DELETE /api/pty/{ptyID}``"""
        self._call(
            "DELETE /api/pty/{ptyID}",
            None,
            path={"ptyID": ptyID},
            directory=directory,
            deadline=deadline,
        )

    def connect_token(
        self, ptyID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> JsonObject:
        """``POST /api/pty/{ptyID}/connect-token``"""
        return self._call(
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


class V2QuestionRequestGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/question/request``"""
        return self._call(
            "GET /api/question/request", JsonObject, directory=directory, deadline=deadline
        )


class V2QuestionGroup(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.request = V2QuestionRequestGroup(connection, thread)


class V2ReferenceGroup(Group):
    def list(self, *, directory: str | None = None, deadline: float | None = None) -> JsonObject:
        """``GET /api/reference``"""
        return self._call("GET /api/reference", JsonObject, directory=directory, deadline=deadline)


class V2ProjectCopyGroup(Group):
    def create(
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
        return self._call(
            "POST /experimental/project/{projectID}/copy",
            JsonObject,
            path={"projectID": projectID},
            body={"strategy": strategy, "directory": directory, "name": name},
            directory=project_directory,
            deadline=deadline,
        )

    def remove(
        self,
        projectID: str,
        *,
        directory: str,
        force: bool,
        project_directory: str | None = None,
        deadline: float | None = None,
    ) -> None:
        """``DELETE /experimental/project/{projectID}/copy``"""
        self._call(
            "DELETE /experimental/project/{projectID}/copy",
            None,
            path={"projectID": projectID},
            body={"directory": directory, "force": force},
            directory=project_directory,
            deadline=deadline,
        )

    def refresh(
        self, projectID: str, *, directory: str | None = None, deadline: float | None = None
    ) -> None:
        """``POST /experimental/project/{projectID}/copy/refresh``"""
        self._call(
            "POST /experimental/project/{projectID}/copy/refresh",
            None,
            path={"projectID": projectID},
            directory=directory,
            deadline=deadline,
        )


class V2Group(Group):
    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.health = V2HealthGroup(connection, thread)
        self.location = V2LocationGroup(connection, thread)
        self.agent = V2AgentGroup(connection, thread)
        self.session = V2SessionGroup(connection, thread)
        self.model = V2ModelGroup(connection, thread)
        self.provider = V2ProviderGroup(connection, thread)
        self.integration = V2IntegrationGroup(connection, thread)
        self.credential = V2CredentialGroup(connection, thread)
        self.permission = V2PermissionGroup(connection, thread)
        self.fs = V2FsGroup(connection, thread)
        self.command = V2CommandGroup(connection, thread)
        self.skill = V2SkillGroup(connection, thread)
        self.event = V2EventGroup(connection, thread)
        self.pty = V2PtyGroup(connection, thread)
        self.question = V2QuestionGroup(connection, thread)
        self.reference = V2ReferenceGroup(connection, thread)
        self.project_copy = V2ProjectCopyGroup(connection, thread)


class Operations(Group):
    """The operations by noun."""

    def __init__(self, connection: Connection, thread: LoopThread) -> None:
        super().__init__(connection, thread)
        self.auth = AuthGroup(connection, thread)
        self.app = AppGroup(connection, thread)
        self.experimental = ExperimentalGroup(connection, thread)
        self.global_ = GlobalGroup(connection, thread)
        self.event = EventGroup(connection, thread)
        self.config = ConfigGroup(connection, thread)
        self.tool = ToolGroup(connection, thread)
        self.worktree = WorktreeGroup(connection, thread)
        self.find = FindGroup(connection, thread)
        self.file = FileGroup(connection, thread)
        self.instance = InstanceGroup(connection, thread)
        self.path = PathGroup(connection, thread)
        self.vcs = VcsGroup(connection, thread)
        self.command = CommandGroup(connection, thread)
        self.lsp = LspGroup(connection, thread)
        self.formatter = FormatterGroup(connection, thread)
        self.mcp = McpGroup(connection, thread)
        self.project = ProjectGroup(connection, thread)
        self.pty = PtyGroup(connection, thread)
        self.question = QuestionGroup(connection, thread)
        self.permission = PermissionGroup(connection, thread)
        self.provider = ProviderGroup(connection, thread)
        self.session = SessionGroup(connection, thread)
        self.part = PartGroup(connection, thread)
        self.sync = SyncGroup(connection, thread)
        self.tui = TuiGroup(connection, thread)
        self.v2 = V2Group(connection, thread)
