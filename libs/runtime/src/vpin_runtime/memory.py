"""Large blocks of memory go back to the system when they are freed, and don't stay with the process."""

from __future__ import annotations

import ctypes

LARGE = 4 * 1024 * 1024
"""Bytes. A password is verified in 9 MiB; what loops and slabs need is far smaller and is better kept."""
KEPT = 2 * LARGE
"""Bytes that stay at the top of the heap when they are free: telling glibc one of the two numbers ends its adapting of both,
and what it starts from, 128 KiB, gives the memory of each busy moment back and fetches it again."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_… of glibc's malloc.h


def return_large_blocks() -> bool:
    """Have glibc map blocks from `LARGE` on by themselves; whether there is a glibc to be told.

    By itself it raises that threshold to the size of the first one that is freed, and keeps later ones in the arena of
    their thread: 9 MiB for every thread that has ever verified a password.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, LARGE)) and bool(mallopt(_TRIM_THRESHOLD, KEPT))
