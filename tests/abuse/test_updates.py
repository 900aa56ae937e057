"""UPDATEs that are wrong or far too large."""
import pathlib
import random
import struct

import bgp
from abuse import METRICS_PORT, Metrics, abuse, check, clients_toml
from crowd import clients
from test_sessions import announcement

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "fuzz/corpus"


def seeds():
    """Well-formed UPDATEs of ours in many shapes, and those of real daemons that the fuzzers' corpus holds."""
    rts = ["65000:1", "192.0.2.1:7", "4200000000:9"]
    rich = dict(med=7, originator="10.9.9.9", cluster_list=["10.8.8.8"], communities=[(65000, 1)], large=[(1, 2, 3)],
                extra=[(200, b"abc" * 30, 0xC0), (bgp.AIGP, b"\1\0\x0b" + bytes(8), 0x80), (bgp.TUNNEL_ENCAP, b"\0\1\0\0", 0xC0), (bgp.PREFIX_SID, b"\1\0\7" + bytes(7), 0xC0)])
    vpn6 = bgp.mp_reach(bgp.VPNV6, bgp.vpn_next_hop("2001:db8::1"), bgp.vpn_nlri("65000:1", "2001:db8:1::/48") + bgp.vpn_nlri("65000:1", "::/0"))
    out = [announcement("65000:1", ["10.0.%d.0/24" % i for i in range(20)], rts), announcement("65000:1", ["0.0.0.0/0"], rts[:1], **rich),
           bgp.update(bgp.path_attributes(rts, **rich) + vpn6), bgp.update(vpn6 + bgp.path_attributes(rts, path=[64512, 64513])),
           bgp.update(bgp.mp_unreach(bgp.VPNV4, bgp.vpn_nlri("65000:1", "10.0.0.0/24", raw_labels=bgp.WITHDRAW_LABEL) * 3)),
           bgp.update(bgp.mp_unreach(bgp.VPNV6, bgp.vpn_nlri("65000:1", "2001:db8:1::/48"))), bgp.end_of_rib(bgp.VPNV4), bgp.end_of_rib(bgp.RTC),
           bgp.update(bgp.path_attributes() + bgp.mp_reach(bgp.RTC, bgp.ip("10.1.0.1"), bgp.rtc_nlri(65000, "65000:1") + bgp.rtc_nlri(65000, b"\0\2") + b"\0")),
           bgp.update(bgp.mp_unreach(bgp.RTC, bgp.rtc_nlri(65000, "65000:1")))]
    for file in sorted((CORPUS / "update").glob("*")):
        octets = file.read_bytes()
        at = octets.find(bgp.MARKER)
        body = octets[at + 19:] if at >= 0 else octets
        if 4 <= len(body) <= 4077:
            out.append(bgp.message(bgp.UPDATE, body))
    return out


def mutate(message, dice):
    """A few octets flipped, set, put in, taken out, doubled or swapped; the header's length is right nine times in ten."""
    body = bytearray(message[19:])
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        at, kind = dice.randrange(len(body) + 1), dice.randrange(6)
        if kind == 0 and body:
            body[at % len(body)] ^= 1 << dice.randrange(8)
        elif kind == 1 and body:
            body[at % len(body)] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        elif kind == 2:
            body[at:at] = dice.randbytes(dice.randrange(1, 9))
        elif kind == 3:
            del body[at:at + dice.randrange(1, 9)]
        elif kind == 4:
            body[at:at] = body[at:at + dice.randrange(1, 60)]
        else:
            other = dice.randrange(len(body) + 1)
            low, high = min(at, other), max(at, other)
            body[low:high] = body[low:high][::-1]
    if dice.random() < 0.7 and len(body) >= 4:  # else mostly the attributes' total length is what is wrong
        withdrawn = struct.unpack_from(">H", body)[0]
        if withdrawn + 4 <= len(body):
            struct.pack_into(">H", body, withdrawn + 2, len(body) - withdrawn - 4)
    octets = bytearray(bgp.message(bgp.UPDATE, bytes(body[:4077])))
    if dice.random() < 0.02:
        octets[dice.randrange(19)] ^= 1 << dice.randrange(8)
    return bytes(octets)


