"""Text files that tools change: read and written back without losing what was not edited.

A byte order mark, CRLF line ends, bytes that are not UTF-8, the file's mode and links to it all
survive: files are written in place, and undecodable bytes travel as surrogates.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

import msgspec

from ostler.schema.errors import ToolError

MARK = "\ufeff"

_locks: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()


class TextFile(msgspec.Struct, frozen=True):
    """``text`` without the byte order mark; ``marked``: it had one."""

    text: str
    marked: bool = False


def split_mark(text: str) -> TextFile:
    return TextFile(text.removeprefix(MARK), text.startswith(MARK))


def read_text(path: str) -> TextFile:
    """The file's text. Raises OSError."""
    with open(path, "rb") as file:
        return split_mark(file.read().decode("utf-8", "surrogateescape"))


def write_text(path: str, text: str, marked: bool) -> None:
    """Write a file in place, making its folders. Raises ToolError that names the path."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(((MARK if marked else "") + text).encode("utf-8", "surrogateescape"))
    except (FileExistsError, NotADirectoryError) as e:
        raise ToolError(f"Cannot write {path}: {e.filename} is not a directory") from None
    except OSError as e:
        raise ToolError(f"Cannot write {path}: {e.strerror}") from None
    except UnicodeEncodeError as e:
        raise ToolError(
            f"Cannot write {path}: character {e.start} of the text is half of a surrogate pair"
        ) from None


def settle_mark(path: str, marked: bool) -> str:
    """The file's text after a formatter had its turn, its byte order mark put right."""
    try:
        after = read_text(path)
    except OSError:
        return ""
    if after.marked != marked:
        write_text(path, after.text, marked)
    return after.text


@asynccontextmanager
async def locked(*paths: str) -> AsyncIterator[None]:
    """Hold files for one change at a time, by their real paths.

    Locks live as long as somebody holds or awaits them. They are taken in one order, so that two
    changes of the same files cannot wait for each other.
    """
    async with AsyncExitStack() as stack:
        for lock in _ordered_locks(paths):
            await stack.enter_async_context(lock)
        yield


def _ordered_locks(paths: Iterable[str]) -> list[asyncio.Lock]:
    # An asyncio lock belongs to one event loop; a process may have several.
    loop = id(asyncio.get_running_loop())
    keys = sorted({(loop, os.path.realpath(path)) for path in paths})
    return [_locks.setdefault(key, asyncio.Lock()) for key in keys]
