"""What a run of the bench found, as JSON, as a Markdown table and as a chart.

``python -m bench.report RESULTS.json [--docs]`` makes the table and the chart of a run anew.
"""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bench.chart import Bar, svg
from bench.figures import FIGURES, Times

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
OURS, THEIRS = "ostler", "opencode"
TITLES = {OURS: "Ostler", THEIRS: "OpenCode"}
CHART_TITLE = "How many times as good as OpenCode; the mark is the goal"

Samples = Mapping[str, Mapping[str, list[float]]]
"""Program -> figure -> what each run found."""


def results(samples: Samples, versions: Mapping[str, str]) -> dict[str, Any]:
    """With what machine it was."""
    medians = {
        name: {figure: statistics.median(values) for figure, values in found.items()}
        for name, found in samples.items()
    }
    return {"machine": _machine(), "versions": dict(versions), "medians": medians, "runs": samples}


def table(found: Mapping[str, Any]) -> str:
    """Markdown: a row a figure, a column a program; with both, their ratio and how it stands to the
    goals."""
    medians = found["medians"]
    names = [name for name in TITLES if name in medians]
    head = ["", *(TITLES[name] for name in names)]
    rows = [[*head, "ratio", "goal", "stretch", ""], ["---", *["---:"] * len(names), *["---"] * 4]]
    for key, figure in FIGURES.items():
        values = [medians[name].get(key) for name in names]
        if not values or values[0] is None:
            continue
        theirs = values[1] if len(values) > 1 else None
        rows.append(
            [
                figure.what,
                *("" if value is None else figure.text(value) for value in values),
                _ratio(figure.times(values[0], theirs) if theirs else None, figure.more),
                figure.goal_text(figure.goal),
                figure.goal_text(figure.stretch),
                figure.verdict(values[0], theirs) if names[0] == OURS else "",
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def chart(found: Mapping[str, Any]) -> str:
    """Of the figures that both programs have."""
    ours, theirs = (found["medians"].get(name, {}) for name in (OURS, THEIRS))
    bars = []
    for key, figure in FIGURES.items():
        if not figure.chart or key not in ours or key not in theirs:
            continue
        if (times := figure.times(ours[key], theirs[key])) is None:
            continue
        goal = figure.goal.times if isinstance(figure.goal, Times) else None
        note = f"{times:.1f}×  ({figure.text(ours[key])} : {figure.text(theirs[key])})"
        bars.append(Bar(figure.what.replace("`", ""), times, goal, note))
    return svg(bars, CHART_TITLE)


def write(found: Mapping[str, Any], folder: Path) -> None:
    """figures.json, figures.md and, with both programs, figures.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "figures.md").write_text(table(found) + "\n")
    if len(found["medians"]) == 2:
        (folder / "figures.svg").write_text(chart(found))


def renew_docs(found: Mapping[str, Any], docs: Path = DOCS) -> None:
    """The table of docs/figures.md, and figures.json and figures.svg beside it. Raises ValueError
    for a run that leaves something out: the page would lose it."""
    page = docs / "figures.md"
    text = page.read_text()
    missing = [
        f"{TITLES[name]}: {figure.what}"
        for name in TITLES
        for key, figure in FIGURES.items()
        if not figure.extra and key not in found["medians"].get(name, {})
    ]
    if missing:
        raise ValueError(f"the run does not have {', '.join(missing)}; run the whole bench")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    versions, machine = found["versions"], found["machine"]
    told = (
        f"Ostler {versions[OURS]} beside OpenCode {versions[THEIRS]}, {machine['date']}, on "
        f"{machine['cores']} cores ({machine['processor']}), Python {machine['python']}; medians."
    )
    body = f"{told}\n\n![{CHART_TITLE}](figures.svg)\n\n{table(found)}"
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
    (docs / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    (docs / "figures.svg").write_text(chart(found))


def _ratio(times: float | None, more: bool) -> str:
    if times is None:
        return ""
    if more:
        return f"{times:.1f}x"
    return f"1/{times:.1f}" if times >= 1 else f"{1 / times:.1f}x"


def _machine() -> dict[str, Any]:
    processor = platform.processor() or platform.machine()
    if (told := Path("/proc/cpuinfo")).exists():
        names = [line for line in told.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return {
        "date": date.today().isoformat(),
        "processor": processor,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.report")
    parser.add_argument("results", type=Path, help="figures.json of a run")
    parser.add_argument("--docs", action="store_true", help="renew docs/figures.* as well")
    options = parser.parse_args()
    found = json.loads(options.results.read_text())
    print(table(found))
    if options.docs:
        renew_docs(found)


if __name__ == "__main__":
    main()
