"""How often tests with random input try: profiles of Hypothesis, chosen with ``--hypothesis-profile=NAME``.

``usual`` (the default) leaves the number of examples to the many runs of the suite; ``thorough`` looks hard in one.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def register_profiles() -> None:
    """Register both. No example has a deadline: the machine may be busy.

    What Hypothesis chooses by itself in CI, the same examples each time, stays.
    """
    usual = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("usual", usual)
    settings.register_profile("thorough", usual, max_examples=2000)
    settings.load_profile("usual")


def through_the_app() -> settings:
    """Give the settings of tests whose every example is a request or more: fewer examples, fixtures shared by them."""
    # What an earlier example left in the database may be there: no answer may depend on it.
    allowed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=settings().max_examples * 2 // 5, suppress_health_check=allowed)
