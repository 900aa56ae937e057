"""Dashboards, rules and runbook against a real Prometheus that scrapes heliod under load (H5 G). No Grafana is needed: its queries
are what can be wrong."""
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import bgp
from bmp import Station
from daemons import need
from harness import VPN4, check, group_toml, reflector_toml, test, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAFANA, RULES = ROOT / "deploy" / "grafana", ROOT / "deploy" / "prometheus" / "rules"
sys.path.insert(0, str(GRAFANA))
VPN = (bgp.VPNV4,)


def dashboards():
    return {f.stem: json.loads(f.read_text()) for f in sorted((GRAFANA / "dashboards").glob("*.json"))}


def panels(board):
    return [p for p in board["panels"] if p["type"] != "row"]


@test("H5 G: rules: promtool accepts them, every alert has a test and a section in heliod(8); the dashboards are what make.py writes, with every metric in a panel or a rule")
def files(t):
    need("promtool")
    for argv in (["promtool", "check", "rules", *map(str, RULES.glob("*.yml"))], ["promtool", "test", "rules", str(RULES / "tests" / "alerts.yml")],
                 ["promtool", "check", "config", str(RULES.parent / "prometheus.yml")], [sys.executable, str(GRAFANA / "make.py"), "--check"]):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, " ".join(argv), done.stdout, done.stderr)
    alerts = re.findall(r"- alert: (\w+)", (RULES / "alerts.yml").read_text())
    tested, manual = (RULES / "tests" / "alerts.yml").read_text(), (ROOT / "deploy" / "man" / "heliod.8.scd").read_text()
    check(len(alerts) >= 15 and len(set(alerts)) == len(alerts), "alerts", alerts)
    for alert in alerts:
        check("exp_alerts" in tested.split("alertname: %s\n" % alert, 1)[-1][:40], "%s has no test in which it fires" % alert)
        check("alertname: %s}" % alert in tested, "%s has no test in which it does not fire" % alert)
        check("\n*%s*\n" % alert in manual, "%s has no section in heliod(8)" % alert)
        check("heliod(8), ALERTS, %s" % alert in (RULES / "alerts.yml").read_text(), "%s does not name its section" % alert)
    known = {line.split()[0] for line in (ROOT / "tests" / "golden" / "metrics.txt").read_text().splitlines() if line.strip()}
    text = "".join(target["expr"] for board in dashboards().values() for p in panels(board) for target in p["targets"]) + "".join(f.read_text() for f in RULES.glob("*.yml"))
    histograms = {line.split()[0] for line in (ROOT / "tests" / "golden" / "metrics.txt").read_text().splitlines() if line.endswith(" histogram")}
    used = {name[:-len("_bucket")] if name.removesuffix("_bucket") in histograms else name for name in re.findall(r"(?<![:\w])(?:heliograph|process)_\w+", text)}
    check(used <= known, "metrics that do not exist", used - known)
    check(known <= used, "metrics that no panel and no rule uses", known - used)
    uids = set()
    for board in dashboards().values():
        uids.add(board["uid"])
        for p in panels(board):
            check(p["description"] and p["datasource"]["uid"] == "${datasource}", "every panel has a description and the data source of the variable", p["title"])
    check(len(uids) == 4, "four dashboards with ids of their own", uids)


