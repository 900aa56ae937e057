"""Sessions: OPEN and capabilities, errors, timers, collision, active opening, the end (RFC 4271 §4.2, §6, §8, §10)."""
import socket
import struct
import subprocess
import time

import bgp
from harness import Failure, check, group_toml, quiet, range_toml, reflector_toml, test, wait_until
from peer import Peer

VPN = (bgp.VPNV4,)


@test("RFC 4271 §4.2, 4760, 5492, 2918, 7313, 6793, 8654, 8950, draft-walton FQDN; wire 2.16: our OPEN, and only common families are used")
def open_message(t):
    t.reflector()
    pe = t.peer("127.1.0.1", families=(bgp.VPNV4, bgp.VPNV6, bgp.RTC))
    check(pe.open.version == 4 and pe.open.my_as == 65000 and pe.open.router_id == "10.255.0.1" and pe.open.hold_time == 90, "fixed part", vars(pe.open))
    check(sorted(pe.open.families) == sorted([bgp.VPNV4, bgp.VPNV6, bgp.RTC]), "families", pe.open.families)
    check(pe.open.values(65) == [struct.pack(">I", 65000)], "4-octet AS", pe.open.capabilities)
    for code, name in ((2, "route refresh"), (70, "enhanced route refresh"), (6, "extended message"), (5, "extended next hop"), (73, "FQDN")):
        check(pe.open.values(code), "capability %d (%s) is missing" % (code, name), pe.open.capabilities)
    # Only VPNv4 offered: nothing else arrives (the codec refuses families that were not negotiated).
    source = t.peer("127.1.0.2", families=(bgp.VPNV4, bgp.VPNV6))
    source.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    source.announce("65000:1", "2001:db8::/32", ["65000:1"])
    narrow = t.peer("127.1.0.3", families=VPN)
    narrow.wait_route("65000:1", "10.0.0.0/24")
    narrow.wait_eor()
    quiet(narrow)
    check(len(narrow.vpn_routes()) == 1 and narrow.eors == [bgp.VPNV4], "one family only", narrow.history)


@test("RFC 5492 §3, 9072 §2; wire 2.17: unknown capabilities, capabilities one per parameter, the extended parameter form")
def odd_opens(t):
    t.reflector()

    def opens(address, parameters):
        pe = t.unconnected(address, families=VPN)
        pe.open_octets = lambda **_: bgp.open_message(65000, 90, address, b"", parameters=parameters)
        pe.start().eor()
        pe.wait_eor()
        return pe
    caps = bgp.capabilities(VPN, 65000)
    unknown = bgp.capability(239, b"\1\2\3") + bgp.capability(128)
    opens("127.1.0.1", bytes([2, len(caps + unknown)]) + unknown + caps)
    opens("127.1.0.2", b"".join(bytes([2, len(c)]) + c for c in (bgp.capability(1, b"\0\1\0\x80"), bgp.capability(65, struct.pack(">I", 65000)), unknown)))
    pe = t.unconnected("127.1.0.3", families=VPN)
    padding = b"".join(bgp.capability(200 + i, bytes(100)) for i in range(5))
    body = b"\xff" + struct.pack(">H", len(caps + padding) + 3) + b"\2" + struct.pack(">H", len(caps + padding)) + caps + padding
    pe.connect().send(bgp.message(bgp.OPEN, struct.pack(">BHH", 4, 65000, 90) + bgp.ip("127.1.0.3") + b"\xff" + body))
    pe.wait(lambda: pe.open, "an OPEN")
    pe.send(bgp.message(bgp.KEEPALIVE))
    pe.wait(lambda: pe.established, "Established with RFC 9072 parameters")
    # The same capability twice is no error (RFC 5492 §4).
    opens("127.1.0.4", bytes([2, 2 * len(caps)]) + caps + caps)


