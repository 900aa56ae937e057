"""The rows of the comparison: a shape, perhaps scaled down, and who takes part.

Who cannot finish a shape in the time limit is asked for a smaller one in a row of its own, in which Heliograph and everybody else
run, too: ratios are between equal loads only. `quick` are the sizes of `run.sh --quick`, which proves that everything works.
"""
from dataclasses import dataclass, field


@dataclass
class Row:
    what: str
    flags: list  # of helio-pe
    who: list
    limit: int  # seconds that a phase may take
    quick: list  # flags that make it small
    options: dict = field(default_factory=dict)  # for the routers' configuration
    runs: int = 99  # at most


ALL = ["heliod", "frr", "bird", "gobgp"]
NO_RTC = ["heliod", "frr", "bird"]
UNIQUE = ["--prefix-plan", "unique"]


def shape(name, *flags):
    return ["--shape", name, *flags]


def routes(n, *flags):
    return ["--routes-per-vrf", str(n), *flags]


def small_mesh(pes, vrfs, per_pe, n, *flags):
    return ["--pes", str(pes), "--vrfs", str(vrfs), "--vrfs-per-pe", str(per_pe), *routes(n, *flags)]


ROWS = {
    "S1": Row("10 PEs x 100 k routes, everybody gets everything: 1 M paths, 9 M deliveries",
              shape("S1"), ["heliod", "bird"], 60, routes(20)),
    "S1u": Row("S1 with prefixes that never repeat between VRFs", shape("S1", *UNIQUE), NO_RTC, 60, routes(20)),
    "S1/10": Row("S1 with a tenth of the routes, prefixes repeat in every VRF", shape("S1", *routes(100)), ALL, 60, routes(5)),
    "S1a": Row("S1 with 100 attribute sets per PE and VRF, prefixes that never repeat",
               shape("S1a", *UNIQUE), NO_RTC, 60, routes(20, "--attrs-per-vrf", "10")),
    "S2": Row("100 PEs, 1000 VPNs, RT-Constrain: 1 M paths, 9 M deliveries", shape("S2"), ["heliod"], 60, routes(2)),
    "S2/10": Row("S2 with a tenth of the routes: 100 k paths, 900 k deliveries", shape("S2", *routes(10)), ["heliod", "gobgp"], 60,
                 small_mesh(20, 40, 20, 2)),
    "S2/100": Row("S2 with a hundredth of the routes: 10 k paths, 90 k deliveries",
                  shape("S2", *routes(1)), ["heliod", "gobgp"], 60, small_mesh(20, 40, 20, 1)),
    "S2s": Row("a small network with RT-Constrain: 20 PEs, 40 VPNs on 10 PEs each, 4 k paths, 36 k deliveries",
               shape("S2", *small_mesh(20, 40, 20, 10)), ["heliod", "gobgp"], 60, routes(2)),
    "S2n": Row("S2 without RT-Constrain, prefixes that never repeat: 99 M deliveries",
               shape("S2n", *UNIQUE), NO_RTC, 120, routes(1)),
    "S3": Row("1000 PEs, 1000 VPNs, RT-Constrain: 1 M paths, 9 M deliveries", shape("S3"), ["heliod"], 60, small_mesh(100, 100, 10, 5)),
    "S3/100": Row("S3 with a hundredth of the routes", shape("S3", *routes(1)), ["heliod", "gobgp"], 60, small_mesh(100, 100, 10, 1)),
    "S3n": Row("S3 without RT-Constrain: 999 M deliveries, 16 GB", shape("S3n"), ["heliod"], 60, small_mesh(100, 100, 10, 5)),
    "S3n/100": Row("S3n with a hundredth of the routes and prefixes that never repeat: 10 M deliveries",
                   shape("S3n", *routes(1, *UNIQUE)), NO_RTC, 60, small_mesh(100, 100, 10, 1)),
    "S4": Row("S2, one PE leaves and returns", shape("S4", "--repeat", "5"), ["heliod"], 60, routes(2)),
    "S4n/10": Row("S2n with a tenth of the routes and prefixes that never repeat, one PE leaves and returns",
                  shape("S4", "--rtc", "off", "--repeat", "3", *routes(10, *UNIQUE)), NO_RTC, 60, small_mesh(20, 40, 20, 5)),
    "S5": Row("10 M paths from 4 PEs, 100 VRFs each", shape("S5"), ["heliod", "bird"], 90, routes(100)),
    "S5/10": Row("S5 with a tenth of the routes and prefixes that never repeat", shape("S5", *routes(2500, *UNIQUE)), NO_RTC, 60, routes(50)),
    "S5r": Row("10 M paths, random /24s, 100 per RD", shape("S5r"), ["heliod"], 60, small_mesh(4, 250, 250, 20)),
    "S5o": Row("1 M RDs with one route each", shape("S5o"), ["heliod", "bird"], 60, small_mesh(4, 2500, 2500, 1)),
    "S6": Row("two PEs announce the same 1 M RD:prefixes, two listen", shape("S6"), ["heliod", "bird"], 60, routes(100)),
    "S6/10": Row("S6 with a tenth of the routes and prefixes that never repeat", shape("S6", *routes(1000, *UNIQUE)), ALL, 60, routes(10)),
    "S7": Row("one route, idle reflector, to 200 clients: the last has it", shape("S7", "--changes", "50"), ALL, 60, ["--pes", "21", "--changes", "5"]),
    "S8": Row("churn as S1, one route per UPDATE, 2000 in flight", shape("S8", "--changes", "200000"), ["heliod", "bird"], 60,
              routes(20, "--changes", "5000")),
    "S8x64": Row("churn as S1, 64 routes per UPDATE", shape("S8x64", "--changes", "500000"), ["heliod", "bird"], 60,
                 routes(100, "--changes", "20000")),
    "S8rtc": Row("churn as S2 with RT-Constrain, one route per UPDATE", shape("S8rtc", "--changes", "200000"), ["heliod"], 60,
                 routes(2, "--changes", "5000")),
    "S8/10": Row("churn in a tenth of S1, prefixes that never repeat", shape("S8", "--changes", "20000", *routes(100, *UNIQUE)), ALL, 60,
                 routes(5, "--changes", "1000", "--window", "200")),
    "S9": Row("S3 with 5 % of the PEs never reading", shape("S9"), ["heliod"], 60, small_mesh(100, 100, 10, 5)),
    "S9n": Row("S1 with prefixes that never repeat, one of the ten PEs never reads",
               shape("S1", "--scenario", "slow-reader", "--slow-share", "0.1", *UNIQUE), NO_RTC, 60, routes(20)),
    "S10": Row("4000 PEs, 20 k RTs, 4.8 M paths, each PE a member of 1 %", shape("S10"), ["heliod"], 120, small_mesh(200, 1000, 100, 2),
               {"rtc-advertise": "default"}, 2),
    "S11": Row("256 clients, 100 k routes, prefixes that never repeat, everybody gets everything",
               shape("S11", *UNIQUE), NO_RTC, 90, small_mesh(32, 20, 10, 5)),
    "S11rtc": Row("256 clients, 100 k routes, each wants 10 % of the RTs", shape("S11rtc"), ["heliod"], 60, small_mesh(32, 20, 10, 5)),
    "S11rtc/20": Row("S11rtc with a twentieth of the routes", shape("S11rtc", *routes(2)), ["heliod", "gobgp"], 60, small_mesh(32, 20, 10, 1)),
}

# Rows about a cold start: the floor is measured beside them. The others have tables of their own.
COLD_START = {name for name in ROWS if name[:3] not in ("S4", "S4n", "S7", "S8", "S8x", "S8r", "S8/", "S9", "S9n")}
