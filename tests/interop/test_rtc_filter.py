"""RT-Constrain as a filter: which VPN routes a membership lets through, and how little is sent when it changes (FIELD-NOTES part 1)."""
import bgp
from harness import check, quiet, test
from test_rtc import VPN, prefixes, source


def counts(peer, *expected):
    """Waits until the peer has that many routes of 10.0, 10.1, …"""
    peer.wait(lambda: all(prefixes(peer, i) == n for i, n in enumerate(expected)),
              "counts %s (has %s)" % (expected, [prefixes(peer, i) for i in range(len(expected))]))


def silent(peer, mark, text):
    quiet(peer)
    events = peer.events_since(mark, family=bgp.VPNV4)
    check(not events, text + ": nothing should be sent", events[:5])


@test("RFC 4684 §6; pitfalls 1.2, 1.3, 1.19: origin AS is no part of the match; the same RT twice counts twice")
def origin_as(t):
    t.reflector()
    source(t, "65000:1", "64512:1")
    pe, other = t.peer("127.1.0.1", "65000:1"), t.peer("127.1.0.2", "65000:1")
    counts(pe, 20, 0)
    counts(other, 20, 0)
    mark = pe.mark()
    pe.rtc("65000:1", origin_as=64999)
    silent(pe, mark, "a second origin AS for the same RT")
    pe.rtc_withdraw("65000:1")
    silent(pe, mark, "one of two memberships gone")
    pe.rtc_withdraw("65000:1", origin_as=64999)
    counts(pe, 0, 0)
    quiet(other)
    check(prefixes(other, 0) == 20, "another peer's identical membership went away too")
    pe.rtc("64512:1", origin_as=4200000000)
    counts(pe, 0, 20)


@test("RFC 4684 §6; pitfalls 1.2, 1.13: default and /32 cover everything; only what nothing covers is withdrawn")
def default_and_specific(t):
    t.reflector(rtc='advertise = "default"')  # tshark 4.0 fails on a /32 membership, so none is reflected here
    source(t, "65000:1", "65000:2", "65000:3")
    pe = t.peer("127.1.0.1", "65000:1")
    counts(pe, 20, 0, 0)
    mark = pe.mark()
    pe.rtc("")
    counts(pe, 20, 20, 20)
    again = [e for e in pe.events_since(mark, family=bgp.VPNV4) if e.key[3][:2] == bytes([10, 0])]
    check(not again, "routes that were there already came again", again[:3])
    mark = pe.mark()
    pe.rtc("65000:2")
    silent(pe, mark, "a specific membership beside default")
    pe.rtc(nlri=bgp.rtc_nlri(65000, b"", 32))
    silent(pe, mark, "/32 beside default")
    pe.rtc_withdraw("")
    silent(pe, mark, "default gone while /32 remains")
    pe.rtc_withdraw(nlri=bgp.rtc_nlri(65000, b"", 32))
    counts(pe, 20, 20, 0)
    quiet(pe)
    events = pe.events_since(mark, family=bgp.VPNV4)
    check(len(events) == 20 and all(e.kind == "withdraw" and e.key[3][:2] == bytes([10, 2]) for e in events), "only the uncovered ones withdrawn", len(events))
    # The other way round: a fresh peer with /32 alone.
    all_of = t.peer("127.1.0.2", join=False)
    all_of.rtc(nlri=bgp.rtc_nlri(64777, b"", 32)).eor(bgp.RTC)
    counts(all_of, 20, 20, 20)


