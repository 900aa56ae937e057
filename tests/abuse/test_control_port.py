"""The control API over TCP in the hands of somebody on the machine: without a token, with a wrong one, slow, deaf, and full of nonsense.

The Unix socket answers all the while, and so does TCP for whoever has a token and says what he wants.
"""
import contextlib
import json
import random
import socket
import struct
import threading
import time

from abuse import abuse, check
from vitals import descriptors
from crowd import clients
from test_sessions import announcement

PORT, TOKEN, READ = 9180, "full-token-of-the-test", "read-token-of-the-test"
GIVEN = b"Host: x\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
REFUSED = "control_requests_refused_total"


def with_tcp(a):
    """heliod with the API over TCP, and the pair."""
    folder = a.folder / "heliod"
    folder.mkdir(parents=True, exist_ok=True)
    for name, token in (("full", TOKEN), ("read", READ)):
        (folder / name).write_text(token + "\n")
        (folder / name).chmod(0o600)
    line = 'socket = "control.sock"\n'
    a.start(a.config().replace(line, line + 'port = %d\ntoken-file = "full"\nread-token-file = "read"\n' % PORT))


def connect(receive_buffer=None, timeout=10):
    made = socket.socket()
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(timeout)
    made.connect(("127.0.0.1", PORT))
    return made


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answers(octets, end=False):
    """Statuses and bodies of everything that one connection answers, to its end. `end`: we say that we have said all."""
    with connect() as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(octets)
            if end:
                line.shutdown(socket.SHUT_WR)
        text = b""
        while data := line.recv(65536):
            text += data
    out = []
    while text:
        head, _, text = text.partition(b"\r\n\r\n")
        size = next((int(f.split(b":")[1]) for f in head.split(b"\r\n") if f.lower().startswith(b"content-length:")), 0)
        out.append((int(head.split()[1]), text[:size]))
        text = text[size:]
    return out


@contextlib.contextmanager
def answering(a, within=2.0, tcp=True):
    """helioctl on the Unix socket, and a token over TCP, get their answers while the block runs."""
    stop, took, problems = threading.Event(), {"unix": [], "tcp": []}, []

    def ask(what, how):
        while not stop.wait(0.1):
            started = time.monotonic()
            try:
                how()
            except Exception as error:  # of a thread: told by the block's end
                problems.append("%s: %r" % (what, error))
            took[what].append(time.monotonic() - started)

    def over_tcp():
        (status, body), = answers(b"GET /v1/summary HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n")
        check(status == 200 and json.loads(body)["router_id"] == "10.255.0.1", "an answer over TCP", status, body)
    asking = [threading.Thread(target=ask, args=("unix", lambda: a.heliod.show("summary")))] + ([threading.Thread(target=ask, args=("tcp", over_tcp))] if tcp else [])
    for thread in asking:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in asking:
            thread.join()
    check(not problems, "%d questions had no answer" % len(problems), *problems[:3])
    for what, times in took.items():
        if times:
            a.notes["slowest_%s_s" % what] = max(times)
            check(max(times) < within, "the slowest answer over %s took %.1f s" % (what, max(times)))
    check(took["unix"], "nobody asked")


