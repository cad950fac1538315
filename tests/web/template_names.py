"""Read what each template needs: the names that its blocks use, and the names that its comment lists as context.

jinja2-fragments renders a block alone. What the template imports or sets outside of the block does not exist then, so
each block is read as if it were a template of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, meta, nodes

CONTEXT = re.compile(r"context:(?P<listed>.*?)(?:\.\s|\.?\s*#\})", re.IGNORECASE | re.DOTALL)
REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")


def names_of(environment: Environment, source: str) -> set[str]:
    """Return the names that the template or one of its blocks takes from its context or from the globals."""
    tree = environment.parse(source)
    used: set[str] = set()
    for part in _parts(tree):
        set_there = {name.name for name in part.find_all(nodes.Name) if name.ctx in {"store", "param"}}
        used |= meta.find_undeclared_variables(part) - set_there
    return used


def _parts(tree: nodes.Template) -> Iterator[nodes.Template]:
    """Yield the template without its blocks, and each block without those inside it."""
    blocks = list(tree.find_all(nodes.Block))
    bodies = [block.body for block in blocks]
    for block in blocks:
        block.body = []
    yield tree
    for body in bodies:
        part = nodes.Template(body, lineno=1)
        part.set_environment(tree.environment)
        yield part


def reached_from(environment: Environment, name: str) -> set[str]:
    """Return the names of the template and of all that it includes, extends or imports with its context."""
    assert environment.loader is not None
    found, left = set(), [name]
    while left:
        at = left.pop()
        if at not in found:
            found.add(at)
            left += _passed_to(environment.parse(environment.loader.get_source(environment, at)[0]))
    return found


def _passed_to(tree: nodes.Template) -> Iterator[str]:
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.FromImport, nodes.Import)):
        if getattr(node, "with_context", True):
            named = nodes.Output([node.template]).find_all(nodes.Const)
            yield from (one.value for one in named if isinstance(one.value, str))


def listed_in(source: str) -> set[str]:
    """Return the names after "Context:" in the template's comment: between commas, each before its remark if any."""
    listed: set[str] = set()
    for found in CONTEXT.finditer(source):
        text, count = found["listed"], 1
        while count:
            text, count = REMARK.subn("", text)
        listed |= {item.split()[0] for item in text.split(",") if item.strip()}
    return listed
