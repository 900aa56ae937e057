"""Reloads (H5 E): what sessions and routes see of them. Every key: test_reload_keys.py."""
import json
import re
import signal
import subprocess
import time

import bgp
from harness import Skip, check, group_toml, quiet, range_toml, reflector_toml, test, wait_until

RTC = (bgp.VPNV4, bgp.RTC)


def run(heliod, *words, status=0):
    """The report of `helioctl config …` as JSON."""
    done = subprocess.run([heliod.binaries / "helioctl", "--socket", heliod.folder / "control.sock", "-j", "config", *words], capture_output=True, text=True, timeout=15)
    check(done.returncode == status, "helioctl config %s: exit %d: %s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr))
    return json.loads(done.stdout) if done.stdout else done.stderr


def text(heliod, *words):
    done = subprocess.run([heliod.binaries / "helioctl", "--socket", heliod.folder / "control.sock", *words], capture_output=True, text=True, timeout=15)
    return done.stdout + done.stderr


def changes(report):
    return [(c["path"], c["kind"], c["effect"]) for c in report["changes"]]


# --- what peers see --------------------------------------------------------------------------------------------------

def edit(heliod, old, new):
    before = heliod.config.read_text()
    check(old in before, "'%s' is in the file" % old)
    heliod.config.write_text(before.replace(old, new, 1))


@test("H5 E: an invalid file changes nothing; the report names line and key")
def mistakes(t):
    heliod = t.reflector(watch=False)
    pe = t.peer("127.1.0.1", "65000:1", families=RTC)
    good = heliod.config.read_text()
    heliod.config.write_text(good.replace("hold-time = 90", "hold-time = 2\nhold-tiem = 90"))
    report = run(heliod, "reload", status=1)
    check(not report["valid"] and not report["applied"] and any("hold-tiem" in p["key"] and p["line"] > 1 for p in report["problems"]), "the mistakes", report)
    said = text(heliod, "config", "reload")
    check("did you mean" in said and "nothing is changed" in said, "in words", said)
    heliod.config.unlink()
    check("cannot be opened" in text(heliod, "config", "diff"), "the file is gone")
    heliod.config.write_text(good)
    check(run(heliod, "reload")["message"] == "nothing has changed", "the same again")
    check(pe.established and not pe.notification, "the session stays")


@test("H5 E: what a session cannot take over waits for its next one, or for --reset-sessions (Cease/Other Configuration Change, RFC 4486)")
def session_settings(t):
    heliod = t.reflector(watch=False)
    pe1, pe2 = t.peer("127.1.0.1", "65000:1", families=RTC), t.peer("127.1.0.2", "65000:1", families=RTC)
    pe1.announce("65000:1", "10.1.0.0/24", ["65000:1"])
    pe2.wait_route("65000:1", "10.1.0.0/24")
    edit(heliod, "hold-time = 90", "hold-time = 180")
    impact = run(heliod, "diff", "--impact")["changes"]
    check(len(impact) == 1 and impact[0]["impact"] == {"effect": "session-reset", "peers": 2, "sessions": 2, "routes_received": 1, "routes_sent": 1}, "the impact", impact)
    report = run(heliod, "reload")
    check(report["needs_reset"] == ["127.1.0.1", "127.1.0.2"] and "2 sessions go on with earlier settings" in report["message"], "who waits", report)
    check("needs a reset" in text(heliod, "show", "peer", "127.1.0.1"), "show peer says so", text(heliod, "show", "peer", "127.1.0.1"))
    quiet(pe1, pe2)
    check(pe1.established and not pe1.notification, "nobody was reset")
    pe2.close()
    wait_until(lambda: run(heliod, "diff")["needs_reset"] == ["127.1.0.1"], "a session that ended waits no more", 5)
    again = t.peer("127.1.0.2", "65000:1", families=RTC)
    check(again.open.hold_time == 180, "the next session has the new hold time", again.open.hold_time)
    report = run(heliod, "reload", "--reset-sessions")
    pe1.wait(lambda: pe1.notification, "a NOTIFICATION")
    check(pe1.notification[:2] == (6, 6), "Cease/Other Configuration Change", pe1.notification)
    check(not again.notification, "the other one is not concerned")


@test("H5 E: neighbours, ranges and groups come and go (Cease/Peer De-configured, RFC 4486); what an operator took down stays down")
def neighbours(t):
    base = reflector_toml(groups=group_toml("pe") + "".join('[[neighbors]]\naddress = "127.1.0.%d"\npeer-group = "pe"\npassive = true\n' % n for n in (1, 2, 3)))
    heliod = t.reflector(base, watch=False)
    pe1, pe2, pe3 = (t.peer("127.1.0.%d" % n, "65000:1", families=RTC) for n in (1, 2, 3))
    heliod.control("peer", "127.1.0.3", "down")
    pe3.wait(lambda: pe3.notification, "the shutdown")
    edit(heliod, 'address = "127.1.0.2"', 'address = "127.1.0.4"')
    edit(heliod, '[[neighbors]]', '[[peer-groups]]\nname = "dynamic"\n[[listen-ranges]]\nprefix = "127.1.9.0/24"\npeer-group = "dynamic"\n[[neighbors]]')
    report = run(heliod, "diff", "--impact")
    removed = [c for c in report["changes"] if c["path"] == "neighbors[127.1.0.2]" and c["kind"] == "removed"]
    check(removed and removed[0]["impact"]["effect"] == "session-closed" and removed[0]["impact"]["sessions"] == 1, "the impact", report["changes"])
    run(heliod, "reload")
    pe2.wait(lambda: pe2.notification, "a NOTIFICATION")
    check(pe2.notification[:2] == (6, 3), "Cease/Peer De-configured", pe2.notification)
    pe4, pe9 = t.peer("127.1.0.4", "65000:1", families=RTC), t.peer("127.1.9.1", "65000:1", families=RTC)
    pe4.announce("65000:1", "10.4.0.0/24", ["65000:1"])
    for pe in (pe1, pe9):
        pe.wait_route("65000:1", "10.4.0.0/24")
    check(not pe1.notification, "the others stay")
    check(heliod.show("peer", "127.1.0.3")["state"] == "Idle (Admin)", "down stays down", heliod.show("peer", "127.1.0.3"))


POLICY = ('[[policy.sets]]\nname = "set"\nroute-targets = ["65000:2"]\n[[policy.statements]]\nname = "drop"\nmatch = { any-route-target-in = "set" }\naction = "reject"\n')


def policy_world(t):
    groups = group_toml("clients", extra='import-policy = ["drop"]') + range_toml("127.1.0.0/16", "clients")
    heliod = t.reflector(watch=False, groups=groups, tail=POLICY)
    pe1, pe2 = t.peer("127.1.0.1", "65000:1", "65000:2", families=RTC), t.peer("127.1.0.2", "65000:1", "65000:2", families=RTC)
    pe1.announce("65000:1", "10.1.0.0/24", ["65000:1"])
    pe1.announce("65000:1", "10.2.0.0/24", ["65000:2"])
    pe2.wait_route("65000:1", "10.1.0.0/24")
    check(not pe2.route("65000:1", "10.2.0.0/24"), "the policy refuses the second route")
    return heliod, pe1, pe2


@test("H5 E: other policies are in force without a session reset; RFC 2918 is not needed, Adj-RIB-In is kept")
def policies(t):
    heliod, pe1, pe2 = policy_world(t)
    edit(heliod, '"65000:2"', '"65000:1"')
    impact = run(heliod, "diff", "--impact")["changes"][0]["impact"]
    check(impact["effect"] == "judged-again" and impact["sessions"] == 2 and impact["routes_received"] == 2, "the impact", impact)
    heliod.child.send_signal(signal.SIGHUP)
    pe2.wait_route("65000:1", "10.2.0.0/24")
    pe2.wait_gone("65000:1", "10.1.0.0/24")
    heliod.wait_log("config: policy.sets[set].route-targets")
    check(not [e for e in pe1.history if e.kind == "refresh"] and not pe1.notification, "pe1 is not asked again")
    edit(heliod, 'import-policy = ["drop"]', "")
    run(heliod, "reload")
    pe2.wait_route("65000:1", "10.1.0.0/24")


@test("H5 E: a reload that is not confirmed is rolled back; one that is stays; no other one meanwhile")
def confirmation(t):
    heliod, pe1, pe2 = policy_world(t)
    check("no reload waits" in run(heliod, "confirm", status=1) and "no reload waits" in run(heliod, "rollback", status=1), "nothing to confirm")
    edit(heliod, '"65000:2"', '"65000:1"')
    report = run(heliod, "reload", "--confirm", "2s")
    check(report["confirm_within"] == 2 and "config confirm" in report["hint"], "it waits", report)
    pe2.wait_route("65000:1", "10.2.0.0/24")
    check("waits to be confirmed" in run(heliod, "reload", status=1), "no reload meanwhile")
    pe2.wait_gone("65000:1", "10.2.0.0/24")
    pe2.wait_route("65000:1", "10.1.0.0/24")
    heliod.wait_log("was not confirmed in time")
    wait_until(lambda: len(run(heliod, "diff")["changes"]) == 1, "the file still has the change, heliod has not")
    run(heliod, "reload", "--confirm", "2s")
    check(run(heliod, "confirm")["applied"], "confirmed")
    time.sleep(3.5)
    check(pe2.route("65000:1", "10.2.0.0/24"), "it stays")
    edit(heliod, '"65000:1"]\n[[policy.st', '"65000:2"]\n[[policy.st')
    run(heliod, "reload", "--confirm", "1h")
    pe2.wait_route("65000:1", "10.1.0.0/24")
    run(heliod, "rollback")
    pe2.wait_gone("65000:1", "10.1.0.0/24")
    for bad in ("0s", "25h", "soon"):
        check("from 1s to 24h" in text(heliod, "config", "reload", "--confirm", bad), "--confirm " + bad)


@test("H5 E: prefix limits of sessions that are up; room for more asks the peer again (RFC 2918)")
def limits(t):
    limit = 'prefix-limits.l3vpn-ipv4-unicast = { max-prefixes = %d, action = "discard-new" }'
    groups = group_toml("clients", extra=limit % 2) + range_toml("127.1.0.0/16", "clients")
    heliod = t.reflector(watch=False, groups=groups)
    pe1, pe2 = t.peer("127.1.0.1", "65000:1", families=RTC), t.peer("127.1.0.2", "65000:1", families=RTC)
    prefixes = ["10.%d.0.0/24" % n for n in range(4)]
    for prefix in prefixes:
        pe1.announce("65000:1", prefix, ["65000:1"])
    pe2.wait_route("65000:1", prefixes[1])
    quiet(pe1, pe2)
    check(not pe2.route("65000:1", prefixes[2]), "the limit holds")
    edit(heliod, limit % 2, limit % 3)
    run(heliod, "reload")
    pe1.wait(lambda: [e for e in pe1.history if e.kind == "refresh"], "a ROUTE-REFRESH")
    for prefix in prefixes:
        pe1.announce("65000:1", prefix, ["65000:1"])
    pe2.wait_route("65000:1", prefixes[2])
    quiet(pe1, pe2)
    check(not pe2.route("65000:1", prefixes[3]), "the new limit holds")
    edit(heliod, limit % 3, "")
    run(heliod, "reload")
    pe1.wait(lambda: len([e for e in pe1.history if e.kind == "refresh"]) == 2, "a second ROUTE-REFRESH")
    pe1.announce("65000:1", prefixes[3], ["65000:1"])
    pe2.wait_route("65000:1", prefixes[3])
    edit(heliod, 'name = "clients"', 'name = "clients"\n' + 'prefix-limits.l3vpn-ipv4-unicast = { max-prefixes = 3, action = "idle-hold" }')
    run(heliod, "reload")
    pe1.wait(lambda: pe1.notification, "a limit below what is there ends the session", )
    check(pe1.notification[:2] == (6, 1), "Cease/Maximum Number of Prefixes Reached", pe1.notification)


@test("H5 E: a TCP-MD5 key of a range: sessions stay, the next ones are signed with it; log level and send-hold-time at once")
def keys_and_levels(t):
    from test_session import signed
    heliod = t.reflector(watch=False)
    (heliod.folder / "key").write_text("the-key\n")
    (heliod.folder / "key").chmod(0o600)
    pe1 = t.peer("127.1.0.1", "65000:1", families=RTC)
    edit(heliod, 'prefix = "127.1.0.0/16"', 'prefix = "127.1.0.0/16"\nauth-password-file = "key"')
    edit(heliod, 'level = "debug"', 'level = "error"')
    edit(heliod, "connect-retry = 1", "connect-retry = 1\nsend-hold-time = 5")
    report = run(heliod, "reload")
    check(report["needs_reset"] == ["127.1.0.1"], "the session goes on unsigned", report)
    signed("127.1.0.7", b"the-key").close()
    try:
        t.unconnected("127.1.0.8", families=RTC).connect().close()
        check(False, "a connection without the key came about")
    except OSError:
        pass
    size = len(heliod.text())
    run(heliod, "reload")
    check(len(heliod.text()) == size, "nothing below error is logged", heliod.text()[size:])
    check(pe1.established and not pe1.notification, "the session is there")
    (heliod.folder / "key").write_text("another-key\n")
    report = run(heliod, "reload")
    check([c["path"] for c in report["changes"]] == ["listen-ranges[127.1.0.0/16].auth-password-file"] and "another-key" not in json.dumps(report), "new contents of the file", report)
    signed("127.1.0.9", b"another-key").close()


@test("H5 E: what the system refuses in the middle of a reload (a key for TCP-AO, RFC 5925) leaves everything as it was, policies too")
def refused(t):
    heliod, pe1, pe2 = policy_world(t)
    (heliod.folder / "key").write_text("the-key\n")
    (heliod.folder / "key").chmod(0o600)
    good = heliod.config.read_text()
    edit(heliod, '"65000:2"', '"65000:1"')
    edit(heliod, 'name = "clients"', 'name = "clients"\nauth-password-file = "key"\nauth-method = "tcp-ao"')
    said = text(heliod, "config", "reload")
    if "applied" in said:
        raise Skip("this kernel has TCP-AO")
    check("TCP-AO" in said and "nothing is changed" in said, "the reason", said)
    quiet(pe1, pe2)
    check(pe2.route("65000:1", "10.1.0.0/24") and not pe2.route("65000:1", "10.2.0.0/24"), "the old policy is in force")
    check(heliod.show("config")["config"]["policy"]["sets"][0]["route-targets"] == ["65000:2"] and not pe1.notification, "and the old configuration")
    heliod.config.write_text(good)
    check(run(heliod, "reload")["message"] == "nothing has changed", "the file as it was")


@test("H5 I: the log level at run time, and a reload that does not touch it leaves it")
def log_level(t):
    heliod = t.reflector(watch=False)
    heliod.control("log", "level", "error")
    heliod.wait_log("log level=error")
    size = len(heliod.text())
    t.peer("127.1.0.1", "65000:1", families=RTC)
    run(heliod, "reload")
    check(len(heliod.text()) == size, "nothing below error", heliod.text()[size:])
    heliod.control("log", "level", "debug")
    t.peer("127.1.0.2", "65000:1", families=RTC)
    heliod.wait_log("peer=127.1.0.2")
    check("LEVEL" not in text(heliod, "log", "level", "loud") and "loud" in text(heliod, "log", "level", "loud"), "a level that is not", text(heliod, "log", "level", "loud"))


@test("H5 E: maintenance that an operator turned on is not ended by a reload")
def maintenance_stays(t):
    heliod = t.reflector(watch=False)
    pe = t.peer("127.1.0.1", "65000:1", families=RTC)
    heliod.control("maintenance", "on")
    edit(heliod, "connect-retry = 1", "connect-retry = 2")
    run(heliod, "reload")
    check(heliod.show("summary")["maintenance"], "still on", heliod.show("summary"))
    check(pe.established, "the session is there")
