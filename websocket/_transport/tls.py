"""`sslopt` and the environment -> an SSLContext; TLS errors -> what they mean for the user."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from websocket._exceptions import WebSocketException

if TYPE_CHECKING:
    import ssl

__all__ = [
    "HUNG_UP",
    "SILENT",
    "check_fingerprint",
    "check_keys",
    "context_for",
    "explain_tls_error",
    "server_hostname_for",
]

_KEYS = (
    "context",
    "ssl_version",
    "cert_reqs",
    "check_hostname",
    "ca_certs",
    "ca_cert_path",
    "certfile",
    "keyfile",
    "password",
    "cert_chain",
    "ciphers",
    "ecdh_curve",
    "server_hostname",
    "do_handshake_on_connect",
    "suppress_ragged_eofs",
    "fingerprint",
)

# What a context shows of itself, so that a key beside it can be held against it.
_SHOWN_BY_CONTEXT = (
    ("cert_reqs", "verify_mode"),
    ("check_hostname", "check_hostname"),
    ("ssl_version", "protocol"),
)

# By the numbers of OpenSSL's x509_vfy.h, which the ssl module shows as `verify_code`.
_ADD_CA = "name its CA in sslopt ca_certs, or install it on this machine"
_WRONG_NAME = "use the name in the certificate, or give it as sslopt server_hostname"
_VERIFY_REMEDIES = {
    9: "the certificate is not valid yet: is the clock of this machine right?",
    10: "the certificate has expired: the server needs a new one; is this machine's clock right?",
    18: "the certificate is self-signed: name that certificate itself in sslopt ca_certs",
    19: f"the chain ends in a CA that is not trusted here: {_ADD_CA}",
    20: f"unknown CA, or the server leaves out an intermediate certificate: {_ADD_CA}",
    21: f"unknown CA, or the server leaves out an intermediate certificate: {_ADD_CA}",
    23: "the certificate was revoked: the server needs a new one",
    50: "if the server got a new certificate on purpose, update sslopt fingerprint",
    62: f"the certificate is for another name: {_WRONG_NAME}",
    64: f"the certificate is not for this IP address: {_WRONG_NAME}",
    66: "the key of the certificate is too short: the server needs a new one",
}

_NOT_TLS = "what came is not TLS: if the server speaks plain HTTP on this port, use {plain}://"

HUNG_UP = (
    "the server hung up during the TLS handshake: does it speak TLS on this port? if not, use"
    " {plain}://"
)

SILENT = "does the server speak TLS on this port? if not, use {plain}://"

# By the reason that OpenSSL gives, parts of it: prefixes and spellings vary between its releases.
_REASON_REMEDIES = (
    ("WRONG_VERSION_NUMBER", "the server speaks plain HTTP on this port: use {plain}://"),
    ("HTTP_REQUEST", "the server speaks plain HTTP on this port: use {plain}://"),
    ("RECORD_LAYER_FAILURE", _NOT_TLS),
    ("PACKET_LENGTH_TOO_LONG", _NOT_TLS),
    ("CERTIFICATE_REQUIRED", "the server asks for a client certificate: sslopt certfile, keyfile"),
    ("UNKNOWN_CA", "the server does not know the CA of our client certificate"),
    ("PROTOCOL_VERSION", "no TLS version in common; ours are 1.2 and above"),
    ("UNSUPPORTED_PROTOCOL", "no TLS version in common; ours are 1.2 and above"),
    ("HANDSHAKE_FAILURE", "no cipher in common, or a client certificate is missing"),
    ("UNRECOGNIZED_NAME", "the server does not know this name: try sslopt server_hostname"),
    ("EOF", HUNG_UP),
)


def context_for(
    sslopt: Mapping[str, Any] | None, env: Mapping[str, str] = os.environ
) -> ssl.SSLContext:
    """The context that `sslopt` and the environment describe; safe where they say nothing.

    Safe means: TLS 1.2 or later, chain and name verified against the system's CAs. Keys whose
    value is None count as absent. A `context` among the keys is returned untouched: of the others
    those that it shows (`cert_reqs`, `check_hostname`, `ssl_version`) must agree with it; files,
    ciphers and curve, which it does not show, are left unused as in websocket-client.

    `fingerprint` adds a check to that of the chain; `cert_reqs=CERT_NONE` beside it trusts the
    fingerprint alone.

    Raises ValueError for unknown keys and values of the wrong shape, WebSocketException for
    contradictions and for what OpenSSL cannot load or does not know.
    """
    try:
        import ssl  # here since it is slow to import, and missing from some builds of Python
    except ImportError as exc:
        raise WebSocketException("wss:// needs Python's ssl module, which is missing here") from exc

    given = _given(sslopt)
    if "fingerprint" in given:
        _normalised(given["fingerprint"])
    if "context" in given:
        return _ready_made(given)
    context = ssl.SSLContext(given.get("ssl_version", ssl.PROTOCOL_TLS_CLIENT))
    if context.protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS):
        # The others stand for one version each, which the user asked for by name.
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    _set_verification(context, given)
    if context.verify_mode != ssl.CERT_NONE:
        _load_authorities(context, given, env)
    _load_client_certificate(context, given)
    for key, setter in (("ciphers", context.set_ciphers), ("ecdh_curve", context.set_ecdh_curve)):
        if key in given:
            _try(f"sslopt {key} {given[key]!r} was refused", setter, given[key])
    # RFC 7301; without it a server may prefer HTTP/2 on the same port.
    context.set_alpn_protocols(["http/1.1"])
    if key_log := env.get("SSLKEYLOGFILE"):
        _try(
            f"SSLKEYLOGFILE {key_log!r} cannot be written",
            lambda path: setattr(context, "keylog_filename", path),
            key_log,
        )
    return context


def server_hostname_for(sslopt: Mapping[str, Any] | None, host: str) -> str | None:
    """The name to send as SNI and to verify: that of `sslopt`, else the URL's host.

    Without the root's dot (RFC 6066 section 3) and an IPv6 zone, which no certificate has.
    """
    name = _given(sslopt).get("server_hostname")
    if name:
        return str(name)
    return (host.partition("%")[0] if ":" in host else host.removesuffix(".")) or None


def check_fingerprint(der: bytes, fingerprint: str) -> None:
    """Compare the SHA-256 of the server's certificate (DER) with the pinned one.

    Raises ssl.SSLCertVerificationError when they differ, ValueError for a malformed `fingerprint`.
    """
    import hashlib
    import ssl

    pinned, shown = _normalised(fingerprint), hashlib.sha256(der).hexdigest()
    if shown != pinned:
        message = f"certificate fingerprint mismatch: pinned {pinned}, the server shows {shown}"
        error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {message}")
        error.verify_code = 50  # X509_V_ERR_APPLICATION_VERIFICATION
        error.verify_message = message
        raise error


def explain_tls_error(exc: BaseException, host: str, plain: str = "ws") -> BaseException:
    """The same TLS error, its text with host and remedy, and the remedy as its `hint` (or None).

    `plain` is the scheme of what the host might speak instead of TLS.
    A new exception of the same class, built from (errno, text), that keeps `reason`, `library`,
    `verify_code` and `verify_message`: raise it from `exc`. What is no ssl.SSLError, or has been
    through here before, comes back as it is.
    """
    import ssl

    if not isinstance(exc, ssl.SSLError) or hasattr(exc, "hint"):
        return exc
    reason = exc.strerror or str(exc)
    hint = _VERIFY_REMEDIES.get(getattr(exc, "verify_code", None) or 0)
    if hint is None and not isinstance(exc, ssl.SSLCertVerificationError):
        code = f"{getattr(exc, 'reason', None)} {reason}".upper()
        hint = next((remedy for part, remedy in _REASON_REMEDIES if part in code), None)
        hint = hint and hint.format(plain=plain)
    text = reason.partition(" (_ssl.c:")[0] + (
        f" (host {host}: {hint})" if hint else f" (host {host})"
    )
    told = type(exc)(exc.errno, text)
    vars(told).update(vars(exc), hint=hint)
    return told


def check_keys(*sslopts: Mapping[str, Any] | None) -> None:
    """Raise ValueError for a key that nobody knows; before anything is dialled, TLS or not."""
    for sslopt in sslopts:
        _given(sslopt)


def _given(sslopt: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {key: value for key, value in (sslopt or {}).items() if value is not None}
    for key in given:
        if key not in _KEYS:
            near = _nearest(str(key))
            raise ValueError(
                f"unknown sslopt key {key!r}"
                + (f", did you mean {near!r}?" if near else "")
                + f" The keys are: {', '.join(_KEYS)}"
            )
    return given


def _nearest(key: str) -> str | None:
    """The known key that contains this one, or is contained in it, punctuation aside."""
    bare = _letters(key)
    near = [known for known in _KEYS if bare in _letters(known) or _letters(known) in bare]
    return (
        min(near, key=lambda known: abs(len(known) - len(key))) if len(bare) > 2 and near else None
    )


def _letters(key: str) -> str:
    return "".join(filter(str.isalnum, key)).lower()


def _ready_made(given: Mapping[str, Any]) -> ssl.SSLContext:
    context: ssl.SSLContext = given["context"]
    for key, attribute in _SHOWN_BY_CONTEXT:
        if key in given and given[key] != getattr(context, attribute):
            raise ValueError(
                f"sslopt has {key}={given[key]!r} beside a context whose {attribute} is"
                f" {getattr(context, attribute)!r}: leave {key} out, or set it on the context"
            )
    return context


def _set_verification(context: ssl.SSLContext, given: Mapping[str, Any]) -> None:
    import ssl

    mode = given.get("cert_reqs", ssl.CERT_REQUIRED)
    check_hostname = given.get("check_hostname", mode != ssl.CERT_NONE)
    if check_hostname and mode == ssl.CERT_NONE:
        raise WebSocketException(
            "sslopt check_hostname=True contradicts cert_reqs=CERT_NONE",
            hint="a name can only be checked in a verified certificate: leave one of them out",
        )
    context.check_hostname = False  # or else CERT_NONE could not be set
    context.verify_mode = mode
    context.check_hostname = bool(check_hostname)


def _load_authorities(
    context: ssl.SSLContext, given: Mapping[str, Any], env: Mapping[str, str]
) -> None:
    cafile, capath = given.get("ca_certs") or None, given.get("ca_cert_path") or None
    bundle = env.get("WEBSOCKET_CLIENT_CA_BUNDLE")
    if bundle and not cafile and os.path.isfile(bundle):
        cafile = bundle
    elif bundle and not capath and os.path.isdir(bundle):
        capath = bundle
    if not cafile and not capath:
        context.load_default_certs()
        return
    what = " and ".join(repr(path) for path in (cafile, capath) if path)
    if capath and not any(map(os.path.isdir, os.fsdecode(capath).split(os.pathsep))):
        # OpenSSL takes any text here and would only find out, without a word, when it verifies.
        raise WebSocketException(f"SSL CA certificate loading failed: {capath!r} is no directory")
    _try(
        f"SSL CA certificate loading failed: {what}",
        lambda _: context.load_verify_locations(cafile=cafile, capath=capath),
        None,
    )


def _load_client_certificate(context: ssl.SSLContext, given: Mapping[str, Any]) -> None:
    chains: list[tuple[Any, ...]] = []
    if given.get("certfile"):
        chains.append((given["certfile"], given.get("keyfile"), given.get("password")))
    if "cert_chain" in given:
        chain: Any = given["cert_chain"]
        parts = cast("Sequence[Any]", chain) if isinstance(chain, (tuple, list)) else ()
        if len(parts) != 3:  # not shown: there may be a password in it
            raise ValueError("sslopt cert_chain must be a tuple (certfile, keyfile, password)")
        chains.append(tuple(parts))
    for certfile, keyfile, password in chains:
        _try(
            f"SSL client certificate loading failed: certfile {certfile!r}, keyfile {keyfile!r}",
            lambda chain: context.load_cert_chain(*chain),
            (certfile, keyfile, _no_prompt if password is None else password),
        )


def _no_prompt() -> str:
    """Asked only for the password of an encrypted key; OpenSSL itself would ask the terminal."""
    raise WebSocketException(
        "SSL client certificate loading failed: the key is encrypted and no password was given",
        hint="give it as sslopt password, or third in cert_chain",
    )


def _try(complaint: str, setter: Callable[[Any], object], value: Any) -> None:
    try:
        setter(value)
    except (OSError, ValueError, TypeError) as exc:  # ssl.SSLError is an OSError
        raise WebSocketException(f"{complaint}: {exc}") from exc


def _normalised(fingerprint: Any) -> str:
    digits = "".join(str(fingerprint).replace(":", "").split()).lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(
            f"sslopt fingerprint {fingerprint!r} is not a SHA-256 in hex: 64 digits,"
            " colons allowed, as `openssl x509 -noout -fingerprint -sha256` prints it"
        )
    return digits