# (what, changes of the OPEN, NOTIFICATION)
BAD_OPENS = [
    ("version 3", dict(version=3), (2, 1)),
    ("AS 65001 in an internal group", dict(asn=65001, caps=bgp.capabilities(VPN, 65001)), (2, 2)),
    ("AS 0 (RFC 7607)", dict(asn=0, caps=bgp.capabilities(VPN, 0)), (2, 2)),
    ("identifier 0.0.0.0 (RFC 6286)", dict(router_id="0.0.0.0"), (2, 3)),
    ("our own identifier inside the AS (RFC 6286 §2.2)", dict(router_id="10.255.0.1"), (2, 3)),
    ("hold time 1", dict(hold_time=1), (2, 6)),
    ("hold time 2", dict(hold_time=2), (2, 6)),
    ("unknown optional parameter", dict(parameters=b"\x63\1\0"), (2, 4)),
    ("capability overruns its parameter (CVE-2022-37032)", dict(parameters=b"\2\4\1\x20\0\1"), (2, 0)),
    ("parameter overruns the message (CVE-2022-43681)", dict(parameters=b"\2\x30\1"), (2, 0)),
    ("RFC 9072 form one octet short (CVE-2022-40302)", dict(parameters=b"\xff\0"), (2, 0)),
    ("MP capability of 3 octets", dict(caps=b"\1\3\0\1\0"), (2, 0)),
]


@test("RFC 4271 §6.2, 6286, 7607, 5492, 9072; HOSTILE-INPUT §1: OPENs that are refused, each with its NOTIFICATION")
def refused_opens(t):
    t.reflector()
    wrong = []
    for number, (name, changes, expected) in enumerate(BAD_OPENS):
        pe = t.unconnected("127.1.0.%d" % (number + 1), families=VPN)
        pe.connect().send(pe.open_octets(**changes))
        try:
            pe.wait(lambda: pe.notification, name, deadline=4)
        except Failure:
            wrong.append("%s: no NOTIFICATION (closed: %s)" % (name, pe.closed))
            continue
        got = pe.notification[:2]
        # An unspecific error may be reported as 2/0 or by the header's length error 1/2.
        if got != expected and not (expected == (2, 0) and got in ((2, 0), (1, 2), (2, 4))):
            wrong.append("%s: NOTIFICATION %d/%d, expected %d/%d" % (name, *got, *expected))
    check(not wrong, "OPENs:", *wrong)
    t.peer("127.1.0.99", families=VPN).wait_eor()


@test("RFC 4271 §4.4, §6.5, §10: hold timer, keepalives at a third of it, hold time 0")
def hold_timer(t):
    t.reflector()
    c1, observer = t.unconnected("127.1.0.1", families=VPN, hold_time=3), t.peer("127.1.0.2", families=VPN)
    c1.connect().send(c1.open_octets())
    c1.wait(lambda: c1.open, "an OPEN")
    c1.send(bgp.message(bgp.KEEPALIVE))
    c1.wait(lambda: c1.established, "Established")
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    observer.wait_route("65000:1", "10.0.0.0/24")
    started = time.monotonic()
    c1.wait_notification(4, deadline=6)
    waited = time.monotonic() - started
    check(2.0 <= waited <= 4.5, "hold timer of 3 s fired after %.1f s" % waited)
    keepalives = sum(1 for kind, _ in c1.messages if kind == bgp.KEEPALIVE)
    check(3 <= keepalives <= 7, "%d KEEPALIVEs in %.1f s with hold time 3" % (keepalives, waited))
    observer.wait_gone("65000:1", "10.0.0.0/24")
    forever = t.unconnected("127.1.0.3", families=VPN, hold_time=0)
    forever.connect().send(forever.open_octets())
    forever.wait(lambda: forever.open, "an OPEN")
    forever.send(bgp.message(bgp.KEEPALIVE))
    forever.wait(lambda: forever.established, "Established with hold time 0")
    check(not forever.closed, "hold time 0 is legal (RFC 4271 §4.2)")


