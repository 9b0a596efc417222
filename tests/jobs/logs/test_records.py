from __future__ import annotations

import json
from datetime import datetime
from time import process_time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.logs import Record, parse_lines
from tests.jobs.logs import support
from tests.jobs.logs.support import record

DT = '"dt": "2026-11-22T03:16:06.122131"'
TIME = datetime(2026, 11, 22, 3, 16, 6, 122131)
LATER = datetime(2026, 11, 22, 4)


def message_of(item: str) -> object:
    [only] = parse_lines(f'- {{{DT}, "lvl": "info", "msg": {item}}}')
    assert only.level == "info"
    return only.message


def test_a_record_goes_over_the_wire_as_lava_writes_it() -> None:
    sent = Record(time=TIME, level="feedback", message="tick", namespace="common")

    assert sent.to_wire() == f'{{{DT}, "lvl": "feedback", "msg": "tick", "ns": "common"}}'


def test_a_piece_of_a_line_says_so_on_the_wire() -> None:
    assert json.loads(record("login: ", partial=True).to_wire())["partial"] is True


def test_a_time_without_a_fraction_has_none_on_the_wire() -> None:
    assert json.loads(record("x").to_wire())["dt"] == "2026-11-22T03:16:06"


@settings(deadline=None)
@given(st.lists(support.records()))
def test_records_come_back_from_the_wire_as_they_were_sent(sent: list[Record]) -> None:
    text = "\n".join(f"- {each.to_wire()}" for each in sent)

    assert parse_lines(text) == sent


@settings(deadline=None)
@given(st.lists(support.records(), min_size=1))
def test_records_in_yaml_by_libyaml_are_read_as_well(sent: list[Record]) -> None:
    dumped = [
        yaml.dump(
            json.loads(each.to_wire()),
            Dumper=yaml.CSafeDumper,
            default_style='"',
            default_flow_style=True,
            width=10**6,
        )
        for each in sent
    ]

    assert parse_lines("".join(f"- {line}" for line in dumped)) == sent


def test_what_lava_marks_as_no_string_gets_its_type_back() -> None:
    found = message_of('{"a": ! "12", "b": ! "1.5", "c": ! "true", "d": ! "null", "e": "12"}')

    assert found == {"a": 12, "b": 1.5, "c": True, "d": None, "e": "12"}


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (r'"caf\xE9 \e[1m \L \U0001F600"', "café \x1b[1m \u2028 😀"),
        (r'"\u0000 \ud800"', "\ufffd \ufffd"),
        (r'"\0 \xE9"', "\ufffd é"),
        ('"raw \x1b[1m\ttab"', "raw \x1b[1m\ttab"),
        (r'{"a\u0000": ["\udfff"]}', {"a\ufffd": ["\ufffd"]}),
        ('{x: &a [1, "é"], y: *a, ! "7": 2026-01-02}', {"x": [1, "é"], "y": [1, "é"], "7": "2026-01-02"}),
    ],
)
def test_escapes_and_structures_are_read_and_made_storable(wire: str, expected: object) -> None:
    assert message_of(wire) == expected


def test_raw_nul_and_lone_surrogates_are_replaced() -> None:
    assert message_of('"a\0b\ud800"') == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    "item",
    [
        "",
        "what is this",
        f'{{{DT}, "lvl": "info", "msg": ',
        f'{{{DT}, "lvl": "loud", "msg": "x"}}',
        f'{{{DT}, "lvl": ["info"], "msg": "x"}}',
        f'{{{DT}, "lvl": "info"}}',
        f'{{{DT}, "msg": "x"}}',
        f'{{{DT}, "lvl": "info", "msg": "x", "ns": 5}}',
        '{"lvl": "info", "msg": "x"}',
        '{"dt": "yesterday", "lvl": "info", "msg": "x"}',
        '{"dt": 12, "lvl": "info", "msg": "x"}',
        '{"dt": "0001-01-01T00:00:00+23:00", "lvl": "info", "msg": "x"}',
        "[1, 2]",
        f'{{{DT}, "lvl": "info", "msg": !!python/object:os.system "x"}}',
    ],
)
def test_an_item_that_is_no_record_keeps_its_raw_text_in_its_place(item: str) -> None:
    good = record("good").to_wire()

    found = parse_lines(f"- {good}\n- {item}\n- {good}")

    assert [each.message for each in found] == ["good", item, "good"]
    assert found[1].level == "warning"


