"""helioctl explain: every reason it can give, provoked on the wire, and the sentence that names it (H5 A)."""
import bgp
from harness import VPN4, check, group_toml, quiet, range_toml, reflector_toml, test, wait_until

VPN = (bgp.VPNV4,)
WITH_RTC = (bgp.VPNV4, bgp.RTC)


class Asker:
    def __init__(self, heliod):
        self.heliod = heliod

    def delivery(self, prefix, rd, to, reason, *words):
        """Asks until the answer is `reason`; all words must be in its text or hints."""
        def ask():
            answer, status = self.heliod.explain(prefix, "--rd", rd, "--to", to)
            self.answer, self.status = answer, status
            return answer["deliveries"] and answer["deliveries"][0]["reason"] == reason
        wait_until(ask, lambda: "explain %s --rd %s --to %s: %s, but: %s" % (prefix, rd, to, reason, self.answer), 8)
        first = self.answer["deliveries"][0]
        said = first["text"] + " " + " ".join(first["hints"])
        for word in words:
            check(word in said, "'%s' is not in what was said" % word, said)
        check(first["sent"] == (reason in ("sent", "queued")) and self.status == (0 if first["sent"] else 1), "sent and exit status", first, self.status)
        check(all(s["passed"] for s in first["steps"][:-1]) and first["steps"][-1]["passed"] == first["sent"], "the chain ends where it breaks", first["steps"])
        return first

    def refusal(self, prefix, rd, reason):
        def ask():
            self.answer, _ = self.heliod.explain(prefix, "--rd", rd)
            return [r["reason"] for r in self.answer["refusals"]] == [reason]
        wait_until(ask, lambda: "refusal %s of %s: %s" % (reason, prefix, self.answer), 8)


