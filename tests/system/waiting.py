"""Waiting for a condition with a deadline: the only way a test passes time."""

import os
import time

# Sanitized binaries on a busy machine are slow; what is right comes all the same.
PATIENCE = float(os.environ.get("SLUICE_TEST_PATIENCE", "1"))


class DeadlinePassed(AssertionError):
    pass


def wait_for(condition, deadline=10.0, what=None, every=0.02):
    """Returns the first true value of condition(), asked every few milliseconds."""
    end = time.monotonic() + deadline * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            name = what or getattr(condition, "__name__", "condition")
            raise DeadlinePassed(f"not within {deadline * PATIENCE:g} s: {name}")
        time.sleep(every)


def holds_for(condition, seconds, what=None, every=0.1):
    """Fails as soon as condition() is false; returns when it held that long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not stay true: {what or 'condition'}"
        time.sleep(every)
