"""The real daemons of Debian 12 as PEs: configuration, start and questions about their tables.

FIELD-NOTES part 3 and ECOSYSTEM §8 say what each of them does on the wire. Everything a daemon writes stays in the
test's folder; it is ended by its pid.
"""
import json
import os
import pathlib
import pwd
import shutil
import subprocess

from harness import Process, Skip, check, wait_until


def need(*programs):
    for program in programs:
        if not (shutil.which(program) or os.access(program, os.X_OK)):
            raise Skip("%s is not installed" % program)


def run_json(argv, deadline=10):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=deadline)
    if done.returncode or not done.stdout.strip():
        return None
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def command(argv, deadline=10):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=deadline)
    check(done.returncode == 0, "%s: %s %s" % (" ".join(map(str, argv)), done.stdout.strip(), done.stderr.strip()))
    return done.stdout


class Gobgp:
    """gobgpd as a PE with VRFs: its memberships are the import RTs of its VRFs."""

    def __init__(self, t, name, address, reflector, port=1790, asn=65000, families=("l3vpn-ipv4-unicast", "rtc"), api_port=None, hold=90, restart_time=0, extra=""):
        """`restart_time`: graceful restart of all families, RFC 8538 included; 0 is off. `extra`: more of the configuration."""
        need("gobgpd", "gobgp")
        t.sender("gobgp", address)
        self.t, self.name, self.address = t, name, address
        self.api_port = api_port or 50000 + int(address.split(".")[-1])
        folder = t.folder / name
        folder.mkdir()
        config = folder / "gobgpd.toml"
        config.write_text(
            '[global.config]\nas = %d\nrouter-id = "%s"\nport = -1\n' % (asn, address) +
            '[[neighbors]]\n[neighbors.config]\nneighbor-address = "%s"\npeer-as = 65000\n' % reflector +
            '[neighbors.transport.config]\nlocal-address = "%s"\nremote-port = %d\n' % (address, port) +
            '[neighbors.timers.config]\nconnect-retry = 1\nhold-time = %d\n' % hold +
            ('[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = %d\nnotification-enabled = true\n' % restart_time if restart_time else "") +
            "".join('[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "%s"\n' % f +
                    ('[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n' if restart_time else "") for f in families) + extra)
        self.process = t.adopt(Process(["gobgpd", "-f", config, "--api-hosts", "127.0.0.1:%d" % self.api_port, "--pprof-disable", "-l", "info"],
                                       folder / "gobgpd.log", cwd=folder))
        wait_until(lambda: run_json(self.ctl("global", "-j")), "API of " + name, step=0.05)

    def ctl(self, *words):
        return ["gobgp", "-p", str(self.api_port), *words]

    def add_vrf(self, name, rd, *rts):
        command(self.ctl("vrf", "add", name, "rd", rd, "rt", "both", *rts))

    def remove_vrf(self, name):
        command(self.ctl("vrf", "del", name))

    def add_route(self, vrf, prefix):
        command(self.ctl("vrf", vrf, "rib", "add", prefix))

    def remove_route(self, vrf, prefix):
        command(self.ctl("vrf", vrf, "rib", "del", prefix))

    def established(self):
        peers = run_json(self.ctl("neighbor", "-j")) or []
        return bool(peers) and all(p.get("state", {}).get("session_state") == 6 for p in peers)

    def vrf_routes(self, vrf, own=True):
        """{(RD, prefix)} of a VRF's table; without `own`, only what came from elsewhere."""
        table = run_json(self.ctl("vrf", vrf, "rib", "-j")) or {}
        out = set()
        for key, paths in table.items():
            remote = [p for p in paths if p.get("source-id") not in (None, "<nil>", "", self.address) or p.get("neighbor-ip") not in (None, "<nil>", "")]
            if own or remote:
                rd, _, prefix = key.rpartition(":")
                out.add((rd, prefix))
        return out

    def global_routes(self, family="vpnv4"):
        return set((run_json(self.ctl("global", "rib", "-a", family, "-j")) or {}).keys())


