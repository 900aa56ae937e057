#!/usr/bin/python3
"""Writes the dashboards/*.json from the short form below: python3 deploy/grafana/make.py [--check]

A panel is (kind, title, unit, description, [(expression, legend)…], options). --check fails when a file is not what would be
written. The JSON is Grafana's classic model, for provisioning and for import; the data source is a variable.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
JOB = 'job=~"$job",instance=~"$instance"'
PEER = JOB + ',group=~"$group"'
ONE = JOB + ',peer=~"$peer"'
RATE = "[$__rate_interval]"


def stat(title, unit, description, expression, **options):
    return "stat", title, unit, description, [(expression, "")], options


def graph(title, unit, description, *targets, **options):
    return "timeseries", title, unit, description, list(targets), options


UP = {"mappings": {0: ("no", "red"), 1: ("yes", "green")}}
STATES = {"mappings": {1: ("Idle", "red"), 2: ("Connect", "orange"), 3: ("Active", "orange"), 4: ("OpenSent", "yellow"), 5: ("OpenConfirm", "yellow"), 6: ("Established", "green")}}

OVERVIEW = [
    ("Is it safe to depend on it?", [
        stat("Ready", "none", "Every established peer has sent its End-of-RIB and was sent ours.", "min(heliograph_ready{%s})" % JOB, **UP),
        stat("Converged", "none", "The same, of all that were ever up since the start.", "min(heliograph_converged{%s})" % JOB, **UP),
        stat("Maintenance", "none", "helioctl maintenance on: everything is sent with GRACEFUL_SHUTDOWN (RFC 8326).", "max(heliograph_maintenance{%s})" % JOB, mappings={0: ("off", "green"), 1: ("on", "orange")}),
        stat("Peers established", "short", "Sessions that are up.", 'sum(heliograph_peers{state="established",%s})' % PEER),
        stat("Peers not established", "short", "Configured neighbours and known dynamic ones that are down. Red above 0.", 'sum(heliograph_peers{state!="established",%s})' % PEER, red_above=0),
        stat("Awaited End-of-RIB", "short", "Peers whose End-of-RIB has not come.", "sum(heliograph_eor_pending_peers{%s})" % JOB),
        stat("Time to converge", "s", "From the start to the first convergence.", "max(heliograph_initial_convergence_seconds{%s})" % JOB),
        stat("Worst lag", "s", "The peer that is farthest behind. Red above 30 s.", "max(heliograph_peer_lag_seconds{%s})" % PEER, red_above=30)]),
    ("Peers", [
        graph("Peers by state", "short", "A group that loses peers all at once points to a path or a policy, not to a PE.", ("sum by (state) (heliograph_peers{%s}) > 0" % PEER, "{{state}}")),
        graph("Flaps", "short", "Sessions lost, by group.", ("sum by (group) (increase(heliograph_peer_flaps_total{%s}%s))" % (PEER, RATE), "{{group}}")),
        graph("Why sessions ended", "short", "By reason, both sides.", ("sum by (reason) (increase(heliograph_session_closes_total{%s}%s)) > 0 or sum by (reason) (heliograph_session_closes_total{%s}) * 0" % (JOB, RATE, JOB), "{{reason}}")),
        graph("Slowest peers", "s", "The five that are farthest behind; the others do not wait for them.", ("topk(5, heliograph_peer_lag_seconds{%s})" % PEER, "{{peer}}"))]),
    ("Routes", [
        graph("Prefixes", "short", "With at least one path.", ("sum by (family) (heliograph_rib_prefixes{%s})" % JOB, "{{family}}")),
        graph("Paths", "short", "All that were received and not withdrawn.", ("sum by (family) (heliograph_rib_paths{%s})" % JOB, "{{family}}")),
        graph("Reflect latency", "s", "From an UPDATE read to its routes written to a peer.", ('histogram_quantile(0.5, sum by (le) (rate(heliograph_reflect_latency_seconds_bucket{stage="total",%s}%s)))' % (JOB, RATE), "p50"), ('histogram_quantile(0.99, sum by (le) (rate(heliograph_reflect_latency_seconds_bucket{stage="total",%s}%s)))' % (JOB, RATE), "p99")),
        graph("Best path changes", "cps", "What PEs have to be told.", ("sum by (family) (rate(heliograph_rib_best_changes_total{%s}%s))" % (JOB, RATE), "{{family}}")),
        graph("Memory", "bytes", "Of the process, what the RIB accounts for, and the limit: at 90 % of it new sessions are refused, at 100 % the largest is closed.", ("sum(process_resident_memory_bytes{%s})" % JOB, "resident"),
              ("sum(heliograph_rib_memory_bytes{%s})" % JOB, "RIB"), ("sum(heliograph_memory_used_bytes{%s})" % JOB, "counts against the limit"), ("sum(heliograph_memory_limit_bytes{%s})" % JOB, "limit")),
        graph("Sessions shed", "short", "Closed because memory was used up, the largest first.", ("sum(increase(heliograph_sessions_shed_total{%s}%s))" % (JOB, RATE), "shed"))]),
]

PEERS = [
    ("Session", [
        stat("Established", "none", "The state of the session.", "min(heliograph_peer_up{%s})" % ONE, **UP),
        stat("Since", "dateTimeFromNow", "When it came up.", "max(heliograph_peer_established_timestamp_seconds{%s}) * 1000" % ONE),
        stat("Flaps", "short", "Times the session was lost.", "sum(heliograph_peer_flaps_total{%s})" % ONE),
        stat("Route targets asked for", "short", "-1: it is sent everything.", "max(heliograph_peer_rt_interest{%s})" % ONE),
        ("state-timeline", "State", "none", "RFC 4271 states.", [("heliograph_peer_state{%s}" % ONE, "{{peer}}")], STATES),
        ("table", "Who it is", "none", "From its OPEN and from the configuration.", [("heliograph_peer_info{%s}" % ONE, "")], {})]),
    ("Routes", [
        graph("Prefixes", "short", "adj_in: received; adj_out: sent.", ("sum by (peer, family, rib) (heliograph_peer_prefixes{%s})" % ONE, "{{peer}} {{family}} {{rib}}")),
        graph("Of its prefix limit", "percentunit", "1: the limit is reached and its action taken. Empty without a limit.", ("max by (peer, family) (heliograph_peer_prefix_limit_ratio{%s})" % ONE, "{{peer}} {{family}}"), may_be_empty=True),
        graph("UPDATE messages", "cps", "By direction.", ("sum by (peer, direction) (rate(heliograph_peer_updates_total{%s}%s))" % (ONE, RATE), "{{peer}} {{direction}}"), may_be_empty=True)]),
    ("Does it keep up?", [
        graph("Lag", "s", "Age of the oldest change that it has not taken.", ("heliograph_peer_lag_seconds{%s}" % ONE, "{{peer}}")),
        graph("Output queue", "bytes", "What waits for its socket.", ("heliograph_peer_output_queue_bytes{%s}" % ONE, "{{peer}}"))]),
]

RIB = [
    ("What the RIB holds", [
        stat("Route targets", "short", "Distinct ones on routes.", "max(heliograph_route_targets{%s})" % JOB),
        stat("Attribute sets", "short", "Distinct ones; paths share them.", "sum(heliograph_rib_attribute_sets{%s})" % JOB),
        stat("Paths per attribute set", "short", "How well sharing works.", "sum(heliograph_rib_paths{%s}) / clamp_min(sum(heliograph_rib_attribute_sets{%s}), 1)" % (JOB, JOB)),
        stat("Encoding classes", "short", "Groups of peers that are sent identical bytes.", "max(heliograph_encoding_classes{%s})" % JOB),
        stat("Largest encoding class", "short", "Peers that share each encoded message.", "max(heliograph_encoding_class_peers_max{%s})" % JOB),
        stat("Stale paths", "short", "Kept over the restart of their peers (RFC 4724, 9494).", "sum(heliograph_rib_stale_paths{%s})" % JOB),
        graph("RIB memory by kind", "bytes", "Exact accounting.", ("sum by (kind) (heliograph_rib_memory_bytes{%s})" % JOB, "{{kind}}")),
        graph("Paths by shard", "short", "Even: the load is spread.", ("sum by (shard) (heliograph_rib_paths{%s})" % JOB, "shard {{shard}}"))]),
    ("What happens to routes", [
        graph("Where the time goes", "s", "p99 by stage: decide (read, decode, decision), encode, queue (between threads), write (until the kernel takes it).", ('histogram_quantile(0.99, sum by (le, stage) (rate(heliograph_reflect_latency_seconds_bucket{%s}%s)))' % (JOB, RATE), "{{stage}}")),
        graph("Canary", "s", "A marker through mail, RIB, decision and packing and back, every two seconds; with [telemetry] canary. What a change meets with when nobody announces one.", ('histogram_quantile(0.5, sum by (le) (rate(heliograph_canary_delay_seconds_bucket{%s}%s)))' % (JOB, RATE), "p50"), ('histogram_quantile(0.99, sum by (le) (rate(heliograph_canary_delay_seconds_bucket{%s}%s)))' % (JOB, RATE), "p99"), ('sum(increase(heliograph_canary_markers_total{result!="in_time",%s}%s))' % (JOB, RATE), "late or wrong"), may_be_empty=True),
        graph("Decisions", "cps", "Best path selections among several paths.", ("sum(rate(heliograph_rib_decisions_total{%s}%s))" % (JOB, RATE), "decisions")),
        graph("Not taken in: loops", "cps", "UPDATE messages whose routes came back, by the check that told.", ("sum by (reason) (rate(heliograph_reflection_suppressed_total{%s}%s))" % (JOB, RATE), "{{reason}}")),
        graph("Not taken in: limits", "cps", "Routes that limits and quotas kept out.", ("sum by (reason) (rate(heliograph_routes_discarded_total{%s}%s))" % (JOB, RATE), "{{reason}}")),
        graph("Memberships refused", "cps", "RT membership routes that an import policy did not accept.", ("sum(rate(heliograph_memberships_refused_total{%s}%s))" % (JOB, RATE), "refused")),
        graph("Errors in UPDATEs", "cps", "By attribute and what was done about it (RFC 7606).", ("sum by (action, attribute) (rate(heliograph_update_errors_total{%s}%s))" % (JOB, RATE), "{{attribute}}: {{action}}"), may_be_empty=True),
        graph("UPDATEs too large for some", "cps", "Their attributes fit no message of 4096 octets: their routes go to peers with extended messages alone (RFC 8654).", ("sum(rate(heliograph_oversize_updates_total{%s}%s))" % (JOB, RATE), "UPDATEs")),
        graph("Next hops", "short", "With next-hop-tracking; unreachable ones take their routes with them.", ("sum by (state) (heliograph_next_hops{%s})" % JOB, "{{state}}")),
        graph("Next hop changes", "cps", "Lost, found, other metric; overruns of netlink beside them.", ("sum by (change) (rate(heliograph_next_hop_changes_total{%s}%s))" % (JOB, RATE), "{{change}}"), ("sum(rate(heliograph_next_hop_overruns_total{%s}%s))" % (JOB, RATE), "overruns"))]),
]

RUNTIME = [
    ("Threads and processor", [
        graph("Busy", "percentunit", "Share of time each shard's thread works. Near 1 for long: it is the bottleneck.", ("rate(heliograph_loop_busy_seconds_total{%s}%s)" % (JOB, RATE), "{{thread}}")),
        graph("Processor", "percentunit", "Of the whole process; 1 is a core.", ("rate(process_cpu_seconds_total{%s}%s)" % (JOB, RATE), "{{instance}}"))]),
    ("Memory and descriptors", [
        graph("Allocator", "bytes", "jemalloc's own figures.", ("sum by (kind) (heliograph_allocator_bytes{%s})" % JOB, "{{kind}}")),
        graph("Process", "bytes", "Resident and virtual.", ("sum(process_resident_memory_bytes{%s})" % JOB, "resident"), ("sum(process_virtual_memory_bytes{%s})" % JOB, "virtual")),
        graph("Descriptors", "short", "Open ones and the limit.", ("sum(process_open_fds{%s})" % JOB, "open"), ("sum(process_max_fds{%s})" % JOB, "limit")),
        graph("System calls refused", "short", "By the seccomp filter: always zero, unless heliod has a fault or somebody is in it.", ("sum(increase(heliograph_system_calls_denied_total{%s}%s))" % (JOB, RATE), "refused"))]),
    ("Wire", [
        graph("Messages", "cps", "By type; out is below zero.", ('sum by (type) (rate(heliograph_messages_total{direction="in",%s}%s))' % (JOB, RATE), "in {{type}}"), ('-sum by (type) (rate(heliograph_messages_total{direction="out",%s}%s))' % (JOB, RATE), "out {{type}}")),
        graph("Octets", "Bps", "By direction; out is below zero.", ('sum(rate(heliograph_bytes_total{direction="in",%s}%s))' % (JOB, RATE), "in"), ('-sum(rate(heliograph_bytes_total{direction="out",%s}%s))' % (JOB, RATE), "out")),
        graph("NOTIFICATIONs", "short", "By direction, code and subcode.", ("sum by (direction, code, subcode) (increase(heliograph_notifications_total{%s}%s))" % (JOB, RATE), "{{direction}} {{code}}/{{subcode}}"), may_be_empty=True),
        graph("Connections refused", "short", "Before an OPEN was read.", ("sum by (reason) (increase(heliograph_connections_refused_total{%s}%s))" % (JOB, RATE), "{{reason}}"), ("sum(increase(heliograph_descriptors_exhausted_total{%s}%s))" % (JOB, RATE), "no descriptor left")),
        graph("Log lines lost", "short", "limited: more of one cause than its share; overrun: the log could not be written as fast.", ("sum by (reason) (increase(heliograph_log_lost_lines_total{%s}%s))" % (JOB, RATE), "{{reason}}")),
        graph("BFD", "short", "Sessions by state (RFC 5883).", ("sum by (state) (heliograph_bfd_sessions{%s})" % JOB, "{{state}}")),
        graph("BFD packets", "cps", "By direction; discarded ones did not belong to a session or were not as they should be.", ("sum by (direction) (rate(heliograph_bfd_packets_total{%s}%s))" % (JOB, RATE), "{{direction}}"), ("sum(rate(heliograph_bfd_discarded_packets_total{%s}%s))" % (JOB, RATE), "discarded"))]),
    ("BMP and MRT", [
        graph("BMP stations", "short", "1: connected and told everything. Empty without stations.", ("max by (instance, station) (heliograph_bmp_station_up{%s})" % JOB, "{{station}}")),
        graph("BMP messages", "cps", "Sent, by station; dropped ones are below zero: the station did not keep up and is told everything again.", ("rate(heliograph_bmp_messages_total{%s}%s)" % (JOB, RATE), "{{station}}"), ("-rate(heliograph_bmp_dropped_messages_total{%s}%s)" % (JOB, RATE), "{{station}} dropped")),
        graph("BMP queues", "bytes", "What waits for each station.", ("heliograph_bmp_queue_bytes{%s}" % JOB, "{{station}}")),
        stat("Last MRT dump", "dateTimeFromNow", "Of the RIB. 1970: none yet.", "max(heliograph_mrt_last_dump_timestamp_seconds{%s}) * 1000" % JOB),
        graph("MRT", "cps", "Records written; errors, and messages that are in no file.", ("sum(rate(heliograph_mrt_records_total{%s}%s))" % (JOB, RATE), "records"), ("sum(rate(heliograph_mrt_write_errors_total{%s}%s))" % (JOB, RATE), "errors"), ("sum(rate(heliograph_mrt_dropped_messages_total{%s}%s))" % (JOB, RATE), "dropped"))]),
    ("Configuration and telemetry", [
        stat("Last reload", "none", "Did the last reload succeed?", "min(heliograph_config_last_reload_successful{%s})" % JOB, **UP),
        stat("Configuration in force since", "dateTimeFromNow", "The last successful load.", "max(heliograph_config_last_reload_success_timestamp_seconds{%s}) * 1000" % JOB),
        stat("Started", "dateTimeFromNow", "The process.", "max(process_start_time_seconds{%s}) * 1000" % JOB),
        stat("Series dropped", "short", "By telemetry.max-peer-series. Red above 0.", "max(heliograph_telemetry_series_dropped{%s})" % JOB, red_above=0),
        graph("Reloads", "short", "By result.", ("sum by (result) (increase(heliograph_config_reloads_total{%s}%s))" % (JOB, RATE), "{{result}}")),
        graph("Control requests refused", "short", "unauthorized: without a token that is known; forbidden: a change by somebody who may only look.", ("sum by (reason) (increase(heliograph_control_requests_refused_total{%s}%s))" % (JOB, RATE), "{{reason}}")),
        graph("Scrape", "s", "Time the daemon took for its last answer to Prometheus.", ("heliograph_scrape_duration_seconds{%s}" % JOB, "{{instance}}")),
        ("table", "Versions", "none", "Binaries and configurations.", [("heliograph_build_info{%s}" % JOB, ""), ("heliograph_config_info{%s}" % JOB, "")], {})]),
]

DASHBOARDS = {"overview": ("Overview", OVERVIEW), "peer": ("Peer", PEERS), "rib": ("RIB and distribution", RIB), "runtime": ("Runtime", RUNTIME)}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def field_config(unit, options):
    defaults = {"unit": unit, "color": {"mode": "palette-classic"}, "custom": {}, "mappings": []}
    if "mappings" in options:
        defaults["mappings"] = [{"type": "value", "options": {str(value): {"text": text, "color": color, "index": i} for i, (value, (text, color)) in enumerate(options["mappings"].items())}}]
        defaults["color"] = {"mode": "thresholds"}
    if "red_above" in options:
        defaults["color"] = {"mode": "thresholds"}
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": options["red_above"] + 1e-9}]}
    return {"defaults": defaults, "overrides": []}


def make_panel(number, panel, place):
    kind, title, unit, description, targets, options = panel
    table = kind == "table"
    out = {"id": number, "type": kind, "title": title, "description": description, "datasource": SOURCE, "gridPos": place, "fieldConfig": field_config(unit, options),
           "targets": [{"refId": chr(65 + i), "datasource": SOURCE, "expr": expression, "legendFormat": legend, "editorMode": "code", "range": not table, "instant": table,
                        **({"format": "table"} if table else {})} for i, (expression, legend) in enumerate(targets)]}
    if kind == "stat":
        out["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background" if "mappings" in options or "red_above" in options else "value", "graphMode": "none"}
    elif kind == "timeseries":
        out["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}
    elif table:
        out["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True}}}]
    if kind in ("timeseries", "state-timeline") and "peer" in "".join(legend for _, legend in targets):
        out["links"] = []
        out["fieldConfig"]["defaults"]["links"] = [{"title": "this peer", "url": "/d/heliograph-peer?var-peer=${__field.labels.peer}&${datasource:queryparam}"}]
    return out


def variable(name, label, query, depends="", multi=True):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": {"query": "label_values(%s%s, %s)" % (query, depends, name), "refId": name}, "definition": "label_values(%s%s, %s)" % (query, depends, name),
            "refresh": 2, "sort": 1, "multi": multi, "includeAll": True, "allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def make(name, title, rows):
    panels, number, y = [], 1, 0
    for row, contents in rows:
        panels.append({"id": number, "type": "row", "title": row, "collapsed": False, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "panels": []})
        number, y = number + 1, y + 1
        stats = [p for p in contents if p[0] == "stat"]
        others = [p for p in contents if p[0] != "stat"]
        for group, height in ((stats, 4), (others, 8)):
            if not group:
                continue
            columns = min(len(group), 8 if height == 4 else 2)
            for i, panel in enumerate(group):
                width = 24 // columns
                panels.append(make_panel(number, panel, {"h": height, "w": width, "x": i % columns * width, "y": y + i // columns * height}))
                number += 1
            y += -(-len(group) // columns) * height
    variables = [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "multi": False, "includeAll": False},
                 variable("job", "Job", "heliograph_build_info"), variable("instance", "Reflector", "heliograph_build_info", '{job=~"$job"}')]
    if name in ("overview", "peer"):
        variables.append(variable("group", "Group", "heliograph_peers", "{%s}" % JOB))
    if name == "peer":
        variables.append(variable("peer", "Peer", "heliograph_peer_up", "{%s}" % PEER))
    return {"uid": "heliograph-" + name, "id": None, "title": "Heliograph / " + title, "tags": ["heliograph"], "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"}, "timezone": "", "annotations": {"list": []}, "templating": {"list": variables}, "panels": panels,
            "links": [{"type": "dashboards", "tags": ["heliograph"], "title": "Heliograph", "asDropdown": False, "includeVars": True, "keepTime": True}]}


def may_be_empty():
    """(dashboard, panel) whose queries have nothing to show on a healthy day."""
    return {(name, panel[1]) for name, (_, rows) in DASHBOARDS.items() for _, contents in rows for panel in contents if panel[5].get("may_be_empty")}


def main():
    check, stale = "--check" in sys.argv[1:], []
    for name, (title, rows) in DASHBOARDS.items():
        text = json.dumps(make(name, title, rows), indent=1) + "\n"
        file = HERE / "dashboards" / (name + ".json")
        if check and (not file.exists() or file.read_text() != text):
            stale.append(str(file))
        elif not check:
            file.write_text(text)
    if stale:
        print("not what make.py writes: %s\nrun python3 deploy/grafana/make.py" % ", ".join(stale))
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
