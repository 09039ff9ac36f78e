"""The one exception that is meant for people."""


class ColorlibError(Exception):
    """Something the caller can mend; its text is one clear sentence.

    The command line prints that sentence, without a traceback, and exits
    with status 1.
    """
