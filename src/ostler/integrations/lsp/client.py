"""One running language server: the documents open in it, and what it finds in them."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from ostler.integrations.lsp import documents
from ostler.integrations.lsp.connection import Connection, LspError, log
from ostler.integrations.lsp.diagnostics import Diagnostics, Found
from ostler.integrations.lsp.documents import Position, Text, end_of, path_of, uri_of
from ostler.integrations.lsp.pulls import Pulls, Request

INITIALIZE_SECONDS = 45.0
REQUEST_SECONDS = 20.0
"""What a question about code may take."""
DOCUMENT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
"""What is waited for a document's diagnostics, and for those of all files (OpenCode 1.18)."""
LOADING_SECONDS = 10.0
"""After its start a server has so long, in any case: it reads the project first."""
SETTLE_SECONDS = 0.15
"""Servers push what they find in pieces: this long after the last one it counts as all."""
SILENT_SECONDS = 1.0
"""What is waited for a server that said nothing at all the last time."""
MAX_OPEN = 100
"""Documents open in one server; the one used longest ago is closed."""
MOST_BESIDE = 10
"""Other open documents whose diagnostics are asked for again after a change."""

_INCREMENTAL = 2
_CREATED, _CHANGED, _DELETED = 1, 2, 3

CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "window": {"workDoneProgress": True},
    "workspace": {
        "configuration": True,
        "workspaceFolders": True,
        "didChangeConfiguration": {"dynamicRegistration": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
        "diagnostics": {"refreshSupport": False},
        "symbol": {},
    },
    "textDocument": {
        "synchronization": {"didSave": True},
        "publishDiagnostics": {"versionSupport": True, "relatedInformation": True},
        "diagnostic": {"dynamicRegistration": True, "relatedDocumentSupport": True},
        "definition": {"linkSupport": True},
        "implementation": {"linkSupport": True},
        "references": {},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
        "callHierarchy": {},
    },
}


CleanCheck = Callable[[Request, str, float], Awaitable[bool]]
"""(how to ask, the document's path, seconds) -> whether nothing is wrong with it."""


class _Document(msgspec.Struct):
    """As the server has it. ``shown``: when it was last sent, in monotonic seconds."""

    version: int
    end: Position
    stamp: tuple[int, int]
    shown: float
    real: str


class _Push(msgspec.Struct, frozen=True):
    at: float
    version: int | None


