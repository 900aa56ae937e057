// ShardFeed: watches one shard for the BMP stations. What the slices of the RIB take in and select becomes Route Monitoring messages,
// made once for all stations that want them, in chunks of a turn; a station that was armed is also walked through all that is there,
// in slices. Both come from the same place in the same order, so there are no gaps: first armed, then walked.
//
// Lives on its shard's thread. Routes are told in the form in which they were received (received_form.hpp); RT membership routes as
// their import policy lets them in, and not for the Loc-RIB.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "rr/export/export_hub.hpp"
#include "rr/export/received_form.hpp"
#include "rr/export/rib_walk.hpp"
#include "rr/reflector/shard.hpp"

namespace helio::exporter {

// What the messages say of the reflector itself.
struct FeedIdentity {
  Asn local_as = 0;
  std::uint32_t router_id = 0;
  std::uint32_t started = 0;             // Unix time that ages are counted from
  std::uint32_t shard = 0;               // that is watched
};

class ShardFeed final : public reflector::ShardObserver {
 public:
  // `wake`: has all shards take a turn.
  ShardFeed(reflector::Shard& shard, ExportHub& hub, const FeedIdentity& identity, std::function<void()> wake) : shard_(shard), hub_(hub), identity_(identity), wake_(std::move(wake)) {}

  // On the shard's thread, like everything here. From now on the station is told of changes; what is there is walked.
  void arm(unsigned slot, std::uint32_t epoch);
  void disarm(unsigned slot);
  // Comes back behind everything that other shards had handed over before.
  void fence(std::uint64_t token) { fences_.push_back(token); }

  void on_session_up(const session::EstablishedPeer& peer, std::uint32_t session) override;
  void on_session_down(const session::EstablishedPeer& peer, std::uint32_t session, const reflector::SessionEnd& end) override;
  void on_update(const session::EstablishedPeer&, Bytes) override {}
  void on_end_of_rib(PeerId peer, std::uint32_t session, wire::Family family) override;
  bool wants_output() const override;
  void on_sent(PeerId peer, std::span<const iovec> octets, std::size_t unsent) override;
  void on_walk(std::uint32_t source, reflector::Message&& message) override;
  void on_announced(reflector::RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<rib::Address4>> entries) override;
  void on_announced(reflector::RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<rib::Address6>> entries) override;
  void on_judged(reflector::RibShard& slice, PeerId peer, rib::AttributeId judged, std::span<const rib::NlriEntry<rib::Address4>> entries) override;
  void on_judged(reflector::RibShard& slice, PeerId peer, rib::AttributeId judged, std::span<const rib::NlriEntry<rib::Address6>> entries) override;
  void on_withdrawn(reflector::RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<rib::Address4>> entries) override;
  void on_withdrawn(reflector::RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<rib::Address6>> entries) override;
  void on_best_changes(reflector::RibShard& slice, wire::Family family, rib::ChangeLog& log) override;
  void on_policies_changed(reflector::RibShard& slice) override;
  void on_memberships(const reflector::RtcUpdate& update) override;
  bool on_turn() override;

 private:
  // What is said of a run of NLRIs.
  struct Statement {
    Feed feed;
    PeerId peer;                         // invalid: the Loc-RIB
    wire::Family family;
    bool has_path_id = false;
    BmpTime time;
  };
  struct Armed {
    bool is_armed = false;
    std::uint32_t epoch = 0;
  };
  // A station being told what is there.
  struct Walk {
    unsigned slot;
    std::uint32_t epoch;
    std::uint8_t feeds;
    bool corrects = false;               // policies changed: rejected paths are withdrawn, too
    unsigned step = 0;                   // the slice of VPN routes, of EVPN, RT memberships
    RibPosition at;
    std::optional<wire::RtMembership> last;
  };
  // A path met by a walk; those with the same attributes are put together.
  struct Met {
    Feed feed;
    bool is_withdrawal;
    bool has_path_id;
    rib::AttributeId attributes;
    std::uint32_t time;
    std::uint32_t begin, end;            // in nlri_
  };

