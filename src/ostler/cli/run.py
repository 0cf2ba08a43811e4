"""``ostler run``: one prompt, to its end."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostler.cli.backend import Backend
    from ostler.models.replay import Tape

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

TITLE_LENGTH = 50
_DENIED = ("question", "plan_enter", "plan_exit")


@app.command()
def run(
    message: Annotated[list[str] | None, typer.Argument(help="What to do.")] = None,
    command: Annotated[
        str, typer.Option("--command", help="Run this command; the message is its arguments.")
    ] = "",
    continued: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on in the newest session.")
    ] = False,
    session: Annotated[str, typer.Option("--session", "-s", help="Go on in this session.")] = "",
    fork: Annotated[bool, typer.Option("--fork", help="Go on in a copy of it.")] = False,
    model: Annotated[str, typer.Option("--model", "-m", help="provider/model.")] = "",
    agent: Annotated[str, typer.Option("--agent", help="The agent that works.")] = "",
    output: Annotated[
        str, typer.Option("--format", help="default, or json: one event a line.")
    ] = "default",
    file: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="A file to attach.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", help="The session's title; empty: from the message.")
    ] = None,
    attach: Annotated[str, typer.Option("--attach", help="Use the server at this URL.")] = "",
    password: Annotated[str, typer.Option("--password", "-p", help="For --attach.")] = "",
    username: Annotated[str, typer.Option("--username", "-u", help="For --attach.")] = "",
    directory: Annotated[str, typer.Option("--dir", help="Work in this directory.")] = "",
    variant: Annotated[str, typer.Option("--variant", help="A variant of the model.")] = "",
    budget: Annotated[
        str, typer.Option("--budget", help="tokens=…, cost=… (USD), seconds=…, with commas.")
    ] = "",
    record: Annotated[
        str, typer.Option("--record", help="Write what models say to this cassette.")
    ] = "",
    replay: Annotated[
        str, typer.Option("--replay", help="Play a cassette instead of asking models.")
    ] = "",
    thinking: Annotated[bool, typer.Option("--thinking", help="Show the reasoning.")] = False,
    auto: Annotated[
        bool,
        typer.Option(
            "--auto",
            "--yolo",
            "--dangerously-skip-permissions",
            help="Allow what would be asked; what is denied stays denied.",
        ),
    ] = False,
) -> None:
    """Run a prompt to its end, printing each step.

    The model's words go to stdout, everything else to stderr. What would be asked is refused,
    unless --auto. Input that is piped in is added to the message.

    Exit codes: 0 the turn ended well; 1 unexpected; 2 usage; 3 configuration; 4 credential or
    quota; 5 provider unreachable or failing; 6 context or output limit; 7 refused by the provider;
    8 a permission or question was rejected; 9 aborted; 10 wrong shape; 130 interrupted.
    """
    from ostler.cli.failures import USAGE, Stop, reported
    from ostler.cli.serve import asyncio_run, tape_of

    with reported():
        request = Request(
            text=_text(message or []),
            command=command,
            continued=continued,
            session=session,
            fork=fork,
            model=model,
            agent=agent,
            json=_is_json(output),
            files=file or [],
            title=title,
            variant=variant,
            budget=_budget(budget),
            thinking=thinking,
            auto=auto,
        )
        request.check()
        if attach and (record or replay):
            raise Stop("--record and --replay are for the server that --attach names", USAGE)
        tape = tape_of(record, replay)
        code = asyncio_run(_run(request, attach, directory, username, password, tape))
    sys.exit(code)


class Request(msgspec.Struct, kw_only=True):
    """What was asked for on the command line."""

    text: str
    command: str = ""
    continued: bool = False
    session: str = ""
    fork: bool = False
    model: str = ""
    agent: str = ""
    json: bool = False
    files: list[Path] = []
    title: str | None = None
    variant: str = ""
    budget: dict[str, float] = {}
    thinking: bool = False
    auto: bool = False

    def check(self) -> None:
        """Raises Stop."""
        from ostler.cli.failures import USAGE, Stop

        if not self.text.strip() and not self.command:
            raise Stop("You must provide a message or a command", USAGE)
        if self.fork and not (self.continued or self.session):
            raise Stop("--fork needs --continue or --session", USAGE)
        if self.model and "/" not in self.model:
            raise Stop(f"--model: expected provider/model, got {self.model!r}", USAGE)
        for file in self.files:
            if not file.exists():
                raise Stop(f"File not found: {file}", USAGE)


def _text(words: list[str]) -> str:
    """The words, those with blanks in quotes (OpenCode 1.18 keeps them), and what is piped in."""
    quoted = ['"' + w.replace('"', '\\"') + '"' if " " in w else w for w in words]
    text = " ".join(quoted)
    if not sys.stdin.isatty():
        piped = sys.stdin.read()
        if piped:
            text = f"{text}\n{piped}" if text else piped
    return text


def _budget(text: str) -> dict[str, float]:
    """``cost=0.5,tokens=100000`` as the API has it. Raises Stop."""
    from ostler.cli.failures import USAGE, Stop

    result: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name.strip() not in ("tokens", "cost", "seconds"):
            raise Stop(f"--budget: expected tokens=, cost= or seconds=, got {part!r}", USAGE)
        try:
            number = float(value)
        except ValueError:
            raise Stop(f"--budget: {part!r} has no number", USAGE) from None
        result[name.strip()] = int(number) if name.strip() == "tokens" else number
    return result


def _is_json(output: str) -> bool:
    from ostler.cli.failures import USAGE, Stop

    if output not in ("default", "json"):
        raise Stop(f"--format: expected default or json, got {output!r}", USAGE)
    return output == "json"


async def _run(
    request: Request,
    attach: str,
    directory: str,
    username: str,
    password: str,
    tape: "Tape | None",
) -> int:
    from ostler.cli.backend import LocalBackend, RemoteBackend

    backend: Backend
    if attach:
        backend = await RemoteBackend.open(attach, directory, username, password)
    else:
        backend = await LocalBackend.open(directory, tape)
    try:
        run = Run(backend, request)
        if isinstance(backend, LocalBackend):
            held = await backend.settle_trust(_asks() if not request.json else None)
            run.show_held_back(held)
        code = await run.to_end()
        if isinstance(backend, LocalBackend):
            await backend.clean_up()
        return code
    finally:
        await backend.close()


def _asks() -> "Callable[[str, list[str]], bool] | None":
    """How a person is asked for trust, where there is one."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    from ostler.cli.trust import ask

    return ask


