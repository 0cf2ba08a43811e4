"""A turn as a person reads it: tools and progress on stderr, the model's words on stdout."""

import sys
from typing import Any

import typer

DIFF_LINES = 60
ICONS = {
    "bash": "$",
    "read": "→",
    "write": "←",
    "edit": "←",
    "apply_patch": "←",
    "glob": "✱",
    "grep": "✱",
    "webfetch": "%",
    "task": "◉",
    "todowrite": "☰",
    "skill": "→",
    "question": "?",
}


class Screen:
    """Prints to the real streams; colours only where stderr is a terminal."""

    def __init__(self, thinking: bool = False) -> None:
        self._thinking = thinking
        self._coloured = sys.stderr.isatty()
        self._header: str | None = None

    def agent(self, agent: str, model: str) -> None:
        """The line that says who answers, once per change."""
        header = f"> {agent} · {model}"
        if header != self._header:
            self._header = header
            self._note(f"\n{header}\n", dim=True)

    def part(self, part: dict[str, Any]) -> None:
        """A part that is complete."""
        kind = part["type"]
        if kind == "text" and part.get("text", "").strip() and not part.get("synthetic"):
            print(part["text"].strip(), flush=True)
        elif kind == "reasoning" and self._thinking and part.get("text", "").strip():
            self._note(f"Thinking: {part['text'].strip()}", dim=True)
        elif kind == "tool":
            self._tool(part)

    def asked(self, request: dict[str, Any], answer: str) -> None:
        patterns = ", ".join(request["patterns"])
        self._note(
            f"! permission requested: {request['permission']} ({patterns}); {answer}", "yellow"
        )

    def retry(self, status: dict[str, Any]) -> None:
        self._note(
            f"… attempt {status['attempt']} failed: {status['message']}; trying again", "yellow"
        )

    def error(self, message: str) -> None:
        self._note(f"Error: {message}", "red")

    def warning(self, message: str) -> None:
        self._note(f"! {message}", "yellow")

    def total(self, steps: int, tokens: dict[str, Any], cost: float, seconds: float) -> None:
        """The closing line."""
        count = f"{steps} step{'' if steps == 1 else 's'}"
        read = tokens["input"] + tokens["cache"]["read"] + tokens["cache"]["write"]
        written = tokens["output"] + tokens["reasoning"]
        self._note(
            f"\n{count} · {shorten(read)} tokens in, {shorten(written)} out · ${cost:.4f} · "
            f"{seconds:.1f} s",
            dim=True,
        )

    def _tool(self, part: dict[str, Any]) -> None:
        state = part["state"]
        took = duration(state["time"])
        name = part["tool"]
        if state["status"] == "error":
            self._note(f"✗ {name} {_subject(part)} failed  {took}", "red")
            self._note(_indent(state["error"]), "red")
            return
        self._note(f"{ICONS.get(name, '⚙')} {name} {_subject(part)}  {took}", "cyan")
        diff = state.get("metadata", {}).get("diff")
        if diff:
            self._diff(diff)
        elif name == "bash" and state["output"].strip():
            self._note(_indent(_head(state["output"].rstrip(), 12)), dim=True)
        elif name == "write":
            self._note(
                _indent(_head(str(state["input"].get("content", "")).rstrip(), 24)), dim=True
            )

    def _diff(self, diff: str) -> None:
        lines = diff[max(0, diff.find("@@")) :].splitlines()  # the line above names the file
        for line in lines[:DIFF_LINES]:
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            self._note("    " + line, colour)
        if len(lines) > DIFF_LINES:
            self._note(f"    … {len(lines) - DIFF_LINES} more lines", dim=True)

    def _note(self, text: str, colour: str | None = None, dim: bool = False) -> None:
        if self._coloured:
            text = typer.style(text, fg=colour, dim=dim or None)
        print(text, file=sys.stderr, flush=True)


def duration(time: dict[str, int]) -> str:
    """``12 ms``, ``3.4 s``."""
    took = time["end"] - time["start"]
    return f"{took} ms" if took < 1000 else f"{took / 1000:.1f} s"


def shorten(number: int) -> str:
    if number >= 1_000_000:
        return f"{number / 1_000_000:.1f}M"
    return f"{number / 1000:.1f}K" if number >= 1000 else str(number)


def _subject(part: dict[str, Any]) -> str:
    state = part["state"]
    title = state.get("title") or ""
    if not title:
        values = state["input"]
        title = str(values.get("command") or values.get("filePath") or values.get("pattern") or "")
    return title.splitlines()[0][:120] if title else ""


def _head(text: str, lines: int) -> str:
    shown = text.splitlines()
    if len(shown) <= lines:
        return text
    return "\n".join([*shown[:lines], f"… {len(shown) - lines} more lines"])


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
