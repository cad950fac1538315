"""How one attempt ended: a code for each thing a person must be told, what it means and what to do about it.

The verdict (what happens next) is taken in ``verdicts``; here is only what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

NO_STATUS = "none"
"""Stands for the status of an attempt that no answer came to."""


class Outcome(StrEnum):
    """The one code an attempt ends with; it is stored, shown, filtered by and counted."""

    # An answer came: the verdict is by its status.
    OK = "ok"
    REDIRECT = "redirect"
    CLIENT_ERROR = "client_error"
    GONE = "gone"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    INVALID_STATUS = "invalid_status"
    # No usable answer came.
    TIMEOUT = "timeout"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    NO_RESPONSE = "no_response"
    CONNECT_ERROR = "connect_error"
    INVALID_HTTP = "invalid_http"
    UNEXPECTED_UPGRADE = "unexpected_upgrade"
    TLS_ERROR = "tls_error"
    DNS_NOT_FOUND = "dns_not_found"
    DNS_TEMPORARY = "dns_temporary"
    # Nothing was sent, because a rule forbids it.
    BLOCKED_ADDRESS = "blocked_address"
    BLOCKED_URL = "blocked_url"
    INVALID_REQUEST = "invalid_request"
    # Our own doing: the receiver is not to blame.
    SYSTEM_ERROR = "system_error"
    INTERRUPTED = "interrupted"


ANSWERED = frozenset(
    {
        Outcome.OK,
        Outcome.REDIRECT,
        Outcome.CLIENT_ERROR,
        Outcome.GONE,
        Outcome.THROTTLED,
        Outcome.SERVER_ERROR,
        Outcome.INVALID_STATUS,
    }
)
"""The attempt has a response status."""

TIMEOUTS = frozenset({Outcome.TIMEOUT, Outcome.CONNECT_TIMEOUT})

NETWORK = TIMEOUTS | {
    Outcome.CONNECTION_REFUSED,
    Outcome.CONNECTION_RESET,
    Outcome.NO_RESPONSE,
    Outcome.CONNECT_ERROR,
    Outcome.INVALID_HTTP,
    Outcome.UNEXPECTED_UPGRADE,
    Outcome.TLS_ERROR,
    Outcome.DNS_NOT_FOUND,
    Outcome.DNS_TEMPORARY,
}
"""Network, TLS and DNS: the receiver was asked, or looked for, and gave no usable answer."""

BLOCKED = frozenset({Outcome.BLOCKED_ADDRESS, Outcome.BLOCKED_URL})
"""Refused by our own address and URL rules: no byte left this machine."""

UNCHARGED = frozenset({Outcome.SYSTEM_ERROR, Outcome.INTERRUPTED})
"""The receiver is not to blame, so the attempt costs nothing of the delivery's retry budget."""

CHARGED = frozenset(Outcome) - UNCHARGED
"""The attempt counts against the delivery's retry budget."""

OPENS_CIRCUIT = NETWORK | {Outcome.SERVER_ERROR}
"""Several of these in a row say that the receiver is down, not that one request was wrong."""