class GobgpReflector(Process):
    """gobgpd as route reflector with RTC: a second reflector to judge the tests themselves with (run.py --reflector gobgp)."""

    def __init__(self, folder, listen):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True)
        config = folder / "gobgpd.toml"
        families = "".join('[[peer-groups.afi-safis]]\n[peer-groups.afi-safis.config]\nafi-safi-name = "%s"\n' % f
                           for f in ("l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rtc"))
        config.write_text(
            '[global.config]\nas = 65000\nrouter-id = "10.255.0.1"\nport = %d\nlocal-address-list = ["%s"]\n' % (listen[1], listen[0]) +
            '[[peer-groups]]\n[peer-groups.config]\npeer-group-name = "pe"\npeer-as = 65000\n'
            '[peer-groups.route-reflector.config]\nroute-reflector-client = true\nroute-reflector-cluster-id = "10.255.0.1"\n' + families +
            "".join('[[dynamic-neighbors]]\n[dynamic-neighbors.config]\nprefix = "%s"\npeer-group = "pe"\n' % p for p in ("127.0.0.0/8", "10.0.0.0/8")))
        super().__init__(["gobgpd", "-f", config, "--api-hosts", "127.0.0.1:49999", "--pprof-disable", "-l", "debug"], folder / "gobgpd.log")
        wait_until(lambda: run_json(["gobgp", "-p", "49999", "global", "-j"]), "API of the reflector", step=0.05)

    def end(self):
        self.stop()


class Frr:
    """FRR bgpd alone (no zebra): VPN routes by `network … rd … label`. No RTC. Drops VPN next hops in 127/8."""

    BGPD = "/usr/lib/frr/bgpd"

    def __init__(self, t, address, reflector, port=1790, routes=(), router_id=None, neighbor=(), extra="", families=(), modules=()):
        """`routes`: (prefix, rd, label, rt) of VPNv4 or VPNv6; `neighbor`: more of what is said about the reflector; `extra`:
        lines below `router bgp`; `families`: more families; `modules`: of bgpd."""
        need(self.BGPD, "vtysh")
        t.sender("frr", address)
        self.t = t
        self.folder = t.folder / "frr"
        self.folder.mkdir()
        shutil.chown(self.folder, "frr", "frr")
        for parent in (t.folder, t.folder.parent):
            os.chmod(parent, 0o755)
        maps = "".join("route-map rt%d permit 10\n set extcommunity rt %s\nexit\n" % (i, r[3]) for i, r in enumerate(routes))
        lines = {False: "", True: ""}
        for i, (prefix, rd, label, _) in enumerate(routes):
            lines[":" in prefix] += "  network %s rd %s label %d route-map rt%d\n" % (prefix, rd, label, i)
        config = self.folder / "bgpd.conf"
        config.write_text(
            "log file %s/bgpd.log debugging\n%srouter bgp 65000\n bgp router-id %s\n no bgp default ipv4-unicast\n"
            " no bgp ebgp-requires-policy\n no bgp network import-check\n%s neighbor %s remote-as 65000\n neighbor %s port %d\n"
            " neighbor %s update-source %s\n neighbor %s timers connect 1\n%s"
            " address-family ipv4 vpn\n  neighbor %s activate\n%s exit-address-family\n"
            " address-family ipv6 vpn\n  neighbor %s activate\n%s exit-address-family\n" %
            (self.folder, maps, router_id or address, extra, reflector, reflector, port, reflector, address, reflector,
             "".join(" neighbor %s %s\n" % (reflector, words) for words in neighbor), reflector, lines[False], reflector, lines[True]) +
            "".join(" address-family %s\n  neighbor %s activate\n exit-address-family\n" % (f, reflector) for f in families))
        shutil.chown(config, "frr", "frr")
        self.argv = [self.BGPD, "-n", "-Z", "-l", address, "-f", config, "-i", self.folder / "bgpd.pid", "--vty_socket", self.folder, "-A", "127.0.0.1", "-P", "0"]
        for module in modules:
            self.argv += ["-M", module]
        self.start()

    def start(self):
        self.process = self.t.adopt(Process(self.argv, self.folder / "frr.log"))

    def vty(self, *commands):
        argv = ["vtysh", "--vty_socket", self.folder, "-d", "bgpd"]
        for c in commands:
            argv += ["-c", c]
        return argv

    def configure(self, *lines):
        command(self.vty("configure terminal", "router bgp 65000", *lines))

    def routes(self, family="ipv4"):
        """{(rd, prefix): first path} of the VPN table."""
        table = run_json(self.vty("show bgp %s vpn json" % family)) or {}
        out = {}
        for rd, entry in table.get("routes", {}).get("routeDistinguishers", {}).items():
            for prefix, paths in entry.items():
                if isinstance(paths, list):
                    out[(rd, prefix)] = paths[0]
        return out

    def established(self):
        state = run_json(self.vty("show bgp ipv4 vpn summary json")) or {}
        return any(p.get("state") == "Established" for p in state.get("peers", {}).values())