@test("H5 A; RFC 4684 §6, 4456 §6, 1997, 8950, 8654: why a peer is or is not sent a route: sessions, families, reflection, memberships")
def deliveries(t):
    narrow = group_toml("narrow", families=("l3vpn-ipv6-unicast", "rt-constrain")) + range_toml("127.1.9.0/24", "narrow")
    usual = (group_toml("clients") + group_toml("mesh", "non-client") + group_toml("external", peer_as=65100) + range_toml("127.1.0.0/24", "clients") +
             range_toml("127.2.0.0/16", "mesh") + range_toml("127.3.0.0/16", "external"))
    asker = Asker(t.reflector(groups=narrow + usual, rtc='advertise = "auto"\ninitial-wait = 60'))
    x = ("10.1.1.0/24", "65000:101")
    source = t.peer("127.1.0.1", families=WITH_RTC, extended_next_hop=[bgp.VPNV4])
    source.announce("65000:101", "10.1.1.0/24", ["65000:101"], label=1001)
    good = t.peer("127.1.0.2", "65000:101", families=WITH_RTC)
    good.wait_route("65000:101", "10.1.1.0/24")
    first = asker.delivery(*x, good.address, "sent")
    check("let through by membership 65000:65000:101" in str(first["steps"]), "the membership that lets it through", first["steps"])
    # The UPDATE as it is sent: the very octets that came.
    wait_until(lambda: bytes.fromhex(first["update"]) in [bgp.message(k, b) for k, b in good.messages], "the UPDATE among what was received", 3)
    asker.delivery(*x, source.address, "own-route", "RFC 4456")

    near = t.peer("127.1.0.3", "65000:110", "65000:500", families=WITH_RTC)
    asker.delivery(*x, near.address, "no-membership", "peer asked for 2 RTs, none of 65000:101", "it asks for 65000:110", "one character off", "1 other peer asks for it")
    other_type = t.peer("127.1.0.4", "65000L:101", families=WITH_RTC)
    asker.delivery(*x, other_type.address, "no-membership", "another type of route target")
    everything = t.peer("127.1.0.5", "", families=WITH_RTC)
    check("the default membership" in str(asker.delivery(*x, everything.address, "sent")["steps"]), "the default membership")
    legacy = t.peer("127.1.0.6", families=VPN)
    check("did not negotiate RT-Constrain" in str(asker.delivery(*x, legacy.address, "sent")["steps"]), "without RTC everything")
    waiting = t.peer("127.1.0.7", families=WITH_RTC, join=False)
    asker.delivery(*x, waiting.address, "waiting-for-memberships", "End-of-RIB", "initial-wait")

    t.peer("127.1.0.8", families=(bgp.VPNV6, bgp.RTC))
    asker.delivery(*x, "127.1.0.8", "family-not-negotiated", "vpnv4", "activate vpnv4")
    t.peer("127.1.9.1", families=(bgp.VPNV6, bgp.RTC))
    asker.delivery(*x, "127.1.9.1", "family-not-configured", "group narrow")
    gone = t.peer("127.1.0.9", "65000:101", families=WITH_RTC)
    gone.wait_route("65000:101", "10.1.1.0/24")
    gone.close()
    asker.delivery(*x, "127.1.0.9", "session-down", "not Established", "explain peer 127.1.0.9")
    asker.delivery("10.9.9.0/24", "65000:101", good.address, "no-such-route", "nobody announces it")

    one, two = t.peer("127.2.0.1", families=VPN), t.peer("127.2.0.2", families=VPN)
    one.announce("65000:102", "10.2.0.0/24", ["65000:101"])
    asker.delivery("10.2.0.0/24", "65000:102", two.address, "non-client-mesh", "both non-clients")
    outside = t.peer("127.3.0.1", families=VPN, asn=65100)
    source.announce("65000:101", "10.1.2.0/24", ["65000:101"], communities=[(0xffff, 0xff01)])
    asker.delivery("10.1.2.0/24", "65000:101", outside.address, "no-export", "NO_EXPORT")
    source.announce("65000:101", "10.1.3.0/24", ["65000:101"], communities=[(0xffff, 0xff02)])
    asker.delivery("10.1.3.0/24", "65000:101", good.address, "no-advertise", "NO_ADVERTISE")
    source.announce("65000:101", "10.1.5.0/24", ["65000:101"], raw_next_hop=bytes(8) + bgp.ip("2001:db8::7"))
    asker.delivery("10.1.5.0/24", "65000:101", good.address, "ipv6-next-hop", "RFC 8950")
    source.announce("65000:101", "10.1.6.0/24", ["65000:101"], path=[65100])
    asker.delivery("10.1.6.0/24", "65000:101", outside.address, "sent", "its AS 65100 is in the AS_PATH")
    source.announce("65000:101", "10.1.7.0/24", ["65000:101"], originator=good.router_id)
    asker.delivery("10.1.7.0/24", "65000:101", good.address, "sent", "ORIGINATOR_ID is its own router id")