  // --- Adj-RIB-Out (output_feed.cpp) ---
  // A peer of this shard.
  struct Local {
    PeerId id;
    std::uint32_t session = 0;
    wire::IpAddress address;
    Asn as = 0;
    std::uint32_t router_id = 0;
  };
  // A message of a peer of which only a part has gone.
  struct Partial {
    std::size_t skip = 0;                // octets of one that nobody asked for
    std::vector<std::uint8_t> bytes;
  };
  // What the peers here had been sent before a station came. Images wait until the station has room, and what happens meanwhile
  // waits behind them: the last that is said of a prefix is what came last.
  struct OutputWalk {
    // Who is sent a segment of an image, as of the moment when it came.
    struct Portion {
      PeerId peer;
      std::uint32_t session, segment;
    };
    struct Item {
      rib::BatchRef image = {};
      std::vector<Portion> portions = {};
      std::size_t told = 0;              // portions
      std::unique_ptr<FeedChunk> changes = nullptr;  // or these
    };
    unsigned slot;
    std::uint32_t epoch;
    std::uint32_t walk;                  // id
    std::uint32_t missing;               // slices of the RIB that are not done
    std::deque<Item> items = {};
    std::size_t held_bytes = 0;          // of changes
  };
  void append_output(FeedChunk& chunk, const Local& peer, Bytes update, BmpTime time);
  void walk_output(unsigned slot, std::uint32_t epoch);
  void end_output_walks(unsigned slot);
  OutputWalk::Item portions_of(std::uint32_t source, rib::BatchRef batch) const;
  void hold_back(FeedChunk& changes);
  bool tell_item(OutputWalk& walk);      // false: there is no room for all of it
  bool tell_images();

  std::uint32_t wanting(Feed feed) const { return wanting_[static_cast<std::size_t>(feed)]; }
  FeedChunk& chunk_for(Feed feed);
  void flush(std::unique_ptr<FeedChunk>& chunk);
  void announce(FeedChunk& chunk, const Statement& what, Bytes next_hop, Bytes canonical, const rib::DecisionKey& key, AttributeForm form, Bytes nlri);
  void withdraw(FeedChunk& chunk, const Statement& what, Bytes nlri);
  void append_messages(FeedChunk& chunk, const Statement& what);
  template <class Address>
  void announced(reflector::RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<Address>> entries);
  template <class Address>
  void judged(reflector::RibShard& slice, PeerId peer, rib::AttributeId judged, std::span<const rib::NlriEntry<Address>> entries);
  template <class Address>
  void withdrawn(reflector::RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<Address>> entries);
  template <class Address>
  void gather(std::span<const rib::NlriEntry<Address>> entries, bool has_path_id);
  void withdraw_announced(FeedChunk& chunk, const Statement& what, Bytes nlri);

  bool walk_some();
  bool has_credit(const Walk& walk) const;
  bool walk_step(Walk& walk);            // false: the step is done
  bool walk_memberships(Walk& walk, FeedChunk& chunk);
  template <class Address>
  void meet(Walk& walk, reflector::RibShard& slice, rib::FamilyRib<Address>& rib, std::uint64_t rd, const rib::PrefixKey<Address>& key, const rib::Slot& slot);
  void tell_met(FeedChunk& chunk, reflector::RibShard& slice, wire::Family family);

  reflector::Shard& shard_;
  ExportHub& hub_;
  FeedIdentity identity_;
  std::function<void()> wake_;
  std::map<PeerId, Local> locals_;
  std::map<PeerId, Partial> partial_;
  std::deque<OutputWalk> output_walks_;
  std::uint32_t next_walk_ = 0;
  std::array<Armed, kMostStations> armed_;
  std::array<std::uint32_t, kFeeds> wanting_{};                // stations, a bit each
  std::array<std::unique_ptr<FeedChunk>, kFeeds> chunks_;      // of this turn
  std::vector<ExportHub::EndOfRib> ends_;                      // of this turn
  std::vector<std::uint64_t> fences_;
  std::deque<Walk> walks_;
  // scratch
  std::vector<std::uint8_t> nlri_, attributes_, messages_;
  std::vector<Met> met_;
  std::vector<rib::PathRef> paths_;
  wire::Family met_family_ = wire::Family::vpnv4;
};

}  // namespace helio::exporter
