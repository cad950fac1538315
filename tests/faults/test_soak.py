"""F20, small: the soak of the benchmarks, for as long as a test may take."""

from __future__ import annotations

import json

import pytest

from benchmarks import soak

pytestmark = pytest.mark.timeout(240)


def test_f20_under_random_kills_and_flushes_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    code = soak.main(["--deliveries", "800", "--kills", "3", "--flushes", "1"])

    report = json.loads(capsys.readouterr().out)
    assert report["violations"] == []
    assert (report["lost"], report["bad_signatures"], report["unfinished"]) == (0, 0, 0)
    assert report["duplicates"] <= report["bound"]
    assert code == 0
