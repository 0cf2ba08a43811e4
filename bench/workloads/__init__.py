"""The workloads: each is a coroutine or function of a ``Place`` that gives figures by key. What a
key means is said in ``bench/figures.py``.

A workload's place is made for it and kept for its runs: what is dear to build is built once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.target import Place
from bench.workloads.audience import audience
from bench.workloads.crash import recovery
from bench.workloads.crowd import crowd, throng
from bench.workloads.growth import growth
from bench.workloads.messages import messages
from bench.workloads.sessions import sessions
from bench.workloads.start import cold_run, first_turn, start
from bench.workloads.stream import stream
from bench.workloads.turns import turns


@dataclass(frozen=True)
class Workload:
    """``runs``: how often, for the whole bench to end within half an hour. Of more than three the
    first is a warm-up and left out."""

    measure: Callable[[Place], dict[str, float]]
    runs: int
    extra: bool = False
    """Measured only when it is named."""


WORKLOADS: dict[str, Workload] = {
    "run": Workload(cold_run, 8),
    "start": Workload(start, 6),
    "first_turn": Workload(first_turn, 6),
    "turns": Workload(turns, 3),
    "stream": Workload(stream, 3),
    "crowd": Workload(crowd, 2),
    "throng": Workload(throng, 1),
    "messages": Workload(messages, 1),
    "sessions": Workload(sessions, 1),
    "growth": Workload(growth, 1),
    "recovery": Workload(recovery, 3),
    "audience": Workload(audience, 1, extra=True),
}
