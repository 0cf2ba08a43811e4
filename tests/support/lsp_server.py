"""A language server for tests, for better and for worse; the standard library alone.

    python lsp_server.py LOG [WORD...]

Each line with BAD is an error, each with ODD a warning. What it hears goes to LOG, a JSON object a
line. The words say how it is:

    incremental   wants changes with their range
    pieces        pushes an empty list a moment before the true one
    real          follows links in the paths it is told
    stale         pushes what it found in the version before, first
    pull          lets itself be asked, and pushes nothing
    mute          pushes nothing
    noisy         prints to standard output beside its messages
    deaf          never answers initialize
    babbling      answers initialize with 100 KB of no message
    dying         ends when a document is opened
    stubborn      starts a child, and neither ends when it is asked or told to
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]
CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Server:
    def __init__(self, log: str, words: list[str]) -> None:
        self._log = open(log, "a", buffering=1)  # noqa: SIM115  # as long as the process
        self._words = words
        self._texts: dict[str, str] = {}
        self._asked = 0

    def run(self) -> None:
        self._note({"started": sys.argv, "pid": os.getpid(), "environment": dict(os.environ)})
        if "stubborn" in self._words:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen([sys.executable, "-c", CHILD])
            self._note({"child": child.pid})
        while (message := self._read()) is not None:
            self._note(message)
            self._take(message)

    def _read(self) -> Json | None:
        length = 0
        while (line := sys.stdin.buffer.readline()).strip():
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return json.loads(sys.stdin.buffer.read(length)) if line and length else None

    def _note(self, said: Json) -> None:
        self._log.write(json.dumps(said) + "\n")

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        noise = b"Thinking...\n" if "noisy" in self._words else b""
        sys.stdout.buffer.write(noise + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        sys.stdout.buffer.flush()

    def _ask(self, method: str, params: Any) -> None:
        self._asked += 1
        self._send({"id": f"s{self._asked}", "method": method, "params": params})

    def _take(self, message: Json) -> None:
        method, params = message.get("method"), message.get("params")
        if method is None:
            return
        if "id" not in message:
            self._notified(method, params)
        elif method == "initialize" and "deaf" in self._words:
            return
        elif method == "initialize" and "babbling" in self._words:
            sys.stdout.buffer.write(b"x" * 100_000)
            sys.stdout.buffer.flush()
        elif method in ANSWERS:
            result = ANSWERS[method](self, params)
            self._send({"id": message["id"], "result": result})
        else:
            error = {"code": -32601, "message": f"no {method} here"}
            self._send({"id": message["id"], "error": error})

    def _notified(self, method: str, params: Json) -> None:
        if method == "initialized":
            items = [{"section": "a.b"}, {}, {"section": "none"}]
            self._ask("workspace/configuration", {"items": items})
            self._ask("workspace/workspaceFolders", None)
            self._ask("window/workDoneProgress/create", {"token": 1})
            self._ask("nobody/knows", {})
            if "pull" in self._words:
                options = {"identifier": "own", "interFileDependencies": True}
                each = {"id": "1", "method": "textDocument/diagnostic", "registerOptions": options}
                self._ask("client/registerCapability", {"registrations": [each]})
        elif method == "textDocument/didOpen":
            if "dying" in self._words:
                print("out of luck", file=sys.stderr, flush=True)
                os._exit(3)
            document = params["textDocument"]
            self._texts[document["uri"]] = document["text"]
            self._publish(document["uri"], document["version"])
        elif method == "textDocument/didChange":
            document = params["textDocument"]
            self._texts[document["uri"]] = params["contentChanges"][-1]["text"]
            self._publish(document["uri"], document["version"])
        elif method == "textDocument/didClose":
            self._texts.pop(params["textDocument"]["uri"], None)
        elif method == "exit" and "stubborn" not in self._words:
            sys.exit(0)

    def _publish(self, uri: str, version: int) -> None:
        if {"mute", "pull"} & set(self._words):
            return
        found = self.found(uri)
        if "pieces" in self._words:
            self._push(uri, [], None)
            time.sleep(0.05)
        if "stale" in self._words and version > 0:
            self._push(uri, [_diagnostic(0, "of before", 1)], version - 1)
            self._push(uri, found, version)
        else:
            self._push(uri, found, None)

    def _push(self, uri: str, found: list[Json], version: int | None) -> None:
        if "real" in self._words:
            uri = Path(os.path.realpath(unquote(uri.removeprefix("file://")))).as_uri()
        params = {"uri": uri, "diagnostics": found}
        if version is not None:
            params["version"] = version
        self._send({"method": "textDocument/publishDiagnostics", "params": params})

    def found(self, uri: str) -> list[Json]:
        lines = self._texts.get(uri, "").splitlines()
        errors = [_diagnostic(i, line, 1) for i, line in enumerate(lines) if "BAD" in line]
        return errors + [_diagnostic(i, line, 2) for i, line in enumerate(lines) if "ODD" in line]

    def initialize(self, params: Json) -> Json:
        return {"capabilities": {"textDocumentSync": 2 if "incremental" in self._words else 1}}

    def symbols(self, params: Json) -> list[Json]:
        """A variable, and a string, which nobody asks for, for each document."""
        uris = [uri for uri in self._texts if params.get("query", "") in uri]
        return [
            {"name": f"{kind} of {Path(uri).name}", "kind": kind, "location": _place(uri)}
            for uri in uris
            for kind in (13, 15)
        ]


def _diagnostic(line: int, message: str, severity: int) -> Json:
    start = {"line": line, "character": 0}
    at = {"start": start, "end": {"line": line, "character": len(message)}}
    return {"range": at, "message": message, "severity": severity, "source": "tester"}


def _place(uri: str, line: int = 0) -> Json:
    start = {"line": line, "character": 0}
    return {"uri": uri, "range": {"start": start, "end": {"line": line, "character": 1}}}


def _item(uri: str, name: str) -> Json:
    at = _place(uri)["range"]
    return {"name": name, "kind": 12, "uri": uri, "range": at, "selectionRange": at}


def _at(answer: Any) -> Any:
    """An answer that needs the document's URI and the position's line."""
    return lambda self, params: answer(
        params["textDocument"]["uri"], params.get("position", {}).get("line", 0)
    )


ANSWERS: dict[str, Any] = {
    "initialize": Server.initialize,
    "shutdown": lambda self, params: None,
    "textDocument/diagnostic": lambda self, params: {
        "kind": "full",
        "items": self.found(params["textDocument"]["uri"]),
    },
    "textDocument/definition": _at(lambda uri, line: _place(uri, line)),
    "textDocument/references": _at(lambda uri, line: [_place(uri, 1), None, _place(uri, 2)]),
    "textDocument/hover": _at(lambda uri, line: {"contents": f"line {line}"} if line else None),
    "textDocument/documentSymbol": _at(lambda uri, line: [_item(uri, "main")]),
    "textDocument/prepareCallHierarchy": _at(lambda uri, line: [_item(uri, "main")]),
    "callHierarchy/incomingCalls": lambda self, params: [{"from": params["item"]["name"]}],
    "workspace/symbol": Server.symbols,
}


if __name__ == "__main__":
    Server(sys.argv[1], sys.argv[2:]).run()
