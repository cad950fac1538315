"""A hook with a delivery that a worker has claimed."""

from __future__ import annotations

from typing import Any

import pytest

from console.models import Hook
from console.services.engine.claims import Claimed
from console.services.work import Work
from tests.engine import claim, hire, make_hook, publish, rows_of


@pytest.fixture
def hook(work: Work, ada: Any) -> Hook:
    return make_hook(work, ada)


@pytest.fixture
def row(work: Work, ada: Any, hook: Hook) -> Claimed:
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    return row
