"""``ostler stats``: what was used, and what it cost."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

if TYPE_CHECKING:
    from ostler.store.statistics import ModelUse, Statistics

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

WIDTH = 56
BAR = 20
NAME = 18


class _Command(typer.core.TyperCommand):
    """``--models`` stands alone or before a number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        following = [*args[1:], ""][: len(args)]
        return super().parse_args(
            ctx,
            [
                "--models=all" if a == "--models" and not n.isdigit() else a
                for a, n in zip(args, following, strict=True)
            ],
        )


@app.command(cls=_Command)
def stats(
    days: Annotated[
        int | None, typer.Option("--days", help="The last N days; 0: today. Default: all.")
    ] = None,
    tools: Annotated[
        int | None, typer.Option("--tools", help="How many tools to show. Default: all.")
    ] = None,
    models: Annotated[
        str,
        typer.Option("--models", help="Show models: all, or so many.", metavar="[N]"),
    ] = "",
    project: Annotated[
        str | None,
        typer.Option("--project", help="One project's id; empty: this one. Default: all."),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="default, or json.")] = "default",
) -> None:
    """Show what was used and what it cost: the sum of all messages, subagents' included."""
    from ostler.cli.failures import USAGE, Stop, reported

    with reported():
        if output not in ("default", "json"):
            raise Stop(f"--format: expected default or json, got {output!r}", USAGE)
        found = _statistics(days, project)
        if output == "json":
            import msgspec

            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
            return
        if models not in ("", "all") and not models.isdigit():
            raise Stop(f"--models: expected a number, got {models!r}", USAGE)
        print("\n".join(_boxes(found, days, tools, models)))


def _statistics(days: int | None, project: str | None) -> "Statistics":
    import os
    from datetime import datetime, timedelta

    from ostler.config.paths import default_paths
    from ostler.events import Bus
    from ostler.project.identity import identify
    from ostler.store import Store

    since = 0
    if days is not None:
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        begin = midnight if days == 0 else datetime.now().astimezone() - timedelta(days=days)
        since = int(begin.timestamp() * 1000)
    if project == "":
        project = identify(os.getcwd()).project_id
    paths = default_paths()
    paths.ensure()
    store = Store(paths.database, Bus())
    try:
        return store.statistics(since, project)
    finally:
        store.close()


# ── boxes, as wide as OpenCode 1.18's ─────────────────────────────────────────────────────────


def _boxes(found: "Statistics", days: int | None, tools: int | None, models: str) -> list[str]:
    span = max(1, days) if days is not None else found.days
    lines = _box(
        "OVERVIEW",
        [
            _row("Sessions", f"{found.sessions:,}"),
            _row("Messages", f"{found.messages:,}"),
            _row("Days", str(span)),
        ],
    )
    lines += _box(
        "COST & TOKENS",
        [
            _row("Total Cost", f"${found.cost:.2f}"),
            _row("Avg Cost/Day", f"${found.cost / max(1, span):.2f}"),
            _row("Avg Tokens/Session", _short(found.average)),
            _row("Median Tokens/Session", _short(found.median)),
            _row("Input", _short(found.input)),
            _row("Output", _short(found.output)),
            _row("Cache Read", _short(found.cache_read)),
            _row("Cache Write", _short(found.cache_write)),
        ],
    )
    if models and found.models:
        shown = found.models if models == "all" else found.models[: int(models)]
        lines += _box("MODEL USAGE", [line for model in shown for line in _model(model)])
    if found.tools:
        lines += _box("TOOL USAGE", _tools(found.tools, tools))
    return lines


def _box(title: str, rows: list[str]) -> list[str]:
    rule = "─" * WIDTH
    return [
        f"┌{rule}┐",
        f"│{title.center(WIDTH)}│",
        f"├{rule}┤",
        *(f"│{row}│" for row in rows),
        f"└{rule}┘",
        "",
    ]


def _row(label: str, value: str) -> str:
    room = WIDTH - 1 - len(value)
    return f"{label[: room - 1]:<{room}}{value} "


def _model(use: "ModelUse") -> list[str]:
    return [
        f" {use.model:<{WIDTH - 1}}"[:WIDTH],
        _row("  Messages", f"{use.messages:,}"),
        _row("  Input Tokens", _short(use.input)),
        _row("  Output Tokens", _short(use.output)),
        _row("  Cache Read", _short(use.cache_read)),
        _row("  Cache Write", _short(use.cache_write)),
        _row("  Cost", f"${use.cost:.4f}"),
    ]


def _tools(used: dict[str, int], most: int | None) -> list[str]:
    total, top = sum(used.values()), max(used.values())
    rows = []
    for name, count in list(used.items())[:most]:
        bar = "█" * max(1, round(count / top * BAR))
        text = f" {name[:NAME]:<{NAME}} {bar:<{BAR}} {count:>3} ({count / total:>5.1%})"
        rows.append(f"{text:<{WIDTH}}")
    return rows


def _short(value: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if value >= size:
            return f"{value / size:.1f}{letter}"
    return f"{value:.0f}"