@abuse("RFC 7606, HOSTILE-INPUT §1: 20,000 mutated UPDATEs of ours and of real daemons over sessions that come back; seeded")
def mutated_updates(a):
    a.start(families=("l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rt-constrain", "l2vpn-evpn"))
    originals, dice, wanted = seeds(), random.Random(20260), a.size(4000, 20000)
    a.notes["originals"] = len(originals)
    sent = resets = 0
    families = (bgp.VPNV4, bgp.VPNV6, bgp.RTC, bgp.EVPN)
    addresses = clients(40)
    heard = lambda: Metrics(METRICS_PORT).sum("messages_total", direction="in", type="update") - a.before.metrics.sum("messages_total", direction="in", type="update")
    with a.during("mutated UPDATEs"):
        lines = {}
        # Those count that heliod has read: what is sent into the end of a session is not.
        while sent < wanted or (sent % 1000 == 0 and sent < 2 * wanted and heard() < wanted) or sent % 1000 != 0:
            closed = [x for x in addresses if x not in lines or lines[x].closed]
            lines.update(zip(closed, a.establish(closed, families=families)))
            resets += len(closed)
            for line in lines.values():
                # One at a time: what follows a message that resets the session would never be read.
                a.crowd.send(line, mutate(dice.choice(originals), dice))
            sent += len(lines)
            a.crowd.run(lambda: not any(l.out and not l.closed for l in lines.values()), 10)
            a.crowd.run(seconds=0.005)
            a.crowd.forget_closed()
    a.notes.update(sent=sent, resets=resets - len(addresses))
    a.over(counts=[("messages_total", {"direction": "in", "type": "update"}, wanted), ("update_errors_total", {"action": "withdraw"}, 100),
                   ("update_errors_total", {"action": "discard"}, 5), ("notifications_total", {"direction": "out", "code": "3"}, 100)],
           lines=a.size(6000, 30000), mib=64, log=["reason=update-error"])


@abuse("RFC 7606 §4, RFC 8654 §4: UPDATEs of 65,535 octets, attributes larger than any message of those they are for; oversize is counted, said, and nobody else's business")
def oversize_attributes(a):
    a.start(a.config(groups=clients_toml(group="long", prefix="127.4.101.0/24")))
    big = lambda size, octet: [(200, bytes([octet]) * size, 0xC0)]
    sender, reader = a.establish(["127.4.101.1", "127.4.101.2"], extended_messages=True, keep=True)
    short, = a.establish(["127.4.101.3"], keep=True)
    own = lambda line: {k: v for k, v in line.routes.items() if k[1:9] == bgp.rd("65000:9")}
    with a.during("oversize attributes"):
        for number in range(a.size(20, 200)):
            update = lambda prefix, size: bgp.update(bgp.path_attributes(["65000:9"], extra=big(size, number)) +
                                                     bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:9", prefix, (number + 16,))))
            for i, size in enumerate((3000, 4000, 20000, 60000, 65000)):
                a.crowd.send(sender, update("10.0.%d.0/24" % i, size))
            biggest = 65535 - len(update("10.0.9.0/24", 60000)) + 60000
            check(len(update("10.0.9.0/24", biggest)) == 65535, "the largest message")
            a.crowd.send(sender, update("10.0.9.0/24", biggest))
            a.crowd.run(lambda: own(sender) == {} and not sender.out, 20)
            label = bgp.label_field(number + 16)
            a.crowd.run(lambda: list(own(reader).values()).count(label) >= 5, 20)
            a.crowd.run(lambda: list(own(short).values()).count(label) == 1, 20)
        check(not any(l.closed for l in (sender, reader, short)), "a session was lost", [l.notification for l in (sender, reader, short)])
        a.notes.update(reader_has=len(own(reader)), short_has=len(own(short)))
        # Lengths that the type does not have, whatever was negotiated (RFC 8654 §4).
        for octets in (bgp.MARKER + b"\xff\xff\4" + bytes(65516), bgp.MARKER + b"\x10\x01\1" + bytes(4078), bgp.MARKER + b"\0\x16\2" + bytes(3)):
            bad, = a.establish(["127.4.101.4"])
            a.crowd.send(bad, octets)
            a.crowd.run(lambda: bad.closed, 10)
            check(bad.notification == (1, 2), "Bad Message Length", bad.notification)
        overrun, = a.establish(["127.4.101.5"])
        reach = bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:9", "10.9.0.0/24"))
        a.crowd.send(overrun, bgp.update(reach + bgp.path_attributes(["65000:9"]) + bytes([0xD0, 200, 0xFF, 0xFF]) + bytes(100)))
        a.crowd.run(seconds=0.3)
        check(not overrun.closed, "an attribute that overruns is treat-as-withdraw (RFC 7606 §4)", overrun.notification)
    a.over(mib=64, lines=200, counts=[("oversize_updates_total", {}, 80), ("routes_discarded_total", {"reason": "message_size"}, 20)], log=["too large: they fit no message of 4096", "too large: they fit no message as we would"])
