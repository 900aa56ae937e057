"""ExaBGP 4.2 injecting odd but legal UPDATEs (issue H1, proof 3); what it cannot say is in test_wire.py."""
import bgp
from daemons import ExaBgp
from harness import check, test, wait_until

EXABGP = "127.1.0.50"
RT1 = "extended-community [ target:65000:1 ]"


def start(t):
    t.reflector()
    pe = t.peer("127.1.0.1", "65000:1", families=(bgp.VPNV4, bgp.VPNV6, bgp.RTC))
    legacy = t.peer("127.1.0.2", families=(bgp.VPNV4, bgp.VPNV6))
    exabgp = ExaBgp(t, EXABGP, "127.0.0.1", announce="  static { route 10.99.0.0/24 rd 65000:9 next-hop 10.1.0.50 label 99 %s; }\n" % RT1)
    pe.wait_route("65000:9", "10.99.0.0/24", 99, deadline=20)
    return pe, legacy, exabgp


@test("RFC 4271 §5, §9, 8092, 6793; wire 2.1, 2.3, field notes 3.5, 3.8: unknown attributes, large communities, AS_SET, long AS_PATH, no MED")
def odd_but_legal(t):
    pe, legacy, exabgp = start(t)
    say = lambda prefix, words, rd="65000:9", label=100: exabgp.say(
        "announce route %s rd %s next-hop 10.1.0.50 label %d %s" % (prefix, rd, label, words if "extended-community" in words else RT1 + " " + words))

    say("10.1.0.0/24", "attribute [ 0xc8 0xe0 0x0102030405 ]")
    say("10.1.1.0/24", "attribute [ 0xc9 0xc0 0x%s ]" % ("ab" * 300))
    say("10.1.2.0/24", "attribute [ 0xca 0x80 0x01 ]")
    for p in (pe, legacy):
        flags, value = p.wait_route("65000:9", "10.1.0.0/24").attributes[0xC8]
        check(value == bytes.fromhex("0102030405") and flags & 0xE0 == 0xE0, "unknown transitive attribute kept, Partial set", hex(flags), value.hex())
        flags, value = p.wait_route("65000:9", "10.1.1.0/24").attributes[0xC9]
        check(value == b"\xab" * 300 and flags & 0xE0 == 0xE0, "unknown transitive attribute of 300 octets kept, Partial set now", hex(flags), len(value))
        check(0xCA not in p.wait_route("65000:9", "10.1.2.0/24").attributes, "unknown non-transitive attribute dropped")

    say("10.2.0.0/24", "large-community [ 65000:1:2 4200000000:4294967295:0 ] community [ 65000:1 no-export 65535:65535 ]")
    route = pe.wait_route("65000:9", "10.2.0.0/24")
    check(len(route.value(bgp.LARGE)) == 24 and len(route.value(bgp.COMMUNITY)) == 12, "communities kept", route.attributes)

    many = "extended-community [ target:65000:1 %s origin:65000:77 ]" % " ".join("target:65001:%d" % i for i in range(60))
    say("10.3.0.0/24", many)
    route = pe.wait_route("65000:9", "10.3.0.0/24")
    check(len(route.rts) == 61 and len(route.value(bgp.EXT_COMMUNITY)) == 62 * 8, "61 route targets and a site of origin kept", sorted(route.rts)[:5])

    say("10.4.0.0/24", "as-path [ 65010 65020 ( 65030 65031 ) ]")
    path = pe.wait_route("65000:9", "10.4.0.0/24").as_path()
    check([k for k, _ in path] in ([2, 1], [2, 1, 2]) and sorted(path[1][1]) == [65030, 65031], "AS_SET kept", path)
    say("10.5.0.0/24", "as-path [ %s ]" % " ".join(str(64600 + i % 50) for i in range(240)))
    check(sum(len(n) for _, n in pe.wait_route("65000:9", "10.5.0.0/24").as_path()) == 240, "AS_PATH of 240 kept")
    say("10.6.0.0/24", "as-path [ 4200000001 4200000002 ]")
    check(pe.wait_route("65000:9", "10.6.0.0/24").as_path() == [(2, [4200000001, 4200000002])], "4-octet AS numbers kept")

    say("10.7.0.0/24", "origin incomplete med 4294967295 local-preference 0 atomic-aggregate aggregator ( 65001:10.0.0.9 )")
    route = pe.wait_route("65000:9", "10.7.0.0/24")
    check((route.number(bgp.ORIGIN), route.number(bgp.MED), route.number(bgp.LOCAL_PREF)) == (2, 4294967295, 0), "extreme values kept", route.attributes)
    check(bgp.ATOMIC in route.attributes and len(route.value(bgp.AGGREGATOR)) == 8, "ATOMIC_AGGREGATE and AGGREGATOR kept")
    say("10.8.0.0/24", "")
    check(pe.wait_route("65000:9", "10.8.0.0/24").number(bgp.MED) is None, "MED absent stays absent")
    say("0.0.0.0/0", "", label=1048575)
    say("10.9.9.9/32", "", rd="10.0.0.1:65535", label=3)
    pe.wait_route("65000:9", "0.0.0.0/0", 1048575)
    pe.wait_route("10.0.0.1:65535", "10.9.9.9/32", 3)

    check(bgp.NEXT_HOP not in pe.route("65000:9", "10.8.0.0/24").attributes, "NEXT_HOP beside MP_REACH is not passed on")
    sent = t.capture.tshark("ip.src==%s and bgp.update.path_attribute.type_code==3 and bgp.update.path_attribute.type_code==14" % EXABGP, "frame.number")
    check(sent, "ExaBGP sent NEXT_HOP beside MP_REACH (field note 3.5)")


