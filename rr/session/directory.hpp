// Who may speak to us: neighbours by exact address and by listen range, with the ids that the whole program knows them by.
// Used by the accepting thread and the control thread under the SessionManager's lock; shards never look in here.
//
// Ids are dense from 0 and stay with an address. A dynamic neighbour keeps its id after it went down, until its range is
// full (max_peers) and another address needs one: then the one that came first of those that are down gives way. When
// none is down, the connection that has waited longest for an OPEN is dropped for the new one. So the number of ids never
// exceeds neighbours + the sum of max_peers.
#pragma once
#include <deque>
#include <map>
#include <memory>

#include "rr/session/peer.hpp"

namespace helio::session {

class Directory {
 public:
  struct Entry {
    PeerId id;
    NeighborSettings settings;
    std::shared_ptr<PeerStatus> status;
    bool in_pending = false;
  };
  // make_room: the connection of `to_drop` has to go first, if it is still without OPEN; then ask again.
  enum class Verdict : std::uint8_t { known, created, stranger, range_full, make_room };
  struct Admission {
    Verdict verdict = Verdict::stranger;
    Entry* entry = nullptr;    // known and created
    PeerId to_drop;            // beside make_room: over the pending limit; may be invalid
  };

  // `max_pending`: connections without a session, over all neighbours.
  explicit Directory(std::size_t max_pending) : max_pending_(max_pending) {}

  Entry& add(NeighborSettings settings);
  // The id may be given to another address from now on.
  void remove(const wire::IpAddress& address);
  Entry* find(const wire::IpAddress& address);
  // Dynamic neighbours that no range holds any more, or another one, stay; the caller decides about them.
  void set_ranges(std::vector<ListenRange> ranges);
  void set_max_pending(std::size_t most) { max_pending_ = most; }
  // The longest range that holds the address; nullptr: none.
  const ListenRange* range_of(const wire::IpAddress& address) const;

  // A connection from `address` was accepted. Counts it as pending.
  Admission admit(const wire::IpAddress& address);
  // The longest waiting connection that has no session, or an invalid id. It is not named again unless it comes again.
  PeerId take_oldest_pending();
  // At most; some may have become sessions meanwhile.
  std::size_t pending() const { return pending_.size(); }

  template <class Function>
  void for_each(Function function) {
    for (auto& [address, entry] : entries_) function(entry);
  }
  std::size_t size() const { return entries_.size(); }

 private:
  Entry& insert(NeighborSettings settings, PeerId id);
  PeerId next_id();
  std::deque<wire::IpAddress>& dynamic_of(const ListenRange& range) { return dynamic_[static_cast<std::size_t>(&range - ranges_.data())]; }
  PeerId oldest_pending_of(const ListenRange& range);
  void forget_one_down(const ListenRange& range);
  PeerId count_pending(Entry& entry);

  std::map<wire::IpAddress, Entry> entries_;
  std::vector<ListenRange> ranges_;
  std::vector<PeerId> free_ids_;
  std::uint32_t ids_ = 0;
  std::size_t max_pending_;
  std::deque<wire::IpAddress> pending_;  // in the order of arrival; some have become sessions since
  std::vector<std::deque<wire::IpAddress>> dynamic_;  // per range, in the order of first arrival
};

}  // namespace helio::session
