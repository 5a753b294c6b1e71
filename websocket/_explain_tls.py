"""What a TLS connection agreed on, and the certificate of a server, also of one not trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._exceptions import WebSocketException
from ._explain_certificate import certificate_facts
from ._explain_record import Record, shown
from ._transport.deadline import Deadline
from ._transport.sockets import start_tls
from ._transport.streams import Stream

if TYPE_CHECKING:
    from ._transport.tls_stream import TLSStream

__all__ = ["describe_tls", "look_at_certificate"]

_MOST_NAMES = 100
_SOON = 14  # days; whoever renews automatically has done so by then


def describe_tls(record: Record, stream: TLSStream) -> None:
    """Tell version, cipher, ALPN and certificate; warn of what will be, or is, a problem."""
    engine = stream.ask(lambda engine: engine)
    der = stream.ask(lambda engine: engine.getpeercert(True))
    version, cipher, alpn = engine.version(), engine.cipher(), engine.selected_alpn_protocol()
    name = cipher[0] if cipher else None
    verified = bool(int(engine.context.verify_mode))
    record.done(
        f"{version}, {name}, ALPN {alpn or 'none'}",
        version=version,
        cipher=name,
        alpn=alpn,
        verified=verified,
    )
    days = _describe_certificate(record, der or b"")
    if days is not None and days < 0:
        record.warn("not verified, and it has expired", "the server needs a new certificate")
    elif not verified:
        record.warn("not verified, as sslopt wishes", "anybody could be at the other end")
    elif days is not None and days < _SOON:
        record.warn(f"it expires in {days} days", "the server needs a new certificate soon")


def look_at_certificate(
    record: Record,
    reach: Callable[[], Stream],
    sslopt: Mapping[str, Any] | None,
    host: str,
    deadline: Deadline,
) -> None:
    """Tell of the certificate that was not accepted: connect once more, look at it, and hang up.

    Nothing is sent to the server but its name, and a client certificate is not shown.
    """
    import ssl

    unverified = {
        "cert_reqs": ssl.CERT_NONE,
        "check_hostname": False,
        "server_hostname": (sslopt or {}).get("server_hostname"),
    }
    with suppress(WebSocketException, OSError):
        lower = reach()
        try:
            stream = start_tls(lower, unverified, host, deadline)
            der = stream.ask(lambda engine: engine.getpeercert(True))
            _describe_certificate(record, der or b"")
        finally:
            lower.close()


def _describe_certificate(record: Record, der: bytes) -> int | None:
    """Tell what the certificate says; returns the days that are left of its life."""
    facts = certificate_facts(der)
    for key, value in facts.items():
        if isinstance(value, str):
            facts[key] = shown(value)
    facts["names"] = [shown(name) for name in facts.get("names", ())[:_MOST_NAMES]]
    record.done("", certificate=facts)
    if "error" in facts:
        record.detail[-1] = "the certificate cannot be read"
        return None
    days: int = facts["days_left"]
    names = ", ".join(facts["names"][:5]) + (", ..." if len(facts["names"]) > 5 else "")
    life = f"{days} days left" if days >= 0 else f"expired {-days} days ago"
    record.detail[-1] = (
        f"certificate for {facts['subject'] or 'nobody'} ({names or 'no names'})"
        f"; issued by {facts['issuer'] or 'nobody'}"
        f"; valid until {facts['not_after'][:10]}, {life}"
    )
    return days
