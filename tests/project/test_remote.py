import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.project.remote import remote_name

# Every pair was observed: OpenCode 1.18.33 gave a repository with this origin the project id
# sha1("git-remote:" + name), or, for None, the id of a repository without an origin.
OBSERVED = {
    "https://github.com/a/b.git": "github.com/a/b",
    "https://GitHub.com/A/B": "github.com/A/B",
    "http://github.com/a/b/": "github.com/a/b",
    "git@github.com:a/b.git": "github.com/a/b",
    "git@GITHUB.com:a/b.git/": "github.com/a/b",
    "git@github.com:/a/b": "github.com/a/b",
    "github.com:a/b": None,
    "host:p.git": None,
    "host:": None,
    "C:/x/y": None,
    "ssh://git@github.com:22/a/b.git": "github.com/a/b",
    "ssh://git@github.com:a/b.git": "ssh/git@github.com:a/b",
    "ssh://u@h.com:99999/a": "ssh/u@h.com:99999/a",
    "https://h.com:x/a": "https/h.com:x/a",
    "git://github.com/a/b.git": "github.com/a/b",
    "git+ssh://git@github.com/a/b.git": "github.com/a/b",
    "ftp://f.com/a": "f.com/a",
    "https://user:pw@github.com/a/b.git": "github.com/a/b",
    "https://github.com:8443/a/b.git": "github.com/a/b",
    "HTTPS://github.com/a/b": "github.com/a/b",
    "  https://github.com/a/b  ": "github.com/a/b",
    "file:///tmp/x.git": None,
    "file://host/x": None,
    "/tmp/x.git": None,
    "/tmp/a:b": None,
    "../x": None,
    "./x:y": None,
    "foo": None,
    "a@b/c:d": None,
    "hg::https://h.com/a": None,
    "https://github.com": None,
    "https://github.com/": None,
    "https://h.com/.git": None,
    "git@host:.git": None,
    "user@host:/abs/p.git": "host/abs/p",
    "git@host://a/b.git": "host/a/b",
    "git@host:a/b/": "host/a/b",
    "git@host:a/b.git//": "host/a/b.git",
    "git@h.com:a/b.git.git": "h.com/a/b.git",
    "https://h.com/a/b//": "h.com/a/b",
    "https://h.com//a/b": "h.com/a/b",
    "https://github.com/a//b.git": "github.com/a//b",
    "https://github.com/a/b.GIT": "github.com/a/b.GIT",
    "https://h.com/a/.git": "h.com/a",
    "https://h.com/a/b.git/x": "h.com/a/b.git/x",
    "https://github.com/a/b?x=1#y": "github.com/a/b",
    "git@host:a/b?x": "host/a/b?x",
    "https://github.com/a/%20b.git": "github.com/a/%20b",
    "https://github.com/a b/c": "github.com/a%20b/c",
    "git@Host:A/b c": "host/A/b c",
    "git@h.com: a": "h.com/ a",
    "https://h.com/é": "h.com/%C3%A9",
    "ssh://h.com/é b": "h.com/%C3%A9%20b",
    'https://h.com/{a}|"^`<>b': "h.com/%7Ba%7D|%22%5E%60%3C%3Eb",
    "https://h.com/a\\b": "h.com/a/b",
    "ssh://h.com/a\\b": "h.com/a\\b",
    "https:///h.com/a": "h.com/a",
    "https:h.com/a": "h.com/a",
    "https://github.com/a/../b.git": "github.com/b",
    "ssh://Host.COM/a/../b": "host.com/b",
    "https://h.com/a/%2e%2E/b": "h.com/b",
    "https://h.com/a/.": "h.com/a",
    "git@h.com:./a/../b": "h.com/./a/../b",
    "ssh://host/~/p": "host/~/p",
    "git@host:~/x": "host/~/x",
    "x@y@h.com:a": "y@h.com/a",
    "a.b@c.d:22:x": "c.d/22:x",
    "[user@host]:a/b": "host]/a/b",
    "git@[::1]:a/b": "[/:1]:a/b",
    "https://[::1]/a": "[::1]/a",
    "ssh://[0:0::1]:22/a": "[::1]/a",
    "https://bücher.de/a": "xn--bcher-kva.de/a",
    "ssh://ÄÖ.de/x": "%c3%84%c3%96.de/x",
    "https://h%2e.com/a": "h..com/a",
    "ssh://h%41.com/a": "h%41.com/a",
    "https://exa mple.com/a": "https/exa mple.com/a",
    "https://h_x.com/a": "h_x.com/a",
    "git@ssh.dev.azure.com:v3/org/proj/repo": "ssh.dev.azure.com/v3/org/proj/repo",
    "https://gitlab.com/a/b/c/d.git": "gitlab.com/a/b/c/d",
}


@pytest.mark.parametrize(("url", "name"), OBSERVED.items())
def test_names_a_remote_as_the_reference_does(url: str, name: str | None) -> None:
    assert remote_name(url) == name


word = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(word, word, word, st.sampled_from(["", ".git", "/", ".git/"]))
def test_every_usual_spelling_of_a_repository_gives_one_name(
    host: str, owner: str, name: str, end: str
) -> None:
    spellings = [
        f"https://{host}.org/{owner}/{name}{end}",
        f"https://token@{host.upper()}.org:443/{owner}/{name}{end}",
        f"ssh://git@{host}.org/{owner}/{name}{end}",
        f"git@{host}.org:{owner}/{name}{end}",
    ]

    assert {remote_name(url) for url in spellings} == {f"{host}.org/{owner}/{name}"}


@given(st.text(max_size=40))
def test_any_text_has_a_name_or_none(url: str) -> None:
    name = remote_name(url)

    assert name is None or "/" in name
