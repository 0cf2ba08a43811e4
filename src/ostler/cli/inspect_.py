"""``ostler inspect``: how a session went, readable, with what looks wrong."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostler.control.inspection import Call, Inspection, Step, Usage

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

LINE, TEXT, OUTPUT = 200, 4000, 400
"""Characters that are shown of a call's input, of a text, of an output, unless --full."""


@app.command()
def inspect(
    session: Annotated[
        str, typer.Argument(help="ses_…; - reads messages as JSON from standard input.")
    ],
    url: Annotated[
        str, typer.Option("--url", help="Ask this server; OPENCODE_API_URL. Else the local store.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Shorten nothing.")] = False,
) -> None:
    """Show a session: who said what, tokens and cost, and what looks wrong.

    Standard input may be what GET /session/{id}/message answers, or what `opencode export` writes.
    """
    import msgspec

    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        found = (
            _parsed(sys.stdin.buffer.read()) if session == "-" else asyncio_run(_read(session, url))
        )
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            print("\n".join(_page(found, full)))


def _parsed(data: bytes) -> "Inspection":
    """Raises Stop."""
    import msgspec

    from ostler.cli.failures import USAGE, Stop
    from ostler.control.inspection import inspect as inspected

    try:
        said = msgspec.json.decode(data)
    except msgspec.DecodeError as e:
        raise Stop(f"standard input is not JSON: {e}", USAGE) from None
    session: dict[str, Any] = {}
    messages = said
    if isinstance(said, dict) and "messages" in said:
        session, messages = said.get("info") or {}, said["messages"]
    elif isinstance(said, dict):
        messages = [said]
    if not isinstance(messages, list) or not all(
        isinstance(m, dict) and isinstance(m.get("info"), dict) for m in messages
    ):
        raise Stop("standard input holds no messages: [{info, parts}, …]", USAGE)
    return inspected(messages, session)


async def _read(session_id: str, url: str) -> "Inspection":
    """Raises RequestError, ClientError, Stop."""
    import os

    from ostler.cli.failures import USAGE, Stop

    if not session_id.startswith("ses"):
        raise Stop(f"not a session's id: {session_id}", USAGE)
    url = url or os.environ.get("OPENCODE_API_URL", "")
    return await (_from_server(session_id, url) if url else _from_store(session_id))


async def _from_server(session_id: str, url: str) -> "Inspection":
    from urllib.parse import quote

    from ostler.client import AsyncClient
    from ostler.control.inspection import inspect as inspected
    from ostler.control.trouble import is_below

    path = f"/session/{quote(session_id, safe='')}"
    async with AsyncClient(url) as client:
        session = await client.call(f"GET {path}")
        messages = await client.call(f"GET {path}/message", list[Any])
        located = session.get("directory")
        asks = [
            *await client.call("GET /permission", list[Any], directory=located),
            *await client.call("GET /question", list[Any], directory=located),
        ]
        states = await client.call("GET /session/status", dict[str, Any], directory=located)
        pending = [ask for ask in asks if await is_below(client, ask["sessionID"], session_id)]
    return inspected(messages, session, pending, session_id in states)


async def _from_store(session_id: str) -> "Inspection":
    import msgspec

    from ostler.control.inspection import inspect as inspected
    from ostler.runtime import Runtime

    runtime = Runtime()
    try:
        session = runtime.store.sessions.get(session_id)
        messages = runtime.store.messages.history(session_id)
    finally:
        await runtime.close()
    plain: list[Any] = msgspec.to_builtins(messages)
    return inspected(plain, msgspec.to_builtins(session))


# ── the page ──────────────────────────────────────────────────────────────────────────────────


def _page(found: "Inspection", full: bool) -> "Iterator[str]":
    session = found.session
    if session:
        yield f"{session.get('id', '')}  {session.get('title', '')}".rstrip()
        yield f"{session.get('directory', '')}"
    yield f"{len(found.steps)} messages, {_tokens(found.usage)}, ${found.cost:.4f}"
    for step in found.steps:
        yield ""
        yield from _step(step, full)
    yield ""
    if not found.findings:
        yield "Nothing looks wrong."
        return
    yield "What looks wrong:"
    for finding in found.findings:
        place = f" [{finding.messageID}]" if finding.messageID else ""
        kind = f" ({finding.kind})" if finding.kind else ""
        yield f"- {finding.rule}{kind}: {finding.message}{place}"


def _step(step: "Step", full: bool) -> "Iterator[str]":
    facts = [step.role, step.id, step.agent, step.model]
    if step.role == "assistant":
        facts += [step.finish, _tokens(step.usage), f"${step.cost:.4f}"]
        facts.append("not ended" if step.seconds is None else f"{step.seconds:.1f} s")
    yield "== " + "  ".join(fact for fact in facts if fact)
    if step.reasoning:
        yield f"(thought: {_short(step.reasoning, LINE, full)})"
    if step.text.strip():
        yield _short(step.text.strip(), TEXT, full)
    for call in step.calls:
        yield from _call(call, full)
    if step.error:
        data = step.error.get("data") or {}
        yield f"! {step.error.get('name', 'error')}: {data.get('message', '')}"


def _call(call: "Call", full: bool) -> "Iterator[str]":
    import msgspec

    given = msgspec.json.encode(call.input).decode()
    yield f"> {call.tool} {_short(given, LINE, full)} -> {call.status}"
    if call.said.strip():
        yield "  " + _short(call.said.strip(), OUTPUT, full).replace("\n", "\n  ")


def _tokens(usage: "Usage") -> str:
    text = f"{usage.input} in, {usage.output} out"
    if usage.reasoning:
        text += f", {usage.reasoning} reasoning"
    if usage.cache_read or usage.cache_write:
        text += f", cache {usage.cache_read} read {usage.cache_write} written"
    return text + " tokens"


def _short(text: str, limit: int, full: bool) -> str:
    if full or len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit} more characters)"
