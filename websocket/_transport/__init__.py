"""A stream of bytes to the server: addresses, sockets, TLS, proxies; nothing here knows WebSocket."""
