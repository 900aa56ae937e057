#include "rr/reflector/past.hpp"

#include <algorithm>

namespace helio::reflector {

using rib::JournalEvent;
using rib::JournalRecord;
using Kind = JournalRecord::Kind;

PastRoute route_at(std::span<const JournalRecord> records, std::size_t before, bool complete) {
  auto is_route = [](const JournalRecord& r) { return r.kind == Kind::announced || r.kind == Kind::withdrawn; };
  PastRoute out;
  for (std::size_t i = before; i-- > 0;) {
    if (!is_route(records[i])) continue;
    if (records[i].kind == Kind::withdrawn) {
      out.state = PastRoute::State::absent;
    } else {
      out.state = PastRoute::State::known;
      out.record = i;
      out.peer = records[i].peer;
      out.address = records[i].address;
    }
    return out;
  }
  auto next = std::find_if(records.begin() + static_cast<std::ptrdiff_t>(before), records.end(), is_route);
  if (next == records.end()) {
    if (complete) out.state = PastRoute::State::absent;  // what is there now would have a record
    return out;
  }
  // The first one after tells what it replaced.
  bool existed = next->kind == Kind::withdrawn || next->was_there;
  out.state = existed ? PastRoute::State::existed : PastRoute::State::absent;
  if (!existed) return out;
  out.peer = next->kind == Kind::withdrawn ? next->peer : next->previous;
  out.address = next->kind == Kind::withdrawn ? next->address : next->previous_address;
  return out;
}

std::vector<wire::RtMembership> memberships_at(std::vector<wire::RtMembership> now, PeerId peer, std::span<const JournalRecord> later) {
  std::sort(now.begin(), now.end());
  for (std::size_t i = later.size(); i-- > 0;) {
    const JournalRecord& r = later[i];
    if (r.kind != Kind::membership || r.peer != peer) continue;
    auto at = std::lower_bound(now.begin(), now.end(), r.membership);
    bool is_there = at != now.end() && *at == r.membership;
    if (r.added && is_there) now.erase(at);
    else if (!r.added && !is_there) now.insert(at, r.membership);
  }
  return now;
}

bool was_up(std::span<const JournalRecord> records, std::size_t before, PeerId peer, bool is_up_now) {
  auto is_session = [&](const JournalRecord& r) {
    return r.kind == Kind::event && r.peer == peer && (r.event == JournalEvent::peer_up || r.event == JournalEvent::peer_down);
  };
  for (std::size_t i = before; i-- > 0;)
    if (is_session(records[i])) return records[i].event == JournalEvent::peer_up;
  for (std::size_t i = before; i < records.size(); ++i)
    if (is_session(records[i])) return records[i].event == JournalEvent::peer_down;
  return is_up_now;
}

}  // namespace helio::reflector
