import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.project.rust_regex import BadRegex, compile_regex


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(?<word>\w+)!", "hey!", "hey!"),
        (r"(?P<word>\w+)!", "hey!", "hey!"),
        (r"a(?i)B", "aB ab", "aB"),
        (r"a(?i)x|B", "b", "b"),
        (r"(a(?i)b)c", "aBc", "aBc"),
        (r"(?i:A)b", "ab", "ab"),
        (r"(?-i)a", "a", "a"),
        (r"\x{e9}", "é", "é"),
        (r"\u{1F600}", "😀", "😀"),
        (r"[[:alpha:]]+", "12ab", "ab"),
        (r"[[:^alpha:]]+", "ab12", "12"),
        (r"[a[bc]]+", "xcba", "cba"),
        (r"\p{L}+", "1é2", "é"),
        (r"\pN", "x7", "7"),
        (r"\P{L}", "a1", "1"),
        (r"[\p{Lu}\d]+", "aÉ9", "É9"),
        (r"\p{Greek}", "aλ", "λ"),
        (r"\<b\w", "ab bc", "bc"),
        (r"b\>", "bc ab", "b"),
        (r"\Aa\z", "a", "a"),
        (r"^$", "", ""),
        (r"foo {", "foo {", "foo {"),
        (r"interface{}", "interface{}", "interface{}"),
        (r"a{2}", "aaa", "aa"),
        (r"a{1,}?", "aa", "a"),
        (r"\/\-\"", '/-"', '/-"'),
        (r"[]a]+", "]a", "]a"),
        (r"[^]a]", "]b", "b"),
        (r"[\]]", "]", "]"),
    ],
)
def test_rust_syntax_finds_what_it_means(pattern: str, text: str, found: str) -> None:
    match = compile_regex(pattern).search(text)
    assert match is not None
    assert match[0] == found


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "[a", "(?=a)", "(?!a)", "(?<=a)", r"(a)\1", "a\nb", r"a\nb", "a\\", "a**", "[a&&b]",
     "[a[^b]]", r"\p{Nonesuch}", r"\p{}", r"\x{110000}", "(?U)a", "*a", r"\q"],
)  # fmt: skip
def test_what_is_not_supported_is_refused_with_the_pattern_quoted(pattern: str) -> None:
    with pytest.raises(BadRegex) as refusal:
        compile_regex(pattern)
    assert repr(pattern) in str(refusal.value)


@given(st.text(alphabet="ab().|*+?{}[]\\^$<>:=!iP12,-&", max_size=12))
def test_every_pattern_compiles_or_is_refused(pattern: str) -> None:
    try:
        compile_regex(pattern).search("ab")
    except BadRegex:
        return
