"""A disk that answers when the test says so (tests/support/slow_files.c)."""

import process
from waiting import wait_for

LIBRARY = process.binary("libslow_files.so", "SLOW_FILES_LIB")


class SlowFiles:
    """Opening a file with `part` in its path waits while the gate is shut."""

    def __init__(self, sluice, part, shut=True):
        self.gate = sluice.folder / "gate"
        self.reached = sluice.folder / "gate.reached"
        if not shut:
            self.gate.touch()
        sluice.environment = {
            "LD_PRELOAD": LIBRARY, "SLOW_FILES": part, "SLOW_FILES_GATE": str(self.gate),
            "ASAN_OPTIONS": "abort_on_error=1:verify_asan_link_order=0",
        }

    def shut(self):
        self.reached.unlink(missing_ok=True)
        self.gate.unlink()

    def open(self):
        self.gate.touch()

    def wait_reached(self):
        wait_for(self.reached.exists, 15, "a file is waited for", every=0.001)
