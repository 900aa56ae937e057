"""Writes the rules of this folder as the PrometheusRule of deploy/kubernetes/components/prometheus-operator."""
import pathlib

import yaml

here = pathlib.Path(__file__).parent
groups = [group for name in ("recording", "alerts") for group in yaml.safe_load((here / f"rules/{name}.yml").read_text())["groups"]]
rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
        "metadata": {"name": "heliograph", "labels": {"app.kubernetes.io/name": "heliograph"}}, "spec": {"groups": groups}}
target = here.parent / "kubernetes/components/prometheus-operator/prometheusrule.yaml"
target.write_text("# Written by deploy/prometheus/operator.py; not by hand.\n" + yaml.safe_dump(rule, sort_keys=False, width=1000))
