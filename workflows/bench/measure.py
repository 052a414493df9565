"""Runs a command and prints the time, memory and CPU that it took: the largest
resident set of the process itself, and the CPU of it and its children."""
import os
import subprocess
import sys
import threading
import time

began = time.time()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = 0


def watch():
    global peak
    while child.returncode is None:
        try:
            for line in open(f"/proc/{child.pid}/status"):
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]))
        except OSError:
            return
        time.sleep(0.2)


watcher = threading.Thread(target=watch)
watcher.start()
_, status, used = os.wait4(child.pid, 0)
took = time.time() - began
child.returncode = status
watcher.join()
print(f"{took:.1f} s in all  peak {peak // 1024} MiB  CPU {used.ru_utime + used.ru_stime:.0f} s", end="")
sys.exit(os.waitstatus_to_exitcode(status))
