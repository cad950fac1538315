"""JSON texts taken apart without changing a byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.errors import Refused
from console.core.json_members import split

SPACES = st.text(alphabet=" \t\r\n", max_size=3)
NUMBERS = st.sampled_from(["1.10", "1e400", "-0", "1E+2", "0.30000000000000004", "123456789012345678901234567890"])
TEXTS = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from([r'"\u0041"', r'"\/"', '"\\\\"', r'"\""', '"}"', '"[{"', '","', '":"', r'"\ud83d\ude00"']),
)


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(inner, max_size=4))
    return "[" + draw(SPACES) + ",".join(draw(SPACES) + item + draw(SPACES) for item in items) + "]"


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    names = draw(st.lists(TEXTS, max_size=4, unique_by=json.loads))
    members = [draw(SPACES) + name + draw(SPACES) + ":" + draw(SPACES) + draw(inner) + draw(SPACES) for name in names]
    return "{" + draw(SPACES) + ",".join(members) + "}"


SCALARS = st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "null"]))
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(lists(inner), objects(inner)), max_leaves=12)


@given(values=st.lists(VALUES, max_size=5), spaces=st.lists(SPACES, min_size=4, max_size=4))
def test_each_member_is_the_text_that_was_written(values, spaces):
    before, after_name, after_colon, after = spaces
    text = ",".join(f'{before}"m{i}"{after_name}:{after_colon}{value}{after}' for i, value in enumerate(values))

    assert split(f"{before}{{{text}}}{after}", depth=1) == {f"m{i}": value for i, value in enumerate(values)}


@given(values=st.lists(VALUES, max_size=5), spaces=st.lists(SPACES, min_size=2, max_size=2))
def test_each_item_is_the_text_that_was_written(values, spaces):
    before, after = spaces
    text = "[" + ",".join(before + value + after for value in values) + "]"

    assert split(text, depth=1) == values


def joined(parts):
    if isinstance(parts, str):
        return json.loads(parts)
    if isinstance(parts, list):
        return [joined(part) for part in parts]
    return {name: joined(part) for name, part in parts.items()}


@given(text=VALUES, depth=st.integers(0, 5))
def test_the_parts_put_together_say_the_same(text, depth):
    assert joined(split(text, depth=depth)) == json.loads(text)


def test_only_the_outer_levels_are_taken_apart():
    text = ' {"events" : [ {"a": 1.10, "p": {"z": [1e400]}} , {} ], "n": [] } '

    assert split(text, depth=0) == text.strip()
    assert split(text, depth=3) == {"events": [{"a": "1.10", "p": '{"z": [1e400]}'}, {}], "n": []}


def test_names_are_read_with_their_escapes():
    assert split(r'{"\u0061\"b": 1}', depth=1) == {'a"b': "1"}


@pytest.mark.parametrize("text", ["", "{", "[", '{"a"', '{"a" 1}', '{"a": 1', "[1", "[1 2]", '{"a": nope}', "nope"])
def test_what_cannot_be_cut_is_refused(text):
    with pytest.raises(Refused) as refused:
        split(text, depth=2)

    assert refused.value.code == "json_syntax"
