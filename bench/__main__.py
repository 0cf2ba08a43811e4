"""``python -m bench [WORKLOAD …] [--runs N] [--only NAME]``: the figures, as a table and as JSON.

Programs are measured in turn, one run each, so that a machine's drift meets all alike.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench.target import Place, Target, original, ostler
from bench.workloads import WORKLOADS

ONCE = {"audience", "crowd", "growth", "turns"}
"""Workloads that are long, or medians in themselves: fewer runs."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", help="measure this program only")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    workloads = options.workloads or list(WORKLOADS)
    if unknown := set(workloads) - set(WORKLOADS):
        parser.error(f"unknown workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    targets = [t for t in (ostler(), original()) if t and options.only in (None, t.name)]
    model = subprocess.Popen(
        [sys.executable, "-m", "tests.support.model_server"], stdout=subprocess.PIPE, text=True
    )
    assert model.stdout is not None
    url = f"http://127.0.0.1:{model.stdout.readline().strip()}/v1"
    try:
        figures = measure(targets, workloads, options.runs, url)
    finally:
        model.terminate()
        model.wait()
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(
    targets: list[Target], workloads: list[str], runs: int, url: str
) -> dict[str, dict[str, float]]:
    """Program -> figure -> median over the runs."""
    samples: dict[str, dict[str, list[float]]] = {t.name: {} for t in targets}
    places = {t.name: Place(t, url) for t in targets}
    try:
        for name in workloads:
            for _ in range(max(1, runs // 3) if name in ONCE else runs + 1):
                for target in targets:
                    result = WORKLOADS[name](places[target.name])
                    print(target.name, name, _short(result), file=sys.stderr)
                    for figure, value in result.items():
                        samples[target.name].setdefault(figure, []).append(value)
    finally:
        for place in places.values():
            place.close()
    return {
        name: {
            figure: statistics.median(values[1:] if len(values) > 3 else values)
            for figure, values in found.items()
        }
        for name, found in samples.items()
    }


def table(figures: dict[str, dict[str, float]]) -> str:
    """Markdown: a row a figure, a column a program, and the ratio where there are two."""
    names = list(figures)
    rows = [["figure", *names, *(["ratio"] if len(names) == 2 else [])]]
    rows.append(["---"] * len(rows[0]))
    for figure in figures[names[0]]:
        values = [figures[name][figure] for name in names]
        row = [figure, *(f"{value:.2f}" for value in values)]
        if len(values) == 2:
            row.append(_ratio(*values))
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _ratio(ours: float, theirs: float) -> str:
    if not ours or not theirs:
        return "-"
    return f"1/{theirs / ours:.1f}" if theirs > ours else f"{ours / theirs:.1f}x"


def _short(result: dict[str, float]) -> str:
    return " ".join(f"{k}={v:.3f}" for k, v in result.items())


if __name__ == "__main__":
    main()
