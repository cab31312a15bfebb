"""Several writers on one open transaction file at once. Prints a line a round: how many won, and the errno of the others."""

import errno
import os
import sys

path, text, rounds, writers = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])

for _ in range(rounds):
    fd = os.open(path, os.O_RDWR)
    start, go = os.pipe()
    pids = []
    for _ in range(writers):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(start, 1)
            try:
                os.pwrite(fd, text, 0)
                os._exit(0)
            except OSError as error:
                os._exit(error.errno)
        pids.append(pid)
    os.close(start)
    os.close(go)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    lost = sorted({errno.errorcode[code] for code in codes if code != 0})
    print(codes.count(0), ",".join(lost), os.pread(fd, 100, 0).decode().strip())
    os.close(fd)
