"""Reads every file below /proc once, to the end or a megabyte, as a backup or a security scanner would.

Prints how many there were, and each errno with the names of the files that gave it (numbers left out), sorted.
"""
import collections
import errno
import os
import re

# These wait, or are images of memory or of the kernel's log.
LEFT_OUT = {"kmsg", "kcore", "kpagecount", "kpageflags", "kpagecgroup", "pagemap", "mem", "sysrq-trigger"}
# Asking for a name that has just gone, or for a process that has.
GONE = {errno.ENOENT, errno.ESRCH}

files = 0
gone = 0
refused = collections.defaultdict(set)


def shape(path):
    return re.sub(r"(?<=/)\d+", "N", path)


def complain(path, error):
    global gone
    if error.errno in GONE:
        gone += 1
    else:
        refused[errno.errorcode[error.errno]].add(shape(path))


def read(path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        left = 1 << 20
        while left > 0:
            piece = os.read(fd, min(left, 65536))
            if not piece:
                break
            left -= len(piece)
    finally:
        os.close(fd)


for folder, folders, names in os.walk("/proc", onerror=lambda error: complain(error.filename, error)):
    folders[:] = [name for name in folders if name not in ("map_files", "net")]
    for name in names:
        path = folder + "/" + name
        if name in LEFT_OUT or os.path.islink(path):
            continue
        files += 1
        try:
            read(path)
        except OSError as error:
            complain(path, error)

print("files", files)
print("gone", gone)
for what in sorted(refused):
    for path in sorted(refused[what]):
        print(what, path)
