"""The command line: `wsdump URL` prints what a server sends, and sends what is typed.

    wsdump ws://127.0.0.1:8080/            talk
    wsdump --raw wss://example.com/feed    only what the server sends, line by line, for pipes

docs/wsdump.md tells the options, the output and the exit status.
"""

from .command import main as main
