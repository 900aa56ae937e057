"""Checks a containerlab topology: keys, types and values as its manual has them (containerlab.dev/manual), wires between nodes that
exist, each interface once and named as its kind does, files that are there."""
import ipaddress
import pathlib
import re
import sys

import yaml

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
BIND = re.compile(r"[^:]+:/[^:]+(:(ro|rw|z|Z))?")
# As manual/kinds spells it; ixrd2l is the spelling of old releases. What else a topology uses is added when it is looked up.
SRL_TYPES = {"ixr-d2l"}
INTERFACES = {"linux": re.compile(r"eth[1-9][0-9]*"), "nokia_srlinux": re.compile(r"e1-[1-9][0-9]*(-[1-9])?")}
texts = (list, str)
# A type; (list, t): a list of t, not empty, nothing twice; a dict: these keys; a pattern: a text like that.
NODE = {
    "kind": str, "group": str, "image": re.compile(r"[a-z0-9./-]+(:[0-9]+/[a-z0-9./-]+)?:[A-Za-z0-9._-]+"), "type": str,
    "binds": (list, BIND), "exec": texts, "startup-config": str, "startup-delay": int, "license": str, "user": str, "cmd": str, "entrypoint": str,
    "sysctls": {re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_]+)+"): (int, str)}, "env": {re.compile(r"[A-Za-z_][A-Za-z0-9_]*"): (int, str)},
    "labels": {NAME: (int, str)}, "ports": (list, re.compile(r"([0-9.]+:)?[0-9]+:[0-9]+(/(tcp|udp|sctp))?")), "mgmt-ipv4": ipaddress.IPv4Address,
}
LAB = {"name": NAME, "prefix": str, "mgmt": {"network": str, "ipv4-subnet": ipaddress.IPv4Network},
       "topology": {"defaults": NODE, "groups": {NAME: NODE}, "kinds": {NAME: NODE}, "nodes": {NAME: NODE},
                    "links": (list, {"endpoints": (list, re.compile(r"[^:]+:[^:]+"))})}}


def shape(value, wanted, where):
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            yield f"{where}: not a map"
            return
        for key, item in value.items():
            known = next((w for k, w in wanted.items() if k == key or (isinstance(k, re.Pattern) and k.fullmatch(str(key)))), None)
            if known is None:
                yield f"{where}: unknown key {key}"
            else:
                yield from shape(item, known, f"{where}.{key}")
    elif isinstance(wanted, tuple) and wanted[0] is list:
        if not isinstance(value, list) or not value:
            yield f"{where}: not a list"
            return
        for index, item in enumerate(value):
            yield from shape(item, wanted[1], f"{where}[{index}]")
            if item in value[:index]:
                yield f"{where}: {item} twice"
    elif isinstance(wanted, re.Pattern):
        if not isinstance(value, str) or not wanted.fullmatch(value):
            yield f"{where}: {value!r} is not like {wanted.pattern}"
    elif isinstance(wanted, tuple):
        if type(value) not in wanted:
            yield f"{where}: {value!r} is of no type that it may have"
    elif wanted in (str, int):
        if type(value) is not wanted:
            yield f"{where}: {value!r} is no {wanted.__name__}"
    else:
        try:
            wanted(value)
        except ValueError as error:
            yield f"{where}: {error}"


def problems(path):
    lab = yaml.safe_load(path.read_text())
    wrong = list(shape(lab, LAB, path.name))
    if wrong or not {"name", "topology"} <= lab.keys():
        yield from wrong or ["name and topology are missing"]
        return
    topology = lab["topology"]
    nodes, groups, kinds, defaults = (topology.get(part, {}) for part in ("nodes", "groups", "kinds", "defaults"))
    yield from (f"unknown kind {kind}" for kind in kinds.keys() - INTERFACES.keys())
    for name, node in {**nodes, **groups, **kinds, "defaults": defaults}.items():
        files = [bind.split(":")[0] for bind in node.get("binds", [])] + [node[key] for key in ("startup-config",) if key in node]
        yield from (f"{name}: no file {file}" for file in files if not (path.parent / file).is_file())
        yield from (f"{name}: {bind} can be written from inside" for bind in node.get("binds", []) if not bind.endswith(":ro"))
    kind_of = {}
    for name, node in nodes.items():
        group = groups.get(node.get("group"), {})
        if "group" in node and not group:
            yield f"{name}: no group {node['group']}"
        kind = kind_of[name] = node.get("kind", group.get("kind", defaults.get("kind")))
        if kind not in INTERFACES:
            yield f"{name}: unknown kind {kind}"
        parts = (node, group, kinds.get(kind, {}), defaults)
        if not any("image" in part for part in parts):
            yield f"{name}: no image"
        model = next((part["type"] for part in parts if "type" in part), None)
        if kind == "nokia_srlinux" and model is not None and model not in SRL_TYPES:
            yield f"{name}: no type {model} of nokia_srlinux"
    used = set()
    for link in topology["links"]:
        if len(link["endpoints"]) != 2:
            yield f"a link is two endpoints: {link}"
        for end in link["endpoints"]:
            node, interface = end.split(":")
            if node not in nodes:
                yield f"link to an unknown node: {end}"
            elif kind_of[node] in INTERFACES and not INTERFACES[kind_of[node]].fullmatch(interface):
                yield f"no interface of a {kind_of[node]}: {end}"
            if end in used:
                yield f"interface taken: {end}"
            used.add(end)
    yield from (f"{name} has no link" for name in nodes if not any(end.startswith(name + ":") for end in used))


found = [problem for name in sys.argv[1:] for problem in problems(pathlib.Path(name))]
print("\n".join(found))
sys.exit(bool(found))
