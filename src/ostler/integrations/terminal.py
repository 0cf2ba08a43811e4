"""Terminals: programs behind a pseudo-terminal, with what they printed last.

Output is kept in a ring of characters, counted from the program's start. Whoever shows it reads
from a position of its own, so that a slow reader holds up nobody and costs nothing.
"""

import asyncio
import codecs
import errno
import os
import secrets
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ostler import ids
from ostler.programs import signal_group
from ostler.schema.errors import BadRequest, TaggedNotFound
from ostler.schema.pty import Pty, PtyCreateInput, PtySize

if TYPE_CHECKING:
    from ptyprocess import PtyProcess

KEPT = 2 * 1024 * 1024
"""Characters of output that are kept (OpenCode 1.18)."""
MOST_RUNNING = 50
MOST_EXITED = 25
TICKET_SECONDS = 60
GRACE = 1.0
"""Seconds between SIGHUP and SIGKILL."""
LOGIN_SHELLS = frozenset(("bash", "dash", "fish", "ksh", "sh", "tcsh", "csh", "zsh"))
_CHUNK = 64 * 1024


class Ring:
    """The last ``KEPT`` characters; ``end`` counts all there ever were."""

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._pieces: deque[str] = deque()
        self._size = 0
        self.end = 0

    @property
    def start(self) -> int:
        return self.end - self._size

    def add(self, text: str) -> None:
        self._pieces.append(text)
        self._size += len(text)
        self.end += len(text)
        while self._size > self._limit:
            surplus = self._size - self._limit
            first = self._pieces.popleft()
            if len(first) > surplus:
                self._pieces.appendleft(first[surplus:])
                self._size -= surplus
            else:
                self._size -= len(first)

    def since(self, position: int) -> str:
        """What came after a position, as far as it is kept."""
        wanted = self.end - max(position, self.start)
        found: list[str] = []
        for piece in reversed(self._pieces):
            if wanted <= 0:
                break
            found.append(piece[-wanted:] if len(piece) > wanted else piece)
            wanted -= len(found[-1])
        return "".join(reversed(found))


