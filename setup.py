"""The accelerator, which is optional: without a compiler the Python twins of its functions run.

WEBSOCKET_CLIENT_PURE_PYTHON=1 leaves it out of the build. All metadata is in setup.cfg.
"""

import os

from setuptools import Extension, setup

sources = ["websocket/_wire/_speedups.c"]
accelerator = Extension("websocket._wire._speedups", sources, optional=True)
pure = os.environ.get("WEBSOCKET_CLIENT_PURE_PYTHON")
setup(ext_modules=[] if pure else [accelerator])
