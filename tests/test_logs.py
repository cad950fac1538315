from __future__ import annotations

import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog

from console import logs
from console.lines import LineFormatter, words, write


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON; afterwards the run's own logging is back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields(stream: io.StringIO) -> None:
    structlog.get_logger("workers.drain").info("batch recorded", count=3)

    (line,) = lines(stream)

    assert line["event"] == "batch recorded"
    assert line["count"] == 3
    assert line["level"] == "info"
    assert line["logger"] == "workers.drain"
    assert str(line["timestamp"]).endswith("Z")


def test_a_traceback_stays_in_its_line(stream: io.StringIO) -> None:
    try:
        int("what went wrong")
    except ValueError:
        structlog.get_logger().exception("it failed")
        logging.getLogger("a.library").exception("it failed too")

    assert all("what went wrong" in str(line["exception"]) for line in lines(stream))
    assert len(lines(stream)) == 2


def test_libraries_take_the_same_road(stream: io.StringIO) -> None:
    logging.getLogger("a.library").warning("slow: %d ms", 17)

    assert lines(stream)[0]["event"] == "slow: 17 ms"


def test_warnings_are_logged(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("this will go away", stacklevel=1)

    assert "this will go away" in str(lines(stream)[0]["event"])


def test_talkative_libraries_are_heard_only_when_something_is_wrong(stream: io.StringIO) -> None:
    for name in logs.TALKATIVE:
        logging.getLogger(name).info("nothing of interest")
        logging.getLogger(name).warning("something of interest")

    assert len(lines(stream)) == len(logs.TALKATIVE)


@pytest.mark.parametrize("secret", ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0", "hy_abcdefgh_" + "A" * 43 + "_abcdef"])
def test_secrets_are_masked_wherever_they_slip_in(stream: io.StringIO, secret: str) -> None:
    structlog.get_logger().info("a field", value=f"it is {secret}")
    structlog.get_logger().info(f"the event {secret}")
    logging.getLogger("a.library").warning("an argument %s", secret)
    try:
        int(secret)
    except ValueError:
        structlog.get_logger().exception("a traceback")

    assert secret not in stream.getvalue()
    assert len(lines(stream)) == 4


def test_small_processes_write_the_same_form(stream: io.StringIO) -> None:
    record = logging.LogRecord("gunicorn.error", logging.INFO, __file__, 1, "Booting %s", ("now",), None)

    line = json.loads(LineFormatter().format(record))

    assert line["event"] == "Booting now"
    assert {"level", "logger", "timestamp"} <= line.keys()


def test_a_terminal_shows_every_process_in_one_layout(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure("INFO")
    record = logging.LogRecord("gunicorn.error", logging.INFO, __file__, 1, "Booting %s", ("now",), None)

    structlog.get_logger("workers.beat").info("worker registered", lane="deliveries", worker=1)
    logging.getLogger("a.library").warning("slow: %d ms", 17)
    write(LineFormatter().format(record))

    ours, theirs, small = terminal.getvalue().splitlines()
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z "
    assert re.fullmatch(moment + r"\[info     \] worker registered \[workers\.beat\] lane=deliveries worker=1", ours)
    assert re.fullmatch(moment + r"\[warning  \] slow: 17 ms \[a\.library\]", theirs)
    assert re.fullmatch(moment + r"\[info     \] Booting now \[gunicorn\.error\] pid=\d+", small)


def test_a_terminal_shows_a_traceback_under_its_line(stream: io.StringIO) -> None:
    logs.configure("INFO", stream=stream, as_json=False)
    try:
        int("what went wrong")
    except ValueError:
        structlog.get_logger("a").exception("it failed")

    first, second, *_ = stream.getvalue().splitlines()
    assert first.endswith("[error    ] it failed [a]")
    assert second == "Traceback (most recent call last):"


def test_what_a_stranger_chose_makes_no_second_line_on_a_terminal() -> None:
    said = words({"timestamp": "now", "level": "info", "event": "a\nb", "logger": "x", "name": "eve\n[info] \x1b[2J"})

    assert len(said.splitlines()) == 1
    assert "\x1b" not in said
    assert r"name='eve\n[info] \x1b[2J'" in said
