// Journal: what lately happened in one shard, in a ring of bounded memory: changes of best paths, of RT memberships, of
// peers, and notes of what else is worth telling. Written on the shard's thread once per turn and log, as the NLRI octets
// that the log holds anyway; read on the same thread in bounded slices. No clock: the owner says what time it is.
//
// The ring is eight segments, each complete in itself: it holds the attributes and the addresses of peers that its
// changes name, so that the oldest one can be dropped without looking. Nothing in the RIB is kept alive by it.
//
//   segment:  block block block ...         block:  size, kind, family, cause, time | content
//     attributes   what a run of changes names, once per segment (about 60 octets and the path attributes)
//     peer         id and address, once per segment
//     routes       runs of equal attributes, notes about prefixes that were there before, NLRIs as on the wire
//     memberships  of one peer in one turn
//     event        a peer came or went, a limit was reached, a next hop was lost; with a text
//
// A change takes 16 to 30 octets when many come together, about 90 alone, and the attributes where they are new.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rib/attribute_store.hpp"
#include "rib/change_log.hpp"
#include "rib/decision.hpp"

namespace helio::rib {

// Why best paths changed.
enum class JournalCause : std::uint8_t { update, purge, next_hop, policy };

enum class JournalEvent : std::uint8_t {
  peer_up,
  peer_down,          // text: the reason
  routes_kept,        // stale after the session (RFC 4724); text: families
  routes_purged,      // of the peer: stale, or of a family that is not to be used; text: families
  long_lived,         // RFC 9494; text: families
  limit_warning,      // text: family and limit
  limit_exceeded,
  next_hop_lost,      // text: address
  next_hop_found,
  policies,           // others are in force
  config,             // text: what became of it
  count_
};
std::string_view journal_event_name(JournalEvent event);  // "peer-down"

// Attributes as the journal keeps them.
struct JournalAttributes {
  PeerId peer;
  wire::IpAddress address;                 // of the peer
  bool is_eligible = true;                 // false: best of those that cannot be used
  bool is_complete = true;                 // false: too long to be kept; next hop, targets and key only
  bool is_external = false;
  std::uint32_t local_pref = 0;
  std::vector<std::uint8_t> next_hop, bytes;
  std::vector<std::uint64_t> targets;
};

struct JournalRecord {
  enum class Kind : std::uint8_t { announced, withdrawn, membership, event };
  Kind kind = Kind::announced;
  std::uint64_t time_ms = 0;               // as the owner counts
  JournalCause cause = JournalCause::update;
  // announced, withdrawn (the prefix has no path any more)
  wire::VpnPrefix prefix;
  std::vector<std::uint32_t> labels;
  std::uint32_t attributes = kNoId;        // announced: index into the slice's
  bool was_there = false;                  // announced: it had a best path before, from `previous`
  PeerId previous;
  wire::IpAddress previous_address;
  bool previous_remains = false;           // and still has a path
  std::uint16_t paths = 1;                 // of the prefix
  DecisionStep second_lost_at = DecisionStep::none;
  // withdrawn (who had it), membership, event
  PeerId peer;
  wire::IpAddress address;
  wire::RtMembership membership;
  bool added = false;
  JournalEvent event = JournalEvent::peer_up;
  std::string text;
};

struct JournalFilter {
  bool routes = true, memberships = true, events = true;
  std::optional<std::uint64_t> rd;
  std::optional<wire::VpnPrefix> prefix;   // address and length
};

// Where a reader stands; at the oldest record to begin with.
struct JournalCursor {
  std::uint64_t position = 0;
  std::uint64_t number = 0;                // changes and events are numbered from 0: of the next one
  std::unordered_map<std::uint32_t, wire::IpAddress> names;  // of peers, as the segment has them so far
};

struct JournalSlice {
  std::vector<JournalRecord> records;
  std::vector<JournalAttributes> attributes;
  bool at_end = false;
  // Of the first record that was looked at: beyond the cursor's, it missed what was dropped in between.
  std::uint64_t first_number = 0;
};

class Journal {
 public:
  // `bytes`: of the whole ring, at least kLeast.
  static constexpr std::size_t kLeast = 256 << 10;
  Journal(std::size_t bytes, const AttributeStore& attributes, const ProvenanceStore& provenances);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // What has been written since the last call of end_turn happened at this time, and what comes now.
  void begin_turn(std::uint64_t now_ms);
  void end_turn() { time_is_known_ = false; }

