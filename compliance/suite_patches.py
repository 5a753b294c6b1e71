"""What has to change in the Python 2 source of Autobahn|Testsuite, as exact-match patches."""

from __future__ import annotations

import re

SUITE_VERSION = "25.10.1"
SUITE_SHA256 = "b083d6e15330fc16f3e5f0975cce2b15f21bfa0c6db09547316b1852c6dbd6df"
# The engine in the versions that the suite itself pins, which ran on Python 3 too.
ENGINE = ["autobahn==0.10.9", "txaio==2.1.0"]
DEPENDENCIES = [
    "Twisted==24.11.0",
    "six==1.16.0",
    "wsaccel==0.6.7",
    "pyOpenSSL==24.3.0",
    "service-identity==24.2.0",
    "jinja2==3.1.6",
]
# This setuptools still has pkg_resources.
BUILD = ["setuptools==75.8.2", "wheel==0.45.1"]

# modules of the modes that are kept (fuzzing*, testee*, echo*, broadcast*, massconnect)
DROP = [
    "serializer.py",
    "testdb.py",
    "testrun.py",
    "rinterfaces.py",
    "wampcase",
    "wampfuzzing.py",
    "wamptestee.py",
    "wamptestserver.py",
    "wsperfcontrol.py",
    "wsperfmaster.py",
]

# File -> [(old, new, how often)], applied to the Python 2 source before lib2to3.
PRE: dict[str, list[tuple[str, str, int]]] = {
    # WAMP serializer mode is dropped (needs autobahn's WAMP test modules)
    "wstest.py": [
        ("import serializer\n", "", 1),
    ],
    "case/case6_x_x.py": [
        # Python 2 chr() made a byte; these three build payload octets
        ("s += chr(i)\n", "s += bytes([i])\n", 2),
        ("s += chr(0x20)\n", "s += bytes([0x20])\n", 1),
        ("(desc, binascii.b2a_hex(p[1]))", '(desc, binascii.b2a_hex(p[1]).decode("ascii"))', 1),
    ],
    # one octet of the payload: indexing bytes gives an int on Python 3
    "case/case6_4_2.py": [("PAYLOAD[12])", "PAYLOAD[12:13])", 2)],
    "case/case6_4_4.py": [("PAYLOAD[12])", "PAYLOAD[12:13])", 2)],
    # report text only: the payload itself, as text
    "case/case6_2_1.py": [("% (PAYLOAD, b", '% (PAYLOAD.decode("utf-8"), b', 1)],
    "case/case6_2_2.py": [
        ("% (PAYLOAD1, b", '% (PAYLOAD1.decode("utf-8"), b', 1),
        (", PAYLOAD2, b", ', PAYLOAD2.decode("utf-8"), b', 1),
    ],
    "case/case6_2_3.py": [("% (PAYLOAD, b", '% (PAYLOAD.decode("utf-8"), b', 1)],
    "case/case6_2_4.py": [("% (PAYLOAD, b", '% (PAYLOAD.decode("utf-8"), b', 1)],
    # integer division
    "case/case10_1_1.py": [
        (
            "len(self.payload) / self.p.autoFragmentSize",
            "len(self.payload) // self.p.autoFragmentSize",
            1,
        )
    ],
    # report text only: hex of the (deliberately invalid) close reason sent
    "case/case7_5_1.py": [
        (
            "binascii.b2a_hex(self.p.localCloseReason)",
            'binascii.b2a_hex(self.p.localCloseReason).decode("ascii")',
            1,
        )
    ],
    "case/case12_x_x.py": [("(object, Case, )", "(Case, )", 2)],
    "case/case7_7_X.py": [("(object, Case, )", "(Case, )", 1)],
    "case/case7_9_X.py": [("(object, Case, )", "(Case, )", 1)],
    "case/case9_7_X.py": [("(object, Case, )", "(Case, )", 1)],
    # not run by any mode (commented out of the case list); uses zope's Python-2-only implements()
    "case/__init__.py": [("from case9_9_1 import *\n", "", 1)],
    "fuzzing.py": [
        # log helpers: octets in, text out
        (
            "dd = binascii.b2a_hex(data[:maxlen]) + ellipses",
            'dd = binascii.b2a_hex(data[:maxlen]).decode("ascii") + ellipses',
            1,
        ),
        ("dd = binascii.b2a_hex(data)\n", 'dd = binascii.b2a_hex(data).decode("ascii")\n', 1),
        (
            'def asciiLogData(data, maxlen = 64, replace = False):\n   ellipses = " ..."\n',
            "def asText(v):\n"
            '   return v.decode("utf8", "replace") if isinstance(v, bytes) else v\n\n\n'
            'def asciiLogData(data, maxlen = 64, replace = False):\n   ellipses = b" ..."\n',
            1,
        ),
        ("p = ''.join(payload)", "p = b''.join(payload)", 1),
        (
            "binascii.b2a_hex(frameHeader.mask) if",
            'binascii.b2a_hex(frameHeader.mask).decode("ascii") if',
            2,
        ),
        (
            "mmask = binascii.b2a_hex(t[6])",
            'mmask = binascii.b2a_hex(t[6].encode("ascii")).decode("ascii")',
            1,
        ),
        # values that go into the report as text
        (
            '"localCloseReason": self.localCloseReason',
            '"localCloseReason": asText(self.localCloseReason)',
            1,
        ),
        (
            '"remoteCloseReason": self.remoteCloseReason',
            '"remoteCloseReason": asText(self.remoteCloseReason)',
            1,
        ),
        ("self.http_request_data if", "asText(self.http_request_data) if", 1),
        ("self.http_response_data if", "asText(self.http_response_data) if", 1),
        # text -> octets for control messages
        (
            "self.sendMessage(json.dumps(len(self.factory.specCases)))",
            'self.sendMessage(json.dumps(len(self.factory.specCases)).encode("utf8"))',
            1,
        ),
        (
            "'behavior':results['behavior']\n            }))",
            "'behavior':results['behavior']\n            }).encode(\"utf8\"))",
            1,
        ),
        (
            "'description': self.factory.CaseSet.caseClassToPrettyDescription(self.Case),"
            "\n         }))",
            "'description': self.factory.CaseSet.caseClassToPrettyDescription(self.Case),"
            '\n         }).encode("utf8"))',
            1,
        ),
        (
            'payload = spec.get("payload", "")',
            'payload = spec.get("payload", "").encode("utf8")',
            1,
        ),
        ('log.msg("Pong received: " + payload)', 'log.msg("Pong received: %r" % (payload,))', 1),
        # HTML report files are text files
        (
            "open(os.path.join(outdir, report_filename), 'w')",
            "open(os.path.join(outdir, report_filename), 'w', encoding = 'utf-8', "
            "errors = 'surrogatepass')",
            4,
        ),
        (
            "errors = 'replace' if replace else 'strict')",
            "errors = 'replace' if replace else 'surrogatepass')",
            1,
        ),
        ('(c[0], case[c[0]], c[1])).encode("utf-8"))', "(c[0], case[c[0]], c[1])))", 1),
        ("ll.encode('utf8')))", "ll))", 1),
        ("webdir.putChild('cwd', curdir)", "webdir.putChild(b'cwd', curdir)", 1),
    ],
}

