"""Reloads (H5 E): every key of the configuration, and what sessions and routes see of it."""
import json
import pathlib
import re
import signal
import subprocess
import time

import bgp
from harness import Skip, check, group_toml, quiet, range_toml, reflector_toml, test, wait_until

RTC = (bgp.VPNV4, bgp.RTC)
MAN_PAGE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "man" / "heliograph.toml.5.scd"
EFFECTS = {"applied": "applied", "session reset": "needs-session-reset", "restart": "needs-restart"}


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


# --- every key -------------------------------------------------------------------------------------------------------

BASE = """
[global]
as = 65000
router-id = "10.255.0.1"
cluster-id = "10.255.0.1"
#global
[[global.listen]]
address = "127.0.0.1"
port = 1790
[runtime]
shards = 2
#runtime
[timers]
hold-time = 90
keepalive-interval = 30
connect-retry = 1
#timers
[[families]]
name = "l3vpn-ipv4-unicast"
#vpnv4
[[families]]
name = "rt-constrain"
#rtc
[rt-constrain]
#rt-constrain
[slow-peer]
#slow-peer
[partition]
index = 1
count = 2
#partition
[best-path]
#best-path
[graceful-restart]
mode = "off"
#graceful-restart
[[peer-groups]]
name = "pe"
#pe
[[peer-groups]]
name = "mesh"
role = "non-client"
#mesh
[[peer-groups]]
name = "far"
peer-as = 65100
#far
[[neighbors]]
address = "127.1.0.9"
peer-group = "pe"
passive = true
#neighbor
[[listen-ranges]]
prefix = "127.2.0.0/16"
peer-group = "pe"
#range
[[policy.sets]]
name = "any"
route-targets = ["65000:1"]
#set
[[policy.statements]]
name = "st"
action = "continue"
set.local-preference = 100
#statement
[security]
#security
[limits]
#limits
[control]
socket = "control.sock"
token-file = "token"
#control
[telemetry]
port = 0
#telemetry
[log]
format = "text"
#log
[mrt]
directory = "mrt"
#mrt
[[bmp.stations]]
address = "127.9.0.1"
#bmp
"""

