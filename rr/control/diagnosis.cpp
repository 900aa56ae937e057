#include "rr/control/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace helio::control {
namespace {

using Kind = Finding::Kind;

class Report {
 public:
  explicit Report(Diagnosis& out) : out_(out) {}
  void good(std::string reason, std::string text) { out_.findings.push_back({Kind::good, std::move(reason), std::move(text), ""}); }
  void problem(std::string reason, std::string text, std::string hint) {
    out_.findings.push_back({Kind::problem, std::move(reason), std::move(text), std::move(hint)});
  }
  void note(std::string reason, std::string text, std::string hint = "") {
    out_.findings.push_back({Kind::note, std::move(reason), std::move(text), std::move(hint)});
  }

 private:
  Diagnosis& out_;
};

// Which entry of the configuration the address belongs to; false: none.
bool place(const wire::IpAddress& address, const config::Config& config, Diagnosis& out, bool& has_password, bool& has_gtsm) {
  auto use = [&](std::size_t group, const Secret& password) {
    const config::PeerGroup& g = config.peer_groups[group];
    out.group = g.name;
    has_password = !password.empty() || !g.auth_password.empty();
    has_gtsm = g.ttl_min != 0;
  };
  for (const config::Neighbor& n : config.neighbors) {
    if (n.address != address) continue;
    out.configured_by = "neighbour";
    use(n.group, n.auth_password);
    return true;
  }
  const config::ListenRange* best = nullptr;
  for (const config::ListenRange& r : config.listen_ranges)
    if (r.prefix.contains(address) && (best == nullptr || r.prefix.length > best->prefix.length)) best = &r;
  if (best == nullptr) return false;
  out.configured_by = fmt::format("listen range {}/{}", wire::format_ip(best->prefix.address), best->prefix.length);
  use(best->group, best->auth_password);
  return true;
}

void keys_and_ttl(Report& report, const KernelCounters& kernel, bool has_password, bool has_gtsm) {
  constexpr std::string_view kScope = "counted for the whole host since the daemon's start";
  if (has_password && kernel.md5_wrong != 0)
    report.problem("md5-wrong", fmt::format("the kernel dropped {} segments signed with another TCP-MD5 key ({})", kernel.md5_wrong, kScope),
                   "compare the password of the peer with auth-password-file of its group");
  if (has_password && kernel.md5_missing != 0)
    report.problem("md5-missing", fmt::format("the kernel dropped {} segments without a TCP-MD5 signature ({})", kernel.md5_missing, kScope),
                   "set the password on the peer: its group here has one");
  if (!has_password && kernel.md5_unexpected != 0)
    report.problem("md5-unexpected", fmt::format("the kernel dropped {} segments with a TCP-MD5 signature ({})", kernel.md5_unexpected, kScope),
                   "the peer has a password, its group here has none: set auth-password-file");
  if (has_gtsm && kernel.ttl_drops != 0)
    report.problem("gtsm", fmt::format("the kernel dropped {} packets below the TTL that GTSM asks for ({})", kernel.ttl_drops, kScope),
                   "the peer must send TTL 255 and be no farther away than ttl-min allows (RFC 5082)");
}

void last_words(Report& report, const reflector::PeerView& peer) {
  if (!peer.last_notification.empty()) {
    bool received = peer.last_notification.starts_with("received");
    std::string hint;
    auto says = [&](std::string_view what) { return peer.last_notification.find(what) != std::string::npos; };
    if (says("Bad Peer AS")) hint = received ? "the peer expects another AS from us: compare its remote AS with global.as" : fmt::format("the peer's AS is not {}: set as of its group", peer.peer_as);
    else if (says("Unsupported Capability")) hint = "compare the families and capabilities of both sides";
    else if (says("Hold Timer")) hint = "keepalives do not get through: look at the path, its MTU, and the peer's CPU";
    else if (says("Collision")) hint = "two connections at once; the other one stays, if it does not, look at the router ids";
    else if (says("Maximum Number of Prefixes")) hint = "raise prefix-limits or find out what the peer leaks; helioctl peer clear ends the wait";
    else if (says("Administrative Shutdown")) hint = received ? "the peer was shut down by its operator" : "helioctl peer up starts it again";
    else if (says("Connection Rejected")) hint = received ? "the peer refuses us: is it configured there?" : "security limits or the configuration refuse it";
    else if (says("Bad BGP Identifier")) hint = "both have the same router id";
    report.problem(received ? "notification-received" : "notification-sent", "last NOTIFICATION " + peer.last_notification, hint);
  }
  if (!peer.last_error.empty()) {
    std::string hint = "look at the path to the peer: routes, filters, its listening address";
    if (peer.last_error.find("refused") != std::string::npos) hint = "nobody listens there: is BGP running, is our address its neighbour?";
    report.problem("connect", "connecting failed: " + peer.last_error, hint);
  }
}

}  // namespace

