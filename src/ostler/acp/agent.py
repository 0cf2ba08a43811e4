"""The methods of the protocol, answered by the engine in this process."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ostler import __version__
from ostler.acp import content, updates
from ostler.acp.follow import Follower
from ostler.acp.options import Choice, changed, config_options
from ostler.acp.rpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Connection,
    Json,
    RpcError,
)
from ostler.engine import commands, sessions, submit
from ostler.engine.history import Entry
from ostler.engine.instance import Instance
from ostler.runtime import Runtime
from ostler.schema.errors import ConfigError, NotFound, RequestError
from ostler.schema.mcp import McpLocalConfig, McpRemoteConfig, McpServerConfig
from ostler.schema.message import (
    AssistantMessage,
    CommandInput,
    MessageWithParts,
    PromptInput,
    PromptModel,
    UserMessage,
)
from ostler.schema.part import (
    FilePart,
    FilePartInput,
    PartInput,
    ReasoningPart,
    TextPart,
    TextPartInput,
    ToolPart,
    ToolStatePending,
)
from ostler.schema.session import Session, SessionCreateInput
from ostler.store.sessions import SessionQuery

PROTOCOL_VERSION = 1
PAGE = 100
AUTH_METHOD = "opencode-login"

T = TypeVar("T", bound=msgspec.Struct)
_CAMEL: Any = {"rename": "camel", "kw_only": True}


class SessionParams(msgspec.Struct, **_CAMEL):
    session_id: str


class NewParams(msgspec.Struct, **_CAMEL):
    cwd: str
    mcp_servers: list[Json] = []


class LoadParams(SessionParams, **_CAMEL):
    cwd: str
    mcp_servers: list[Json] = []


class ListParams(msgspec.Struct, **_CAMEL):
    cwd: str | None = None
    cursor: str | None = None


class PromptParams(SessionParams, **_CAMEL):
    prompt: list[Json]


class ModeParams(SessionParams, **_CAMEL):
    mode_id: str


class ModelParams(SessionParams, **_CAMEL):
    model_id: str


class OptionParams(SessionParams, **_CAMEL):
    config_id: str
    value: str


class AuthParams(msgspec.Struct, **_CAMEL):
    method_id: str


class Opened(msgspec.Struct):
    """A session the editor has, with what is chosen for its next prompt."""

    session_id: str
    instance: Instance
    choice: Choice
    cancelled: bool = False


class Agent:
    """One editor's agent."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._open: dict[str, Opened] = {}
        self._methods: dict[str, tuple[type[msgspec.Struct], Callable[[Any], Awaitable[Any]]]] = {
            "authenticate": (AuthParams, self._authenticate),
            "session/new": (NewParams, self._new),
            "session/load": (LoadParams, self._load),
            "session/resume": (LoadParams, self._resume),
            "session/fork": (LoadParams, self._fork),
            "session/list": (ListParams, self._list),
            "session/close": (SessionParams, self._close),
            "session/prompt": (PromptParams, self._prompt),
            "session/cancel": (SessionParams, self._cancel),
            "session/set_mode": (ModeParams, self._set_mode),
            "session/set_model": (ModelParams, self._set_model),
            "session/set_config_option": (OptionParams, self._set_option),
        }
        self._connection: Connection
        self._follower: Follower

    async def serve(self, connection: Connection) -> None:
        """Until the editor closes its side; what runs then is aborted."""
        self._connection = connection
        self._follower = Follower(self._runtime, connection, self._open.__contains__)
        following = asyncio.create_task(self._follower.run())
        try:
            await connection.run()
        finally:
            following.cancel()
            await asyncio.wait([following])

    async def handle(self, method: str, params: Any) -> Any:
        """Raises RpcError."""
        if method == "initialize":
            return _about()
        if method not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}", {"method": method})
        kind, answer = self._methods[method]
        try:
            return await answer(_typed(params, kind))
        except ConfigError as e:
            raise RpcError(INTERNAL_ERROR, str(e)) from None
        except RequestError as e:
            raise RpcError(INVALID_PARAMS, f"Invalid params: {e}") from None

    # ── sessions ─────────────────────────────────────────────────────────────────────────────

    async def _authenticate(self, params: AuthParams) -> Json:
        if params.method_id != AUTH_METHOD:
            said = f"Invalid params: unknown auth method: {params.method_id}"
            raise RpcError(INVALID_PARAMS, said, {"methodId": params.method_id})
        return {}

    async def _new(self, params: NewParams) -> Json:
        instance = await self._instance(params)
        session = sessions.create_from(instance, SessionCreateInput())
        opened = self._opened(instance, session)
        self._offer(opened)
        return {"sessionId": session.id, **self._options(opened)}

    async def _load(self, params: LoadParams) -> Json:
        opened = await self._known(params)
        self._replay(opened)
        self._offer(opened)
        return self._options(opened)

    async def _resume(self, params: LoadParams) -> Json:
        opened = await self._known(params)
        self._offer(opened)
        return self._options(opened)

    async def _fork(self, params: LoadParams) -> Json:
        instance = await self._instance(params)
        self._session(params.session_id)
        session = sessions.fork(instance, params.session_id, None)
        opened = self._opened(instance, session)
        self._replay(opened)
        self._offer(opened)
        return {"sessionId": session.id, **self._options(opened)}

    async def _list(self, params: ListParams) -> Json:
        try:
            before = float(params.cursor) if params.cursor else None
        except ValueError:
            raise RpcError(INVALID_PARAMS, f"Invalid params: bad cursor {params.cursor}") from None
        query = SessionQuery(
            directory=params.cwd and os.path.normpath(params.cwd),
            roots=True,
            before=before,
            archived=False,
            limit=PAGE + 1,
        )
        found = self._runtime.store.sessions.select(query)
        page = found[:PAGE]
        more = {"nextCursor": str(page[-1].time.updated)} if len(found) > PAGE else {}
        return {"sessions": [_listed(session) for session in page], **more}

    async def _close(self, params: SessionParams) -> Json:
        opened = self._get(params.session_id)
        await opened.instance.runs.abort(params.session_id)
        self._open.pop(params.session_id, None)
        self._follower.end(params.session_id)
        return {}

    async def _instance(self, params: NewParams | LoadParams) -> Instance:
        """The instance of a directory, with the editor's MCP servers. Raises RpcError."""
        if not os.path.isabs(params.cwd) or not os.path.isdir(params.cwd):
            said = f"Invalid params: cwd is no absolute path of a folder: {params.cwd}"
            raise RpcError(INVALID_PARAMS, said, {"cwd": params.cwd})
        instance = await self._runtime.instance(params.cwd)
        await instance.models.open()
        for entry in params.mcp_servers:
            name, config = _mcp_server(entry)
            await instance.mcp.declare(name, config)
        return instance

    async def _known(self, params: LoadParams) -> Opened:
        instance = await self._instance(params)
        return self._opened(instance, self._session(params.session_id))

    def _session(self, session_id: str) -> Session:
        try:
            return self._runtime.store.sessions.get(session_id)
        except NotFound:
            raise _no_session(session_id) from None

    def _opened(self, instance: Instance, session: Session) -> Opened:
        agent = submit.choose_agent(instance, session, None)
        model = submit.choose_model(instance, session, PromptInput(parts=[]), agent)
        variant = session.model.variant if session.model else agent.variant
        effort = variant if variant in (model.variants or ()) else None
        opened = Opened(session.id, instance, Choice(model, agent, effort))
        self._open[session.id] = opened
        self._follower.begin(session.id, session.title)
        return opened

    def _get(self, session_id: str) -> Opened:
        opened = self._open.get(session_id)
        if opened is None:
            raise _no_session(session_id)
        return opened

    def _options(self, opened: Opened) -> Json:
        return {"configOptions": config_options(opened.instance, opened.choice)}

    def _offer(self, opened: Opened) -> None:
        """Tell the editor the commands, behind the answer that is being made."""
        opened.instance.tasks.start(self._tell_commands(opened), deadline=60.0)

    async def _tell_commands(self, opened: Opened) -> None:
        available = await commands.available(opened.instance)
        self._update(opened, updates.commands(available.values()))

    def _update(self, opened: Opened, update: Json) -> None:
        params = {"sessionId": opened.session_id, "update": update}
        self._connection.notify("session/update", params)

    def _replay(self, opened: Opened) -> None:
        """The whole conversation, as if it happened now."""
        self._follower.catch_up()
        for message in self._runtime.store.messages.history(opened.session_id):
            speaker = "user_message" if isinstance(message.info, UserMessage) else "agent_message"
            for part in message.parts:
                if isinstance(part, TextPart | FilePart):
                    for block in content.blocks_of(part):
                        self._update(opened, updates.chunk(speaker, message.info.id, block))
                elif isinstance(part, ReasoningPart) and part.text:
                    said = updates.text("agent_thought", message.info.id, part.text)
                    self._update(opened, said)
                elif isinstance(part, ToolPart):
                    directory = opened.instance.directory
                    self._update(opened, updates.tool_call(part, directory))
                    if not isinstance(part.state, ToolStatePending):
                        self._update(opened, updates.tool_call_update(part, directory))

    # ── prompts ──────────────────────────────────────────────────────────────────────────────

    async def _prompt(self, params: PromptParams) -> Json:
        opened = self._get(params.session_id)
        try:
            parts = content.parts_of(params.prompt)
        except (KeyError, TypeError, AttributeError) as e:
            said = f"Invalid params: prompt: a block lacks {e}"
            raise RpcError(INVALID_PARAMS, said) from None
        opened.cancelled = False
        before = len(_entries(opened))
        answer = await self._answer(opened, parts)
        self._follower.catch_up()
        self._follower.end_turn(opened.session_id)
        self._tell_usage(opened)
        return _ended(opened, answer, _spent(opened, before))

    async def _answer(self, opened: Opened, parts: list[PartInput]) -> MessageWithParts | None:
        """The answer to a prompt, a command, or none where nothing had to be answered."""
        choice, session_id = opened.choice, opened.session_id
        name, arguments = _slash(parts)
        if name == "compact":
            await submit.summarize(opened.instance, session_id, choice.model)
            return submit.newest_answer(opened.instance, session_id)
        if name is not None:
            known = await commands.available(opened.instance)
            if name not in known:
                said = f"Unknown command /{name}. There are: {', '.join(sorted(known))}, compact"
                self._update(opened, updates.text("agent_message", "", said))
                return None
            body = CommandInput(
                command=name,
                arguments=arguments,
                agent=choice.agent.name,
                model=f"{choice.model.providerID}/{choice.model.id}",
                variant=choice.effort,
                parts=[p for p in parts if isinstance(p, FilePartInput)] or None,
            )
            return await commands.run(opened.instance, session_id, body)
        prompt = PromptInput(
            parts=parts,
            agent=choice.agent.name,
            model=PromptModel(providerID=choice.model.providerID, modelID=choice.model.id),
            variant=choice.effort,
        )
        return await submit.prompt(opened.instance, session_id, prompt)

    async def _cancel(self, params: SessionParams) -> None:
        opened = self._open.get(params.session_id)
        if opened is not None:
            opened.cancelled = True
            await opened.instance.runs.abort(params.session_id)

    def _tell_usage(self, opened: Opened) -> None:
        newest = submit.newest_answer(opened.instance, opened.session_id)
        if newest is None or not isinstance(newest.info, AssistantMessage):
            return
        try:
            model = opened.instance.models.get(newest.info.providerID, newest.info.modelID)
        except NotFound:
            return
        if model.limit.context:
            session = self._runtime.store.sessions.get(opened.session_id)
            update = updates.usage_update(newest.info, model.limit.context, session.cost or 0)
            self._update(opened, update)

    # ── choices ──────────────────────────────────────────────────────────────────────────────

    async def _set_mode(self, params: ModeParams) -> Json:
        opened = self._get(params.session_id)
        opened.choice = changed(opened.instance, opened.choice, "mode", params.mode_id)
        return {}

    async def _set_model(self, params: ModelParams) -> Json:
        opened = self._get(params.session_id)
        opened.choice = changed(opened.instance, opened.choice, "model", params.model_id)
        update = {"sessionUpdate": "config_option_update", **self._options(opened)}
        self._update(opened, update)
        return {}

    async def _set_option(self, params: OptionParams) -> Json:
        opened = self._get(params.session_id)
        opened.choice = changed(opened.instance, opened.choice, params.config_id, params.value)
        return self._options(opened)


