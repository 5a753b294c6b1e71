#!/usr/bin/env python3
"""wsdump from a checkout, without installing it, by the name of old documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from websocket._wsdump import main

if __name__ == "__main__":
    sys.exit(main())
