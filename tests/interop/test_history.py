"""helioctl history and explain --at: what real sessions did, told from the journal (H5 B)."""
import datetime
import json
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
