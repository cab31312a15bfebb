"""Execs that fail, on the real kernel: prints how. The argument is a directory to write in."""
import json
import os
import struct
import sys
import time

folder = sys.argv[1]


def executable(name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o755)
    return path


def errno_of(path):
    try:
        os.execv(path, [path])
    except OSError as error:
        return error.errno


def impossible_elf():
    """One segment at an address that no process has: mapping it fails behind the point of no return."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0xFFFF800000000000, 0, 0x1000, 0x1000, 0x1000)
    return header + segment + bytes(0x1000)


def halfway():
    path = executable("halfway", impossible_elf())
    pid = os.fork()
    if pid == 0:
        os.execv(path, [path])
    while True:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().split()
        if fields[2] == "Z":
            break
        time.sleep(0.01)
    with open(f"/proc/{pid}/comm") as file:
        comm = file.read()
    code = os.waitpid(pid, 0)[1]
    return {"comm": comm, "state": fields[2], "exit_code": int(fields[-1]), "waited": code}


print(json.dumps({
    "missing": errno_of(os.path.join(folder, "missing")),
    "not_executable": errno_of("/etc/passwd"),
    "no_program": errno_of(executable("text", b"neither ELF nor script")),
    "halfway": halfway(),
}))
