"""What the bench makes of its figures."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench.chart import Bar, svg
from bench.figures import FIGURES
from bench.report import BEGIN, END, OURS, THEIRS, chart, renew_docs, results, table, write

VERSIONS = {OURS: "1", THEIRS: "2"}


def _found(**figures: tuple[float, float]) -> dict[str, object]:
    """Figure -> ours and theirs."""
    samples = {
        name: {key: [pair[n]] for key, pair in figures.items()}
        for n, name in enumerate((OURS, THEIRS))
    }
    return results(samples, VERSIONS)


@pytest.mark.parametrize(
    ("key", "ours", "theirs", "ratio", "verdict"),
    [
        ("run_seconds", 2.0, 6.0, "1/3.0", "missed"),
        ("run_seconds", 1.0, 4.0, "1/4.0", "reached"),
        ("run_seconds", 1.0, 6.0, "1/6.0", "stretch"),
        ("run_seconds", 3.0, 2.0, "1.5x", "missed"),
        ("crowd_50_per_second", 90.0, 10.0, "9.0x", "missed"),
        ("crowd_50_per_second", 200.0, 10.0, "20.0x", "stretch"),
        ("long_turn_percent", 21.0, 2.0, "", "missed"),
        ("long_turn_percent", -3.0, 40.0, "", "stretch"),
        ("db_mb_per_100_turns", 0.4, 9.0, "1/22.5", "reached"),
        ("lost_messages", 0.0, 0.0, "", "reached"),
        ("first_turn_seconds", 1.0, 9.0, "1/9.0", ""),
    ],
)
def test_a_row_has_the_ratio_and_how_it_stands_to_the_goals(
    key: str, ours: float, theirs: float, ratio: str, verdict: str
) -> None:
    row = table(_found(**{key: (ours, theirs)})).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[0] == FIGURES[key].what
    assert (cells[3], cells[-1]) == (ratio, verdict)


def test_a_figure_is_the_median_of_its_runs() -> None:
    found = results({OURS: {"idle_mb": [9.0, 1.0, 5.0]}}, VERSIONS)
    assert found["medians"][OURS]["idle_mb"] == 5.0
    assert "5 MB" in table(found)


def test_the_chart_has_a_bar_for_each_figure_that_both_have() -> None:
    drawn = chart(_found(run_seconds=(1.0, 8.0), text_turn_ms=(9.0, 3.0), growth_percent=(1, 2)))
    bars = ElementTree.fromstring(drawn).findall(".//{*}rect")
    assert len(bars) == 2
    assert "8.0×" in drawn
    assert "0.3×" in drawn  # what is worse is drawn too


def test_a_chart_escapes_what_it_is_given() -> None:
    drawn = svg([Bar("a < b & c", 2.0, 4.0, "1 < 2")], "<title>")
    assert "a < b & c" in "".join(ElementTree.fromstring(drawn).itertext())


def test_a_run_leaves_its_json_table_and_chart(tmp_path: Path) -> None:
    write(_found(run_seconds=(1.0, 8.0)), tmp_path / "results")
    names = {file.name for file in (tmp_path / "results").iterdir()}
    assert names == {"figures.json", "figures.md", "figures.svg"}


def test_the_page_is_renewed_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text(f"# Figures\n\n{BEGIN}\nof before\n{END}\n\nMore.\n")
    renew_docs(_found(**{key: (1.0, 8.0) for key, f in FIGURES.items() if not f.extra}), tmp_path)
    text = page.read_text()
    assert text.startswith(f"# Figures\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nMore.\n")
    assert "of before" not in text
    assert "(figures.svg)" in text
    assert {"figures.json", "figures.svg"} <= {file.name for file in tmp_path.iterdir()}


def test_a_run_that_leaves_something_out_does_not_renew_the_page(tmp_path: Path) -> None:
    (tmp_path / "figures.md").write_text(f"{BEGIN}\nof before\n{END}\n")
    with pytest.raises(ValueError, match="peak memory"):
        renew_docs(_found(run_seconds=(1.0, 8.0)), tmp_path)
    assert "of before" in (tmp_path / "figures.md").read_text()
