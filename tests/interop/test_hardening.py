"""What heliod may do once it runs: no capabilities, few system calls, and a watchdog that is fed only when every shard works."""
import os
import pathlib
import signal
import socket
import time

import ptrace
from harness import Heliod, Skip, check, reflector_toml, test, wait_until

GETPRIORITY, EXECVE = 140, 59


def sanitizer(binaries):
    """"asan", "tsan" or "": with one, heliod filters no system calls, and TSan's own thread keeps its capabilities."""
    octets = (pathlib.Path(binaries) / "heliod").read_bytes()
    return next((name for name in ("asan", "tsan") if b"__%s_init" % name.encode() in octets), "")


def statuses(t, rr):
    """Of every thread of heliod: /proc/…/status as a dict. TSan's is the second that a process has."""
    threads = sorted(pathlib.Path("/proc/%d/task" % rr.child.pid).iterdir(), key=lambda entry: int(entry.name))
    for entry in threads[:1] + threads[2:] if sanitizer(t.binaries) == "tsan" else threads:
        lines = (entry / "status").read_text().splitlines()
        yield {line.split(":", 1)[0]: line.split(":", 1)[1].strip() for line in lines}


@test("H7 D: no capability in any thread, no new privileges, a filter on system calls, a umask")
def privileges(t):
    rr = t.reflector()
    seen, mode = list(statuses(t, rr)), "0" if sanitizer(t.binaries) else "2"
    check(len(seen) >= 4, "the threads are there", [s["Name"] for s in seen])
    for status in seen:
        for which in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
            check(int(status[which], 16) == 0, "%s of %s is %s" % (which, status["Name"], status[which]))
        check(status["NoNewPrivs"] == "1", "no_new_privs", status["Name"])
        check(status["Seccomp"] == mode, "seccomp mode of " + status["Name"], status["Seccomp"])
        check(int(status["Umask"], 8) & 0o027 == 0o027, "umask", status["Umask"])
    # Threads that a reload starts have no more: here those of a BMP station.
    before = len(seen)
    with open(rr.config, "a") as out:
        out.write('[[bmp.stations]]\naddress = "127.0.0.1"\nport = 11019\n')
    rr.control("config", "reload")
    wait_until(lambda: len(list(statuses(t, rr))) > before, "a thread for BMP")
    for status in statuses(t, rr):
        check(int(status["CapPrm"], 16) == 0 and status["Seccomp"] == mode, "a thread that came later", status["Name"])


@test("H7 D: security.seccomp = false leaves system calls alone")
def seccomp_off(t):
    rr = t.reflector(reflector_toml(tail="[security]\nseccomp = false\n"))
    for status in statuses(t, rr):
        check(status["Seccomp"] == "0" and int(status["CapEff"], 16) == 0, "no filter", status["Name"], status["Seccomp"])


@test("H7 D: a system call that heliod does not need is refused, logged and counted; starting a program ends the process")
def seccomp_refuses(t):
    rr = Heliod(t.binaries, t.folder / "rr", reflector_toml())
    try:
        if sanitizer(t.binaries):
            raise Skip("a build with sanitizers filters no system calls")
        ptrace.ask_for(rr.child.pid, GETPRIORITY)
        rr.wait_log("the system call getpriority was refused 1 times", 5)
        check(rr.alive(), "it goes on")
        rr.show("summary")
        ptrace.ask_for(rr.child.pid, EXECVE)
        wait_until(lambda: not rr.alive(), "the process is ended")
        check(rr.child.returncode == -signal.SIGSYS, "by the kernel, for the system call", rr.child.returncode)
    finally:
        rr.stop(signal.SIGKILL)


@test("H7 A, sd_watchdog_enabled(3): the watchdog is fed, not while a shard is stuck, and again after")
def watchdog(t):
    notify = t.folder / "notify.sock"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(notify))
    receiver.setblocking(False)

    def messages():
        out = []
        try:
            while True:
                out += receiver.recv(4096).decode().splitlines()
        except BlockingIOError:
            return out

    os.environ.update(NOTIFY_SOCKET=str(notify), WATCHDOG_USEC="4000000")
    try:
        rr = t.reflector()
    finally:
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
            del os.environ[name]
    wait_until(lambda: "READY=1" in messages(), "ready")
    wait_until(lambda: "WATCHDOG=1" in messages(), "fed", 10)
    shard = ptrace.threads(rr.child.pid)["helio-shard-1"]
    with ptrace.stopped(shard):
        time.sleep(1.5)
        messages()  # of before
        rr.wait_log("shard=1 has not ended a turn for", 10)
        time.sleep(1.5)
        check("WATCHDOG=1" not in messages(), "not fed while shard 1 is stuck")
    rr.wait_log("shard=1 ticks again after", 10)
    wait_until(lambda: "WATCHDOG=1" in messages(), "fed again", 10)
