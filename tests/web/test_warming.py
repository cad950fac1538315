"""A web server that has just started has its pages ready."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from flask import Flask

from console import warming


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_no_page_waits_for_its_template(app: Flask) -> None:
    warming.warm(app)

    compiled = {name for _, name in app.jinja_env.cache}  # type: ignore[union-attr]  # Jinja's is no None here
    assert compiled == set(app.jinja_env.list_templates())