# Report text only: descriptions that show payload octets in hex (file -> how often).
HEX_IN_DESCRIPTION = {
    "case/case6_2_1.py": 1,
    "case/case6_2_2.py": 2,
    "case/case6_2_3.py": 1,
    "case/case6_2_4.py": 1,
    "case/case6_3_1.py": 1,
    "case/case6_3_2.py": 1,
    "case/case6_4_1.py": 3,
    "case/case6_4_2.py": 3,
    "case/case6_4_3.py": 3,
    "case/case6_4_4.py": 3,
}
HEX_CALL = re.compile(r"(binascii\.b2a_hex\([^()]*\))")

# File, old, new, how often: applied to the installed engine.
ENGINE_PATCHES: list[tuple[str, str, str, int]] = [
    # one Python 2 integer division left in sendFrame(payload_len=...)
    (
        "autobahn/websocket/protocol.py",
        "range(payload_len / len(payload))",
        "range(payload_len // len(payload))",
        1,
    ),
    # Python 2's utf8 codec let encoded surrogates through (the verdict comes from the validator
    # above this line); Python 3 would raise here and change how the connection ends
    (
        "autobahn/websocket/protocol.py",
        "self.remoteCloseReason = reasonRaw.decode('utf8')",
        "self.remoteCloseReason = reasonRaw.decode('utf8', 'surrogatepass')",
        1,
    ),
]

# What holds payload octets in the case modules, where Python 2 str literals are bytes.
PAYLOAD_NAMES = {
    "payload",
    "PAYLOAD",
    "PAYLOAD1",
    "PAYLOAD2",
    "PAYLOAD3",
    "fragments",
    "pings",
    "ping_payload",
    "vss",
    "s",
}
PAYLOAD_KEYWORDS = {"payload", "reasonUtf8"}
EVENTS = {"message", "ping", "pong"}