class LanguageClient:
    """``settings`` are the server's initialisation options, and what it reads as configuration.
    ``is_clean``: how to ask it whether a document has no mistakes, where it does not say so itself.
    ``lost`` is called when the server ends by itself. Close it when done."""

    def __init__(
        self,
        root: str,
        settings: Mapping[str, Any],
        is_clean: CleanCheck | None = None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.root, self._settings, self._lost = root, dict(settings), lost
        self._is_clean = is_clean
        self._connection: Connection | None = None
        self._capabilities: dict[str, Any] = {}
        self._documents: OrderedDict[str, _Document] = OrderedDict()
        self._found = Found()
        self._pushes: OrderedDict[str, _Push] = OrderedDict()
        self._pulls = Pulls(self.request, self._pulled)
        self._news = asyncio.Event()
        self._is_silent = False
        self._started = time.monotonic()

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run the server and shake hands. Raises LspError; the server is ended then."""
        connection = await Connection.open(command, self.root, environment, self)
        self._connection = connection
        try:
            answer = await connection.request("initialize", self._greeting(), INITIALIZE_SECONDS)
            capabilities = answer.get("capabilities") if isinstance(answer, dict) else None
            self._capabilities = capabilities if isinstance(capabilities, dict) else {}
            self._pulls.provider = self._capabilities.get("diagnosticProvider")
            connection.notify("initialized", {})
            if self._settings:
                settings = {"settings": self._settings}
                connection.notify("workspace/didChangeConfiguration", settings)
        except LspError as e:
            said = await connection.last_words()
            await connection.close(polite=False)
            raise LspError(f"{e}{said}") from None
        except BaseException:
            await connection.close(polite=False)
            raise

    def _greeting(self) -> dict[str, Any]:
        uri, name = uri_of(self.root), documents.shown(os.path.basename(self.root))
        return {
            # Servers end themselves when this process is gone.
            "processId": os.getpid(),
            "clientInfo": {"name": "ostler"},
            "rootUri": uri,
            "workspaceFolders": [{"name": name, "uri": uri}],
            "initializationOptions": self._settings,
            "capabilities": CAPABILITIES,
        }

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def last_words(self) -> str:
        """What the server said last on standard error, to be put behind a failure."""
        return await self._connection.last_words() if self._connection else ""

    async def request(self, method: str, params: Any, seconds: float = REQUEST_SECONDS) -> Any:
        """Raises LspError."""
        return await self._connected().request(method, params, seconds)

    def _connected(self) -> Connection:
        assert self._connection is not None, "start comes first"
        return self._connection

    # ── documents ────────────────────────────────────────────────────────────────────────────

    def show(self, path: str) -> int | None:
        """Open a file in the server, or tell it what is in there now; whatever else was changed
        since it was opened is told as well. Returns the document's version, None where there is
        no such file. Raises ServerGone."""
        for other in list(self._documents):
            if other != path:
                self._refresh(other)
        return self._refresh(path, opening=True)

    def _refresh(self, path: str, opening: bool = False) -> int | None:
        known = self._documents.get(path)
        stamp = documents.stamp(path)
        if stamp is None:
            if known is not None:
                self.remove(path)
            return None
        if known is not None and known.stamp == stamp:
            if opening:
                self._documents.move_to_end(path)
            return known.version
        if known is None and not opening:
            return None
        text = documents.read(path)
        if text is None:
            return None
        return self._open(path, text) if known is None else self._change(path, known, text)

    def _open(self, path: str, text: Text) -> int:
        while len(self._documents) >= MAX_OPEN:
            self._close_document(next(iter(self._documents)))
        real = os.path.realpath(path)
        self._documents[path] = _Document(0, end_of(text.text), text.stamp, time.monotonic(), real)
        self._watched(path, _CREATED)
        item = {
            "uri": uri_of(path),
            "languageId": documents.language_of(path),
            "version": 0,
            "text": text.text,
        }
        self._connected().notify("textDocument/didOpen", {"textDocument": item})
        return 0

    def _change(self, path: str, known: _Document, text: Text) -> int:
        self._watched(path, _CHANGED)
        change: dict[str, Any] = {"text": text.text}
        if self._sync() == _INCREMENTAL:
            change["range"] = {"start": {"line": 0, "character": 0}, "end": known.end}
        known.version += 1
        known.end, known.stamp, known.shown = end_of(text.text), text.stamp, time.monotonic()
        self._documents.move_to_end(path)
        item = {"uri": uri_of(path), "version": known.version}
        params = {"textDocument": item, "contentChanges": [change]}
        self._connected().notify("textDocument/didChange", params)
        if self._wants_saves():  # and looks closer then, as rust-analyzer does
            saved = {"textDocument": {"uri": uri_of(path)}}
            self._connected().notify("textDocument/didSave", saved)
        return known.version

    def watched(self, path: str) -> None:
        """Tell of a change of any file, open or not: a manifest, say. Raises ServerGone."""
        if path not in self._documents:
            self._watched(path, _CHANGED)

    def remove(self, path: str) -> None:
        """The file is gone. Raises ServerGone."""
        self._found.forget(path)
        if path in self._documents:
            self._close_document(path)
        self._watched(path, _DELETED)

    def _close_document(self, path: str) -> None:
        del self._documents[path]
        self._pushes.pop(path, None)
        params = {"textDocument": {"uri": uri_of(path)}}
        self._connected().notify("textDocument/didClose", params)

    def _watched(self, path: str, kind: int) -> None:
        changes = [{"uri": uri_of(path), "type": kind}]
        self._connected().notify("workspace/didChangeWatchedFiles", {"changes": changes})

    def _sync(self) -> Any:
        sync = self._capabilities.get("textDocumentSync")
        return sync.get("change") if isinstance(sync, dict) else sync

    def _wants_saves(self) -> bool:
        sync = self._capabilities.get("textDocumentSync")
        return isinstance(sync, dict) and sync.get("save") not in (None, False)

    # ── diagnostics ──────────────────────────────────────────────────────────────────────────

    def diagnostics(self) -> Diagnostics:
        """Everything found so far."""
        return self._found.all()

    async def settled(self, path: str, version: int, whole: bool = False) -> bool:
        """Wait for what the server finds in this version of a document; ``whole``: in all files.
        False when it did not say in time. Raises ServerGone."""
        usual = WHOLE_SECONDS if whole else DOCUMENT_SECONDS
        deadline = time.monotonic() + (SILENT_SECONDS if self._is_silent else usual)
        if not self._is_silent:
            deadline = max(deadline, self._started + LOADING_SECONDS)
        settled = await self._is_still_clean(path, deadline)
        settled = settled or await self._wait(path, version, whole, deadline)
        self._is_silent = not settled
        return settled

    async def _is_still_clean(self, path: str, deadline: float) -> bool:
        if self._is_clean is None or self._found.of(path):
            return False
        return await self._is_clean(self.request, path, deadline - time.monotonic())

    async def _wait(self, path: str, version: int, whole: bool, deadline: float) -> bool:
        asked: int | None = None
        while (left := deadline - time.monotonic()) > 0:
            self._connected().check()
            if asked != self._pulls.changes:
                asked = self._pulls.changes
                if await self._pull(path, whole, deadline):
                    return True
                continue
            push = self._pushes.get(path)
            if push is not None and self._is_fresh(push, path, version):
                rest = push.at + SETTLE_SECONDS - time.monotonic()
                if rest <= 0:
                    return True
                left = min(left, rest)
            self._news.clear()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                continue
        return False

    def _is_fresh(self, push: _Push, path: str, version: int) -> bool:
        """Whether a push is about the document as it is now, and not as it was before."""
        document = self._documents.get(path)
        if push.version is not None:
            return push.version >= version
        return document is not None and push.at >= document.shown

    async def _pull(self, path: str, whole: bool, deadline: float) -> bool:
        """Ask for diagnostics, where the server lets itself be asked. Whether it told of this
        document."""
        others = [other for other in reversed(self._documents) if other != path]
        return await self._pulls.ask(path, others[:MOST_BESIDE], whole, deadline)

    def _pulled(self, path: str, items: list[Any]) -> None:
        self._found.pull(self._known_as(path), items)

    def _known_as(self, path: str) -> str:
        """The path by which a document was opened: servers follow links."""
        if path in self._documents:
            return path
        return next((known for known, d in self._documents.items() if d.real == path), path)

    # ── what the server says of itself ───────────────────────────────────────────────────────

    def notified(self, method: str, params: Any) -> None:
        if method == "window/logMessage" and isinstance(params, dict):
            log.debug("%s", params.get("message"))
        if method != "textDocument/publishDiagnostics" or not isinstance(params, dict):
            return
        path = path_of(params.get("uri"))
        if path is None:
            return
        path = self._known_as(path)
        version = params.get("version")
        self._found.push(path, params.get("diagnostics"))
        self._is_silent = False
        if path in self._documents:
            known = version if isinstance(version, int) else None
            self._pushes[path] = _Push(time.monotonic(), known)
        self._news.set()

    def asked(self, method: str, params: Any) -> Any:
        params = params if isinstance(params, dict) else {}
        if method == "workspace/configuration":
            items = params.get("items")
            return [self._setting(item) for item in items] if isinstance(items, list) else []
        if method in ("client/registerCapability", "client/unregisterCapability"):
            self._pulls.register(params.get("registrations"))
            self._pulls.unregister(params.get("unregisterations"))
            self._news.set()
            return None
        if method == "workspace/workspaceFolders":
            return self._greeting()["workspaceFolders"]
        return _ANSWERS[method]

    def ended(self) -> None:
        self._news.set()
        self._lost()

    def _setting(self, item: Any) -> Any:
        """A section of the settings, ``a.b.c``; None where there is no such."""
        section = item.get("section") if isinstance(item, dict) else None
        value: Any = self._settings
        for step in section.split(".") if isinstance(section, str) and section else ():
            value = value.get(step) if isinstance(value, dict) else None
        return value


_ANSWERS: dict[str, Any] = {
    "window/workDoneProgress/create": None,
    "window/showMessageRequest": None,
    "window/showDocument": {"success": False},
    "workspace/applyEdit": {"applied": False},
    "workspace/diagnostic/refresh": None,
    "workspace/semanticTokens/refresh": None,
    "workspace/codeLens/refresh": None,
    "workspace/inlayHint/refresh": None,
}
"""What a server is told that asks for something we do not do for it."""
