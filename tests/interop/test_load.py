"""helio-pe against heliod: every scenario and every kind of plan, small, with every route of every PE compared (issue H3)."""
import csv
import json
import subprocess
import threading
import time

from harness import Heliod, Skip, check, group_toml, range_toml, reflector_toml, test

SMALL = ["--pes", "12", "--vrfs", "24", "--vrfs-per-pe", "6", "--routes-per-vrf", "50"]


def load(t, *flags, clean=True):
    """Runs helio-pe to its end and returns its results; fails when they are not exact."""
    file = t.folder / "result.json"
    argv = [str(t.binaries / "helio-pe"), "--target", "127.0.0.1:1790", "--timeout", "30", "--quiet", "--json", str(file), *SMALL, *flags]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=150)
    check(done.returncode == 0, "helio-pe %s: exit %d" % (" ".join(flags), done.returncode), done.stdout.strip(), done.stderr.strip())
    result = json.loads(file.read_text())
    check(result["verdict"] != "failed", "verdict of %s" % (flags,), result)
    if clean:
        check(result["duplicates"] == 0 and result["unknown_withdrawals"] == 0, "needless announcements or withdrawals in %s" % (flags,), result)
    return result


@test("RFC 4364, 4659, 4684 §3, 8277: plans of every kind end exactly")
def plans(t):
    t.reflector(watch=False)
    for flags in (["--rtc", "off"], ["--rtc", "default"], ["--rd-mode", "per-vrf"], ["--label-mode", "per-prefix"], ["--label-mode", "per-ce"],
                  ["--rt-plan", "hub-spoke"], ["--rt-plan", "extranet"], ["--rt-plan", "random", "--seed", "7"], ["--prefix-plan", "random"],
                  ["--prefix-plan", "enterprise"], ["--ipv6-share", "0.3"], ["--attrs-per-vrf", "7", "--rts-per-route", "4", "--pack", "5"],
                  ["--announcers", "5", "--ramp", "100"], ["--threads", "3"]):
        load(t, *flags)


@test("RFC 4456 §9, 4271 §9.1: of several owners everybody holds the best, also when the best leaves")
def multihoming(t):
    t.reflector(watch=False)
    for flags in (["--multihoming", "2"], ["--multihoming", "3", "--rd-mode", "per-vrf", "--ipv6-share", "0.2"]):
        # The loser's path may be on its way before the winner's: not a needless announcement.
        load(t, *flags, clean=False)
        load(t, *flags, "--scenario", "peer-flap", "--repeat", "3", clean=False)


@test("RFC 7911 §2, §3: the best n paths arrive, each under one path id, through flaps, storms and refreshes")
def add_path(t):
    probe = t.folder / "probe.toml"
    probe.write_text(reflector_toml(groups=group_toml("clients", extra="add-paths = { send-max = 2 }") + range_toml("127.1.0.0/16", "clients")))
    checked = subprocess.run([str(t.binaries / "heliod"), "--config", str(probe), "--check"], capture_output=True, text=True, timeout=15)
    if "not supported" in checked.stderr + checked.stdout:
        raise Skip("this heliod does not send several paths")
    for limit, options in ((2, ["--add-path", "2"]), (8, ["--add-path", "8"])):
        group = group_toml("clients", extra="add-paths = { send-max = %d }" % limit) + range_toml("127.1.0.0/16", "clients")
        running = t.reflector(watch=False, groups=group, folder="send-max-%d" % limit)
        for flags in ([], ["--multihoming", "3", "--rtc", "off"], ["--multihoming", "3", "--rd-mode", "per-vrf", "--ipv6-share", "0.2"],
                      ["--multihoming", "3", "--scenario", "peer-flap", "--repeat", "3"], ["--multihoming", "2", "--scenario", "withdraw-storm"],
                      ["--multihoming", "3", "--scenario", "rt-join"], ["--multihoming", "3", "--scenario", "refresh-storm"]):
            # A third path may be on its way before a better one: not a needless announcement.
            load(t, *options, *flags, clean=limit > 3)
        running.end()
        t.reflectors.remove(running)


