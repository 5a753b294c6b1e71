"""`explain(url)`: the way to a server, step by step, with what each of them found: the doctor.

It walks the way that `connect` walks, by the same parts; only the addresses it tries all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._connection import Connection
from ._exceptions import (
    WebSocketBadStatusException,
    WebSocketException,
    WebSocketProxyException,
    WebSocketTimeoutException,
)
from ._explain_addresses import Try, Unreachable, close_all, try_all
from ._explain_open import converse
from ._explain_record import Explanation, Record, Secrets, shown_url
from ._explain_tls import describe_tls, look_at_certificate
from ._opening import Settings, _connect_options, _Opener, _pings, make_connection
from ._protocol.deflate import as_deflate
from ._transport.connecting import REDIRECTS, Opened, open_connection
from ._transport.deadline import Attempt, Deadline
from ._transport.options import TransportOptions
from ._transport.proxies import Proxy, choose_by_rule
from ._transport.proxy_route import reach_through
from ._transport.sockets import as_stream, speaks_tls, start_tls
from ._transport.streams import PlainStream, Stream
from ._transport.tcp import addresses_of, dial_one, dial_unix
from ._transport.tls_contexts import kept_context_for
from ._wire.http1 import Request, Response
from ._wire.urls import WebSocketURI, parse_uri

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import ConnectOptions

__all__ = ["explain"]

_TIMEOUT = 10.0  # seconds for all steps together, unless the caller says otherwise
_MOST_ADDRESSES = 16
_SILENCE = "have the silent addresses answer, or taken out of the DNS"
_LOOK = 3.0  # seconds for a look at a certificate that was refused


def explain(url: str, **options: Unpack[ConnectOptions]) -> Explanation:
    """Examine the way to `url` and say what works, what does not, and what to do.

    Takes the options of `connect`. Waits for all steps together at most `timeout` seconds (default
    10): URL, proxy, name lookup, TCP to every address, TLS, HTTP, a ping, the closing handshake;
    redirects are followed. Trouble on the way is told and not raised: the step that fails is the
    last one. No user, password, cookie or query is in what it returns. Any thread.

    Raises ValueError and TypeError for arguments that cannot be, as `connect` does.
    """
    return _Examination(url, dict(options)).run()


class _WatchedOpener(_Opener):
    """The opening handshake of `connect`, watched."""

    examination: _Examination

    def request(self, uri: WebSocketURI) -> Request:
        request = super().request(uri)
        self.examination.secrets.note(request)
        return request

    def note(self, uri: WebSocketURI, response: Response) -> None:
        super().note(uri, response)
        self.examination.answered(response)


class _Examination:
    """One call of `explain`."""

    def __init__(self, url: str, options: dict[str, Any]):
        timeout = options.pop("timeout", None)
        self._options = options
        self._uri = parse_uri(url)
        self.secrets = Secrets(self._uri)
        self._settings = Settings((), {}, None, None, False)
        _pings(options)
        self._opener = _WatchedOpener(self._uri, options, as_deflate(options.get("compression")))
        self._opener.examination = self
        self._transport = _connect_options(options, self._settings)
        self._record = Record()
        self._attempt = Attempt(Deadline(_TIMEOUT if timeout is None else timeout))
        self._answer: Response | None = None

    def run(self) -> Explanation:
        """Walk the way; all of it happens in the caller's thread, but for TCP."""
        try:
            opened = open_connection(self._opener, self._transport, self._attempt, self._open)
            connection = self._shake_hands(opened)
            converse(connection, self._record, self.secrets, self._left)
        except (WebSocketException, OSError) as exc:
            if isinstance(exc, WebSocketProxyException) and self._proxy_is_misused(exc):
                raise
            self._fail(exc)
        self._record.end()
        return Explanation(shown_url(self._uri), self._record.steps)

    def _left(self) -> float:
        left = self._attempt.deadline.remaining()
        return _TIMEOUT if left is None else left

    def _proxy_is_misused(self, exc: Exception) -> bool:
        """Whether the caller, and not the environment, has described a proxy that cannot be."""
        given = self._transport.proxy is not None or self._transport.http_proxy_host
        return self._record.name == "proxy" and isinstance(exc, ValueError) and bool(given)

    def _fail(self, exc: Exception) -> None:
        deadline = self._attempt.deadline
        if isinstance(exc, WebSocketTimeoutException) and deadline.expired:
            detail = f"no answer until the {deadline.seconds:g} s for all steps were over"
        elif isinstance(exc, WebSocketBadStatusException):
            detail = ""  # `answered` has said it; the message would repeat headers and body
        else:
            detail = str(exc)
        hint: str | None = getattr(exc, "hint", None)
        if hint:
            for written in (f" ({hint})", f": {hint}"):
                detail = detail.replace(written, "")
        self._record.fail(self.secrets.hidden(detail), hint and self.secrets.hidden(hint))

    # --- to the server ----------------------------------------------------------------------------

    def _open(
        self,
        uri: WebSocketURI,
        options: TransportOptions,
        attempt: Attempt,
        first: bool,
        home: bool,
    ) -> Stream:
        """What `open_stream` of the transport does, one step after the other."""
        record = self._record
        if not first:
            self._say_why_again(uri)
        record.begin("url")
        (record.absent.discard if uri.secure else record.absent.add)("tls")
        way = "TLS" if uri.secure else "not encrypted"
        record.done(f"{uri.host} port {uri.port}, {way}", url=shown_url(uri))
        given = options.socket if first else None
        if given is not None:
            record.done("over the socket that was given")
            reach: Callable[[], Stream] | None = None
            stream = as_stream(given)
        else:
            stream, reach = self._reach(uri, options, home)
        try:
            attempt.watch(stream.socket)
            if uri.secure:
                record.begin("tls")
                if given is not None and speaks_tls(given):
                    record.done("the socket that was given speaks it")
                else:
                    stream = self._start_tls(stream, reach, uri, options)
        except BaseException:
            attempt.unwatch(stream.socket)
            stream.close()
            raise
        record.begin("http")
        return stream

    def _reach(
        self, uri: WebSocketURI, options: TransportOptions, home: bool
    ) -> tuple[Stream, Callable[[], Stream]]:
        """A stream to the server, before its TLS, and how to get another one like it."""
        record, attempt = self._record, self._attempt
        path = uri.unix_path or (options.unix_socket if home else None)
        if path is not None:
            record.begin("unix")
            sock = dial_unix(path, options, attempt)
            record.done(f"connected to {path}", path=str(path))
            return PlainStream(sock), lambda: PlainStream(dial_unix(path, options, attempt))
        host, port = uri.host, uri.port
        record.begin("proxy")
        if home and options.address is not None:
            host, port = options.address
        proxy, rule = choose_by_rule(host, port, uri.secure, options)
        record.done(f"{proxy or 'no proxy'} ({rule})", proxy=proxy and str(proxy), rule=rule)
        if proxy is None:
            tries, used = self._connect(host, port, options)
            close_all(tries, used)
            assert used.socket is not None
            return PlainStream(used.socket), lambda: PlainStream(
                dial_one(used.info, options, attempt)
            )
        return self._reach_through(proxy, host, port, options)

    def _reach_through(
        self, proxy: Proxy, host: str, port: int, options: TransportOptions
    ) -> tuple[Stream, Callable[[], Stream]]:
        self._record.absent.discard("tunnel")
        self.secrets.note_user(proxy.username, proxy.password)
        try:
            tries, _ = self._connect(proxy.host, proxy.port, options)
        except Unreachable as exc:
            exc.hint = f"the proxy {proxy} cannot be reached: {exc.hint}"
            raise
        close_all(tries)
        self._record.begin("tunnel")
        stream = reach_through(proxy, host, port, options, self._attempt)
        self._record.done(f"{proxy} leads to {host} port {port}")
        return stream, lambda: reach_through(proxy, host, port, options, self._attempt)

    def _connect(self, host: str, port: int, options: TransportOptions) -> tuple[list[Try], Try]:
        """Look the name up and try its addresses: all of these, and the first that answered."""
        record = self._record
        record.begin("lookup")
        found = addresses_of(host, port, options, self._attempt)
        hosts = [str(each[4][0]) for each in found]
        some = ", ".join(hosts[:_MOST_ADDRESSES])
        told = f"{host}: {some}" if hosts != [host] else f"{host} is an address"
        record.done(told, host=host, addresses=hosts)
        record.begin("tcp")
        tries = try_all(found[:_MOST_ADDRESSES], options, self._attempt)
        for each in tries:
            took = f"{each.seconds * 1000:.1f} ms"
            if each.silent:
                record.done(f"{each.where} no answer within {each.seconds:.1f} s")
            else:
                record.done(f"{each.where} {each.fault or 'connected'} in {took}")
        record.facts["addresses"] = [each.facts() for each in tries]
        if len(found) > len(tries):
            record.done(f"{len(found) - len(tries)} more addresses were not tried")
        used = next((each for each in tries if each.socket is not None), None)
        if used is None:
            raise Unreachable(tries)
        record.facts["used"] = used.host
        if any(each.silent for each in tries):
            record.warn("connecting may take longer than it should", _SILENCE)
        return tries, used

    def _start_tls(
        self,
        lower: Stream,
        reach: Callable[[], Stream] | None,
        uri: WebSocketURI,
        options: TransportOptions,
    ) -> Stream:
        import ssl

        kept_context_for(options.sslopt)  # the first one is slow to make
        self._record.prepared()
        try:
            stream = start_tls(lower, options.sslopt, uri.host, self._attempt.deadline)
        except ssl.SSLCertVerificationError:
            self._record.done("the certificate is refused")
            if reach is not None:
                self._attempt.unwatch(lower.socket)
                lower.close()
                with self._attempt.limited(_LOOK):
                    look_at_certificate(
                        self._record, reach, options.sslopt, uri.host, self._attempt.deadline
                    )
            raise
        self._attempt.watch(stream.socket)
        describe_tls(self._record, stream)
        return stream

    # --- the server -------------------------------------------------------------------------------

    def answered(self, response: Response) -> None:
        """The server has answered the opening request."""
        self._answer = response
        reason = self.secrets.hidden(response.reason)
        said: dict[str, Any] = {"status": response.status, "reason": reason}
        for key, name in (
            ("server", "Server"),
            ("subprotocol", "Sec-WebSocket-Protocol"),
            ("extensions", "Sec-WebSocket-Extensions"),
        ):
            value = ", ".join(response.headers.get_all(name))
            said[key] = self.secrets.hidden(value) if value else None
        self._record.done(f"{response.status} {reason}".strip(), **said)

    def _say_why_again(self, uri: WebSocketURI) -> None:
        """The server has sent us elsewhere, or wants other credentials."""
        if self._answer is not None and self._answer.status in REDIRECTS:
            self._record.done(f"leads to {shown_url(uri)}", location=shown_url(uri))
        else:
            self._record.done("wants other credentials, which it gets")

    def _shake_hands(self, opened: Opened) -> Connection:
        try:
            agreement = self._opener.opening.accept(opened.response)
        except BaseException:
            opened.stream.close()
            raise
        if self._transport.socket is None:
            opened.stream.settimeout(self._left())
        for kind in ("subprotocol", "extensions"):
            chosen = self._record.facts[kind]
            self._record.done(f"{kind} {chosen}" if chosen else f"no {kind}")
        connection = make_connection(opened.stream, self._options, self._settings)
        connection.receiver.use(agreement.inflater)
        connection.sender.use(agreement.deflater)
        return connection
