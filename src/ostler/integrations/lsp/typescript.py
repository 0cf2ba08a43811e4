"""What is particular about TypeScript's language server."""

import asyncio
from typing import Any

from ostler.integrations.lsp.connection import LspError, ServerGone
from ostler.integrations.lsp.documents import uri_of
from ostler.integrations.lsp.pulls import Request

_COMMAND = "typescript.tsserverRequest"
"""Of typescript-language-server since 5.0: a request of the compiler's own server."""
_CHECKS = ("syntacticDiagnosticsSync", "semanticDiagnosticsSync")


async def is_clean(request: Request, path: str, seconds: float) -> bool:
    """Whether there is nothing wrong with a document. The server says nothing of one that was
    without mistakes and still is, so that one would wait for it in vain. False also where it cannot
    be asked. Raises ServerGone."""
    answers = await asyncio.gather(*(_check(request, name, path, seconds) for name in _CHECKS))
    return all(answer == [] for answer in answers)


async def _check(request: Request, name: str, path: str, seconds: float) -> Any:
    arguments = [name, {"file": uri_of(path)}, {}]
    params = {"command": _COMMAND, "arguments": arguments}
    try:
        answer = await request("workspace/executeCommand", params, seconds)
    except ServerGone:
        raise
    except LspError:
        return None
    return answer.get("body") if isinstance(answer, dict) else None
