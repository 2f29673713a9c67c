"""Starting programs so that they never outlive the test run."""

import ctypes
import os
import pathlib
import signal

REPO = pathlib.Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def binary(name, variable):
    """The program to test: from the environment, else from build/bin."""
    return os.environ.get(variable, str(REPO / "build" / "bin" / name))


def die_with_parent():
    """For preexec_fn: the kernel ends the child if the test run is killed."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def rss_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def is_sanitized(path):
    """Memory limits and the size of bodies differ for sanitized programs."""
    with open(path, "rb") as f:
        content = f.read()
    return b"__asan_init" in content or b"__tsan_init" in content
