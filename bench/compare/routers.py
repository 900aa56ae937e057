"""The route reflectors that are compared: configuration, start, stop, version. One process each, loopback only."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

PORT = 1791


def dpkg_version(package):
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return out.stdout.strip() if out.returncode == 0 else "not installed"


class Router:
    name = ""
    label = ""
    has_rtc = False
    # What helio-pe must be told for this router; explained in `notes`.
    generator_flags = []
    notes = []

    def __init__(self, folder, build):
        self.folder = Path(folder)
        self.build = Path(build)
        self.process = None

    def version(self):
        raise NotImplementedError

    def configure(self, options):
        """Writes the configuration for the shape; returns the command line."""
        raise NotImplementedError

    def start(self, options):
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.configure(options)
        log = open(self.folder / f"{self.name}.log", "wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(1)
                # From an address outside the clients' range: refused or closed at once, but the port answers.
                if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                    time.sleep(0.5)
                    return
            time.sleep(0.1)
        text = (self.folder / f"{self.name}.log").read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name} did not start:\n{text}")

    def death(self):
        """What became of the process, when it is gone."""
        if self.process is None or self.process.poll() is None:
            return None
        status = self.process.returncode
        return f"{self.label} died by signal {-status}" if status < 0 else f"{self.label} ended with status {status}"

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Heliod(Router):
    name, label, has_rtc = "heliod", "Heliograph", True

    def version(self):
        out = subprocess.run([self.build / "bin/heliod", "--version"], capture_output=True, text=True)
        return out.stdout.strip().split("\n")[0]

    def configure(self, options):
        (self.folder / "heliod.toml").write_text(f"""[global]
as = 65000
router-id = "10.255.0.1"
listen = [{{ address = "127.0.0.1", port = {PORT} }}]
[[families]]
name = "l3vpn-ipv4-unicast"
[[families]]
name = "rt-constrain"
[rt-constrain]
advertise = "{options.get('rtc-advertise', 'auto')}"
[[peer-groups]]
name = "pe"
role = "client"
[[listen-ranges]]
prefix = "127.1.0.0/16"
peer-group = "pe"
[security]
max-pending-sessions = 8192
session-rate = 100000
[control]
socket = "control.sock"
[log]
level = "warn"
format = "text"
""")
        return [str((self.build / "bin/heliod").resolve()), "--config", "heliod.toml"]


class Frr(Router):
    name, label = "frr", "FRR"
    generator_flags = ["--next-hop-base", "10.200.0.1", "--lenient"]
    notes = [
        "`bgpd` alone, without zebra. It takes next hops in 127/8 for martian, so its PEs announce 10.200.x.y. It sends clients their own "
        "routes back and alters reserved label bits; PEs must ignore both, and helio-pe is told to (`--lenient`).",
        "It holds the first updates to a group of peers back by a coalesce timer: 1 s and 50 ms per peer, 10 s at most, so that no cold "
        "start of a thousand peers can be faster than that; every change waits up to 50 ms in its processing queue. This is what a user of "
        "the package gets, and what small shapes show.",
        "As packaged it is quadratic when VRFs repeat prefixes: compare `S1/10`, where they do, with `S1u`, which has ten times the routes. "
        "The other rows it takes part in use prefixes that never repeat, for everybody. It knows no RT-Constrain; ten million paths "
        "(`S5`) do not fit the memory.",
    ]

    def version(self):
        return "FRR " + dpkg_version("frr")

    def configure(self, options):
        (self.folder / "frr.conf").write_text("""router bgp 65000
 bgp router-id 10.255.0.1
 bgp cluster-id 10.255.0.1
 no bgp default ipv4-unicast
 bgp listen limit 5000
 neighbor PE peer-group
 neighbor PE remote-as 65000
 bgp listen range 127.1.0.0/16 peer-group PE
 address-family ipv4 vpn
  neighbor PE activate
  neighbor PE route-reflector-client
 exit-address-family
""")
        (self.folder / "vty").mkdir(exist_ok=True)
        return ["/usr/lib/frr/bgpd", "-n", "-Z", "-S", "-p", str(PORT), "-l", "127.0.0.1", "-f", str(self.folder.resolve() / "frr.conf"),
                "-i", str(self.folder.resolve() / "frr.pid"), "--vty_socket", str(self.folder.resolve() / "vty"), "-P", "0"]


class Bird(Router):
    name, label = "bird", "BIRD 2"
    notes = [
        "It leaves Nagle's algorithm on, so that its last UPDATE, which does not fill a segment, waits for the acknowledgement of the one "
        "before: about 40 ms with the kernel's delayed acknowledgements, which show in small shapes, in `S4n/10` and in churn. It encodes "
        "every route for every peer. It knows no RT-Constrain.",
    ]

    def version(self):
        return "BIRD " + dpkg_version("bird2")

    def configure(self, options):
        (self.folder / "bird.conf").write_text(f"""log stderr {{ warning, error, fatal, bug }};
router id 10.255.0.1;
protocol device {{ }}
vpn4 table vpntab;
template bgp peers {{
  local 127.0.0.1 port {PORT} as 65000;
  multihop;
  rr client;
  rr cluster id 10.255.0.1;
  vpn4 mpls {{ table vpntab; import all; export all; next hop keep; }};
}}
protocol bgp clients from peers {{
  neighbor range 127.1.0.0/16 internal;
  dynamic name "pe";
}}
""")
        return ["/usr/sbin/bird", "-f", "-c", "bird.conf", "-s", "bird.ctl"]


class Gobgp(Router):
    name, label, has_rtc = "gobgp", "GoBGP", True
    notes = [
        "It sends one route per UPDATE, and takes part where that ends within the time limit (`S2/10` shows what happens beyond). The "
        "only one besides Heliograph that knows RT-Constrain.",
    ]

    def version(self):
        return "GoBGP " + dpkg_version("gobgpd")

    def configure(self, options):
        (self.folder / "gobgp.toml").write_text(f"""[global.config]
  as = 65000
  router-id = "10.255.0.1"
  port = {PORT}
  local-address-list = ["127.0.0.1"]
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "clients"
    peer-as = 65000
  [peer-groups.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "10.255.0.1"
  [[peer-groups.afi-safis]]
    [peer-groups.afi-safis.config]
      afi-safi-name = "l3vpn-ipv4-unicast"
  [[peer-groups.afi-safis]]
    [peer-groups.afi-safis.config]
      afi-safi-name = "rtc"
[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "127.1.0.0/16"
    peer-group = "clients"
""")
        return ["/usr/bin/gobgpd", "-f", "gobgp.toml", "--api-hosts", "127.0.0.1:50199", "--log-level", "warn"]


ALL = [Heliod, Frr, Bird, Gobgp]