def _about() -> Json:
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentCapabilities": {
            "loadSession": True,
            "mcpCapabilities": {"http": True, "sse": True},
            "promptCapabilities": {"embeddedContext": True, "image": True},
            "sessionCapabilities": {"close": {}, "fork": {}, "list": {}, "resume": {}},
        },
        "authMethods": [
            {
                "id": AUTH_METHOD,
                "name": "Give a provider's key",
                "description": "In its environment variable, or in opencode.json",
            }
        ],
        "agentInfo": {"name": "Ostler", "version": __version__},
    }


def _typed(params: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(params if params is not None else {}, kind)
    except msgspec.ValidationError as e:
        raise RpcError(INVALID_PARAMS, f"Invalid params: {e}") from None


def _no_session(session_id: str) -> RpcError:
    said = f"Invalid params: session not found: {session_id}"
    return RpcError(INVALID_PARAMS, said, {"sessionId": session_id})


def _listed(session: Session) -> Json:
    updated = datetime.fromtimestamp(session.time.updated / 1000, UTC)
    return {
        "sessionId": session.id,
        "cwd": session.directory,
        "title": session.title,
        "updatedAt": updated.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _mcp_server(entry: Json) -> tuple[str, McpServerConfig]:
    """A server as an editor configures it: name and configuration. Raises RpcError."""
    try:
        if entry.get("type") in ("http", "sse"):
            headers = {h["name"]: h["value"] for h in entry.get("headers", ())}
            return entry["name"], McpRemoteConfig(url=entry["url"], headers=headers)
        variables = {v["name"]: v["value"] for v in entry.get("env", ())}
        command = [entry["command"], *entry.get("args", ())]
        return entry["name"], McpLocalConfig(command=command, environment=variables)
    except (KeyError, TypeError) as e:
        said = f"Invalid params: mcpServers: an entry lacks {e}"
        raise RpcError(INVALID_PARAMS, said) from None


def _slash(parts: list[PartInput]) -> tuple[str | None, str]:
    """``/name arguments`` at the beginning of a prompt."""
    first = next((p for p in parts if isinstance(p, TextPartInput)), None)
    text = first.text.lstrip() if first is not None else ""
    if not text.startswith("/"):
        return None, ""
    name, _, arguments = text[1:].partition(" ")
    return name.strip(), arguments.strip()


def _entries(opened: Opened) -> list[Entry]:
    return opened.instance.runs.histories.of(opened.session_id).entries


def _spent(opened: Opened, before: int) -> list[Any]:
    """The tokens of every answer since."""
    entries = _entries(opened)[before:]
    return [e.message.tokens for e in entries if isinstance(e.message, AssistantMessage)]


def _ended(opened: Opened, answer: MessageWithParts | None, spent: list[Any]) -> Json:
    """How the turn ended. Raises RpcError for one that failed."""
    info = answer.info if answer is not None else None
    reason = "cancelled" if opened.cancelled else "end_turn"
    if isinstance(info, AssistantMessage):
        error = info.error
        if error is not None and not opened.cancelled:
            reason = _stopped(error)
        elif info.finish == "length":
            reason = "max_tokens"
    usage = {"usage": updates.usage(spent)} if spent else {}
    return {"stopReason": reason, **usage, "_meta": {}}


_STOPS = {
    "MessageAbortedError": "cancelled",
    "MessageOutputLengthError": "max_tokens",
    "ContextOverflowError": "max_tokens",
    "ContentFilterError": "refusal",
}


def _stopped(error: Any) -> str:
    """Raises RpcError where the protocol has no word for it."""
    name = type(error).__name__
    if name in _STOPS:
        return _STOPS[name]
    code = AUTH_REQUIRED if name == "ProviderAuthError" else INTERNAL_ERROR
    raise RpcError(code, error.data.message, msgspec.to_builtins(error))
