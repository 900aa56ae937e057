#include "rib/journal.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <unordered_map>

#include "rr/base/check.hpp"
#include "rr/wire/vpn_nlri.hpp"

namespace helio::rib {
namespace {

enum Kind : std::uint8_t { kAttributes = 1, kPeer, kRoutes, kMemberships, kEvent };

struct Block {
  std::uint32_t size;  // with this header; a multiple of 8
  std::uint8_t kind, family, cause, event;
  std::uint64_t time_ms;
};
static_assert(sizeof(Block) == 16);

struct PeerName {
  std::uint32_t peer;
  std::uint8_t is_v6;
  std::array<std::uint8_t, 16> bytes;
  std::array<std::uint8_t, 3> pad;
};
static_assert(sizeof(PeerName) == 24);

struct Attributes {
  std::uint32_t peer, local_pref;
  std::uint16_t length, targets;
  std::uint8_t next_hop_length, is_eligible, is_complete, is_external;
  // next hop, attribute bytes, targets of those that are not complete
};
static_assert(sizeof(Attributes) == 16);

// Of the runs, then the notes, then the withdrawn and the announced entries.
struct Routes {
  std::uint32_t withdrawal_runs, announcement_runs, notes, changes;
  std::uint32_t withdrawn_bytes, announced_bytes;
};
static_assert(sizeof(Routes) == 24);
using Run = Journal::Run;

struct Memberships {
  std::uint32_t peer, count;
};
struct MembershipEntry {
  std::uint64_t target;
  std::uint32_t origin_as;
  std::uint8_t length, added;
  std::uint16_t pad;
};
static_assert(sizeof(MembershipEntry) == 16);

struct Event {
  std::uint32_t peer, length;
};

constexpr std::size_t kMostAttributes = 512;  // octets; longer ones are kept by their main facts
constexpr std::size_t kMostTargets = 64;      // of those
constexpr std::size_t kBlockBytes = 64 << 10; // of a block of changes, at most: a reader takes blocks whole
constexpr std::size_t kNameBytes = sizeof(Block) + sizeof(PeerName);

constexpr std::size_t rounded(std::size_t n) { return (n + 7) & ~std::size_t{7}; }

template <class T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
std::uint8_t* store(std::uint8_t* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

bool is_same(const std::uint8_t* block, const AttributeSet& set) {
  auto a = load<Attributes>(block + sizeof(Block));
  const std::uint8_t* content = block + sizeof(Block) + sizeof a;
  return a.is_complete && a.peer == set.peer.value && (a.is_eligible != 0) == set.key.is_eligible && std::ranges::equal(Bytes(content, a.next_hop_length), set.next_hop()) &&
         std::ranges::equal(Bytes(content + a.next_hop_length, a.length), set.bytes());
}

// Entry of a log: length octet, labels, RD, prefix; a withdrawal has one label.
std::size_t entry_size(const std::uint8_t* entry) { return 1u + (entry[0] + 7u) / 8u; }

}  // namespace

std::string_view journal_event_name(JournalEvent event) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(JournalEvent::count_)> kNames = {
      "peer-up", "peer-down", "routes-kept", "routes-purged", "long-lived-stale", "limit-warning", "limit-exceeded",
      "next-hop-lost", "next-hop-found", "policies", "config"};
  return kNames[static_cast<std::size_t>(event)];
}

Journal::Journal(std::size_t bytes, const AttributeStore& attributes, const ProvenanceStore& provenances)
    : attributes_(attributes), provenances_(provenances), segment_bytes_((std::max(bytes, kLeast) / kSegments) & ~std::size_t{4095}), known_(256) {
  known_limit_ = 256;
  while (known_limit_ * 2 * sizeof(Known) <= segment_bytes_ / 2) known_limit_ *= 2;
  head().serial = head_serial_;
}

Journal::~Journal() {
  for (Segment& s : segments_)
    if (s.data != nullptr) munmap(s.data, segment_bytes_);
}

// --- Writing --------------------------------------------------------------------------------------------------------

void Journal::begin_turn(std::uint64_t now_ms) {
  now_ms_ = now_ms;
  time_is_known_ = true;
  for (std::uint64_t position : pending_) {
    Segment& s = segments_[(position >> 32) % kSegments];
    if (s.serial == position >> 32) std::memcpy(s.data + static_cast<std::uint32_t>(position) + offsetof(Block, time_ms), &now_ms, sizeof now_ms);
  }
  pending_.clear();
  last_memberships_ = 0;
}

void Journal::next_segment() {
  ++head_serial_;
  Segment& s = head();
  s.used = 0;
  s.serial = head_serial_;
  s.before = changes_;
  s.changes = s.events = 0;
  last_memberships_ = 0;
}

std::uint8_t* Journal::block(std::uint8_t kind, std::uint8_t family, JournalCause cause, std::size_t size) {
  Segment& s = head();
  if (s.data == nullptr) {
    // Pages come as they are touched: a quiet reflector does not pay for its journal.
    void* p = mmap(nullptr, segment_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    s.data = static_cast<std::uint8_t*>(p);
  }
  std::size_t whole = rounded(sizeof(Block) + size);
  HELIO_CHECK(s.used + whole <= segment_bytes_, "journal block beyond its segment");
  if (!time_is_known_) pending_.push_back(position_of(s.serial, s.used));
  std::uint8_t* to = store(s.data + s.used, Block{static_cast<std::uint32_t>(whole), kind, family, static_cast<std::uint8_t>(cause), 0, now_ms_});
  s.used += static_cast<std::uint32_t>(whole);
  last_memberships_ = 0;
  return to;
}

void Journal::know_peer(PeerId peer, const wire::IpAddress& address) {
  if (addresses_.size() <= peer.value) {
    addresses_.resize(peer.value + 1);
    named_in_.resize(peer.value + 1);
  }
  if (addresses_[peer.value] == address) return;
  addresses_[peer.value] = address;
  named_in_[peer.value] = 0;
}

void Journal::name_peer(PeerId peer) {
  if (!peer.valid() || peer.value >= named_in_.size() || named_in_[peer.value] == head_serial_) return;
  named_in_[peer.value] = head_serial_;
  const wire::IpAddress& a = addresses_[peer.value];
  store(block(kPeer, 0, JournalCause::update, sizeof(PeerName)), PeerName{peer.value, a.is_v6, a.bytes, {}});
}

std::size_t Journal::most_for(AttributeId id, ProvenanceId provenance) const {
  const AttributeSet& set = attributes_[id];
  std::size_t content = set.length <= kMostAttributes ? set.length : 8 * std::min(kMostTargets, provenances_.rt_set(provenances_.provenance(provenance).rt_set).targets.size());
  return rounded(sizeof(Block) + sizeof(Attributes) + set.next_hop_length + content);
}

void Journal::grow_known() {
  std::vector<Known> old = std::exchange(known_, std::vector<Known>(known_.size() * 2));
  for (const Known& k : old)
    if (k.serial == static_cast<std::uint32_t>(head_serial_)) known_[k.id & (known_.size() - 1)] = k;
}

// Where the segment in use has the attributes of the set; written there when they are not yet. A received set is recognised
// by its id and hash: an id that was used again for other attributes has another hash. The hash of a derived or lost set is
// about what it was made of, so its contents are compared.
std::uint32_t Journal::attributes_at(AttributeId id, ProvenanceId provenance) {
  if (attributes_.limit() > known_.size() && known_.size() < known_limit_) grow_known();
  const AttributeSet& set = attributes_[id];
  Known& known = known_[id & (known_.size() - 1)];
  auto serial = static_cast<std::uint32_t>(head_serial_);
  if (known.id == id && known.hash == set.hash && known.serial == serial && (!set.is_derived() || is_same(head().data + known.offset, set))) return known.offset;
  name_peer(set.peer);
  known = {id, set.hash, head().used, serial};
  Attributes a{};
  a.peer = set.peer.value;
  a.local_pref = set.key.local_pref;
  a.next_hop_length = set.next_hop_length;
  a.is_eligible = set.key.is_eligible;
  a.is_external = set.key.is_external;
  a.is_complete = set.length <= kMostAttributes;
  std::span<const std::uint64_t> targets;
  if (a.is_complete) a.length = set.length;
  else targets = provenances_.rt_set(provenances_.provenance(provenance).rt_set).targets;
  targets = targets.first(std::min(targets.size(), kMostTargets));
  a.targets = static_cast<std::uint16_t>(targets.size());
  std::uint8_t* to = store(block(kAttributes, 0, JournalCause::update, sizeof a + a.next_hop_length + a.length + targets.size_bytes()), a);
  std::memcpy(to, set.next_hop().data(), a.next_hop_length);
  std::memcpy(to + a.next_hop_length, set.bytes().data(), a.length);
  if (!targets.empty()) std::memcpy(to + a.next_hop_length + a.length, targets.data(), targets.size_bytes());
  return known.offset;
}

// Runs are gathered into pieces that fit a block; a run that does not is cut between entries.
void Journal::write(ChangeLog& log, wire::Family family, JournalCause cause) {
  const std::size_t most = std::min(segment_bytes_ / 4, kBlockBytes);
  const std::size_t per_entry = log.notes().empty() ? 0 : sizeof(ChangeNote) + kNameBytes;
  std::size_t size = 0, note = 0;
  withdrawn_.clear();
  announced_.clear();
  auto flush = [&] {
    if (!withdrawn_.empty() || !announced_.empty()) write_block(log, family, cause, note, size);
    withdrawn_.clear();
    announced_.clear();
    size = 0;
  };
  auto add = [&](std::vector<Piece>& pieces, const std::uint8_t* nlri, std::uint32_t index, std::uint32_t begin, std::uint32_t end, std::uint32_t count,
                 std::size_t fixed, std::size_t each) {
    while (begin < end) {
      if (size + fixed + (end - begin) + count * each <= most) {
        size += fixed + (end - begin) + count * each;
        pieces.push_back({index, begin, end, count});
        return;
      }
      if (size > most / 2) {
        flush();
        continue;
      }
      std::uint32_t at = begin, n = 0;
      while (at < end && (n == 0 || size + fixed + (at - begin) + entry_size(nlri + at) + (n + 1) * each <= most)) {
        at += static_cast<std::uint32_t>(entry_size(nlri + at));
        ++n;
      }
      pieces.push_back({index, begin, at, n});
      size += fixed + (at - begin) + n * each;
      begin = at;
      count -= n;
      flush();
    }
  };
  for (std::uint32_t i = 0; i < log.withdrawals().size(); ++i) {
    const WithdrawRun& run = log.withdrawals()[i];
    if (run.after == kNoId) add(withdrawn_, log.withdrawn_nlri(), i, run.begin, run.end, run.count, sizeof(Run) + kNameBytes, 0);  // else: announced
  }
  for (std::uint32_t i = 0; i < log.announcements().size(); ++i) {
    const AnnounceRun& run = log.announcements()[i];
    // Churn has a set per route, at random places: their misses overlap so (5 % of the whole path when they did not).
    if (i + 8 < log.announcements().size()) {
      AttributeId ahead = log.announcements()[i + 8].attributes;
      attributes_.prefetch(ahead);
      __builtin_prefetch(&known_[ahead & (known_.size() - 1)], 1);
    }
    // For some classes only: the path is what it was.
    if (run.exports == 0)
      add(announced_, log.announced_nlri(), i, run.begin, run.end, run.count, sizeof(Run) + kNameBytes + most_for(run.attributes, run.provenance), per_entry);
  }
  flush();
}

void Journal::write_block(ChangeLog& log, wire::Family family, JournalCause cause, std::size_t& first_note, std::size_t most) {
  const std::vector<ChangeNote>& notes = log.notes();
  Routes head{};
  head.withdrawal_runs = static_cast<std::uint32_t>(withdrawn_.size());
  head.announcement_runs = static_cast<std::uint32_t>(announced_.size());
  for (const Piece& p : withdrawn_) head.changes += p.count, head.withdrawn_bytes += p.end - p.begin;
  for (const Piece& p : announced_) head.changes += p.count, head.announced_bytes += p.end - p.begin;
  std::size_t last_note = first_note;
  if (!announced_.empty())
    while (last_note < notes.size() && notes[last_note].offset < announced_.back().end) ++last_note;
  make_room(sizeof(Block) + sizeof(Routes) + 8 + most);  // names and attributes go in front, in the same segment
  for (const Piece& p : withdrawn_) name_peer(provenances_.provenance(log.withdrawals()[p.run].before).peer);
  for (std::size_t n = first_note; n < last_note; ++n) name_peer(PeerId(notes[n].previous));
  runs_.clear();
  for (const Piece& p : withdrawn_) runs_.push_back({provenances_.provenance(log.withdrawals()[p.run].before).peer.value, p.end - p.begin});
  for (const Piece& p : announced_) runs_.push_back({attributes_at(log.announcements()[p.run].attributes, log.announcements()[p.run].provenance), p.end - p.begin});
  std::size_t kept = 0;
  // Offsets of notes count from the first announced octet of the block; runs that are left out are no part of it.
  notes_.clear();
  std::size_t n = first_note;
  for (const Piece& p : announced_) {
    while (n < last_note && notes[n].offset < p.begin) ++n;
    for (; n < last_note && notes[n].offset < p.end; ++n) {
      notes_.push_back(notes[n]);
      notes_.back().offset = static_cast<std::uint32_t>(kept) + notes[n].offset - p.begin;
    }
    kept += p.end - p.begin;
  }
  first_note = last_note;
  head.notes = static_cast<std::uint32_t>(notes_.size());
  std::size_t size = sizeof head + runs_.size() * sizeof(Run) + notes_.size() * sizeof(ChangeNote) + head.withdrawn_bytes + head.announced_bytes;
  std::uint8_t* to = store(block(kRoutes, static_cast<std::uint8_t>(family), cause, size), head);
  auto copy = [&to](const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
    to += bytes;
  };
  copy(runs_.data(), runs_.size() * sizeof(Run));
  copy(notes_.data(), notes_.size() * sizeof(ChangeNote));
  for (const Piece& p : withdrawn_) copy(log.withdrawn_nlri() + p.begin, p.end - p.begin);
  for (const Piece& p : announced_) copy(log.announced_nlri() + p.begin, p.end - p.begin);
  changes_ += head.changes;
  this->head().changes += head.changes;
}

void Journal::write(PeerId peer, const wire::RtMembership& membership, bool added) {
  MembershipEntry entry{membership.target, membership.origin_as, membership.length, added, 0};
  ++changes_;
  if (last_memberships_ != 0 && last_memberships_peer_ == peer && head().used + sizeof entry <= segment_bytes_) {
    // One more in the block that is the last one.
    Segment& s = head();
    std::uint8_t* at = s.data + static_cast<std::uint32_t>(last_memberships_);
    auto b = load<Block>(at);
    if (b.size < kBlockBytes / 4) {
      auto head = load<Memberships>(at + sizeof b);
      store(at + sizeof b + sizeof head + head.count * sizeof entry, entry);
      ++head.count;
      store(at + sizeof b, head);
      b.size += sizeof entry;
      store(at, b);
      s.used += sizeof entry;
      ++s.events;
      return;
    }
  }
  make_room(kNameBytes + sizeof(Block) + sizeof(Memberships) + sizeof entry);
  name_peer(peer);
  std::uint64_t position = end();
  store(store(block(kMemberships, 0, JournalCause::update, sizeof(Memberships) + sizeof entry), Memberships{peer.value, 1}), entry);
  ++head().events;
  last_memberships_ = position;
  last_memberships_peer_ = peer;
}

void Journal::write(JournalEvent event, PeerId peer, std::string_view text) {
  text = text.substr(0, 512);
  make_room(kNameBytes + rounded(sizeof(Block) + sizeof(Event) + text.size()));
  name_peer(peer);
  Segment& s = head();
  std::uint32_t at = s.used;
  std::uint8_t* to = store(block(kEvent, 0, JournalCause::update, sizeof(Event) + text.size()), Event{peer.value, static_cast<std::uint32_t>(text.size())});
  std::copy(text.begin(), text.end(), to);
  s.data[at + offsetof(Block, event)] = static_cast<std::uint8_t>(event);
  ++s.events;
  ++changes_;
}

// --- Reading --------------------------------------------------------------------------------------------------------

const Journal::Segment& Journal::oldest() const {
  std::uint64_t serial = head_serial_ < kSegments ? 1 : head_serial_ - kSegments + 1;
  return segments_[serial % kSegments];
}

Journal::Extent Journal::extent() const {
  Extent e;
  e.capacity = segment_bytes_ * kSegments;
  e.complete = oldest().before == 0;
  for (const Segment& s : segments_) {
    if (s.serial == 0) continue;
    e.changes += s.changes;
    e.events += s.events;
    e.bytes += s.used;
  }
  if (const Segment& s = oldest(); s.used != 0) e.oldest_ms = load<Block>(s.data).time_ms;
  return e;
}

namespace {

// Reads the blocks of one segment.
class SegmentReader {
 public:
  SegmentReader(const std::uint8_t* segment, const std::vector<wire::IpAddress>& addresses, const JournalFilter& filter, JournalCursor& cursor, JournalSlice& out)
      : segment_(segment), addresses_(addresses), filter_(filter), cursor_(cursor), out_(out) {
    if (!filter.prefix) return;
    wanted_length_ = filter.prefix->length;
    std::copy(filter.prefix->address.begin(), filter.prefix->address.end(), wanted_.begin());
  }

  void read(std::uint32_t offset) {
    const std::uint8_t* at = segment_ + offset;
    block_ = load<Block>(at);
    at += sizeof(Block);
    switch (block_.kind) {
      case kPeer: {
        auto name = load<PeerName>(at);
        cursor_.names[name.peer] = wire::IpAddress{name.bytes, name.is_v6 != 0};
        break;
      }
      case kRoutes:
        cursor_.number += load<Routes>(at).changes;
        if (filter_.routes) read_routes(at);
        break;
      case kMemberships:
        cursor_.number += load<Memberships>(at).count;
        if (filter_.memberships) read_memberships(at);
        break;
      case kEvent:
        ++cursor_.number;
        if (filter_.events) read_event(at);
        break;
      default: break;
    }
  }

 private:
  wire::IpAddress address_of(PeerId peer) const {
    if (auto at = cursor_.names.find(peer.value); at != cursor_.names.end()) return at->second;
    return peer.value < addresses_.size() ? addresses_[peer.value] : wire::IpAddress{};
  }
  JournalRecord& record(JournalRecord::Kind kind) {
    JournalRecord& r = out_.records.emplace_back();
    r.kind = kind;
    r.time_ms = block_.time_ms;
    r.cause = static_cast<JournalCause>(block_.cause);
    return r;
  }
  std::uint32_t attributes_at(std::uint32_t offset) {
    auto [at, is_new] = decoded_.try_emplace(offset, static_cast<std::uint32_t>(out_.attributes.size()));
    if (!is_new) return at->second;
    const std::uint8_t* from = segment_ + offset + sizeof(Block);
    auto a = load<Attributes>(from);
    from += sizeof a;
    JournalAttributes& to = out_.attributes.emplace_back();
    to.peer = PeerId(a.peer);
    to.address = address_of(to.peer);
    to.is_eligible = a.is_eligible != 0;
    to.is_complete = a.is_complete != 0;
    to.is_external = a.is_external != 0;
    to.local_pref = a.local_pref;
    to.next_hop.assign(from, from + a.next_hop_length);
    from += a.next_hop_length;
    to.bytes.assign(from, from + a.length);
    from += a.length;
    for (std::size_t i = 0; i < a.targets; ++i) to.targets.push_back(load<std::uint64_t>(from + 8 * i));
    return at->second;
  }
  bool wants(const wire::VpnNlri& one) const {
    if (filter_.rd && one.rd.value != *filter_.rd) return false;
    if (!filter_.prefix) return true;
    return one.length == wanted_length_ && std::memcmp(one.prefix, wanted_.data(), (one.length + 7u) / 8u) == 0;
  }
  wire::VpnPrefix prefix_of(const wire::VpnNlri& one, bool is_v6) const {
    wire::VpnPrefix prefix;
    prefix.rd = one.rd;
    prefix.length = one.length;
    prefix.is_v6 = is_v6;
    std::copy(one.prefix, one.prefix + (one.length + 7u) / 8u, prefix.address.begin());
    return prefix;
  }
  void read_routes(const std::uint8_t* at) {
    auto head = load<Routes>(at);
    at += sizeof head;
    const std::uint8_t* runs = at;
    const std::uint8_t* notes = runs + (head.withdrawal_runs + head.announcement_runs) * sizeof(Run);
    const std::uint8_t* nlri = notes + head.notes * sizeof(ChangeNote);
    bool is_v6 = static_cast<wire::Family>(block_.family) == wire::Family::vpnv6;
    if (filter_.prefix && filter_.prefix->is_v6 != is_v6) return;
    wire::VpnNlri one;
    for (std::uint32_t i = 0; i < head.withdrawal_runs; ++i) {
      auto run = load<Run>(runs + i * sizeof(Run));
      wire::VpnNlriReader reader(Bytes(nlri, run.bytes), is_v6, true, false);
      while (reader.next(one) == wire::NlriStatus::ok) {
        if (!wants(one)) continue;
        JournalRecord& r = record(JournalRecord::Kind::withdrawn);
        r.prefix = prefix_of(one, is_v6);
        r.peer = PeerId(run.what);
        r.address = address_of(r.peer);
      }
      nlri += run.bytes;
    }
    const std::uint8_t* first = nlri;
    std::uint32_t note = 0;
    for (std::uint32_t i = 0; i < head.announcement_runs; ++i) {
      auto run = load<Run>(runs + (head.withdrawal_runs + i) * sizeof(Run));
      wire::VpnNlriReader reader(Bytes(nlri, run.bytes), is_v6, false, false);
      while (reader.next(one) == wire::NlriStatus::ok) {
        auto offset = static_cast<std::uint32_t>(one.labels - 1 - first);
        if (!wants(one)) continue;
        JournalRecord& r = record(JournalRecord::Kind::announced);
        r.prefix = prefix_of(one, is_v6);
        for (unsigned l = 0; l < one.label_count; ++l) r.labels.push_back(load_be24(one.labels + 3 * l) >> 4);
        r.attributes = attributes_at(run.what);
        r.peer = out_.attributes[r.attributes].peer;
        r.address = out_.attributes[r.attributes].address;
        while (note < head.notes && load<ChangeNote>(notes + note * sizeof(ChangeNote)).offset < offset) ++note;
        if (note == head.notes) continue;
        auto n = load<ChangeNote>(notes + note * sizeof(ChangeNote));
        if (n.offset != offset) continue;
        r.previous = PeerId(n.previous);
        r.was_there = r.previous.valid();
        if (r.was_there) r.previous_address = address_of(r.previous);
        r.previous_remains = n.previous_remains;
        r.paths = n.paths;
        r.second_lost_at = static_cast<DecisionStep>(n.second_lost_at);
      }
      nlri += run.bytes;
    }
  }
  void read_memberships(const std::uint8_t* at) {
    auto head = load<Memberships>(at);
    at += sizeof head;
    for (std::uint32_t i = 0; i < head.count; ++i) {
      auto entry = load<MembershipEntry>(at + i * sizeof(MembershipEntry));
      JournalRecord& r = record(JournalRecord::Kind::membership);
      r.peer = PeerId(head.peer);
      r.address = address_of(r.peer);
      r.membership = {entry.length, entry.origin_as, entry.target};
      r.added = entry.added != 0;
    }
  }
  void read_event(const std::uint8_t* at) {
    auto event = load<Event>(at);
    JournalRecord& r = record(JournalRecord::Kind::event);
    r.event = static_cast<JournalEvent>(block_.event);
    r.peer = PeerId(event.peer);
    if (r.peer.valid()) r.address = address_of(r.peer);
    r.text.assign(reinterpret_cast<const char*>(at + sizeof event), event.length);
  }

  const std::uint8_t* segment_;
  const std::vector<wire::IpAddress>& addresses_;
  const JournalFilter& filter_;
  JournalCursor& cursor_;
  JournalSlice& out_;
  Block block_{};
  std::unordered_map<std::uint32_t, std::uint32_t> decoded_;
  std::array<std::uint8_t, 16> wanted_{};
  unsigned wanted_length_ = 0;
};

}  // namespace

JournalSlice Journal::read(JournalCursor& cursor, const JournalFilter& filter, std::size_t max_records, std::size_t max_bytes) const {
  JournalSlice out;
  std::uint64_t serial = cursor.position >> 32;
  auto offset = static_cast<std::uint32_t>(cursor.position);
  auto enter = [&](const Segment& s) {
    serial = s.serial;
    offset = 0;
    cursor.number = s.before;
    cursor.names.clear();
  };
  if (serial < oldest().serial) enter(oldest());  // from the beginning, or what stood there was dropped
  out.first_number = cursor.number;
  std::size_t looked_at = 0;
  while (true) {
    const Segment& s = segments_[serial % kSegments];
    SegmentReader reader(s.data, addresses_, filter, cursor, out);
    for (; offset < s.used; offset += load<Block>(s.data + offset).size) {
      if (out.records.size() >= max_records || looked_at >= max_bytes) {
        cursor.position = position_of(serial, offset);
        return out;
      }
      looked_at += load<Block>(s.data + offset).size;
      reader.read(offset);
    }
    if (serial == head_serial_) break;
    enter(segments_[(serial + 1) % kSegments]);
  }
  cursor.position = end();
  out.at_end = true;
  return out;
}

}  // namespace helio::rib