class Terminal:
    """One program. ``changed`` is called when it has exited."""

    def __init__(self, info: Pty, process: "PtyProcess", changed: Callable[[], None]) -> None:
        self.info = info
        self.output = Ring()
        self._process, self._changed = process, changed
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pending = b""
        os.set_blocking(process.fd, False)
        self._loop.add_reader(process.fd, self._read)
        self._open = True

    async def more(self, position: int) -> str | None:
        """What came after a position, as soon as there is something; None once it has exited and
        all was read."""
        while self.output.end <= position:
            if not self._open:
                return None
            self._news.clear()
            await self._news.wait()
        return self.output.since(position)

    def write(self, text: str) -> None:
        """Input, as if typed. What the program does not take at once waits, up to a limit."""
        if self._open:
            self._pending = (self._pending + text.encode("utf-8", "replace"))[-KEPT:]
            self._flush()

    def resize(self, size: PtySize) -> None:
        if self._open:
            self._process.setwinsize(size.rows, size.cols)

    async def close(self) -> None:
        """End the program and what it started."""
        for number in (signal.SIGHUP, signal.SIGKILL):
            if not self._open:
                return
            signal_group(self.info.pid, number)
            try:
                async with asyncio.timeout(GRACE):
                    while await self.more(self.output.end) is not None:
                        pass
            except TimeoutError:
                continue
        self._end()

    def _read(self) -> None:
        try:
            data = os.read(self._process.fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as e:
            if e.errno != errno.EIO:  # EIO: the last one who had it open is gone
                raise
            data = b""
        if data:
            self.output.add(self._decoder.decode(data))
            self._news.set()
        else:
            self._end()

    def _flush(self) -> None:
        try:
            written = os.write(self._process.fd, self._pending[:_CHUNK])
        except BlockingIOError:
            written = 0
        except OSError:
            self._pending = b""
            return
        self._pending = self._pending[written:]
        if self._pending:
            self._loop.add_writer(self._process.fd, self._flush)
        else:
            self._loop.remove_writer(self._process.fd)

    def _end(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._process.fd)
        self._loop.remove_writer(self._process.fd)
        waiting = self._loop.run_in_executor(None, self._wait)
        waiting.add_done_callback(lambda done: self._exited(done.result()))

    def _wait(self) -> int:
        """The exit status. A program that let go of its terminal and runs on is ended."""
        deadline = time.monotonic() + GRACE
        while self._process.isalive() and time.monotonic() < deadline:
            time.sleep(0.005)
        self._process.close(force=True)
        status = self._process.exitstatus
        return int(status) if status is not None else 128 + int(self._process.signalstatus or 0)

    def _exited(self, status: int) -> None:
        self.info = msgspec.structs.replace(self.info, status="exited", exitCode=status)
        self._news.set()
        self._changed()


Told = Callable[[str, Pty], None]


class Terminals:
    """The terminals of one directory. ``told`` hears (created | updated | exited | deleted, which);
    ``added`` answers the variables that plugins add for a program started in a directory.
    Close it when done."""

    def __init__(
        self,
        directory: str,
        shell: str,
        environment: Mapping[str, str],
        told: Told,
        added: Callable[[str], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._directory, self._shell, self._told, self._added = directory, shell, told, added
        self._environment = environment
        self._all: dict[str, Terminal] = {}
        self._tickets: dict[str, tuple[str, float]] = {}

    def running(self) -> list[Pty]:
        return [t.info for t in self._all.values() if t.info.status == "running"]

    def get(self, pty_id: str) -> Terminal:
        """A running terminal. Raises TaggedNotFound."""
        found = self._all.get(pty_id)
        if found is None or found.info.status != "running":
            raise TaggedNotFound("Pty", "ptyID", pty_id)
        return found

    def ticket(self, pty_id: str) -> str:
        """A word that lets one connection in, once, within TICKET_SECONDS. Raises
        TaggedNotFound."""
        self.get(pty_id)
        now = time.monotonic()
        self._tickets = {t: (p, until) for t, (p, until) in self._tickets.items() if until > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = (pty_id, now + TICKET_SECONDS)
        return ticket

    def redeem(self, pty_id: str, ticket: str) -> bool:
        """Whether a ticket lets a connection to this terminal in; it is used up."""
        found = self._tickets.pop(ticket, None)
        return found is not None and found[0] == pty_id and found[1] > time.monotonic()

    async def create(self, wanted: PtyCreateInput) -> Pty:
        """Start a program. Raises BadRequest when it cannot be, or there are too many."""
        if len(self.running()) >= MOST_RUNNING:
            raise BadRequest(f"{MOST_RUNNING} terminals are open; close one first")
        command = wanted.command or self._shell
        arguments = [*(wanted.args or ()), *_login(command)]
        directory = os.path.normpath(os.path.join(self._directory, wanted.cwd or ""))
        environment = {
            **self._environment,
            **(wanted.env or {}),
            **await self._added(directory),
            "TERM": "xterm-256color",
            "OPENCODE_TERMINAL": "1",
        }
        process = await asyncio.to_thread(_spawn, [command, *arguments], directory, environment)
        pty_id = ids.new("pty")
        info = Pty(
            id=pty_id,
            title=wanted.title or f"Terminal {pty_id[-4:]}",
            command=command,
            args=arguments,
            cwd=directory,
            status="running",
            pid=process.pid,
        )
        self._all[pty_id] = Terminal(info, process, lambda: self._exited(pty_id))
        self._told("created", info)
        return info

    def update(self, pty_id: str, title: str | None, size: PtySize | None) -> Pty:
        """Raises TaggedNotFound."""
        terminal = self.get(pty_id)
        if title:
            terminal.info = msgspec.structs.replace(terminal.info, title=title)
        if size is not None:
            terminal.resize(size)
        self._told("updated", terminal.info)
        return terminal.info

    async def remove(self, pty_id: str) -> None:
        """Raises TaggedNotFound."""
        terminal = self.get(pty_id)
        del self._all[pty_id]
        await terminal.close()
        self._told("deleted", terminal.info)

    async def close(self) -> None:
        """End all of them."""
        terminals, self._all = list(self._all.values()), {}
        await asyncio.gather(*(t.close() for t in terminals))

    def _exited(self, pty_id: str) -> None:
        terminal = self._all.get(pty_id)
        if terminal is None:
            return
        self._told("exited", terminal.info)
        gone = [key for key, t in self._all.items() if t.info.status == "exited"]
        for key in gone[: max(0, len(gone) - MOST_EXITED)]:
            del self._all[key]


def _login(command: str) -> Sequence[str]:
    return ("-l",) if os.path.basename(command) in LOGIN_SHELLS else ()


def _spawn(command: list[str], directory: str, environment: dict[str, str]) -> "PtyProcess":
    from ptyprocess import PtyProcess  # few processes open a terminal

    if not os.path.isdir(directory):
        raise BadRequest(f'No such directory: {directory}\n  at ["cwd"]', "Payload")
    try:
        return PtyProcess.spawn(command, cwd=directory, env=environment)
    except OSError as e:
        raise BadRequest(
            f'Cannot run {command[0]}: {e.strerror}\n  at ["command"]', "Payload"
        ) from None
    except Exception as e:  # ptyprocess's own, of no common class
        raise BadRequest(f'Cannot run {command[0]}: {e}\n  at ["command"]', "Payload") from None
