"""Checks a containerlab topology: only keys that its schema has, wires between nodes that exist, each interface once, files that are there."""
import pathlib
import sys

import yaml

# Of containerlab's schemas/clab.schema.json: those in use here. A top-level wait-for, for one, is none.
TOP = {"name", "prefix", "mgmt", "topology"}
TOPOLOGY = {"nodes", "groups", "kinds", "defaults", "links"}
NODE = {"kind", "group", "image", "type", "binds", "exec", "sysctls", "startup-config", "mgmt-ipv4", "env", "cmd", "entrypoint", "user",
        "healthcheck", "stages", "ports", "labels", "license"}
KINDS = {"linux", "nokia_srlinux"}


def problems(path):
    lab = yaml.safe_load(path.read_text())
    yield from (f"unknown key {key}" for key in lab.keys() - TOP)
    topology = lab["topology"]
    yield from (f"unknown key topology.{key}" for key in topology.keys() - TOPOLOGY)
    nodes, groups, kinds = (topology.get(part, {}) for part in ("nodes", "groups", "kinds"))
    yield from (f"unknown kind {kind}" for kind in kinds.keys() - KINDS)
    everything = {**nodes, **groups, **kinds, "defaults": topology.get("defaults", {})}
    for name, node in everything.items():
        yield from (f"{name}: unknown key {key}" for key in node.keys() - NODE)
        for key in ("binds", "exec"):
            if not all(isinstance(item, str) for item in node.get(key, [])):
                yield f"{name}: {key} is not a list of texts"
        files = [bind.split(":")[0] for bind in node.get("binds", [])] + [node[key] for key in ("startup-config",) if key in node]
        yield from (f"{name}: no file {file}" for file in files if not (path.parent / file).is_file())
    for name, node in nodes.items():
        group = groups.get(node.get("group"), {})
        if "group" in node and not group:
            yield f"{name}: no group {node['group']}"
        kind = node.get("kind", group.get("kind", topology.get("defaults", {}).get("kind")))
        if kind not in KINDS:
            yield f"{name}: unknown kind {kind}"
        if not any("image" in part for part in (node, group, kinds.get(kind, {}), topology.get("defaults", {}))):
            yield f"{name}: no image"
    used = set()
    for link in topology["links"]:
        if link.keys() != {"endpoints"} or len(link["endpoints"]) != 2:
            yield f"a link is two endpoints: {link}"
        for end in link["endpoints"]:
            node, interface = end.split(":")
            if node not in nodes:
                yield f"link to an unknown node: {end}"
            if end in used or interface in ("eth0", "mgmt0"):
                yield f"interface taken: {end}"
            used.add(end)
    yield from (f"{name} has no link" for name in nodes if not any(end.startswith(name + ":") for end in used))


found = [problem for name in sys.argv[1:] for problem in problems(pathlib.Path(name))]
print("\n".join(found))
sys.exit(bool(found))
