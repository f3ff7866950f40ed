"""What memory a program takes."""

import subprocess
import sys
import time
from pathlib import Path


def peaks(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    """Seconds and peaks in MiB of a process's own memory and of the file pages that it has mapped."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in words], stdout=stdout, stderr=stderr)
    most = {"RssAnon": 0, "RssFile": 0}
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]) / 1024)
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"{words} failed")
    return time.perf_counter() - start, most["RssAnon"], most["RssFile"]