Diagnosis diagnose(const wire::IpAddress& address, const reflector::PeerView* peer, const config::Config& config, const KernelCounters& kernel) {
  Diagnosis out;
  out.address = address;
  out.state = peer != nullptr ? peer->state : "Unknown";
  Report report(out);
  bool has_password = false, has_gtsm = false;
  bool placed = place(address, config, out, has_password, has_gtsm);
  if (!placed) {
    report.problem("not-configured", "no [[neighbors]] entry has this address and no [[listen-ranges]] entry covers it: its connections are refused",
                   "add it, or widen a listen range");
    return out;
  }
  if (peer == nullptr) {
    report.problem("never-connected", fmt::format("it may connect ({}), but no session of it is known", out.configured_by),
                   "is BGP running there, with this reflector as neighbour and the same source address?");
    keys_and_ttl(report, kernel, has_password, has_gtsm);
    // What the kernel saw says more than that nothing came.
    std::stable_sort(out.findings.begin(), out.findings.end(), [](const Finding& a, const Finding& b) { return (a.reason != "never-connected") > (b.reason != "never-connected"); });
    return out;
  }
  if (peer->state != "Established") {
    if (peer->state == reflector::kAdminDown) report.problem("admin-down", "it is shut down here", "helioctl peer ADDRESS up");
    if (peer->restart.starts_with("held")) report.problem("prefix-limit", peer->restart, "helioctl peer ADDRESS clear, when the peer's leak is repaired");
    keys_and_ttl(report, kernel, has_password, has_gtsm);
    last_words(report, *peer);
    if (!peer->last_close.empty() && std::ranges::none_of(out.findings, [](const Finding& f) { return f.kind == Kind::problem; }))
      report.problem("closed", "the session closed: " + peer->last_close, "");
    if (out.findings.empty() && (peer->state == "OpenSent" || peer->state == "OpenConfirm"))
      report.problem("opening", fmt::format("a session is coming up: {} for {} s", peer->state == "OpenSent" ? "its OPEN is awaited" : "its first KEEPALIVE is awaited", peer->since.count()),
                     "ask again in a moment; when it stays so, the peer hangs or the path loses packets");
    if (out.findings.empty()) report.problem("never-connected", "nothing has come from it and connecting has not failed yet", "wait for a connect-retry");
    if (peer->restart.starts_with("its session")) report.note("graceful-restart", fmt::format("its routes are kept for {} s more (RFC 4724)", peer->restart_seconds));
    return out;
  }
  report.good("established", fmt::format("Established for {} s", peer->since.count()));
  wire::FamilySet here;
  for (const config::PeerGroup& group : config.peer_groups)
    if (group.name == out.group) here = group.families;
  for (std::size_t i = 0; i < wire::kFamilyCount; ++i) {
    auto family = static_cast<wire::Family>(i);
    if (!here.contains(family)) continue;
    auto view = std::ranges::find(peer->families, family, &reflector::PeerFamilyView::family);
    std::string_view name = wire::family_label(family);
    if (view == peer->families.end() || !view->negotiated) {
      report.problem("family-not-negotiated", fmt::format("{} is configured here, but the peer did not offer it in its OPEN", name),
                     "activate the family for this neighbour on the peer, if it is to have it");
      continue;
    }
    if (view->disabled) report.problem("family-disabled", fmt::format("{} is ignored: the peer sent an unreadable attribute (RFC 7606 section 2)", name), "helioctl show peer shows the message; clear the session when the peer is repaired");
    if (!view->eor_received) report.note("no-end-of-rib", fmt::format("its {} End-of-RIB has not come", name));
    if (view->discarded != 0) report.problem("discarded", fmt::format("{} of its {} routes were kept out by limits", view->discarded, name), "helioctl explain PREFIX --rd RD names the limit");
    if (view->stale != 0) report.note("stale", fmt::format("{} of its {} routes are stale: from before its restart", view->stale, name));
  }
  if (peer->lag_seconds >= 1)
    report.problem("slow", fmt::format("it reads too slowly: {:.1f} s behind, {} octets wait", peer->lag_seconds, peer->output_queue_bytes),
                   "look at the peer's CPU, its TCP window and the path to it; [slow-peer] says what becomes of it");
  if (peer->rt_interest == 0) report.problem("no-membership", "it has no RT membership: it is sent no VPN routes", "does it import anything? is RT-Constrain wanted on the peer?");
  if (!peer->last_update_error.empty()) report.problem("update-error", "last UPDATE error: " + peer->last_update_error, "helioctl show peer shows the message");
  if (peer->flaps != 0 && !peer->last_close.empty()) report.note("flaps", fmt::format("lost {} times, last: {}", peer->flaps, peer->last_close));
  if (!peer->last_notification.empty()) report.note("last-notification", "last NOTIFICATION " + peer->last_notification);
  return out;
}

}  // namespace helio::control
