"""`python -m websocket._wsdump` is `wsdump`."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