class FrrRouter:
    """FRR as a router of its own: zebra, bfdd and bgpd in a network namespace behind a veth link. No VPN routes of its own."""

    FOLDER = "/usr/lib/frr/"

    def __init__(self, t, name, address, link, bgp, reflector, port=1790):
        """`address`: its loopback; `link`: (our address, its address) of a /30; `bgp`: more lines of the neighbor, `;` between."""
        need(self.FOLDER + "zebra", self.FOLDER + "bfdd", self.FOLDER + "bgpd", "vtysh", "nsenter", "ip")
        if not t.isolated or os.geteuid() != 0:
            raise Skip("needs root and a network namespace")
        t.sender("frr", address)
        self.t, self.name, self.address, self.link = t, name, address, link
        self.folder = t.folder / name
        self.folder.mkdir()
        shutil.chown(self.folder, "frr", "frr")
        for parent in (t.folder, t.folder.parent):
            os.chmod(parent, 0o755)
        # The namespace lives as long as this process.
        self.holder = t.adopt(Process(["unshare", "--net", "sleep", "600"], self.folder / "holder.log"))
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink("/proc/%d/ns/net" % self.holder.child.pid) != own, "a network namespace", step=0.02)
        self.inside = ["nsenter", "-t", str(self.holder.child.pid), "-n"]
        command(["ip", "link", "add", "to-" + name, "type", "veth", "peer", "name", "up0", "netns", self.holder.child.pid])
        command(["ip", "addr", "add", link[0] + "/30", "dev", "to-" + name])
        command(["ip", "link", "set", "to-" + name, "up"])
        command(["ip", "route", "add", address + "/32", "via", link[1]])
        for words in ("link set lo up", "addr add %s/32 dev lo" % address, "addr add %s/30 dev up0" % link[1], "link set up0 up",
                      "route add %s/32 via %s" % (reflector, link[0])):
            command(self.inside + ["ip"] + words.split())
        self.write("zebra", "")
        self.write("bfdd", "")
        self.write("bgpd", "router bgp 65000\n bgp router-id {a}\n no bgp default ipv4-unicast\n bgp log-neighbor-changes\n neighbor {r} remote-as 65000\n"
                   " neighbor {r} port {p}\n neighbor {r} update-source {a}\n neighbor {r} timers connect 1\n {more}\n"
                   " address-family ipv4 vpn\n  neighbor {r} activate\n exit-address-family\n".format(
                       a=address, r=reflector, p=port, more=bgp.replace(";", "\n ")))

    def write(self, daemon, lines):
        config = self.folder / (daemon + ".conf")
        config.write_text("log file %s/%s.log debugging\n%s" % (self.folder, daemon, lines))
        shutil.chown(config, "frr", "frr")

    def daemon(self, name, *more):
        argv = self.inside + [self.FOLDER + name, "-z", self.folder / "zserv.api", "-f", self.folder / (name + ".conf"), "-i", self.folder / (name + ".pid"),
                              "--vty_socket", self.folder, "-A", "127.0.0.1", "-P", "0", *more]
        process = self.t.adopt(Process(argv, self.folder / (name + ".out")))
        wait_until(lambda: (self.folder / (name + ".vty")).exists(), "vty of " + name, step=0.05)
        return process

    def start(self):
        self.zebra = self.daemon("zebra")
        self.bfdd = self.daemon("bfdd", "--bfdctl", self.folder / "bfdd.sock")
        self.bgpd = self.daemon("bgpd", "-n", "-l", self.address)

    def vty(self, daemon, words):
        return ["vtysh", "--vty_socket", self.folder, "-d", daemon, "-c", words]

    def bfd(self):
        peers = run_json(self.vty("bfdd", "show bfd peers json")) or []
        return peers[0] if peers else {}

    def bfd_status(self):
        return self.bfd().get("status")

    def bgp_log(self):
        return (self.folder / "bgpd.log").read_text(errors="replace")

    def cut(self):
        """Packets of both directions are lost from now on, with no link going down: both ends keep their routes."""
        command(["ip", "neigh", "replace", self.link[1], "lladdr", "02:00:00:00:00:01", "dev", "to-" + self.name, "nud", "permanent"])
        command(self.inside + ["ip", "neigh", "replace", self.link[0], "lladdr", "02:00:00:00:00:02", "dev", "up0", "nud", "permanent"])

    def mend(self):
        command(["ip", "neigh", "del", self.link[1], "dev", "to-" + self.name])
        command(self.inside + ["ip", "neigh", "del", self.link[0], "dev", "up0"])


