"""The command line. ``main`` is both console scripts, ``ostler`` and ``opencode``."""


def main() -> None:
    from ostler.cli.main import run

    run()
