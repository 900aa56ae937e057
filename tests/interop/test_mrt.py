"""MRT files (RFC 6396, RFC 8050): dumps of the RIB on request and at intervals, what happens when the disk is full, bgpdump."""
import subprocess
import time

import bgp
import mrt
from daemons import need
from harness import ALL_FAMILIES, EVPN_NAME, Skip, check, reflector_toml, test, wait_until
from test_evpn import routes as evpn_routes

ALL = (bgp.VPNV4, bgp.VPNV6, bgp.RTC, bgp.EVPN)


def configuration(tail="", **options):
    return reflector_toml(families=ALL_FAMILIES + (EVPN_NAME,), tail=tail, **options)


def dump(t, heliod, name="dump.mrt"):
    file = t.folder / name
    heliod.control("dump", "mrt", str(file))
    return file, mrt.rib(file.read_bytes())


def by_key(entries):
    """{(peer, NLRI, path id): entry}"""
    out = {(e.peer, e.nlri, e.path_id): e for e in entries}
    check(len(out) == len(entries), "an NLRI of a peer is there once")
    return out


def loaded(t, heliod):
    """Four peers with routes of every family; what of them the RIB must hold, as {(peer, nlri): attributes}."""
    one = t.peer("127.1.0.1", "65000:1", families=ALL)
    two = t.peer("127.1.0.2", "65000:1", "65000:2", families=ALL)
    mesh = t.peer("127.2.0.1", "65000:2", families=ALL)
    external = t.peer("127.3.0.1", asn=65100, families=ALL)
    one.announce("65000:1", ["10.0.%d.0/24" % i for i in range(40)], ["65000:1"], label=100, med=7)
    one.announce("65000:1", "2001:db8:1::/48", ["65000:1"], label=101)
    two.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=200, local_pref=90)
    two.announce("192.0.2.1:7", "0.0.0.0/0", ["65000:2"], labels=(300, 301))
    two.announce_evpn(b"".join(evpn_routes()), ["65000:1"])
    mesh.announce("65000:2", "10.9.0.0/24", ["65000:2"], originator="10.1.0.9", cluster_list=["10.255.0.9"], label=400)
    external.announce("65100:1", "10.8.0.0/24", ["65000:1"], label=500, path=[65100, 65101])
    wait_until(lambda: {f["family"]: f["paths"] for f in heliod.show("summary")["families"]} == {"vpnv4": 44, "vpnv6": 1, "rtc": 4, "evpn": len(evpn_routes())},
               lambda: "routes in the RIB: %s" % heliod.show("summary")["families"])
    return one, two, mesh, external


def check_dump(entries):
    found = by_key(entries)
    for i in range(40):
        entry = found["127.1.0.1", bgp.vpn_nlri("65000:1", "10.0.%d.0/24" % i, (100,)), None]
        check(entry.family == bgp.VPNV4 and entry.next_hop == bgp.vpn_next_hop("10.1.0.1"), "next hop", entry.next_hop.hex())
        check({k: v for k, (_, v) in entry.attributes.items() if k != bgp.MP_REACH} ==
              {bgp.ORIGIN: b"\0", bgp.AS_PATH: b"", bgp.MED: bytes([0, 0, 0, 7]), bgp.LOCAL_PREF: bytes([0, 0, 0, 100]), bgp.EXT_COMMUNITY: bgp.rt("65000:1")},
              "as received: nothing of ours (RFC 4456)", entry.attributes)
        check(abs(entry.originated - time.time()) < 60, "originated time", entry.originated)
    check(("127.1.0.1", bgp.vpn_nlri("65000:1", "2001:db8:1::/48", (101,)), None) in found, "VPNv6", found.keys())
    check(("127.1.0.2", bgp.vpn_nlri("65000:1", "10.0.0.0/24", (200,)), None) in found, "a path that is not the best one")
    check(("127.1.0.2", bgp.vpn_nlri("192.0.2.1:7", "0.0.0.0/0", (300, 301)), None) in found, "a label stack")
    for nlri in evpn_routes():
        check(("127.1.0.2", nlri, None) in found, "EVPN", nlri.hex())
    reflected = found["127.2.0.1", bgp.vpn_nlri("65000:2", "10.9.0.0/24", (400,)), None]
    check(reflected.attributes[bgp.ORIGINATOR_ID][1] == bgp.ip("10.1.0.9") and reflected.attributes[bgp.CLUSTER_LIST][1] == bgp.ip("10.255.0.9"),
          "what another reflector added stays, ours is not there", reflected.attributes)
    outside = found["127.3.0.1", bgp.vpn_nlri("65100:1", "10.8.0.0/24", (500,)), None]
    check(bgp.LOCAL_PREF not in outside.attributes and outside.attributes[bgp.AS_PATH][1] == b"\x02\x02\0\0\xfe\x4c\0\0\xfe\x4d", "an external route", outside.attributes)
    memberships = {(e.peer, e.nlri) for e in entries if e.family == bgp.RTC}
    check(memberships == {("127.1.0.1", bgp.rtc_nlri(65000, "65000:1")), ("127.1.0.2", bgp.rtc_nlri(65000, "65000:1")), ("127.1.0.2", bgp.rtc_nlri(65000, "65000:2")),
                          ("127.2.0.1", bgp.rtc_nlri(65000, "65000:2"))}, "RT memberships", memberships)
    check(len(entries) == 44 + 1 + 4 + len(evpn_routes()), "nothing else", len(entries))


