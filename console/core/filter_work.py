"""Applying a filter to a payload, within a bound on the work that takes.

An expression is a small program somebody else wrote, so its work is counted: every step, every element of what it
builds and of what its functions read. One that exceeds its budget ends without a verdict, like one that fails.
"""

from __future__ import annotations

from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

MOST_WORK = 320_000
"""What an expression may cost: at most some 50 ms."""
STEP = 8
"""The cost of a path, a comparison, a function; of an element that is read or built as part of a whole it is 1."""
CHARACTERS = 64
"""So many characters of a text cost 1."""
_GLANCING = frozenset({"length", "not_null", "to_array", "type"})  # these do not look into what they are given


class _TooMuch(JMESPathError):  # type: ignore[misc]  # JMESPath ships no types
    """The budget is spent."""


def evaluate(tree: dict[str, Any], payload: Any) -> Any:
    """Apply a tree to a payload, within the budget; raise JMESPathError."""
    return _Counting().visit(tree, payload)


class _Counting(TreeInterpreter):  # type: ignore[misc]  # as above
    """JMESPath's interpreter with a budget.

    Without one, a short expression that doubles what it has a few dozen times fills the memory, and a comparison of two
    such values never ends. So what is built or read as a whole is charged by its size, before it is used.
    """

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=_CountedFunctions(self)))
        self._left = MOST_WORK

    def spend(self, cost: int) -> None:
        """Take *cost* from the budget; raise _TooMuch when it is not there."""
        self._left -= cost
        if self._left < 0:
            raise _TooMuch("it would take more work than a filter may")

    def spend_on(self, value: Any) -> None:
        """Charge the size of *value*: its elements, and the length of its texts."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                self.spend(1 + len(one) // CHARACTERS)
            elif isinstance(one, (list, dict)):
                self.spend(1 + len(one))
                waiting.extend(one.values() if isinstance(one, dict) else one)

    def visit(self, node: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if node["type"] != "literal":
            self.spend(STEP)
        return super().visit(node, *args, **kwargs)

    def visit_flatten(self, node: dict[str, Any], value: Any) -> Any:
        result = super().visit_flatten(node, value)
        self.spend(len(result or ()))
        return result

    def visit_slice(self, node: dict[str, Any], value: Any) -> Any:
        result = super().visit_slice(node, value)
        self.spend(len(result or ()))
        return result

    def visit_multi_select_list(self, node: dict[str, Any], value: Any) -> Any:
        result = super().visit_multi_select_list(node, value)
        self.spend_on(result)
        return result

    def visit_multi_select_dict(self, node: dict[str, Any], value: Any) -> Any:
        result = super().visit_multi_select_dict(node, value)
        self.spend_on(result)
        return result

    def visit_comparator(self, node: dict[str, Any], value: Any) -> Any:
        sides = [self.visit(child, value) for child in node["children"]]
        if all(isinstance(side, (list, dict)) for side in sides):
            self.spend_on(sides[0])
        return super().visit_comparator({**node, "children": [_literal(side) for side in sides]}, value)


def _literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value, "children": []}


class _CountedFunctions(Functions):  # type: ignore[misc]  # as above
    """JMESPath's functions; what they read is charged before they run, and none makes much more than it reads."""

    def __init__(self, counting: _Counting) -> None:
        self._counting = counting

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        if function_name not in _GLANCING:
            for value in resolved_args:
                self._counting.spend_on(value)
        if function_name == "join" and all(isinstance(one, (str, list)) for one in resolved_args):
            glue, pieces = resolved_args  # the one that can: its glue, once for each piece
            self._counting.spend(len(glue) * len(pieces) // CHARACTERS)
        return super().call_function(function_name, resolved_args)
