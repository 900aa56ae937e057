"""The canary (H5 F): its delay is measured, and nobody is told of its route: no peer, count, journal, BMP station or dump."""
import urllib.request

import bgp
from bmp import Station
from harness import check, group_toml, quiet, range_toml, reflector_toml, test, wait_until


@test("H5 F: [telemetry] canary measures the way through the reflector, and its marker is in nothing that others see")
def canary(t):
    station = Station("127.0.0.1", 11019)
    config = (reflector_toml(groups=group_toml("clients") + range_toml("127.1.0.0/24", "clients")).replace("port = 0\n", "port = 9179\ncanary = true\n") +
              '[[bmp.stations]]\naddress = "127.0.0.1"\npolicies = ["pre-policy", "post-policy", "loc-rib"]\n')
    heliod = t.reflector(config=config)
    everything = t.peer("127.1.0.1", families=(bgp.VPNV4, bgp.VPNV6))
    asks = t.peer("127.1.0.2", "", families=(bgp.VPNV4, bgp.RTC))
    dump = lambda: (heliod.control("dump", "mrt", str(heliod.folder / "rib.mrt")), (heliod.folder / "rib.mrt").stat().st_size)[1]  # noqa: E731
    before = dump()
    mark = everything.mark(), asks.mark()

    def seen():
        markers = heliod.show("latency")["canary"]
        return markers if markers and markers["in_time"] >= 6 else None
    markers = wait_until(seen, lambda: "markers: %s" % heliod.show("latency"), 20)
    check(markers["wrong"] == 0 and 0 < markers["p50_seconds"] <= markers["p99_seconds"] and markers["mean_seconds"] < 1, "a plausible delay", markers)
    check(" markers in time, 0 late, 0 wrong" in heliod.control("show", "latency"), "in words, too")
    text = urllib.request.urlopen("http://127.0.0.1:9179/metrics", timeout=5).read().decode()
    count = int(float(text.split("heliograph_canary_delay_seconds_count ", 1)[1].split()[0]))
    check(count >= 4 and 'heliograph_canary_markers_total{result="wrong"} 0' in text, "the metrics", count)
    # Nobody has it.
    quiet(everything, asks)
    check(not everything.events_since(mark[0]) and not asks.events_since(mark[1]) and not everything.vpn_routes() and not asks.vpn_routes(), "peers", everything.events_since(mark[0]), asks.events_since(mark[1]))
    summary = heliod.show("summary")
    check(all(f["paths"] == 0 and f["prefixes"] == 0 and f["best_changes"] == 0 for f in summary["families"] if f["family"] != "rtc"), "counts", summary)
    check(heliod.show("rd")["total"] == 0 and heliod.show("routes")["routes"] == [] and heliod.show("rt")["route_targets"] == [], "views")
    check(heliod.explain("0.0.0.0/32", "--rd", "0:0")[1] == 1, "explain")
    check(dump() == before, "a dump")
    told = {peer: {rib: [key for key in routes if key[0] != bgp.RTC] for rib, routes in session.ribs.items()} for peer, session in station.sessions.items()}
    check(len(told) == 3 and all(not keys for ribs in told.values() for keys in ribs.values()) and not station.violation, "a BMP station", told, station.violation)
    station.close()
