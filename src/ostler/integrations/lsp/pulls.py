"""Diagnostics that a server gives when it is asked for them (LSP 3.17, pull diagnostics)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ostler.integrations.lsp.connection import (
    CONTENT_MODIFIED,
    SERVER_CANCELLED,
    NoAnswer,
    RequestFailed,
)
from ostler.integrations.lsp.documents import path_of, uri_of

REPORT_SECONDS = 3.0
"""For one report (OpenCode 1.18)."""
PAUSE = 0.15
"""Seconds before a server is asked again that is busy with the change itself."""
MAX_REGISTERED = 100

Request = Callable[[str, Any, float], Awaitable[Any]]
"""(method, parameters, seconds) -> result. Raises LspError."""


class Pulls:
    """``provider`` is the server's capability; more is registered while it runs, and ``changes``
    counts that. ``take`` gets (path, diagnostics) of each report."""

    def __init__(self, request: Request, take: Callable[[str, list[Any]], None]) -> None:
        self._request, self._take = request, take
        self._registered: dict[str, dict[str, Any]] = {}
        self.provider: Any = None
        self.changes = 0

    def register(self, registrations: Any) -> None:
        for each in _objects(registrations):
            options = each.get("registerOptions")
            room = len(self._registered) < MAX_REGISTERED
            if each.get("method") == "textDocument/diagnostic" and room:
                self._registered[str(each.get("id"))] = options if isinstance(options, dict) else {}
                self.changes += 1

    def unregister(self, registrations: Any) -> None:
        for each in _objects(registrations):
            if self._registered.pop(str(each.get("id")), None) is not None:
                self.changes += 1

    async def ask(self, path: str, beside: list[str], whole: bool, deadline: float) -> bool:
        """For a document, and for those ``beside`` it where it depends on them; ``whole``: for all
        files. Whether the server told of the document. Raises ServerGone."""
        asked = [self._document(path, name, deadline) for name in self._names()]
        more = [
            self._document(other, name, deadline)
            for name in self._names("interFileDependencies")
            for other in beside
        ]
        if whole:
            more += [self._files(name, deadline) for name in self._names("workspaceDiagnostics")]
        told = await asyncio.gather(*asked, *more)
        return any(told[: len(asked)])

    def _names(self, feature: str | None = None) -> list[str | None]:
        """The identifiers of what has a feature; None is to ask without one."""
        static = [self.provider] if isinstance(self.provider, dict) else []
        able = [o for o in (*self._registered.values(), *static) if not feature or o.get(feature)]
        named = (options.get("identifier") for options in able)
        return list(dict.fromkeys(name if isinstance(name, str) else None for name in named))

    async def _document(self, path: str, name: str | None, deadline: float) -> bool:
        params: dict[str, Any] = {"textDocument": {"uri": uri_of(path)}}
        report = await self._report("textDocument/diagnostic", params, name, deadline)
        related = report.get("relatedDocuments")
        for uri, each in related.items() if isinstance(related, dict) else ():
            self._told(path_of(uri), each)
        return self._told(path, report)

    async def _files(self, name: str | None, deadline: float) -> bool:
        params: dict[str, Any] = {"previousResultIds": []}
        report = await self._report("workspace/diagnostic", params, name, deadline)
        for each in _objects(report.get("items")):
            self._told(path_of(each.get("uri")), each)
        return "items" in report

    def _told(self, path: str | None, report: Any) -> bool:
        items = report.get("items") if isinstance(report, dict) else None
        if path is None or not isinstance(items, list):
            return False
        self._take(path, items)
        return True

    async def _report(
        self, method: str, params: dict[str, Any], name: str | None, deadline: float
    ) -> dict[str, Any]:
        """Empty where there is none."""
        if name is not None:
            params["identifier"] = name
        while (left := deadline - time.monotonic()) > 0:
            try:
                report = await self._request(method, params, min(REPORT_SECONDS, left))
                return report if isinstance(report, dict) else {}
            except RequestFailed as e:
                if e.code not in (CONTENT_MODIFIED, SERVER_CANCELLED):
                    return {}
            except NoAnswer:
                return {}
            await asyncio.sleep(PAUSE)
        return {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
