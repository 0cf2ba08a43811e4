"""``ostler trust``: which projects may run programs of their own."""

from pathlib import Path

from tests.support.command import Place


async def test_trusting_a_project(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.root / "inner").mkdir()
    done = await place.ostler("trust", "inner")
    assert (done.code, done.out) == (0, f"Trusted: {place.root}\n")  # the whole checkout
    assert (await place.ostler("trust", "--list")).out == f"{place.root}\n"
    kept = place.home / ".local/state/ostler/trust.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (await place.ostler("trust", "--remove")).code == 0
    assert (await place.ostler("trust", "--list")).out == ""
    again = await place.ostler("trust", "--remove")
    assert again.code == 2
    assert "not in the list" in again.err


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = await Place(tmp_path).ostler("trust", "nowhere")
    assert done.code == 2
    assert "There is no folder nowhere" in done.err


async def test_a_trusted_folder_covers_what_is_in_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.ostler("trust", str(tmp_path))
    done = await place.ostler("trust", "--remove")
    assert f"covered by {tmp_path}" in done.err
