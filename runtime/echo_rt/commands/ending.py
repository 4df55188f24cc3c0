"""How the command line ends when SIGINT or SIGTERM tells it to: with one line, whole files and status 130 or 143.

It is watched for before anything else is imported: an exception in the middle of a library's import comes out as
another error, or as none.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from types import FrameType
from typing import NoReturn

from echo_rt.commands.streams import hold_numbers

SIGNALS = (signal.SIGINT, signal.SIGTERM)

AGAIN_S = 1.0
"""A second signal after that long means now. One that comes sooner is the same: `timeout` and some shells send two."""

GRACE_S = 30.0
"""How long a command may take to let go of what it holds: workers and outputs have up to 16 s together. A figure that
is being drawn takes a second, and ten times that where others have the processors."""

RETRY_S = 0.05
"""After which a signal comes again whose exception was swallowed."""


class Told(KeyboardInterrupt):
    """Raised in the command by the first signal, so that it removes what is half written."""


class _Stage(Enum):
    LOADING = "nothing is held yet"
    WORKING = "files may be half written"
    LEAVING = "the status is known"


class Ending:
    """What a signal does to the command line, from `watch` on.

    While modules load it ends the process at once. While a command works it raises `Told` once, or calls what
    `gently` was given. A command that has not ended `GRACE_S` later, as it hangs in a library, is ended from a thread;
    so is one that is told again.

    Libraries have an ``except:`` around some of their imports, and Python drops what a finaliser raises. What is
    swallowed so is raised again.

    Attributes:
        told: the first signal that came, None before.
        gentle: whether it raised nothing, so that the command ends by itself.
    """

    def __init__(self) -> None:
        self.told: int | None = None
        self._stage = _Stage.LOADING
        self._gently: Callable[[], None] | None = None
        self.gentle = self._raised = self._said = False
        self._watched: weakref.ref[Told] | None = None
        self._own = 0  # signals that this process sends itself, and has not heard yet
        self._ear: threading.Thread | None = None

    def watch(self) -> None:
        """Heed the signals from now on, but those that whoever started the program has it ignore. For the main thread;
        a second call does nothing."""
        if self._ear is not None:
            return
        hold_numbers()
        heard, tell = os.pipe()
        os.set_blocking(tell, False)
        self._ear = threading.Thread(target=self._listen, args=(heard,), name="echo-rt signals", daemon=True)
        self._ear.start()
        if sys.platform != "win32":  # there a descriptor must be a socket's
            signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
            os.register_at_fork(after_in_child=self._forget)
        sys.unraisablehook = self._drop
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._heed)

    def work(self) -> None:
        """A command begins: it is told by an exception."""
        self._stage = _Stage.WORKING

    def done(self) -> None:
        """The command says how it went, or has let go of everything. A signal that comes later changes nothing."""
        self._stage = _Stage.LEAVING

    @contextmanager
    def gently(self, call: Callable[[], None]) -> Iterator[None]:
        """Meanwhile a signal makes this call and raises nothing. The command ends by itself, and says how it went.

        So does a signal that came before, and whose exception was swallowed.
        """
        self._gently = call
        if self.told is not None:
            self._end_gently(call)
        try:
            yield
        finally:
            self._gently = None

    def status(self, status: int) -> int:
        """What the process ends with, where the command alone would end with `status`; says so once in a line. What a
        command that ended by itself found wrong outranks the signal."""
        if self.told is None or (self.gentle and status):
            return status
        if not self.gentle:
            self._say(self.told)
        return 128 + self.told

    def leave(self, status: int) -> NoReturn:
        """End the process without taking the interpreter down.

        A thread that hangs in a library, and comes back while modules are freed, would crash it; and a signal would
        find nobody who heeds it. What is registered for the end is done, as `multiprocessing` does in its processes.
        """
        threading._shutdown()  # type: ignore[attr-defined]
        # Who leaves so need not wait for threads in a library.
        if (leaving := sys.modules.get("echo_rt.sources.leaving")) is not None:
            atexit.unregister(leaving.leave)
        atexit._run_exitfuncs()
        with suppress(Exception):
            sys.stdout.flush()
        os._exit(status)

    def _heed(self, number: int, frame: FrameType | None) -> None:
        if self._stage is _Stage.LEAVING:
            return
        self.told = self.told or number
        if self._stage is _Stage.LOADING:
            self._leave_now(number)
        elif self._gently is not None:
            self._end_gently(self._gently)
        elif not (self._raised or self.gentle):
            raise self._exception(number)

    def _end_gently(self, call: Callable[[], None]) -> None:
        self.gentle = True
        call()

    def _exception(self, number: int) -> Told:
        """That of a signal. No variable of its traceback may name it: it would keep itself alive."""
        told = Told(number)
        self._raised, self._watched = True, weakref.ref(told, self._swallowed)
        return told

    def _swallowed(self, watched: weakref.ref[Told]) -> None:
        """The exception is gone: raise it again, in the main thread, where the command goes on as if nothing were."""
        if self._stage is not _Stage.WORKING or self.told is None:
            return
        self._raised = False
        # A signal of the system, or nothing would interrupt what the main thread waits for.
        again = getattr(signal, "pthread_kill", None)
        call = partial(again, threading.main_thread().ident) if again else signal.raise_signal
        self._own += 1
        timer = threading.Timer(RETRY_S, call, [self.told])
        timer.daemon = True
        timer.start()

    def _listen(self, heard: int) -> None:
        """In a thread: the system tells of a signal here also while the main thread is in a library."""
        while (number := os.read(heard, 1)[0]) not in SIGNALS:
            pass
        first_s = time.monotonic()
        while (left_s := first_s + GRACE_S - time.monotonic()) > 0:
            again = select.select([heard], [], [], left_s)[0] and os.read(heard, 1)[0] in SIGNALS
            if again and self._own:
                self._own -= 1
            elif again and time.monotonic() > first_s + AGAIN_S:
                break
        self._leave_now(number)

    def _leave_now(self, number: int) -> None:
        self._say(number)
        os._exit(128 + number)

    def _say(self, number: int) -> None:
        if not self._said:
            self._said = True
            how = "interrupted" if number == signal.SIGINT else "ended by SIGTERM"
            line = f"echo-rt: {how}; results that were not finished are not kept\n"
            with suppress(OSError):
                os.write(2, line.encode())

    def _drop(self, dropped: sys.UnraisableHookArgs) -> None:
        """Say nothing of the exception that Python drops: it comes again."""
        if not isinstance(dropped.exc_value, Told):
            sys.__unraisablehook__(dropped)

    def _forget(self) -> None:
        """In a process that was forked off: it must not tell this one of its own signals."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


ending = Ending()
"""That of this process."""
