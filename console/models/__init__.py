"""SQLAlchemy mappings only: one module per subject, no queries and no rules.

Every table has ``number``, an integer that only grows and is never reused, as its primary key: rows are
joined by it, and the dialects that speak integers show it. What people and programs see is ``id``, a UUIDv7.
"""

from console.models.accounts import (
    BrowserSession,
    Invitation,
    Membership,
    Organization,
    RecoveryCode,
    SetupLink,
    SignInFailure,
    Token,
    User,
)
from console.models.api_switches import ApiSwitch
from console.models.audit import AuditEntry
from console.models.base import Base
from console.models.bins import Bin, BinRequest
from console.models.catalogue import EventType, Source
from console.models.deliveries import Attempt, Delivery, DeliveryState, Trigger
from console.models.engine import ClockStep, Destination, HookHour, HookState, Leader, OrganizationHour, Turn, Worker
from console.models.events import Event
from console.models.hooks import Hook, HookSecret
from console.models.idempotency import KeptAnswer
from console.models.kept_forms import KeptForm
from console.models.object_models import ObjectModel
from console.models.replays import Replay, ReplayPart, ReplayState, Which
from console.models.type_hours import Progress, TypeHour

__all__ = [
    "ApiSwitch",
    "Attempt",
    "AuditEntry",
    "Base",
    "Bin",
    "BinRequest",
    "BrowserSession",
    "ClockStep",
    "Delivery",
    "DeliveryState",
    "Destination",
    "Event",
    "EventType",
    "Hook",
    "HookHour",
    "HookSecret",
    "HookState",
    "Invitation",
    "KeptAnswer",
    "KeptForm",
    "Leader",
    "Membership",
    "ObjectModel",
    "Organization",
    "OrganizationHour",
    "Progress",
    "RecoveryCode",
    "Replay",
    "ReplayPart",
    "ReplayState",
    "SetupLink",
    "SignInFailure",
    "Source",
    "Token",
    "Trigger",
    "Turn",
    "TypeHour",
    "User",
    "Which",
    "Worker",
]
