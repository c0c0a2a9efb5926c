"""MXNet, imported the one safe way. Everything in `algorithms` takes `mx` from here.

MXNet reads its environment once, while it is imported, so these settings must come before.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# The default backend for inference graphs (MKLDNN) keeps stale fused weights after set_params() and can be
# wrong from the first forward pass on: mAP 0.006 instead of 0.443, with no message. NONE costs 0.4 ms a
# picture.
os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"
# MXNet's own default here is one thread; one per core about doubles the speed of training.
os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
# MXNet 1.9.1 still uses the alias that numpy 1.24 removed.
if "bool" not in vars(np):
    np.bool = bool  # type: ignore[attr-defined]  # the alias is gone from numpy's stubs as well


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Let whoever imports these packages find that they are not installed."""
    before = {name: sys.modules[name] for name in packages if name in sys.modules}
    try:
        sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type]  # None is how Python says it
        yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(before)


# MXNet takes them if it finds them, for what nothing here uses, and they are more than half of what it loads.
with _hidden("scipy", "sklearn"), warnings.catch_warnings():
    # mxnet.numpy names functions that numpy dropped long ago; where warnings are errors it could not be
    # imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import mxnet

mx: Any = mxnet
"""MXNet has no type information; the one place where that is said."""
