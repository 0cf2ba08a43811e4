"""``python -m bench [WORKLOAD …] [--runs N] [--only NAME] [--docs]``: the figures, beside the
original's where its binary is.

Programs are measured in turn, one run each, so that a machine's drift meets all alike. The table is
printed; it, figures.json and the chart are left in bench/results, and with ``--docs`` in docs/.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.report import renew_docs, results, table, write
from bench.target import Place, Target, original, ostler, scripted_model
from bench.workloads import WORKLOADS, Workload
from ostler.schema.errors import OstlerError

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--runs", type=int, help="of each workload, in place of its own number")
    parser.add_argument("--only", help="measure this program only")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of what is written")
    parser.add_argument("--docs", action="store_true", help="renew docs/figures.* as well")
    options = parser.parse_args()
    wanted = options.workloads or [name for name, w in WORKLOADS.items() if not w.extra]
    if unknown := set(wanted) - set(WORKLOADS):
        parser.error(f"unknown workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    targets = [t for t in (ostler(), original()) if t and options.only in (None, t.name)]
    if not targets:
        parser.error(f"there is no program {options.only} here")
    if options.docs and options.workloads:
        parser.error("the page has all workloads: name none")
    if options.docs and len(targets) < 2:
        parser.error("the page compares: name the original's executable in OPENCODE_BINARY")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended
    samples: dict[str, dict[str, list[float]]] = {target.name: {} for target in targets}
    versions = {target.name: version(target) for target in targets}
    failed = []
    with scripted_model() as url:
        for name in wanted:
            workload = WORKLOADS[name]
            runs = options.runs or workload.runs
            try:
                for program, found in measure(name, workload, targets, runs, url).items():
                    samples[program].update(found)
            except (OstlerError, RuntimeError, OSError, subprocess.SubprocessError) as e:
                print(f"{name} failed: {e!r}", file=sys.stderr)
                failed.append(name)
            write(results(samples, versions), options.results)
    found = results(samples, versions)
    print(table(found))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    if options.docs:
        renew_docs(found)


def measure(
    name: str, workload: Workload, targets: Sequence[Target], runs: int, url: str
) -> dict[str, dict[str, list[float]]]:
    """Program -> figure -> what each run found, the warm-up left out."""
    samples: dict[str, dict[str, list[float]]] = {target.name: {} for target in targets}
    places = [Place(target, url) for target in targets]
    try:
        for _ in range(runs):
            for place in places:
                began = time.perf_counter()
                result = workload.measure(place)
                seconds = time.perf_counter() - began
                told = " ".join(f"{key}={value:.3f}" for key, value in result.items())
                print(f"{place.target.name} {name} ({seconds:.0f} s) {told}", file=sys.stderr)
                for key, value in result.items():
                    samples[place.target.name].setdefault(key, []).append(value)
    finally:
        for place in places:
            place.close()
    if runs > 3:
        for found in samples.values():
            for values in found.values():
                del values[0]
    return samples


def version(target: Target) -> str:
    done = subprocess.run(
        [*target.command, "--version"], capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
