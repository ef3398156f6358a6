"""What large blocks leave behind, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import ctypes, resource, sys, threading
from pathlib import Path
from vpin_runtime.memory import return_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def use(together):
    for _ in range(3):
        together.wait()
        block = libc.malloc(SIZE)
        libc.memset(block, 1, SIZE)
        together.wait()
        libc.free(block)

SIZE = 19 << 20
assert return_large_blocks() or sys.platform != "linux"
before, together = resident(), threading.Barrier(4)
threads = [threading.Thread(target=use, args=[together]) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print((resident() - before) >> 20)
"""


def test_large_blocks_leave_nothing_behind() -> None:
    grown = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(grown.stdout) < 10
