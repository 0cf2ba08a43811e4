"""``ostler auth``: keys and sign-ins of providers."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ostler.models.credentials import Credentials
    from ostler.models.oauth import SignInMethod

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def auth() -> None:
    """Keys and sign-ins of providers."""


@app.command("list")
def show() -> None:
    """List what is kept, and the variables that connect providers."""
    from ostler.cli.failures import reported
    from ostler.config.paths import default_paths
    from ostler.models.catalogue import newest
    from ostler.models.credentials import NAME

    with reported():
        kept = _credentials()
        entries = newest(default_paths().cache).entries
        own = kept.own()
        rows = []
        for provider, each in kept.all().items():
            name = entries[provider].name if provider in entries else provider
            kind = type(each).__struct_config__.tag
            whose = "" if provider in own else " (kept by OpenCode)"
            rows.append(f"{name} {kind}{whose}")
        path = os.path.join(default_paths().data, NAME)
        _box(f"Credentials {_short(path)}", rows, f"{len(rows)} credentials")
        found = [
            f"{entry.name} {name}"
            for entry in entries.values()
            for name in entry.env
            if os.environ.get(name)
        ]
        if found:
            count = len(found)
            _box("Environment", found, f"{count} environment variable{'s' * (count != 1)}")


app.command("ls", hidden=True)(show)


@app.command()
def login(
    url: Annotated[
        str, typer.Argument(help="A site that describes its own sign-in (.well-known/opencode).")
    ] = "",
    provider: Annotated[
        str, typer.Option("--provider", "-p", help="The provider's id or name.")
    ] = "",
    method: Annotated[
        str, typer.Option("--method", "-m", help="How: 'key', or the label of a sign-in.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Run the command a site names without asking.")
    ] = False,
) -> None:
    """Keep a provider's key, or sign in to it.

    The key is asked for without being shown, or read from standard input: it is no argument,
    because arguments can be seen by others.
    """
    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        if url:
            asyncio_run(_login_at(url, yes))
            return
        asyncio_run(_login(provider, method))


@app.command()
def logout(
    provider: Annotated[str, typer.Argument(help="The provider's id or name.")] = "",
) -> None:
    """Forget a provider's key or sign-in."""
    from ostler.cli.failures import USAGE, Stop, reported

    with reported():
        kept = _credentials()
        own = kept.own()
        if not own:
            raise Stop("No credentials are kept", USAGE)
        chosen = _find(provider, own) if provider else _ask("Log out from", sorted(own))
        if chosen is None:
            raise Stop(f"Nothing is kept for {provider}. Kept: {', '.join(sorted(own))}", USAGE)
        kept.remove(chosen)
        print(f"Logged out from {chosen}")


def _credentials() -> "Credentials":
    from ostler.config.paths import default_paths
    from ostler.models.credentials import Credentials

    paths = default_paths()
    paths.ensure()
    return Credentials(paths.data, paths.opencode_data)


def _short(path: str) -> str:
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path.startswith(home + "/") else path


def _box(title: str, rows: list[str], end: str) -> None:
    print(f"┌  {title}", "│", *(line for row in rows for line in (f"●  {row}", "│")), sep="\n")
    print(f"└  {end}\n")


# ── which provider, and how ───────────────────────────────────────────────────────────────────


async def _login(provider: str, method: str) -> None:
    """Raises Stop."""
    from ostler.cli.opened import opened

    async with opened() as (_, instance):  # whose plugins may know ways of their own
        extensions = instance.models.sign_ins.extensions
        chosen = _choose_provider(provider, extensions)
        ways = list(extensions[chosen].methods) if chosen in extensions else []
        way = _method(method, [*ways, *_configured(chosen)])
        if way is None:
            _keep_key(chosen)
        else:
            await _sign_in(chosen, way)


def _choose_provider(wanted: str, of_plugins: Iterable[str]) -> str:
    """Raises Stop for one that nobody knows."""
    from ostler.cli.failures import USAGE, Stop
    from ostler.config.paths import default_paths
    from ostler.models.catalogue import newest

    entries = newest(default_paths().cache).entries
    names = {key: entry.name for key, entry in entries.items()}
    for key, described in (_config().provider or {}).items():
        names[key] = described.name or names.get(key, key)
    for key in of_plugins:
        names.setdefault(key, key)
    if not wanted:
        wanted = _ask("Provider", [])
    found = _find(wanted, names)
    if found is None:
        import difflib

        near = difflib.get_close_matches(wanted.lower(), names, n=3)
        hint = f" Did you mean: {', '.join(near)}?" if near else ""
        raise Stop(
            f"Unknown provider: {wanted}.{hint} A provider of your own is described under "
            "`provider` in opencode.json first.",
            USAGE,
        )
    return found


def _find(wanted: str, names: Mapping[str, Any]) -> str | None:
    """By id, or by name whatever its case."""
    if wanted in names:
        return wanted
    same = (k for k, n in names.items() if str(n).lower() == wanted.lower() or k == wanted.lower())
    return next(same, None)


def _ask(what: str, choices: Sequence[str]) -> str:
    """Raises Stop where nobody is there to answer."""
    from ostler.cli.failures import USAGE, Stop

    if not sys.stdin.isatty():
        raise Stop(f"{what}: name it, there is no terminal to ask at", USAGE)
    listed = f" ({', '.join(choices)})" if choices else ""
    return input(f"{what}{listed}: ").strip()