@test("RFC 4271 §8.2.1, §6.8: unconfigured sources are refused, a second connection does not hurt an established session")
def who_may_connect(t):
    t.reflector()
    stranger = t.unconnected("127.9.0.1", families=VPN)
    stranger.connect()
    stranger.wait(lambda: stranger.closed or stranger.notification, "the end of a stranger's connection")
    check(not stranger.open, "a stranger was sent an OPEN")
    first, observer = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    first.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    observer.wait_route("65000:1", "10.0.0.0/24")
    second = t.unconnected("127.1.0.1", families=VPN)
    second.connect()
    try:
        second.send(second.open_octets())
    except OSError:
        pass  # refused at once is fine
    second.wait(lambda: second.closed or second.notification, "the end of the second connection")
    check(not second.notification or second.notification[0] == 6, "Cease", second.notification)
    quiet(observer)
    check(not first.closed and observer.route("65000:1", "10.0.0.0/24"), "the established session suffered")
    first.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=99)
    observer.wait_route("65000:1", "10.0.0.0/24", 99)


@test("RFC 4271 §6.4, §8.2.2: NOTIFICATION, FIN and RST each end the session, its routes go, and it can come back")
def endings(t):
    t.reflector()
    observer = t.peer("127.1.0.2", families=VPN)
    for number, ending in enumerate(("notification", "close", "reset", "half an update")):
        c1 = t.peer("127.1.0.1", families=VPN)
        c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=100 + number)
        observer.wait_route("65000:1", "10.0.0.0/24", 100 + number)
        if ending == "notification":
            c1.send(bgp.notification(6, 2, b"\4bye!"))
        elif ending == "half an update":
            c1.send(bgp.update(bgp.mp_unreach(bgp.VPNV4, bgp.vpn_nlri("65000:1", "10.0.0.0/24")))[:-3])
        c1.reset() if ending == "reset" else c1.close()
        observer.wait_gone("65000:1", "10.0.0.0/24")


@test("RFC 4271 §8.1, §8.2.2: active opening towards a neighbour, retry, and a session both ways")
def active(t):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.1.0.77", 1801))
    groups = (group_toml("clients") + '[[neighbors]]\naddress = "127.1.0.77"\npeer-group = "clients"\nremote-port = 1801\nlocal-address = "127.0.0.1"\n'
              '[[neighbors]]\naddress = "127.1.0.78"\npeer-group = "clients"\npassive = true\n')
    t.watch((1790, 1801))
    t.reflector(config=reflector_toml(groups=groups))
    time.sleep(0.3)                      # refused at first: nobody listens yet
    listener.listen()
    listener.settimeout(8)
    for label in (100, 101):
        connection, (source, _) = listener.accept()
        check(source == "127.0.0.1", "local-address of the neighbour", source)
        pe = t.unconnected("127.1.0.77", families=VPN).attach(connection).handshake().eor()
        other = t.peer("127.1.0.78", families=VPN)
        pe.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=label)
        other.wait_route("65000:1", "10.0.0.0/24", label)
        pe.close()                       # and it connects again
        other.wait_gone("65000:1", "10.0.0.0/24")
        other.close()
    listener.close()


@test("RFC 4271 §6.8: connection collision, the side with the higher identifier keeps its own connection")
def collision(t):
    for number, (router_id, ours_wins) in enumerate((("200.0.0.1", True), ("1.0.0.1", False))):
        address = "127.1.0.%d" % (70 + number)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, 1801))
        listener.listen()
        listener.settimeout(8)
        port = 1790 + number
        groups = group_toml("clients") + '[[neighbors]]\naddress = "%s"\npeer-group = "clients"\nremote-port = 1801\n' % address
        t.reflector(config=reflector_toml(listen=(("127.0.0.1", port),), groups=groups), folder="heliod%d" % number)
        theirs = t.unconnected(address, families=VPN, router_id=router_id).attach(listener.accept()[0])
        theirs.wait(lambda: theirs.open, "an OPEN on their connection")
        ours = t.unconnected(address, families=VPN, router_id=router_id, port=port).connect()
        ours.send(ours.open_octets())
        ours.wait(lambda: ours.open or ours.notification or ours.closed, "an OPEN on our connection")
        theirs.send(theirs.open_octets())
        keeper, loser = (ours, theirs) if ours_wins else (theirs, ours)
        loser.wait(lambda: loser.closed or loser.notification, "the end of the losing connection (our identifier %s)" % router_id)
        check(not loser.notification or loser.notification[0] == 6, "Cease on the losing connection", loser.notification)
        keeper.send(bgp.message(bgp.KEEPALIVE))
        keeper.wait(lambda: keeper.established, "Established on the kept connection (our identifier %s)" % router_id)
        listener.close()


