"""``ostler try``: an agent at work on a scratch project, with nothing to set up."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.cli.backend import Backend

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

TASK = """\
create total.py containing ```
prices = [3, 4, 5]
print("total:", sum(price))
```
then run python3 total.py
then replace sum(price) with sum(prices) in total.py
then run python3 total.py"""
"""A small program with a mistake; the second run shows it mended."""


@app.command("try")
def try_out(
    model: Annotated[
        str, typer.Option("--model", "-m", help="provider/model; a rehearsal by default.")
    ] = "rehearsal/rehearsal",
) -> None:
    """Watch an agent write, run, mend and run again a program in a scratch project.

    No key is needed: the rehearsal model follows rules. The tools, the session and the diff are the
    real ones.
    """
    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        code = asyncio_run(_try(model))
    sys.exit(code)


async def _try(model: str) -> int:
    from ostler.cli.backend import LocalBackend
    from ostler.cli.run import Request, Run

    folder = scratch_project()
    print(f"A scratch project: {folder}\n\nThe task:\n{_indented(TASK)}", flush=True)
    request = Request(text=TASK, model=model, title="Try")
    request.check()
    backend = await LocalBackend.open(str(folder))
    try:
        run = Run(backend, request)
        code = await run.to_end()
        await _show_diff(backend, run.session_id)
    finally:
        await backend.close()
    if code == 0:
        print(next_steps(folder))
    return code


def scratch_project() -> Path:
    """A new git repository with one commit. Raises Stop without git."""
    from ostler.cli.failures import UNEXPECTED, Stop

    folder = Path(tempfile.mkdtemp(prefix="ostler-try-"))
    (folder / "README.md").write_text("# A scratch project\n")
    author = ("-c", "user.name=Ostler", "-c", "user.email=ostler@localhost")
    try:
        for command in (
            ("init", "-q"),
            ("add", "--all"),
            (*author, "commit", "-q", "-m", "A scratch project"),
        ):
            subprocess.run(["git", *command], cwd=folder, check=True, timeout=30)
    except FileNotFoundError:
        raise Stop("git is needed: it was not found on PATH", UNEXPECTED) from None
    except subprocess.SubprocessError as e:
        raise Stop(f"cannot make a scratch project: {e}", UNEXPECTED) from None
    return folder


async def _show_diff(backend: "Backend", session_id: str) -> None:
    diffs: list[dict[str, Any]] = [
        diff
        for message in await backend.messages(session_id)
        for diff in (message["info"].get("summary") or {}).get("diffs") or ()
        if message["info"]["role"] == "user"
    ]
    print(f"\nWhat changed: {len(diffs)} file{'' if len(diffs) == 1 else 's'}")
    for diff in diffs:
        print(f"\n{diff['file']}  +{diff['additions']} -{diff['deletions']}")
        print(_indented(_hunks(diff.get("patch") or "")))


def _hunks(patch: str) -> str:
    return patch[max(0, patch.find("@@")) :].rstrip()


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def next_steps(folder: Path) -> str:
    return f"""
What next
  Look at what it made      cd {folder}
  Give it another task      ostler run 'create a.txt containing hi then read a.txt'
  Connect a model           start Ollama or LM Studio, or describe an OpenAI-compatible endpoint
                            under "provider" in opencode.json: see docs/models.md
  Start the server          ostler serve   then   curl http://127.0.0.1:4096/doc

In a checkout, `ostler` is .venv/bin/ostler."""
