"""A progress bar with the time left, on standard error: in place on a terminal, else a line now and then."""
import contextlib
import sys
import time

from processes import Failed

WIDTH = 30
SELDOM_S = 20


def clock(seconds):
    seconds = int(seconds)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Progress:
    """`total`: what all steps are expected to cost, in seconds. The time left follows from how long the
    first ones really took."""

    def __init__(self, total):
        self.total, self.done = max(total, 1e-9), 0.0
        self.began = self.shown = time.monotonic()
        self.tty = sys.stderr.isatty()
        self.text, self.failures = "", []

    def say(self, text):
        """What is being done now."""
        self.text = text
        now = time.monotonic()
        if not self.tty and now - self.shown < SELDOM_S and self.done:
            return
        self.shown = now
        share = min(self.done / self.total, 1.0)
        elapsed = now - self.began
        left = (self.total - self.done) * (elapsed / self.done if self.done else 1.0)
        full = int(share * WIDTH)
        bar = "#" * full + "." * (WIDTH - full)
        line = f"[{bar}] {share:4.0%}  {clock(max(left, 0))} left  {text}"
        sys.stderr.write(f"\r\x1b[K{line[:150]}" if self.tty else line + "\n")
        sys.stderr.flush()

    def step(self, cost):
        self.done += cost

    def note(self, text):
        """Something that is to stay on the screen."""
        sys.stderr.write(("\r\x1b[K" if self.tty else "") + text + "\n")
        sys.stderr.flush()

    @contextlib.contextmanager
    def attempt(self, what):
        """What fails is said, and the rest is measured all the same."""
        try:
            yield
        except (Failed, OSError, KeyError) as error:
            self.note(f"FAILED: {what}: {error}")
            self.failures.append(what)

    def finish(self):
        """What has failed."""
        self.done = self.total
        self.note(f"done in {clock(time.monotonic() - self.began)}")
        return self.failures
