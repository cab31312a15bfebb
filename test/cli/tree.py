"""Prints a line for each name below a directory: mode, owner, links, size, and the beginning of a hash of what it says (its
bytes, the target of a link, the names in a directory, or an errno). Symbolic links aren't followed.

With a second argument, also writes the bytes themselves to that file, for looking at differences.
"""
import errno
import hashlib
import os
import stat
import sys

# A pagemap is eight bytes for every page of 128 TiB; nobody reads it to the end.
MOST = 1 << 20


def refusal(error):
    return errno.errorcode[error.errno].encode()


def content(path):
    """All bytes of a file, at most MOST, in reads of 64 KiB; the name of an errno if there is one."""
    said = b""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return b"open: " + refusal(error)
    try:
        while len(said) < MOST:
            piece = os.read(fd, 65536)
            if not piece:
                break
            said += piece
    except OSError as error:
        said += b"read: " + refusal(error)
    finally:
        os.close(fd)
    return said


def target(path):
    try:
        return b"-> " + os.fsencode(os.readlink(path))
    except OSError as error:
        return b"readlink: " + refusal(error)


def children(path):
    """Names in a directory in the order of readdir, and what there is to say about it."""
    try:
        names = os.listdir(path)
        return names, b"".join(os.fsencode(name) + b"\n" for name in names)
    except OSError as error:
        return [], b"readdir: " + refusal(error)


def walk(path, name, dump):
    facts = os.lstat(path)
    kind = stat.S_IFMT(facts.st_mode)
    names = []
    if kind == stat.S_IFLNK:
        said = target(path)
    elif kind == stat.S_IFDIR:
        names, said = children(path)
    else:
        said = content(path)
    if dump is not None:
        dump.write(b"== " + os.fsencode(name) + b"\n" + said + b"\n")
    digest = hashlib.sha256(said).hexdigest()[:16]
    who = "%d:%d" % (facts.st_uid, facts.st_gid)
    print("%o %s %d %d %s %s" % (facts.st_mode, who, facts.st_nlink, facts.st_size, digest, name))
    for child in names:
        walk(path + "/" + child, name + "/" + child, dump)


walk(sys.argv[1], ".", open(sys.argv[2], "wb") if len(sys.argv) > 2 else None)