# Key -> (marker, line to put there), or (text, text to have in its place). What stands before a bar is in both files.
EDITS = {
    "global.as": ("as = 65000\n", "as = 65001\n"),
    "global.router-id": ('router-id = "10.255.0.1"', 'router-id = "10.255.0.2"'),
    "global.cluster-id": ('cluster-id = "10.255.0.1"', 'cluster-id = "10.255.0.3"'),
    "global.listen[].address": ('address = "127.0.0.1"', 'address = "127.0.0.5"'),
    "global.listen[].port": ("port = 1790", "port = 1791"),
    "global.graceful-shutdown": ("#global", "graceful-shutdown = true"),
    "runtime.shards": ("shards = 2", "shards = 3"),
    "runtime.memory-limit": ("#runtime", 'memory-limit = "8GiB"'),
    "journal.memory": ("#log", '[journal]\nmemory = "1MiB"'),
    "timers.hold-time": ("hold-time = 90", "hold-time = 120"),
    "timers.keepalive-interval": ("keepalive-interval = 30", "keepalive-interval = 20"),
    "timers.connect-retry": ("connect-retry = 1", "connect-retry = 2"),
    "timers.send-hold-time": ("#timers", "send-hold-time = 100"),
    "timers.initial-sync.max-delay": ("#timers", "initial-sync = { max-delay = 5 }"),
    "timers.initial-sync.peers-ratio": ("#timers", "initial-sync = { peers-ratio = 0.5 }"),
    "families[].name": ("#rtc", '[[families]]\nname = "l3vpn-ipv6-unicast"'),
    "families[].add-paths.receive": ("#vpnv4", "add-paths.receive = true"),
    "families[].add-paths.send-max": ("#vpnv4", "add-paths.send-max = 2"),
    "families[].prefix-limit.max-prefixes": ("#vpnv4", "prefix-limit.max-prefixes = 10"),
    "families[].prefix-limit.warning-threshold-pct": ("#vpnv4", "prefix-limit.max-prefixes = 10|\nprefix-limit.warning-threshold-pct = 50"),
    "families[].prefix-limit.action": ("#vpnv4", 'prefix-limit.max-prefixes = 10|\nprefix-limit.action = "discard-new"'),
    "families[].prefix-limit.restart-timer": ("#vpnv4", 'prefix-limit.max-prefixes = 10\nprefix-limit.action = "idle-hold"|\nprefix-limit.restart-timer = 5'),
    "families[].without-rtc": ("#rtc", 'without-rtc = "send-none"'),
    "rt-constrain.initial-wait": ("#rt-constrain", "initial-wait = 5"),
    "rt-constrain.advertise": ("#rt-constrain", 'advertise = "default"'),
    "rt-constrain.external-paths": ("#rt-constrain", "external-paths = 2"),
    "slow-peer.queue-limit": ("#slow-peer", 'queue-limit = "1MiB"'),
    "slow-peer.stall-time": ("#slow-peer", 'stall-time = "50ms"'),
    "slow-peer.tombstones": ("#slow-peer", "tombstones = 2048"),
    "slow-peer.action": ("#slow-peer", 'action = "close"'),
    "slow-peer.max-lag": ("#slow-peer", "max-lag = 5"),
    "best-path.always-compare-med": ("#best-path", "always-compare-med = true"),
    "best-path.missing-as-worst": ("#best-path", "missing-as-worst = true"),
    "best-path.aigp": ("#best-path", "aigp = true"),
    "best-path.cost-community": ("#best-path", "cost-community = false"),
    "best-path.prefer-oldest-external": ("#best-path", "prefer-oldest-external = true"),
    "best-path.next-hop-tracking": ("#best-path", 'next-hop-tracking = "kernel"'),
    "best-path.next-hop-default-route": ("#best-path", "next-hop-default-route = true"),
    "best-path.next-hop-delay": ("#best-path", 'next-hop-delay = "1s"'),
    "graceful-restart.mode": ('mode = "off"', 'mode = "helper"'),
    "graceful-restart.restart-time": ("#graceful-restart", "restart-time = 60"),
    "graceful-restart.stale-routes-time": ("#graceful-restart", "stale-routes-time = 60"),
    "graceful-restart.long-lived-stale-time": ('mode = "off"', 'mode = "helper"', "#graceful-restart", "long-lived-stale-time = 60"),
    "graceful-restart.selection-deferral-time": ("#graceful-restart", "selection-deferral-time = 60"),
    "peer-groups[].name": ("#far", '[[peer-groups]]\nname = "more"'),
    "peer-groups[].peer-as": ("peer-as = 65100", "peer-as = 65200"),
    "peer-groups[].role": ('role = "non-client"', 'role = "client"'),
    "peer-groups[].families": ("#pe", 'families = ["rt-constrain"]'),
    "peer-groups[].cluster-id": ("#pe", 'cluster-id = "10.255.0.7"'),
    "peer-groups[].client-to-client": ("#pe", "client-to-client = false"),
    "peer-groups[].passive": ("#pe", "passive = true"),
    "peer-groups[].local-address": ("#pe", 'local-address = "127.0.0.1"'),
    "peer-groups[].auth-password-file": ("#pe", 'auth-password-file = "key"'),
    "peer-groups[].auth-method": None,  # takes a kernel with TCP-AO: see refused()
    "peer-groups[].auth-key-id": None,
    "peer-groups[].ttl-min": ("#pe", "ttl-min = 254"),
    "peer-groups[].multihop": ("#far", "multihop = 4"),
    "peer-groups[].next-hop": ("#far", 'next-hop = "self"'),
    "peer-groups[].graceful-shutdown": ("#pe", 'graceful-shutdown = "heed"'),
    "peer-groups[].bfd.enabled": ("#pe", "bfd.enabled = true"),
    "peer-groups[].bfd.interval": ("#pe", 'bfd.interval = "100ms"'),
    "peer-groups[].bfd.multiplier": ("#pe", "bfd.multiplier = 5"),
    "peer-groups[].rt-constrain.initial-wait": ("#pe", "rt-constrain.initial-wait = 5"),
    "peer-groups[].rt-constrain.advertise": ("#pe", 'rt-constrain.advertise = "both"'),
    "peer-groups[].rt-constrain.external-paths": ("#far", "rt-constrain.external-paths = 2"),
    "peer-groups[].rt-constrain.route-targets": ("#rtc", 'without-rtc = "configured"', "#pe", 'rt-constrain.route-targets = ["65000:1"]'),
    "peer-groups[].rt-constrain.proxy": ("#rtc", 'without-rtc = "configured"', "#pe", 'rt-constrain.proxy = "import-policy"'),
    "peer-groups[].rt-constrain.marker-community": ("#pe", 'rt-constrain.marker-community = "65000:4684"'),
    "peer-groups[].slow-peer.action": ("#pe", 'slow-peer.action = "close"'),
    "peer-groups[].slow-peer.max-lag": ("#pe", "slow-peer.max-lag = 5"),
    "peer-groups[].add-paths.receive": ("#pe", "add-paths.receive = true"),
    "peer-groups[].add-paths.send-max": ("#pe", "add-paths.send-max = 2"),
    "peer-groups[].best-external": ("#mesh", "best-external = true"),
    "peer-groups[].import-policy": ("#pe", 'import-policy = ["st"]'),
    "peer-groups[].export-policy": ("#pe", 'export-policy = ["st"]'),
    "neighbors[].address": ("#neighbor", '[[neighbors]]\naddress = "127.1.0.8"\npassive = true\npeer-group = "pe"'),
    "neighbors[].peer-group": ('peer-group = "pe"\npassive', 'peer-group = "mesh"\npassive'),
    "neighbors[].description": ("#neighbor", 'description = "edge"'),
    "neighbors[].passive": ("passive = true", "passive = false"),
    "neighbors[].remote-port": ("#neighbor", "remote-port = 1790"),
    "neighbors[].local-address": ("#neighbor", 'local-address = "127.0.0.1"'),
    "neighbors[].auth-password-file": ("#neighbor", 'auth-password-file = "key"'),
    "neighbors[].bfd.enabled": ("#neighbor", "bfd.enabled = true"),
    "neighbors[].bfd.interval": ("#neighbor", 'bfd.interval = "100ms"'),
    "neighbors[].bfd.multiplier": ("#neighbor", "bfd.multiplier = 5"),
    "neighbors[].route-targets": ("#rtc", 'without-rtc = "configured"', "#neighbor", 'route-targets = ["65000:1"]'),
    "listen-ranges[].prefix": ("#range", '[[listen-ranges]]\nprefix = "127.3.0.0/16"\npeer-group = "pe"'),
    "listen-ranges[].peer-group": ('peer-group = "pe"\n#range', 'peer-group = "mesh"\n#range'),
    "listen-ranges[].auth-password-file": ("#range", 'auth-password-file = "key"'),
    "listen-ranges[].max-peers": ("#range", "max-peers = 10"),
    "policy.sets[].name": ("#set", '[[policy.sets]]\nname = "more"\nroute-targets = ["65000:2"]'),
    "policy.sets[].route-targets": ('["65000:1"]\n#set', '["65000:3"]\n#set'),
    "policy.sets[].route-distinguishers": ("#set", '[[policy.sets]]\nname = "x"|\nroute-distinguishers = ["65000:1"]'),
    "policy.sets[].prefixes": ("#set", '[[policy.sets]]\nname = "x"|\nprefixes = ["10.0.0.0/8"]'),
    "policy.sets[].communities": ("#set", '[[policy.sets]]\nname = "x"|\ncommunities = ["65000:1"]'),
    "policy.sets[].extended-communities": ("#set", '[[policy.sets]]\nname = "x"|\nextended-communities = ["rt:65000:1"]'),
    "policy.sets[].large-communities": ("#set", '[[policy.sets]]\nname = "x"|\nlarge-communities = ["65000:1:1"]'),
    "policy.sets[].as-paths": ("#set", '[[policy.sets]]\nname = "x"|\nas-paths = ["^$"]'),
    "policy.sets[].next-hops": ("#set", '[[policy.sets]]\nname = "x"|\nnext-hops = ["10.0.0.1"]'),
    "policy.sets[].peers": ("#set", '[[policy.sets]]\nname = "x"|\npeers = ["10.0.0.1"]'),
    "policy.statements[].name": ("#statement", '[[policy.statements]]\nname = "more"\naction = "accept"'),
    "policy.statements[].match.any-route-target-in": ("#statement", 'match.any-route-target-in = "any"'),
    "policy.statements[].match.source-role": ("#statement", 'match.source-role = "client"'),
    "policy.statements[].match.families": ("#statement", 'match.families = ["l3vpn-ipv4-unicast"]'),
    "policy.statements[].action": ('action = "continue"', 'action = "accept"'),
    "policy.statements[].set.local-preference": ("local-preference = 100", "local-preference = 50"),
    "policy.statements[].set.med": ("#statement", "set.med = 50"),
    "policy.statements[].set.aigp": ("#statement", "set.aigp = 50"),
    "policy.statements[].set.next-hop": ("#statement", 'set.next-hop = "10.0.0.1"'),
    "policy.statements[].set.as-path-prepend.as": ("#statement", "set.as-path-prepend.repeat = 2|\nset.as-path-prepend.as = 65000"),
    "policy.statements[].set.as-path-prepend.repeat": ("#statement", "set.as-path-prepend.as = 65000|\nset.as-path-prepend.repeat = 2"),
    "policy.statements[].set.communities-add": ("#statement", 'set.communities-add = ["65000:1"]'),
    "policy.statements[].set.communities-remove": ("#statement", 'set.communities-remove = ["65000:1"]'),
    "policy.statements[].set.extended-communities-add": ("#statement", 'set.extended-communities-add = ["soo:65000:1"]'),
    "policy.statements[].set.extended-communities-remove": ("#statement", 'set.extended-communities-remove = ["soo:65000:1"]'),
    "policy.statements[].set.large-communities-add": ("#statement", 'set.large-communities-add = ["65000:1:1"]'),
    "policy.statements[].set.large-communities-remove": ("#statement", 'set.large-communities-remove = ["65000:1:1"]'),
    "policy.statements[].set.route-targets-add": ("#statement", 'set.route-targets-add = ["65000:7"]'),
    "policy.statements[].set.route-targets-remove": ("#statement", 'set.route-targets-remove = ["65000:7"]'),
    "security.max-pending-sessions": ("#security", "max-pending-sessions = 10"),
    "security.seccomp": ("#security", "seccomp = false"),
    "partition.index": ("index = 1\n", "index = 2\n"),
    "partition.count": ("count = 2\n", "count = 3\n"),
    "partition.route-targets": None,  # not beside index and count: planes.ranges
    "partition.without-route-targets": ("#partition", "without-route-targets = true"),
    "security.session-rate": ("#security", "session-rate = 10"),
    "limits.max-paths-per-rd": ("#limits", "max-paths-per-rd = 10"),
    "limits.max-prefixes-per-rt-set": ("#limits", "max-prefixes-per-rt-set = 10"),
    "limits.max-attribute-size": ("#limits", "max-attribute-size = 1000"),
    "control.socket": ('socket = "control.sock"', 'socket = "other.sock"'),
    "control.mode": ("#control", 'mode = "0600"'),
    "control.group": ("#control", 'group = "root"'),
    "control.operator-group": ("#control", 'operator-group = "root"'),
    "control.address": ("#control", 'address = "127.0.0.2"'),
    "control.port": ("#control", 'port = 9191'),
    "control.token-file": ('token-file = "token"', 'token-file = "other-token"'),
    "control.read-token-file": ("#control", 'read-token-file = "other-token"'),
    "telemetry.address": ("#telemetry", 'address = "127.0.0.2"'),
    "telemetry.port": ("port = 0", "port = 9200"),
    "telemetry.per-peer": ("#telemetry", 'per-peer = "full"'),
    "telemetry.canary": ("#telemetry", "canary = true"),
    "telemetry.max-peer-series": ("#telemetry", "max-peer-series = 10"),
    "mrt.directory": ('[mrt]\ndirectory = "mrt"', '[mrt]\ndirectory = "elsewhere"'),
    "mrt.rib-dump-interval": ("#mrt", "rib-dump-interval = 3600"),
    "mrt.updates": ("#mrt", "updates = true"),
    "mrt.updates-interval": ("#mrt", "updates-interval = 60"),
    "mrt.keep-files": ("#mrt", "keep-files = 12"),
    "bmp.stations[].address": ("#bmp", '[[bmp.stations]]\naddress = "127.9.0.2"'),
    "bmp.stations[].port": ("#bmp", '[[bmp.stations]]\naddress = "127.9.0.1"\nport = 1790'),
    "bmp.stations[].policies": ("#bmp", 'policies = ["loc-rib"]'),
    "bmp.stations[].queue-limit": ("#bmp", 'queue-limit = "1MiB"'),
    "bmp.stations[].stats-interval": ("#bmp", "stats-interval = 5"),
    "log.level": ("#log", 'level = "warn"'),
    "log.format": ('format = "text"', 'format = "json"'),
}
# Sets of statements that match by other kinds of sets.
for key, kind, member in (("any-membership-in", "route-targets", "65000:1"), ("route-distinguisher-in", "route-distinguishers", "65000:1"), ("prefix-in", "prefixes", "10.0.0.0/8"),
                          ("any-community-in", "communities", "65000:1"), ("any-extended-community-in", "extended-communities", "rt:65000:1"),
                          ("any-large-community-in", "large-communities", "65000:1:1"), ("as-path-in", "as-paths", "^$"), ("next-hop-in", "next-hops", "10.0.0.1"),
                          ("peer-in", "peers", "10.0.0.1")):
    EDITS["policy.statements[].match." + key] = ("#set", '[[policy.sets]]\nname = "y"\n%s = ["%s"]' % (kind, member), "#statement", 'match.%s = "y"' % key)
