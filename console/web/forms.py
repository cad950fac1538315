"""What all forms share: WTForms on this request, and the services' complaints tied to the fields they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than WTForms 3.3
from wtforms.form import BaseForm
from wtforms.widgets import PasswordInput

from console.core.errors import FieldError, Invalid


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """A form of the console. Its token is checked before any view runs (``access``), so WTForms need not."""

    class Meta:
        """Settings of WTForms."""

        csrf = False


class SecretField(StringField):
    """A password: never given back in an answer, and spaces at its ends are kept."""

    widget = PasswordInput(hide_value=True)


class WholeNumber(IntegerField):
    """An integer that may be left out, with words of ours when it is none."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read it; raise ValueError, as WTForms wants it."""
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError("Give a whole number.") from error


def options(names: Mapping[str, str]) -> list[SelectChoice]:
    """Make the choices of a field from values and their words."""
    return [SelectChoice(value, words) for value, words in names.items()]


def text_of(field: StringField | HiddenField) -> str:
    """Give what was typed, exactly; empty for nothing."""
    return field.data or ""


def accept(form: BaseForm, *, error: Invalid, names: Mapping[str, str] | None = None) -> None:
    """Put each complaint of *error* under its field; *names* maps parts of pointers to fields of other names.

    A complaint about something that has no field stands in the summary alone.
    """
    for complaint in error.fields:
        part = _part(complaint)
        add_error(form, (names or {}).get(part, part), message=complaint.message)


def also_wrong(form: BaseForm, *, faults: Iterable[FieldError], names: Mapping[str, str] | None = None) -> None:
    """Put what the service says of a form beside what the form itself says: under fields that are fine so far."""
    known = form.errors.keys()
    fresh = [one for one in faults if (names or {}).get(part := _part(one), part) not in known]
    accept(form, error=Invalid(*fresh), names=names)


def _part(complaint: FieldError) -> str:
    return complaint.pointer.strip("/").split("/")[0]


def add_error(form: BaseForm, name: str, *, message: str) -> None:
    """Put *message* under the field *name*, or into the summary when there is no such field."""
    field = cast("Mapping[str, Field]", form._fields).get(name)
    if field is None:
        form.form_errors.append(message)
    elif message not in field.errors:
        field.errors = [*field.errors, message]