@test("RFC 4271 §6.7, 4486, 9003; issue H1 F: SIGTERM sends Cease/Administrative Shutdown to all and ends in seconds")
def shutdown(t):
    heliod = t.reflector()
    peers = [t.peer("127.1.0.%d" % i, families=VPN) for i in range(1, 6)]
    peers[0].announce("65000:1", ["10.0.%d.0/24" % i for i in range(100)], ["65000:1"])
    peers[1].wait(lambda: len(peers[1].vpn_routes()) == 100, "routes")
    mark = peers[1].mark()
    t.reflectors.remove(heliod)
    heliod.end()
    for p in peers:
        p.wait_notification(6, 2)
    check(not peers[1].events_since(mark), "withdrawals before the end", peers[1].events_since(mark)[:3])
    # The address is free again at once.
    t.reflector(folder="again")
    t.peer("127.1.0.1", families=VPN).wait_eor()


@test("RFC 4271 §8.2.1, RFC 4684 §3.2 i; wire 2.2: IPv6 sessions beside IPv4 ones; the next hop's family is independent of the transport")
def ipv6_transport(t):
    t.addresses("fd00:1::1", "fd00:1::2", "fd00:2::1")
    listen = (("127.0.0.1", 1790), ("fd00:2::1", 1790))
    groups = group_toml("clients") + range_toml("127.1.0.0/16", "clients") + range_toml("fd00:1::/64", "clients")
    t.reflector(listen=listen, groups=groups, rtc='advertise = "specific"')
    families = (bgp.VPNV4, bgp.VPNV6, bgp.RTC)
    six = t.peer("fd00:1::1", "65000:1", target="fd00:2::1", families=families, router_id="10.6.0.1")
    six_too = t.peer("fd00:1::2", "65000:1", target="fd00:2::1", families=families, router_id="10.6.0.2")
    four = t.peer("127.1.0.1", "65000:1", families=families)
    check(six.wait_rtc("65000:1").next_hop_address == "fd00:2::1", "own next hop of an IPv6 session", six.wait_rtc("65000:1"))
    check(four.wait_rtc("65000:1").next_hop_address == "127.0.0.1", "own next hop of an IPv4 session")
    six.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=61, next_hop="192.0.2.1")
    six.announce("65000:1", "2001:db8::/32", ["65000:1"], label=62, next_hop="2001:db8::9")
    four.announce("65000:4", "2001:db8::/32", ["65000:1"], label=41, next_hop="::ffff:192.0.2.4")
    for p in (four, six_too):
        check(p.wait_route("65000:1", "10.0.0.0/24", 61).originator == "10.6.0.1", "ORIGINATOR_ID of an IPv6 peer")
        p.wait_route("65000:1", "2001:db8::/32", 62)
    for p in (six, six_too):
        p.wait_route("65000:4", "2001:db8::/32", 41)


def signed(address, key, port=1790):
    """A connection from the address with the TCP-MD5 key; OSError when none comes about."""
    raw = socket.socket()
    raw.bind((address, 0))
    # struct tcp_md5sig: sockaddr_storage, flags, prefix length, key length, ifindex, key (linux/tcp.h)
    target = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + bgp.ip("127.0.0.1")
    raw.setsockopt(socket.IPPROTO_TCP, 14, target.ljust(128, b"\0") + struct.pack("=BBHi", 0, 0, len(key), 0) + key.ljust(80, b"\0"))
    raw.settimeout(1.5)
    try:
        raw.connect(("127.0.0.1", port))
    except OSError:
        raw.close()
        raise
    return raw