class Bird:
    """BIRD with vpn4/vpn6 tables and static VPN routes. No RTC."""

    GATEWAY4, GATEWAY6 = "10.8.0.2", "2001:db8:8::2"

    def __init__(self, t, address, reflector, port=1790, routes=(), channel="", options="", extra=""):
        """`routes`: (prefix, rd, label, rt). `channel`: more for the vpn4 channel; `options`: of the BGP protocol; `extra`: more protocols."""
        self.channel, self.options, self.extra = channel, options, extra
        need("bird", "birdc")
        t.sender("bird", address)
        self.t = t
        t.addresses("10.8.0.1/24", "2001:db8:8::1/64")
        self.folder = t.folder / "bird"
        self.folder.mkdir()
        self.address, self.reflector, self.port = address, reflector, port
        self.write(routes)
        self.start()
        wait_until(lambda: (self.folder / "bird.ctl").exists(), "control socket of BIRD", step=0.05)

    def start(self, *arguments):
        self.process = self.t.adopt(Process(["bird", "-f", *arguments, "-c", self.folder / "bird.conf", "-s", self.folder / "bird.ctl"], self.folder / "bird.log"))

    def write(self, routes):
        # BIRD sends the label of a static route only together with its gateway as next hop; without one, implicit null.
        def static(version, gateway):
            wanted = [r for r in routes if (":" in r[0]) == (version == 6)]
            body = "".join('  route %s %s via %s mpls %d { bgp_ext_community.add((rt, %s)); };\n' %
                           (rd, prefix, gateway, label, rt.replace(":", ", ")) for prefix, rd, label, rt in wanted)
            return "protocol static static%d {\n  vpn%d;\n%s}\n" % (version, version, body)
        (self.folder / "bird.conf").write_text(
            'log "%s/bird-daemon.log" all;\ndebug protocols { states };\nrouter id %s;\nvpn4 table vpntab4;\nvpn6 table vpntab6;\n' % (self.folder, self.address) +
            "protocol device { scan time 10; }\nprotocol direct { ipv4; ipv6; }\n" + static(4, self.GATEWAY4) + static(6, self.GATEWAY6) +
            "protocol bgp reflector {\n  local %s as 65000;\n  strict bind yes;\n  neighbor %s port %d as 65000;\n  connect delay time 1;\n  connect retry time 1;\n%s"
            "  vpn4 mpls { import all; export where source = RTS_STATIC; %s };\n"
            "  vpn6 mpls { import all; export where source = RTS_STATIC; };\n}\n" % (self.address, self.reflector, self.port, self.options, self.channel) + self.extra)

    def reconfigure(self, routes):
        self.write(routes)
        self.ctl("configure")

    def ctl(self, words):
        return command(["birdc", "-s", self.folder / "bird.ctl", words])

    def routes(self, version=4):
        """{(rd, prefix): text} of what came from the reflector."""
        out, key = {}, None
        for line in self.ctl("show route table vpntab%d protocol reflector all" % version).splitlines():
            words = line.split()
            if len(words) > 2 and ":" in words[0] and "/" in words[1]:
                key = (words[0], words[1])
                out[key] = ""
            if key:
                out[key] += line + "\n"
        return out

    def established(self):
        done = subprocess.run(["birdc", "-s", self.folder / "bird.ctl", "show protocols reflector"], capture_output=True, text=True, timeout=10)
        return "Established" in done.stdout


