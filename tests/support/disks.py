"""A full disk, simulated by a limit on the size of files."""

import resource
from contextlib import contextmanager


@contextmanager
def room_for(num_bytes):
    """Make every write fail that would make a file longer than this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal that goes with it, so that writing raises an OSError.
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
