"""``ostler serve``: the HTTP API."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

if TYPE_CHECKING:
    import uvicorn

    from ostler.models.replay import Tape
    from ostler.server.access import Access

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

T = TypeVar("T")


class Served(Protocol):
    """An ASGI application that can end its open streams."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def close_streams(self) -> None: ...


DEFAULT_PORT = 4096
STOP_SECONDS = 3


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(help="Port; 0 means 4096, or any free one if that is taken.")
    ] = 0,
    hostname: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    cors: Annotated[list[str] | None, typer.Option(help="A web origin to allow.")] = None,
    record: Annotated[
        str, typer.Option("--record", help="Write what models say to this cassette.")
    ] = "",
    replay: Annotated[
        str, typer.Option("--replay", help="Play a cassette instead of asking models.")
    ] = "",
    until_stdin_ends: Annotated[
        bool,
        typer.Option(
            "--until-stdin-ends",
            help="Stop when standard input ends: with the program that started it.",
        ),
    ] = False,
) -> None:
    """Serve the HTTP API of this directory and any other a request names.

    With OPENCODE_SERVER_PASSWORD set every request needs it (Basic, user OPENCODE_SERVER_USERNAME,
    ``opencode`` by default); it must be set to listen on anything but this machine.
    """
    from ostler.cli.failures import reported

    with reported():
        tape = tape_of(record, replay)
        asyncio_run(_serve(port, hostname, cors or [], tape, until_stdin_ends))


def asyncio_run(work: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where there is one: it spawns and streams faster."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def tape_of(record: str, replay: str) -> "Tape | None":
    """What ``--record`` and ``--replay`` ask for. Raises BadRequest."""
    if not (record or replay):
        return None
    from ostler.models.replay import Player, Recorder
    from ostler.schema.errors import BadRequest

    if record and replay:
        raise BadRequest("--record and --replay exclude each other")
    return Recorder(record) if record else Player(replay)


async def _serve(
    port: int, hostname: str, cors: list[str], tape: "Tape | None", until_stdin_ends: bool
) -> None:
    from ostler.runtime import Runtime
    from ostler.server.app import App
    from ostler.server.inside import inside_app

    runtime = Runtime(tape=tape, inside=inside_app)
    settings = runtime.server_settings()
    host = hostname or settings.hostname or "127.0.0.1"
    access = access_at(host, [*cors, *(settings.cors or ())])
    listener = listen(host, port or settings.port or 0)
    runtime.start_housekeeping()
    app = App(runtime, access)
    runtime.url = url_of(listener)
    await serve_app(app, listener, "server", access.password is None, until_stdin_ends)


def access_at(host: str, origins: list[str]) -> "Access":
    """Who may talk to a server that listens on ``host``, from the environment. Raises BadParameter
    where that takes a password."""
    from ostler.server.access import Access, is_loopback

    password = os.environ.get("OPENCODE_SERVER_PASSWORD") or None
    if password is None and not is_loopback(host):
        raise typer.BadParameter(
            f"listening on {host} needs a password: set OPENCODE_SERVER_PASSWORD",
            param_hint="--hostname",
        )
    return Access(
        password=password,
        username=os.environ.get("OPENCODE_SERVER_USERNAME") or "opencode",
        hosts=frozenset((host,)),
        any_host=host in ("0.0.0.0", "::"),
        origins=frozenset(origins),
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Port 0: 4096, else whatever is free. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in (DEFAULT_PORT, 0) if port == 0 else (port,):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(2048)
        except OSError as e:
            listener.close()
            if candidate == DEFAULT_PORT and port == 0:
                continue
            raise OSError(f"cannot listen on {host}:{candidate}: {e.strerror}") from None
        return listener
    raise AssertionError("unreachable")


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve_app(
    app: "Served",
    listener: socket.socket,
    name: str,
    unsecured: bool,
    until_stdin_ends: bool = False,
) -> None:
    """Until a signal says stop."""
    server = server_of(app)
    loop = asyncio.get_running_loop()
    if until_stdin_ends:
        threading.Thread(target=_at_the_end_of_stdin, args=(loop, server), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    if unsecured:
        print("Warning: OPENCODE_SERVER_PASSWORD is not set; server is unsecured.")
    print(f"ostler {name} listening on {url_of(listener)}")
    sys.stdout.flush()
    await server.serve(sockets=[listener])


def _at_the_end_of_stdin(loop: asyncio.AbstractEventLoop, server: "uvicorn.Server") -> None:
    while sys.stdin.buffer.read(4096):
        pass  # what is said there is nobody's business
    loop.call_soon_threadsafe(setattr, server, "should_exit", True)


def server_of(app: "Served") -> "uvicorn.Server":
    """The HTTP server for an application, not yet serving; it leaves signals alone."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="on",
        proxy_headers=False,  # nothing here asks who is behind a proxy
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return _quiet(uvicorn.Server, app)(config)


def _quiet(server: type["uvicorn.Server"], app: "Served") -> type["uvicorn.Server"]:
    """uvicorn's server without its signal handlers, which end the process by the signal again,
    and with an end for open event streams, which would hold up a stop."""

    class Quiet(server):  # type: ignore[valid-type,misc]
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await app.close_streams()
            await super().shutdown(sockets)

    return Quiet