SLOW = TIMEOUTS | {Outcome.CONNECTION_REFUSED, Outcome.CONNECT_ERROR, Outcome.DNS_TEMPORARY}
"""The first of these moves a hook to the slow lane, where it can hold up no healthy one."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """An outcome in words: a short *title*, one sentence of *meaning*, one of *remedy*."""

    title: str
    meaning: str
    remedy: str


EXPLANATIONS: Mapping[Outcome, Explanation] = MappingProxyType(
    {
        Outcome.OK: Explanation(
            "Delivered",
            "The receiver answered with a 2xx status.",
            "Nothing needs to be done.",
        ),
        Outcome.REDIRECT: Explanation(
            "Redirect",
            "The receiver answered with a redirect, which is never followed.",
            "Set the hook's URL to the address that the receiver now wants.",
        ),
        Outcome.CLIENT_ERROR: Explanation(
            "Rejected (4xx)",
            "The receiver refused the request with a 4xx status; this is probably configuration.",
            "Check the URL, the headers and the secret, and read the receiver's answer for its reason.",
        ),
        Outcome.GONE: Explanation(
            "Gone (410)",
            "The receiver answered 410: it wants no more requests at this URL, so the hook was disabled.",
            "Give the hook its new URL and enable it again, or delete it.",
        ),
        Outcome.THROTTLED: Explanation(
            "Throttled (429)",
            "The receiver answered 429: it was asked too often.",
            "Wait for the next attempt; if it happens often, give the hook a rate limit or fewer requests at once.",
        ),
        Outcome.SERVER_ERROR: Explanation(
            "Server error (5xx)",
            "The receiver failed with a 5xx status.",
            "Look into the receiver's own log at the time of the attempt.",
        ),
        Outcome.INVALID_STATUS: Explanation(
            "Invalid status",
            "The receiver answered with a status that is no final HTTP status.",
            "Check that the URL belongs to a web server, and what stands between it and here.",
        ),
        Outcome.TIMEOUT: Explanation(
            "Timed out",
            "The receiver took the connection but did not answer within the hook's timeout.",
            "Let the receiver answer at once and do its work afterwards, or raise the hook's timeout.",
        ),
        Outcome.CONNECT_TIMEOUT: Explanation(
            "Connect timed out",
            "No connection could be made in time: nothing answers at this address.",
            "Check that the receiver is running and that no firewall drops the connection.",
        ),
        Outcome.CONNECTION_REFUSED: Explanation(
            "Connection refused",
            "The receiver's machine is there, but nothing listens on this port.",
            "Check the port in the URL and that the receiver is running.",
        ),
        Outcome.CONNECTION_RESET: Explanation(
            "Connection reset",
            "The connection was broken off by the other side before an answer came.",
            "Look for a crash, a proxy or a firewall in front of the receiver.",
        ),
        Outcome.NO_RESPONSE: Explanation(
            "No response",
            "The receiver closed the connection without answering.",
            "Look for a crash in the receiver's log; it may speak TLS on a port where http was asked for.",
        ),
        Outcome.CONNECT_ERROR: Explanation(
            "Cannot connect",
            "No connection could be made: there is no route to the receiver.",
            "Check the network between here and the receiver's address.",
        ),
        Outcome.INVALID_HTTP: Explanation(
            "Not HTTP",
            "What came back is no valid HTTP/1.1 response.",
            "Check that the port in the URL is the receiver's web server.",
        ),
        Outcome.UNEXPECTED_UPGRADE: Explanation(
            "Protocol switch",
            "The receiver answered 101: it wants to switch to another protocol, which was not asked for.",
            "Point the hook at a plain HTTP endpoint.",
        ),
        Outcome.TLS_ERROR: Explanation(
            "TLS failed",
            "No secure connection could be made: the certificate or the protocol was not accepted.",
            "Renew or complete the receiver's certificate, and offer TLS 1.2 or newer.",
        ),
        Outcome.DNS_NOT_FOUND: Explanation(
            "Host not found",
            "The host name in the URL does not exist in the DNS.",
            "Check the spelling of the host name, and its DNS records.",
        ),
        Outcome.DNS_TEMPORARY: Explanation(
            "DNS unavailable",
            "The host name could not be looked up: the DNS gave no answer in time.",
            "Check this machine's resolver and the name servers of the receiver's domain.",
        ),
        Outcome.BLOCKED_ADDRESS: Explanation(
            "Address blocked",
            "The host name leads to an address that is not allowed as a target, so nothing was sent.",
            "Use a public address, or ask an administrator to allow this network.",
        ),
        Outcome.BLOCKED_URL: Explanation(
            "URL blocked",
            "The URL breaks the rules for targets that hold now, so nothing was sent.",
            "Edit the hook's URL: saving it names the rule that it breaks.",
        ),
        Outcome.INVALID_REQUEST: Explanation(
            "Request not sendable",
            "The request could not be built from the hook's URL, headers and body, so nothing was sent.",
            "Check the hook's headers and URL for unusual characters.",
        ),
        Outcome.SYSTEM_ERROR: Explanation(
            "Our own fault",
            "This installation could not make the attempt; it does not count against the receiver.",
            "Nothing needs to be done at the receiver; an administrator finds the cause in the workers' log.",
        ),
        Outcome.INTERRUPTED: Explanation(
            "Interrupted",
            "The worker stopped during the attempt; the receiver may have got the request, and it is sent again.",
            "Nothing needs to be done; the repeated request has the same webhook-id.",
        ),
    }
)
"""What each outcome means and what to do about it."""


def of_status(status: int) -> Outcome:
    """Name the outcome of an answer by its final HTTP *status* (RFC 9110, section 15)."""
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, Outcome.INVALID_STATUS)


_BY_STATUS = {101: Outcome.UNEXPECTED_UPGRADE, 410: Outcome.GONE, 429: Outcome.THROTTLED}
_BY_CLASS = {2: Outcome.OK, 3: Outcome.REDIRECT, 4: Outcome.CLIENT_ERROR, 5: Outcome.SERVER_ERROR}
