"""How a run goes, at a terminal: lines as things happen, or a picture that is kept up to date."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostler.control.store import Attempt, ControlStore, Run

LOOK_SECONDS = 0.3
MARKS = {"passed": "✓", "failed": "✗", "escalated": "!", "running": "…", "pending": " "}


async def follow(store: "ControlStore", run_id: str, quiet: bool = False) -> "Run":
    """Until the run is over."""
    from ostler.control.store import OVER

    shown = _Live() if sys.stderr.isatty() and not quiet else _Lines(quiet)
    with shown:
        while True:
            run = await asyncio.to_thread(store.run, run_id)
            shown.show(store, run)
            if run.status in OVER and run.ended is not None:
                return run
            await asyncio.sleep(LOOK_SECONDS)


class _Lines:
    """One line for what is new."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._said: set[str] = set()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_exc: object) -> None:
        pass

    def show(self, store: "ControlStore", run: "Run") -> None:
        if self._quiet:
            return
        for attempt in store.attempts(run.id):
            said = f"{attempt.title} {attempt.status}{_why(attempt)}"
            if said not in self._said:
                self._said.add(said)
                print(f"{said}  {_spent(attempt)}".rstrip(), file=sys.stderr)
        if run.ended is not None:
            print("\n".join(lines(store, run)), file=sys.stderr)


class _Live:
    def __init__(self) -> None:
        from rich.live import Live

        self._live = Live(auto_refresh=False, transient=False)

    def __enter__(self) -> "_Live":
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def show(self, store: "ControlStore", run: "Run") -> None:
        from rich.text import Text

        self._live.update(Text("\n".join(lines(store, run))), refresh=True)


def lines(store: "ControlStore", run: "Run") -> list[str]:
    """The whole picture: a line a stage, a line an attempt."""
    attempts = store.attempts(run.id)
    records = store.stages(run.id)
    end = run.ended or time.time()
    tokens = sum(_tokens(a) for a in attempts)
    cost = sum(a.cost for a in attempts)
    out = [
        f"{run.id}  {run.name}  {run.status}  {end - run.created:.0f} s  "
        f"{tokens:,} tokens  ${cost:.4f}"
    ]
    names = [*run.plan["stages"], *(k for k in records if k not in run.plan["stages"])]
    for key in names:
        record = records.get(key)
        status = record.status if record else "pending"
        out.append(f"{MARKS.get(status, '·')} {key}  {status}")
        for attempt in (a for a in attempts if a.stage == key):
            spent = _spent(attempt)
            out.append(f"    a{attempt.number}  {attempt.status}{_why(attempt)}  {spent}")
    if run.failure:
        out.append(f"{run.failure['kind']}: {run.failure['message']}")
    return out


def _why(attempt: "Attempt") -> str:
    if attempt.waiting:
        asked = attempt.waiting
        what = asked.get("permission") or "a question"
        return f"  waits for a person: {what}; ostler flow answer {attempt.run} …"
    if attempt.held_by:
        return f"  waits for a place: {attempt.held_by}"
    return f"  {attempt.failure['kind']}" if attempt.failure else ""


def _tokens(attempt: "Attempt") -> int:
    from ostler.control.spending import Spent

    return Spent(attempt.tokens or {}).total


def _spent(attempt: "Attempt") -> str:
    seconds = (attempt.ended or time.time()) - attempt.started
    model = f"{attempt.model}  " if attempt.model else ""
    return f"{model}{seconds:.0f} s  {_tokens(attempt):,} tokens  ${attempt.cost:.4f}"
