"""Every name that a template uses is imported where it is used, or listed as its context."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment, FileSystemLoader, StrictUndefined

from console.paths import TEMPLATES
from tests.web.template_names import listed_in, names_of, reached_from

NAMES = FileSystemLoader(TEMPLATES).list_templates()


@pytest.fixture
def given(app) -> set[str]:
    """Return the names that every template has: the globals of the environment and what context processors add."""
    with app.test_request_context("/"):
        context: dict[str, object] = {}
        app.update_template_context(context)
    return {*app.jinja_env.globals, *context}


def source_of(app, name: str) -> str:
    return app.jinja_env.loader.get_source(app.jinja_env, name)[0]


def test_a_name_that_nothing_defines_is_an_error_and_not_empty_text(app) -> None:
    assert app.jinja_env.undefined is StrictUndefined


@pytest.mark.parametrize("name", NAMES)
def test_a_template_imports_or_lists_every_name_that_it_uses(app, given, name) -> None:
    source = source_of(app, name)

    assert names_of(app.jinja_env, source) - given - listed_in(source) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_template_lists_no_name_that_nothing_uses(app, given, name) -> None:
    reached = [source_of(app, one) for one in reached_from(app.jinja_env, name)]

    used = given.union(*(names_of(app.jinja_env, one) for one in reached))
    assert listed_in(source_of(app, name)) - used == set()


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('{% from "m" import icon %}{% block a %}{{ icon() }}{% endblock %}', {"icon"}),
        ('{% block a %}{% from "m" import icon %}{% block b %}{{ icon() }}{% endblock %}{% endblock %}', {"icon"}),
        ('{% block a %}{% if x %}{% from "m" import icon %}{% endif %}{{ icon() }}{% endblock %}', {"icon", "x"}),
        ('{% block a %}{% from "m" import icon %}{{ icon() }}{% endblock %}', set()),
        ("{% macro m() %}{% endmacro %}{% block a %}{{ m() }}{% endblock %}", {"m"}),
        ("{% set x = 1 %}{% block a %}{{ x }}{% endblock %}", {"x"}),
    ],
)
def test_what_stands_outside_of_a_block_is_not_known_inside_it(source, wanted) -> None:
    assert names_of(Environment(loader=DictLoader({}), autoescape=True), source) == wanted


def test_the_list_of_a_context_is_read_without_its_remarks() -> None:
    assert listed_in(
        "{# One hook. Context: hook, rows [Row, with a.b], may (none, or all). The rest is prose, too. #}"
    ) == {
        "hook",
        "rows",
        "may",
    }
