"""Schemathesis, which generates requests from ``/doc``: whatever it sends, in whatever order, is
answered as the document says, and never with a 5xx.

``make fuzz`` sends more of them: OSTLER_FUZZ_EXAMPLES an operation, and every edge case.
"""

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.peers.test_litellm import PEERS
from tests.support import model_server
from tests.support.command import kill
from tests.support.product import serving

PROGRAM = PEERS / "bin/schemathesis"
EXAMPLES = os.environ.get("OSTLER_FUZZ_EXAMPLES", "")
PHASES = "examples,coverage,fuzzing,stateful" if EXAMPLES else "fuzzing,stateful"
STREAMS = r"^/(event|global/event|tui/control/next|pty/.*/connect)$"
"""Answers that do not end."""
RUNS = r"^/session/.*/shell$"
"""Would run generated text as a command."""
SOON = {"retry": {"attempts": 1, "delay": 1}}
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists() and not os.environ.get("OSTLER_PEERS_REQUIRED"),
    reason="no .venv-peers here: `make peers` makes it",
)


@pytest.mark.timeout(1800)
async def test_generated_requests(tmp_path: Path) -> None:
    async with serving(tmp_path, model_server.by_rule, config=SOON, titles=False) as ostler:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("run", f"{ostler.http.base_url}/doc", "--checks", CHECKS),
            *("--max-examples", EXAMPLES or "8", "--phases", PHASES),
            *("--exclude-path-regex", f"{STREAMS}|{RUNS}", "--request-timeout", "20"),
            *("--generation-deterministic", "--continue-on-failure", "--no-color"),
            *("--warnings", "off", "--suppress-health-check", "all"),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            out, _ = await process.communicate()
        finally:
            kill(process)
        said = out.decode()
        assert process.returncode == 0, said[-6000:]
        cases = re.search(r"(\d+) generated", said)
        assert cases, said[-2000:]
        assert int(cases[1]) >= 1000
