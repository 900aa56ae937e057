"""PEs without RT-Constrain (pitfall 1.25): proxy membership from the import policy, marked routes, advice; policies on RT membership routes."""
import bgp
from harness import ALL_FAMILIES, RTC_NAME, check, group_toml, quiet, range_toml, test, wait_until

VPN, BOTH = (bgp.VPNV4,), (bgp.VPNV4, bgp.RTC)
LEGACY, MODERN, OTHER = "127.1.0.11", "127.2.0.12", "127.2.0.13"
MARK = (65000, 4684)

SETS = """[[policy.sets]]
name = "vpns"
route-targets = ["65000:1", "65000:2", "64512:*"]
[[policy.sets]]
name = "secret"
route-targets = ["65000:666"]
[[policy.statements]]
name = "vpns"
match = { any-route-target-in = "vpns" }
action = "accept"
[[policy.statements]]
name = "rest"
action = "reject"
[[policy.statements]]
name = "no-secret"
match = { any-membership-in = "secret" }
action = "reject"
"""


def groups(legacy, modern=""):
    """127.1/16: PEs without RTC; 127.2/16: PEs with it."""
    return (group_toml("legacy", extra=legacy) + group_toml("modern", extra=modern) + range_toml("127.1.0.0/16", "legacy") +
            range_toml("127.2.0.0/16", "modern") + SETS)


def of_legacy(heliod):
    return next((p for p in heliod.show("legacy-peers")["peers"] if p["address"] == LEGACY), None)


@test("pitfall 1.25 b; H4 J: what the import policy accepts by name is what a PE without RT-Constrain is sent, and what others learn is wanted")
def proxy(t):
    import harness
    config = harness.reflector_toml(groups=groups('import-policy = ["vpns", "rest"]\nrt-constrain = { proxy = "import-policy", route-targets = ["65000:9"] }\n'))
    config = config.replace('[[families]]\nname = "%s"\n' % RTC_NAME, '[[families]]\nname = "%s"\nwithout-rtc = "configured"\n' % RTC_NAME)
    heliod = t.reflector(config)
    modern, legacy = t.peer(MODERN, "", families=BOTH), t.peer(LEGACY, families=VPN)
    for i, target in enumerate(("65000:1", "65000:2", "65000:3", "64512:77", "65000:9")):
        modern.announce("65000:1", "10.0.%d.0/24" % i, [target])
    for i in (0, 1, 3, 4):
        legacy.wait_route("65000:1", "10.0.%d.0/24" % i)
    quiet(legacy, modern)
    check(legacy.route("65000:1", "10.0.2.0/24") is None, "65000:3 is not accepted from it, so it is not sent")
    for target in ("65000:1", "65000:2", "65000:9"):
        check(modern.has_rtc(target), "%s is told to be wanted" % target)
    check(not modern.has_rtc("65000:3"), "nothing else is")
    # Advice: what it exports and is not sent.
    legacy.announce("65000:2", "10.1.0.0/24", ["65000:1", "65000:8"])
    modern.wait_route("65000:2", "10.1.0.0/24")
    seen = wait_until(lambda: (lambda p: p if p and p["exports"] else None)(of_legacy(heliod)), "the report")
    check(seen["membership_from"] == "configured" and seen["exports"] == ["65000:1", "65000:8"] and seen["exports_not_sent"] == ["65000:8"], "the report", seen)
    check(len(seen["memberships"]) == 4 and "65000:8" in seen["suggestion"], "the report", seen)
    legacy.close()
    modern.wait(lambda: not modern.has_rtc("65000:1"), "the membership goes with its session")