@test("RFC 6396 §4.3, H5 H: helioctl dump mrt holds every path of every family as it was received; bgpdump takes the file")
def dump_on_request(t):
    heliod = t.reflector(config=configuration())
    loaded(t, heliod)
    file, (peers, entries) = dump(t, heliod)
    check_dump(entries)
    index = {p[0]: p for p in peers if p[0] != "0.0.0.0"}
    check(index["127.1.0.1"] == ("127.1.0.1", 65000, "127.1.0.1") and index["127.3.0.1"][1] == 65100, "table of peers", peers)
    check(heliod.show("mrt") == {"configured": False}, "no files are configured", heliod.show("mrt"))
    need("bgpdump")
    done = subprocess.run(["bgpdump", "-m", str(file)], capture_output=True, text=True, timeout=30)
    # bgpdump 1.6.2 passes RIB_GENERIC records by in silence: it must come through the file without a word of corruption.
    check(done.returncode == 0 and "corrupt" not in done.stderr.lower(), "bgpdump", done.stderr[:2000])


@test("RFC 8050 §4.2: routes with path ids")
def path_ids(t):
    from test_add_path import reflector
    heliod = reflector(t)
    one = t.peer("127.1.0.1", "65000:1", families=(bgp.VPNV4, bgp.RTC), paths_in=(bgp.VPNV4,), paths_out=(bgp.VPNV4,))
    for path_id in (1, 2):
        one.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=100 + path_id, path_id=path_id)
    wait_until(lambda: heliod.show("summary")["families"][0]["paths"] == 2, "two paths")
    found = by_key([e for e in dump(t, heliod)[1][1] if e.family == bgp.VPNV4])
    check(set(found) == {("127.1.0.1", bgp.vpn_nlri("65000:1", "10.0.0.0/24", (101,)), 1), ("127.1.0.1", bgp.vpn_nlri("65000:1", "10.0.0.0/24", (102,)), 2)}, "path ids", found)


@test("H5 H: thousands of routes over two shards: the dump is the RIB, and is taken while routes move")
def many(t):
    heliod = t.reflector(config=configuration(shards=2), watch=False)
    one = t.peer("127.1.0.1", families=(bgp.VPNV4,))
    for block in range(80):
        one.announce("65000:%d" % (block % 7), ["10.%d.%d.0/24" % (block, i) for i in range(250)], ["65000:1"], label=16 + block % 5)
    wait_until(lambda: heliod.show("summary")["families"][0]["paths"] == 20000, "20,000 paths")
    _, (_, entries) = dump(t, heliod)
    want = {bgp.vpn_nlri("65000:%d" % (b % 7), "10.%d.%d.0/24" % (b, i), (16 + b % 5,)) for b in range(80) for i in range(250)}
    check({e.nlri for e in entries} == want and len(entries) == 20000, "every route once", len(entries))
    # Half of them change while it is taken: what did not change is there, once.
    process = t.process([t.binaries / "helioctl", "--socket", heliod.folder / "control.sock", "dump", "mrt", t.folder / "moving.mrt"], "dump.log")
    for block in range(40):
        one.withdraw("65000:%d" % (block % 7), ["10.%d.%d.0/24" % (block, i) for i in range(250)])
    wait_until(lambda: not process.alive(), "the dump")
    _, entries = mrt.rib((t.folder / "moving.mrt").read_bytes())
    nlris = [e.nlri for e in entries]
    check(len(nlris) == len(set(nlris)) and set(nlris) <= want, "nothing twice, nothing else")
    stayed = {bgp.vpn_nlri("65000:%d" % (b % 7), "10.%d.%d.0/24" % (b, i), (16 + b % 5,)) for b in range(40, 80) for i in range(250)}
    check(stayed <= set(nlris), "what did not move is there")


