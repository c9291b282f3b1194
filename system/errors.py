"""The errors that a script shows as one sentence, without a traceback."""


class DataError(Exception):
    """A scan, list, cube or model that cannot be used as it is.

    The message names the file or case, what must hold, and what was received.
    """

    exit_code = 1


class UsageError(DataError):
    """A request that cannot be carried out as it was put, whatever the data."""

    exit_code = 2


class OutputError(DataError):
    """A file that cannot be written: the disk's fault, and no scan's."""
