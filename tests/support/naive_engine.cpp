#include "tests/support/naive_engine.hpp"

#include <algorithm>
#include <utility>

namespace helio::test {
namespace {

using wire::Family;

struct NaiveCore {
  World world;
  PlantedBug bug;
  Oracle oracle;
  struct Sent {
    bool up = false;
    std::map<PathKey, HeldRoute> vpn;
    std::map<wire::RtMembership, PathAttributes> rtc;
    std::array<bool, wire::kFamilyCount> end_of_rib{};
    std::array<bool, wire::kFamilyCount> refresh{};
    bool repeat = false;
    Octets out;
    std::size_t message_left = 0;  // of a message partly consumed
  };
  std::vector<Sent> sent;
  std::set<PathKey> ghosts;
  std::uint64_t leaked = 0;

  NaiveCore(const World& w, PlantedBug b) : world(w), bug(b), oracle(w.reflector, world.peers), sent(w.peers.size()) {
    if (!world.policies.empty()) oracle.set_policies(&world.policies.front());
    if (world.tracks_next_hops) oracle.track_next_hops();
    for (const auto& [next_hop, metric] : world.routes) oracle.set_route(next_hop, metric);
  }

  bool has(PlantedBug b) const { return bug == b; }
  void emit(std::uint32_t peer, const NaiveUpdate& update) {
    Octets message = with_header(2, encode_body(update, world.peers[peer].four_octet_as, world.peers[peer].add_path_send));
    sent[peer].out.insert(sent[peer].out.end(), message.begin(), message.end());
  }
  void withdraw(std::uint32_t peer, const PathKey& prefix) {
    NaiveUpdate update;
    update.unreach = prefix.is_v6 ? Family::vpnv6 : Family::vpnv4;
    update.withdrawn = {prefix};
    emit(peer, update);
  }
  void end_of_rib(std::uint32_t peer, Family family) {
    if (!world.peers[peer].has(family) || sent[peer].end_of_rib[wire::index(family)]) return;
    sent[peer].end_of_rib[wire::index(family)] = true;
    if (has(PlantedBug::end_of_rib_missing) && family == Family::vpnv6) return;
    NaiveUpdate update;
    update.end_of_rib = family;
    emit(peer, update);
  }
  void sync_rtc(std::uint32_t peer);
  void sync_vpn(std::uint32_t peer);
};

void NaiveCore::sync_rtc(std::uint32_t peer) {
  Sent& s = sent[peer];
  PeerId id{peer};
  const PeerSpec& spec = world.peers[peer];
  auto want = oracle.expected_rtc(id);
  if (has(PlantedBug::no_reflection_to_originator))
    for (const wire::RtMembership& m : oracle.rtc_routes_of(id)) want.erase(m);
  auto due = oracle.expected_default(id);
  if (due == Oracle::DefaultRoute::present || (due == Oracle::DefaultRoute::either && s.rtc.contains({}))) {
    PathAttributes a;
    a.next_hop = bare_next_hop(spec.local_address);
    spec.is_external() ? void(a.as_path = {{2, {world.reflector.local_as}}}) : void(a.local_pref = 100);
    want[{}] = a;
  }
  for (const auto& [m, a] : s.rtc)
    if (!want.contains(m)) {
      NaiveUpdate update;
      update.unreach = Family::rtc;
      update.withdrawn_rtc = {m};
      emit(peer, update);
    }
  bool all = std::exchange(s.refresh[wire::index(Family::rtc)], false);
  for (const auto& [m, a] : want) {
    auto held = s.rtc.find(m);
    if (!all && held != s.rtc.end() && held->second == a) continue;
    NaiveUpdate update;
    update.reach = Family::rtc;
    update.attributes = a;
    update.announced_rtc = {m};
    emit(peer, update);
  }
  s.rtc = want;
  end_of_rib(peer, Family::rtc);
}

void NaiveCore::sync_vpn(std::uint32_t peer) {
  Sent& s = sent[peer];
  PeerId id{peer};
  const PeerSpec& spec = world.peers[peer];
  auto want = oracle.expected_vpn(id);
  bool waits = oracle.holds_back(id);
  if (waits && has(PlantedBug::floods_before_rtc_eor)) {
    for (std::uint32_t other = 0; other < world.peers.size(); ++other)
      if (!world.peers[other].has(Family::rtc) && oracle.is_up(PeerId{other}) && spec.has(Family::vpnv4) && !spec.has(Family::vpnv6)) want = oracle.expected_vpn(PeerId{other});
    std::erase_if(want, [](const auto& e) { return e.first.is_v6; });
  }
  if (has(PlantedBug::end_of_rib_too_early) && !waits)
    for (Family family : {Family::vpnv4, Family::vpnv6}) end_of_rib(peer, family);
  if (has(PlantedBug::crosses_rds) && want.size() == 3) {
    std::pair<PathKey, HeldRoute> moved = *want.begin();
    moved.first.rd.value ^= 1;
    want.insert(moved);
  }
  for (const auto& [prefix, route] : s.vpn)
    if (!want.contains(prefix) && !(has(PlantedBug::forgets_old_rt) && oracle.is_up(id) && std::any_of(world.peers.begin(), world.peers.end(), [&](const PeerSpec& p) { return oracle.usable(p.id, prefix).has_value(); })))
      withdraw(peer, prefix);
  if (has(PlantedBug::withdraws_everywhere) && !waits)
    for (const PathKey& prefix : ghosts)
      if (!s.vpn.contains(prefix) && spec.has(prefix.is_v6 ? Family::vpnv6 : Family::vpnv4)) withdraw(peer, prefix);
  std::array<bool, wire::kFamilyCount> all{};
  for (Family family : {Family::vpnv4, Family::vpnv6}) all[wire::index(family)] = std::exchange(s.refresh[wire::index(family)], false) && !has(PlantedBug::ignores_refresh);
  bool repeat = std::exchange(s.repeat, false);
  for (const auto& [prefix, route] : want) {
    auto held = s.vpn.find(prefix);
    if (held != s.vpn.end() && !repeat && !all[wire::index(prefix.is_v6 ? Family::vpnv6 : Family::vpnv4)]) {
      if (held->second == route) continue;
      if (has(PlantedBug::ignores_label_change) && held->second.attributes == route.attributes) continue;
    }
    NaiveUpdate update;
    update.reach = prefix.is_v6 ? Family::vpnv6 : Family::vpnv4;
    update.attributes = route.attributes;
    if (has(PlantedBug::no_partial_bit))
      for (RawAttribute& o : update.attributes.others) o.flags &= 0xdf;
    update.announced = {{prefix, route.labels}};
    if (has(PlantedBug::oversized_messages) && want.size() > 5)
      while (encode_body(update).size() < 4100) update.announced.push_back(update.announced.front());
    emit(peer, update);
  }
  s.vpn = want;
  if (!waits)
    for (Family family : {Family::vpnv4, Family::vpnv6}) end_of_rib(peer, family);
}

class NaiveShard : public session::Engine {
 public:
  NaiveShard(NaiveCore& core, session::SessionControl& control, std::uint32_t self) : core_(core), control_(control), self_(self) {}