@test("H5 A; RFC 4456 §8, 4271 §9.1.2, 7606 §2: what was refused on the way in is remembered with its reason; where else a missing prefix is")
def refusals(t):
    limited = group_toml("limited", extra='prefix-limits = { "%s" = { max-prefixes = 1, action = "discard-new" } }' % VPN4) + range_toml("127.1.5.0/24", "limited")
    usual = (group_toml("clients") + range_toml("127.1.0.0/24", "clients") + group_toml("external", peer_as=65100) + range_toml("127.3.0.0/16", "external"))
    heliod = t.reflector(groups=limited + usual, tail="[limits]\nmax-paths-per-rd = 3\nmax-attribute-size = 600\n")
    asker = Asker(heliod)
    pe, viewer = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    pe.announce("65000:1", "10.0.1.0/24", ["65000:1"], originator="10.255.0.1")
    asker.refusal("10.0.1.0/24", "65000:1", "originator-loop")
    check(asker.answer["refusals"][0]["from"] == "127.1.0.1" and "our own route coming back" in asker.answer["refusals"][0]["text"], "who and why", asker.answer)
    pe.announce("65000:1", "10.0.2.0/24", ["65000:1"], cluster_list=["10.255.0.1"])
    asker.refusal("10.0.2.0/24", "65000:1", "cluster-loop")
    outside = t.peer("127.3.0.1", families=VPN, asn=65100)
    outside.announce("65000:1", "10.0.3.0/24", ["65000:1"], path=[65100, 65000])
    asker.refusal("10.0.3.0/24", "65000:1", "as-loop")
    asker.delivery("10.0.3.0/24", "65000:1", viewer.address, "refused", "as-loop")
    pe.announce("65000:1", "10.0.4.0/24", ["65000:1"], origin=7)
    asker.refusal("10.0.4.0/24", "65000:1", "treated-as-withdraw")
    pe.announce("65000:1", "10.0.5.0/24", ["65000:1"], extra=[(200, bytes(700), 0xD0)])
    asker.refusal("10.0.5.0/24", "65000:1", "attribute-size")
    leaky = t.peer("127.1.5.1", families=VPN)
    leaky.announce("65000:7", "10.7.0.0/24", ["65000:7"])
    leaky.announce("65000:7", "10.7.1.0/24", ["65000:7"])
    asker.refusal("10.7.1.0/24", "65000:7", "prefix-limit")
    pe.announce("65000:8", ["10.8.%d.0/24" % i for i in range(4)], ["65000:8"])
    asker.refusal("10.8.3.0/24", "65000:8", "rd-quota")
    # Taken in after all: no refusal is shown any more.
    outside.announce("65000:1", "10.0.3.0/24", ["65000:1"])
    viewer.wait_route("65000:1", "10.0.3.0/24")
    answer, status = heliod.explain("10.0.3.0/24", "--rd", "65000:1")
    check(status == 0 and answer["refusals"] == [] and answer["route"]["paths"][0]["best"], "the route is there", answer)
    # Not there: under another RD, in a VRF nobody exports, or only this prefix is missing.
    answer, status = heliod.explain("10.0.3.0/24", "--rd", "65000:99")
    check(status == 1 and "RD 65000:1 " in answer["hints"][0] and "no vpnv4 route has RD 65000:99" in answer["hints"][1], "hints", answer)
    answer, _ = heliod.explain("10.0.77.0/24", "--rd", "65000:1")
    check("RD 65000:1 has other vpnv4 routes" in answer["hints"][0], "hints", answer)
    pe.announce("65000:1", "10.0.6.0/24", ["65000:1"], extra=[])
    # Every path with the step at which it lost (RFC 4271 §9.1.2.2).
    viewer.announce("65000:1", "10.0.6.0/24", ["65000:1"], local_pref=90)
    wait_until(lambda: len(heliod.explain("10.0.6.0/24", "--rd", "65000:1")[0]["route"]["paths"]) == 2, "two paths")
    paths = heliod.explain("10.0.6.0/24", "--rd", "65000:1")[0]["route"]["paths"]
    check(paths[0]["best"] and paths[1]["lost_at"] == "lower LOCAL_PREF", "why the other lost", paths)


