"""The settings: environment variables HOOKYARD_*, read once at start-up, frozen. Nothing else reads os.environ."""

from __future__ import annotations

import re
import secrets
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from console.core.addresses import AddressPolicy
from console.core.errors import HookyardError, Refused
from console.core.retry import RetryPolicy
from console.core.retry_reading import parse_schedule
from console.core.targets import TargetPolicy

SECRET_KEY_FILE = "secret-key"  # noqa: S105 a file name
_EXAMPLE_KEY = re.compile("change.?me", re.IGNORECASE)


class SettingsError(HookyardError):
    """A setting is missing or malformed; the message names the variable and what was expected."""

    code = "settings"


def _without_slash(url: str) -> str:
    parts = urlsplit(url)
    if url and (
        parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment or parts.port == 0
    ):
        raise ValueError("expected a URL such as https://hooks.example.com")
    return url.rstrip("/")


class Settings(BaseSettings):
    """Everything an operator can set. Durations are in seconds, sizes in bytes, unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="HOOKYARD_", frozen=True, extra="ignore", ignored_types=(cached_property,)
    )

    data: Path = Field(
        default_factory=lambda: Path.home() / ".local" / "share" / "hookyard",
        description="The data directory: SQLite database, embedded Valkey's files, the generated secret key.",
    )
    database_url: str = Field(
        default="",
        description="An SQLAlchemy URL, postgresql:// or sqlite:///; empty means SQLite in the data directory.",
    )
    redis_url: str = Field(
        default="",
        description="redis://, rediss:// or unix://; empty means the embedded Valkey of `hookyard up`.",
    )
    secret_key: str = Field(
        default="",
        description="Keys that encrypt secrets and sign cookies: one or several, comma-separated, newest first. "
        "Generated into the data directory when unset.",
        repr=False,
    )
    base_url: Annotated[str, AfterValidator(_without_slash)] = Field(
        default="",
        description="Where people reach this installation; links, bins and dialect URLs start with it. "
        "Default: the URL that `hookyard up` prints.",
    )
    allow_nets: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="CIDRs, comma-separated, that targets may resolve to although they are not public. "
        "Loopback only when listed.",
    )
    allow_http: bool = Field(default=True, description="Whether hooks may use plain http, with a warning shown.")
    retry_schedule: str = Field(
        default="",
        description="Delays between attempts in seconds, comma-separated: 10,60,300. When given it is exact: "
        "no jitter, no minimum, not put off by a circuit.",
    )
    timeout: int = Field(
        default=15, ge=1, le=30, description="Seconds one attempt may take, for hooks without their own."
    )
    retention_days: int = Field(
        default=30, ge=1, le=3650, description="Days that finished deliveries and events are kept."
    )
    workers: int = Field(default=2, ge=1, le=64, description="Worker processes of `hookyard up` for healthy hooks.")
    sender_threads: int = Field(default=16, ge=1, le=256, description="Requests one worker process sends at a time.")
    api_rate: int = Field(
        default=12_000,
        ge=0,
        description="Requests a minute that one token may make of the APIs, and all tokens of an organization five "
        "times as many; publishing is not counted. 0 means no limit.",
    )
    proxy_hops: int = Field(
        default=0, ge=0, le=10, description="Reverse proxies in front whose X-Forwarded-* headers are trusted."
    )
    failpoints: str = Field(default="", description="For tests of crashes: name=kill9@3,… Leave empty.")
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR.",
    )

    @field_validator("allow_nets", mode="before")
    @classmethod
    def _split_nets(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())

    @field_validator("retry_schedule")
    @classmethod
    def _check_schedule(cls, value: str) -> str:
        if value:
            try:
                parse_schedule(value)
            except Refused as error:
                raise ValueError(error.message) from error
        return value

    @cached_property
    def default_retry(self) -> RetryPolicy | None:
        """The operator's own default schedule; None for the built-in one."""
        return parse_schedule(self.retry_schedule) if self.retry_schedule else None

    @cached_property
    def sqlalchemy_url(self) -> str:
        """The URL to open, with the psycopg driver named for PostgreSQL."""
        if not self.database_url:
            return f"sqlite:///{self.data / 'hookyard.sqlite3'}"
        for plain in ("postgresql://", "postgres://"):
            if self.database_url.startswith(plain):
                return "postgresql+psycopg://" + self.database_url[len(plain) :]
        return self.database_url

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.sqlalchemy_url.startswith("sqlite")

    @cached_property
    def target_policy(self) -> TargetPolicy:
        """The rules for hook URLs that these settings make."""
        return TargetPolicy(
            addresses=AddressPolicy(allow_nets=self.allow_nets),
            allow_http=self.allow_http,
            base_url=self.base_url,
        )

    @cached_property
    def secret_keys(self) -> tuple[str, ...]:
        """The secret keys, newest first.

        Raise SettingsError when none is set and none was generated (`hookyard up` and `hookyard db upgrade` do).
        """
        text = self.secret_key
        if not text:
            try:
                text = (self.data / SECRET_KEY_FILE).read_text(encoding="ascii").strip()
            except OSError as error:
                raise SettingsError(
                    f"HOOKYARD_SECRET_KEY is not set and {self.data / SECRET_KEY_FILE} cannot be read: "
                    "set the variable, or run `hookyard db upgrade`, which generates a key."
                ) from error
        keys = tuple(part.strip() for part in text.split(",") if part.strip())
        if not keys or min(map(len, keys)) < 16:  # noqa: PLR2004 said in the message
            raise SettingsError("HOOKYARD_SECRET_KEY: each key needs at least 16 characters.")
        if _EXAMPLE_KEY.search(keys[0]):  # as an older one it still opens what it encrypted
            raise SettingsError(
                "HOOKYARD_SECRET_KEY: the first key is the example of the documentation, which everybody knows. "
                "Make one with python3 -c 'import secrets; print(secrets.token_urlsafe(48))'; if the example encrypted "
                "something already, keep it behind the new one: new,example."
            )
        return keys


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; raise SettingsError with one sentence a variable when something is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(item)) for item in error.errors())) from error


def _sentence(item: dict[str, Any]) -> str:
    name = "HOOKYARD_" + str(item["loc"][0]).upper()
    return f"{name}: {str(item['msg']).removeprefix('Value error, ')} (given: {item['input']!r})"


def ensure_secret_key(settings: Settings) -> None:
    """Generate the data directory's secret key (mode 0600) unless one is set or there already."""
    path = settings.data / SECRET_KEY_FILE
    if settings.secret_key or path.exists():
        return
    settings.data.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(48), encoding="ascii")
