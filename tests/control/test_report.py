"""The report of a run: one file, everything in it escaped, figures that add up."""

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostler.control.failures import KINDS, Failure
from ostler.control.plan import Limits
from ostler.control.report import (
    OUTSIDE,
    count,
    duration,
    html,
    label,
    patch_lines,
    readable,
    spending,
    ticks,
    timeline,
    usd,
)
from ostler.control.view import (
    AttemptView,
    CheckView,
    DiffView,
    RedView,
    RunView,
    StageView,
    Tokens,
    added,
)

TAGS = frozenset((
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "h1",
    "h2", "h3", "p", "span", "code", "a", "div", "svg", "rect", "line", "text", "dl", "dt", "dd",
    "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "script",
))  # fmt: skip
ATTRIBUTES = frozenset((
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "width", "height",
    "role", "aria-label", "aria-hidden", "title", "x", "x1", "x2", "y", "y1", "y2", "rx",
    "text-anchor", "open",
))  # fmt: skip
START = 1_777_896_191_000
EVIL = "</pre></script><script>alert(1)</script><img src=x onerror='alert(2)'>\"&lt;"
PATCH = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@ def a():
 same
---- old
++++ new
"""


def run_with(**fields: Any) -> RunView:
    attempt = AttemptView(
        number=1,
        status="failed",
        session="ses_1",
        server="http://127.0.0.1:1",
        model="a/b",
        failure=Failure("check_failed", "tests failed", {"exit": 1}),
        started=START + 1000,
        ended=START + 61_000,
        tokens=Tokens(input=1000, output=200, reasoning=30, cache=4),
        cost=0.25,
        text="an answer",
        value={"files": ["a.py"]},
        checks=[
            CheckView(
                name="tests",
                command="make test",
                exit=1,
                seconds=2.5,
                tree="9daeafb",
                output="1 failed",
                red=RedView(exit=1, seconds=1, tree="4b825dc", output="red"),
                flaky=True,
            )
        ],
        diff=[DiffView(file="a.py", additions=1, deletions=1, patch=PATCH)],
    )
    run = RunView(
        id="run_1",
        name="demo",
        status="failed",
        started=START,
        ended=START + 120_000,
        inputs={"topic": "parsers"},
        tokens=Tokens(input=1100, output=200, reasoning=30, cache=4),
        cost=0.26,
        budget=Limits(cost=1.0, tokens=10_000, seconds=600),
        stages=[
            StageView(name="plan", status="failed", attempts=[attempt]),
            StageView(name="fix", item="a.py", status="skipped", needs=["plan"]),
        ],
    )
    return msgspec.structs.replace(run, **fields)


class Page(HTMLParser):
    """What a browser would make of a page: its elements, their attributes and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.scripts = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts += data
        elif self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def test_everything_of_a_run_is_in_it() -> None:
    text = Page(html(run_with())).text
    for part in (
        "demo", "failed", "run_1", "2026-05-04 12:03:11 UTC", "parsers", "2m", "of 10m", "$0.2600",
        "of $1.00", "1.3k", "of 10k", "check_failed", "tests failed", '"exit": 1', "a/b", "ses_1",
        "http://127.0.0.1:1", "an answer", '"a.py"', "$ make test", "exit 1", "2.5s", "9daeafb",
        "1 failed", "flaky", "red before", "4b825dc", "+++ b/a.py", "fix [a.py]", "after plan",
        "No attempt was made", OUTSIDE,
    ):  # fmt: skip
        assert part in text, part


def test_nothing_is_loaded_and_one_script_may_run() -> None:
    page = Page(html(run_with()))
    assert {tag for tag, _ in page.elements} <= TAGS
    for _, attributes in page.elements:
        assert not {"src", "srcset", "action", "style", "onclick", "onload"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html(run_with())
    assert "@import" not in html(run_with())
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.scripts.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def test_links_lead_somewhere() -> None:
    page = Page(html(run_with()))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for t, a in page.elements if t == "a"} <= {f"#{each}" for each in ids}


TEXTS = st.text(max_size=12) | st.sampled_from(
    (
        EVIL,
        "{{ run.id }}{% raw %}",
        "\x1b[31mred\x1b[0m",
        "\ud800",
        "a\x00b",
        "'\"><b>",
        "<!--",
        "]]>",
    )
)
NUMBERS = st.integers(0, 10**7)
TIMES = st.none() | st.integers(START - 1000, START + 10**7)
TOKENS = st.builds(Tokens, input=NUMBERS, output=NUMBERS, reasoning=NUMBERS, cache=NUMBERS)
EXITS = st.none() | st.integers(0, 2)
SECONDS = st.floats(0, 1e5)
COSTS = st.integers(0, 10**6).map(lambda n: n / 10_000)
CHECKS = st.builds(
    CheckView, name=TEXTS, command=TEXTS, exit=EXITS, seconds=SECONDS, tree=TEXTS, output=TEXTS,
    flaky=st.booleans(),
    red=st.none() | st.builds(RedView, exit=EXITS, seconds=SECONDS, tree=TEXTS, output=TEXTS),
)  # fmt: skip
ATTEMPTS = st.builds(
    AttemptView, number=st.integers(1, 9), status=TEXTS, session=TEXTS, server=TEXTS, model=TEXTS,
    failure=st.none() | st.builds(Failure, st.sampled_from(KINDS), TEXTS,
                                  st.dictionaries(TEXTS, TEXTS, max_size=2)),
    started=TIMES, ended=TIMES, tokens=TOKENS, cost=COSTS, text=TEXTS,
    value=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
    checks=st.lists(CHECKS, max_size=1),
    diff=st.lists(st.builds(DiffView, file=TEXTS, additions=NUMBERS, deletions=NUMBERS,
                            patch=TEXTS.map(lambda t: f"@@ {t}\n+{t}")), max_size=1),
)  # fmt: skip
STAGES = st.builds(
    StageView, name=TEXTS, status=TEXTS, item=st.none() | TEXTS, needs=st.lists(TEXTS, max_size=2),
    attempts=st.lists(ATTEMPTS, max_size=2, unique_by=lambda a: a.number),
)  # fmt: skip
RUNS = st.builds(
    RunView, id=TEXTS, name=TEXTS, status=TEXTS, started=st.just(START), ended=TIMES,
    inputs=st.dictionaries(TEXTS, TEXTS, max_size=2), tokens=TOKENS, cost=COSTS,
    budget=st.none() | st.builds(Limits, tokens=st.none() | st.integers(1, 9),
                                 cost=st.none() | COSTS, seconds=st.none() | st.floats(1, 9)),
    stages=st.lists(STAGES, max_size=2),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RUNS)
