"""The organization itself: its name, its defaults, its configuration as a file, its end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from flask import Response, url_for
from wtforms import StringField
from wtforms.validators import DataRequired, Optional

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Organization
from console.services.events.event_drafts import LEAST_LONGEST_PAYLOAD, LONGEST_PAYLOAD
from console.services.hooks.hook_fields import LONGEST_TIMEOUT_S
from console.services.organizations import closing, defaults, exporting, organizations
from console.services.organizations.defaults import KIB, Choice
from console.web import access, downloads, hx
from console.web.filters import plural
from console.web.forms import Form, WholeNumber, accept, text_of
from console.web.hooks.retries import times_of
from console.web.settings.shared import WRONG, pages, tabs


class NameForm(Form):
    """The name that people see."""

    name = StringField("Name", [DataRequired("Give the organization a name.")])


class DefaultsForm(Form):
    """What holds for hooks that say nothing of their own; empty fields leave it to the installation."""

    retry_schedule = StringField("Retry schedule")
    timeout_s = WholeNumber("Timeout in seconds", [Optional()])
    retention_days = WholeNumber("Retention in days", [Optional()])
    largest_payload = WholeNumber("Largest payload in KiB", [Optional()])

    @property
    def choice(self) -> Choice:
        """What was typed."""
        kib = self.largest_payload.data
        return Choice(
            retry_schedule=re.sub(r"\s*,\s*", ",", text_of(self.retry_schedule).strip()) or None,
            timeout_s=self.timeout_s.data,
            retention_days=self.retention_days.data,
            largest_payload=None if kib is None else kib * KIB,
        )


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds where the organization has not chosen, and what it can choose; sizes in KiB."""

    retry: str
    timeout: int
    longest_timeout: int
    retention: int
    least_payload: int
    longest_payload: int


class CloseForm(Form):
    """The slug, typed by hand: closing cannot be undone."""

    slug = StringField("Slug of the organization", [DataRequired("Type the slug of the organization.")])


@pages.get("/organization")
@access.requires(Permission.ADMIN)
def organization() -> Response:
    """Show the organization's own settings."""
    return _page()


@pages.post("/organization")
@access.requires(Permission.ADMIN)
def organization_rename() -> Response:
    """Change the name."""
    form, here = NameForm(), access.place().organization
    if form.validate():
        try:
            organizations.rename(current_work(), organization=here, name=text_of(form.name))
        except Invalid as error:
            accept(form, error=error, names={"organization_name": "name"})
        else:
            return hx.redirect_to(url_for("settings.organization"), message=f"The organization is {here.name} now.")
    return _page(name_form=form, status=WRONG)


@pages.post("/organization/defaults")
@access.requires(Permission.ADMIN)
def organization_defaults() -> Response:
    """Change what holds for hooks that say nothing of their own."""
    form = DefaultsForm()
    if form.validate():
        try:
            defaults.change(current_work(), organization=access.place().organization, choice=form.choice)
        except Invalid as error:
            accept(form, error=error)
        else:
            return hx.redirect_to(url_for("settings.organization"), message="The defaults are saved.")
    return _page(defaults_form=form, status=WRONG)


@pages.get("/organization.json")
@access.requires(Permission.ADMIN)
def organization_export() -> Response:
    """Give the configuration as a file."""
    here = access.place().organization
    exported = exporting.export(current_work(), organization=here)
    text = json.dumps(exported, ensure_ascii=False, indent=2)
    return downloads.attachment(text.encode(), name=f"hookyard-{here.slug}.json")


@pages.post("/organization/close")
@access.requires(Permission.ADMIN)
def organization_close() -> Response:
    """End the organization."""
    form, here = CloseForm(), access.place().organization
    name = here.name
    if form.validate():
        try:
            closing.close(current_work(), organization=here, slug=text_of(form.slug))
        except Invalid as error:
            accept(form, error=error)
        else:
            return hx.redirect_to(url_for("home.index"), message=f"{name} is closed.", tone="info")
    return _page(close_form=form, status=WRONG)


def _page(
    *,
    name_form: NameForm | None = None,
    defaults_form: DefaultsForm | None = None,
    close_form: CloseForm | None = None,
    status: int = 200,
) -> Response:
    here = access.place().organization
    return hx.page(
        "settings/organization.html",
        status=status,
        tabs=tabs(),
        here=here,
        name_form=name_form or NameForm(formdata=None, name=here.name),
        defaults_form=defaults_form or _defaults_of(here),
        usual=_usual(here),
        close_form=close_form or CloseForm(formdata=None),
    )


def _defaults_of(here: Organization) -> DefaultsForm:
    return DefaultsForm(
        formdata=None,
        data={
            "retry_schedule": (here.retry_schedule or "").replace(",", ", "),
            "timeout_s": here.timeout_s,
            "retention_days": here.retention_days,
            "largest_payload": here.largest_payload // KIB if here.largest_payload else None,
        },
    )


def _usual(here: Organization) -> Usual:
    settings = current_work().settings
    times = times_of(None, default=defaults.retry_of(settings, here.retry_schedule))
    return Usual(
        retry=f"{plural(times.attempts, 'attempt')} over {times.gives_up}",
        timeout=settings.timeout,
        longest_timeout=LONGEST_TIMEOUT_S,
        retention=settings.retention_days,
        least_payload=LEAST_LONGEST_PAYLOAD // KIB,
        longest_payload=LONGEST_PAYLOAD // KIB,
    )
