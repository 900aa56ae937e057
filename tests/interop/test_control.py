"""Who may do what over the control API (H7 D): users on the Unix socket, tokens over TCP on loopback."""
import grp
import http.client
import os
import socket
import subprocess
import urllib.request

import bgp
from harness import Skip, check, group_toml, range_toml, reflector_toml, test, wait_until

NOBODY = 65534
PORT = 9180
FULL, READ = "full-token-of-the-test", "read-token-of-the-test"


def helioctl(heliod, *words, **options):
    environment = dict(os.environ, **options.pop("env", {}))
    done = subprocess.run([heliod.binaries / "helioctl", *words], capture_output=True, text=True, timeout=15, env=environment, **options)
    return done.returncode, done.stdout + done.stderr


def secret(folder, name, text, mode=0o600):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text + "\n")
    (folder / name).chmod(mode)
    return str(folder / name)


def refused():
    text = urllib.request.urlopen("http://127.0.0.1:9179/metrics", timeout=5).read().decode()
    return {reason: int(float(text.split('heliograph_control_requests_refused_total{reason="%s"} ' % reason, 1)[1].split()[0])) for reason in ("unauthorized", "forbidden")}


def configuration(control):
    return reflector_toml(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients")).replace("port = 0\n", "port = 9179\n").replace('socket = "control.sock"\n', 'socket = "control.sock"\n' + control)


@test("H7 D: on the Unix socket the members of operator-group change things, others who can open it look; refused ones are counted")
def users(t):
    if os.getuid() != 0:
        raise Skip("only root can be somebody else")
    group = grp.getgrgid(12 if 12 in [g.gr_gid for g in grp.getgrall()] else 2)
    heliod = t.reflector(configuration('mode = "0666"\noperator-group = "%s"\n' % group.gr_name), watch=False)
    socket = str(heliod.folder / "control.sock")
    folder = heliod.folder
    while str(folder) != "/":  # so that others get to the socket at all
        if not os.stat(folder).st_mode & 1:
            folder.chmod(0o755)
        folder = folder.parent
    for who, changes in (({}, True), ({"user": NOBODY, "group": NOBODY, "extra_groups": []}, False), ({"user": NOBODY, "group": NOBODY, "extra_groups": [3, group.gr_gid]}, True),
                         ({"user": NOBODY, "group": group.gr_gid, "extra_groups": []}, True)):
        status, said = helioctl(heliod, "--socket", socket, "show", "summary", **who)
        check(status == 0 and "router-id 10.255.0.1" in said, "everybody looks", who, said)
        status, said = helioctl(heliod, "--socket", socket, "log", "level", "info", **who)
        if changes:
            check(status == 0, "operators change things", who, said)
        else:
            check(status == 1 and "you may only look" in said and "group %s" % group.gr_name in said, "readers are told what to do", said)
    wait_until(lambda: refused() == {"unauthorized": 0, "forbidden": 1}, lambda: "the metric: %s" % refused(), 10)


@test("H5 D, H7 D: over TCP on loopback a token opens the API, the other one for looking only; a new token counts at once")
def tokens(t):
    folder = t.folder / "heliod"
    full, read = secret(folder, "full", FULL, 0o640), secret(folder, "read", READ)
    secret(folder, "open", FULL, 0o644)
    heliod = t.reflector(configuration('port = %d\ntoken-file = "full"\nread-token-file = "read"\n' % PORT), watch=False)
    # What is not safe is no configuration.
    for control, complaint in (("port = 9180\n", "set token-file"), ('address = "192.0.2.1"\nport = 9180\ntoken-file = "full"\n', "is not a loopback address"), ('address = "0.0.0.0"\n', "is not a loopback address"),
                               ('token-file = "none"\n', "No such file"), ('token-file = "open"\n', "everybody may read"), ('token-file = "full"\nread-token-file = "full"\n', "the same token")):
        (folder / "bad.toml").write_text(configuration(control))
        status, said = helioctl(heliod, "config", "check", str(folder / "bad.toml"))
        check(status == 1 and complaint in said, "%s: %s" % (control, complaint), said)

    def ask(method, target, token, scheme="Bearer "):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
        connection.request(method, target, headers={"Authorization": scheme + token} if token is not None else {})
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer
    check(ask("GET", "/v1/summary", FULL).status == 200 and ask("GET", "/v1/summary", READ).status == 200, "both look")
    check(ask("POST", "/v1/log:debug", FULL).status == 200, "one changes")
    answer = ask("POST", "/v1/log:debug", READ)
    check(answer.status == 403 and b"token-file" in answer.body, "the other does not", answer.body)
    for token in (None, "", "x", FULL + "x", FULL[:-1]):
        answer = ask("GET", "/v1/summary", token)
        check(answer.status == 401 and answer.getheader("WWW-Authenticate") == "Bearer" and b"router" not in answer.body, "no token, no answer", token, answer.body)
    check(ask("GET", "/v1/summary", FULL, "Basic ").status == 401, "another scheme")
    wait_until(lambda: refused() == {"unauthorized": 6, "forbidden": 1}, lambda: "the metric: %s" % refused(), 10)
    # helioctl, by options and by the environment.
    url = "http://127.0.0.1:%d" % PORT
    for words, environment in ((("--url", url, "--token-file", full), {}), ((), {"HELIOGRAPH_URL": url, "HELIOGRAPH_TOKEN_FILE": read})):
        status, said = helioctl(heliod, *words, "show", "summary", env=environment)
        check(status == 0 and "router-id 10.255.0.1" in said, "helioctl over TCP", said)
    status, said = helioctl(heliod, "--url", url, "show", "summary")
    check(status == 1 and "--token-file" in said, "without a token it says what is missing", said)
    status, said = helioctl(heliod, "--url", "http://127.0.0.1:9181", "--token-file", full, "show", "summary")
    check(status == 2 and "no daemon answers on http://127.0.0.1:9181" in said, "another port", said)
    status, said = helioctl(heliod, "--url", "127.0.0.1:9180", "show", "summary")
    check(status == 2 and "is not a URL" in said, "no URL", said)
    # A stream, and the Unix socket beside it.
    status, said = helioctl(heliod, "--url", url, "--token-file", read, "show", "routes", "--all")
    check(status == 0, "a stream over TCP", said)
    check(heliod.show("summary")["router_id"] == "10.255.0.1", "the socket")
    secret(folder, "full", "another-token-of-the-test")
    check(ask("GET", "/v1/summary", FULL).status == 401 and ask("POST", "/v1/log:debug", "another-token-of-the-test").status == 200, "a new token counts at once")
    # Many connections without a token leave the Unix socket alone.
    idle = [http.client.HTTPConnection("127.0.0.1", PORT, timeout=5) for _ in range(100)]
    for connection in idle:
        connection.connect()
    check(heliod.show("summary")["router_id"] == "10.255.0.1", "the socket, with 100 connections over TCP")
    for connection in idle:
        connection.close()


@test("H7 B: ready when those that were to come are back and their routes are sent on; flaps of some change nothing, the loss of all begins it anew")
def readiness(t):
    neighbors = "".join('[[neighbors]]\naddress = "127.1.0.%d"\npeer-group = "clients"\npassive = true\n' % n for n in (1, 2, 3))
    heliod = t.reflector(config=reflector_toml(groups=group_toml("clients") + neighbors))

    def says(status, *words):
        wait_until(lambda: (lambda code, said: code == status and all(w in said for w in words))(*helioctl(heliod, "--socket", str(heliod.folder / "control.sock"), "health", "--ready")),
                   lambda: "health: %s" % (helioctl(heliod, "--socket", str(heliod.folder / "control.sock"), "health", "--ready"),), 20)
    says(1, "not ready", "the first session")
    heliod.control("peer", "127.1.0.3", "down")
    one = t.peer("127.1.0.1", families=(bgp.VPNV4,))
    one.wait_eor()
    says(1, "waiting for 1 of 2 neighbours", "peers 1/3")
    check("waits for 1 of 2 neighbours" in heliod.control("show", "summary"), "the summary says so")
    two = t.peer("127.1.0.2", families=(bgp.VPNV4,), join=False)
    two.wait_eor()
    says(1, "the End-of-RIB from or to 1 of 2 peers")
    two.eor()
    says(0, "ready", "peers 2/3")
    one.close()
    wait_until(lambda: heliod.show("summary")["peers_established"] == 1, "the loss of a peer", 10)
    check(heliod.show("summary")["ready"], "a peer that flaps makes nobody wait")
    two.close()
    says(1, "the first session")


@test("HOSTILE-INPUT §3 connection flood: connections to the metrics port that say half a request and no more do not keep a scrape away")
def metrics_beside_silent_connections(t):
    t.reflector(config=reflector_toml(telemetry=9179))
    silent = []
    for _ in range(12):
        silent.append(socket.create_connection(("127.0.0.1", 9179), timeout=5))
        silent[-1].sendall(b"GET /metrics HTTP/1.1\r\n")
    text = urllib.request.urlopen("http://127.0.0.1:9179/metrics", timeout=30).read().decode()
    check("heliograph_ready " in text, "a scrape", text[:200])
    for one in silent:
        one.close()
