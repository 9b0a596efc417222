import json
import time

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core import yaml

JOB = """\
job_name: first
actions:
- deploy:
    to: tmpfs
- test:
    definitions:
    - {name: a,
       path: b}
"""

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc:- #é\n", max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


def briefly(value: object) -> str:
    return ascii(value)[:40]


def refusal(text: str) -> yaml.YAMLError:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.load(text)
    return caught.value


def test_a_job_loads_as_plain_values() -> None:
    assert yaml.load(JOB) == {
        "job_name": "first",
        "actions": [{"deploy": {"to": "tmpfs"}}, {"test": {"definitions": [{"name": "a", "path": "b"}]}}],
    }


def test_an_empty_text_is_none() -> None:
    assert yaml.load("") is None
    assert yaml.load("# only a comment\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "12",
        "0x1F",
        "017",
        "1:30",
        "1.5",
        "yes",
        "Off",
        "~",
        '"12"',
        "'yes'",
        "! '12'",
        "!!str 12",
        "1e3",
        "08",
    ],
)
def test_plain_values_mean_what_they_mean_to_lava(text: str) -> None:
    assert yaml.load(text) == pyyaml.safe_load(text)
    assert type(yaml.load(text)) is type(pyyaml.safe_load(text))


@pytest.mark.parametrize("text", ["2024-05-01", "2024-05-01 10:00:00", "=", "<<", "!!timestamp 2024-05-01"])
def test_dates_and_odd_plain_values_stay_text(text: str) -> None:
    assert yaml.load(text) == text.removeprefix("!!timestamp ")


def test_merged_mappings_give_what_the_mapping_itself_leaves_out() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {z: 3}\nc:\n  <<: [*a, *b]\n  <<: {w: 4}\n  x: 9\n"

    assert yaml.load(text)["c"] == {"x": 9, "y": 2, "z": 3, "w": 4}


def test_an_alias_gives_its_value_again() -> None:
    assert yaml.load("- &a [1]\n- *a\n- &s text\n- *s") == [[1], [1], "text", "text"]


def test_a_small_text_cannot_stand_for_a_huge_one() -> None:
    long = f"- &long [{'x' * 100_000}]\n"

    kept = yaml.load(long + "- *long\n" * 99)
    with pytest.raises(yaml.YAMLError, match="more than 10,000,000 characters, aliases written out") as error:
        yaml.load(long + "- *long\n" * 100)

    assert len(kept) == 100
    assert error.value.line == 101


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, 'the key "a" is there twice, first in line 1'),
        ("{1: a, true: b}", 1, 8, "the key true is there twice, first in line 1"),
        ("a: b: c", 1, 5, "mend the indentation, or put the text in quotes"),
        ("a:\n\tb: c", 2, 1, "indent with spaces, not tabs"),
        ("a: @x", 1, 4, "quote text that begins with @"),
        ("a: 1\n b: 2", 2, 3, '":"'),
        ('a: "b', 1, 6, "unexpected end"),
        ("a: [1,\n  2", 3, 1, "that begins in line 1"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document"),
        ("a: \0", 1, 4, "control character U+0000"),
        ("a: b\r\nc: \x1b[1m", 2, 4, "control character U+001B"),
        ('a: "\\0"', 1, 4, "NUL"),
        ("a: \ud800", 1, 4, "surrogate U+D800"),
        ('a: "\\ud800"', 1, 7, "Unicode"),
        ("a: 18446744073709551616", 1, 4, "does not fit in 64 bits"),
        ("a: -9223372036854775809", 1, 4, "does not fit in 64 bits"),
        (f"a: {'9' * 5000}", 1, 4, "5,000 characters"),
        (f"a: 1{':1' * 5000}", 1, 4, "characters"),
        ("a: .inf", 1, 4, "not a finite number"),
        ("a: -.INF", 1, 4, "not a finite number"),
        ("a: .nan", 1, 4, "not a finite number"),
        ("a: 1.0e+999", 1, 4, "not a finite number"),
        ("a: 0x_", 1, 4, '"0x_" is not a number'),
        ("a: !!int x", 1, 4, '"x" is not a number'),
        ("a: !!int ''", 1, 4, '"" is not a number'),
        ("a: !!float ''", 1, 4, '"" is not a number'),
        ("a: !!bool x", 1, 4, '"x" is neither true nor false'),
        ("a: !!python/object/apply:os.system [ls]", 1, 4, '"!!python/object/apply:os.system" is not allowed'),
        ("a: !!binary aGk=", 1, 4, '"!!binary" is not allowed'),
        ("a: !!set {b}", 1, 4, '"!!set" is not allowed'),
        ("a: !mine b", 1, 4, '"!mine" is not allowed'),
        ("? [a]\n: b", 1, 3, "cannot be a key"),
        ("a: &a [x]\n? *a\n: b", 2, 3, "cannot be a key"),
        ("a: &a [*a]", 1, 8, "*a stands for nothing"),
        ("a: *b", 1, 4, "*b stands for nothing"),
        ("a: 1\n<<: 3", 2, 5, "<< takes a mapping"),
        ("a: 1\n<<: [3]", 2, 5, "<< takes a mapping"),
        ("[" * 51 + "]" * 51, 1, 51, "nested deeper than 50 levels"),
        ("[" * 900, 1, 51, "nested deeper than 50 levels"),
        ("- " * 100_000, 1, 101, "nested deeper than 50 levels"),
        ("{a: " * 100_000, 1, 201, "nested deeper than 50 levels"),
        (f"a: &a {'[' * 40}{']' * 40}\nb: {'[' * 10}*a", 2, 14, "nested deeper than 50 levels"),
        ("x" * 10_000_001, 1, 1, "larger than 10,000,000 bytes"),
        ("é" * 5_000_001, 1, 1, "larger than 10,000,000 bytes"),
    ],
    ids=briefly,
)
def test_what_cannot_be_taken_is_refused_with_its_place(text: str, line: int, column: int, says: str) -> None:
    error = refusal(text)

    assert says in error.message
    assert (error.line, error.column) == (line, column)
    assert str(error).endswith(f"(line {line}, column {column})")


