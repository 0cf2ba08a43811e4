"""``python -m bench.flows [--runs N]``: what the control plane costs.

Runs of two stages against a server with a scripted model, all on this machine: throughput, CPU of
the control plane per stage, and its memory as the runs go by.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.target import scripted_model
from ostler.control.plan import Plan, Stage
from ostler.control.plane import ControlPlane, database_url

AT_A_TIME = 16
PLAN = Plan(
    name="two", stages={"a": Stage(prompt="say hello"), "b": Stage(prompt="x", needs=["a"])}
)


def _memory() -> float:
    """MB that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(url: str, data: str, root: str, runs: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with ControlPlane(database_url(data, None), data, dict(os.environ)) as plane:
        places = asyncio.Semaphore(AT_A_TIME)
        done = 0

        async def one() -> None:
            nonlocal done
            async with places:
                run = await plane.add(PLAN, {}, root, [url], False)
                handle = await plane.start(run)
                await handle.get_result()
                done += 1
                if done in (runs // 10, runs):
                    figures[f"memory after {done} runs, MB"] = round(_memory(), 1)

        await one()  # what is imported first
        began, cpu = time.monotonic(), _cpu()
        await asyncio.gather(*(one() for _ in range(runs)))
        seconds = time.monotonic() - began
        figures["runs per second"] = round(runs / seconds, 2)
        figures["CPU per stage, ms"] = round((_cpu() - cpu) / runs / 2 * 1000, 2)
        passed = sum(1 for run in plane.store.runs(runs + 1) if run.status == "passed")
        figures["passed"] = passed
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.flows")
    parser.add_argument("--runs", type=int, default=1_000)
    options = parser.parse_args()
    with scripted_model() as model_url, tempfile.TemporaryDirectory() as folder:
        home, root = Path(folder, "home"), Path(folder, "project")
        (home / ".config/opencode").mkdir(parents=True)
        root.mkdir()
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": model_url, "apiKey": "k"},
            "models": {"m1": {"tool_call": True}},
        }
        config = {"model": "test/m1", "provider": {"test": provider}}
        (home / ".config/opencode/opencode.json").write_text(json.dumps(config))
        server = subprocess.Popen(
            [sys.executable, "-m", "ostler", "serve", "--port", "0"],
            cwd=root,
            env={**os.environ, "HOME": str(home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        try:
            url = next(line.split()[-1] for line in server.stdout if "listening on" in line)
            print(json.dumps(asyncio.run(measure(url, folder, str(root), options.runs)), indent=2))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