class Run:
    """One run against a backend."""

    def __init__(self, backend: "Backend", request: Request) -> None:
        from ostler.cli.render import Screen

        self._backend, self._request = backend, request
        self._screen = Screen(request.thinking)
        self._session = ""
        self._shown: set[str] = set()
        self._user_messages: set[str] = set()
        self._rejected = False
        self._steps = 0
        self._cost = 0.0
        self._tokens: dict[str, Any] = {
            "input": 0,
            "output": 0,
            "reasoning": 0,
            "cache": {"read": 0, "write": 0},
        }

    def show_held_back(self, held: list[str]) -> None:
        if held and not self._request.json:
            self._screen.warning(f"held back until you run `ostler trust`: {', '.join(held)}")

    @property
    def session_id(self) -> str:
        """Known once the run has begun."""
        return self._session

    async def to_end(self) -> int:
        """The exit code."""
        import asyncio

        began = time.monotonic()
        self._session = await self._open_session()
        await self._choose_agent()
        ready = asyncio.Event()
        following = asyncio.create_task(self._follow(ready))
        await ready.wait()
        try:
            answer = await self._prompt()
        except BaseException:
            following.cancel()
            await asyncio.wait((following,))
            raise
        await self._backend.flush()
        following.cancel()
        await asyncio.wait((following,))
        for event in await self._backend.rest():
            await self._event(*event)
        return self._conclude(answer, time.monotonic() - began)

    async def _open_session(self) -> str:
        from ostler.cli.failures import USAGE, Stop

        backend, request = self._backend, self._request
        if request.session:
            session = await backend.session(request.session)
        elif request.continued:
            newest = await backend.newest_session()
            if newest is None:
                raise Stop("there is no session to continue", USAGE)
            session = newest
        else:
            return await self._new_session()
        if request.fork:
            session = await backend.fork(session["id"])
        return str(session["id"])

    async def _new_session(self) -> str:
        body: dict[str, Any] = {
            "permission": [
                {"permission": name, "pattern": "*", "action": "deny"} for name in _DENIED
            ]
        }
        title = self._request.title
        if title is not None:
            text = self._request.text.strip()
            shortened = text[:TITLE_LENGTH] + ("..." if len(text) > TITLE_LENGTH else "")
            body["title"] = title or shortened
        return str((await self._backend.create_session(body))["id"])

    async def _choose_agent(self) -> None:
        """An agent that is unknown, or only for subtasks, is replaced by the default one."""
        name = self._request.agent
        if not name:
            return
        agents = {a["name"]: a for a in await self._backend.agents()}
        if name not in agents:
            self._screen.warning(f'agent "{name}" not found; using the default agent')
            self._request.agent = ""
        elif agents[name]["mode"] == "subagent":
            self._screen.warning(f'agent "{name}" is a subagent; using the default agent')
            self._request.agent = ""

    async def _prompt(self) -> dict[str, Any]:
        request = self._request
        files = [self._backend.file_part(file) for file in request.files]
        chosen: dict[str, Any] = {
            key: value
            for key, value in (
                ("agent", request.agent),
                ("variant", request.variant),
                ("budget", request.budget),
            )
            if value
        }
        if request.command:
            if request.model:
                chosen["model"] = request.model
            body = {
                "command": request.command,
                "arguments": request.text,
                "parts": files,
                **chosen,
            }
            return await self._backend.command(self._session, body)
        if request.model:
            provider, _, model = request.model.partition("/")
            chosen["model"] = {"providerID": provider, "modelID": model}
        body = {"parts": [*files, {"type": "text", "text": request.text}], **chosen}
        return await self._backend.prompt(self._session, body)

    # ── events ───────────────────────────────────────────────────────────────────────────────

    async def _follow(self, ready: Any) -> None:
        async for kind, properties in self._backend.events(ready):
            await self._event(kind, properties)

    async def _event(self, kind: str, properties: dict[str, Any]) -> None:
        if kind == "permission.asked":
            await self._permission(properties)
        if properties.get("sessionID") != self._session:
            return
        if kind == "message.part.updated":
            self._part(properties["part"])
        elif kind == "message.updated":
            self._message(properties["info"])
        elif kind == "session.error":
            self._line("error", error=properties.get("error"))
        elif kind == "session.status":
            status = properties["status"]
            if status["type"] == "retry" and not self._request.json:
                self._screen.retry(status)

    def _message(self, info: dict[str, Any]) -> None:
        if info["role"] == "user":
            self._user_messages.add(info["id"])
        elif not self._request.json:
            self._screen.agent(info["agent"], info["modelID"])

    async def _permission(self, asked: dict[str, Any]) -> None:
        if not await self._backend.is_ours(asked["sessionID"], self._session):
            return
        reply = "once" if self._request.auto else "reject"
        if reply == "reject":
            self._rejected = True
            self._screen.asked(asked, "auto-rejecting")
        await self._backend.reply_permission(asked["id"], reply)

    def _part(self, part: dict[str, Any]) -> None:
        kind = part["type"]
        if kind == "step-start":
            self._once(part, "step_start")
        elif kind == "step-finish":
            if self._once(part, "step_finish"):
                self._count(part)
        elif kind == "text" and (part.get("time") or {}).get("end"):
            if part["messageID"] not in self._user_messages or self._request.json:
                self._once(part, "text")
        elif kind == "reasoning" and part["time"].get("end"):
            if self._request.thinking:
                self._once(part, "reasoning")
        elif kind == "tool" and part["state"]["status"] in ("completed", "error"):
            self._once(part, "tool_use")

    def _once(self, part: dict[str, Any], kind: str) -> bool:
        if part["id"] in self._shown:
            return False
        self._shown.add(part["id"])
        if self._request.json:
            self._line(kind, part=part)
        else:
            self._screen.part(part)
        return True

    def _count(self, part: dict[str, Any]) -> None:
        self._steps += 1
        self._cost += part["cost"]
        for name in ("input", "output", "reasoning"):
            self._tokens[name] += part["tokens"][name]
        for name in ("read", "write"):
            self._tokens["cache"][name] += part["tokens"]["cache"][name]

    def _line(self, kind: str, **fields: Any) -> None:
        if not self._request.json:
            return
        now = time.time_ns() // 1_000_000
        line = {"type": kind, "timestamp": now, "sessionID": self._session, **fields}
        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _conclude(self, answer: dict[str, Any], seconds: float) -> int:
        from ostler.cli import failures

        error = answer["info"].get("error")
        if not self._request.json:
            if error is not None:
                data = error.get("data") or {}
                self._screen.error(data.get("message") or error["name"])
            self._screen.total(self._steps, self._tokens, self._cost, seconds)
        if error is not None:
            return failures.exit_code(error)
        if answer["info"].get("finish") == "length":
            self._screen.error("the answer was cut off at the output limit")
            return failures.LIMIT
        if self._rejected and answer["info"].get("finish") == "tool-calls":
            return failures.REJECTED
        return failures.OK
