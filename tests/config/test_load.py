"""Loading a directory's configuration: which files, in which order, what is said of mistakes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ostler.config import LoadedConfig, Paths, changed, default_paths, load, load_global
from ostler.config.references import reference_folders
from ostler.schema.errors import ConfigError, ConfigInvalidError, ConfigJsonError


class Home:
    """A home folder and a project to configure."""

    def __init__(self, tmp_path: Path) -> None:
        self.home, self.project = tmp_path / "home", tmp_path / "project"
        self.inner = self.project / "packages/app"
        self.inner.mkdir(parents=True)
        self.environment = {
            "HOME": str(self.home),
            "OPENCODE_TEST_MANAGED_CONFIG_DIR": str(tmp_path / "managed"),
        }

    @property
    def paths(self) -> Paths:
        return default_paths(self.environment)

    def write(self, where: str, content: Any) -> Path:
        """``where`` begins with home/ or project/."""
        place, _, rest = where.partition("/")
        path = (self.home if place == "home" else self.project) / rest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def load(self, directory: Path | None = None, **environment: str) -> LoadedConfig:
        where = str(directory or self.project)
        variables: Mapping[str, str] = {**self.environment, **environment}
        return load(where, str(self.project), self.paths, variables)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


GLOBAL = "home/.config/opencode/opencode.json"


def test_nothing_is_a_configuration(home: Home) -> None:
    loaded = home.load()
    assert loaded.raw.keys() <= {"agent", "command", "username"}
    assert loaded.warnings == []
    assert not home.home.exists()  # loading writes nothing


def test_later_layers_win_key_by_key(home: Home, tmp_path: Path) -> None:
    def provider(name: str) -> dict[str, Any]:
        return {"provider": {"p": {"options": {name: name, "last": name}}}}

    named = tmp_path / "named.json"
    named.write_text(json.dumps(provider("named")))
    home.write(GLOBAL, provider("global"))
    home.write("project/opencode.json", provider("root"))
    home.write("project/packages/app/opencode.jsonc", provider("inner"))
    home.write("project/.opencode/opencode.json", provider("folder"))
    loaded = home.load(
        home.inner,
        OPENCODE_CONFIG=str(named),
        OPENCODE_CONFIG_CONTENT=json.dumps(provider("content")),
    )
    options = (loaded.config.provider or {})["p"].options or {}
    assert options.pop("last") == "content"
    assert set(options) == {"named", "global", "root", "inner", "folder", "content"}
    assert list(options) == ["global", "named", "root", "inner", "folder", "content"]


def test_lists_are_replaced_but_instructions_are_joined(home: Home) -> None:
    home.write(GLOBAL, {"instructions": ["a.md", "b.md"], "disabled_providers": ["x"]})
    home.write(
        "project/opencode.json", {"instructions": ["b.md", "c.md"], "disabled_providers": []}
    )
    config = home.load().config
    assert config.instructions == ["a.md", "b.md", "c.md"]
    assert config.disabled_providers == []


def test_the_projects_own_configuration_can_be_left_out(home: Home) -> None:
    home.write("project/opencode.json", {"model": "a/b"})
    home.write(GLOBAL, {"small_model": "c/d"})
    config = home.load(OPENCODE_DISABLE_PROJECT_CONFIG="1").config
    assert (config.model, config.small_model) == (None, "c/d")


def test_global_settings_alone(home: Home) -> None:
    home.write(GLOBAL, {"server": {"port": 5000}})
    home.write("project/opencode.json", {"server": {"port": 6000}})
    settings = load_global(home.paths, home.environment).server
    assert settings is not None
    assert settings.port == 5000


def test_variables_and_files(home: Home) -> None:
    home.write("project/secret.txt", '  a "quoted" key\n')
    home.write(
        "project/opencode.json",
        """{
          // {file:absent.txt} in a comment is nobody's business
          "model": "{env:MODEL}", "small_model": "{env:UNSET}",
          "username": "{file:secret.txt}"
        }""",
    )
    config = home.load(MODEL="x/y").config
    assert (config.model, config.small_model, config.username) == ("x/y", "", 'a "quoted" key')


def test_a_file_that_is_referred_to_and_absent(home: Home) -> None:
    home.write("project/opencode.json", '{\n "username": "{file:absent.txt}"\n}')
    with pytest.raises(ConfigInvalidError, match=r"opencode.json:2: .*absent.txt does not exist"):
        home.load()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('{\n  "model": "a/b"\n  "x": 1\n}', r"opencode.json:3:3"),
        ("{", r"opencode.json:1:2"),
        ('{"a": tru}', r"opencode.json:1:7"),
    ],
)
def test_what_is_not_json(home: Home, written: str, says: str) -> None:
    home.write("project/opencode.json", written)
    with pytest.raises(ConfigJsonError, match=says):
        home.load()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('{\n"model": 5}', "model"),
        ('{"agent": {"x": {"steps": 0}}}', "agent.x.steps"),
        ('{"permission": {"bash": "maybe"}}', "permission.bash"),
        ('{"provider": {"p": {"models": {"m": {"limit": {"context": "x"}}}}}}', "limit.context"),
        ('{"permissions": {}}', 'use "permission"'),
        ("[]", "Expected an object"),
    ],
)
def test_what_is_no_configuration(home: Home, written: str, says: str) -> None:
    home.write("project/opencode.json", written)
    with pytest.raises(ConfigInvalidError) as refused:
        home.load()
    assert says in str(refused.value)
    assert "opencode.json" in str(refused.value)


def test_a_file_that_is_no_text(home: Home) -> None:
    path = home.write("project/opencode.json", "")
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match="cannot be read"):
        home.load()


def test_a_key_nobody_knows_is_a_warning_with_a_guess(home: Home) -> None:
    home.write("project/opencode.json", '{\n  "smal_model": "a/b"\n}')
    (warning,) = home.load().warnings
    assert (warning.line, warning.message) == (
        2,
        'unknown key smal_model; did you mean "small_model"?',
    )


def test_where_a_value_comes_from(home: Home) -> None:
    path = home.write("project/opencode.json", '{\n  "model": "a/b"\n}')
    origin = home.load().origin(("model",))
    assert origin is not None
    assert origin[0] == str(path)
    assert origin[1] is not None
    assert origin[1].line == 2
    assert home.load().origin(("small_model",)) is None


def test_a_change_is_noticed(home: Home) -> None:
    path = home.write("project/opencode.json", {"model": "a/b"})
    loaded = home.load()
    assert not changed(loaded)
    path.write_text('{"model": "a/bc"}')
    assert changed(loaded)
    loaded = home.load()
    home.write("project/.opencode/agent/new.md", "You are new.")
    assert changed(loaded)


def test_older_spellings(home: Home) -> None:
    home.write(
        "project/opencode.json",
        {
            "mode": {"plan": {"model": "a/b"}},
            "tools": {"bash": False, "write": False},
            "autoshare": True,
            "agent": {"x": {"maxSteps": 3, "tools": {"webfetch": False}, "colour": "red"}},
        },
    )
    config = home.load().config
    agents = config.agent or {}
    assert agents["plan"].model == "a/b"
    assert agents["x"].steps == 3
    assert (agents["x"].options or {})["colour"] == "red"
    assert isinstance(config.permission, dict)
    assert (config.permission["bash"], config.permission["edit"]) == ("deny", "deny")
    assert config.share == "auto"


def test_agents_and_commands_in_markdown(home: Home) -> None:
    home.write(
        "project/.opencode/agent/deep/reviewer.md",
        "---\ndescription: Reviews\nmode: subagent\ntemperature: 0.1\n"
        "permission:\n  edit: deny\n---\nYou review.\n",
    )
    home.write("home/.config/opencode/command/greet.md", "---\nagent: plan\n---\nGreet $1\n")
    config = home.load().config
    (name,) = (config.agent or {}).keys()
    reviewer = (config.agent or {})[name]
    assert name.endswith("reviewer")
    assert (reviewer.prompt, reviewer.mode, reviewer.temperature) == (
        "You review.",
        "subagent",
        0.1,
    )
    assert reviewer.permission == {"edit": "deny"}
    command = (config.command or {})["greet"]
    assert (command.template, command.agent) == ("Greet $1", "plan")


def test_front_matter_with_a_mistake_names_the_file(home: Home) -> None:
    home.write("project/.opencode/agent/bad.md", "---\nsteps: [1\n---\nx\n")
    home.write("project/.opencode/agent/good.md", "Fine.\n")
    try:
        told = " ".join(w.file for w in home.load().warnings)
    except ConfigError as e:
        told = str(e)
    assert "bad.md" in told


def test_a_mistake_in_front_matter_has_its_line(home: Home) -> None:
    home.write("project/.opencode/agent/bad.md", "---\nmode: all\ntools: Read, Bash\n---\nx\n")
    with pytest.raises(ConfigInvalidError, match=r"bad\.md\n.*tools \(line 3"):
        home.load()


@pytest.mark.parametrize(
    "written",
    [{"model": None}, {"agent": {"x": {"prompt": None}}}, {"mcp": {"a": {"command": ["x"]}}}],
)
def test_what_says_nothing_is_refused(home: Home, written: Any) -> None:
    home.write("project/opencode.json", written)
    with pytest.raises(ConfigInvalidError, match="line 1"):
        home.load()


def test_a_mode_of_the_wrong_shape_is_passed_over(home: Home) -> None:
    home.write("project/.opencode/mode/bad.md", "---\ntemperature: warm\n---\nx\n")
    home.write("project/.opencode/mode/good.md", "It is night.")
    loaded = home.load()
    assert [a.mode for a in (loaded.config.agent or {}).values()] == ["primary"]
    assert any("bad.md" in warning.file for warning in loaded.warnings)


def test_a_later_switch_outweighs_an_earlier_rule(home: Home) -> None:
    home.write("project/opencode.json", {"agent": {"x": {"permission": {"edit": "allow"}}}})
    home.write("project/.opencode/agent/x.md", "---\ntools: {write: false}\n---\n")
    agent = (home.load().config.agent or {})["x"]
    assert agent.permission == {"edit": "deny"}


def test_spellings_of_the_next_version(home: Home) -> None:
    home.write(
        "project/opencode.json",
        {
            "agents": {
                "x": {"system": "s", "model": "a/b#high", "disabled": False},
                "y": {"system": 5},
            },
            "commands": {"c": {"template": "t", "model": "a/b#low"}},
            "mcp": {
                "servers": {"m": {"type": "local", "command": ["m"], "disabled": True}},
                "timeout": {"catalog": 5000, "execution": 5000},
            },
        },
    )
    loaded = home.load()
    config = loaded.config
    (agent,) = (config.agent or {}).values()
    assert (agent.prompt, agent.model, agent.variant) == ("s", "a/b", "high")
    assert (config.command or {})["c"].variant == "low"
    assert (config.mcp or {})["m"].enabled is False
    assert config.experimental
    assert config.experimental.mcp_timeout == 5000
    assert any("agents.y" in warning.message for warning in loaded.warnings)


def test_what_nobody_knows_is_not_shown(home: Home) -> None:
    home.write("project/opencode.json", {"hooks": {}, "agent": {"x": {"verbosity": "low"}}})
    raw = home.load().raw
    assert "hooks" not in raw
    assert raw["agent"]["x"]["options"] == {"verbosity": "low"}


def test_references_start_where_they_are_written(home: Home) -> None:
    home.write("project/opencode.json", {"references": {"a": "./docs", "r": "owner/repository"}})
    home.write("project/.opencode/opencode.json", {"references": {"b": {"path": "../sea"}}})
    folders = reference_folders(home.load(), str(home.project), str(home.home))
    assert folders == {"a": f"{home.project}/docs", "b": f"{home.project}/sea"}


def test_plugins_that_lie_in_a_folder(home: Home) -> None:
    for name in ("plugin/a.ts", "plugins/b.js", "plugin/c.mjs", "plugin/deep/d.ts"):
        home.write(f"project/.opencode/{name}", "")
    folder = f"file://{home.project}/.opencode"
    assert home.load().config.plugin == [f"{folder}/plugin/a.ts", f"{folder}/plugins/b.js"]
