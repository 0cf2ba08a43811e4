"""The bench itself works."""

import subprocess
import sys

import pytest
from bench.figures import FIGURES
from bench.memory import Peak
from bench.target import Place, ostler, scripted_model
from bench.workloads import WORKLOADS

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

HOLD = "held = b'x' * ({mb} << 20); print('held', flush=True); input()"
FAMILY = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {HOLD.format(mb=60)!r}])
"""


@linux
def test_the_peak_is_that_of_a_program_and_what_it_starts() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with Peak(process.pid) as peak:
        assert process.stdout.readline() == b"held\n"
        peak.sample()
        process.communicate(b"\n", 30)
    assert process.returncode == 0
    assert 70 < peak.mb < 120


@linux
@pytest.mark.parametrize("name", ["run", "recovery"])
def test_a_workload_finds_figures_that_the_table_knows(name: str) -> None:
    with scripted_model() as url:
        place = Place(ostler(), url)
        try:
            found = WORKLOADS[name].measure(place)
        finally:
            place.close()
    assert set(found) <= set(FIGURES)
    assert found.get("lost_messages", 0) == 0
