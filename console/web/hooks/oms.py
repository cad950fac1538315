"""What only OMS knows of a hook, in the hook form: its signature, Basic auth, callback and config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField

from console.core import strict_json
from console.core.catalogue import OMS
from console.core.errors import FieldError, Invalid, Refused
from console.core.redact import MASK
from console.extensions import current_work
from console.models import Hook
from console.services.dialects import oms_hooks
from console.services.dialects.oms_hooks import OmsFields
from console.services.engine import callbacks
from console.services.hooks.hook_fields import UNSET
from console.web.forms import Form, SecretField, options

NO_CALLBACK = "None"
BASIC = "basic"


class OmsPart(Form):
    """The fields. *oms_shown* was sent when they stood in the form: else they are empty because they did not."""

    oms_shown = HiddenField()
    oms_signs = BooleanField("Sign as OMS does, too", default=True)
    oms_username = StringField("User name")
    oms_password = SecretField("Password")
    oms_callback = SelectField("Callback", validate_choice=False, default="")
    oms_config = TextAreaField("More config")

    def prepare_oms(self, hook: Hook | None) -> None:
        """Fill in the choices, and what the hook keeps unless the fields were sent."""
        kept = _kept(hook)
        names = sorted(callbacks.names() | ({kept.callback} if kept.callback else set()))  # its package may be gone
        self.oms_callback.choices = options({"": NO_CALLBACK, **{name: name for name in names}})
        if not self.oms_shown.data:
            for name, value in _data_of(kept).items():
                self[name].data = value

    @property
    def oms_headers(self) -> list[tuple[str, str]]:
        """The headers that follow from these fields, for the preview."""
        signature = [("X-Whisperer-Signature", f"sha256={MASK}")] if self.oms_signs.data else []
        return signature + ([("Authorization", f"Basic {MASK}")] if self.oms_username.data else [])

    @property
    def has_new_password(self) -> bool:
        """Whether the password that requests will authenticate with was typed now."""
        return bool(self.oms_shown.data and (self.oms_username.data or "").strip() and self.oms_password.data)

    def dialect_data(self, hook: Hook | None) -> Any:
        """Give what is to be kept with the hook, UNSET when that is what it keeps; raise Invalid."""
        if not self.oms_shown.data:
            return UNSET
        before = _kept(hook)
        after = OmsFields(
            is_key_given=(before.is_key_given or None) if self.oms_signs.data else False,
            config=self._config(before.config),
            callback=self._callback(before),
        )
        is_same = (after.config, after.callback) == (before.config, before.callback)
        if is_same and after.signs(OMS) == before.signs(OMS):
            return UNSET
        return oms_hooks.keeping(current_work(), hook, fields=after, posted=None)

    def _callback(self, before: OmsFields) -> str | None:
        name = self.oms_callback.data or None
        if name not in {None, before.callback} and name not in callbacks.names():
            raise Invalid.field("oms_callback", "There is no such callback.", code="choice")
        return name

    def _config(self, before: Mapping[str, Any]) -> dict[str, Any]:
        config, auth = _read_config(self.oms_config.data or ""), before.get("auth")
        username, password = (self.oms_username.data or "").strip(), self.oms_password.data or ""
        if not username and not _is_basic(auth):
            return {**config, "auth": auth} if "auth" in before else config
        if not username:
            return config
        if not password and not _is_basic(auth):
            raise Invalid(FieldError("/oms_password", "required", "Give the password to this user name."))
        kept = auth if isinstance(auth, Mapping) and _is_basic(auth) else {}
        password = password or kept["password"]
        return {**config, "auth": {**kept, "auth_type": BASIC, "username": username, "password": password}}


def has_password(hook: Hook | None) -> bool:
    """Say whether a password is kept."""
    return _is_basic(_kept(hook).config.get("auth"))


def _data_of(kept: OmsFields) -> dict[str, Any]:
    """Write what is kept as the fields; a password is never given back."""
    auth = kept.config.get("auth")
    rest = {name: value for name, value in kept.config.items() if name != "auth"}
    return {
        "oms_signs": kept.signs(OMS),
        "oms_username": auth["username"] if isinstance(auth, Mapping) and _is_basic(auth) else "",
        "oms_callback": kept.callback or "",
        "oms_config": json.dumps(rest, ensure_ascii=False, indent=2) if rest else "",
    }


def _kept(hook: Hook | None) -> OmsFields:
    return oms_hooks.fields_of(current_work(), hook) if hook is not None else OmsFields()


def _is_basic(auth: object) -> bool:
    """Say whether this is what requests authenticate with; config may hold anything else under that name."""
    return (
        isinstance(auth, Mapping)
        and auth.get("auth_type") == BASIC
        and isinstance(auth.get("username"), str)
        and isinstance(auth.get("password"), str)
    )


def _read_config(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        config = strict_json.load(text.encode())
    except Refused as error:
        raise Invalid.field("oms_config", error.message, code=error.code) from error
    if not isinstance(config, dict):
        raise Invalid.field("oms_config", "Give a JSON object.", code="type")
    if "auth" in config:
        raise Invalid.field("oms_config", "Give auth as user name and password above.", code="auth")
    return config