@test("pitfall 1.25 c, d; H4 J: a marked route is a membership and is not reflected; it goes with the mark, the route and the session")
def marked_routes(t):
    heliod = t.reflector(groups=groups('rt-constrain = { marker-community = "65000:4684" }\n'))
    modern, legacy = t.peer(MODERN, "", families=BOTH), t.peer(LEGACY, families=VPN)
    modern.announce("65000:1", "10.0.1.0/24", ["65000:1"])
    modern.announce("65000:1", "10.0.2.0/24", ["65000:2"])
    quiet(legacy, modern)
    check(not legacy.vpn_routes(), "a PE of such a group is sent nothing that it did not ask for", legacy.vpn_routes())
    legacy.announce("65000:11", "127.1.0.11/32", ["65000:1", "65000:2"], communities=[MARK])
    legacy.wait_route("65000:1", "10.0.1.0/24")
    legacy.wait_route("65000:1", "10.0.2.0/24")
    modern.wait_rtc("65000:1")
    quiet(modern)
    check(modern.route("65000:11", "127.1.0.11/32") is None, "a marked route is never reflected")
    seen = of_legacy(heliod)
    check(seen["membership_from"] == "marked-routes" and seen["marked_routes"] == 1 and seen["exports"] == [], "helioctl show legacy-peers", seen)
    # Fewer targets, then no mark, then the mark again, then nothing.
    legacy.announce("65000:11", "127.1.0.11/32", ["65000:2"], communities=[MARK, (65000, 1)])
    legacy.wait_gone("65000:1", "10.0.1.0/24")
    legacy.announce("65000:11", "127.1.0.11/32", ["65000:2"])
    legacy.wait_gone("65000:1", "10.0.2.0/24")
    modern.wait_route("65000:11", "127.1.0.11/32")
    legacy.announce("65000:11", "127.1.0.11/32", ["65000:2"], communities=[MARK])
    legacy.wait_route("65000:1", "10.0.2.0/24")
    modern.wait_gone("65000:11", "127.1.0.11/32")
    modern.wait_rtc("65000:2")
    legacy.withdraw("65000:11", "127.1.0.11/32")
    legacy.wait_gone("65000:1", "10.0.2.0/24")
    modern.wait(lambda: not modern.has_rtc("65000:2"), "nobody wants 65000:2 any more")
    legacy.announce("65000:11", "127.1.0.11/32", ["65000:1"], communities=[MARK])
    modern.wait_rtc("65000:1")
    legacy.close()
    modern.wait(lambda: not modern.has_rtc("65000:1"), "the membership goes with its session")


@test("pitfall 1.25 d; H4 J: advice for a PE that is sent everything")
def advice(t):
    heliod = t.reflector(groups=groups(""))
    legacy, modern = t.peer(LEGACY, families=VPN), t.peer(MODERN, "65000:5", families=BOTH)
    legacy.announce("65000:2", "10.1.0.0/24", ["65000:5"])
    modern.wait_route("65000:2", "10.1.0.0/24")
    seen = of_legacy(heliod)
    check(seen["membership_from"] == "everything" and seen["exports"] == ["65000:5"] and seen["exports_not_sent"] == [], "the report", seen)
    check('route-targets = ["65000:5"]' in seen["suggestion"], "what to configure", seen)
    check(all(p["address"] != MODERN for p in heliod.show("legacy-peers")["peers"]), "a PE with RT-Constrain needs no advice")


@test("RFC 4684 §3.2, §6; H4 I: policies on RT membership routes: an import policy keeps a peer from what it may not ask for, an export policy keeps memberships in")
def policies(t):
    t.reflector(groups=groups('import-policy = ["no-secret"]\n', 'export-policy = ["no-secret"]\n'))
    source = t.peer("127.1.0.14", families=VPN)
    curious = t.peer(LEGACY, "65000:666", "65000:1", families=BOTH)
    modern, other = t.peer(MODERN, "65000:666", families=BOTH), t.peer("127.1.0.15", "", families=BOTH)
    source.announce("65000:1", "10.0.0.0/24", ["65000:666"])
    source.announce("65000:1", "10.0.1.0/24", ["65000:1"])
    curious.wait_route("65000:1", "10.0.1.0/24")
    modern.wait_route("65000:1", "10.0.0.0/24")  # the policy is about the other group
    modern.wait_rtc("65000:1")
    other.wait_rtc("65000:666")                  # asked for by modern, which may
    quiet(curious, modern, other)
    check(curious.route("65000:1", "10.0.0.0/24") is None, "what it may not ask for it is not sent")
    check(not modern.has_rtc("65000:666"), "the export policy keeps it from the group")


@test("RFC 4684 §3.2, pitfall 1.22: memberships that the import policy refuses are kept for other policies, and count against the limit")
def refused_count(t):
    heliod = t.reflector(groups=groups('import-policy = ["no-secret"]\nprefix-limits = { "rt-constrain" = { max-prefixes = 5, action = "discard-new" } }\n'))
    curious = t.peer(LEGACY, families=BOTH)
    for origin in range(20):
        curious.rtc("65000:666", origin_as=65000 + origin)
    wait_until(lambda: [f["discarded"] for f in heliod.show("peer", LEGACY)["families"] if f["family"] == "rtc"] == [15], lambda: "what is beyond the limit: %s" % heliod.show("peer", LEGACY), 10)
    curious.rtc("65000:1")
    curious.rtc_withdraw("65000:666", origin_as=65000)
    curious.rtc("65000:2")
    source = t.peer("127.1.0.14", families=VPN)
    source.announce("65000:1", "10.0.1.0/24", ["65000:1"])
    source.announce("65000:1", "10.0.2.0/24", ["65000:2"])
    curious.wait_route("65000:1", "10.0.2.0/24")
    quiet(curious)
    check(curious.route("65000:1", "10.0.1.0/24") is None and not curious.closed, "there was room for one only")
