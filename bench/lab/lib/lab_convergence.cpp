// How the laboratory comes to rest: octets between session ends, turns of everybody, and the patience that processes need.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "bench/lab/lib/lab.hpp"

namespace helio::lab {

// Why: in step, two PEs that each prefer the other's route (option A) take it and give up their own in the same instant, for
// ever. On wires one of them is first: so it is here after this many rounds, of which a laboratory needs a few dozen.
constexpr std::size_t kRoundsInStep = 400;

void Lab::disconnect(Session& s) {
  if (s.a != nullptr) s.a->disconnect();
  if (s.b != nullptr) s.b->disconnect();
  if (s.fd >= 0) close(s.fd);
  s.fd = -1;
}

// Octets to and from a heliod process.
bool Lab::carry_remote(Session& s) {
  if (s.fd < 0) return false;
  bool moved = false;
  std::uint8_t buffer[65536];
  for (ssize_t n; s.fd >= 0 && (n = recv(s.fd, buffer, sizeof buffer, 0)) != -1;) {
    moved = true;
    if (n == 0) disconnect(s);
    else s.a->receive(Bytes(buffer, static_cast<std::size_t>(n)));
  }
  std::vector<std::uint8_t> out = s.a->take_output();
  for (std::size_t at = 0; at < out.size() && s.fd >= 0;) {
    ssize_t n = ::send(s.fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (n > 0) at += static_cast<std::size_t>(n);
    else if (errno == EAGAIN) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    else disconnect(s);
    moved = true;
  }
  return moved;
}

void Lab::send_keepalives() {
  std::vector<std::uint8_t> message;
  wire::encode_keepalive(message);
  for (Session& s : sessions_) {
    if (!s.is_remote || !s.is_up()) continue;
    s.a->send(message);
    carry_remote(s);
  }
}

// Between processes there is no telling when nothing is under way: all sessions are up (or have had their time), and then
// nobody has said anything for a while.
bool Lab::await_heliods() {
  using Clock = std::chrono::steady_clock;
  auto is_settled = [&] {
    for (std::size_t i = 0; i < topology_.reflectors.size(); ++i) {
      const ReflectorSpec& rr = topology_.reflectors[i];
      if (!is_up(rr.name)) continue;
      std::size_t wanted = 0;
      for (const Session& s : sessions_) wanted += s.is_remote && s.reflector == i && is_up(s.name_a);
      for (const ReflectorSpec& other : topology_.reflectors) {
        auto lists = [](const std::vector<std::string>& names, const std::string& n) { return std::find(names.begin(), names.end(), n) != names.end(); };
        if (is_up(other.name) && (lists(rr.clients, other.name) || lists(rr.mesh, other.name) || lists(rr.external, other.name) || lists(other.clients, rr.name))) ++wanted;
      }
      if (heliods_->established(i).value_or(0) < wanted) return false;
    }
    return true;
  };
  Clock::time_point give_up = Clock::now() + std::chrono::seconds(12), quiet_since = Clock::now(), asked{};
  bool settled = false;
  while (Clock::now() < give_up + std::chrono::seconds(30)) {
    if (while_waiting_) while_waiting_();
    if (round(false)) {
      quiet_since = Clock::now();
      continue;
    }
    if (!settled && Clock::now() - asked > std::chrono::milliseconds(200)) {
      // A connection that was refused, or closed because a reflector was not ready for it, is tried again.
      for (Session& s : sessions_) {
        if (!s.is_remote || s.fd >= 0 || !is_up(s.name_a) || !is_up(s.name_b)) continue;
        s.fd = heliods_->connect(s.reflector, topology_.find_router(s.name_a)->loopback);
        if (s.fd >= 0) s.a->connect();
      }
      settled = is_settled() || Clock::now() > give_up;
      asked = Clock::now();
      quiet_since = Clock::now();
    }
    if (settled && Clock::now() - quiet_since > std::chrono::milliseconds(700)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

bool Lab::round(bool is_in_step) {
  bool moved = false;
  for (Session& s : sessions_) {
    if (s.is_remote) {
      moved |= carry_remote(s);
      continue;
    }
    if (s.a == nullptr || s.b == nullptr) continue;
    auto to_b = s.a->take_output();
    if (!to_b.empty()) s.b->receive(to_b);
    for (std::size_t i = 0; !is_in_step && !to_b.empty() && i < pes_.size(); ++i)
      if (pes_[i] && nodes_[i]->is_up && pes_[i]->turn()) p_changed_[i] = true;
    auto to_a = s.b->take_output();
    if (!to_a.empty()) s.a->receive(to_a);
    moved |= !to_a.empty() || !to_b.empty();
  }
  for (std::size_t i = 0; i < reflectors_.size(); ++i)
    if (is_up(topology_.reflectors[i].name)) moved |= reflectors_[i]->turn(now_);
  for (std::size_t i = 0; i < pes_.size(); ++i) {
    bool changed = p_changed_[i];
    p_changed_[i] = false;
    if (pes_[i] && nodes_[i]->is_up) changed |= pes_[i]->turn();
    if (!changed) continue;
    moved = true;
    Wishes wishes;
    if (nodes_[i]->is_up) {
      if (pes_[i]) wishes = pes_[i]->wishes();
      underlay_->wish(i, wishes);
    }
    nodes_[i]->apply(wishes);
  }
  for (std::size_t i = 0; i < ces_.size(); ++i) {
    if (!ces_[i]->turn()) continue;
    moved = true;
    nodes_[node_of_ce(i)]->apply(ces_[i]->wishes());
  }
  return moved;
}

bool Lab::converge(std::size_t most_rounds) {
  // One try for every session that is not up; a refusal stays one until something changes.
  for (Session& s : sessions_) {
    auto node_of = [](const std::string& end) { return end.substr(0, end.find('/')); };
    if (s.is_remote || s.a == nullptr || s.b == nullptr || s.is_up() || !is_up(node_of(s.name_a)) || !is_up(node_of(s.name_b))) continue;
    s.a->disconnect();
    s.b->disconnect();
    s.a->connect();
    s.b->connect();
  }
  if (heliods_) return await_heliods();
  int jumps = 0;
  for (std::size_t i = 0; i < most_rounds; ++i) {
    if (round(i < kRoundsInStep)) continue;
    // Quiet, unless a reflector waits for its clock: for memberships that do not come (RFC 4684 §6).
    std::optional<session::TimePoint> next;
    for (std::size_t r = 0; r < reflectors_.size(); ++r)
      if (auto at = reflectors_[r]->wake_at(); at && *at > now_ && is_up(topology_.reflectors[r].name) && (!next || *at < *next)) next = at;
    if (!next || ++jumps > 40 || *next - now_ > std::chrono::minutes(5)) return true;
    now_ = *next;
  }
  return false;
}

}  // namespace helio::lab
