"""wss with a certificate authority of one's own. `tls.py [URL [CA-FILE]]`

Without arguments it makes an authority and a server for the occasion (needs `pip install trustme`).
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from typing import Any

from websocket import create_connection
from websocket.testing import serve


def talk(url: str, sslopt: dict[str, Any]) -> None:
    with create_connection(url, timeout=10, sslopt=sslopt) as ws:
        ws.send("Nobody else can read this")
        print("received:", ws.recv())
        print("protocol:", ws.sock.version())
        print("cipher:", ws.sock.cipher()[0])


def talk_to_a_server_of_our_own() -> None:
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    with tempfile.TemporaryDirectory() as directory:
        ca_certs = os.path.join(directory, "ca.pem")
        authority.cert_pem.write_to_path(ca_certs)
        with serve(ssl=context) as server:
            talk(server.url, {"ca_certs": ca_certs})

            # Without the authority the server is a stranger:
            try:
                talk(server.url, {})
            except ssl.SSLCertVerificationError as exc:
                print("refused:", exc.verify_message)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1], {"ca_certs": sys.argv[2]} if len(sys.argv) > 2 else {})
    else:
        talk_to_a_server_of_our_own()
