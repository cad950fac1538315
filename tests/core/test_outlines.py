"""A schema as a tree: members, kinds, rules, references; and no schema that breaks it or fills the page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.core.outlines import MOST_NODES, Node, outline

SCHEMA = {
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "string", "pattern": "^A-", "maxLength": 9, "description": "The order's number"},
        "state": {"enum": ["paid", "open"]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 1},
    },
    "additionalProperties": False,
    "$defs": {
        "line": {"properties": {"n": {"type": ["integer", "null"], "minimum": 0}, "in": {"$ref": "#/$defs/line"}}}
    },
}


def count(node: Node) -> int:
    return 1 + sum(count(child) for child in node.children)


def test_members_have_kind_rules_and_description() -> None:
    root = outline(SCHEMA)

    assert (root.kind, root.rules) == ("object", ("no other members",))
    first, state, lines = root.children
    assert (first.name, first.kind, first.is_required, first.description) == (
        "id",
        "string",
        True,
        "The order's number",
    )
    assert first.rules == ("like ^A-", "at most 9 characters")
    assert (state.kind, state.rules, state.is_required) == ("one of paid, open", (), False)
    assert lines.rules == ("1 items or more",)


def test_a_reference_is_followed_once() -> None:
    [item] = outline(SCHEMA).children[2].children

    assert (item.name, item.kind) == ("each item", "object")
    assert [(one.name, one.kind) for one in item.children] == [("n", "integer or null"), ("in", "any")]


def test_a_tree_has_an_end() -> None:
    wide = {"properties": {str(n): {"properties": {str(m): {} for m in range(100)}} for n in range(100)}}

    assert count(outline(wide)) <= MOST_NODES + 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("#/$defs/a"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["properties", "items", "$ref", "required", "type", "enum", "allOf", "$defs", "a"]), inner
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["properties", "items", "$ref", "required", "type", "oneOf", "$defs"]), JSON))
def test_whatever_stands_in_a_schema_is_laid_out(schema) -> None:
    assert outline(schema).is_required
