"""``ostler flow``: from a file to evidence, at the command line."""

import json
from pathlib import Path

import pytest

from tests.support.command import Place

FLOW = """\
name: greet
inputs:
  who: {description: Who is greeted}
stages:
  make:
    prompt: create hello.txt containing hello {{ inputs.who }}
    checks:
      - run: grep -q hello hello.txt
  look:
    needs: [make]
    prompt: read hello.txt
asks: {questions: reject, permissions: [{reply: reject}]}
"""


async def test_from_a_file_to_evidence(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.root / "flow.yaml").write_text(FLOW)
    done = await place.ostler("flow", "run", "flow.yaml", "-i", "who=world")
    assert done.code == 0, done.err
    assert "look  passed" in done.err
    run_id = (await place.ostler("flow", "list")).out.split()[0]
    shown = await place.ostler("flow", "show", run_id, "--json")
    whole = json.loads(shown.out)
    assert whole["status"] == "passed"
    assert [a["stage"] for a in whole["attempts"]] == ["make", "look"]
    assert whole["attempts"][0]["checks"][0]["passed"] is True
    assert (
        "[check grep -q hello hello.txt: passed]"
        in (await place.ostler("flow", "logs", run_id[:8])).out
    )
    page = tmp_path / "run.html"
    exported = await place.ostler("flow", "export", run_id, "-o", str(page))
    assert exported.code == 0, exported.err
    assert run_id in page.read_text()
    assert "grep -q hello hello.txt" in page.read_text()
    again = await place.ostler("flow", "retry", run_id, "look", "--json")
    assert again.code == 0, again.err
    assert [a["number"] for a in json.loads(again.out)["attempts"]] == [1, 1, 2]
    forked = await place.ostler("flow", "fork", run_id, "make", "-i", "who=fork", "--json")
    assert forked.code == 0, forked.err
    assert (place.root / "hello.txt").read_text() == "hello fork\n"
    assert json.loads(forked.out)["forked"] == run_id


@pytest.mark.parametrize(
    ("change", "arguments", "code", "said"),
    [
        (("- run", "- rn"), ["-i", "who=x"], 2, 'flow.yaml:8:9: stages.make.checks[0].rn'),
        (("needs: [make]", "needs: [mak]"), ["-i", "who=x"], 2, "flow.yaml:10"),
        (("", ""), [], 2, "inputs.who"),
        (("", ""), ["-i", "who"], 2, "expected name=value"),
        (("asks:", "description: x\n_:"), ["-i", "who=x"], 2, "_"),
        (("permissions: [{reply: reject}]", ""), ["-i", "who=x"], 2, "doom_loop"),
        (("", ""), ["-i", "who=x", "--server", "http://127.0.0.1:9"], 5, "127.0.0.1:9"),
        (("", ""), ["-i", "who=x", "--detach"], 2, "--detach needs --server"),
    ],
)  # fmt: skip
async def test_a_mistake_is_said_before_anything_is_spent(
    tmp_path: Path, change: tuple[str, str], arguments: list[str], code: int, said: str
) -> None:
    place = Place(tmp_path)
    (place.root / "flow.yaml").write_text(FLOW.replace(*change))
    done = await place.ostler("flow", "run", "flow.yaml", *arguments)
    assert done.code == code, done.err
    assert said in done.err
    assert (await place.ostler("flow", "list")).out == ""


async def test_a_check_that_fails_ends_the_run(tmp_path: Path) -> None:
    place = Place(tmp_path)
    flow = FLOW.replace("grep -q hello", "grep -q goodbye")
    (place.root / "flow.yaml").write_text(flow)
    done = await place.ostler("flow", "run", "flow.yaml", "-i", "who=world")
    assert done.code == 21
    assert "check_failed" in done.err
    unknown = await place.ostler("flow", "show", "nothing")
    assert unknown.code == 2
    assert "No run is called nothing" in unknown.err


async def test_quotas_are_set_listed_and_removed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = await place.ostler("flow", "quota", "provider:*", "--concurrency", "2", "--rate", "9")
    assert done.out.strip() == "provider:*: 2 at a time, 9 in 60 s"
    listed = await place.ostler("flow", "quotas", "--json")
    assert json.loads(listed.out)[0]["concurrency"] == 2
    wrong = await place.ostler("flow", "quota", "providers:*", "--rate", "9")
    assert (wrong.code, "expected server:NAME" in wrong.err) == (2, True)
    gone = await place.ostler("flow", "quota", "provider:*", "--remove")
    assert gone.code == 0
    again = await place.ostler("flow", "quota", "provider:*", "--remove")
    assert (again.code, "there is no quota" in again.err) == (2, True)
    assert (await place.ostler("flow", "quotas")).out == ""
