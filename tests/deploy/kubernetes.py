"""Judges rendered manifests: keys of the API that are in use here, references that resolve, and what a route reflector needs of them.

    kubernetes.py RENDERED.yaml HELIOD
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

META = {"name", "namespace", "labels", "annotations"}
LABELS = {"matchLabels"}
TERM = {"topologyKey": str, "labelSelector": LABELS}
PROBE = {"exec": {"command"}, "periodSeconds": int, "timeoutSeconds": int, "failureThreshold": int}
# A set: these keys with anything below; a type: a value of it; a list with one element: a list of that; None: anything.
POD = {
    "automountServiceAccountToken": bool, "enableServiceLinks": bool, "priorityClassName": str, "terminationGracePeriodSeconds": int,
    "hostNetwork": bool, "dnsPolicy": str, "nodeSelector": None,
    "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int, "seccompProfile": {"type": str},
                        "sysctls": [{"name": str, "value": str}]},
    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM],
                                     "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": int, "podAffinityTerm": TERM}]}},
    "containers": [{"name": str, "image": str, "imagePullPolicy": str, "ports": [{"name": str, "containerPort": int, "protocol": str}],
                    "resources": {"requests", "limits"},
                    "securityContext": {"allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "capabilities": {"drop", "add"}},
                    "startupProbe": PROBE, "livenessProbe": PROBE, "readinessProbe": PROBE,
                    "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}]}],
    "volumes": [{"name": str, "configMap": {"name"}, "emptyDir": {"medium", "sizeLimit"}, "secret": {"secretName": str, "defaultMode": int}}],
}
KINDS = {
    ("v1", "Namespace"): {},
    ("v1", "ConfigMap"): {"data": None},
    ("v1", "Service"): {"spec": {"clusterIP": str, "publishNotReadyAddresses": bool, "selector": None,
                                 "ports": [{"name": str, "port": int, "targetPort": None}]}},
    ("scheduling.k8s.io/v1", "PriorityClass"): {"value": int, "globalDefault": bool, "description": str},
    ("policy/v1", "PodDisruptionBudget"): {"spec": {"maxUnavailable": int, "selector": LABELS}},
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {"spec": {"jobLabel": str, "selector": LABELS, "endpoints": [{"port": str, "interval": str,
                                                        "relabelings": [{"sourceLabels": None, "targetLabel": str}]}]}},
    ("monitoring.coreos.com/v1", "PrometheusRule"): {"spec": {"groups": None}},
    ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition"): {"spec": {"config": str}},
    ("apps/v1", "StatefulSet"): {"spec": {"serviceName": str, "replicas": int, "updateStrategy": {"type"}, "selector": LABELS,
                                          "template": {"metadata": META, "spec": POD}}},
}
problems = []


def shape(value, wanted, where):
    """Every key known, every value of its type."""
    if wanted is None:
        return
    if isinstance(wanted, type):
        if type(value) is not wanted:
            problems.append(f"{where}: {value!r} is no {wanted.__name__}")
    elif isinstance(wanted, list):
        if not isinstance(value, list) or not value:
            problems.append(f"{where}: not a list")
        else:
            for index, item in enumerate(value):
                shape(item, wanted[0], f"{where}[{index}]")
    elif not isinstance(value, dict):
        problems.append(f"{where}: not an object")
    else:
        for key, item in value.items():
            if key not in wanted:
                problems.append(f"{where}: unknown key {key}")
            elif isinstance(wanted, dict):
                shape(item, wanted[key], f"{where}.{key}")


def need(holds, text):
    if not holds:
        problems.append(text)


def matches(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


def judge_config(text, heliod, where):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "heliograph.toml")
        path.write_text(text)
        run = subprocess.run([heliod, "--check", "--config", path], capture_output=True, text=True)
        need(run.returncode == 0, f"{where}: {run.stderr}")


def judge_networks(template, networks, where):
    """Annotated addresses reach the static IPAM only through a plugin that has the capability."""
    wanted = json.loads(template["metadata"].get("annotations", {}).get("k8s.v1.cni.cncf.io/networks", "[]"))
    for one in wanted:
        config = next((json.loads(n["spec"]["config"]) for n in networks if n["metadata"]["name"] == one["name"]), None)
        need(config is not None, f"{where}: no NetworkAttachmentDefinition {one['name']}")
        plugins = (config or {}).get("plugins", [config or {}])
        if "ips" in one:
            need(any(p.get("capabilities", {}).get("ips") is True for p in plugins), f"{where}: network {one['name']} lacks the capability ips")


def judge_set(item, by_kind, heliod):
    name, spec = item["metadata"]["name"], item["spec"]
    pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"]
    container = pod["containers"][0]
    need(spec["replicas"] == 1, f"{name}: replicas is 1, an identity cannot be shared")
    need(spec["updateStrategy"]["type"] == "OnDelete", f"{name}: an update must not restart all reflectors at once")
    need(matches(spec["selector"]["matchLabels"], labels), f"{name}: selector does not match its template")
    service = next((s for s in by_kind["Service"] if s["metadata"]["name"] == spec["serviceName"]), None)
    need(service and matches(service["spec"]["selector"], labels), f"{name}: its Service does not select it")
    for other in by_kind["StatefulSet"]:
        if other is not item:
            theirs = other["spec"]["template"]["metadata"]["labels"]
            need(not matches(spec["selector"]["matchLabels"], theirs), f"{name}: its selector takes the pods of another identity")
            need(not (service and matches(service["spec"]["selector"], theirs)), f"{name}: its Service takes the pods of another identity")
    apart = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    plane = labels.get("heliograph/plane")
    rather = [term["podAffinityTerm"] for term in pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]]
    for other in by_kind["StatefulSet"]:
        theirs = other["spec"]["template"]["metadata"]["labels"]
        if theirs.get("heliograph/plane") != plane:
            continue  # another plane: it holds other route targets, a shared node takes no route from the PEs
        need(any(term["topologyKey"] == "topology.kubernetes.io/zone" and matches(term["labelSelector"]["matchLabels"], theirs) and
                 (plane is None or term["labelSelector"]["matchLabels"].get("heliograph/plane") == plane) for term in apart + rather),
             f"{name}: not kept out of the zone of {other['metadata']['name']}")
        need(any(term["topologyKey"] == "kubernetes.io/hostname" and
                 matches(term["labelSelector"]["matchLabels"], other["spec"]["template"]["metadata"]["labels"]) for term in apart),
             f"{name}: not kept off the node (kubernetes.io/hostname) of {other['metadata']['name']}")
    need(any(matches(budget["spec"]["selector"]["matchLabels"], labels) for budget in by_kind["PodDisruptionBudget"]), f"{name}: no PodDisruptionBudget")
    monitors = [m for m in by_kind["ServiceMonitor"] if matches(m["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])]
    need(monitors or not by_kind["PrometheusRule"], f"{name}: no ServiceMonitor")
    for monitor in monitors:
        need(any(r == {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"}
                 for endpoint in monitor["spec"]["endpoints"] for r in endpoint.get("relabelings", [])), f"{name}: instance is the address of a pod")
    need(any(c["metadata"]["name"] == pod["priorityClassName"] for c in by_kind["PriorityClass"]), f"{name}: no PriorityClass {pod['priorityClassName']}")
    resources = container["resources"]
    need(resources["requests"] == resources["limits"] and {"cpu", "memory"} <= resources["limits"].keys(), f"{name}: QoS is not Guaranteed")
    need(resources["limits"]["cpu"].isdigit(), f"{name}: cores of its own need a whole number of them")
    own_network = not pod.get("hostNetwork")
    sysctls = {s["name"]: s["value"] for s in pod["securityContext"].get("sysctls", [])}
    need(sysctls == ({"net.ipv4.ip_unprivileged_port_start": "0"} if own_network else {}), f"{name}: sysctls {sysctls}")
    context = container["securityContext"]
    need(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10179 and context["capabilities"] == {"drop": ["ALL"]} and
         context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"], f"{name}: more privileges than needed")
    for probe, command in (("startupProbe", "helioctl health"), ("livenessProbe", "helioctl health"), ("readinessProbe", "helioctl health --ready")):
        need(" ".join(container[probe]["exec"]["command"]) == command, f"{name}: {probe} is not {command}")
    need(container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 300, f"{name}: five minutes to start")
    judge_networks(spec["template"], by_kind["NetworkAttachmentDefinition"], name)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    need({m["name"] for m in container["volumeMounts"]} == volumes.keys(), f"{name}: volumes and mounts differ")
    for volume in pod["volumes"]:
        if "secret" in volume:
            need(volume["secret"].get("defaultMode") == 0o440 and pod["securityContext"].get("fsGroup") == pod["securityContext"]["runAsGroup"],
                 f"{name}: heliod cannot read the Secret, or others can")
    config = volumes["config"]["configMap"]["name"]
    data = next((m["data"] for m in by_kind["ConfigMap"] if m["metadata"]["name"] == config), {})
    need("heliograph.toml" in data, f"{name}: no ConfigMap {config} with heliograph.toml")
    judge_config(data.get("heliograph.toml", ""), heliod, config)
    if "[[listen-ranges]]" in data.get("heliograph.toml", ""):
        need(re.search(r'^\[graceful-restart\]\nmode = "full"', data["heliograph.toml"], re.M), f"{config}: PEs drop all routes when the pod is deleted")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    need(ports == {"bgp": 179, "metrics": 9179}, f"{name}: ports {ports}")


def main(path, heliod):
    items = [item for item in yaml.safe_load_all(pathlib.Path(path).read_text()) if item]
    by_kind = {kind: [i for i in items if i["kind"] == kind] for _, kind in KINDS}
    seen = set()
    for item in items:
        kind, name = (item["apiVersion"], item["kind"]), item["metadata"]["name"]
        where = f"{item['kind']} {name}"
        if kind not in KINDS:
            problems.append(f"{where}: unknown kind {kind}")
            continue
        shape(item, {"apiVersion": str, "kind": str, "metadata": META, **KINDS[kind]}, where)
        need((kind, name) not in seen, f"{where}: twice")
        seen.add((kind, name))
        if item["kind"] not in ("Namespace", "PriorityClass"):
            need(item["metadata"].get("namespace") == "heliograph", f"{where}: namespace")
        if item["kind"] == "NetworkAttachmentDefinition":
            json.loads(item["spec"]["config"])
    need(by_kind["StatefulSet"], "no StatefulSet")
    if not problems:
        for item in by_kind["StatefulSet"]:
            judge_set(item, by_kind, heliod)
        dashboards = next((m for m in by_kind["ConfigMap"] if m["metadata"].get("labels", {}).get("grafana_dashboard")), None)
        need(dashboards and all(json.loads(text)["panels"] for text in dashboards["data"].values()), "no dashboards")
        rules = next((m["data"] for m in by_kind["ConfigMap"] if m["metadata"]["name"] == "heliograph-rules"), {})
        groups = [group for text in ("recording.yml", "alerts.yml") for group in yaml.safe_load(rules.get(text, "groups: []"))["groups"]]
        need(groups, "no rules")
        for rule in by_kind["PrometheusRule"]:
            need(rule["spec"]["groups"] == groups, "PrometheusRule: not the rules of deploy/prometheus (python3 deploy/prometheus/operator.py)")
        need(len(by_kind["PrometheusRule"]) == len(by_kind["ServiceMonitor"]) <= 1, "a ServiceMonitor and a PrometheusRule, or none of them")
        configs = [s["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] for s in by_kind["StatefulSet"]]
        need(len(set(configs)) == len(configs), "two reflectors with one configuration")
    print("\n".join(problems))
    sys.exit(bool(problems))


main(*sys.argv[1:])