@test("RFC 2385, ECOSYSTEM §5 auth-password-file: TCP-MD5 on a listen range and a neighbour")
def tcp_md5(t):
    key = b"helio-secret"
    (t.folder / "heliod").mkdir(exist_ok=True)
    (t.folder / "heliod" / "key").write_bytes(key + b"\n")
    (t.folder / "heliod" / "key").chmod(0o600)
    groups = group_toml("clients", extra='auth-password-file = "key"') + '[[neighbors]]\naddress = "127.1.0.1"\npeer-group = "clients"\npassive = true\n'
    t.reflector(config=reflector_toml(groups=groups))
    peer = t.unconnected("127.1.0.1", families=VPN)
    peer.attach(signed("127.1.0.1", key)).handshake().eor()
    peer.wait_eor()
    unsigned = socket.socket()
    unsigned.bind(("127.1.0.1", 0))
    unsigned.settimeout(1.5)
    try:
        unsigned.connect(("127.0.0.1", 1790))
        check(False, "a connection without the key was accepted")
    except OSError:
        pass
    finally:
        unsigned.close()


@test("RFC 2385 §4.5, RFC 5925 §7.1; H4 H: no output holds a key: the log at its most talkative, --check, every show, metrics, errors about keys")
def secrets(t):
    secret = "unmistakable-Xq7-4711"
    folder = t.folder / "heliod"
    folder.mkdir()
    for name in ("group", "neighbor", "range"):
        (folder / (name + ".key")).write_text("%s-%s\n" % (secret, name))
        (folder / (name + ".key")).chmod(0o600)
    groups = (group_toml("clients", extra='auth-password-file = "group.key"') +
              '[[neighbors]]\naddress = "127.1.0.1"\npeer-group = "clients"\npassive = true\nauth-password-file = "neighbor.key"\n' +
              '[[neighbors]]\naddress = "127.1.0.9"\npeer-group = "clients"\nremote-port = 1801\n' +
              '[[listen-ranges]]\nprefix = "127.1.0.0/16"\npeer-group = "clients"\nmax-peers = 20\nauth-password-file = "range.key"\n')
    text = reflector_toml(groups=groups).replace('level = "debug"', 'level = "trace"').replace("[telemetry]\nport = 0", "[telemetry]\nport = 9911")
    heliod = t.reflector(config=text)
    for address, name in (("127.1.0.1", "neighbor"), ("127.1.0.2", "range")):
        pe = t.unconnected(address, families=VPN)
        pe.attach(signed(address, ("%s-%s" % (secret, name)).encode())).handshake().eor()
        pe.wait_eor()
    for address, name in (("127.1.0.1", "group"), ("127.1.0.3", "group"), ("127.1.0.2", "neighbor")):
        try:
            signed(address, ("%s-%s" % (secret, name)).encode()).close()
            check(False, "%s got in with the key of the %s" % (address, name))
        except OSError:
            pass
    said = {}

    def run(*argv):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=15)
        said[" ".join(map(str, argv))] = done.stdout + done.stderr
        return done
    for words in ("summary", "peers", "peer 127.1.0.1", "routes", "rt", "rtc", "memory", "encoding-classes", "config", "version"):
        for form in ((), ("-j",)):
            done = run(t.binaries / "helioctl", "--socket", folder / "control.sock", "show", *words.split(), *form)
            check(done.returncode == 0, "helioctl show " + words, done.stderr)
    done = run(t.binaries / "helioctl", "--socket", folder / "control.sock", "dump", "support", "-")
    check(done.returncode == 0 and '"/v1/config"' in done.stdout, "helioctl dump support", done.stderr)
    done = run(t.binaries / "helioctl", "--socket", folder / "control.sock", "config", "reload", "-j")
    check(done.returncode == 0, "helioctl config reload", done.stderr)
    check('auth-password-file = "group.key"' in said["%s --socket %s show config" % (t.binaries / "helioctl", folder / "control.sock")], "the file's name is shown", said)
    metrics = socket.create_connection(("127.0.0.1", 9911))
    metrics.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    metrics.settimeout(5)
    said["metrics"] = b"".join(iter(lambda: metrics.recv(65536), b"")).decode()
    check("heliograph_peer_up" in said["metrics"], "metrics", said["metrics"][:300])
    for program in ([t.binaries / "heliod", "--check", "--config"], [t.binaries / "helioctl", "config", "check"]):
        check(run(*program, heliod.config).returncode == 0, "a good configuration was refused", said)
    # What is wrong with a key is said without the key.
    (folder / "group.key").write_text(secret * 9 + "\n")
    done = run(t.binaries / "heliod", "--check", "--config", heliod.config)
    check(done.returncode != 0 and "octets" in done.stderr, "a key that is too long", done.stderr)
    (folder / "group.key").write_text(secret + "\n")
    (folder / "group.key").chmod(0o644)
    check("can be read by others" in run(t.binaries / "heliod", "--check", "--config", heliod.config).stderr, "a key that others can read")
    # TCP-AO where the kernel lacks it: heliod does not start without signatures instead.
    other = folder / "ao.toml"
    other.write_text(text.replace('auth-password-file = "group.key"', 'auth-password-file = "group.key"\nauth-method = "tcp-ao"').replace("port = 1790", "port = 1795")
                     .replace("control.sock", "ao.sock").replace("port = 9911", "port = 0"))
    starting = t.process([t.binaries / "heliod", "--config", other], "ao.log")
    time.sleep(1.0)
    if starting.alive():
        starting.stop()
    else:
        check("TCP-AO, which this kernel does not have: it takes Linux 6.7" in starting.text() and starting.child.returncode == 1, "the reason", starting.text())
    said["heliod with tcp-ao"] = starting.text()
    said["log"] = heliod.text()
    said["command line"] = open("/proc/%d/cmdline" % heliod.child.pid).read()
    for what, words in said.items():
        check(words and secret not in words, "%s holds a key, or is empty" % what, words[:2000])


