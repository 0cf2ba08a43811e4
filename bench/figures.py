"""What each figure is, which way is better, and what it must show beside the original."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """So many times as good as the original."""

    times: float


@dataclass(frozen=True)
class AtMost:
    """The figure itself, whatever the original's."""

    value: float


Goal = Times | AtMost


@dataclass(frozen=True)
class Figure:
    """``unit``: "s", "ms", "MB", "per s", "%" or none; ``more``: a higher one is better;
    ``chart``: it has a bar in the chart, where it can be held against the original's;
    ``extra``: of a workload that is measured only when it is named."""

    what: str
    unit: str = ""
    goal: Goal | None = None
    stretch: Goal | None = None
    more: bool = False
    chart: bool = True
    extra: bool = False

    def times(self, ours: float, theirs: float) -> float | None:
        """How many times as good ours is; less than 1 is worse. None where that says nothing."""
        if self.unit == "%" or ours <= 0 or theirs <= 0:
            return None
        return ours / theirs if self.more else theirs / ours

    def meets(self, goal: Goal | None, ours: float, theirs: float | None) -> bool | None:
        """None: there is no goal, or no original to hold it against."""
        match goal:
            case AtMost(value):
                return ours <= value
            case Times(times) if theirs is not None:
                reached = self.times(ours, theirs)
                return None if reached is None else reached >= times
        return None

    def verdict(self, ours: float, theirs: float | None) -> str:
        reached = self.meets(self.goal, ours, theirs)
        if reached is None:
            return ""
        if not reached:
            return "missed"
        return "stretch" if self.meets(self.stretch, ours, theirs) else "reached"

    def goal_text(self, goal: Goal | None) -> str:
        match goal:
            case None:
                return ""
            case AtMost(value):
                return f"{'+' if self.unit == '%' else ''}{value:g} {self.unit}".strip()
            case Times(1):
                return "equal"
            case Times(times):
                return f"{times:g}x" if self.more else f"1/{times:g}"

    def text(self, value: float) -> str:
        """With its unit, three digits or so."""
        digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
        sign = "+" if self.unit == "%" and value > 0 else ""
        return f"{sign}{value:,.{digits}f} {self.unit}".strip()


_READ = (Times(3), Times(6))
_RATE = "per s"

FIGURES: Mapping[str, Figure] = {
    "run_seconds": Figure("cold `run`, one prompt", "s", Times(4), Times(6)),
    "run_peak_mb": Figure("cold `run`, peak memory", "MB", Times(7), Times(8)),
    "health_seconds": Figure("start to health", "s", Times(4), Times(6)),
    "first_turn_seconds": Figure("start to the end of the first turn", "s"),
    "idle_mb": Figure("memory, idle", "MB", Times(5), Times(6)),
    "with_1_sessions_mb": Figure("memory with 1 idle session", "MB", chart=False),
    "with_100_sessions_mb": Figure("memory with 100 idle sessions", "MB", chart=False),
    "with_1000_sessions_mb": Figure("memory with 1,000 idle sessions", "MB"),
    "after_1000_turns_mb": Figure("memory after 1,000 turns", "MB", Times(8), Times(10)),
    "growth_percent": Figure("memory that 1,000 turns add", "%", AtMost(10), AtMost(5)),
    "text_turn_ms": Figure("text turn, model of no latency", "ms", Times(20), Times(30)),
    "tool_round_ms": Figure("tool round with bash", "ms", Times(12), Times(20)),
    "first_words_ms": Figure("prompt to first words at a subscriber", "ms"),
    "stream_0_ms": Figure("stream of 2,000 chunks", "ms"),
    "stream_1_ms": Figure("… with 1 subscriber", "ms", Times(1), Times(2)),
    "stream_10_ms": Figure("… with 10 subscribers", "ms"),
    "stream_100_ms": Figure("… with 100 subscribers", "ms"),
    "crowd_20_per_second": Figure("model calls, 20 sessions at once", _RATE, more=True),
    "crowd_50_per_second": Figure(
        "model calls, 50 sessions at once", _RATE, Times(10), Times(20), more=True
    ),
    "crowd_200_per_second": Figure("model calls, 200 sessions at once", _RATE, more=True),
    "list_10_messages_ms": Figure("list of 10 messages", "ms", *_READ),
    "list_1000_messages_ms": Figure("list of 1,000 messages", "ms", *_READ),
    "list_5000_messages_ms": Figure("list of 5,000 messages", "ms", *_READ),
    "list_10_sessions_ms": Figure("list of 10 sessions", "ms", *_READ),
    "list_10000_sessions_ms": Figure("list of 10,000 sessions", "ms", *_READ),
    "long_turn_ms": Figure("text turn in a session of 2,000 messages", "ms"),
    "long_turn_percent": Figure("… more than in a new session", "%", AtMost(20), AtMost(5)),
    "long_turn_after_another_ms": Figure("… after a turn in another session", "ms", chart=False),
    "db_mb_per_100_turns": Figure("database, 100 text turns", "MB", AtMost(0.5), AtMost(0.25)),
    "recovered_health_seconds": Figure("start to health after kill -9 in a turn", "s", chart=False),
    "recovered_turn_seconds": Figure("… to the end of the session's next turn", "s", chart=False),
    "lost_messages": Figure("… messages lost of turns that had ended", "", AtMost(0)),
    "alone_seconds": Figure("20 streams of 2,000 chunks, one in 2 ms", "s", extra=True),
    "watched_seconds": Figure("… before 200 readers, half of whom hang", "s", extra=True),
    "audience_mb": Figure("… memory they add", "MB", chart=False, extra=True),
}
"""In the order of the table."""
