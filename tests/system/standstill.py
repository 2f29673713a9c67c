"""Makes one thread of another process stand still without stopping the process.

The thread is caught with ptrace and sent into an endless loop of two bytes that
stand somewhere in its code by chance. It is then let go: it burns its core, does
nothing else, and still takes signals, as a thread in a long computation would. (A
thread stopped by ptrace could not run a signal handler.)"""

import contextlib
import ctypes
import os
import platform
import re

PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_DETACH = 7, 12, 13, 17
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000
JUMP_TO_ITSELF = b"\xeb\xfe"
ORIG_RAX, RIP, WORDS = 15, 16, 27  # of x86-64's user_regs_struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def is_possible():
    return platform.machine() == "x86_64"


def _ptrace(request, tid, data=None):
    if _libc.ptrace(request, tid, None, data) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace request {request:#x} on {tid}")


def _catch(tid):
    _ptrace(PTRACE_SEIZE, tid)
    _ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)


def _registers(tid):
    registers = (ctypes.c_ulonglong * WORDS)()
    _ptrace(PTRACE_GETREGS, tid, ctypes.byref(registers))
    return registers


def _find_loop(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-xp .* /", line)
            if not found:
                continue
            start, end = (int(x, 16) for x in found.groups())
            memory.seek(start)
            at = memory.read(end - start).find(JUMP_TO_ITSELF)
            if at >= 0:
                return start + at
    raise AssertionError("no endless loop in the code of the process")


@contextlib.contextmanager
def main_thread_stands_still(pid):
    """Inside, the first thread of the process loops; after it, it goes on as before."""
    loop = _find_loop(pid)
    _catch(pid)
    before = _registers(pid)
    looping = _registers(pid)
    looping[RIP] = loop
    looping[ORIG_RAX] = 2**64 - 1  # no system call is to be started again
    _ptrace(PTRACE_SETREGS, pid, ctypes.byref(looping))
    _ptrace(PTRACE_DETACH, pid)
    try:
        yield
    finally:
        _catch(pid)
        _ptrace(PTRACE_SETREGS, pid, ctypes.byref(before))
        _ptrace(PTRACE_DETACH, pid)
