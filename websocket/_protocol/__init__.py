"""RFC 6455 and RFC 7692 without I/O: no socket, no thread, no clock."""
