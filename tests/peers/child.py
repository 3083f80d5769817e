"""A program that stays loaded and answers each line with one line; it is stopped while it is not asked.

An idle pool of threads may spin, waiting for more work. A stopped process takes nothing from the one being timed.
"""

import json
import os
import signal
import subprocess
import time


class Failed(Exception):
    """A child that has ended, or whose answer is an error."""


class Child:
    """`about` is the JSON that the program begins with."""

    def __init__(self, name, command, settings, log):
        self.name, self.log = name, log
        with open(log, "w") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **settings},
                text=True,
                bufsize=1,
            )
        try:
            self.about = json.loads(self.answer())
        except BaseException:
            self.end()
            raise
        # Over all calls of `seconds`: of CPU, and on the clock.
        self.cpu = self.wall = 0.0
        self.stop()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            said = self.log.read_text(errors="replace").strip().splitlines()
            raise Failed(f"{self.name}: {said[-1] if said else 'ended without a word'} ({self.log})")
        if line.startswith("error"):
            raise Failed(f"{self.name}: {line.strip()}")
        return line

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, command):
        """The answer to one line."""
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(command + "\n")
            return self.answer().strip()
        except BrokenPipeError:
            return self.answer()
        finally:
            self.stop()

    def seconds(self, batch):
        """How long one batch takes, by the child's clock."""
        cpu, wall = self.cpu_seconds(), time.perf_counter()
        nanoseconds = int(self.ask(f"run {batch}"))
        self.cpu += self.cpu_seconds() - cpu
        self.wall += time.perf_counter() - wall
        return nanoseconds / 1e9

    def cpu_seconds(self):
        """Of all threads, also of those that have ended; in steps of 10 ms."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cores(self):
        """How many cores it kept busy while it was timed."""
        return self.cpu / self.wall if self.wall else 0.0

    def end(self):
        self.process.kill()
        self.process.wait()
