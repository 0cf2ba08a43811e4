"""A key is nowhere but where it is kept: not in logs, the database, output, cassettes or errors."""

from pathlib import Path

from tests.support.command import Place
from tests.support.model_server import ModelServer, error, text, tool

KEY = "sk-very-secret-key-0123456789"


def holders(folder: Path) -> list[str]:
    """Files that have the key in them."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and KEY.encode() in path.read_bytes()
    )


async def test_a_key_stays_where_it_is_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    script = [
        tool("bash", command="true"),
        error(503, f"busy: {KEY}", {"x-echo": KEY}),
        error(401, f"Incorrect API key provided: {KEY}", {"x-echo": KEY}),
    ]
    async with ModelServer([*script, text("never")]) as models:
        place.configure(models.url, {"retry": {"delay": 1}})
        config = place.home / ".config/opencode/opencode.json"
        config.write_text(config.read_text().replace(', "apiKey": "test-key"', ""))
        await place.ostler("auth", "login", "-p", "test", stdin=f"{KEY}\n")
        done = await place.ostler(
            *("--print-logs", "--log-level", "DEBUG", "run"),
            *("--format", "json", "--record", str(tmp_path / "cassette.jsonl"), "go"),
        )
        assert models.headers[0]["authorization"] == f"Bearer {KEY}"
    assert done.code == 4
    assert "Incorrect API key provided: ***" in done.out
    assert KEY not in done.out + done.err
    assert holders(tmp_path) == ["home/.local/share/ostler/auth.json"]
