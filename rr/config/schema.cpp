#include "rr/config/schema.hpp"

#include "rr/base/check.hpp"

namespace helio::config {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kU32 = 0xffffffff;
using enum Reload;

// clang-format off
constexpr Key kKeys[] = {
    {"global.as", Kind::integer, restart, 1, kU32, "", "required", "The AS number of this route reflector."},
    {"global.router-id", Kind::router_id, restart, 0, 0, "", "required", "BGP identifier (RFC 4271, RFC 6286); unique in the AS."},
    {"global.cluster-id", Kind::router_id, restart, 0, 0, "", "router-id", "RFC 4456 cluster id. A redundant pair may share it: then each keeps only the paths of its own clients, which saves memory; with different ids each also learns the other's paths."},
    {"global.listen[].address", Kind::address, restart, 0, 0, "", "required", "Local address to accept BGP connections on; 0.0.0.0 and :: stand for all."},
    {"global.listen[].port", Kind::integer, restart, 1, 65535, "", "179", "TCP port to accept BGP connections on."},
    {"global.graceful-shutdown", Kind::boolean, applied, 0, 0, "", "false", "Begin in maintenance: everything is sent with GRACEFUL_SHUTDOWN, inside the AS with LOCAL_PREF 0 (RFC 8326). helioctl maintenance turns it on and off."},

    {"runtime.shards", Kind::integer, restart, 0, 256, "", "0", "Threads that carry sessions and slices of the RIB; 0: one per core."},
    {"runtime.memory-limit", Kind::size, restart, 64 << 20, 0, "", "", "Bound for what is resident; at 90 % no new peers, at 100 % the largest offender is shed. Absent, or larger: 95 % of the control group's limit (memory.max or memory.high, or of v1), which all that the group uses counts against, sockets too."},
    {"runtime.shard-queue", Kind::integer, restart, 1024, 1 << 24, "", "65536", "Messages a queue between two shards holds."},

    {"timers.hold-time", Kind::integer, session_reset, 0, 65535, "", "90", "Seconds; 0 turns hold and keepalive timers off, otherwise at least 3 (RFC 4271 4.2)."},
    {"timers.keepalive-interval", Kind::integer, session_reset, 0, 21845, "", "hold-time / 3", "Seconds between KEEPALIVE messages."},
    {"timers.connect-retry", Kind::integer, applied, 1, 65535, "", "10", "Seconds between attempts to connect."},
    {"timers.send-hold-time", Kind::integer, applied, 0, kDay, "", "480", "Seconds a peer may refuse to read before the session is closed (RFC 9687); 0 turns it off."},
    {"timers.advertise-delay", Kind::duration, applied, 0, 60000, "", "\"0ms\"", "Time to gather changes before they are packed into UPDATE messages."},
    {"timers.initial-sync.max-delay", Kind::integer, restart, 0, 3600, "", "120", "After a start, seconds to wait for the End-of-RIB of the peers before the first advertisement."},
    {"timers.initial-sync.peers-ratio", Kind::fraction, restart, 0, 1, "", "0.9", "Part of [[neighbors]] whose End-of-RIB ends the wait; with listen ranges, who else comes is not known, and max-delay ends it."},

    {"families[].name", Kind::family, session_reset, 0, 0, "", "required", "l3vpn-ipv4-unicast, l3vpn-ipv6-unicast, l2vpn-evpn, rt-constrain, ipv4-unicast or ipv6-unicast."},
    {"families[].add-paths.receive", Kind::boolean, session_reset, 0, 0, "", "false", "Accept several paths per prefix (RFC 7911)."},
    {"families[].add-paths.send-max", Kind::count, session_reset, 1, 64, "", "1", "Paths per prefix to send, the best ones, or \"all\" (RFC 7911); 1 turns it off."},
    {"families[].prefix-limit.max-prefixes", Kind::integer, applied, 1, kU32, "", "required", "Prefixes accepted from a peer."},
    {"families[].prefix-limit.warning-threshold-pct", Kind::integer, applied, 1, 100, "", "80", "Percent of the limit at which a warning is logged."},
    {"families[].prefix-limit.action", Kind::choice, applied, 0, 0, "warn|idle-hold|discard-new", "\"warn\"", "What happens at the limit."},
    {"families[].prefix-limit.restart-timer", Kind::integer, applied, 0, kDay, "", "60", "Seconds an idle-hold lasts; 0: until the peer is cleared."},
    {"families[].without-rtc", Kind::choice, session_reset, 0, 0, "send-all|send-none|configured", "\"send-all\"", "What a peer gets that did not negotiate rt-constrain (on the rt-constrain entry); configured: the route targets of its group or neighbor entry."},

    {"rt-constrain.initial-wait", Kind::integer, applied, 0, 3600, "", "60", "Seconds to wait for a peer's rt-constrain End-of-RIB before it is sent VPN routes (RFC 4684 6)."},
    {"rt-constrain.advertise", Kind::choice, session_reset, 0, 0, "specific|default|both|auto", "\"auto\"", "Memberships the reflector advertises: those of others, only the default route, both, or specific plus the default while an established VPN peer is not filtered."},
    {"rt-constrain.external-paths", Kind::count, session_reset, 1, 64, "", "\"all\"", "Of the external peers that advertise the same membership (origin AS and target), how many of the best ones are sent the VPN routes (RFC 4684 3.1)."},

    {"partition.index", Kind::integer, restart, 1, 1024, "", "", "Which plane of partition.count this reflector is. A redundant pair has the same."},
    {"partition.count", Kind::integer, restart, 1, 1024, "", "", "Planes that share the route targets, by a hash of each. A plane holds, and asks PEs for, the routes with a route target of its own."},
    {"partition.route-targets", Kind::texts, restart, 0, 0, "", "", "Instead of index and count: the route targets that are held, such as \"65000:1-33333\" or \"65001:*\"."},
    {"partition.without-route-targets", Kind::boolean, restart, 0, 0, "", "true on plane 1", "Whether routes without any route target are held here; true on one plane."},

    {"slow-peer.queue-limit", Kind::size, restart, 64 << 10, 1 << 30, "", "\"8MiB\"", "Bytes of changes a shard holds for peers that have not taken them yet; above it reading pauses, and peers that stall are left behind: their queue is dropped and they are caught up from the RIB when they read again."},
    {"slow-peer.stall-time", Kind::duration, restart, 20, 60000, "", "\"200ms\"", "A peer that takes nothing for this long while others do is left behind once the queue limit is reached; ten times as long when nobody takes anything."},
    {"slow-peer.tombstones", Kind::integer, restart, 1024, 1 << 28, "", "1048576", "Withdrawn routes a shard remembers for peers that are behind; above it those furthest behind are closed (Cease, Out of Resources)."},
    {"slow-peer.action", Kind::choice, applied, 0, 0, "catch-up|close", "\"catch-up\"", "What happens to a peer that is left behind: it is caught up when it reads again, or its session is closed at once (Cease, Out of Resources)."},
    {"slow-peer.max-lag", Kind::integer, applied, 0, kDay, "", "0", "Seconds the oldest change a peer has not taken may wait before its session is closed (Cease, Out of Resources); 0: as long as send-hold-time lets it."},

    {"best-path.deterministic-med", Kind::boolean, restart, 0, 0, "", "true", "Compare MED over all paths of a neighbouring AS, in whatever order they came. The only way this reflector does it."},
    {"best-path.always-compare-med", Kind::boolean, restart, 0, 0, "", "false", "Compare MED between neighbouring ASes too."},
    {"best-path.missing-as-worst", Kind::boolean, restart, 0, 0, "", "false", "A path without MED loses to every other one; otherwise it counts as 0 (RFC 4271 9.1.2.2)."},
    {"best-path.aigp", Kind::boolean, restart, 0, 0, "", "false", "Prefer paths by AIGP, after LOCAL_PREF (RFC 7311)."},
    {"best-path.cost-community", Kind::boolean, restart, 0, 0, "", "true", "Take cost communities into account, before everything else and after the IGP metric (draft-ietf-idr-custom-decision)."},
    {"best-path.prefer-oldest-external", Kind::boolean, restart, 0, 0, "", "false", "Keep the external path in use when only the BGP identifier or later steps speak for another one (RFC 5004). Two reflectors may then choose differently."},

    {"best-path.next-hop-tracking", Kind::choice, restart, 0, 0, "off|kernel", "\"off\"", "off: every next hop is taken for usable, at the same distance. kernel: a route whose next hop has no route in the Linux routing table is not used, and the metric of that route is the IGP metric of the decision (RFC 4271 9.1.2)."},
    {"best-path.next-hop-default-route", Kind::boolean, restart, 0, 0, "", "false", "A next hop that only the default route leads to counts as reachable."},
    {"best-path.next-hop-delay", Kind::duration, restart, 0, 60000, "", "\"500ms\"", "How long a new metric, or a next hop that comes back, must stand before it counts. A lost next hop counts at once."},

    {"graceful-restart.mode", Kind::choice, session_reset, 0, 0, "off|helper|full", "\"off\"", "RFC 4724: off, keep the routes of restarting peers, or also ask peers to keep ours."},
    {"graceful-restart.restart-time", Kind::integer, session_reset, 1, 4095, "", "120", "Seconds a session may take to come back."},
    {"graceful-restart.stale-routes-time", Kind::integer, applied, 1, kDay, "", "360", "Seconds stale routes are kept at most."},
    {"graceful-restart.long-lived-stale-time", Kind::integer, session_reset, 0, 16777215, "", "0", "Seconds of long-lived staleness (RFC 9494); 0 turns it off."},
    {"graceful-restart.selection-deferral-time", Kind::integer, restart, 1, kDay, "", "360", "After our own restart, seconds route selection waits for End-of-RIB at most."},

    {"peer-groups[].name", Kind::name, session_reset, 0, 0, "", "required", "The name neighbors and listen-ranges refer to."},
    {"peer-groups[].peer-as", Kind::integer, session_reset, 1, kU32, "", "global as", "AS of the peers; other than our own makes the group external."},
    {"peer-groups[].role", Kind::choice, session_reset, 0, 0, "client|non-client", "\"client\"", "RFC 4456: routes of clients go to everybody, routes of non-clients to clients only. Internal groups."},
    {"peer-groups[].families", Kind::families, session_reset, 0, 0, "", "all [[families]]", "Families offered to the peers."},
    {"peer-groups[].cluster-id", Kind::router_id, session_reset, 0, 0, "", "global cluster-id", "Cluster id of this group of clients."},
    {"peer-groups[].client-to-client", Kind::boolean, session_reset, 0, 0, "", "true", "False: routes of these clients do not go to clients of the same cluster, which have them by a mesh of their own (RFC 4456 6)."},
    {"peer-groups[].passive", Kind::boolean, applied, 0, 0, "", "false", "Never connect, wait for the peer to connect."},
    {"peer-groups[].local-address", Kind::address, session_reset, 0, 0, "", "", "Local address of the sessions."},
    {"peer-groups[].auth-password-file", Kind::path, session_reset, 0, 0, "", "", "File with the key of the sessions on one line, readable by the daemon alone."},
    {"peer-groups[].auth-method", Kind::choice, session_reset, 0, 0, "tcp-md5|tcp-ao", "\"tcp-md5\"", "TCP-MD5 (RFC 2385), or TCP-AO (RFC 5925, HMAC-SHA-1-96) where the kernel has it: Linux 6.7, built with CONFIG_TCP_AO."},
    {"peer-groups[].auth-key-id", Kind::integer, session_reset, 0, 255, "", "1", "TCP-AO: id of the key, both ways."},
    {"peer-groups[].ttl-min", Kind::integer, session_reset, 0, 255, "", "0", "GTSM (RFC 5082): smallest TTL accepted; 254 allows one hop between; 0 turns it off. Best for all groups of an address family: the kernel then drops what comes from farther away before it costs anything, and nobody is refused under SYN cookies, which hide how far a connection comes from."},
    {"peer-groups[].multihop", Kind::integer, session_reset, 1, 255, "", "1", "External groups: TTL of what is sent."},
    {"peer-groups[].next-hop", Kind::choice, session_reset, 0, 0, "unchanged|self", "\"unchanged\"", "External groups: next hop of what is sent."},
    {"peer-groups[].graceful-shutdown", Kind::choice, session_reset, 0, 0, "ignore|heed", "\"ignore\"", "heed: routes received with the community GRACEFUL_SHUTDOWN get LOCAL_PREF 0 (RFC 8326)."},
    {"peer-groups[].bfd.enabled", Kind::boolean, applied, 0, 0, "", "false", "Multihop BFD (RFC 5883) beside each session that is Established; when the path fails, the session is closed (RFC 9384)."},
    {"peer-groups[].bfd.interval", Kind::duration, applied, 10, 60000, "", "\"300ms\"", "Time between BFD packets, both ways; the larger of this and the peer's counts."},
    {"peer-groups[].bfd.multiplier", Kind::integer, applied, 1, 255, "", "3", "BFD packets in a row the peer may miss."},
    {"peer-groups[].rt-constrain.initial-wait", Kind::integer, applied, 0, 3600, "", "[rt-constrain] initial-wait", "Overrides the global one."},
    {"peer-groups[].rt-constrain.advertise", Kind::choice, session_reset, 0, 0, "specific|default|both|auto", "[rt-constrain] advertise", "Overrides the global one."},
    {"peer-groups[].slow-peer.action", Kind::choice, applied, 0, 0, "catch-up|close", "[slow-peer] action", "Overrides the global one."},
    {"peer-groups[].slow-peer.max-lag", Kind::integer, applied, 0, kDay, "", "[slow-peer] max-lag", "Overrides the global one."},
    {"peer-groups[].rt-constrain.external-paths", Kind::count, session_reset, 1, 64, "", "[rt-constrain] external-paths", "Overrides the global one for the group's peers; external groups only."},
    {"peer-groups[].rt-constrain.route-targets", Kind::texts, session_reset, 0, 0, "", "[]", "With without-rtc = \"configured\": what peers that do not negotiate rt-constrain are sent; the reflector advertises these memberships for them."},
    {"peer-groups[].rt-constrain.proxy", Kind::choice, session_reset, 0, 0, "off|import-policy", "\"off\"", "import-policy, with without-rtc = \"configured\": beside route-targets, those that the group's import policy accepts by any-route-target-in."},
    {"peer-groups[].rt-constrain.marker-community", Kind::text, session_reset, 0, 32, "", "", "A VPN route with this community from a peer that does not negotiate rt-constrain asks for its route targets instead of being reflected; such peers are sent what they ask for so, and nothing else."},
    {"peer-groups[].add-paths.receive", Kind::boolean, session_reset, 0, 0, "", "that of the family", "Overrides the families' one."},
    {"peer-groups[].add-paths.send-max", Kind::count, session_reset, 1, 64, "", "that of the family", "Overrides the families' one."},
    {"peer-groups[].best-external", Kind::boolean, session_reset, 0, 0, "", "false", "Groups of non-clients: when the best path comes from another non-client, send the best of the clients' paths in its place."},
    {"peer-groups[].prefix-limits.*.max-prefixes", Kind::integer, applied, 1, kU32, "", "required", "Overrides the family's prefix-limit; the star stands for the family."},
    {"peer-groups[].prefix-limits.*.warning-threshold-pct", Kind::integer, applied, 1, 100, "", "80", "As in a family."},
    {"peer-groups[].prefix-limits.*.action", Kind::choice, applied, 0, 0, "warn|idle-hold|discard-new", "\"warn\"", "As in a family."},
    {"peer-groups[].prefix-limits.*.restart-timer", Kind::integer, applied, 0, kDay, "", "60", "As in a family."},
    {"peer-groups[].import-policy", Kind::names, applied, 0, 0, "", "[]", "Policy statements for what is received, in order."},
    {"peer-groups[].export-policy", Kind::names, applied, 0, 0, "", "[]", "Policy statements for what is sent, in order."},

    {"neighbors[].address", Kind::address, applied, 0, 0, "", "required", "Address of the peer."},
    {"neighbors[].peer-group", Kind::name, session_reset, 0, 0, "", "required", "The group whose settings it has."},
    {"neighbors[].description", Kind::text, applied, 0, 255, "", "", "Free text for people."},
    {"neighbors[].passive", Kind::boolean, applied, 0, 0, "", "that of the group", "Never connect, wait for the peer to connect."},
    {"neighbors[].remote-port", Kind::integer, applied, 1, 65535, "", "179", "TCP port to connect to."},
    {"neighbors[].local-address", Kind::address, session_reset, 0, 0, "", "that of the group", "Local address of the session."},
    {"neighbors[].auth-password-file", Kind::path, session_reset, 0, 0, "", "that of the group", "File with the key of this neighbour."},
    {"neighbors[].bfd.enabled", Kind::boolean, applied, 0, 0, "", "that of the group", "As in a group."},
    {"neighbors[].bfd.interval", Kind::duration, applied, 10, 60000, "", "that of the group", "As in a group."},
    {"neighbors[].bfd.multiplier", Kind::integer, applied, 1, 255, "", "that of the group", "As in a group."},
    {"neighbors[].route-targets", Kind::texts, session_reset, 0, 0, "", "those of the group", "As rt-constrain.route-targets of the group."},
    {"neighbors[].prefix-limits.*.max-prefixes", Kind::integer, applied, 1, kU32, "", "required", "Overrides the group's; the star stands for the family."},
    {"neighbors[].prefix-limits.*.warning-threshold-pct", Kind::integer, applied, 1, 100, "", "80", "As in a family."},
    {"neighbors[].prefix-limits.*.action", Kind::choice, applied, 0, 0, "warn|idle-hold|discard-new", "\"warn\"", "As in a family."},
    {"neighbors[].prefix-limits.*.restart-timer", Kind::integer, applied, 0, kDay, "", "60", "As in a family."},

    {"listen-ranges[].prefix", Kind::prefix, applied, 0, 0, "", "required", "Addresses that may connect without a neighbour entry of their own."},
    {"listen-ranges[].peer-group", Kind::name, session_reset, 0, 0, "", "required", "The group whose settings they have."},
    {"listen-ranges[].auth-password-file", Kind::path, session_reset, 0, 0, "", "that of the group", "File with the key of the peers of this range."},
    {"listen-ranges[].max-peers", Kind::integer, applied, 0, 1000000, "", "0", "Peers of the range at a time; 0: no limit."},

    {"policy.sets[].name", Kind::name, applied, 0, 0, "", "required", "The name statements refer to."},
    {"policy.sets[].route-targets", Kind::texts, applied, 0, 0, "", "[]", "Route targets; a star stands for any number."},
    {"policy.sets[].route-distinguishers", Kind::texts, applied, 0, 0, "", "[]", "Route distinguishers; a star stands for any number."},
    {"policy.sets[].prefixes", Kind::texts, applied, 0, 0, "", "[]", "Inner prefixes: \"10.0.0.0/8\" is that prefix, \"10.0.0.0/8 ge 24 le 28\" those of 24 to 28 bits below it."},
    {"policy.sets[].communities", Kind::texts, applied, 0, 0, "", "[]", "Communities such as \"65000:1\", \"65000:*\" or \"no-export\"."},
    {"policy.sets[].extended-communities", Kind::texts, applied, 0, 0, "", "[]", "Extended communities: \"rt:65000:1\", \"soo:65000:*\" or eight octets as \"0x...\"."},
    {"policy.sets[].large-communities", Kind::texts, applied, 0, 0, "", "[]", "Large communities (RFC 8092) such as \"65000:1:*\"."},
    {"policy.sets[].as-paths", Kind::texts, applied, 0, 0, "", "[]", "Expressions over the AS path as text; an underscore stands for its beginning, its end or what is between two ASes: \"^65001_\" is the neighbour, \"_65001$\" the origin, \"^$\" the empty path."},
    {"policy.sets[].next-hops", Kind::texts, applied, 0, 0, "", "[]", "Next hops: addresses, or prefixes that contain them."},
    {"policy.sets[].peers", Kind::texts, applied, 0, 0, "", "[]", "Peers: addresses, or prefixes that contain them."},
    {"policy.statements[].name", Kind::name, applied, 0, 0, "", "required", "The name peer groups refer to."},
    {"policy.statements[].match.any-route-target-in", Kind::name, applied, 0, 0, "", "", "Matches when a route target is in the set."},
    {"policy.statements[].match.any-membership-in", Kind::name, applied, 0, 0, "", "", "Matches rt-constrain routes that ask for route targets in the set, and nothing else."},
    {"policy.statements[].match.route-distinguisher-in", Kind::name, applied, 0, 0, "", "", "Matches when the route distinguisher is in the set."},
    {"policy.statements[].match.prefix-in", Kind::name, applied, 0, 0, "", "", "Matches when the inner prefix is in the set; never EVPN routes."},
    {"policy.statements[].match.any-community-in", Kind::name, applied, 0, 0, "", "", "Matches when a community is in the set."},
    {"policy.statements[].match.any-extended-community-in", Kind::name, applied, 0, 0, "", "", "Matches when an extended community is in the set."},
    {"policy.statements[].match.any-large-community-in", Kind::name, applied, 0, 0, "", "", "Matches when a large community is in the set."},
    {"policy.statements[].match.as-path-in", Kind::name, applied, 0, 0, "", "", "Matches when an expression of the set matches the AS path."},
    {"policy.statements[].match.next-hop-in", Kind::name, applied, 0, 0, "", "", "Matches when the next hop is in the set."},
    {"policy.statements[].match.peer-in", Kind::name, applied, 0, 0, "", "", "Matches when the peer the route came from is in the set."},
    {"policy.statements[].match.source-role", Kind::choice, applied, 0, 0, "client|non-client|external", "", "Matches routes from peers of this role."},
    {"policy.statements[].match.families", Kind::families, applied, 0, 0, "", "the VPN families", "Matches routes of these families."},
    {"policy.statements[].action", Kind::choice, applied, 0, 0, "accept|reject|continue", "required", "What happens to a route that matches: accepted or rejected, or it goes on to the next statement with what was set."},
    {"policy.statements[].set.local-preference", Kind::integer, applied, 0, kU32, "", "", "Sets LOCAL_PREF."},
    {"policy.statements[].set.med", Kind::integer, applied, 0, kU32, "", "", "Sets MULTI_EXIT_DISC; set on export, external peers get it too."},
    {"policy.statements[].set.aigp", Kind::integer, applied, 0, kU32, "", "", "Sets AIGP (RFC 7311)."},
    {"policy.statements[].set.next-hop", Kind::address, applied, 0, 0, "", "", "Sets the next hop."},
    {"policy.statements[].set.as-path-prepend.as", Kind::integer, applied, 1, kU32, "", "global as", "AS to put in front of the path."},
    {"policy.statements[].set.as-path-prepend.repeat", Kind::integer, applied, 1, 32, "", "1", "How often."},
    {"policy.statements[].set.communities-add", Kind::texts, applied, 0, 0, "", "[]", "Communities to add."},
    {"policy.statements[].set.communities-remove", Kind::texts, applied, 0, 0, "", "[]", "Communities to remove; a star stands for any number."},
    {"policy.statements[].set.extended-communities-add", Kind::texts, applied, 0, 0, "", "[]", "Extended communities to add."},
    {"policy.statements[].set.extended-communities-remove", Kind::texts, applied, 0, 0, "", "[]", "Extended communities to remove; a star stands for any number."},
    {"policy.statements[].set.large-communities-add", Kind::texts, applied, 0, 0, "", "[]", "Large communities to add."},
    {"policy.statements[].set.large-communities-remove", Kind::texts, applied, 0, 0, "", "[]", "Large communities to remove; a star stands for any number."},
    {"policy.statements[].set.route-targets-add", Kind::texts, applied, 0, 0, "", "[]", "Route targets to add."},
    {"policy.statements[].set.route-targets-remove", Kind::texts, applied, 0, 0, "", "[]", "Route targets to remove; a star stands for any number. RT-Constrain goes by the route targets before the export policy."},

    {"security.max-sessions-per-source", Kind::integer, applied, 1, 1000, "", "1", "Connections accepted from one address at a time, while none is established."},
    {"security.max-pending-sessions", Kind::integer, applied, 1, 100000, "", "256", "Connections that are open but not established, altogether."},
    {"security.session-rate", Kind::integer, applied, 0, 100000, "", "0", "New connections accepted per second, and as many at once; 0: no limit."},
    {"security.seccomp", Kind::boolean, restart, 0, 0, "", "true", "After start the kernel refuses every system call that heliod does not need; starting a program ends the process. What is refused is logged and counted."},

    {"limits.max-paths-per-rd", Kind::integer, restart, 0, kU32, "", "0", "Paths one RD may have, from all peers together; new ones beyond are discarded and counted. 0: no limit. With a limit all of an RD is held by one shard."},
    {"limits.max-prefixes-per-rt-set", Kind::integer, restart, 0, kU32, "", "0", "Prefixes whose best path may carry exactly the same route targets; new ones beyond are discarded and counted. 0: no limit."},
    {"limits.max-attribute-size", Kind::integer, restart, 0, 65535, "", "0", "Octets the attributes of a route may take; larger ones are treated as withdrawn. 0: no limit."},

    {"control.socket", Kind::path, restart, 0, 0, "", "\"/run/heliograph/control.sock\"", "Unix socket of the control API."},
    {"control.mode", Kind::mode, restart, 0, 0, "", "\"0660\"", "Permissions of the socket; who may write to it may look, and change things unless operator-group says otherwise."},
    {"control.group", Kind::name, restart, 0, 0, "", "", "Group that owns the socket."},
    {"control.operator-group", Kind::name, restart, 0, 0, "", "", "Members of this group, root and heliod's own user may change things over the socket; others who can open it may only look. Absent: all who can open it may change things."},
    {"control.address", Kind::address, restart, 0, 0, "", "\"127.0.0.1\"", "Loopback address for the control API over TCP (plain HTTP)."},
    {"control.port", Kind::integer, restart, 0, 65535, "", "0", "Port for the control API over TCP, with a token; 0 turns it off."},
    {"control.token-file", Kind::path, restart, 0, 0, "", "", "File with the token of those who may change things over TCP, on one line, 16 characters or more, closed to others (chmod 640). It is read for each request: a new token counts at once."},
    {"control.read-token-file", Kind::path, restart, 0, 0, "", "", "File with the token of those who may only look over TCP."},

    {"telemetry.address", Kind::address, restart, 0, 0, "", "\"127.0.0.1\"", "Address of the Prometheus exporter (plain HTTP)."},
    {"telemetry.port", Kind::integer, restart, 0, 65535, "", "9179", "Port of the Prometheus exporter; 0 turns it off."},
    {"telemetry.per-peer", Kind::choice, applied, 0, 0, "off|essential|full", "\"essential\"", "Series per peer: none, about ten, about twenty-five."},
    {"telemetry.max-peer-series", Kind::integer, applied, 0, 10000000, "", "200000", "Bound for all series of peers; peers beyond it are left out and counted."},
    {"telemetry.canary", Kind::boolean, restart, 0, 0, "", "false", "Send a marker through each shard every two seconds, by mail, RIB, decision and packing, and report how long it takes. It goes through a RIB of its own: no peer, count, BMP station or file has it."},

    {"journal.memory", Kind::size, restart, 0, 0, "", "\"64MiB\"", "Ring of best-path, RT membership and session changes that helioctl history, explain --at and monitor read, for all shards together; 0: none is kept. About 20 octets per change when many come together, 100 to 200 for one alone."},

    {"log.level", Kind::choice, applied, 0, 0, "trace|debug|info|warn|error", "\"info\"", "The least severe lines that are written."},
    {"log.format", Kind::choice, restart, 0, 0, "text|json", "\"text\"", "Form of the lines on standard error."},

    {"bmp.stations[].address", Kind::address, applied, 0, 0, "", "required", "BMP station (RFC 7854)."},
    {"bmp.stations[].port", Kind::integer, applied, 1, 65535, "", "11019", "TCP port of the station."},
    {"bmp.stations[].policies", Kind::texts, applied, 0, 0, "pre-policy|post-policy|loc-rib|adj-rib-out", "[\"pre-policy\"]", "What is sent to the station: routes as received, behind the import policies, the best paths (RFC 9069), and what each peer is sent (RFC 8671)."},
    {"bmp.stations[].queue-limit", Kind::size, applied, 1 << 20, 0, "", "\"64MiB\"", "Bytes that may wait for a slow station; above, its connection is made anew and it is told everything again."},
    {"bmp.stations[].stats-interval", Kind::integer, applied, 0, kDay, "", "60", "Seconds between Statistics Reports; 0 turns them off."},

    {"mrt.directory", Kind::path, applied, 0, 0, "", "required", "Directory for MRT files (RFC 6396): the daemon writes rib.TIME.mrt there; made if it is not there."},
    {"mrt.rib-dump-interval", Kind::integer, applied, 0, 7 * kDay, "", "7200", "Seconds between dumps of the RIB, at multiples of it since midnight UTC; 0 turns them off."},
    {"mrt.updates", Kind::boolean, applied, 0, 0, "", "false", "Also write what peers send and how their sessions change, as it was received: updates.TIME.mrt."},
    {"mrt.updates-interval", Kind::integer, applied, 1, kDay, "", "900", "Seconds after which a new file is begun, at multiples of it since midnight UTC."},
    {"mrt.keep-files", Kind::integer, applied, 0, 1000000, "", "0", "When a file is complete, the oldest of its kind (rib, updates) beyond so many are removed; 0 keeps all: something else has to remove them."},
};
// clang-format on

const Unsupported* unsupported_row(std::string_view path) {
  for (const Unsupported& row : unsupported())
    if (row.path == path) return &row;
  return nullptr;
}

SchemaNode build() {
  SchemaNode root;
  for (const Key& key : kKeys) {
    SchemaNode* at = &root;
    std::size_t from = 0;
    while (from < key.path.size()) {
      std::size_t end = std::min(key.path.find('.', from), key.path.size());
      std::string_view segment = key.path.substr(from, end - from);
      bool is_tables = segment.ends_with("[]");
      std::string_view name = segment.substr(0, segment.size() - (is_tables ? 2 : 0));
      SchemaNode* next = nullptr;
      for (SchemaNode& child : at->children)
        if (child.name == name) next = &child;
      if (!next) {
        next = &at->children.emplace_back();
        next->name = name;
        next->shape = is_tables ? SchemaNode::Shape::tables : SchemaNode::Shape::table;
        next->unsupported = unsupported_row(key.path.substr(0, end));
      }
      at = next;
      from = end + 1;
    }
    at->shape = SchemaNode::Shape::leaf;
    at->key = &key;
  }
  return root;
}

}  // namespace

std::span<const Key> keys() { return kKeys; }

const SchemaNode* SchemaNode::child(std::string_view wanted) const {
  for (const SchemaNode& candidate : children)
    if (candidate.name == wanted) return &candidate;
  for (const SchemaNode& candidate : children)
    if (candidate.name == "*") return &candidate;
  return nullptr;
}

const SchemaNode& schema() {
  static const SchemaNode kRoot = build();
  return kRoot;
}

}  // namespace helio::config
