// ExportHub: what shards hand to the BMP thread. One queue for all shards, in the order in which things were pushed, so that a
// session that came up on one shard is known before routes of it come from another one. Bounded by what stations may have queued:
// what is for a station that has no room is dropped here, and the station is told to start over. A shard never waits.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "rr/export/bmp_message.hpp"
#include "rr/reflector/shard_observer.hpp"

namespace helio::exporter {

// What stations can ask for.
enum class Feed : std::uint8_t { pre_policy, post_policy, loc_rib, adj_rib_out };
inline constexpr std::size_t kFeeds = 4;
inline constexpr std::uint8_t bit_of(Feed feed) { return static_cast<std::uint8_t>(1u << static_cast<unsigned>(feed)); }

inline constexpr std::size_t kMostStations = 16;

// Whole BMP messages for some stations, made once for all of them.
struct FeedChunk {
  // Consecutive messages about one session. Those of a session that is over by then are not sent any more.
  struct Segment {
    PeerId peer;                         // invalid: the Loc-RIB
    std::uint32_t session = 0;
    std::uint32_t end = 0;               // offset
    std::uint32_t messages = 0;
  };
  std::vector<std::uint8_t> bytes;
  std::vector<Segment> segments;
  std::uint32_t stations = 0;            // a bit each
  std::uint64_t messages() const {
    std::uint64_t sum = 0;
    for (const Segment& s : segments) sum += s.messages;
    return sum;
  }
};

// A station as the shards see it.
struct StationSlot {
  std::uint8_t feeds = 0;                // before the shards know of it
  std::size_t limit = 0;
  std::atomic<std::size_t> queued{0};    // octets handed over and not yet sent
  std::atomic<bool> overflowed{false};   // something was dropped: it has to start over
  std::atomic<std::uint64_t> dropped{0}; // messages
};

class ExportHub {
 public:
  struct SessionUp {
    session::EstablishedPeer peer;
    std::uint32_t session;
    BmpTime time;
  };
  struct SessionDown {
    PeerId peer;
    std::uint32_t session;
    reflector::SessionEnd end;
    BmpTime time;
  };
  struct EndOfRib {
    PeerId peer;
    std::uint32_t session;
    wire::Family family;
  };
  // All that was there when the station was armed has been pushed by this shard.
  struct WalkDone {
    unsigned slot;
    std::uint32_t epoch;
  };
  struct FenceReached {
    std::uint64_t token;
  };
  using Item = std::variant<std::shared_ptr<const FeedChunk>, SessionUp, SessionDown, EndOfRib, WalkDone, FenceReached>;

  // Any thread.
  void push(Item item);
  // Leaves out stations without room.
  void push_chunk(std::unique_ptr<FeedChunk> chunk);
  std::vector<Item> take();
  StationSlot& slot(unsigned i) { return slots_[i]; }
  const StationSlot& slot(unsigned i) const { return slots_[i]; }

  // Called when the queue was empty; set before anybody pushes.
  std::function<void()> wake = [] {};

 private:
  std::mutex mutex_;
  std::vector<Item> items_;
  std::array<StationSlot, kMostStations> slots_;
};

BmpTime bmp_now();

}  // namespace helio::exporter
