"""Reads every attribute of every process that psutil offers, and says what went wrong.

Attributes that psutil gets by a system call on the pid, not from /proc, can't know simulated processes. The argument
is a stride: of a large table, only every so-many-th process is asked.
"""
import collections
import sys

import psutil

BY_SYSTEM_CALL = {"nice", "ionice", "cpu_affinity", "rlimit"}

names = sorted(set(psutil._as_dict_attrnames) - BY_SYSTEM_CALL)
stride = int(sys.argv[1])
seen = 0
gone = 0
wrong = collections.Counter()
for process in psutil.process_iter():
    seen += 1
    if seen % stride != 0:
        continue
    for name in names:
        try:
            value = getattr(process, name)
            if callable(value):
                value()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            gone += 1
        except psutil.AccessDenied:
            wrong[name + ": access denied"] += 1
        except Exception as error:  # whatever it is, it is reported and fails the run
            wrong["%s: %s: %s" % (name, type(error).__name__, error)] += 1

memory = psutil.virtual_memory()
swap = psutil.swap_memory()
times = psutil.cpu_times()
print("processes", seen)
print("gone", gone)
print("total", memory.total, "available", memory.available, "used", memory.used)
print("swap", swap.total, "cpus", psutil.cpu_count(), "user", times.user)
print("boot", psutil.boot_time(), "pids", len(psutil.pids()))
print("disks", len(psutil.disk_io_counters(perdisk=True)), "nics", len(psutil.net_io_counters(pernic=True)))
for what, count in wrong.items():
    print(count, what, file=sys.stderr)
sys.exit(1 if wrong or seen == 0 else 0)