@abuse("H7, HOSTILE-INPUT §3 connection flood: wrong tokens, silent connections and headers an octet at a time, hundreds of them, on the control API over TCP")
def control_strangers(a):
    with_tcp(a)
    end, wrong, stop = time.monotonic() + a.size(5, 60), [0], threading.Event()
    problems = []

    def guess():
        dice = random.Random(7)
        while not stop.is_set():
            token = dice.choice([TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", "x" * 4000, READ[::-1]])
            try:
                got = answers(b"".join(b"GET /v1/summary HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n" % (token.encode(), b"Connection: close\r\n" if last else b"")
                                       for last in (False,) * 9 + (True,)))
                # In the crowd of the silent a connection may have to go between two requests; never is there another answer.
                if not all(status == 401 and b"router" not in body for status, body in got if status != 503):
                    problems.append(got)
                wrong[0] += sum(status == 401 for status, _ in got)
            except OSError:
                pass
            time.sleep(0.005)

    guessing = threading.Thread(target=guess)
    with a.during("strangers on the control port"), answering(a):
        guessing.start()
        held, request = [], b"GET /v1/summary HTTP/1.1\r\n" + GIVEN
        at, made, told = 0, 0, 0
        while time.monotonic() < end:
            while len(held) < 300:
                with contextlib.suppress(OSError):
                    held.append((connect(), made % 2))  # silent, or an octet each round
                made += 1
            for line, drips in list(held):
                try:
                    if drips:
                        line.send(request[at % len(request):][:1])
                    line.settimeout(0)
                    if data := line.recv(4096):
                        told += data.startswith(b"HTTP/1.1 503 ")
                    reset(line)
                    held.remove((line, drips))
                except BlockingIOError:
                    pass
                except OSError:
                    line.close()
                    held.remove((line, drips))
            at += 1
            time.sleep(0.5)
        stop.set()
        guessing.join()
    for line, _ in held:
        line.close()
    check(not problems, "a wrong token had an answer that is not 401", *problems[:2])
    a.notes.update(strangers=made, wrong_tokens=wrong[0], told_503=told)
    check(told > 0, "nobody was told why he had to go")
    a.over(counts=[(REFUSED, {"reason": "unauthorized"}, wrong[0] // 2), (REFUSED, {"reason": "crowded"}, 100)], log=["control: a request over TCP is refused: "], lines=20)


@abuse("H7, RFC 9110 §15.5, RFC 9112 §6, §7.1: huge headers, lengths that lie, chunks that are none, pipelines, methods and paths nobody knows, each with its status")
def control_nonsense(a):
    with_tcp(a)
    post = b"POST /v1/log:info HTTP/1.1\r\n" + GIVEN
    cases = [  # octets, statuses, whether we close our side
        (b"GET /v1/summary HTTP/1.1\r\n" + GIVEN + b"X: " + b"x" * 2000000 + b"\r\n\r\n", [431], False),
        (b"GET /v1/summary HTTP/1.1\r\n" + GIVEN + b"A: b\r\n" * 5000 + b"\r\n", [431], False),
        (b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n" + GIVEN + b"\r\n", [431], False),
        (post + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 500000, [413], False),
        (post + b"Content-Length: 70000\r\n\r\n", [413], False),
        (post + b"Content-Length: -1\r\n\r\n", [400], False),
        (post + b"Content-Length: 18446744073709551616\r\n\r\n", [400], False),
        (post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", [400], False),
        (post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], False),
        (post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", [400], False),
        (post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n", [400], False),
        (post + b"Transfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65535 + b"\r\nffff\r\n" + b"x" * 65535 + b"\r\n0\r\n\r\n", [413], False),
        (post + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", [400], False),
        (post + b"Content-Length: 500\r\n\r\nshort", [], True),
        (b"GET /v1/summary HTTP/2.0\r\n" + GIVEN + b"\r\n", [400], False),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), [400], False),
        (b"\xff" * 19 + b"\x00\x1d\x01\x04" + bytes(50), [400], False),
        (b"GET /v1/summary HTTP/1.1\r\n" + GIVEN + b"\r\nGET  \r\n\r\n", [200, 400], False),
        (b"GET /v1/none HTTP/1.1\r\n" + GIVEN + b"Connection: close\r\n\r\n", [404], False),
        (b"GET /v1/peers/../summary/%00%ff HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n", [400], False),
        (b"BREW /v1/summary HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n", [405], False),
        (b"DELETE /v1/peers HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n", [405], False),
        (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n", [400], False),
        (b"GET http://192.0.2.1/v1/summary HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n", [400], False),
        (b"GET /v1/summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [401], False),
        ((b"GET /v1/version HTTP/1.1\r\n" + GIVEN + b"\r\n") * 200 + b"GET /v1/none HTTP/1.1\r\nConnection: close\r\n" + GIVEN + b"\r\n", [200] * 200 + [404], False),
    ]
    rounds, end, problems = 0, time.monotonic() + a.size(3, 60), []
    with a.during("nonsense on the control port"), answering(a):
        while not rounds or time.monotonic() < end:
            for octets, statuses, closes in cases:
                got = [status for status, _ in answers(octets, closes)]
                if got != statuses:
                    problems.append("%r: %s, expected %s" % (octets[:120], got[:5], statuses[:5]))
            check(not problems, "answers to nonsense", *problems)
            rounds += 1
    a.notes.update(rounds=rounds)
    a.over(counts=[(REFUSED, {"reason": "malformed"}, rounds * 8), (REFUSED, {"reason": "too-large"}, rounds * 5), (REFUSED, {"reason": "unauthorized"}, rounds)],
           log=["control: a request over TCP is refused: "], lines=20)


@abuse("H7, HOSTILE-INPUT §3 slow peer: readers of events, dumps and the log that never read, and connections reset in the middle; long: they are closed after a minute")
def control_deaf_readers(a):
    with_tcp(a)
    pe, = a.establish(clients(1))
    routes = a.size(20000, 100000)
    a.crowd.send(pe, announcement("65000:77", ["10.%d.%d.%d/32" % (n >> 16, n >> 8 & 255, n & 255) for n in range(routes)], ["65000:77"]))
    a.crowd.run(lambda: not pe.out, 30)
    streams = [b"/v1/routes?stream=true", b"/v1/events", b"/v1/log?follow=true", b"/v1/dump/mrt"]
    ask = lambda number: b"GET " + streams[number % len(streams)] + b" HTTP/1.1\r\n" + GIVEN + b"\r\n"
    with a.during("connections reset in a dump"), answering(a):
        end, resets = time.monotonic() + a.size(3, 30), 0
        while time.monotonic() < end:
            lines = [connect() for _ in range(8)]
            for number, line in enumerate(lines):
                line.sendall(ask(number))
            time.sleep(0.05)
            for line in lines:
                with contextlib.suppress(OSError):
                    line.settimeout(0.2)
                    line.recv(1000)
                reset(line)
            resets += len(lines)
    # 32 connections are TCP's own; with all of them deaf only the Unix socket answers.
    with a.during("deaf readers"), answering(a, tcp=False):
        deaf = [connect(4096) for _ in range(32)]
        for line in deaf:
            line.sendall(ask(0))
        a.crowd.run(seconds=1)
        before = descriptors(a.before.pid)
        more = [connect(4096) for _ in range(40)]
        for line in more:
            with contextlib.suppress(OSError):
                line.sendall(ask(0) * 3)
            a.crowd.run(seconds=0.02)
        check(descriptors(a.before.pid) <= before + 2, "connections beyond the bound, which do not take their answers either", before, descriptors(a.before.pid))
        for line in more:
            line.close()
        a.crowd.run(seconds=a.size(3, 75))
    if a.long:
        with answering(a):
            time.sleep(3)
    for line in deaf:
        line.close()
    a.notes.update(resets=resets)
    a.over(counts=[(REFUSED, {"reason": "stalled"}, 32)] if a.long else [], log=["stream for too long"] if a.long else [], lines=20, mib=a.size(48, 96))
