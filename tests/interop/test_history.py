"""helioctl history and explain --at: what real sessions did, told from the journal (H5 B)."""
import datetime
import json
import socket
import subprocess
import time

import bgp
from harness import check, group_toml, range_toml, test, wait_until

RD, PREFIX = "65000:101", "10.1.1.0/24"
WITH_RTC = (bgp.VPNV4, bgp.RTC)


def moment():
    """Now, with the clock of the daemon; what comes next happens later."""
    time.sleep(0.05)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    time.sleep(0.05)
    return now


def ask_history(heliod):
    """The JSON of `helioctl history`, whose exit status is 1 when there is nothing to tell."""
    done = subprocess.run([heliod.binaries / "helioctl", "--socket", heliod.folder / "control.sock", "history", PREFIX, "--rd", RD, "-j"], capture_output=True, text=True, timeout=15)
    answer = json.loads(done.stdout)
    check(done.returncode == (0 if answer["changes"] else 1), "exit status %d" % done.returncode, done.stderr)
    return answer


def history(heliod, count):
    def ask():
        answer = ask_history(heliod)
        return answer if sum(c["cause"] is not None for c in answer["changes"]) >= count else None
    return wait_until(ask, "%s changes of %s" % (count, PREFIX), 8)


@test("H5 B; RFC 4271 §9.1.2.2, 4684 §6: the history of a prefix in sentences; what was true at a past moment, and whether a peer was to be sent it")
def past(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    before = moment()
    one = t.peer("127.1.0.1", families=WITH_RTC)
    two = t.peer("127.1.0.2", families=WITH_RTC)
    three = t.peer("127.1.0.3", families=WITH_RTC, join=False)
    three.rtc("65000:101")
    three.eor(bgp.RTC)
    one.announce(RD, PREFIX, ["65000:101"], label=1001)
    three.wait_route(RD, PREFIX)
    first = moment()
    two.announce(RD, PREFIX, ["65000:101"], label=1002, local_pref=200)
    history(heliod, 2)
    second = moment()
    one.announce(RD, PREFIX, ["65000:101"], label=1003, local_pref=300)
    history(heliod, 3)
    one.close()
    history(heliod, 4)
    three.rtc_withdraw("65000:101")
    three.wait_gone(RD, PREFIX)
    third = moment()
    two.withdraw(RD, PREFIX)
    answer = history(heliod, 5)

    changes = [c for c in answer["changes"] if c["cause"] is not None]
    kinds = [(c["kind"], c["from"], c["previous"]) for c in changes]
    check(kinds == [("announced", "127.1.0.1", None), ("moved", "127.1.0.2", "127.1.0.1"), ("moved", "127.1.0.1", "127.1.0.2"),
                    ("moved", "127.1.0.2", "127.1.0.1"), ("withdrawn", None, "127.1.0.2")], "the changes in order", *kinds)
    said = [c["text"] for c in changes]
    for text, words in zip(said, (("announced by 127.1.0.1", "label 1001", "RT 65000:101"), ("lp 200", "still there", "lower LOCAL_PREF", "2 paths"), ("lp 300", "still there"),
                                  ("is gone", "session that ended"), ("withdrawn by 127.1.0.2", "no path left"))):
        for word in words:
            check(word in text, "'%s' is not in '%s'" % (word, text))
    check(changes[3]["cause"] == "purge", "the session's end is the cause", changes[3])
    events = [(c["kind"], c["from"]) for c in answer["changes"] if c["cause"] is None]
    check(("peer-down", "127.1.0.1") in events and ("peer-up", "127.1.0.2") in events, "sessions of the peers concerned", events)
    times = [c["time"] for c in answer["changes"]]
    check(times == sorted(times), "in order of time", times)
    journal = answer["journal"]
    check(journal["kept"] and journal["complete"] and journal["changes"] >= 1 and journal["bytes_per_record"] > 0, "the reach", journal)
    text = heliod.control("history", PREFIX, "--rd", RD)
    check("the journal reaches back to" in text and "B each" in text, "the reach in words", text)

    def at(when, *more):
        return heliod.explain(PREFIX, "--rd", RD, "--at", when, *more)
    was, status = at(first, "--to", "127.1.0.3")
    check(was["from"] == "127.1.0.1" and was["path"]["labels"] == [1001] and was["verdict"] == "to-be-sent" and status == 0, "then the first path was the best, and was sent", was)
    was, status = at(second, "--to", "127.1.0.3")
    check(was["from"] == "127.1.0.2" and was["paths"] == 2 and status == 0, "then the second one", was)
    was, status = at(second, "--to", "127.1.0.2")
    check(was["reason"] == "own-route" and status == 1, "not to where it came from", was)
    was, status = at(third, "--to", "127.1.0.3")
    check(was["from"] == "127.1.0.2" and was["reason"] == "no-membership" and status == 1, "the membership was withdrawn by then", was)
    was, status = at(third, "--to", "127.1.0.1")
    check(was["reason"] == "session-down" and status == 1, "the session had ended by then", was)
    was, status = at("-0s")
    check(was["state"] == "absent" and status == 1, "now there is none", was)
    was, status = at("2001-01-01T00:00:00Z")
    check(not was["known"] and "not running then" in was["text"] and status == 1, "from before its start it knows nothing", was)
    check(before < first, "the clock goes on")


@test("H5 B, invariant 5: the journal is bounded; what it has dropped it does not pretend to know")
def forgets(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"), tail='\n[journal]\nmemory = "512KiB"\n', shards=1)
    one = t.peer("127.1.0.1", families=(bgp.VPNV4,))
    one.announce(RD, PREFIX, ["65000:101"], label=1001)
    history(heliod, 1)
    early = moment()
    for n in range(6000):
        one.announce("65000:7", "10.%d.%d.0/24" % (n // 250 + 2, n % 250), ["65000:7"], label=16 + n, med=n)
    def overtaken():
        return ask_history(heliod)["journal"]["complete"] is False
    wait_until(overtaken, "the ring goes round", 20)
    answer = ask_history(heliod)
    check(answer["changes"] == [], "the first announcement is forgotten", answer)
    check(answer["journal"]["bytes"] <= 512 << 10, "within its bounds", answer["journal"])
    was, status = heliod.explain(PREFIX, "--rd", RD, "--at", early)
    check(not was["known"] and "does not reach back" in was["text"] and status == 1, "it refuses", was)
    was, status = heliod.explain(PREFIX, "--rd", RD, "--at", "-0s")
    check(was["state"] == "best" and "as now" in was["text"] and status == 0, "no change since means as now", was)


class Listener:
    """A client of /v1/events over the socket; lines() are the events so far."""

    def __init__(self, heliod, query=""):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(heliod.folder / "control.sock"))
        self.socket.sendall(("GET /v1/events%s HTTP/1.1\r\nHost: x\r\n\r\n" % query).encode())
        self.octets = b""
        wait_until(lambda: any(e["kind"] == "listening" for e in self.lines()), "the stream begins", 5)

    def lines(self):
        self.socket.settimeout(0.05)
        try:
            while True:
                more = self.socket.recv(1 << 20)
                check(more, "the stream ended", self.octets[-200:])
                self.octets += more
        except socket.timeout:
            pass
        return [json.loads(line) for line in self.octets.decode().split("\r\n") for line in line.splitlines() if line.startswith("{")]

    def wait(self, condition, what):
        return wait_until(lambda: [e for e in self.lines() if condition(e)], lambda: "%s in %s" % (what, self.lines()[-5:]), 10)


@test("H5 D: the event stream: sessions with their reason, best paths, memberships, filters; monitor; a client that does not read is told what it lost, and nobody waits for it")
def events(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"), tail='\n[journal]\nmemory = "512KiB"\n', shards=2)
    all_of_it, narrow, deaf = Listener(heliod), Listener(heliod, "?kind=routes&rd=65000:102"), Listener(heliod)
    by_rt = Listener(heliod, "?rt=65000:7")
    one = t.peer("127.1.0.1", families=WITH_RTC)
    two = t.peer("127.1.0.2", "65000:101", families=WITH_RTC)
    one.announce(RD, PREFIX, ["65000:101"], label=1001)
    two.wait_route(RD, PREFIX)
    one.announce("65000:102", "10.2.0.0/24", ["65000:7"], label=1002)
    all_of_it.wait(lambda e: e["kind"] == "peer-up" and e["from"] == "127.1.0.2", "the session")
    all_of_it.wait(lambda e: e["kind"] == "membership-added" and e["from"] == "127.1.0.2" and e["membership"] == "65000:65000:101", "the membership")
    route = all_of_it.wait(lambda e: e["kind"] == "announced" and e["prefix"] == PREFIX, "the route")[0]
    check(route["rd"] == RD and route["path"]["labels"] == [1001] and route["from"] == "127.1.0.1", "with its facts", route)
    narrow.wait(lambda e: e["kind"] == "announced", "what was asked for")
    by_rt.wait(lambda e: e["kind"] == "announced", "by route target")
    one.close()
    all_of_it.wait(lambda e: e["kind"] == "peer-down" and e["from"] == "127.1.0.1" and "ended:" in e["text"], "the end of the session, with the reason")
    all_of_it.wait(lambda e: e["kind"] == "withdrawn" and e["cause"] == "purge", "its routes are gone")
    check({e["rd"] for e in narrow.lines() if e["kind"] != "listening"} == {"65000:102"}, "nothing else than asked for", narrow.lines())
    check({e["prefix"] for e in by_rt.lines() if e["kind"] != "listening"} <= {"10.2.0.0/24"}, "nothing else than asked for", by_rt.lines())

    # More than its socket and the ring hold: the one that does not read is overtaken.
    three = t.peer("127.1.0.3", families=(bgp.VPNV4,))
    for n in range(8000):
        three.announce("65000:7", "10.%d.%d.0/24" % (n // 250 + 2, n % 250), ["65000:101"], label=16 + n, med=n)
    two.wait_route("65000:7", "10.33.249.0/24")
    deaf.wait(lambda e: e["kind"] == "lost", "it learns that it lost something")
    deaf.wait(lambda e: e.get("prefix") == "10.33.249.0/24", "and goes on")
    lines = deaf.lines()
    lost = [e for e in lines if e["kind"] == "lost"]  # it may have been overtaken again
    seen = [e for e in lines if e["kind"] == "announced" and e["rd"] == "65000:7"]
    check(sum(e["count"] for e in lost) + len(seen) >= 8000 and all(e["count"] > 0 for e in lost), "what it lost is counted", lost, len(seen))
    check("session with 127.1.0.3" in monitor_peers(heliod, t), "helioctl monitor peers")
    heliod.control("config", "reload")
    all_of_it.wait(lambda e: e["kind"] == "config" and "nothing has changed" in e["text"], "a reload")


def monitor_peers(heliod, t):
    with open(heliod.folder / "monitor.txt", "w+") as out:
        child = subprocess.Popen([heliod.binaries / "helioctl", "--socket", heliod.folder / "control.sock", "monitor", "peers", "--peer", "127.1.0.3", "--count", "1"], stdout=out)
        time.sleep(0.5)
        heliod.control("peer", "127.1.0.3", "clear")
        child.wait(10)
        out.seek(0)
        return out.read()


@test("H5 D, C: all routes as a stream of lines, through filters; figures as they are")
def streams(t):
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    one = t.peer("127.1.0.1", families=WITH_RTC)
    for n in range(1500):
        one.announce("65000:%d" % (n % 3), "10.%d.%d.0/24" % (n // 250 + 2, n % 250), ["65000:101"], label=16 + n)
    wait_until(lambda: sum(f["prefixes"] for f in heliod.show("summary")["families"] if f["family"] == "vpnv4") == 1500, "1500 routes", 10)
    rows = [json.loads(line) for line in heliod.control("show", "routes", "--all", "-j").splitlines()]
    check(len({(r["rd"], r["prefix"]) for r in rows}) == 1500 == len(rows), "each once", len(rows))
    rows = heliod.control("show", "routes", "--all", "--rd", "65000:1", "--no-headers").splitlines()
    check(len(rows) == 500, "by RD", len(rows))
    line = heliod.control("monitor", "stats", "--count", "1", "--no-headers")
    check("1,500" in line and "1/1" in line, "figures", line)
