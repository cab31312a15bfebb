"""Asks the real kernel what kcmp, pidfd_getfd and get_robust_list say of a family of processes, as JSON.

The family, which the test builds in the simulation too: A with a thread T; children of A by fork (F; N, not dumpable;
zombies Z and ZN), and by clone with one flag each; kernel threads K1 and K2. Descriptors of A: 10 and its duplicate 11 on
/dev/null, 12 on /dev/null again, 14 and 15 a pipe, 16 a duplicate of 14, 13 an epoll file that watches 14.
"""

import ctypes
import errno
import json
import os
import select
import signal
import sys
import threading

SYS_KCMP, SYS_GET_ROBUST_LIST, SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 312, 274, 434, 438
PIDFD_THREAD = os.O_EXCL
PR_SET_DUMPABLE = 4
FLAGS = {"VM": 0x100, "FS": 0x200, "FILES": 0x400, "SIGHAND": 0x900, "SYSVSEM": 0x40000, "IO": 0x80000000}
EPOLL_TFD = 7
NOBODY = 3999999

libc = ctypes.CDLL(None, use_errno=True)


def call(number, *args):
    """The result, or minus the errno."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    result = libc.syscall(ctypes.c_long(number), *words)
    return result if result >= 0 else -ctypes.get_errno()


class Slot(ctypes.Structure):
    _fields_ = [("efd", ctypes.c_uint), ("tfd", ctypes.c_uint), ("toff", ctypes.c_uint)]


def kcmp(pid1, pid2, kind, idx1=0, idx2=0):
    if isinstance(idx2, list):
        return call(SYS_KCMP, pid1, pid2, kind, idx1, ctypes.byref(Slot(*idx2)))
    return call(SYS_KCMP, pid1, pid2, kind, idx1, idx2)


def robust_list(pid):
    head, length = ctypes.c_ulong(1), ctypes.c_ulong(0)
    result = call(SYS_GET_ROBUST_LIST, pid, ctypes.byref(head), ctypes.byref(length))
    return [head.value, length.value] if result == 0 else result


def getfd(pid, fd, flags=0):
    pidfd = call(SYS_PIDFD_OPEN, pid, PIDFD_THREAD)
    if pidfd < 0:
        return pidfd
    copy = call(SYS_PIDFD_GETFD, pidfd, fd, flags)
    os.close(pidfd)
    if copy < 0:
        return copy
    text = os.readlink(f"/proc/self/fd/{copy}")
    with open(f"/proc/self/fdinfo/{copy}") as info:
        lines = info.read().split("\n")
    os.close(copy)
    return [text.split(":")[0], lines[0], lines[1]]


def wait_for(pid):
    """Until a child is dead; it is not reaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def forked(body):
    """A child that has done `body` and stays; it is dead if `body` says so."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            body()
            os.write(done, b"x")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(done)
    os.read(ready, 1)
    os.close(ready)
    return pid


def zombie(body=lambda: None):
    pid = os.fork()
    if pid == 0:
        body()
        os._exit(0)
    wait_for(pid)
    return pid


def undumpable():
    libc.prctl(PR_SET_DUMPABLE, 0)


def cloned(flags):
    """A child in pause(2) on a stack of its own."""
    stack = ctypes.create_string_buffer(65536)
    STACKS.append(stack)
    top = (ctypes.addressof(stack) + 65536) & ~15
    pause = ctypes.cast(libc.pause, ctypes.c_void_p)
    libc.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    pid = libc.clone(pause, top, ctypes.c_int(flags | signal.SIGCHLD).value, None)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid


STACKS = []


def open_descriptors():
    os.dup2(os.open("/dev/null", os.O_RDWR), 10)
    os.dup2(10, 11)
    os.dup2(os.open("/dev/null", os.O_RDWR), 12)
    reader, writer = os.pipe()
    os.dup2(reader, 14)
    os.dup2(writer, 15)
    os.dup2(14, 16)
    epoll = select.epoll()
    epoll.register(14)
    os.dup2(epoll.fileno(), 13)


def start_thread():
    started = threading.Event()
    tid = []

    def body():
        tid.append(threading.get_native_id())
        started.set()
        signal.pause()

    threading.Thread(target=body, daemon=True).start()
    started.wait()
    return tid[0]


def family(report):
    """What A does: makes its family, tells the pids, and waits to be killed."""
    open_descriptors()
    pids = {"A": os.getpid(), "T": start_thread(), "F": forked(lambda: None), "N": forked(undumpable)}
    pids["Z"] = zombie()
    pids["ZN"] = zombie(undumpable)
    for name, flags in FLAGS.items():
        pids[name] = cloned(flags)
    os.write(report, json.dumps(pids).encode() + b"\n")
    while True:
        signal.pause()


def start_family():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            family(writer)
        finally:
            os._exit(1)
    os.close(writer)
    # The whole family has the pipe open: its end would never come.
    with os.fdopen(reader) as text:
        return json.loads(text.readline())


def kernel_threads():
    """Two children of kthreadd, if there are any here."""
    found = []
    for name in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
        try:
            with open(f"/proc/{name}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[1] == "2":
                    found.append(int(name))
        except OSError:
            continue
    return dict(zip(["K1", "K2"], found))


def questions(plan, pids):
    """Every question of the plan with its answer."""
    one = lambda name: pids.get(name, NOBODY)
    answers = {"kcmp": [], "getfd": [], "robust": []}
    for a, b, kind, idx1, idx2 in plan["kcmp"]:
        answers["kcmp"].append(kcmp(one(a), one(b), kind, idx1, idx2))
    for name, fd, flags in plan["getfd"]:
        answers["getfd"].append(getfd(one(name), fd, flags))
    for name in plan["robust"]:
        answers["robust"].append(robust_list(one(name)))
    return answers


def as_nobody(plan):
    """The same asked by a user without privileges, of a family of its own and of one of root's."""
    reader, writer = os.pipe()
    others = start_family()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        libc.prctl(PR_SET_DUMPABLE, 1)
        pids = start_family()
        pids["R"] = others["A"]
        os.write(writer, json.dumps(questions(plan, pids)).encode() + b"\n")
        end(pids["A"], pids)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as text:
        answers = json.loads(text.readline())
    os.waitpid(pid, 0)
    end(others["A"], others)
    return answers


def end(leader, pids):
    """Ends the family: only what was started here."""
    for name in ["F", "N", *FLAGS, "A"]:
        os.kill(pids[name], signal.SIGKILL)
    os.waitpid(leader, 0)


def main():
    plan = json.load(sys.stdin)
    pids = start_family()
    pids.update(kernel_threads())
    if kcmp(pids["A"], pids["A"], 1) in (-errno.ENOSYS, -errno.EPERM):
        end(pids["A"], pids)
        print(json.dumps({"refused": True}))
        return
    root = questions(plan["root"], pids)
    end(pids["A"], pids)
    nobody = as_nobody(plan["nobody"]) if os.getuid() == 0 else None
    print(json.dumps({"refused": False, "kernelThreads": "K2" in pids, "root": root, "nobody": nobody}))


main()