@test("H5 H: the RIB at intervals: a file has its name when it is complete; partial files of a crash are removed")
def files(t):
    left = t.folder / "heliod" / "mrt"
    left.mkdir(parents=True)
    (left / ".rib.20200101.000000.mrt.partial").write_bytes(b"x")
    (left / "other.partial").write_bytes(b"x")
    heliod = t.reflector(config=configuration(tail='[mrt]\ndirectory = "mrt"\nrib-dump-interval = 2\n'))
    loaded(t, heliod)
    before = len(list(left.glob("rib.*.mrt")))
    wait_until(lambda: len(list(left.glob("rib.*.mrt"))) >= before + 2, "two dumps")
    newest = sorted(left.glob("rib.*.mrt"))[-1]
    check_dump(mrt.rib(newest.read_bytes())[1])
    check(int(newest.name[17:19]) % 2 == 0, "at multiples of the interval", newest.name)
    check(not (left / ".rib.20200101.000000.mrt.partial").exists() and (left / "other.partial").exists(), "what is left of a crash", list(left.iterdir()))
    shown = heliod.show("mrt")
    check(shown["configured"] and shown["rib_dumps"] >= 2 and shown["error"] is None and shown["directory"] == str(left), "show mrt", shown)
    check("RIB dumps every" in heliod.control("show", "mrt"), "in words")


def all_updates(folder):
    return [u for f in sorted(folder.glob("updates.*.mrt")) for u in mrt.updates(f.read_bytes())]


@test("RFC 6396 §4.4, RFC 8050 §3, H5 H: every UPDATE as it was received and every change of a session, in files that follow each other; bgpdump reads them")
def updates(t):
    folder = t.folder / "heliod" / "mrt"
    heliod = t.reflector(config=configuration(tail='[mrt]\ndirectory = "mrt"\nrib-dump-interval = 0\nupdates = true\nupdates-interval = 1\n', shards=2))
    started = time.time()
    one = t.peer("127.1.0.1", "65000:1", families=ALL)
    external = t.peer("127.3.0.1", asn=65100, families=(bgp.VPNV4,), four_octet_as=False)
    sent = []
    real = one.send
    one.send = lambda octets: (sent.append(octets), real(octets))[1]
    for n in range(30):
        one.announce("65000:1", "10.0.%d.0/24" % n, ["65000:1"], label=16 + n)
        if n % 10 == 9:
            time.sleep(0.7)
    one.withdraw("65000:1", ["10.0.%d.0/24" % n for n in range(30)])
    external.announce("65100:1", "10.8.0.0/24", ["65000:1"])
    one.send(bgp.update(bgp.path_attributes(["65000:1"], origin=9) + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:1", "10.1.0.0/24"))))
    wait_until(lambda: heliod.show("summary")["families"][0]["paths"] == 1, "all taken")
    external.close()
    wait_until(lambda: any(u[1] == "state" and u[4] == (6, 1) for u in all_updates(folder)), "the state change in a file")
    wait_until(lambda: len([u for u in all_updates(folder) if u[2] == "127.1.0.1" and u[1] == "message"]) >= len(sent), "all UPDATEs")
    got = all_updates(folder)
    check([u[4] for u in got if u[2] == "127.1.0.1" and u[1] == "message"][-len(sent):] == sent, "octet for octet, in order, a malformed one among them")
    check([u[4] for u in got if u[2] == "127.3.0.1" and u[1] == "state"] == [(5, 6), (6, 1)], "the life of a session", got)
    check(all(started - 1 < u[0] < time.time() + 1 for u in got) and [u[0] for u in got if u[2] == "127.1.0.1"] == sorted(u[0] for u in got if u[2] == "127.1.0.1"), "times")
    check(len(list(folder.glob("updates.*.mrt"))) >= 2, "rotated", list(folder.iterdir()))
    shown = heliod.show("mrt")
    check(shown["updates"] and shown["update_files"] >= 2 and shown["dropped_messages"] == 0 and shown["records"] >= len(sent), "show mrt", shown)
    one.send = real
    one.announce("65000:1", "10.77.0.0/24", ["65000:1"])
    wait_until(lambda: heliod.show("summary")["families"][0]["paths"] == 1, "taken")
    heliod.end()
    t.reflectors.remove(heliod)
    check(any(b"\x0a\x4d" in u[4] for u in all_updates(folder) if u[1] == "message"), "what is there at the end is in a file")
    check(not list(folder.glob(".*partial")), "no partial files", list(folder.iterdir()))
    need("bgpdump")
    text = "".join(subprocess.run(["bgpdump", "-m", str(f)], capture_output=True, text=True, timeout=30).stdout for f in sorted(folder.glob("updates.*.mrt")))
    check("|STATE|127.3.0.1|65100|5|6" in text and "|STATE|127.3.0.1|65100|6|1" in text, "bgpdump", text[:3000])


@test("RFC 8050 §3: UPDATEs with path ids say so")
def updates_with_path_ids(t):
    from test_add_path import reflector
    folder = t.folder / "heliod" / "mrt"
    reflector(t, tail='[mrt]\ndirectory = "%s"\nrib-dump-interval = 0\nupdates = true\nupdates-interval = 1\n' % folder)
    one = t.peer("127.1.0.1", families=(bgp.VPNV4, bgp.RTC), paths_in=(bgp.VPNV4,), paths_out=(bgp.VPNV4,))
    two = t.peer("127.1.0.2", families=(bgp.VPNV4, bgp.RTC))
    for peer in (one, two):
        peer.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    wait_until(lambda: len([u for u in all_updates(folder) if b"\x0a\0\0" in u[4] and u[1] == "message"]) == 2, "both in a file")
    check({(u[2], u[5]) for u in all_updates(folder) if u[1] == "message"} == {("127.1.0.1", True), ("127.1.0.2", False)}, "subtypes", all_updates(folder))


@test("H5 H: MRT updates and a full disk: what is whole stays, what is lost is counted, written again when there is room")
def updates_disk_full(t):
    mounted = t.folder / "heliod" / "mrt"
    mounted.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(mounted)], capture_output=True).returncode != 0:
        raise Skip("cannot mount a tmpfs")
    try:
        filler = mounted / "filler"
        filler.write_bytes(bytes(192 << 10))
        heliod = t.reflector(config=configuration(tail='[mrt]\ndirectory = "mrt"\nrib-dump-interval = 0\nupdates = true\nupdates-interval = 3600\n'), watch=False)
        one = t.peer("127.1.0.1", families=(bgp.VPNV4,))
        for n in range(60):
            one.announce("65000:1", ["10.%d.%d.0/24" % (n, i) for i in range(200)], ["65000:1"])
            time.sleep(0.01)
        shown = wait_until(lambda: (lambda s: s if s["write_errors"] and s["dropped_messages"] else None)(heliod.show("mrt")), "an error")
        check("No space left on device" in shown["error"] and heliod.text().count("No space left") == 1, "shown, and logged once", shown)
        check(len(all_updates(mounted)) > 3, "what is whole has its name", list(mounted.iterdir()))
        filler.unlink()
        for f in mounted.glob("updates.*.mrt"):
            f.unlink()
        time.sleep(5.2)                                                                    # its pause after an error
        one.announce("65000:1", "10.99.0.0/24", ["65000:1"])
        wait_until(lambda: heliod.show("summary")["families"][0]["paths"] == 60 * 200 + 1, "reflection goes on")
        time.sleep(0.3)
        heliod.end()
        t.reflectors.remove(heliod)
        check(any(b"\x0a\x63\0" in u[4] for u in all_updates(mounted) if u[1] == "message"), "written again", list(mounted.iterdir()))
        check("written again" in heliod.text() and not list(mounted.glob(".*partial")), "and it is said", list(mounted.iterdir()))
    finally:
        subprocess.run(["umount", str(mounted)], capture_output=True)


