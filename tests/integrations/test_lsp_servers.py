"""The language servers that are known: their ids, and where each takes a project to begin."""

from pathlib import Path

import pytest

from ostler.config.lsp import BUILT_IN
from ostler.integrations.lsp.builtin import BUILTIN, configured
from ostler.integrations.lsp.diagnostics import MAX_FILES, MAX_PER_FILE, Found
from ostler.integrations.lsp.documents import end_of, language_of, path_of, uri_of
from ostler.integrations.lsp.place import Place
from ostler.schema.config import LspConfig

BY_ID = {server.id: server for server in BUILTIN}
PARENT = "<project><modules><module>app</module><!--<module>old</module>--></modules></project>"


def test_the_list_is_the_one_that_a_configuration_is_checked_against() -> None:
    assert set(BY_ID) == BUILT_IN
    assert len(BUILTIN) == len(BUILT_IN)


def test_each_knows_what_its_files_are_written_in() -> None:
    unknown = {e for s in BUILTIN for e in s.extensions if language_of(f"x{e}") == "plaintext"}
    assert unknown - {"Dockerfile"} == set()
    assert language_of("/a/Dockerfile") == "dockerfile"


@pytest.mark.parametrize(
    ("server_id", "files", "path", "root"),
    [
        ("pyright", {"a/setup.py": ""}, "a/b/c.py", "a"),
        ("pyright", {}, "a/b/c.py", ""),
        ("typescript", {"a/bun.lock": "", "package-lock.json": ""}, "a/b/c.ts", "a"),
        ("typescript", {"a/deno.json": "", "package-lock.json": ""}, "a/b/c.ts", None),
        ("deno", {"a/deno.json": "", "package-lock.json": ""}, "a/b/c.ts", "a"),
        ("deno", {"package-lock.json": ""}, "a/b/c.ts", None),
        ("gopls", {"go.work": "", "a/go.mod": ""}, "a/b.go", ""),
        ("gopls", {"a/go.mod": ""}, "a/b.go", "a"),
        ("csharp", {"src/app.sln": "", "src/app/app.csproj": ""}, "src/app/a.cs", "src"),
        ("haskell-language-server", {"a/own.cabal": ""}, "a/b/c.hs", "a"),
        ("rust", {"Cargo.toml": "[workspace]", "a/Cargo.toml": ""}, "a/src/b.rs", ""),
        ("rust", {"Cargo.toml": "[package]", "a/Cargo.toml": ""}, "a/src/b.rs", "a"),
        ("jdtls", {"settings.gradle": "", "a/build.gradle": ""}, "a/B.java", ""),
        ("jdtls", {"gradlew": "", "a/build.gradle": ""}, "a/B.java", ""),
        ("jdtls", {"a/build.gradle": "", "pom.xml": ""}, "a/B.java", "a"),
        ("jdtls", {"pom.xml": PARENT, "app/pom.xml": ""}, "app/src/B.java", ""),
        ("jdtls", {"pom.xml": PARENT, "old/pom.xml": ""}, "old/src/B.java", "old"),
        ("jdtls", {"README.md": ""}, "B.java", None),
        ("kotlin-ls", {"a/build.gradle.kts": "", "pom.xml": ""}, "a/b.kt", "a"),
        ("bash", {"a/package.json": ""}, "a/b.sh", ""),
    ],
)
def test_roots(
    tmp_path: Path, server_id: str, files: dict[str, str], path: str, root: str | None
) -> None:
    # A marker around the directory is none of its business.
    for name, content in {"../pom.xml": PARENT, "../setup.py": "", **files}.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(content)
    directory = str(tmp_path / "project")
    found = BY_ID[server_id].root(f"{directory}/{path}", directory, "/")
    assert found == (None if root is None else str(tmp_path / "project" / root))


