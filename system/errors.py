"""The errors that a script prints as one message, without a traceback."""


class DataError(Exception):
    """A scan, list, cube or model that cannot be used as it is.

    The message names the file or case, what must hold, and what was received.
    """

    exit_code = 1


class UsageError(DataError):
    """Arguments that cannot be used, whatever the data."""

    exit_code = 2


class OutputError(DataError):
    """A file that cannot be written, whatever the data."""