@test("RFC 4271 §9.2, 4684 §6, 2918, 7747: churn, flaps, storms, memberships and refreshes end exactly")
def scenarios(t):
    t.reflector(watch=False)
    for flags in (["--scenario", "churn", "--changes", "20000"], ["--scenario", "churn", "--changes", "5000", "--churn-pack", "8", "--threads", "2"],
                  ["--scenario", "peer-flap", "--repeat", "3"], ["--scenario", "withdraw-storm", "--repeat", "3"],
                  ["--scenario", "rt-join", "--repeat", "5"], ["--scenario", "refresh-storm", "--repeat", "3"],
                  ["--scenario", "slow-reader", "--slow-share", "0.2"], ["--scenario", "soak", "--duration", "5", "--churn-rate", "2000"]):
        result = load(t, *flags)
        check(result["session_losses"] == 0, "sessions were lost in %s" % (flags,), result)


@test("RFC 4271 §8: everybody has everything again after the reflector restarts")
def restart(t):
    """helio-pe asks for the restart through a file; the test does it, because processes belong to it."""
    config = reflector_toml()
    running = [Heliod(t.binaries, t.folder / "first", config)]
    wanted, done = t.folder / "wanted", t.folder / "done"

    def serve():
        for n in range(2):
            while not wanted.exists():
                time.sleep(0.01)
            wanted.unlink()
            running[-1].stop()
            running.append(Heliod(t.binaries, t.folder / ("next%d" % n), config))
            done.touch()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        result = load(t, "--scenario", "rr-restart", "--repeat", "2", "--restart-command",
                      "touch %s; while [ ! -e %s ]; do sleep 0.02; done; rm %s" % (wanted, done, done))
        check(len(running) == 3 and "restart_p50_seconds" in result, "two restarts were asked for", result)
    finally:
        running[-1].stop()


@test("RFC 4271 §4.3: a file of raw UPDATEs is replayed by several PEs and arrives unchanged")
def raw(t):
    t.reflector(watch=False)
    file = t.folder / "updates.raw"
    load_argv = [str(t.binaries / "helio-pe"), *SMALL, "--ipv6-share", "0.3", "--attrs-per-vrf", "3", "--write-raw", str(file)]
    check(subprocess.run(load_argv, timeout=30).returncode == 0 and file.stat().st_size > 1000, "--write-raw writes a file")
    for rtc in ("on", "off", "default"):
        result = load(t, "--raw", str(file), "--announcers", "3", "--rtc", rtc, clean=False)
        check(result["missing"] == 0 and result["deliveries"] == 11 * 300, "raw with RTC %s" % rtc, result)


@test("H3: latency is measured by canaries of their own while others load; pictures and tables are written")
def report(t):
    t.reflector(watch=False)
    out = t.folder / "out"
    result = load(t, "--scenario", "churn", "--duration", "1", "--churn-rate", "1000", "--canaries", "2", "--out", str(out), "--csv",
                  str(t.folder / "result.csv"), "--with-floor")
    check(result["canary_probes"] > 10 and result["canary_p99_seconds"] < 1, "canaries were answered", result)
    check(result["floor_seconds"] > 0 and "cpu_times_floor" in result, "the floor was measured beside it", result)
    for name in ("convergence", "latency", "memory"):
        text = (out / (name + ".svg")).read_text()
        check(text.startswith("<svg") and text.rstrip().endswith("</svg>") and "nan" not in text and "inf" not in text, "%s.svg" % name, text[:500])
    with open(t.folder / "result.csv", newline="") as file:
        lines = list(csv.reader(file))
    check(len(lines) == 2 and len(lines[0]) == len(lines[1]) and lines[1][lines[0].index("pes")] == "12", "CSV has a head and a line", lines)