  void on_established(const session::EstablishedPeer& peer, session::TimePoint now) override {
    core_.sent[peer.peer.value] = {};
    core_.sent[peer.peer.value].up = true;
    core_.oracle.set_time(now);
    core_.oracle.up(peer.peer, now, peer.forwarding_preserved);
  }

  std::optional<wire::Notification> on_update(PeerId peer, Bytes body) override {
    const PeerSpec& spec = core_.world.peers[peer.value];
    NaiveUpdate update = decode_body(body, spec.four_octet_as, spec.is_external(), spec.add_path_receive);
    bool is_broken = update.attributes.origin > 2;
    bool changed = false;
    for (const PathKey& p : update.withdrawn) {
      changed |= core_.oracle.withdraw(peer, p);
      core_.ghosts.insert(p);
    }
    for (const LabelledPrefix& e : update.announced) changed |= is_broken ? core_.oracle.withdraw(peer, e.prefix) : core_.oracle.announce(peer, e.prefix, e.labels, update.attributes);
    for (const wire::RtMembership& m : update.withdrawn_rtc) core_.oracle.withdraw_rtc(peer, m);
    for (const wire::RtMembership& m : update.announced_rtc) core_.oracle.announce_rtc(peer, m, update.attributes);
    if (update.end_of_rib) core_.oracle.end_of_rib(peer, *update.end_of_rib);
    if (!changed && !update.announced.empty() && core_.has(PlantedBug::repeats_announcements))
      for (auto& s : core_.sent) s.repeat = s.up;
    core_.leaked += core_.has(PlantedBug::leaks_memory) ? update.announced.size() : 0;
    return std::nullopt;
  }