@test("RFC 4684 §4; pitfalls 1.12, 1.23: partial lengths 33..95 match by prefix, trailing bits are masked")
def partial(t):
    t.reflector()
    source(t, "65000:1", "65000:2", "65001:1", "10.0.0.1:1", "4200000000:1", "65000:131072")
    rt = bgp.rt
    # (bits, leading octets of the extended community, which of the six customers match)
    rows = [(96, rt("65000:1"), "100000"), (48, b"\0\2", "111001"), (64, rt("65000:0")[:4], "110001"), (80, rt("65000:0")[:6], "110000"),
            (79, rt("65000:0")[:6], "110000"), (78, rt("65000:0")[:6], "110001"), (95, rt("65000:2"), "010000"), (94, rt("65000:2"), "110000"),
            (40, b"\1", "000100"), (40, b"\2", "000010"), (33, b"\0", "111111"), (39, b"\0", "111101"), (39, b"\2", "000010"), (63, rt("65000:0")[:4], "111001")]
    for i, (bits, octets, expected) in enumerate(rows):
        pe = t.peer("127.1.1.%d" % (i + 1), join=False)
        pe.rtc(nlri=bgp.rtc_nlri(65000, octets, bits)).eor(bgp.RTC)
        pe.wait_eor(bgp.VPNV4)
        got = "".join("1" if prefixes(pe, n) == 20 else "0" if prefixes(pe, n) == 0 else "?" for n in range(6))
        check(got == expected, "/%d %s matches %s, expected %s" % (bits, octets.hex(), got, expected))
    # Bits beyond the length are no part of the key: announced with garbage, withdrawn with other garbage.
    pe = t.peer("127.1.0.1")
    nlri = bytearray(bgp.rtc_nlri(65000, rt("65000:2"), 95))
    nlri[-1] |= 1
    pe.rtc(nlri=bytes(nlri))
    counts(pe, 0, 20)
    pe.rtc_withdraw(nlri=bgp.rtc_nlri(65000, rt("65000:2"), 95))
    counts(pe, 0, 0)


