"""The bench itself works."""

import subprocess
import sys

import pytest
from bench.figures import FIGURES
from bench.memory import Peak
from bench.target import Place, ostler, scripted_model
from bench.workloads import WORKLOADS

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

HOLD = "held = bytearray({mb} << 20); print(1, flush=True); input()"
FAMILY = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HOLD.format(mb=60)!r}], stdin=subprocess.PIPE)
child.communicate(b"x")
"""


@linux
def test_the_peak_is_that_of_a_program_and_what_it_starts() -> None:
    process = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.DEVNULL)
    with Peak(process.pid) as peak:
        assert process.wait(30) == 0
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
