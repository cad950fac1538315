"""JSON from outside: what ``json.loads`` would take and we do not."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.core import strict_json
from console.core.errors import Refused
from console.core.strict_json import load

REFUSED = {
    "json_syntax": [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b'{"a":1}}',
        b"nul",
        b"01",
        b"+1",
        b".5",
        b'"a',
        b'"\n"',
        b'"\x00"',
        b'"a\\',
        rb'"\x41"',
        rb'"\u12"',
        b"[1]//x",
        '{"a":1}'.encode("utf-16-le"),
        b"]" * 100,
    ],
    "json_number": [
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b"1e400",
        b"[-1e999]",
        b"9" * 4301,
        b"[-" + b"9" * 5000 + b"]",
    ],
    "json_duplicate_key": [b'{"a":1,"a":1}', b'[{"b":{"x":1,"y":2,"x":3}}]', rb'{"a":1,"\u0061":2}', b'{"":1,"":2}'],
    "json_surrogate": [
        rb'"\ud800"',
        rb'"\uDFFF"',
        rb'"\ude00\ud83d"',
        rb'"\ud83d\ud83d\ude00"',
        rb'"\ud83d\ude00\ude00"',
        rb'"\ud83dx\ude00"',
        rb'"\ud83d\n\ude00"',
        rb'"\ud83d\\\ude00"',
        rb'{"\udbff":1}',
        rb'"\\\ud800"',
        rb'"\ud83d\u0041"',
    ],
    "json_nul": [rb'"\u0000"', rb'{"a\u0000b":1}', rb'["\\\u0000"]'],
    "json_encoding": [b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b'"\xe9"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b"\x80"],
    "json_depth": [
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[{}," * 65,
        b'["",[' * 33,
    ],
}
REFUSALS = [(code, data) for code, payloads in REFUSED.items() for data in payloads]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


def code_of(data: bytes, *, max_depth: int = 64) -> str | None:
    """Return the code of the refusal, None when *data* is read."""
    try:
        load(data, max_depth=max_depth)
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(("code", "data"), REFUSALS, ids=[f"{code}-{data!r:.40}" for code, data in REFUSALS])
def test_bad_json_is_refused_with_its_code(code: str, data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        load(data)

    assert caught.value.code == code
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b" [1, 2.5, -3e2, true, null] \n", [1, 2.5, -300.0, True, None]),
        (b'"\\\\ud800"', "\\ud800"),
        (rb'"\\u0000"', "\\u0000"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\uD83D\uDE00\ud83d\ude00"', "\U0001f600\U0001f600"),
        ('"é \U0001f600 \u2028"'.encode(), "é \U0001f600 \u2028"),
        (rb'"\"[[[\\\"{{{"', '"[[[\\"{{{'),
        (b'{"a":{"a":1},"A":2}', {"a": {"a": 1}, "A": 2}),
        (b"9" * 4300, int("9" * 4300)),
        (b"1e-999", 0.0),
    ],
)
def test_good_json_is_read(data: bytes, value: object) -> None:
    assert load(data) == value


@given(VALUES)
@example({"a": [{"b": '"]}\\'}], "\\": "\\u0000"})
def test_whatever_json_writes_is_read_back_the_same(value: object) -> None:
    assert load(json.dumps(value).encode()) == value
    assert load(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(st.binary() | st.text('[]{}":,\\udU08cDe1.- \n').map(str.encode))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    code_of(data)


def test_exactly_64_levels_are_read() -> None:
    assert code_of(b"[" * 64 + b"]" * 64) is None
    assert code_of(b'{"a":[' * 32 + b"1" + b"]}" * 32) is None
    assert code_of(b"[" + b"[]," * 1000 + b"[]]") is None


def test_brackets_in_texts_do_not_count() -> None:
    assert code_of(json.dumps(["[" * 1000, {"{" * 100: '\\"' + "[" * 100}]).encode()) is None


def test_the_limit_may_be_lower() -> None:
    assert code_of(b"[[1]]", max_depth=2) is None
    assert code_of(b"[[1]]", max_depth=1) == "json_depth"
    assert code_of(b"1", max_depth=0) is None


def test_a_limit_beyond_what_python_can_read_is_still_no_crash() -> None:
    assert code_of(b"[" * 200_000 + b"]" * 200_000, max_depth=1_000_000) == "json_depth"


def test_a_syntax_error_is_named_by_line_and_column() -> None:
    with pytest.raises(Refused, match=r"line 2, column 3"):
        load(b"[1,\n  x]")


def test_a_duplicate_key_is_named_and_a_long_one_cut() -> None:
    with pytest.raises(Refused, match=r'"plan"'):
        load(b'{"other":1,"plan":1,"plan":2}')
    with pytest.raises(Refused) as caught:
        load(json.dumps({"k" * 5000: 1}).encode()[:-1] + b', "' + b"k" * 5000 + b'": 2}')

    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([{"id": number, "name": 'a "b"', "tags": ["x", {"k": None}]} for number in range(4000)]).encode(),
        b"[" + b"[]," * 87_000 + b"[]]",
        b'"' * 262_144,
        b'"' + rb"\"" * 131_000,
        b'"' + rb"\\" * 131_000 + b'"',
        b'"' + rb"\ud83d\ude00" * 21_000 + b'"',
        b"{" + b",".join(b'"%d":1' % number for number in range(25_000)) + b',"24999":1}',
        b"[" + b",".join([b"9" * 4300] * 60) + b"]",
    ],
    ids=["ordinary", "lists", "quotes", "escaped-quotes", "backslashes", "pairs", "duplicate", "long-numbers"],
)
def test_a_quarter_of_a_mebibyte_is_read_in_a_moment(data: bytes) -> None:
    """About 5 ms each on a quiet machine; the bound is for what is quadratic, not for a busy machine."""

    def seconds_of_this_thread() -> float:
        began = time.thread_time()  # not the wall clock: others may keep the machine busy
        code_of(data)
        return time.thread_time() - began

    # The best of three: the garbage collector may have the whole test run to look through meanwhile.
    assert min(seconds_of_this_thread() for _ in range(3)) < 1


@pytest.mark.parametrize(
    "element",
    [b"[]", b"{}", b'""', b"1", b'"\\""', b"[1,2]", b'{"a":1}', rb'"\\,[{"'],
    ids=lambda element: element.decode(),
)
def test_more_values_than_are_allowed_are_refused_and_as_many_are_not(element: bytes, monkeypatch) -> None:
    monkeypatch.setattr(strict_json, "MOST_VALUES", 1000)
    values = 3 if element == b"[1,2]" else 2 if element == b'{"a":1}' else 1
    most = 999 // values  # one is the list itself

    load(b"[" + b",".join([element] * most) + b"]")
    with pytest.raises(Refused) as caught:
        load(b"[" + b",".join([element] * (most + 1)) + b"]")

    assert caught.value.code == "json_values"
    assert "smaller parts" in caught.value.message


def test_values_and_depth_are_counted_across_the_parts_in_which_a_text_is_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(strict_json, "_CHUNK", 7)
    monkeypatch.setattr(strict_json, "MOST_VALUES", 50)
    deep = b'["a,b[{","\\"[[",{"k":[0]}]'

    assert load(deep) == ["a,b[{", '"[[', {"k": [0]}]
    load(deep, max_depth=3)
    with pytest.raises(Refused, match="at most 2 deep"):
        load(deep, max_depth=2)
    with pytest.raises(Refused, match="50 values"):
        load(b"[" + b",".join([b"1"] * 51) + b"]")


@pytest.mark.parametrize("element", ["[]", '""', '{"a":1}'])
def test_a_large_text_of_small_values_is_refused_with_little_memory(element: str) -> None:
    """Read first and counted then, 15 MiB of them took 470 MB."""
    program = f"""
import resource
from console.core.errors import Refused
from console.core.strict_json import load
text = b"[" + b'{element},' * (15 * 2**20 // {len(element) + 1}) + b"0]"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load(text)
except Refused as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    code, kib = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()

    assert code == "json_values"
    assert int(kib) < 120 * 1024