def test_what_a_configuration_changes() -> None:
    assert configured(False, ty=False) == []
    assert configured(None, ty=False) == []
    plain = {server.id for server in configured(True, ty=False)}
    assert plain == BUILT_IN - {"ty"}
    assert {server.id for server in configured(True, ty=True)} == BUILT_IN - {"pyright"}
    entries = {
        "gopls": LspConfig(disabled=True),
        "pyright": LspConfig(command=["own", "--x"], env={"A": "1"}, initialization={"b": 2}),
        "mine": LspConfig(command=["mine"], extensions=[".x"]),
    }
    servers = {server.id: server for server in configured(entries, ty=False)}
    assert set(servers) == plain - {"gopls"} | {"mine"}
    assert servers["pyright"].commands == (("own", "--x"),)
    assert servers["pyright"].extensions == (".py", ".pyi")
    assert servers["pyright"].environment == {"A": "1"}
    assert servers["mine"].takes("/a/b.x")
    assert not servers["mine"].takes("/a/b.y")
    assert servers["mine"].root("/p/a/b.x", "/p", "/") == "/p"


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("own_code", [True, False])
def test_where_programs_are_found(tmp_path: Path, own_code: bool) -> None:
    """The user's first, but of those that projects pin a version of; without trust never the
    project's, whatever way leads there."""
    root = tmp_path / "project"
    users = program(tmp_path / "bin/biome")
    (tmp_path / "bin/gopls").symlink_to(program(root / "tools/gopls"))
    local = program(root / "node_modules/.bin/biome")
    pyright = program(root / "node_modules/.bin/pyright-langserver")
    interpreter = program(root / "venv/bin/python")
    ty = program(root / "venv/bin/ty")
    place = Place(str(root), str(root), "/", {"PATH": f"tools:{tmp_path}/bin"}, own_code)

    def command(server_id: str) -> tuple[str, ...] | None:
        launch = BY_ID[server_id].launch(place)
        return launch.command if launch else None

    assert command("biome") == (local if own_code else users, "lsp-proxy", "--stdio")
    assert command("gopls") == ((str(root / "tools/gopls"),) if own_code else None)
    assert command("pyright") == ((pyright, "--stdio") if own_code else None)
    assert command("ty") == ((ty, "server") if own_code else None)
    assert command("rust") is None
    given = configured({"pyright": LspConfig(command=["sh"])}, ty=False)
    (server,) = (s for s in given if s.id == "pyright")
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    launch = server.launch(place)
    assert launch is not None
    assert launch.command == (str(tmp_path / "bin/sh"),)
    assert launch.settings.get("pythonPath") == (interpreter if own_code else None)


def test_what_is_kept_of_a_server_is_bounded() -> None:
    at = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    found = Found()
    many = [{"message": str(i), "range": at} for i in range(MAX_PER_FILE + 1)]
    for i in range(MAX_FILES + 1):
        found.push(f"/{i}", many[:1])
    found.push("/1", many)
    kept = found.all()
    assert len(kept) == MAX_FILES
    assert "/0" not in kept
    assert len(kept["/1"]) == MAX_PER_FILE
    found.pull("/1", many[:2])
    assert len(found.all()["/1"]) == MAX_PER_FILE  # each is told once
    found.push("/1", [])
    assert [d["message"] for d in found.all()["/1"]] == ["0", "1"]
    found.push("/x", [None, {}, {"message": 1}, {"message": "x", "range": {"start": None}}])
    assert "/x" not in found.all()


@pytest.mark.parametrize(
    ("text", "line", "character"),
    [
        ("", 0, 0),
        ("a", 0, 1),
        ("a\n", 1, 0),
        ("a\r\nbc", 1, 2),
        ("a\rb", 1, 1),
        ("é\U0001f600", 0, 3),
    ],
)
def test_where_a_text_ends(text: str, line: int, character: int) -> None:
    assert end_of(text) == {"line": line, "character": character}


@pytest.mark.parametrize("path", ["/a b/c#d?e%20f", "/é/ü"])
def test_paths_and_uris(path: str) -> None:
    assert path_of(uri_of(path)) == path
    assert path_of("http://x/y") is None
    assert uri_of("/a/\udcff") == "file:///a/%FF"
    assert path_of("file:///a/%FF") is None  # JSON cannot name it
    assert path_of("file:///a%00b") is None
    assert path_of(None) is None