@test("RFC 8277 §2.4, 4271 §9; wire 2.5, 2.6, pitfall 1.18, field note 3.5: relabel, RT change, withdrawal, VPNv6")
def changes(t):
    pe, legacy, exabgp = start(t)
    exabgp.say("announce route 10.1.0.0/24 rd 65000:9 next-hop 10.1.0.50 label 100 " + RT1)
    pe.wait_route("65000:9", "10.1.0.0/24", 100)
    # ExaBGP does not re-send what changes only the label: a MED with it makes it speak.
    exabgp.say("announce route 10.1.0.0/24 rd 65000:9 next-hop 10.1.0.50 label 101 med 5 " + RT1)
    for p in (pe, legacy):
        p.wait_route("65000:9", "10.1.0.0/24", 101)
    exabgp.say("announce route 10.1.0.0/24 rd 65000:9 next-hop 10.1.0.50 label 101 med 5 extended-community [ target:65000:2 ]")
    pe.wait_gone("65000:9", "10.1.0.0/24")
    legacy.wait_route("65000:9", "10.1.0.0/24", 101, lambda r: r.rts == {"65000:2"})
    exabgp.say("announce route 10.1.0.0/24 rd 65000:9 next-hop 10.1.0.50 label 102 extended-community [ target:65000:2 target:65000:1 ]")
    pe.wait_route("65000:9", "10.1.0.0/24", 102)
    exabgp.say("withdraw route 10.1.0.0/24 rd 65000:9 next-hop 10.1.0.50 label 102")
    pe.wait_gone("65000:9", "10.1.0.0/24")
    legacy.wait_gone("65000:9", "10.1.0.0/24")
    exabgp.say("announce route 2001:db8:7::/64 rd 65000:9 next-hop 2001:db8::50 label 777 " + RT1)
    route = pe.wait_route("65000:9", "2001:db8:7::/64", 777)
    check(route.next_hop_address == "2001:db8::50" and len(route.next_hop) in (24, 48), "VPNv6 next hop kept", route)
    exabgp.process.stop()
    wait_until(lambda: not pe.vpn_routes() and not legacy.vpn_routes(), "everything of ExaBGP withdrawn")