@test("RFC 2385, RFC 5082; H4 H: MD5 and GTSM with FRR: the right key, a wrong one, the right one again")
def frr_keys(t):
    from daemons import Frr
    rr, address, key = "10.9.0.100", "10.9.0.1", "frr-and-heliod"
    t.addresses(rr, address)
    (t.folder / "heliod").mkdir()
    (t.folder / "heliod" / "range.key").write_text(key + "\n")
    (t.folder / "heliod" / "range.key").chmod(0o600)
    groups = (group_toml("clients", extra='ttl-min = 254\nlocal-address = "%s"' % rr) +
              '[[listen-ranges]]\nprefix = "10.9.0.0/16"\npeer-group = "clients"\nauth-password-file = "range.key"\n')
    heliod = t.reflector(listen=((rr, 1790),), groups=groups)
    frr = Frr(t, address, rr, routes=[("10.1.0.0/24", "65000:1", 101, "65000:1")], neighbor=("password " + key, "ttl-security hops 1"))
    wait_until(frr.established, "FRR established with the key")
    wait_until(lambda: "10.1.0.0/24" in str(heliod.show("routes")), "FRR's route")
    frr.configure("neighbor %s password wrong" % rr)
    wait_until(lambda: not frr.established(), "the end of the session")
    time.sleep(3)
    check(not frr.established(), "FRR is back with a wrong key")
    frr.configure("neighbor %s password %s" % (rr, key))
    wait_until(frr.established, "FRR established again")


