"""helioctl in a shell and on a terminal: completion with live values, top (H5 C)."""
import fcntl
import json
import os
import pathlib
import pty
import select
import shlex
import signal
import struct
import subprocess
import termios
import time

import bgp
from daemons import need
from harness import check, group_toml, range_toml, test, wait_until

WITH_RTC = (bgp.VPNV4, bgp.RTC)


def complete(heliod, shell_line):
    """What bash would offer for the last word."""
    words = shell_line.split(" ")
    script = ('source <(%s completion bash); helioctl() { %s "$@"; }; COMP_WORDS=(%s); COMP_CWORD=%d; _helioctl; printf "%%s\\n" "${COMPREPLY[@]}"' %
              (heliod.binaries / "helioctl", heliod.binaries / "helioctl", " ".join('"%s"' % w for w in words), len(words) - 1))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, env=dict(os.environ, HELIOGRAPH_SOCKET=str(heliod.folder / "control.sock")))
    check(done.returncode == 0, "bash: %s" % done.stderr)
    return [w for w in done.stdout.splitlines() if w]


@test("H5 C: shell completion knows commands, options and what the daemon knows: peers, RDs, route targets")
def completion(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    one = t.peer("127.1.0.1", "65000:101", families=WITH_RTC)
    one.announce("65000:101", "10.1.1.0/24", ["65000:7"])
    wait_until(lambda: heliod.show("rd")["total"] == 1, "the RD", 5)
    for line, expected in (("helioctl show sh", ["shards"]), ("helioctl explain 10.1.1.0/24 --r", ["--rd"]), ("helioctl explain 10.1.1.0/24 --rd 65", ["65000:101"]),
                           ("helioctl show peer 127.", ["127.1.0.1"]), ("helioctl explain rt 65000:7", ["65000:7"]), ("helioctl peer 127.1.0.1 re", ["refresh"])):
        said = complete(heliod, line)
        check(said == expected, "%s: %s" % (line, expected), said)
    shards = heliod.show("shards")["shards"]
    check(len(shards) == 2 and sum(s["peers"] for s in shards) == 1 and sum(s["paths"] for s in shards) == 1, "shards add up", shards)


SHELL_LINES = (("helioctl show sh", ["shards"]), ("helioctl explain 10.1.1.0/24 --rd 65", ["65000:101"]), ("helioctl show peer 127.", ["127.1.0.1"]), ("helioctl explain rt 65000:7", ["65000:7"]),
               ("helioctl peer 127.1.0.1 re", ["refresh"]))


def with_route(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    t.peer("127.1.0.1", "65000:101", families=WITH_RTC).announce("65000:101", "10.1.1.0/24", ["65000:7"])
    wait_until(lambda: heliod.show("rd")["total"] == 1, "the RD", 5)
    return heliod, dict(os.environ, HELIOGRAPH_SOCKET=str(heliod.folder / "control.sock"), PATH="%s:%s" % (heliod.binaries, os.environ["PATH"]), HOME=str(heliod.folder), XDG_CONFIG_HOME=str(heliod.folder),
                        XDG_DATA_HOME=str(heliod.folder), TERM="dumb")


@test("H5 C: completion in a real fish")
def fish(t):
    need("fish")
    heliod, environment = with_route(t)
    for line, expected in SHELL_LINES:
        done = subprocess.run(["fish", "--no-config", "-c", "helioctl completion fish | source; complete -C %s" % shlex.quote(line)], capture_output=True, text=True, timeout=20, env=environment)
        said = [w.split("\t")[0] for w in done.stdout.splitlines() if w]
        check(done.returncode == 0 and said == expected, "%s: %s" % (line, expected), said, done.stderr)


@test("H5 C: completion in a real zsh, on a terminal: Tab completes the word")
def zsh(t):
    need("zsh")
    heliod, environment = with_route(t)
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
    said = ""

    def type_in(text, until, deadline=10):
        """What the terminal shows, from here on, until the word is there."""
        nonlocal said
        said, end = "", time.monotonic() + deadline
        os.write(terminal, text.encode())
        while until not in said:
            check(time.monotonic() < end, "'%s' after '%s'" % (until, text), repr(said))
            if select.select([terminal], [], [], 0.05)[0]:
                said += os.read(terminal, 1 << 16).decode(errors="replace")
    try:
        type_in("PS1='%% '; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source <(helioctl completion zsh); echo load''ed\r", "loaded")
        for line, expected in SHELL_LINES:
            # The completed word is written out; ^U empties the line.
            type_in("echo be''gun\r", "begun")
            type_in(line + "\t", expected[0] if expected[0] not in line else line)
            time.sleep(0.2)
            type_in("\x01echo '[\x05]'\r", "]", 5)
            end = time.monotonic() + 5
            while "[%s %s" % (line.rsplit(" ", 1)[0], expected[0]) not in said.replace("\r", "").replace("\n", " ") and time.monotonic() < end:
                if select.select([terminal], [], [], 0.05)[0]:
                    said += os.read(terminal, 1 << 16).decode(errors="replace")
            check("[%s %s" % (line.rsplit(" ", 1)[0], expected[0]) in said.replace("\r", "").replace("\n", " "), "%s: %s" % (line, expected), repr(said))
    finally:
        os.kill(child, signal.SIGHUP)
        os.close(terminal)
        os.waitpid(child, 0)


@test("ECOSYSTEM 4: log tail shows the last lines and follows those that come, also as JSON")
def log_tail(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    said = heliod.control("log", "tail", "--lines", "1000")
    check(" info  ready as=65000" in said and said.splitlines()[0][:2] == "20", "from the beginning", said)
    check(len(heliod.control("log", "tail", "--lines", "2").splitlines()) == 2, "two lines")
    follow = t.process([heliod.binaries / "helioctl", "--socket", heliod.folder / "control.sock", "-j", "log", "tail", "--lines", "1", "--follow"], "tail")
    follow.wait_log("listening")
    heliod.control("log", "level", "warn")
    heliod.control("log", "level", "info")
    follow.wait_log("log level=info")
    lines = [json.loads(line) for line in follow.text().splitlines()[1:]]
    numbers = [line["number"] for line in lines]
    check(numbers == list(range(numbers[0], numbers[0] + len(numbers))) and "log level=warn" in [l for l in lines if "level=warn" in l["message"]][0]["message"], "each line once, in order", lines)
    log = heliod.text().splitlines()
    check(lines[-1]["message"] in log[-1] and len(heliod.control("log", "tail", "--lines", "1000").splitlines()) == len(log), "the same as in the log", log[-1], lines[-1])


@test("H5 C: top on a terminal of 80x24: keys sort, q and SIGINT end it, the terminal is as it was")
def top(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    one = t.peer("127.1.0.1", families=WITH_RTC)
    for how in (b"q", b"\x03"):
        child, terminal = pty.fork()
        if child == 0:
            os.execv(heliod.binaries / "helioctl", ["helioctl", "--socket", str(heliod.folder / "control.sock"), "top"])
        said = b""

        def saw(word):
            nonlocal said
            ready, _, _ = select.select([terminal], [], [], 0.05)
            if ready:
                try:
                    said += os.read(terminal, 1 << 16)
                except OSError:
                    pass
            return word in said
        before = termios.tcgetattr(terminal)
        wait_until(lambda: saw(b"peers by lag"), lambda: "a frame: %s" % said)
        check(said.startswith(b"\x1b[?1049h") and b"127.1.0.1" in said, "on the alternate screen", said)
        one.announce("65000:1", "10.1.%d.0/24" % len(how), ["65000:7"])
        os.write(terminal, b"f")
        wait_until(lambda: saw(b"peers by flaps"), "another order")
        os.write(terminal, how)
        wait_until(lambda: saw(b"\x1b[?1049l"), lambda: "it leaves the screen: %s" % said[-300:])
        _, status = os.waitpid(child, 0)
        check(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, "and ends well", status)
        after = termios.tcgetattr(terminal)
        check(after[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON, "with the terminal as it was", before[3], after[3])
        os.close(terminal)


@test("H5 C: top ended in the middle of a frame that the terminal does not take yet: it leaves the screen all the same")
def top_ended_while_it_writes(t):
    heliod = t.reflector()
    child, terminal = pty.fork()
    if child == 0:
        os.execv(heliod.binaries / "helioctl", ["helioctl", "--socket", str(heliod.folder / "control.sock"), "top"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60000, 80, 0, 0))  # frames far larger than what a terminal holds
    said = os.read(terminal, 1 << 16)

    def waits():  # in write(), and not only until the kernel has made room
        call = pathlib.Path("/proc/%d/syscall" % child)
        before = call.read_text()
        time.sleep(0.5)
        return before.startswith("1 ") and call.read_text() == before
    for _ in range(3):  # the first ends a write() with what was taken of it, the next one before anything was
        wait_until(waits, "it waits in write()")
        os.kill(child, signal.SIGINT)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            said += os.read(terminal, 1 << 16)
        except OSError:  # its end is closed
            break
    _, status = os.waitpid(child, 0)
    check(said.endswith(b"\x1b[?25h\x1b[?1049l"), "it leaves the screen", said[-200:])
    check(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, "and ends well", status)
    os.close(terminal)
