"""Where log records go: a file below the data folder, or stderr when asked."""

import logging

import typer

LEVELS = {"DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "ERROR": "ERROR"}
FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
FILE_BYTES = 5 * 2**20
FILES = 3


def configure(to_stderr: bool, level: str) -> None:
    """Raises typer.BadParameter for an unknown level."""
    if level.upper() not in LEVELS:
        raise typer.BadParameter(
            f"{level!r} is none of {', '.join(LEVELS)}", param_hint="log-level"
        )
    root = logging.getLogger()
    root.setLevel(LEVELS[level.upper()])
    root.addHandler(_stderr() if to_stderr else _LazyFile())


def _stderr() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


class _LazyFile(logging.Handler):
    """Opens the log file with the first record: most commands write none."""

    def __init__(self) -> None:
        super().__init__()
        self._file: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self._file is None:
            self._file = self._open()
        self._file.emit(record)

    def _open(self) -> logging.Handler:
        from logging.handlers import RotatingFileHandler
        from pathlib import Path

        from ostler.config.paths import default_paths

        folder = Path(default_paths().data) / "log"
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            folder / "ostler.log", maxBytes=FILE_BYTES, backupCount=FILES - 1
        )
        handler.setFormatter(logging.Formatter(FORMAT))
        return handler
