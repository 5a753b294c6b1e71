"""What goes wrong with proxies, as exceptions that go by each name that somebody may catch."""

from __future__ import annotations

from .._exceptions import WebSocketProxyException

__all__ = ["ProxyError", "at_the_proxy", "proxy_exception", "python_socks_class"]


class ProxyError(Exception):
    """Stands for python-socks' exception of this name where that package is not installed."""


_WORDS = (
    ("use wss://", "write its URL with https:// (proxy_type='https')"),
    ("use http://", "write its URL with http:// (proxy_type='http')"),
    ("the server", "the proxy"),
    ("sslopt ", "proxy_sslopt "),
)

_combined: dict[tuple[type[BaseException], ...], type[WebSocketProxyException]] = {}


def proxy_exception(
    text: str, *also: type[BaseException], hint: str | None = None
) -> WebSocketProxyException:
    """A `WebSocketProxyException` that is an instance of `also`, too."""
    return _class_of(also)(text, hint=hint)


def python_socks_class(name: str) -> type[BaseException]:
    """The exception class of python-socks that is called so, or what stands for it."""
    try:
        import python_socks
    except ImportError:
        return ProxyError
    found: type[BaseException] = getattr(python_socks, name)
    return found


def at_the_proxy(exc: Exception, proxy: str, *also: type[BaseException]) -> WebSocketProxyException:
    """The same error, class and fields, as a `WebSocketProxyException` that names the proxy."""
    if isinstance(exc, WebSocketProxyException):
        return exc
    text = f"proxy {proxy}: {_for_proxies(str(exc))}"
    told = _class_of((type(exc), *also))(text)
    vars(told).update(vars(exc))
    if told.hint is not None:
        told.hint = _for_proxies(told.hint)
    if isinstance(exc, OSError) and isinstance(told, OSError):
        told.errno = exc.errno
        if type(exc).__module__ == "ssl":  # what its str() shows
            told.strerror = text
    return told


def _for_proxies(text: str) -> str:
    """A text that was written with the server in mind."""
    for written, meant in _WORDS:
        text = text.replace(written, meant)
    return text


def _class_of(also: tuple[type[BaseException], ...]) -> type[WebSocketProxyException]:
    wanted: tuple[type[BaseException], ...] = (WebSocketProxyException, *also)
    # Without those that another one implies: Python could not put them into an order.
    bases = tuple(
        dict.fromkeys(
            kind
            for kind in wanted
            if not any(other is not kind and issubclass(other, kind) for other in wanted)
        )
    )
    if bases not in _combined:
        _combined[bases] = (
            type("WebSocketProxyException", bases, {"__module__": "websocket._exceptions"})
            if len(bases) > 1
            else WebSocketProxyException
        )
    return _combined[bases]