def test_a_broken_item_has_the_time_it_shows() -> None:
    [found] = parse_lines(f'- {{{DT}, "lvl": "inf')

    assert found.time == TIME


def test_a_broken_item_without_a_time_has_that_of_the_record_before() -> None:
    found = parse_lines(f"- {record('x').to_wire()}\n- broken", received=LATER)

    assert found[1].time == found[0].time


def test_a_broken_item_alone_has_the_time_of_its_arrival() -> None:
    [found] = parse_lines("- broken", received=LATER)

    assert found.time == LATER


def test_a_time_with_an_offset_becomes_utc() -> None:
    [found] = parse_lines('- {"dt": "2026-11-22T05:16:06+02:00", "lvl": "info", "msg": "x"}')

    assert found.time == datetime(2026, 11, 22, 3, 16, 6)


def test_an_event_stays_recognisable() -> None:
    [found] = parse_lines(f'- {{{DT}, "lvl": "event", "msg": {{"a": 1}}}}')

    assert (found.level, found.message) == ("event", {"a": 1})


def test_a_line_without_a_dash_belongs_to_the_item_before_it() -> None:
    found = parse_lines(f'- {{{DT}, "lvl": "info",\r\n  "msg": "x"}}\r\n- {record("y").to_wire()}\r\n')

    assert [each.message for each in found] == ["x", "y"]


def test_an_empty_post_has_no_records() -> None:
    assert parse_lines("") == []


@pytest.mark.parametrize(
    "item",
    [
        "[" * 500_000,
        '{"a":' * 100_000,
        f'{{{DT}, "lvl": "info", "msg": ' + "[" * 500 + "]" * 500 + "}",
        f'{{{DT}, "lvl": "info", "msg": ! "1' + ":1" * 400_000 + '"}',
        f'{{{DT}, "lvl": "info", "msg": ' + "9" * 400_000 + "}",
        f'{{{DT}, "lvl": "info", "msg": ! "0x' + "f" * 400_000 + '"}',
        f'{{{DT}, "lvl": "info", "msg": &a [*a]}}',
        f'{{{DT}, "lvl": "info", "msg": [&b0 [1], '
        + ", ".join(f"&b{n + 1} [{', '.join([f'*b{n}'] * 9)}]" for n in range(40))
        + "]}",
        f'{{{DT}, "lvl": "info", "msg": [&m0 {{a: 1}}, '
        + ", ".join(f"&m{n + 1} {{<<: [*m{n}, *m{n}, *m{n}]}}" for n in range(40))
        + "]}",
        f'{{{DT}, "lvl": "info", "msg": "' + '\\"' * 500_000,
        f'{{{DT}, "lvl": "info", "msg": "' + '\\"' * 500_000 + "\\",
    ],
    ids=[
        "brackets",
        "mappings",
        "deep",
        "base 60",
        "digits",
        "hex",
        "own child",
        "aliases",
        "merges",
        "quotes",
        "backslash",
    ],
)
def test_hostile_structures_cost_little_and_stay_text(item: str) -> None:
    before = process_time()

    [found] = parse_lines(f"- {item}")

    assert found.message == item
    assert process_time() - before < 10


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])), min_size=1))
def test_no_text_raises_and_none_is_lost(items: list[str]) -> None:
    found = parse_lines("- start\n- " + "\n- ".join(items) + "\n- end")

    assert [each.message for each in found[1:-1]] == items


@pytest.mark.parametrize("name", support.golden_logs())
def test_every_line_of_a_real_log_is_a_record(name: str) -> None:
    log = support.golden_logs()[name].decode()

    found = parse_lines(log)

    assert len(found) == log.count("\n")
    assert not [each for each in found if isinstance(each.message, str) and each.message.startswith('{"dt"')]
