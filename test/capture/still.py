"""A process that has one of everything and then holds still. Prints READY when it does."""
import ctypes
import mmap
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import threading

ctypes.CDLL(None).prctl(15, b"still (life)\n", 0, 0, 0)
folder = tempfile.mkdtemp(prefix="still-")
kept = [open(os.path.join(folder, "plain"), "w+b"), open(os.path.join(folder, "sp ace\n"), "w+b")]
gone = open(os.path.join(folder, "gone"), "w+b")
gone.write(b"x" * 9000)
gone.flush()
kept += [mmap.mmap(gone.fileno(), 8192), mmap.mmap(-1, 65536), mmap.mmap(-1, 12288, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)]
kept[-1][0:4] = b"1234"
os.unlink(gone.name)
for name in ("plain", "sp ace\n"):
    os.unlink(os.path.join(folder, name))
os.chdir(folder)
os.rmdir(folder)
kept += list(socket.socketpair()) + [socket.create_server(("127.0.0.1", 0))]
kept.append(os.pipe())
poll = select.epoll()
poll.register(kept[-2].fileno(), select.EPOLLIN)
kept.append(poll)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGRTMIN + 3})
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(3)
os.umask(0o027)
never = threading.Event()
for _ in range(3):
    threading.Thread(target=never.wait, daemon=True).start()
if len(sys.argv) > 1:
    os.setgroups([4, 24, 27])
    os.setgid(3002)
    os.setuid(3001)
print("READY", flush=True)
signal.pause()
