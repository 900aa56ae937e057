"""Just enough ptrace(2) for tests: stop one thread of a process, or make a thread ask for another system call than it does."""
import contextlib
import ctypes
import os
import pathlib

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
GETREGS, SETREGS, DETACH, SYSCALL, SEIZE, INTERRUPT = 12, 13, 17, 24, 0x4206, 0x4207
WALL = 0x40000000
ORIG_RAX, WORDS = 15, 27  # struct user_regs_struct of x86-64


def _call(request, thread, address=None, data=None):
    if LIBC.ptrace(request, thread, address, data) != 0:
        raise OSError(ctypes.get_errno(), "ptrace(%#x) of %d" % (request, thread))


def threads(pid):
    """Names and ids."""
    return {(entry / "comm").read_text().strip(): int(entry.name) for entry in pathlib.Path("/proc/%d/task" % pid).iterdir()}


@contextlib.contextmanager
def stopped(thread):
    """The thread does nothing inside the block; others of its process go on."""
    _call(SEIZE, thread)
    _call(INTERRUPT, thread)
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        _call(DETACH, thread)


def ask_for(thread, number):
    """The next system call that the thread makes becomes `number`, with the arguments it has."""
    _call(SEIZE, thread)
    _call(INTERRUPT, thread)
    os.waitpid(thread, WALL)
    # To the entry of the next system call: the kernel looks at the number after this stop, and asks seccomp then.
    _call(SYSCALL, thread)
    os.waitpid(thread, WALL)
    registers = (ctypes.c_ulong * WORDS)()
    _call(GETREGS, thread, None, ctypes.cast(registers, ctypes.c_void_p))
    registers[ORIG_RAX] = number
    _call(SETREGS, thread, None, ctypes.cast(registers, ctypes.c_void_p))
    _call(DETACH, thread)
