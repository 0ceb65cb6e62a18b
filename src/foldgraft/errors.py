"""The one exception that is meant for the user."""


class FoldgraftError(Exception):
    """Something the user can mend; the message says what is wrong, where (file, key, id), and what to do.

    The command line prints the message alone, without a traceback, and exits with 2.
    """
