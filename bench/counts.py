"""``python -m bench.counts [--write] [--names COMMAND]``: what Ostler does when it starts and in a
turn, in counts that are the same on every machine, beside the baselines that a test holds it to.

``--write`` makes what is counted now the baselines of this Python version: on purpose, with the
reason in the commit's message. ``--names run`` lists the modules that are counted.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.counting import SERVE, imports, turns

BASELINES = Path(__file__).parent / "baselines.json"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
RENEW = "python -m bench.counts --write"

TOLERANCES = {
    "modules": 0.02,
    "Python calls": 0.03,
    "bytes into the database": 0.05,
    "bytes into other files": 0.05,
}
"""How far above its baseline a count may be, as a share of it; the others not at all."""
IMPROVED = 0.1
"""So far below its baseline, a count asks for a new one: or what was won could be lost unseen."""

Counts = Mapping[str, Any]


def starts() -> Counts:
    """By ``start: COMMAND``: how many modules, and the names of the packages."""
    return {
        f"start: {command}": {"modules": len(modules), "packages": packages(modules)}
        for command, modules in imports().items()
    }


def packages(modules: Iterable[str]) -> list[str]:
    """Those that are installed, beside Python's own."""
    tops = {name.partition(".")[0] for name in modules}
    others = {t for t in tops - sys.stdlib_module_names if not t.startswith("_sysconfigdata")}
    return sorted(top for top in others if find_spec(top) is not None)


def baselines(file: Path = BASELINES) -> Counts | None:
    """Of this Python version; None where nobody has written them."""
    found: Counts | None = json.loads(file.read_text()).get(PYTHON)
    return found


def judge(found: Counts, baseline: Counts) -> list[str]:
    """What is wrong, a sentence each, with what to do."""
    told = []
    for where, counts in found.items():
        for name, now in counts.items():
            was = baseline.get(where, {}).get(name)
            if was is None:
                told.append(f"{where}: {name} has no baseline; write it down with `{RENEW}`")
            elif name == "packages":
                told += _judge_packages(where, now, was)
            else:
                told += _judge_count(where, name, now, was)
    return told


def _judge_packages(where: str, now: list[str], was: list[str]) -> list[str]:
    if new := sorted(set(now) - set(was)):
        return [
            f"{where} imports {', '.join(new)}, which it did not: import it in the function that "
            f"needs it; if it must be, renew the baseline with `{RENEW}`"
        ]
    if gone := sorted(set(was) - set(now)):
        return [f"{where} no longer imports {', '.join(gone)}: write that down with `{RENEW}`"]
    return []


def _judge_count(where: str, name: str, now: float, was: float) -> list[str]:
    if now > was * (1 + TOLERANCES.get(name, 0.0)):
        return [
            f"{where}: {name} {now:g}, the baseline is {was:g}. Find what was added; if it must "
            f"be, renew the baseline with `{RENEW}` and give the reason in the commit"
        ]
    if now < was * (1 - IMPROVED):
        return [f"{where}: {name} {now:g}, better than the baseline {was:g}: `{RENEW}` keeps that"]
    return []


def write(found: Counts, file: Path = BASELINES) -> None:
    """Beside those of other Python versions."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**kept, PYTHON: found}, indent=2, sort_keys=True) + "\n")


def table(found: Counts, baseline: Counts | None) -> str:
    rows = [("", "count", "now", "baseline"), ("---", "---", "---:", "---:")]
    for where, counts in found.items():
        for name, now in counts.items():
            was = (baseline or {}).get(where, {}).get(name)
            rows.append((where, name, _text(now), "" if was is None else _text(was)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _text(value: Any) -> str:
    return str(len(value)) if isinstance(value, list) else f"{value:g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.counts")
    parser.add_argument("--write", action="store_true", help="make these the baselines")
    parser.add_argument("--names", metavar="COMMAND", help=f"list modules: --version, run, {SERVE}")
    options = parser.parse_args()
    if options.names:
        print("\n".join(sorted(imports()[options.names])))
        return
    found = {**starts(), **turns()}
    baseline = baselines()
    print(table(found, baseline))
    if options.write:
        write(found)
    elif wrong := judge(found, baseline or {}):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