@test("issue H1 F: --check prints every error at once with line, key and hint")
def config_check(t):
    good, bad = t.folder / "good.toml", t.folder / "bad.toml"
    good.write_text(reflector_toml())
    bad.write_text(reflector_toml().replace("router-id", "ruter-id").replace("hold-time = 90", "hold-time = 2").replace('role = "client"', 'role = "klient"'))
    done = subprocess.run([t.binaries / "heliod", "--config", good, "--check"], capture_output=True, text=True, timeout=10)
    check(done.returncode == 0, "a good configuration was refused", done.stdout, done.stderr)
    done = subprocess.run([t.binaries / "heliod", "--config", bad, "--check"], capture_output=True, text=True, timeout=10)
    text = done.stdout + done.stderr
    check(done.returncode != 0, "a bad configuration was accepted")
    for word in ("ruter-id", "router-id", "hold-time", "klient", "client"):
        check(word in text, "the report does not mention %s" % word, text)
    lines = bad.read_text().splitlines()
    for key in ("ruter-id", "hold-time = 2", "klient"):
        number = next(i for i, line in enumerate(lines, 1) if key in line)
        check(":%d" % number in text or "line %d" % number in text, "the report does not name line %d (%s)" % (number, key), text)


@test("issue H1 G, ECOSYSTEM §4: helioctl show summary, peers, routes, rt and rtc agree with what the peers know")
def show(t):
    heliod = t.reflector()
    c1, c2 = t.peer("127.1.0.1", "65000:1"), t.peer("127.1.0.2", "65000:1", "65000:2")
    c1.announce("65000:1", ["10.0.%d.0/24" % i for i in range(150)], ["65000:1"], label=77)
    c1.announce("65000:1", "10.9.0.0/24", ["65000:2"])
    c2.wait(lambda: len(c2.vpn_routes()) == 151, "routes")
    summary = heliod.show("summary")
    check("10.255.0.1" in str(summary) and "151" in str(summary), "summary", summary)
    peers = str(heliod.show("peers"))
    for word in ("127.1.0.1", "127.1.0.2", "Established", "clients"):
        check(word in peers, "show peers lacks %s" % word, peers)
    whole = str(heliod.show("routes", "--rd", "65000:1", "--rt", "65000:2"))
    check("10.9.0.0/24" in whole and "10.0.0.0/24" not in whole, "routes by RD and RT", whole)
    one = str(heliod.show("routes", "--prefix", "10.0.7.0/24"))
    check("10.0.7.0/24" in one and "77" in one and "10.0.8.0/24" not in one, "routes by prefix", one)
    page = str(heliod.show("routes", "--from", "127.1.0.1", "--limit", "5"))
    check(page.count("10.0.") <= 5 * 2, "limit", page)
    check("10.9.0.0/24" not in str(heliod.show("routes", "--to", "127.1.0.1")), "routes to a peer without the RT")
    for what in ("rt", "rtc"):
        text = str(heliod.show(what))
        check("65000:1" in text and "65000:2" in text, "show %s" % what, text)


GTSM_FROM = {4: ("127.1.0.%d", "127.0.0.1"), 6: ("fd00:1::%d", "fd00:2::1")}