class OpenBgpd:
    """OpenBGPD: on Linux it can only pass on what a peer feeds it. 7.7 never applies a VPN withdrawal (field note 3.3)."""

    def __init__(self, t, address, reflector, port=1790, feeder="127.0.0.9", feeder_as=65200):
        need("/usr/sbin/bgpd", "bgpctl")
        t.sender("openbgpd", address)
        self.folder = t.folder / "openbgpd"
        self.folder.mkdir()
        os.makedirs(pwd.getpwnam("_openbgpd").pw_dir, exist_ok=True)  # it chroots there; the service unit makes it
        self.socket = self.folder / "control"
        config = self.folder / "bgpd.conf"
        config.write_text(
            'AS 65000\nrouter-id %s\nfib-update no\nlisten on %s port 1791\nsocket "%s"\n'
            'neighbor %s {\n  remote-as 65000\n  local-address %s\n  port %d\n  announce IPv4 none\n  announce IPv4 vpn\n  announce IPv6 vpn\n}\n'
            'neighbor %s {\n  remote-as %d\n  passive\n  multihop 8\n  announce IPv4 none\n  announce IPv4 vpn\n  announce IPv6 vpn\n}\n'
            'allow from any\nallow to any\n' % (address, address, self.socket, reflector, address, port, feeder, feeder_as))
        os.chmod(config, 0o600)
        self.process = t.adopt(Process(["/usr/sbin/bgpd", "-d", "-v", "-f", config], self.folder / "openbgpd.log"))
        wait_until(lambda: self.ctl("show", "summary"), "control socket of OpenBGPD", step=0.1)

    def ctl(self, *words):
        return run_json(["bgpctl", "-s", self.socket, "-j", *words])

    def routes(self):
        """{'rd prefix': entry} of the Loc-RIB."""
        table = self.ctl("show", "rib") or {}
        return {entry["prefix"]: entry for entry in table.get("rib", [])}

    def established(self, address):
        answer = self.ctl("show", "neighbor", address) or {}
        return any(n.get("state") == "Established" for n in answer.get("neighbors", []))


class ExaBgp:
    """ExaBGP with routes from its configuration and commands through a pipe. Sends NEXT_HOP beside MP_REACH (3.5)."""

    def __init__(self, t, address, reflector, port=1790, families=("ipv4 mpls-vpn", "ipv6 mpls-vpn"), announce=""):
        need("exabgp")
        t.sender("exabgp", address)
        self.folder = t.folder / "exabgp"
        self.folder.mkdir()
        self.pipe = self.folder / "commands"
        os.mkfifo(self.pipe)
        feeder = self.folder / "feeder.sh"
        feeder.write_text("#!/bin/sh\nexec cat <> %s\n" % self.pipe)
        feeder.chmod(0o755)
        config = self.folder / "exabgp.conf"
        config.write_text(
            "process feeder { run %s; encoder text; }\n"
            "neighbor %s {\n  router-id %s;\n  local-address %s;\n  local-as 65000;\n  peer-as 65000;\n  connect %d;\n  hold-time 90;\n"
            "  family { %s }\n  api { processes [ feeder ]; }\n%s}\n" %
            (feeder, reflector, address, address, port, " ".join(f + ";" for f in families), announce))
        env = dict(os.environ, **{"exabgp.daemon.user": "root", "exabgp.daemon.drop": "false", "exabgp.log.level": "INFO", "exabgp.api.cli": "false",
                                  "exabgp.log.destination": "stderr", "exabgp.tcp.attempts": "0", "exabgp.api.ack": "false"})
        self.process = t.adopt(Process(["exabgp", config], self.folder / "exabgp.log", env=env))

    def say(self, line):
        with open(self.pipe, "w") as out:
            out.write(line + "\n")