@test("H5 A; RFC 4271 §9.1, 7606 §2, 4456 §6: policies in both directions, meshed clusters, a disabled family")
def policies(t):
    groups = (group_toml("clients") + group_toml("screened", extra='import-policy = ["no-tens"]\nexport-policy = ["no-elevens"]') +
              group_toml("meshed", extra='cluster-id = "10.255.0.9"\nclient-to-client = false') +
              range_toml("127.1.0.0/24", "clients") + range_toml("127.1.1.0/24", "screened") + range_toml("127.1.2.0/24", "meshed"))
    policy = ('[[policy.sets]]\nname = "tens"\nprefixes = ["10.10.0.0/16 le 32"]\n[[policy.sets]]\nname = "elevens"\nprefixes = ["10.11.0.0/16 le 32"]\n'
              '[[policy.statements]]\nname = "no-tens"\nmatch = { prefix-in = "tens" }\naction = "reject"\n'
              '[[policy.statements]]\nname = "no-elevens"\nmatch = { prefix-in = "elevens" }\naction = "reject"\n')
    asker = Asker(t.reflector(groups=groups, tail=policy))
    pe, screened = t.peer("127.1.0.1", families=VPN), t.peer("127.1.1.1", families=VPN)
    screened.announce("65000:1", "10.10.1.0/24", ["65000:1"])
    asker.delivery("10.10.1.0/24", "65000:1", pe.address, "import-policy", "statement no-tens", "--rib adj-in")
    pe.announce("65000:1", "10.11.1.0/24", ["65000:1"])
    asker.delivery("10.11.1.0/24", "65000:1", screened.address, "export-policy", "no-elevens")
    one, two = t.peer("127.1.2.1", families=VPN), t.peer("127.1.2.2", families=VPN)
    one.announce("65000:1", "10.12.0.0/24", ["65000:1"])
    pe.wait_route("65000:1", "10.12.0.0/24")
    asker.delivery("10.12.0.0/24", "65000:1", two.address, "meshed-cluster", "client-to-client")
    # An MP_REACH whose NLRI cannot be read disables the family (RFC 7606 §2, §5.3).
    two.send(bgp.update(bgp.path_attributes(["65000:1"]) + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.0.0.1"), b"\xff\0\0")))
    asker.delivery("10.11.1.0/24", "65000:1", two.address, "family-disabled", "RFC 7606")


@test("H5 A: explain rt: exporters, importers and by which membership, orphans, near misses")
def route_targets(t):
    heliod = t.reflector()
    pe, importer, legacy = t.peer("127.1.0.1"), t.peer("127.1.0.2", "65000:1", "65000:20"), t.peer("127.1.0.3", families=VPN)
    pe.announce("65000:1", ["10.0.%d.0/24" % i for i in range(5)], ["65000:1"])
    importer.wait_route("65000:1", "10.0.4.0/24")
    answer, status = heliod.explain("rt", "65000:1")
    check(status == 0 and answer["prefixes"] == 5 and answer["exporters"] == [{"peer": "127.1.0.1", "prefixes": 5}], "exporters", answer)
    check([i["peer"] for i in answer["importers"]] == ["127.1.0.2", "127.1.0.3"] and answer["importers"][0]["by"] == "membership 65000:65000:1" and
          "sent everything" in answer["importers"][1]["by"], "importers", answer)
    legacy.close()
    pe.announce("65000:2", "10.1.0.0/24", ["65000:2"])
    wait_until(lambda: heliod.explain("rt", "65000:2")[0]["hints"], "an orphan")
    answer, status = heliod.explain("rt", "65000:2")
    check(status == 1 and "exported, but imported by nobody" in answer["hints"][0] and "somebody imports 65000:20, which is not 65000:2: one character off" in answer["hints"], "orphan", answer)
    answer, _ = heliod.explain("rt", "65000:20")
    check("imported, but exported by nobody" in answer["hints"][0] and any("somebody exports 65000:2," in h for h in answer["hints"]), "the reverse", answer)
    answer, _ = heliod.explain("rt", "64999:9")
    check(answer["hints"] == ["nobody exports it and nobody imports it"], "unknown", answer)


@test("H5 A; RFC 4684 §6, 4724 §4.1: nothing without RTC by configuration, nothing yet after our own start")
def silent(t):
    none = reflector_toml(listen=(("127.0.0.1", 1795),), groups=group_toml("clients") + range_toml("127.1.0.0/24", "clients"))
    none = none.replace('name = "rt-constrain"\n', 'name = "rt-constrain"\nwithout-rtc = "send-none"\n', 1)
    check("send-none" in none, "the configuration of the test", none)
    asker = Asker(t.reflector(config=none, watch=False))
    pe, other = t.peer("127.1.0.1", families=VPN, port=1795), t.peer("127.1.0.2", families=VPN, port=1795)
    pe.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    asker.delivery("10.0.0.0/24", "65000:1", other.address, "send-none", 'without-rtc = "send-none"')
    asker = Asker(t.reflector(folder="second", watch=False, timers="initial-sync = { max-delay = 60, peers-ratio = 1.0 }"))
    pe, other = t.peer("127.1.0.1", families=VPN, join=False), t.peer("127.1.0.2", families=VPN)
    pe.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    asker.delivery("10.0.0.0/24", "65000:1", other.address, "waiting-for-start", "our own start")