def gtsm_connect(version, host, ttl, hidden=False):
    """Connects to the reflector with this TTL, `hidden` behind 600 octets of IPv6 options; None: nobody answers."""
    source, target = GTSM_FROM[version]
    one = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
    level, option = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if version == 6 else (socket.IPPROTO_IP, socket.IP_TTL)
    one.setsockopt(level, option, ttl)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hidden:  # RFC 8200 §4.6: three options of a type that receivers skip
        options = b"".join(bytes([0x1e, size]) + bytes(size) for size in (200, 200, 208))
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes([0, len(options) // 8]) + options)
    one.bind((source % host, 0))
    one.settimeout(1.5)
    try:
        one.connect((target, 1790))
    except TimeoutError:
        one.close()
        return None
    return one


def gtsm_refused(version, host, ttl, hidden=False):
    """Connects and says all at once; true when the reflector closes without a word."""
    far = Peer(GTSM_FROM[version][0] % host, families=VPN)
    one = gtsm_connect(version, host, ttl, hidden)
    check(one is not None, "version %d: connected at all" % version)
    one.settimeout(5)
    route = bgp.update(bgp.path_attributes(["65000:1"]) + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:1", "10.0.7.0/24", (16,))))
    try:
        one.sendall(far.open_octets(hold_time=0) + bgp.message(bgp.KEEPALIVE) + route)
        return one.recv(100) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True
    except TimeoutError:
        return False
    finally:
        one.close()


def gtsm_near(t, version, host):
    """A session with all the octets there before anybody looks."""
    near = t.unconnected(GTSM_FROM[version][0] % host, families=VPN, target=GTSM_FROM[version][1], router_id="10.6.%d.%d" % (version, host))
    connected = gtsm_connect(version, host, 255)
    check(connected is not None, "version %d: who is near connects" % version)
    return near.attach(connected).handshake().wait_eor()


def gtsm_config(others):
    groups = group_toml("near", extra="ttl-min = 254") + range_toml("127.1.0.0/16", "near") + range_toml("fd00:1::/64", "near")
    if others:
        groups += group_toml("any") + range_toml("127.2.0.0/16", "any") + range_toml("fd00:9::/64", "any")
    return reflector_toml(listen=(("127.0.0.1", 1790), ("fd00:2::1", 1790)), groups=groups)


def gtsm_cookies(always):
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as out:
        out.write("2" if always else "1")


@test("RFC 5082 §3: all groups have ttl-min: who comes from far away has no connection, over IPv4 and IPv6, also under SYN cookies; who is near has a session; explain names the kernel's drops")
def gtsm_of_all(t):
    t.addresses(*("fd00:1::%d" % i for i in range(1, 4)), "fd00:2::1")
    heliod = t.reflector(listen=(("127.0.0.1", 1790), ("fd00:2::1", 1790)), config=gtsm_config(False))
    for always in (False, True):
        gtsm_cookies(always)
        for version in (4, 6):
            check(gtsm_connect(version, 1, 253) is None, "version %d, cookies %s: connected from afar" % (version, always))
            gtsm_near(t, version, 2 + always)
    said, _ = heliod.explain("peer", "127.1.0.1")
    check("gtsm" in str(said), "explain knows why", said)
    # A group without, by reload: those far away may come to it, and to it only.
    gtsm_cookies(False)
    heliod.config.write_text(gtsm_config(True))
    heliod.control("config", "reload")
    far = t.peer("127.2.0.1", "65000:1")
    check(gtsm_refused(4, 1, 5), "still none from afar")
    # And without it, by reload, no connection again.
    heliod.config.write_text(gtsm_config(False))
    heliod.control("config", "reload")
    far.wait(lambda: far.closed, "its group is gone")
    check(gtsm_connect(4, 1, 5) is None, "connected from afar")


@test("RFC 5082 §3: a group with ttl-min beside one without: who comes from far away is refused, though all it says is there before anybody looks; also when SYN cookies or long headers hide how far")
def gtsm_of_some(t):
    t.addresses("fd00:1::1", "fd00:1::2", "fd00:2::1", "fd00:9::1")
    heliod = t.reflector(listen=(("127.0.0.1", 1790), ("fd00:2::1", 1790)), config=gtsm_config(True))
    for version in (4, 6):
        for _ in range(3):
            check(gtsm_refused(version, 1, 5), "version %d: an answer to who is far away" % version)
        check(gtsm_refused(version, 1, 253), "version %d: an answer to who is one hop too far" % version)
        gtsm_near(t, version, 2)
    check(gtsm_refused(6, 1, 5, hidden=True), "an answer behind long headers")
    gtsm_cookies(True)
    for version in (4, 6):
        check(gtsm_refused(version, 1, 5), "version %d: an answer under cookies" % version)
    far = t.peer("127.2.0.1", "65000:1")  # the others are as they were
    check(heliod.show("routes")["routes"] == [], "no route came from far away")
    check("comes from farther away than ttl-min allows" in heliod.text(), "the log says so")
    far.announce("65000:1", "10.0.8.0/24", ["65000:1"])
    wait_until(lambda: len(heliod.show("routes")["routes"]) == 1, "the other group reflects", 10)