def test_whatever_a_run_holds_adds_no_element_and_no_attribute(run: RunView) -> None:
    page = Page(html(run))
    plain = Page(html(run_with()))
    assert page.open == []
    assert page.scripts == plain.scripts
    assert [t for t, _ in page.elements if t in ("script", "style", "meta")] == [
        t for t, _ in plain.elements if t in ("script", "style", "meta")
    ]
    assert {"img", "b", "iframe"}.isdisjoint(t for t, _ in page.elements)
    assert {key for _, attributes in page.elements for key in attributes} <= ATTRIBUTES
    html(run).encode()
    for stage in run.stages:
        for attempt in stage.attempts:
            assert " ".join(readable(attempt.text).split()) in " ".join(page.text.split())


@settings(deadline=None)
@given(RUNS)
def test_bars_lie_in_the_chart_and_those_of_a_lane_beside_each_other(run: RunView) -> None:
    for row in timeline(run):
        for lane in row.lanes:
            for bar in lane:
                assert 0 <= bar.start < bar.start + bar.width <= 100.001
            for before, after in itertools.pairwise(lane):
                assert before.start + before.width <= after.start + 0.5


@settings(deadline=None)
@given(st.lists(STAGES, max_size=3), TOKENS, COSTS)
def test_rows_add_up_to_what_the_run_spent(
    stages: list[StageView], outside: Tokens, cost: float
) -> None:
    attempts = [a for s in stages for a in s.attempts]
    run = run_with(
        stages=stages,
        tokens=added([outside, *(a.tokens for a in attempts)]),
        cost=cost + sum(a.cost for a in attempts),
    )
    rows = spending(run)
    assert added(row.tokens for row in rows) == run.tokens
    assert sum(row.cost for row in rows) == pytest.approx(run.cost, abs=1e-6)
    assert all(sum(b.width for b in row.token_bars) <= 100.01 for row in rows)
    assert all(row.cost_bar.width <= 100.01 for row in rows)


def test_a_run_that_goes_on_ends_with_what_is_known() -> None:
    page = Page(html(run_with(ended=None))).text
    assert "so far" in Page(html(run_with(ended=None, budget=None))).text
    assert "1m 01s" in page


def test_what_is_red_is_red() -> None:
    assert [(line.kind, line.text) for line in patch_lines(PATCH)] == [
        ("meta", "diff --git a/a.py b/a.py"),
        ("meta", "--- a/a.py"),
        ("meta", "+++ b/a.py"),
        ("hunk", "@@ -1,2 +1,2 @@ def a():"),
        ("same", " same"),
        ("del", "---- old"),
        ("add", "++++ new"),
    ]


def test_a_stage_of_items_refers_to_them() -> None:
    whole, item = (StageView(name="fix", status="passed", item=i) for i in (None, "a.py"))
    text = Page(html(run_with(stages=[whole, item]))).text
    assert (text.count("for each item"), text.count("No attempt was made")) == (1, 1)


def test_an_item_is_named_in_few_words() -> None:
    assert label(StageView(name="fix", status="passed", item="a.py")) == "fix [a.py]"
    assert len(label(StageView(name="fix", status="passed", item="x" * 999))) < 70


def test_a_long_text_loses_its_middle() -> None:
    text = readable("a" * 60_000 + "b" * 60_000)
    assert re.fullmatch(r"a+\n… 20,000 characters left out …\nb+", text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"), (0.44, "0.4s"), (9.96, "10s"), (59.6, "1m"), (65, "1m 05s"), (3600, "1h"),
        (7800, "2h 10m"), (86400 * 3, "72h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sums_and_counts() -> None:
    assert [usd(c) for c in (0, 0.0042, 1, 1234.5)] == ["$0.00", "$0.0042", "$1.00", "$1,234.50"]
    assert [count(n) for n in (0, 999, 1000, 12_345, 999_949, 999_950, 4_500_000)] == [
        "0", "999", "1k", "12.3k", "999.9k", "1M", "4.5M",
    ]  # fmt: skip


@given(st.floats(0, 1e8))
def test_an_axis_has_few_round_marks(seconds: float) -> None:
    marks = ticks(seconds)
    assert 1 <= len(marks) <= 6
    assert all(0 <= at <= 100.001 for at, _ in marks)
