"""Reloads (H5 E) of every key of the configuration: what the diff says it takes, and that it is so."""
import pathlib
import re
import tomllib

from harness import check, test
from test_reload import changes, run

MAN_PAGE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "man" / "heliograph.toml.5.scd"
EFFECTS = {"applied": "applied", "session reset": "needs-session-reset", "restart": "needs-restart"}

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
            is_new = value_at(inforce, paths[0]["path"]) == value_at(tomllib.loads(after), paths[0]["path"])
            check(is_new == (want != "needs-restart"), key + " in force", paths[0], value_at(inforce, paths[0]["path"]))
        left = changes(run(heliod, "diff"))
        check(left == (changes(found) if want == "needs-restart" else []), key + " afterwards", left)
    check(not missing, "keys without a test of their reload", missing)
    heliod.config.write_text(BASE)
    run(heliod, "reload")
    check(changes(run(heliod, "diff")) == [], "back to the beginning")