def _config() -> Any:
    from ostler.config import load_global
    from ostler.config.paths import default_paths

    return load_global(default_paths(), os.environ)


def _configured(provider: str) -> "list[SignInMethod]":
    """The way that the user's own configuration describes, if it does. A project's does not count:
    it could send a person anywhere."""
    from ostler.models.oauth import method_of

    described = (_config().provider or {}).get(provider)
    return [method_of(described.oauth)] if described and described.oauth else []


def _method(wanted: str, ways: "Sequence[SignInMethod]") -> "SignInMethod | None":
    """The way to sign in, the first where nobody can be asked; None: by key. Raises Stop."""
    from ostler.cli.failures import USAGE, Stop

    labels = [*(way.label for way in ways), "key"]
    if not wanted and len(ways) > 1 and sys.stdin.isatty():
        wanted = _ask("How", labels)
    found = next((way for way in ways if way.label.lower() == wanted.lower()), None)
    if found is not None or wanted.lower() in ("key", "api", "api key"):
        return found
    if wanted:
        raise Stop(f"--method: {wanted!r} is none of {', '.join(labels)}", USAGE)
    return next(iter(ways), None)


def _keep_key(provider: str) -> None:
    from ostler.schema.auth import ApiAuth

    key = _secret(f"API key of {provider}")
    _credentials().set(provider, ApiAuth(key=key, metadata=_parts(provider) or None))
    print(f"Logged in to {provider}")


def _parts(provider: str) -> dict[str, str]:
    """What a provider's address is made of, as far as no variable says it and a person can."""
    from ostler.config.paths import default_paths
    from ostler.models.access import PARTS
    from ostler.models.catalogue import newest

    entry = newest(default_paths().cache).entries.get(provider)
    wanted = [n for n in (entry.env if entry else ()) if n in PARTS and not os.environ.get(n)]
    if not wanted or not sys.stdin.isatty():
        return {}
    said = {PARTS[name]: _ask(name, []) for name in wanted}
    return {name: value for name, value in said.items() if value}


async def _sign_in(provider: str, way: "SignInMethod") -> None:
    started = await way.start(await _inputs(way))
    try:
        if started.url:
            print(f"Go to: {started.url}\n{started.instructions}", flush=True)
            if sys.stdout.isatty():
                from ostler.integrations.browser import open_browser

                await open_browser(started.url, os.environ)
        code = None
        if started.method == "code":
            code = _secret(way.label) if way.type == "api" else _given("Code")
        credential = await started.finish(code)
    finally:
        started.close()
    _credentials().set(provider, credential)
    print(f"Logged in to {provider}")


async def _inputs(way: "SignInMethod") -> dict[str, str]:
    """The answers to what a way asks before it begins. Raises Stop."""
    from ostler.cli.failures import USAGE, Stop

    inputs: dict[str, str] = {}
    for index, prompt in enumerate(way.prompts):
        if not await way.applies(index, inputs):
            continue
        key, message = str(prompt["key"]), str(prompt.get("message") or prompt["key"])
        options = prompt.get("options") or ()
        answer = _given(message, [str(o["label"]) for o in options])
        chosen = (o["value"] for o in options if answer in (o["label"], o["value"]))
        answer = str(next(chosen, answer))
        wrong = await way.mistake(index, answer)
        if wrong is not None:
            raise Stop(f"{message}: {wrong}", USAGE)
        inputs[key] = answer
    return inputs


def _given(what: str, choices: Sequence[str] = ()) -> str:
    """What a person types, or the next line of what is piped in."""
    return _ask(what, choices) if sys.stdin.isatty() else sys.stdin.readline().strip()


def _secret(what: str) -> str:
    """The same, without being shown. Raises Stop."""
    from getpass import getpass

    from ostler.cli.failures import USAGE, Stop

    given = getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not given.strip():
        raise Stop("No key was given", USAGE)
    return given.strip()


# ── a site that describes its own sign-in ─────────────────────────────────────────────────────


async def _login_at(url: str, yes: bool) -> None:
    """Run the command a site names and keep what it prints. Raises Stop."""
    import asyncio
    import shlex

    import httpx
    import msgspec

    from ostler.cli.failures import UNEXPECTED, USAGE, Stop
    from ostler.schema.auth import WellKnownAuth

    site = url.rstrip("/")
    try:
        async with httpx.AsyncClient(follow_redirects=True, timeout=30) as client:
            answer = await client.get(f"{site}/.well-known/opencode")
            answer.raise_for_status()
        described = msgspec.json.decode(answer.content)["auth"]
        command = [str(word) for word in described["command"]]
        variable = str(described["env"])
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise Stop(f"{site}/.well-known/opencode: {e}", UNEXPECTED) from None
    except (msgspec.DecodeError, KeyError, TypeError):
        raise Stop(f"{site}/.well-known/opencode describes no sign-in", UNEXPECTED) from None
    print(f"{site} would run: {shlex.join(command)}", flush=True)
    if not yes and _ask("Run it? (yes or no)", []).lower() not in ("y", "yes"):
        raise Stop("Nothing was run", USAGE)
    try:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    except OSError as e:
        raise Stop(f"{command[0]}: {e.strerror}", UNEXPECTED) from None
    out, _ = await process.communicate()
    token = out.decode("utf-8", "replace").strip()
    if process.returncode or not token:
        raise Stop(f"{command[0]} ended with {process.returncode} and no token", UNEXPECTED)
    _credentials().set(site, WellKnownAuth(key=variable, token=token))
    print(f"Logged in to {site}")