# Nothing can be set on memberships.
EDITS["policy.statements[].match.any-membership-in"] = ('action = "continue"\nset.local-preference = 100', 'action = "reject"') + EDITS["policy.statements[].match.any-membership-in"]
for table, marker in (("peer-groups", "#pe"), ("neighbors", "#neighbor")):
    limit = "prefix-limits.l3vpn-ipv4-unicast."
    name = table + "[].prefix-limits.*."
    EDITS[name + "max-prefixes"] = (marker, limit + "max-prefixes = 10")
    EDITS[name + "warning-threshold-pct"] = (marker, limit + "max-prefixes = 10|\n" + limit + "warning-threshold-pct = 50")
    EDITS[name + "action"] = (marker, limit + "max-prefixes = 10|\n" + limit + 'action = "discard-new"')
    EDITS[name + "restart-timer"] = (marker, limit + "max-prefixes = 10\n" + limit + 'action = "idle-hold"|\n' + limit + "restart-timer = 5")
# Entries come and go as a whole when the key that names them changes; a listening endpoint is named by both of its.
WHOLE = {"bmp.stations[].address", "bmp.stations[].port", "families[].name", "peer-groups[].name", "neighbors[].address", "listen-ranges[].prefix", "policy.sets[].name", "policy.statements[].name",
         "global.listen[].address", "global.listen[].port"}


