#!/usr/bin/env python3
"""Give one task to a server and print the answer: ``task.py [--dir DIR] [--model M] TASK…``

Starts a server where none answers. The exit code is that of ``ostler drive``: 0, or the failure's.
"""

import argparse
import json
import subprocess
import sys
from typing import Any


def drive(*arguments: str, deadline: float, task: str = "") -> "tuple[int, dict[str, Any]]":
    done = subprocess.run(
        ["ostler", "drive", *arguments],
        input=task,
        stdout=subprocess.PIPE,
        text=True,
        timeout=deadline + 120,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def main() -> int:
    parser = argparse.ArgumentParser(description="Give one task to a server, print the answer.")
    parser.add_argument("task", nargs="+")
    parser.add_argument("--dir", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--deadline", type=float, default=600)
    asked = parser.parse_args()
    code, said = drive("check", "--start", "--dir", asked.dir, deadline=60)
    if code == 0:
        code, said = drive(
            *("send", "--dir", asked.dir, "--model", asked.model),
            *("--deadline", str(asked.deadline), "-"),
            deadline=asked.deadline,
            task=" ".join(asked.task),
        )
    if said.get("text"):
        print(said["text"])
    if "failure" in said:
        print(f"{said['failure']['kind']}: {said['failure']['message']}", file=sys.stderr)
    if "sessionID" in said:
        print(f"session: {said['sessionID']}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
