"""What Ostler does at start-up and in a turn stays at the baselines in the repository."""

import sys

import pytest

from bench import counting, counts

BASELINE = counts.baselines()
held = pytest.mark.skipif(
    BASELINE is None or sys.platform != "linux",
    reason=f"no baselines for Python {counts.PYTHON} on {sys.platform}",
)


@held
def test_starting_imports_no_more_than_it_did() -> None:
    assert not _wrong(counts.starts())


@held
def test_a_turn_costs_no_more_than_it_did() -> None:
    assert not _wrong(counting.turns())


def _wrong(found: counts.Counts) -> str:
    assert BASELINE is not None
    return "\n".join(counts.judge(found, BASELINE))


def test_a_count_above_its_baseline_is_named_with_both_figures_and_the_way_to_renew_it() -> None:
    (told,) = counts.judge(
        {"text turn": {"SQL statements": 61}}, {"text turn": {"SQL statements": 60}}
    )
    for words in ("text turn", "SQL statements", "61", "60", counts.RENEW):
        assert words in told


@pytest.mark.parametrize(
    ("name", "now", "is_told"),
    [
        ("SQL statements", 100, False),
        ("SQL statements", 100.1, True),
        ("modules", 102, False),
        ("modules", 103, True),
        ("bytes into the database", 105, False),
        ("bytes into the database", 106, True),
        ("transactions", 91, False),
        ("transactions", 89, True),
    ],
)
def test_some_counts_may_be_a_little_above_and_none_far_below(
    name: str, now: float, is_told: bool
) -> None:
    told = counts.judge({"text turn": {name: now}}, {"text turn": {name: 100}})
    assert bool(told) == is_told


def test_what_is_far_below_its_baseline_asks_for_a_new_one() -> None:
    (told,) = counts.judge({"text turn": {"transactions": 1}}, {"text turn": {"transactions": 4}})
    assert "better" in told
    assert counts.RENEW in told


def test_a_package_that_is_new_at_start_up_is_named() -> None:
    (told,) = counts.judge(
        {"start: run": {"packages": ["httpx", "msgspec"]}},
        {"start: run": {"packages": ["msgspec"]}},
    )
    assert "httpx" in told
    assert "msgspec" not in told


def test_what_has_no_baseline_is_told() -> None:
    (told,) = counts.judge({"text turn": {"fsyncs": 1}}, {})
    assert "fsyncs" in told


def test_baselines_of_other_versions_are_kept(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "baselines.json"
    file.write_text('{"2.7": {"text turn": {"transactions": 9}}}')
    counts.write({"text turn": {"transactions": 4}}, file)
    assert counts.baselines(file) == {"text turn": {"transactions": 4}}
    assert '"2.7"' in file.read_text()