@test("RFC 4684 §4, RFC 7606; pitfall 1.14: lengths 1..31 are withdrawn alone; nothing bad in RTC stops VPN service")
def invalid_lengths(t):
    t.reflector()
    origin = source(t, "65000:1", "65000:2")
    pe = t.peer("127.1.0.1", join=False)
    for bits in (1, 8, 24, 31):
        pe.rtc(nlri=bytes([bits]) + b"\xfd" * ((bits + 7) // 8) + bgp.rtc_nlri(65000, "65000:1"))
    pe.rtc(nlri=bgp.rtc_nlri(65000, "65000:2") + b"\x1f\0\0\xfd\xe8")
    pe.eor(bgp.RTC)
    counts(pe, 20, 20)
    pe.rtc_withdraw(nlri=b"\x10\xfd\xe8" + bgp.rtc_nlri(65000, "65000:2"))
    counts(pe, 20, 0)
    # Too long, or cut off: no membership, and neither the session nor the VPN routes suffer.
    pe.rtc(nlri=b"\x61" + bgp.rtc_nlri(65000, "65000:2")[1:] + b"\x80")
    quiet(pe)
    check(pe.notification is None and not pe.closed, "a bad RTC NLRI ended the session", pe.notification)
    origin.announce("65000:9", "10.0.99.0/24", ["65000:1"])
    pe.wait_route("65000:9", "10.0.99.0/24")
    check(prefixes(pe, 1) == 0, "a bad RTC NLRI became a membership")


@test("RFC 4684 §6; pitfalls 1.1, 1.18, field note 3.7; DESIGN §4.2: routes with several RTs, RT changes, and not one update too many")
def target_changes(t):
    t.reflector()
    origin = t.peer("127.1.0.9", families=VPN)
    a, b, ab = t.peer("127.1.0.1", "65000:1"), t.peer("127.1.0.2", "65000:2"), t.peer("127.1.0.3", "65000:1", "65000:2")
    x = ("65000:9", "10.0.0.0/24")
    say = lambda *rts, **more: origin.announce(*x, list(rts), **more)
    new_events = lambda p, mark: [e.kind for e in p.events_since(mark, family=bgp.VPNV4)]

    def step(text, of_a, of_b, of_ab):
        for p, expected in ((a, of_a), (b, of_b), (ab, of_ab)):
            p.wait(lambda: len(new_events(p, marks[p])) >= len(expected), text)
        quiet(a, b, ab, seconds=0.2)
        for name, p, expected in (("a", a, of_a), ("b", b, of_b), ("ab", ab, of_ab)):
            check(new_events(p, marks[p]) == expected, "%s: %s was sent %s, expected %s" % (text, name, new_events(p, marks[p]), expected))
            marks[p] = p.mark()

    for p in (a, b, ab):
        p.wait_eor(bgp.VPNV4)
    marks = {p: p.mark() for p in (a, b, ab)}
    announce, withdraw, nothing = ["announce"], ["withdraw"], []
    say("65000:1")
    step("announced with RT 1", announce, nothing, announce)
    say("65000:2")
    step("RT 1 to RT 2", withdraw, announce, announce)
    say("65000:1", "65000:2")
    step("RT 2 to both", announce, announce, announce)
    say("65000:2", "65000:1", label=17)
    step("relabelled with both", announce, announce, announce)
    say("65000:3")
    step("to an RT of nobody", withdraw, withdraw, withdraw)
    say("65000:3", label=20)
    step("relabelled unseen", nothing, nothing, nothing)
    say("65000:3", "65000:1")
    step("one RT more", announce, nothing, announce)
    say("65000:3", "65000:1")
    step("said again without a change", nothing, nothing, nothing)
    ab.rtc_withdraw("65000:2")
    say("65000:1", "65000:2")
    step("ab lost RT 2 meanwhile", announce, announce, announce)
    ab.rtc_withdraw("65000:1")
    step("ab lost RT 1", nothing, nothing, withdraw)
    ab.rtc("65000:2")
    step("ab regained RT 2", nothing, nothing, announce)
    origin.withdraw(*x)
    step("withdrawn", withdraw, withdraw, withdraw)
    origin.withdraw(*x)
    step("withdrawn again", nothing, nothing, nothing)
    say()
    step("no route target at all", nothing, nothing, nothing)


@test("pitfall 1.24, 1.26, DESIGN §3: RT types are different targets; interest before routes, routes before interest")
def types_and_order(t):
    t.reflector()
    two, four, hub = t.peer("127.1.0.1", "65000:1"), t.peer("127.1.0.2", "65000L:1"), t.peer("127.1.0.3", "65000:777")
    origin = source(t, "65000:1", "65000L:1")
    counts(two, 20, 0)
    counts(four, 0, 20)
    quiet(hub)
    check(not hub.vpn_routes(), "routes without interest")
    origin.announce("65000:9", "10.77.0.0/24", ["65000:777"])
    hub.wait_route("65000:9", "10.77.0.0/24")
    # Not a route target: same type, other subtype; non-transitive type. Neither matches, both are kept.
    origin.announce("65000:9", "10.78.0.0/24", [], ext=[bytes.fromhex("0003fde800000001"), bytes.fromhex("4002fde800000001")])
    origin.announce("65000:9", "10.79.0.0/24", ["65000:777"], ext=[bytes.fromhex("0003fde800000001")])
    route = hub.wait_route("65000:9", "10.79.0.0/24")
    check(bytes.fromhex("0003fde800000001") in route.value(bgp.EXT_COMMUNITY), "site of origin kept (wire 2.19)")
    quiet(two)
    check(two.route("65000:9", "10.78.0.0/24") is None, "a site of origin matched as a route target")


@test("pitfalls 1.8, 1.15, 1.19; HOSTILE-INPUT §3 RTC churn: memberships on and off, sessions lost and back, end in the exact set")
def churn(t):
    t.reflector(shards=3)
    rts = ["65000:%d" % (1 + i) for i in range(8)]
    origin = source(t, *rts, count=30)
    pe = t.peer("127.1.0.1", *rts[:4])
    for round_number in range(5):
        pe.rtc_withdraw(*rts)
        pe.rtc(*rts[round_number % 4:])
        pe.rtc_withdraw(*rts[:6])
        pe.rtc(rts[round_number])
    counts(pe, *[30 if i == 4 or i >= 6 else 0 for i in range(8)])
    # The PE is reset with routes in flight and comes back with another set; its old one is gone.
    pe.rtc("")
    pe.reset()
    back = t.peer("127.1.0.1", rts[2])
    counts(back, 0, 0, 30, 0, 0, 0, 0, 0)
    back.wait_eor(bgp.VPNV4)
    many = b"".join(bgp.rtc_nlri(65000, "64000:%d" % i) for i in range(250))
    for _ in range(5):
        back.rtc(nlri=many)
        back.rtc_withdraw(nlri=many)
    back.rtc(rts[3])
    counts(back, 0, 0, 30, 30)
    quiet(back)
    check(not back.events_since(0, "withdraw", family=bgp.VPNV4), "withdrawals of routes that were never sent", back.events_since(0, "withdraw")[:3])
    origin.close()
    counts(back, 0, 0, 0, 0)
