"""A run as one HTML file: nothing is loaded from elsewhere, and nothing in it can act.

The page is ``report.html.jinja`` with everything escaped; a policy in its head forbids all
resources and all scripts but the one that folds. What is here turns a run into figures and bars.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ostler.control.store import RUNNING, Run
from ostler.control.view import AttemptView, RunView, StageView, Tokens, Tone, added, tone
from ostler.schema.base import JsonObject

if TYPE_CHECKING:
    from jinja2 import Template

MOST_TEXT = 100_000
"""Characters of one text (an answer, a check's output, a patch); the middle of longer ones goes."""
MOST_LABEL = 60
"""Characters of an item in a stage's name."""
OUTSIDE = "outside attempts"
"""What a run spent beside its attempts: reviewers, summaries."""
_HERE = Path(__file__).parent
_SCRIPT = """\
const button = document.createElement("button");
let open = false;
button.textContent = "Unfold all";
button.onclick = () => {
  open = !open;
  document.querySelectorAll("details").forEach((each) => { each.open = open; });
  button.textContent = open ? "Fold all" : "Unfold all";
};
document.querySelector("header").append(button);
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});
"""


class Bar(msgspec.Struct, frozen=True):
    """``start`` and ``width`` in percent of the chart; ``kind``: a class of the style sheet."""

    start: float
    width: float
    kind: str
    title: str


class TimelineRow(msgspec.Struct, frozen=True):
    """``lanes``: attempts that overlap lie below each other."""

    label: str
    anchor: str
    status: str
    tone: Tone
    lanes: list[list[Bar]]


class SpendingRow(msgspec.Struct, frozen=True):
    label: str
    anchor: str
    cost: float
    cost_bar: Bar
    tokens: Tokens
    token_bars: list[Bar]


class Line(msgspec.Struct, frozen=True):
    """Of a patch; ``kind``: add, del, hunk, meta or same."""

    kind: str
    text: str


class Live(msgspec.Struct, frozen=True):
    """What can be done with a run from its page: ``status`` as it is kept, ``waits`` for a person
    with (see Attempt.waiting)."""

    status: str
    waits: list[JsonObject]

    @property
    def goes_on(self) -> bool:
        return self.status in RUNNING

    @property
    def refreshes(self) -> bool:
        """Not while somebody may be writing an answer."""
        return self.goes_on and not self.waits


def runs_html(runs: Sequence[tuple[Run, list[JsonObject]]]) -> str:
    """A page of runs, each with what it waits for a person with."""
    css = (_HERE / "report.css").read_text(encoding="utf-8")
    shown = [(run, int(run.created * 1000), Live(run.status, waits)) for run, waits in runs]
    return _template("runs.html.jinja").render(runs=shown, css=css)


def html(run: RunView, live: Live | None = None) -> str:
    """The whole page; ``live``: with what can be done there, for who serves it."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    return _template("report.html.jinja").render(
        run=run,
        live=live,
        css=(_HERE / "report.css").read_text(encoding="utf-8"),
        script=_SCRIPT,
        script_digest=digest,
        end=end_of(run),
        attempts=[(s, _anchor(i), a) for i, s in enumerate(run.stages) for a in s.attempts],
        anchor=_anchor,
        fanned_out={stage.name for stage in run.stages if stage.item is not None},
        rows=timeline(run),
        ticks=ticks((end_of(run) - run.started) / 1000),
        spending=spending(run),
    )


# ── figures ───────────────────────────────────────────────────────────────────────────────────


def end_of(run: RunView) -> int:
    """When the run ended, or was looked at; else the last time that is known of it."""
    if run.ended is not None:
        return max(run.ended, run.started)
    times = [
        time
        for stage in run.stages
        for attempt in stage.attempts
        for time in (attempt.started, attempt.ended)
        if time is not None
    ]
    return max((run.started, run.seen or 0, *times))


def timeline(run: RunView) -> list[TimelineRow]:
    """A row for each stage (and item), with a bar for each attempt."""
    end = end_of(run)
    whole = max(end - run.started, 1)

    def bar(attempt: AttemptView) -> Bar:
        began = attempt.started if attempt.started is not None else run.started
        ended = attempt.ended if attempt.ended is not None else end
        start = min(max(100 * (began - run.started) / whole, 0), 99.5)
        width = min(max(100 * (ended - began) / whole, 0.5), 100 - start)
        why = f", {attempt.failure.kind}" if attempt.failure else ""
        title = f"attempt {attempt.number}: {attempt.status}{why}, {took(began, ended)}"
        return Bar(round(start, 3), round(width, 3), tone(attempt.status), title)

    return [
        TimelineRow(
            label(stage),
            _anchor(index),
            stage.status,
            tone(stage.status),
            _lanes([bar(a) for a in stage.attempts if a.started is not None]),
        )
        for index, stage in enumerate(run.stages)
    ]


def _lanes(bars: Sequence[Bar]) -> list[list[Bar]]:
    lanes: list[list[Bar]] = []
    for bar in sorted(bars, key=lambda bar: bar.start):
        for lane in lanes:
            if lane[-1].start + lane[-1].width <= bar.start + 0.5:
                lane.append(bar)
                break
        else:
            lanes.append([bar])
    return lanes


def ticks(seconds: float, most: int = 4) -> list[tuple[float, str]]:
    """(percent, words) of round times, for the axis of a chart of so many seconds."""
    if seconds <= 0:
        return [(0.0, "0")]
    steps = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
    step = next(
        (s for s in steps if seconds / s <= most), 86400 * math.ceil(seconds / 86400 / most)
    )
    count = int(seconds / step + 1e-9)
    return [(round(100 * n * step / seconds, 3), duration(n * step)) for n in range(count + 1)]


def spending(run: RunView) -> list[SpendingRow]:
    """Cost and tokens by stage (and item); together they are the run's."""
    spent = [
        (
            label(stage),
            _anchor(index),
            math.fsum(a.cost for a in stage.attempts),
            added(a.tokens for a in stage.attempts),
        )
        for index, stage in enumerate(run.stages)
    ]
    inside = added(tokens for *_, tokens in spent)
    cost = run.cost - math.fsum(cost for _, _, cost, _ in spent)
    rest = Tokens(
        **{name: max(getattr(run.tokens, name) - getattr(inside, name), 0) for name in _KINDS}
    )
    if cost > 5e-7 or rest.total:
        spent.append((OUTSIDE, "", max(cost, 0.0), rest))
    most_cost = max((cost for _, _, cost, _ in spent), default=0) or 1
    most_tokens = max((tokens.total for *_, tokens in spent), default=0) or 1
    return [
        SpendingRow(
            name,
            anchor,
            cost,
            Bar(0, round(100 * cost / most_cost, 3), "cost", f"{name}: {usd(cost)}"),
            tokens,
            list(_stacked(tokens, most_tokens)),
        )
        for name, anchor, cost, tokens in spent
    ]


_KINDS = ("input", "cache", "output", "reasoning")


def _stacked(tokens: Tokens, whole: int) -> Iterator[Bar]:
    start = 0.0
    for kind in _KINDS:
        count = getattr(tokens, kind)
        if count:
            width = 100 * count / whole
            yield Bar(round(start, 3), round(width, 3), kind, f"{kind}: {count:,} tokens")
            start += width


def patch_lines(patch: str) -> list[Line]:
    """Lines of a diff, with what they are."""
    lines: list[Line] = []
    in_hunk = False
    for text in readable(patch).removesuffix("\n").split("\n"):
        in_hunk = (in_hunk or text.startswith("@@")) and not text.startswith("diff --git ")
        if text.startswith("@@"):
            kind = "hunk"
        elif not in_hunk:
            kind = "meta"
        else:
            kind = {"+": "add", "-": "del"}.get(text[:1], "same")
        lines.append(Line(kind, text))
    return lines


# ── words ─────────────────────────────────────────────────────────────────────────────────────


def label(stage: StageView) -> str:
    """``fix``, or ``fix [src/a.py]`` of one item."""
    item = stage.item
    if item is None:
        return stage.name
    return f"{stage.name} [{item if len(item) <= MOST_LABEL else item[: MOST_LABEL - 1] + '…'}]"


def usd(cost: float) -> str:
    """``$1.20``; small sums with four places."""
    return f"${cost:,.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"


def count(number: int) -> str:
    """``950``, ``12.3k``, ``4.5M``."""
    if number < 1000:
        return str(number)
    size, unit = (1e6, "M") if number >= 999_950 else (1e3, "k")
    return f"{number / size:,.1f}".removesuffix(".0") + unit


def duration(seconds: float) -> str:
    """``0.4s``, ``12s``, ``3m 05s``, ``2h 10m``."""
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest}s"
    if minutes < 60:
        return f"{minutes}m {rest:02d}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if minutes else f"{hours}h"


def took(started: int | None, ended: int | None) -> str:
    """Of times in milliseconds; a dash where one is not known."""
    if started is None or ended is None:
        return "–"
    return duration(max(ended - started, 0) / 1000)


def moment(milliseconds: int) -> str:
    """``2026-05-04 12:03:11 UTC``."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def readable(text: str) -> str:
    """What a program or a model wrote, as a page can show it: without colours of a terminal; a
    sign in place of each character that is none or changes the order of others; not too long."""
    text = _NO_TEXT.sub("\ufffd", _ANSI.sub("", text.replace("\r\n", "\n")))
    if len(text) <= MOST_TEXT:
        return text
    half = MOST_TEXT // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def as_json(value: Any) -> str:
    """Indented, for a person."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _anchor(index: int) -> str:
    return f"stage-{index + 1}"


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # every text goes through here: what cannot stand in HTML is made to
        finalize=lambda value: readable(value) if type(value) is str else value,
    )
    environment.filters |= {
        "usd": usd,
        "count": count,
        "duration": duration,
        "moment": moment,
        "tone": tone,
        "label": label,
        "json": as_json,
        "lines": patch_lines,
    }
    environment.globals |= {"took": took}
    return environment.get_template(name)