  std::optional<wire::Notification> on_route_refresh(PeerId peer, const session::RefreshRequest& request) override {
    if (!core_.oracle.holds_back(peer) || request.family == Family::rtc) core_.sent[peer.value].refresh[wire::index(request.family)] = true;
    return std::nullopt;
  }

  void on_closed(PeerId peer, session::CloseReason reason) override {
    auto memberships = core_.oracle.rtc_routes_of(peer);
    using session::CloseReason;
    core_.oracle.down(peer, reason == CloseReason::tcp_closed              ? Ending::connection_lost
                            : reason == CloseReason::hold_timer_expired    ? Ending::hold_timer
                            : reason == CloseReason::notification_received ? Ending::notification
                                                                           : Ending::hard_reset);
    core_.sent[peer.value] = {};
    if (core_.has(PlantedBug::keeps_membership_of_the_dead))
      for (const wire::RtMembership& m : memberships) core_.oracle.announce_rtc(peer, m, {});
  }

  void forget(PeerId peer) override { core_.oracle.forget(peer); }
  bool may_read() const override { return true; }
  std::size_t staged_bytes() const override { return 0; }

  session::TurnResult run_turn(session::TimePoint now) override {
    core_.oracle.set_time(now);
    for (std::uint32_t peer = 0; peer < core_.sent.size(); ++peer) {
      NaiveCore::Sent& s = core_.sent[peer];
      if (!s.up) continue;
      if (peer % core_.world.shards != self_) continue;
      if (!s.out.empty()) {  // one burst at a time
        if (core_.has(PlantedBug::loses_after_slow_reading) && s.out.size() > 600) s.vpn = core_.oracle.expected_vpn(PeerId{peer});
        continue;
      }
      if (core_.world.peers[peer].has(Family::rtc)) core_.sync_rtc(peer);
      core_.sync_vpn(peer);
      if (!s.out.empty()) control_.output_ready(PeerId{peer});
    }
    core_.ghosts.clear();
    return {};
  }

  std::size_t gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) override {
    Octets& bytes = core_.sent[peer.value].out;
    out[0] = {bytes.data(), std::min(bytes.size(), max_bytes)};
    return 1;
  }
  void consumed(PeerId peer, std::size_t bytes) override {
    NaiveCore::Sent& s = core_.sent[peer.value];
    std::size_t at = s.message_left;
    while (at < bytes) at += load_be16(s.out.data() + at + 16);
    s.message_left = at - bytes;
    s.out.erase(s.out.begin(), s.out.begin() + static_cast<std::ptrdiff_t>(bytes));
  }
  bool has_output(PeerId peer) const override { return !core_.sent[peer.value].out.empty(); }
  bool at_message_boundary(PeerId peer) const override { return core_.sent[peer.value].message_left == 0; }
  Bytes rest_of_message(PeerId peer) const override { return Bytes(core_.sent[peer.value].out).first(core_.sent[peer.value].message_left); }

 private:
  NaiveCore& core_;
  session::SessionControl& control_;
  std::uint32_t self_;
};

class NaiveEngines : public EngineSet {
 public:
  NaiveEngines(const World& world, const std::vector<session::SessionControl*>& controls, PlantedBug bug) : core_(world, bug) {
    for (std::uint32_t i = 0; i < world.shards; ++i) shards_.push_back(std::make_unique<NaiveShard>(core_, *controls[i], i));
  }
  session::Engine& shard(std::uint32_t index) override { return *shards_[index]; }
  void set_policies(std::size_t index) override { core_.oracle.set_policies(&core_.world.policies[index]); }
  void set_route(const wire::IpAddress& next_hop, std::optional<std::uint32_t> metric, session::TimePoint) override { core_.oracle.set_route(next_hop, metric); }
  std::string leftovers() override { return core_.leaked != 0 && core_.has(PlantedBug::leaks_memory) ? "announcements" : ""; }

 private:
  NaiveCore core_;
  std::vector<std::unique_ptr<NaiveShard>> shards_;
};

}  // namespace

EngineFactory naive_engine(PlantedBug bug) {
  return [bug](const World& world, const std::vector<session::SessionControl*>& controls) { return std::make_unique<NaiveEngines>(world, controls, bug); };
}

}  // namespace helio::test
