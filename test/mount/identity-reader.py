"""Reads the guarded files of a process again and again, and tells which results there were.

Arguments: the mount, the pid, how many reads in all. Prints one JSON object: file -> {result: how often}.
A result is the errno's name, or what of the content depends on the image: see SEEN.
"""
import errno
import json
import os
import struct
import sys

AT_EUID = 12


def io(text):
    odd = {int(line.split(b":")[1]) % 2 for line in text.splitlines()[:4]}
    return "torn" if len(odd) != 1 else "odd" if odd.pop() else "even"


def maps(text):
    images = {line.split()[5].decode() for line in text.splitlines() if b"/usr/bin/" in line}
    return " ".join(sorted(images)) or "empty"


def auxv(data):
    entries = dict(struct.iter_unpack("QQ", data))
    return f"euid {entries[AT_EUID]}" if AT_EUID in entries else "empty"


def environ(data):
    marks = [item.decode() for item in data.split(b"\0") if item.startswith(b"MARK=")]
    return " ".join(marks) or "empty"


def whole(text):
    return text.decode().strip() or "empty"


SEEN = {
    "io": io,
    "maps": maps,
    "auxv": auxv,
    "environ": environ,
    "timers": lambda text: "timers" if text.startswith(b"ID:") else whole(text),
    "stack": lambda text: "frames" if b"+0x" in text else whole(text),
    "syscall": whole,
    "personality": whole,
}


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 65536)
    finally:
        os.close(fd)


def main(mount, pid, count):
    counts = {name: {} for name in SEEN}
    for i in range(int(count)):
        name = list(SEEN)[i % len(SEEN)]
        try:
            result = SEEN[name](read(f"{mount}/{pid}/{name}"))
        except OSError as error:
            result = errno.errorcode[error.errno]
        counts[name][result] = counts[name].get(result, 0) + 1
    json.dump(counts, sys.stdout)


main(*sys.argv[1:])
