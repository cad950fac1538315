"""Why an attempt got no answer: one exception for the sender's rooms, and the sentence for each error of the system.

Everything here is a ``requests.RequestException``, so a caller of the adapter catches what callers of requests catch.
"""

from __future__ import annotations

import errno
import socket
import ssl

from requests import RequestException

from console.core.outcomes import Outcome


class Failure(RequestException):
    """The attempt ended without a usable answer.

    *outcome* is its code and *sentence* says why, without naming an address: an error text that told where a host
    name leads would answer questions about the inner network. What only admins may see is in *blocked*.
    """

    def __init__(self, outcome: Outcome, sentence: str, *, blocked: str | None = None) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.sentence = sentence
        self.blocked = blocked


# This machine ran out of something: no receiver is to blame.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})

# glibc answers EAI_NODATA for a name that exists without an address; not every platform has the constant.
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def ours(error: BaseException) -> Failure | None:
    """Return the failure when *error* is this machine's own shortage, else None."""
    if isinstance(error, MemoryError):
        return Failure(Outcome.SYSTEM_ERROR, "This worker ran out of memory.")
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in _OURS:
        reason = errno.errorcode.get(error.errno or 0, "?")
        return Failure(Outcome.SYSTEM_ERROR, f"This machine has run out of sockets or memory for them ({reason}).")
    return None


def of_lookup(error: OSError | UnicodeError, *, host: str) -> Failure:
    """Name a failed lookup of *host*; ``getaddrinfo`` raises UnicodeError for labels it cannot encode."""
    if isinstance(error, UnicodeError):
        return Failure(Outcome.INVALID_REQUEST, f"The host name {host} cannot be looked up: it is no valid DNS name.")
    if isinstance(error, socket.gaierror):
        if error.errno in _NO_SUCH_NAME:
            return Failure(Outcome.DNS_NOT_FOUND, f"The host name {host} was not found in the DNS.")
        if error.errno == socket.EAI_MEMORY:
            return Failure(Outcome.SYSTEM_ERROR, "This machine ran out of memory during a DNS lookup.")
    if failure := ours(error):
        return failure
    return Failure(Outcome.DNS_TEMPORARY, f"The DNS gave no usable answer for {host}; it may work later.")


def of_connect(error: OSError, *, host: str, port: int, waited_s: float) -> Failure:
    """Name a connection to *host* that could not be made within *waited_s* seconds."""
    if failure := ours(error):
        return failure
    if isinstance(error, TimeoutError):
        return Failure(Outcome.CONNECT_TIMEOUT, f"{host} did not take the connection within {waited_s:.1f} s.")
    if isinstance(error, ConnectionRefusedError):
        return Failure(Outcome.CONNECTION_REFUSED, f"{host} refuses connections on port {port}.")
    if isinstance(error, ConnectionError):
        return Failure(Outcome.CONNECTION_RESET, f"{host} broke off the connection while it was being made.")
    if error.errno in _UNREACHABLE:
        return Failure(Outcome.CONNECT_ERROR, f"There is no route to {host}.")
    return Failure(Outcome.CONNECT_ERROR, f"No connection to {host} could be made ({_words(error)}).")


def of_tls(error: OSError, *, host: str) -> Failure:
    """Name a TLS handshake with *host* that failed."""
    if isinstance(error, TimeoutError):
        return Failure(Outcome.TIMEOUT, f"{host} did not complete the TLS handshake in time.")
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".") or "not accepted"
        return Failure(Outcome.TLS_ERROR, f"The certificate of {host} was not accepted: {reason}.")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure(Outcome.TLS_ERROR, f"{host} closed the connection during the TLS handshake.")
    if isinstance(error, ssl.SSLError):
        return Failure(Outcome.TLS_ERROR, f"No TLS connection to {host} could be made: {_words(error)}.")
    return Failure(Outcome.CONNECTION_RESET, f"{host} broke off the connection during the TLS handshake.")


def _words(error: OSError) -> str:
    """Return the system's or OpenSSL's own words for *error*, without numbers and file positions."""
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return str(reason).replace("_", " ").lower()