def test_a_nesting_that_the_parser_itself_refuses_is_told_in_the_same_words() -> None:
    error = refusal("[" * 100_000)

    assert "nested deeper than 50 levels" in error.message
    assert error.line == 1


def test_fifty_levels_are_not_too_deep() -> None:
    assert yaml.load("[" * 50 + "]" * 50)


@pytest.mark.parametrize(
    "text",
    [bomb(30), "- \n" * 200_001, "x: &x {" + ", ".join(f"k{i}" for i in range(150_000)) + "}\ny: *x"],
    ids=["bomb", "nothings", "twice"],
)
def test_too_many_values_are_refused_before_they_fill_the_memory(text: str) -> None:
    started = time.process_time()

    error = refusal(text)

    assert "more than 200,000 values" in error.message
    assert time.process_time() - started < 10


def test_the_limits_are_the_caller_s_to_set() -> None:
    with pytest.raises(yaml.YAMLError, match="larger than 4 bytes"):
        yaml.load("12345", max_bytes=4)
    with pytest.raises(yaml.YAMLError, match="more than 3 values"):
        yaml.load("[1, 2, 3]", max_nodes=3)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("job_name",), 1),
        (("actions",), 2),
        (("actions", 0), 3),
        (("actions", 0, "deploy", "to"), 4),
        (("actions", 1, "test", "definitions", 0, "path"), 8),
        (("actions", 1, "test", "timeout"), 5),
        (("actions", 7), 2),
        (("job_name", "deeper"), 1),
        (("missing",), 1),
    ],
)
def test_the_line_of_an_entry_or_of_the_nearest_above_it_is_known(path: yaml.NodePath, line: int) -> None:
    assert yaml.line_of(JOB, path) == line


def test_a_merged_entry_stands_where_it_was_written() -> None:
    assert yaml.line_of("a: &a\n  x: 1\nb:\n  <<: *a\n", ("b", "x")) == 2


def test_dump_writes_blocks_with_sorted_keys_and_plain_letters() -> None:
    assert yaml.dump({"b": ["ä ✓", {"d": 1}], "a": {"c": "yes"}}) == "a:\n  c: 'yes'\nb:\n- ä ✓\n- d: 1\n"


def test_dump_writes_a_value_twice_that_occurs_twice() -> None:
    shared = {"x": 1}

    assert yaml.dump([shared, shared]) == "- x: 1\n- x: 1\n"


@pytest.mark.parametrize("value", [object(), "\ud800"])
def test_dump_refuses_what_it_cannot_write(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be written as YAML"):
        yaml.dump(value)


@given(values)
def test_what_was_dumped_loads_as_it_was(value: object) -> None:
    loaded = yaml.load(yaml.dump(value))

    assert loaded == value


@settings(max_examples=500)
@given(st.text(st.sampled_from("ab:-?&*!|>%@`'\"{}[],#\n\t \\0.~<=é\0\ud800"), max_size=60))
def test_no_text_does_anything_but_load_or_be_refused(text: str) -> None:
    try:
        value = yaml.load(text)
    except yaml.YAMLError:
        return

    json.dumps(value, allow_nan=False)