  // Before anything names the peer; again when the id belongs to another address.
  void know_peer(PeerId peer, const wire::IpAddress& address);
  // The changes of a turn, before the log is sorted or cleared.
  void write(ChangeLog& log, wire::Family family, JournalCause cause);
  void write(PeerId peer, const wire::RtMembership& membership, bool added);
  void write(JournalEvent event, PeerId peer, std::string_view text);

  // Reads from the cursor until the end, `max_records` records or about `max_bytes` octets looked at; blocks as a whole.
  JournalSlice read(JournalCursor& cursor, const JournalFilter& filter, std::size_t max_records, std::size_t max_bytes) const;
  JournalCursor end_cursor() const { return {end(), changes_, {}}; }
  std::uint64_t end() const { return position_of(head_serial_, segments_[head_serial_ % kSegments].used); }

  struct Extent {
    std::uint64_t changes = 0, events = 0;   // held; memberships are events
    std::uint64_t bytes = 0, capacity = 0;   // of the ring: in use, at most
    std::uint64_t oldest_ms = 0;             // of the first block; 0: empty
    bool complete = true;                    // nothing was dropped yet
  };
  Extent extent() const;
  std::uint64_t changes_written() const { return changes_; }

  struct Run {
    std::uint32_t what;  // offset of the attributes in the segment; of withdrawals: the peer
    std::uint32_t bytes;
  };

 private:
  struct Piece {
    std::uint32_t run, begin, end, count;
  };
  static constexpr std::size_t kSegments = 8;
  struct Segment {
    std::uint8_t* data = nullptr;
    std::uint32_t used = 0;
    std::uint64_t serial = 0;
    std::uint64_t before = 0;                // changes and events written before it
    std::uint64_t changes = 0, events = 0;
  };
  struct Known {                             // where the segment in use has a set's attributes
    AttributeId id = kNoId;
    std::uint32_t hash = 0, offset = 0, serial = 0;
  };

  static std::uint64_t position_of(std::uint64_t serial, std::uint32_t offset) { return serial << 32 | offset; }
  Segment& head() { return segments_[head_serial_ % kSegments]; }
  const Segment& oldest() const;
  void next_segment();
  // Room for a block with `size` octets of content in the segment in use; the caller has made sure that it fits.
  std::uint8_t* block(std::uint8_t kind, std::uint8_t family, JournalCause cause, std::size_t size);
  void make_room(std::size_t size) {
    if (head().used + size > segment_bytes_) next_segment();
  }
  std::uint32_t attributes_at(AttributeId id, ProvenanceId provenance);
  void name_peer(PeerId peer);
  std::size_t most_for(AttributeId id, ProvenanceId provenance) const;
  // The pieces in withdrawn_ and announced_, with the notes from `note` on; with names and attributes they take `most` octets.
  void write_block(ChangeLog& log, wire::Family family, JournalCause cause, std::size_t& note, std::size_t most);
  void grow_known();

  const AttributeStore& attributes_;
  const ProvenanceStore& provenances_;
  std::size_t segment_bytes_;
  std::size_t known_limit_;
  std::array<Segment, kSegments> segments_;
  std::uint64_t head_serial_ = 1;            // of the segment in use; its index is the serial modulo kSegments
  std::vector<Known> known_;                 // by attribute id, masked
  std::vector<wire::IpAddress> addresses_;   // by PeerId
  std::vector<std::uint64_t> named_in_;      // by PeerId: serial of the segment
  std::vector<std::uint64_t> pending_;       // positions of blocks whose time is not known yet
  std::uint64_t now_ms_ = 0;
  bool time_is_known_ = false;
  std::uint64_t changes_ = 0;                // and events, ever
  std::uint64_t last_memberships_ = 0;       // position of the block, when it is the last one; 0: none
  PeerId last_memberships_peer_;
  std::vector<Piece> withdrawn_, announced_;  // scratch of write
  std::vector<Run> runs_;
  std::vector<ChangeNote> notes_;
};

}  // namespace helio::rib