@test("H5 H: MRT and a full disk: counted, said once, nothing partial stays, routes go on; written again when there is room")
def disk_full(t):
    mounted = t.folder / "heliod" / "mrt"
    mounted.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(mounted)], capture_output=True).returncode != 0:
        raise Skip("cannot mount a tmpfs")
    try:
        filler = mounted / "filler"
        filler.write_bytes(bytes(192 << 10))
        heliod = t.reflector(config=configuration(tail='[mrt]\ndirectory = "mrt"\nrib-dump-interval = 1\n'), watch=False)
        one = t.peer("127.1.0.1", families=(bgp.VPNV4,))
        two = t.peer("127.1.0.2", "65000:1")
        for block in range(10):
            one.announce("65000:1", ["10.%d.%d.0/24" % (block, i) for i in range(250)], ["65000:1"])
        shown = wait_until(lambda: (lambda s: s if s["write_errors"] >= 3 else None)(heliod.show("mrt")), "errors")
        check("No space left on device" in shown["error"], "the error is shown", shown)
        check(heliod.text().count("No space left") == 1, "the error is logged once", heliod.text()[-2000:])
        one.announce("65000:1", "10.99.0.0/24", ["65000:1"])
        two.wait(lambda: two.route("65000:1", "10.99.0.0/24"), "a route meanwhile")
        filler.unlink()
        wait_until(lambda: heliod.show("mrt")["error"] is None and heliod.show("mrt")["last_dump"], "written again")
        last = heliod.show("mrt")["last_dump"]
        check(len(mrt.rib((mounted / last).read_bytes())[1]) >= 2501, "the dump is whole")
        check("written again" in heliod.text(), "and it is said")
        heliod.end()
        t.reflectors.remove(heliod)
        check(not list(mounted.glob(".*partial")), "no partial files", list(mounted.iterdir()))
    finally:
        subprocess.run(["umount", str(mounted)], capture_output=True)
