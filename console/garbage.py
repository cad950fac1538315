"""How often Python looks for garbage, in processes that serve for long."""

from __future__ import annotations

import gc

COLLECT_EVERY = 10_000
"""New objects between two looks of the garbage collector; Python's default is 700."""


def collect_seldom() -> None:
    """Call it once all is imported: that stays until the end, and need not be looked through again and again.

    Events and deliveries come by the hundred and go soon, nearly all of them without the collector; looking for them as
    often as Python does by itself took 7 % of publishing a batch of 1,000 events.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
