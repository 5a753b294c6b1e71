"""A stream of bytes to the server: addresses, sockets, TLS, proxies; it knows no WebSocket."""