def schema():
    """Key -> (effect, whether this version refuses it), from the reference, which a unit test holds to the program."""
    out = {}
    for name, body in re.findall(r"^\*(\S+)\*\n(.*?)(?=^\*|^#|\Z)", MAN_PAGE.read_text(), re.M | re.S):
        found = re.search(r"Change: ([a-z ]+)\.", body)
        if found:
            out[name.replace("\\", "")] = (EFFECTS[found.group(1)], "Not supported by this version" in body)
    return out


def files_of(edit):
    before = after = BASE
    for place, line in zip(edit[::2], edit[1::2]):
        last = (place, line) == (edit[-2], edit[-1])
        check(place in BASE, "'%s' is not in the configuration" % place)
        common, _, rest = line.partition("|\n") if "|" in line else ("", "", line)
        if place.startswith("#"):
            with_it, without = common + "\n" + rest, common if last else line
        else:
            with_it, without = line, place if last else line
        before, after = before.replace(place, without, 1), after.replace(place, with_it, 1)
    return before, after


def value_at(config, path):
    """The value that `show config` has for a path of a report; None when it is not there."""
    at = config
    for name, entry in re.findall(r"([^.\[\]]+)(?:\[([^\]]*)\])?\.?", re.sub(r"\[([^\]]*)\]", lambda m: "[" + m.group(1).replace(".", "\0") + "]", path)):
        at = at.get(name) if isinstance(at, dict) else None
        if entry and at is not None:
            entry = entry.replace("\0", ".")
            at = next((e for e in at if entry in (e.get("name"), e.get("prefix"), e.get("address"), "%s:%s" % (e.get("address"), e.get("port", 179)))), None)
        if at is None:
            return None
    return at


