"""A full disk under files that are written bit by bit, such as TensorBoard's: one error that names their folder."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def named_event_files(folder: str) -> Iterator[None]:
    """Name the folder of runs in errors of event files that could not be written.

    TensorBoard's writes in a thread of its own, which shows a traceback when it fails, and passes its error on.

    Args:
        folder: Folder of the runs.

    Raises:
        OSError: A file could not be written; the message names the folder and says what to do.
    """
    shown = threading.excepthook

    def show(args: threading.ExceptHookArgs) -> None:
        # The thread that is given work next raises the same error.
        if not (isinstance(args.exc_value, OSError) and type(args.thread).__name__ == "_AsyncWriterThread"):
            shown(args)

    threading.excepthook = show
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        remedy = "the run's events or journal were not written: free space, or choose a folder that can be written"
        raise OSError(error.errno, f"{error.strerror}; {remedy}", folder) from error
    finally:
        threading.excepthook = shown
