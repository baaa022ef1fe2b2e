"""Holds the lock of a directory until standard input ends: lists it into memory that is never there (userfaultfd(2)), while a
directory is to be made in it, for which whoever comes later has to wait as well."""

import ctypes
import fcntl
import mmap
import os
import select
import struct
import sys
import threading
import time

GETDENTS64, USERFAULTFD = {"x86_64": (217, 323), "aarch64": (61, 282)}[os.uname().machine]
UFFDIO_API, UFFDIO_REGISTER, MISSING = 0xC018AA3F, 0xC020AA00, 1
PAGE = mmap.PAGESIZE

libc = ctypes.CDLL(None, use_errno=True)
held = sys.argv[1]


def is_waiting(pid):
    """Whether a process waits in the kernel and heeds no signal."""
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "D"


faults = libc.syscall(USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
if faults < 0:
    sys.exit(f"userfaultfd: {os.strerror(ctypes.get_errno())}")
fcntl.ioctl(faults, UFFDIO_API, struct.pack("QQQ", 0xAA, 0, 0))
memory = mmap.mmap(-1, PAGE)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
fcntl.ioctl(faults, UFFDIO_REGISTER, struct.pack("QQQQ", address, PAGE, MISSING, 0))
directory = os.open(held, os.O_RDONLY | os.O_DIRECTORY)
lister = threading.Thread(
    target=libc.syscall,
    args=(GETDENTS64, directory, ctypes.c_void_p(address), PAGE),
    daemon=True,
)
lister.start()
# A fault is reported once the kernel waits for the memory.
if not select.select([faults], [], [], 60)[0]:
    sys.exit("the directory is not listed")
os.read(faults, 32)
maker = os.fork()
if maker == 0:
    # Only the lister has what it waits for.
    os.close(faults)
    os.mkdir(os.path.join(held, f".made-{os.getpid()}"))
    os._exit(0)
while not is_waiting(maker):
    if os.waitpid(maker, os.WNOHANG)[0]:
        sys.exit("the lock is not held: a directory was made")
    time.sleep(0.01)
print("held", flush=True)
sys.stdin.read()
os._exit(0)
