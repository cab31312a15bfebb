"""Does memory-mapping calls in a quiet part of its own address space and tells what /proc/self/maps shows of it.

Reads one JSON list of operations from standard input, all addresses in pages from the base, and writes after each
operation a line of JSON: its result and the mappings. A touched range is written to, page by page.
"""
import ctypes
import json
import sys
import tempfile

BASE = 0x100000000000
PAGE = 4096
PAGES = 1 << 20
FIXED = 0x10

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.munlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

handle = tempfile.TemporaryFile()
handle.truncate(PAGES * PAGE)


def address_result(value):
    signed = ctypes.c_long(value or 0).value
    return -ctypes.get_errno() if signed == -1 else (signed - BASE) // PAGE


def status_result(value):
    return -ctypes.get_errno() if value == -1 else 0


def touch(at, count):
    """Only pages that can be written to: the caller says so."""
    for page in range(at, at + count):
        libc.memset(BASE + page * PAGE, 1, 1)
    return 0


def run(op):
    name, at, count, *rest = op
    address = BASE + at * PAGE
    length = count * PAGE
    if name == "map":
        prot, flags, offset = rest
        fd = -1 if flags & 0x20 else handle.fileno()
        return address_result(libc.mmap(address, length, prot, flags, fd, offset * PAGE))
    if name == "munmap":
        return status_result(libc.munmap(address, length))
    if name == "mprotect":
        return status_result(libc.mprotect(address, length, rest[0]))
    if name == "mlock":
        return status_result((libc.mlock if rest[0] else libc.munlock)(address, length))
    if name == "mremap":
        to, flags, target = rest
        return address_result(libc.mremap(address, length, to * PAGE, flags, BASE + target * PAGE))
    if name == "touch":
        return touch(at, count)
    raise ValueError(name)


def mappings():
    found = []
    with open("/proc/self/smaps") as smaps:
        inside = False
        for line in smaps:
            head = line.split()
            if "-" in head[0] and not head[0].endswith(":"):
                start, end = (int(x, 16) for x in head[0].split("-"))
                inside = BASE <= start < BASE + PAGES * PAGE
                if inside:
                    found.append([(start - BASE) // PAGE, (end - BASE) // PAGE, head[1], int(head[2], 16) // PAGE,
                                  "file" if "tmp" in line else "zero" if "zero" in line else "anon"])
            elif inside and head[0] == "VmFlags:":
                found[-1].append(" ".join(head[1:]))
    return found


def main():
    for op in json.load(sys.stdin):
        result = run(op)
        print(json.dumps([result, mappings()]), flush=True)


main()