@test("H5 G: every panel's query, every variable and every recording rule gives data in Debian's Prometheus while heliod reflects")
def queries(t):
    need("prometheus")
    import make
    groups = (group_toml("pe", extra='prefix-limits = { "%s" = { max-prefixes = 1000, action = "warn" } }' % VPN4) +
              "".join('[[neighbors]]\naddress = "127.1.0.%d"\npeer-group = "pe"\npassive = true\n' % n for n in (1, 2, 3)))  # by address: ready when they are there
    listening = Station()
    tail = '[[bmp.stations]]\naddress = "127.9.0.1"\n[mrt]\ndirectory = "mrt"\nrib-dump-interval = 2\n'
    t.reflector(config=reflector_toml(groups=groups, tail=tail).replace("[runtime]\n", '[runtime]\nmemory-limit = "4GiB"\n').replace("[telemetry]\nport = 0", "[telemetry]\nport = 9179\nper-peer = \"full\""), watch=False)
    folder = t.folder / "prometheus"
    (folder / "rules").mkdir(parents=True)
    for rule in RULES.glob("*.yml"):
        (folder / "rules" / rule.name).write_text(rule.read_text())
    (folder / "prometheus.yml").write_text((RULES.parent / "prometheus.yml").read_text().replace("15s", "1s"))
    prometheus = t.process(["prometheus", "--config.file=%s" % (folder / "prometheus.yml"), "--storage.tsdb.path=%s" % (folder / "data"), "--web.listen-address=127.0.0.1:9090",
                            "--log.level=warn"], "prometheus.log", cwd=folder)

    def ask(path, **parameters):
        try:
            with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/%s?%s" % (path, urllib.parse.urlencode(parameters)), timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:                                                       # it starts
                return None
            check(False, "%s %s" % (path, parameters), error.read().decode())
        except OSError:
            check(prometheus.alive(), "prometheus ended", prometheus.text())
            return None

    source, other = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    bad = t.peer("127.1.0.3", families=VPN)
    bad.announce("65000:9", "10.9.0.0/24", ["65000:1"], origin=7)                       # RFC 7606: an error to be counted
    wait_until(lambda: ask("query", query="up") is not None, "prometheus to answer", 30)
    wait_until(lambda: ask("query", query="heliograph_peer_up")["result"], "the first scrape", 30)
    end, n = time.monotonic() + 9, 0
    while time.monotonic() < end:                                                       # churn, and a flap
        n += 1
        source.announce("65000:1", ["10.0.%d.0/24" % i for i in range(50)], ["65000:1"], label=16 + n)
        if n == 10:
            bad.close()
        time.sleep(0.1)

    def concrete(expression):
        return expression.replace("$__rate_interval", "8s").replace("$datasource", "").replace("$job", ".*").replace("$instance", ".*").replace("$group", ".*").replace("$peer", ".*")
    empty, asked, may_be_empty = [], 0, make.may_be_empty()
    for name, board in dashboards().items():
        for p in panels(board):
            for target in p["targets"]:
                asked += 1
                data = ask("query", query=concrete(target["expr"]))
                if not data["result"] and (name, p["title"]) not in may_be_empty:
                    empty.append("%s / %s: %s" % (name, p["title"], target["expr"]))
        for v in board["templating"]["list"]:
            if v["type"] == "query":
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", v["definition"]).groups()
                check(ask("label/%s/values" % label, **{"match[]": concrete(selector)}), "variable %s of %s has no values" % (v["name"], name))
    check(not empty, "panels without data", *empty)
    check(asked > 50, "only %d queries were asked" % asked)
    for name, title in may_be_empty - {("runtime", "NOTIFICATIONs")}:                   # here there is something to show in them, too
        p = [p for p in panels(dashboards()[name]) if p["title"] == title][0]
        check(ask("query", query=concrete(p["targets"][0]["expr"]))["result"], "panel %s of %s" % (title, name))
    for record in re.findall(r"- record: (\S+)", (RULES / "recording.yml").read_text()):
        wait_until(lambda: ask("query", query=record)["result"], "recording rule %s" % record, 10)
    states = {r["name"]: r["health"] for g in ask("rules")["groups"] for r in g["rules"]}
    check(set(states.values()) == {"ok"}, "rules that Prometheus cannot evaluate", states)
    listening.close()
    firing = {a["labels"]["alertname"] for a in ask("alerts")["alerts"]}
    check("HeliographUpdateErrors" in firing, "the bad UPDATE raises its alert", firing)
