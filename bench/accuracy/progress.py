"""A progress bar with the time left: redrawn on a terminal, plain lines elsewhere."""

import sys
import time

WIDTH = 30


def clock(seconds):
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{seconds:02}"


class Progress:
    """Counts work in estimated seconds, and learns how long a second really takes."""

    def __init__(self, cells, skipped, stream=sys.stderr):
        self._all = sum(cell.seconds for cell in cells)
        self._done = 0.0
        self._count, self._finished, self._skipped = len(cells), 0, skipped
        self._stream, self._begin = stream, time.monotonic()
        self._terminal = stream.isatty()

    def start(self):
        if self._skipped:
            self._line(f"{self._skipped} cells were finished before\n")
        self._draw("")

    def finish(self, cell, seconds):
        self._finished += 1
        self._done += cell.seconds
        if not self._terminal:
            self._line(f"{cell.part}: {cell.name}, {clock(seconds)}\n")
        self._draw("" if self._finished < self._count else "\n")

    def _draw(self, end):
        elapsed = time.monotonic() - self._begin
        left = clock(elapsed * (self._all - self._done) / self._done) if self._done else "?"
        share = self._done / self._all if self._all else 1.0
        filled = int(WIDTH * share)
        self._line(f"[{'#' * filled}{'.' * (WIDTH - filled)}] {self._finished}/{self._count}"
                   f"  {clock(elapsed)} gone, {left} to go" + ("" if self._terminal else "\n"))
        if self._terminal:
            self._stream.write(end)

    def _line(self, text):
        self._stream.write(("\r\033[K" if self._terminal else "") + text)
        self._stream.flush()
