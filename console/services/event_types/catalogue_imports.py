"""Imports: many types of the catalogue at once, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.core.errors import FieldError, Invalid, Refused
from console.core.patterns import check_catalogue_name
from console.services.event_types import catalogue, event_type_fields
from console.services.work import Work

MOST_IMPORTED = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """How many types an import added, and how many it changed or left as they were."""

    added: int
    known: int


def import_many(work: Work, *, organization_number: int, items: Sequence[Mapping[str, Any]]) -> Imported:
    """Add types, or change those that there are; each item has a ``name`` and any of ``FIELDS``.

    Nothing is stored unless all of them are good: raise Invalid with pointers to items of the list. One that was
    stopped halfway, say by a busy database, may be repeated.
    """
    wrong = [
        FieldError(f"/{place}{fault.pointer}", fault.code, fault.message)
        for place, item in enumerate(items)
        for fault in _wrong_item(item)
    ]
    names = [item.get("name") for item in items]
    wrong += [
        FieldError(f"/{place}/name", "repeated", f"{name} stands in the list twice.")
        for place, name in enumerate(names)
        if name in names[:place]
    ]
    if not 1 <= len(items) <= MOST_IMPORTED:
        wrong.append(FieldError("", "length", f"Give 1 to {MOST_IMPORTED} types."))
    if wrong:
        raise Invalid(*wrong)
    known = {one.name: one for one in catalogue.all_of(work, organization_number=organization_number)}
    added = [item for item in items if item["name"] not in known]
    for item in items:
        fields = {name: value for name, value in item.items() if name != "name"}
        if item["name"] in known:
            catalogue.change(work, event_type=known[item["name"]], fields=fields)
        else:
            catalogue.create(work, organization_number=organization_number, name=item["name"], **fields)
    return Imported(len(added), len(items) - len(added))


def _wrong_item(item: Mapping[str, Any]) -> list[FieldError]:
    unknown = [name for name in item if name not in (*event_type_fields.FIELDS, "name")]
    if unknown:
        return [FieldError(f"/{name}", "unknown_field", f"A type has no {name}.") for name in unknown]
    groups = item.get("groups", [])
    if not isinstance(groups, list) or not isinstance(item.get("description", ""), str):
        return [FieldError("", "type", "Groups are a list of names, and a description is a text.")]
    wrong = event_type_fields.wrong_fields({name: value for name, value in item.items() if name != "name"}, before={})
    try:
        check_catalogue_name(item.get("name", ""))
    except (Refused, TypeError) as error:
        words = error.message if isinstance(error, Refused) else "Give a name."
        wrong.insert(0, FieldError("/name", "event_type_form", words))
    return wrong
