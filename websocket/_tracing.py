"""Whether requests and frames are traced: what the hot paths look at, as `enableTrace` left it.

In a module without a `__getattr__`, since CPython finds a name in such a one several times faster.
"""

__all__ = ["on"]

on = False
