"""What a certificate says of itself, read from its DER: whom it is for, who signed it, until when.

The `ssl` module tells this of verified certificates only; a doctor has to read the others, too.
RFC 5280 says what is where, X.690 how it is encoded.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

__all__ = ["certificate_facts"]

_SEQUENCE_OF_EXTENSIONS = 0xA3
_VERSION = 0xA0
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_UTC_TIME = 0x17
_BMP_STRING = 0x1E
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_ATTRIBUTES = {
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("550406"): "C",
}
_DAY = 86400.0


def certificate_facts(der: bytes) -> dict[str, Any]:
    """Subject, issuer, names, validity, days left and fingerprint; of a malformed certificate the
    fingerprint alone, and `error`. Never raises: this may come from anybody."""
    import hashlib

    facts: dict[str, Any] = {}
    try:
        facts.update(_read(der))
    except (ValueError, IndexError, OverflowError):
        facts["error"] = "it cannot be read"
    facts["sha256"] = hashlib.sha256(der).hexdigest()
    return facts


def _read(der: bytes) -> dict[str, Any]:
    from datetime import datetime, timezone

    (_, whole), *_ = _items(der)
    (_, body), *_ = _items(whole)
    fields = list(_items(body))
    if fields[0][0] == _VERSION:
        del fields[0]
    _, _, issuer, validity, subject, *rest = fields
    since, until = map(_instant, _items(validity[1]))
    left = (until - datetime.now(timezone.utc)).total_seconds()
    return {
        "subject": _name(subject[1]),
        "issuer": _name(issuer[1]),
        "names": [name for tag, each in rest if tag == _SEQUENCE_OF_EXTENSIONS
                  for name in _alternative_names(each)],
        "not_before": since.isoformat(),
        "not_after": until.isoformat(),
        "days_left": int(left // _DAY),
    }  # fmt: skip


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element; raises ValueError or IndexError for what is no DER."""
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            raise ValueError("an element is longer than what is around it")
        yield tag, data[at : at + size]
        at += size


def _name(data: bytes) -> str:
    """A distinguished name as CN=..., O=...; the common name first, for that is looked for."""
    found: dict[str, str] = {}
    for _, group in _items(data):
        for _, attribute in _items(group):
            (_, kind), (tag, value) = _items(attribute)
            label = _ATTRIBUTES.get(kind)
            if label is not None:
                encoding = "utf-16-be" if tag == _BMP_STRING else "utf-8"
                found[label] = value.decode(encoding, "replace")
    return ", ".join(f"{label}={found[label]}" for label in _ATTRIBUTES.values() if label in found)


def _alternative_names(data: bytes) -> Iterator[str]:
    for _, extensions in _items(data):
        for _, extension in _items(extensions):
            (_, kind), *_, (_, value) = _items(extension)
            if kind != _ALTERNATIVE_NAMES:
                continue
            for _, names in _items(value):
                for tag, name in _items(names):
                    if tag == _DNS_NAME:
                        yield name.decode("ascii", "replace")
                    elif tag == _IP_ADDRESS:
                        yield str(ipaddress.ip_address(name))


def _instant(item: tuple[int, bytes]) -> Any:
    """UTCTime or GeneralizedTime as a datetime (RFC 5280 4.1.2.5: in UTC, with seconds)."""
    from datetime import datetime, timezone

    tag, digits = item[0], item[1].decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
