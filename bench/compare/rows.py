"""The rows of the comparison: a shape, perhaps scaled down, and who takes part.

Who cannot finish a shape in the time limit is asked for a smaller one in a row of its own, in which Heliograph and everybody else
run, too: ratios are between equal loads only.
"""

# name: (what it is, helio-pe flags, routers that take part, time limit in seconds, options for the router)
EVERYBODY = ["heliod", "frr", "bird", "gobgp"]
NO_RTC = ["heliod", "frr", "bird"]

ROWS = {
    "S1": ("10 PEs x 100 k routes, everybody gets everything: 1 M paths, 9 M deliveries",
           ["--shape", "S1"], ["heliod", "bird"], 60, {}),
    "S1u": ("S1 with prefixes that never repeat between VRFs (as packaged FRR is quadratic when they do)",
            ["--shape", "S1", "--prefix-plan", "unique"], NO_RTC, 60, {}),
    "S1/10": ("S1 with a tenth of the routes",
              ["--shape", "S1", "--routes-per-vrf", "100"], EVERYBODY, 60, {}),
    "S1a": ("S1 with 100 attribute sets per PE and VRF, prefixes that never repeat",
            ["--shape", "S1a", "--prefix-plan", "unique"], NO_RTC, 60, {}),
    "S2": ("100 PEs, 1000 VPNs, RT-Constrain: 1 M paths, 9 M deliveries",
           ["--shape", "S2"], ["heliod"], 60, {}),
    "S2/100": ("S2 with a hundredth of the routes: 10 k paths, 90 k deliveries",
               ["--shape", "S2", "--routes-per-vrf", "1"], ["heliod", "gobgp"], 60, {}),
    "S2s": ("a small network with RT-Constrain: 20 PEs, 40 VPNs on 10 PEs each, 4 k paths, 36 k deliveries",
            ["--shape", "S2", "--pes", "20", "--vrfs", "40", "--vrfs-per-pe", "20", "--routes-per-vrf", "10"], ["heliod", "gobgp"], 60, {}),
    "S2n": ("S2 without RT-Constrain, prefixes that never repeat: 99 M deliveries",
            ["--shape", "S2n", "--prefix-plan", "unique"], NO_RTC, 150, {}),
    "S3": ("1000 PEs, 1000 VPNs, RT-Constrain: 1 M paths, 9 M deliveries",
           ["--shape", "S3"], ["heliod"], 60, {}),
    "S3/100": ("S3 with a hundredth of the routes",
               ["--shape", "S3", "--routes-per-vrf", "1"], ["heliod", "gobgp"], 90, {}),
    "S4": ("S2, one PE leaves and returns",
           ["--shape", "S4", "--repeat", "5"], ["heliod"], 60, {}),
    "S4n/10": ("S2n with a tenth of the routes and prefixes that never repeat, one PE leaves and returns",
               ["--shape", "S4", "--rtc", "off", "--routes-per-vrf", "10", "--prefix-plan", "unique", "--repeat", "3"], NO_RTC, 60, {}),
    "S5": ("10 M paths from 4 PEs", ["--shape", "S5"], ["heliod", "bird"], 120, {}),
    "S6": ("two PEs announce the same 1 M RD:prefixes, two listen", ["--shape", "S6"], ["heliod", "bird"], 60, {}),
    "S7": ("one route, idle reflector, to 200 clients: the last has it",
           ["--shape", "S7", "--changes", "50"], EVERYBODY, 90, {}),
    "S8": ("churn as S1, one route per UPDATE, 2000 in flight", ["--shape", "S8", "--changes", "200000"], ["heliod", "bird"], 60, {}),
    "S8/10": ("churn in a tenth of S1", ["--shape", "S8", "--routes-per-vrf", "100", "--prefix-plan", "unique", "--changes", "20000"],
              EVERYBODY, 60, {}),
    "S9": ("S3 with 5 % of the PEs never reading", ["--shape", "S9"], ["heliod"], 60, {}),
    "S10": ("4000 PEs, 20 k RTs, 4.8 M paths, each PE a member of 1 %", ["--shape", "S10"], ["heliod"], 180, {"rtc-advertise": "default"}),
    "S11": ("256 clients, 100 k routes, everybody gets everything",
            ["--shape", "S11", "--prefix-plan", "unique"], NO_RTC, 90, {}),
    "S11rtc": ("256 clients, 100 k routes, each wants 10 % of the RTs", ["--shape", "S11rtc"], ["heliod", "gobgp"], 60, {}),
}

# Rows about a cold start: the floor is measured beside them. The others have tables of their own.
COLD_START = {"S1", "S1u", "S1/10", "S1a", "S2", "S2/100", "S2s", "S2n", "S3", "S3/100", "S5", "S6", "S10", "S11", "S11rtc"}
