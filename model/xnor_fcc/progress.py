# SPDX-License-Identifier: Apache-2.0
"""A progress bar that looks for itself how far a work is that cannot tell."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from tqdm import tqdm


@contextlib.contextmanager
def followed(bar: tqdm, look: Callable[[], object], seconds: float = 0.5) -> Iterator[None]:
    """Call `look`, which updates `bar`, every so many seconds and once more at the end."""
    stop = threading.Event()

    def follow() -> None:
        with bar:
            done = False
            while not done:
                done = stop.wait(seconds)
                with contextlib.suppress(OSError, ValueError):  # a file that goes away meanwhile
                    look()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
