"""What Ostler does, counted from outside: the same on every machine, as times are not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.client import Client
from bench.target import Place, Server, Target, scripted_model
from bench.workloads.driven import Figures, drive

SERVE = "serve"
COMMANDS = {"--version": ["--version"], "--help": ["--help"], "run": ["run", "hello"]}
TURNS, ROUNDS = 10, 10
COMMAND_SECONDS = 60

Counts = dict[str, float]
_PROBE = Path(__file__).parent / "probe"


def imports() -> dict[str, set[str]]:
    """Command -> the modules it looks for: to its end, or, of ``serve``, to its first answer."""
    found = {}
    with scripted_model() as url:
        for name, arguments in COMMANDS.items():
            with _watched(url) as watched:
                process = watched.place.start(*arguments)
                if process.wait(COMMAND_SECONDS) != 0:
                    raise RuntimeError(f"ostler {name} ended with {process.returncode}")
                found[name] = watched.modules()
        with _watched(url) as watched, Server(watched.place):
            found[SERVE] = watched.modules()
    return found


def turns() -> dict[str, Counts]:
    """What a text turn, and what a tool round with bash, makes a warm server do."""
    with scripted_model() as url, _watched(url) as watched, Server(watched.place) as server:
        found: dict[str, Counts] = {}

        async def work(client: Client, _server: Server) -> Figures:
            session = await client.session()

            async def cost(said: str, times: int) -> Counts:
                before = watched.counts()
                for _ in range(times):
                    await client.prompt(session, said)
                return {k: value - before[k] for k, value in watched.counts().items()}

            for warm in ("hello", "ROUNDS 1", "hello"):
                await client.prompt(session, warm)
            texts = await cost("hello", TURNS)
            few, many = await cost("ROUNDS 1", 1), await cost(f"ROUNDS {ROUNDS + 1}", 1)
            found["text turn"] = {k: value / TURNS for k, value in texts.items()}
            found["tool round"] = {k: (many[k] - few[k]) / ROUNDS for k in many}
            return {}

        drive(server, work)
    return found


class _Watched:
    """A place whose programs tell what they do, see probe/sitecustomize.py."""

    def __init__(self, place: Place, told: Path) -> None:
        self.place, self._told = place, told

    def modules(self) -> set[str]:
        return {name for _, name in self._of("module")}

    def counts(self) -> Counts:
        """Since the beginning."""
        statements = self._of("sql")
        calls = [calls for calls, statement in statements if statement == "COMMIT"]
        files = [f for f in self.place.root.rglob("*") if f.is_file() and f != self._told]
        sizes = {file: file.stat().st_size for file in files}
        stored = sum(size for file, size in sizes.items() if ".db" in file.name)
        return {
            "Python calls": calls[-1],
            "SQL statements": len(statements),
            "transactions": len(calls),
            "programs started": len(self._of("program")),
            "bytes into the database": stored,
            "bytes into other files": sum(sizes.values()) - stored,
        }

    def _of(self, kind: str) -> list[tuple[int, str]]:
        """Calls until then, and what."""
        lines = [line.split(" ", 2) for line in self._told.read_text().splitlines()]
        return [(int(calls), what) for told, calls, what in lines if told == kind]


@contextmanager
def _watched(model_url: str) -> Iterator[_Watched]:
    variables = {"PYTHONPATH": str(_PROBE), "OSTLER_DISABLE_LOCAL_MODELS": "1"}
    place = Place(
        Target("ostler", [sys.executable, "-m", "ostler"], environment=variables), model_url
    )
    told = place.root / "told"
    variables["BENCH_PROBE"] = str(told)
    try:
        yield _Watched(place, told)
    finally:
        place.close()