@test("H5 E: each key of the configuration: diff names it with what it takes, reload applies it or leaves it for the restart")
def every_key(t):
    keys = schema()
    check(len(keys) > 140, "the reference has few keys", len(keys))
    check(set(EDITS) <= set(keys), "keys that are not in the reference", set(EDITS) - set(keys))
    (t.folder / "heliod").mkdir()
    for name in ("token", "other-token"):
        (t.folder / "heliod" / name).write_text("the-%s-of-the-test\n" % name)
        (t.folder / "heliod" / name).chmod(0o600)
    heliod = t.reflector(BASE, watch=False)
    (heliod.folder / "key").write_text("secret\n")
    (heliod.folder / "key").chmod(0o600)
    missing = []
    for key, (effect, refused) in keys.items():
        if refused:
            continue
        if key not in EDITS:
            missing.append(key)
            continue
        if EDITS[key] is None:
            continue
        before, after = files_of(EDITS[key])
        heliod.config.write_text(before)
        run(heliod, "reload")
        heliod.config.write_text(after)
        want = effect if key not in ("peer-groups[].name",) else "applied"
        found = run(heliod, "diff")
        paths = [c for c in found["changes"] if re.sub(r"\[[^\]]*\]", "[]", c["path"]) in (key, key.replace(".*.", ".l3vpn-ipv4-unicast."), key.rsplit(".", 1)[0])]
        check(len(found["changes"]) == (2 if key.startswith("global.listen") else 1) and paths and all(c["effect"] == want for c in paths), key + " in the diff", found["changes"])
        report = run(heliod, "reload")
        check(report["applied"] and changes(report) == changes(found), key + " in the reload", report)
        inforce = heliod.show("config")["config"]
        if key not in WHOLE:
            is_new = value_at(inforce, paths[0]["path"]) == value_at(parse_toml(after), paths[0]["path"])
            check(is_new == (want != "needs-restart"), key + " in force", paths[0], value_at(inforce, paths[0]["path"]))
        left = changes(run(heliod, "diff"))
        check(left == (changes(found) if want == "needs-restart" else []), key + " afterwards", left)
    check(not missing, "keys without a test of their reload", missing)
    heliod.config.write_text(BASE)
    run(heliod, "reload")
    check(changes(run(heliod, "diff")) == [], "back to the beginning")


def parse_toml(text_of_file):
    import tomllib
    return tomllib.loads(text_of_file)


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
