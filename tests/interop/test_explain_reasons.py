"""helioctl explain: the reasons that need time, size or a slow reader, and the list that holds all of them to a test (H5 A)."""
import pathlib
import re

import bgp
from harness import check, group_toml, range_toml, test, wait_until
from test_explain import VPN, Asker
from test_nexthops import FAR, NEAR, ip, lab
from test_restart import gr, llgr

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = group_toml("clients") + range_toml("127.1.0.0/24", "clients")
# A moment between two turns of a shard, too short to be asked in from outside: the unit tests of the shard have it.
TOO_SHORT = {"waiting-for-walk"}
TOO_MANY = {"label-stacks"}  # 16,777,216 of them; TEST(LabelStacks, …) makes do with fewer


@test("H5 A: each reason that explain knows is provoked by a test, which checks it")
def every_reason(t):
    code = (ROOT / "rr/reflector/explain.cpp").read_text()
    known = set(re.findall(r'chain\.stop\("[a-z]+", "([a-z-]+)"', code)) | set(re.findall(r'view\(\)\.reason = "([a-z-]+)"', code))
    check(len(known) >= 24, "the reasons are found in the code", known)
    names = re.search(r"kNames\[\] = \{(.*?)\};", (ROOT / "rr/reflector/refusals.cpp").read_text(), re.S).group(1)
    refusals = set(re.findall(r'"([a-z-]+)"', names))
    check(len(refusals) >= 9, "the refusals are found in the code", refusals)
    tests = "".join((ROOT / "tests/interop" / f).read_text() for f in ("test_explain.py", "test_explain_reasons.py", "test_planes.py"))
    # A reason counts where it is asked for with words of its sentence, a refusal where it is asked for.
    provoked = set(re.findall(r'asker\.delivery\([^\n]*?, "([a-z-]+)"[,)]', tests))
    refused = set(re.findall(r'asker\.refusal\([^\n]*?"([a-z-]+)"\)', tests))
    check(known - provoked == TOO_SHORT, "reasons without a test", known - provoked - TOO_SHORT, "that are not too short any more", TOO_SHORT - (known - provoked))
    check(provoked <= known, "reasons that the code does not have", provoked - known)
    refusals -= TOO_MANY
    check(refused == refusals, "refusals without a test", refusals - refused, "that the code does not have", refused - refusals)


@test("H5 A; RFC 9494 §4.3: a long-lived stale path is kept from a peer without the capability, and explain says so")
def long_lived_stale(t):
    asker = Asker(t.reflector(groups=CLIENTS, tail='[graceful-restart]\nmode = "helper"\nrestart-time = 60\nlong-lived-stale-time = 600\n'))
    plain = t.peer("127.1.0.8", families=VPN)
    aware = t.peer("127.1.0.9", families=VPN, graceful_restart=gr(families=()), extra=llgr(families=()))
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(time=1), extra=llgr(time=60))
    pe.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    plain.wait_route("65000:1", "10.0.0.0/24")
    pe.reset()
    plain.wait_gone("65000:1", "10.0.0.0/24")
    asker.delivery("10.0.0.0/24", "65000:1", plain.address, "llgr-stale", "the path is long-lived stale", "RFC 9494")
    asker.delivery("10.0.0.0/24", "65000:1", aware.address, "sent")


@test("H5 A; RFC 8654 §4: attributes of more than 4096 octets are kept from a peer without long messages; more than 65535 are refused")
def sizes(t):
    asker = Asker(t.reflector(groups=CLIENTS))
    pe = t.peer("127.1.0.1", families=VPN, extended_messages=True)
    small, large = t.peer("127.1.0.2", families=VPN), t.peer("127.1.0.3", families=VPN, extended_messages=True)
    pe.announce("65000:1", "10.0.0.0/24", ["65000:1"], extra=[(200, bytes(5000), 0xD0)])
    large.wait_route("65000:1", "10.0.0.0/24")
    asker.delivery("10.0.0.0/24", "65000:1", small.address, "too-large", "more than 4096 octets", "RFC 8654")
    asker.delivery("10.0.0.0/24", "65000:1", large.address, "sent")
    # It fits as it came, and does not with ORIGINATOR_ID and CLUSTER_LIST.
    room = 65535 - len(bgp.update(bgp.path_attributes(["65000:1"], extra=[(200, bytes(1000), 0xD0)]) + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:1", "10.0.1.0/24", (16,)))))
    pe.announce("65000:1", "10.0.1.0/24", ["65000:1"], extra=[(200, bytes(1000 + room), 0xD0)])
    asker.refusal("10.0.1.0/24", "65000:1", "too-long")


@test("H5 A; RFC 4271 §9.1.2.1: a route whose next hop cannot be reached, and what came when its set of route targets was full")
def not_eligible(t):
    heliod, a, _, observer = lab(t, '[limits]\nmax-prefixes-per-rt-set = 2\n')
    asker = Asker(heliod)
    ip("route", "add", FAR, "dev", "core0")
    a.announce("65000:1", "10.0.1.0/24", ["65000:1"], next_hop=FAR)
    a.announce("65000:1", "10.0.0.0/24", ["65000:2"], next_hop=NEAR)
    observer.wait_route("65000:1", "10.0.1.0/24")
    asker.delivery("10.0.0.0/24", "65000:1", observer.address, "not-eligible", "no path can be used: next hop unreachable")
    a.announce("65000:1", ["10.0.%d.0/24" % i for i in (2, 3)], ["65000:1"], next_hop=FAR)
    observer.wait_route("65000:1", "10.0.2.0/24")
    asker.refusal("10.0.3.0/24", "65000:1", "rt-set-quota")


@test("H5 A: a peer that reads slowly: its route waits, and when it reads too slowly it is left behind")
def slow(t):
    heliod = t.reflector(watch=False, groups=CLIENTS, tail='[slow-peer]\nqueue-limit = "1MiB"\nstall-time = "50ms"\n')
    asker = Asker(heliod)
    pe, reader = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    behind = t.peer("127.1.0.3", families=VPN, receive_buffer=4096)
    behind.stop_reading()

    def change(round_):
        """As many octets as a quarter of a megabyte; each its own attributes."""
        for i in range(60):
            pe.announce("65000:1", ["10.%d.%d.0/24" % (i, k) for k in range(100)], ["65000:1"], med=round_ * 1000 + i, extra=[(200, bytes(2500), 0xD0)])
        wait_until(lambda: reader.route("65000:1", "10.59.99.0/24") and reader.route("65000:1", "10.59.99.0/24").value(bgp.MED) == (round_ * 1000 + 59).to_bytes(4, "big"), "the reader has round %d" % round_, 10)
    rounds = 1
    while True:  # until the socket is full and something waits
        change(rounds)
        if heliod.show("peer", "127.1.0.3")["output_queue_bytes"] > 0:
            break
        rounds += 1
        check(rounds < 100, "its socket takes everything")
    asker.delivery("10.59.99.0/24", "65000:1", "127.1.0.3", "queued", "among what waits", "octets wait in its queue")
    for more in range(1, 60):
        change(rounds + more)
        answer, _ = heliod.explain("10.59.99.0/24", "--rd", "65000:1", "--to", "127.1.0.3")
        if answer["deliveries"][0]["reason"] == "lagging":
            break
    asker.delivery("10.59.99.0/24", "65000:1", "127.1.0.3", "lagging", "it reads too slowly", "octets wait")
    behind.resume_reading()
    wait_until(lambda: heliod.explain("10.59.99.0/24", "--rd", "65000:1", "--to", "127.1.0.3")[0]["deliveries"][0]["reason"] == "sent", "it has caught up", 20)
