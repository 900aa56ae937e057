// The exact checker: what every PE holds, compared route by route with what the plan says it must hold (RD,
// prefix, label, next hop, route targets, ORIGINATOR_ID, CLUSTER_LIST). One bit per (PE, route that its
// imports can match), so that 4000 PEs with 187 M expected routes are 24 MB; 5-10 ns per received NLRI. With
// ADD-PATH (RFC 7911) one bit and the path id per (PE, owner's route). A decoder of its own on purpose: a
// second implementation beside rr/wire. Updates of different PEs may come from different threads at a time
// (PE p from thread p % threads); everything else is called while none of them is inside.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "bench/pe/lib/plan.hpp"
#include "rr/base/bytes.hpp"

namespace helio::pe {

struct alignas(64) Counters {
  std::uint64_t messages = 0;
  std::uint64_t updates = 0;
  std::uint64_t bytes = 0;
  std::uint64_t reached = 0;              // NLRIs announced to the PEs
  std::uint64_t withdrawn = 0;            // NLRIs withdrawn from the PEs
  std::uint64_t duplicates = 0;           // announced again with nothing changed
  std::uint64_t unknown_withdrawals = 0;  // withdrawn without having been announced
  std::uint64_t unexpected =
      0;                    // a route that the PE must not see: foreign RT, its own, no such RD or prefix
  std::uint64_t wrong = 0;  // right prefix, wrong label, next hop, RTs or attributes
  std::uint64_t malformed = 0;
  std::uint64_t rtc_reached = 0;
  std::uint64_t rtc_withdrawn = 0;
  std::uint64_t rtc_wrong =
      0;  // bad length, or reflected to a client without ORIGINATOR_ID = the reflector's
  std::uint64_t end_of_ribs = 0;
  std::uint64_t canaries = 0;  // routes of the latency probes, which everybody gets without RT-Constrain
  std::uint64_t echoes = 0;    // when lenient: a PE's own routes, which it drops by ORIGINATOR_ID

  bool is_clean() const { return unexpected == 0 && wrong == 0 && malformed == 0; }
  Counters& operator+=(const Counters& other);
};

// Sees every announced route that carries a version (MED): the churn scenarios.
class RouteObserver {
 public:
  // False: this PE has seen this version already. Called by the thread of the PE.
  virtual bool on_version(std::uint32_t pe, std::uint64_t route, std::uint32_t version) = 0;

 protected:
  ~RouteObserver() = default;
};

class Checker {
 public:
  explicit Checker(const Plan& plan, std::uint32_t threads = 1);

  // The body of an UPDATE (after the header).
  void on_update(std::uint32_t pe, Bytes body);
  void count_message(std::uint32_t pe, std::uint64_t bytes) {
    Counters& c = *peers_[pe].counters;
    ++c.messages, c.bytes += bytes;
  }
  Counters counters() const;

  // Who is there, and which imports of a PE are active. Targets follow; call refresh_targets() after a group
  // of changes.
  void set_present(std::uint32_t pe, bool present) { present_[pe] = present; }
  // A PE that stays but withdrew everything (or announced it again).
  void set_announcing(std::uint32_t pe, bool announcing) { announcing_[pe] = announcing; }
  void set_position_active(std::uint32_t pe, std::uint32_t position, bool active);
  void refresh_targets();
  // Forgets what the PE holds: its session was lost, or everything was asked for again.
  void forget(std::uint32_t pe);
  // After refresh_targets: forget everything, so that the next announcements are no duplicates.
  void expect_again() {
    for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) forget(pe);
  }
  // Once there was an observer, routes may carry versions.
  void set_observer(RouteObserver* observer) {
    observer_ = observer;
    has_versions_ = true;
  }
  // Tolerates what a real PE ignores and some reflectors (FRR) do: a client's routes sent back to it (RFC
  // 4456 §8), and reserved bits of the label field that are not as announced (RFC 8277 §2.2).
  void be_lenient() { is_lenient_ = true; }
  void set_reflector_id(std::uint32_t id) { reflector_id_ = id; }

  bool holds_target(std::uint32_t pe) const {
    const Peer& p = peers_[pe];
    return p.held_count == p.target && p.other_count == 0;
  }
  std::uint64_t held(std::uint32_t pe) const { return peers_[pe].held_count; }
  std::uint64_t target(std::uint32_t pe) const { return peers_[pe].target; }
  std::uint64_t total_target() const;
  std::uint64_t end_of_ribs(std::uint32_t pe) const { return peers_[pe].end_of_ribs; }

  // The full comparison, bit by bit. `missing`: expected and not held. `surplus`: held and not expected.
  struct Difference {
    std::uint64_t missing = 0;
    std::uint64_t surplus = 0;
    std::uint32_t pes = 0;  // PEs with a difference
  };
  Difference compare();

  // First few problems, in words.
  const std::vector<std::string>& samples() const { return samples_; }

  std::uint64_t route_id(std::uint32_t vrf, std::uint32_t group, std::uint32_t index) const {
    return (std::uint64_t{vrf} * plan_.groups() + group) * plan_.routes_per_slice() + index;
  }
  std::uint64_t memory_bytes() const;

 private:
  static constexpr std::size_t kMaxSamples = 10;
  struct Peer {
    Counters* counters = nullptr;         // of the PE's thread
    std::vector<std::uint64_t> held;      // holds the expected version of the route
    std::vector<std::uint64_t> other;     // holds another owner's version (multihoming, while converging)
    std::vector<std::uint32_t> path_ids;  // ADD-PATH: of every held or other bit
    std::uint64_t held_count = 0;
    std::uint64_t other_count = 0;
    std::uint64_t target = 0;
    std::uint64_t end_of_ribs = 0;
    std::vector<bool> inactive;  // import positions given up; empty = none
  };
  // The attributes of the UPDATE at hand, as far as they are checked.
  struct Attributes {
    Bytes reach, unreach, route_targets, cluster_list;
    bool has_reach = false, has_unreach = false;
    std::uint32_t originator = 0, next_hop = 0, med = 0, local_pref = 0, community = 0;
    std::uint8_t origin = 0xff;
    bool has_empty_as_path = false;
    std::uint32_t others = 0;
  };
  // Consecutive NLRIs of one slice share everything but the index.
  struct Run {
    std::uint64_t raw_rd = 0;
    bool is_open = false;
    const char* problem = nullptr;  // whole run is unexpected or wrong for this reason
    bool is_unexpected = false;
    bool is_other = false;
    bool is_canary = false;
    bool is_echo = false;
    std::uint32_t vrf = 0, group = 0, owner = 0;
    std::uint32_t position = 0;
    std::uint32_t first = 0;     // prefix offset of the slice
    std::uint32_t raw_head = 0;  // length octet and label of a /24 NLRI, as on the wire
    std::uint64_t first_bit = 0;
  };

  bool announces(std::uint32_t pe) const { return plan_.announces(pe) && present_[pe] && announcing_[pe]; }
  bool parse_attributes(Bytes body, Attributes& a);
  void on_reach(std::uint32_t pe, const Attributes& a);
  void on_unreach(std::uint32_t pe, const Attributes& a);
  void on_memberships(std::uint32_t pe, const Attributes& a, Bytes nlris, bool announced);
  template <bool kSimple>
  void reach_v4(std::uint32_t pe, const Attributes& a, Bytes nlris);
  void reach_v6(std::uint32_t pe, const Attributes& a, Bytes nlris);
  void open_run(std::uint32_t pe, const Attributes& a, std::uint64_t raw_rd, std::uint32_t n, Run& run);
  // One route of an open run; the general way.
  void reach_one(std::uint32_t pe, const Attributes& a, const Run& run, std::uint32_t index,
                 std::uint32_t label_field, std::uint32_t path_id);
  // ADD-PATH: takes away another path of the same prefix that had this path id; false when the path itself is
  // already there under another one.
  bool claim_path_id(Peer& peer, const Run& run, std::uint32_t index, std::uint32_t path_id);
  void withdraw_one(std::uint32_t pe, std::uint64_t rd, std::uint32_t n, bool is_v6, std::uint32_t path_id);
  // Attribute problems that hold for all routes of the slice; null when right.
  const char* attribute_problem(const Attributes& a, const Run& run, std::uint32_t cycle) const;
  std::uint32_t best_owner(std::uint32_t vrf, std::uint32_t group, std::uint32_t& cycle) const;
  // A lane is what a PE can hold once per route of a VRF: the best path of a group, or with ADD-PATH the path
  // of every cycle.
  std::uint32_t lane_of(std::uint32_t group, std::uint32_t cycle) const {
    return has_add_path_ ? cycle : group;
  }
  std::uint32_t group_of_lane(std::uint32_t lane) const {
    return has_add_path_ ? plan_.group_of_cycle(lane) : lane;
  }
  bool expects_lane(std::uint32_t pe, std::uint32_t vrf, std::uint32_t lane) const;
  // Puts what a PE holds into `held` or `other` again after the targets changed.
  void sort_versions();
  void move_bits(std::uint64_t first, std::vector<std::uint64_t>& from, std::uint64_t& from_count,
                 std::vector<std::uint64_t>& to, std::uint64_t& to_count);
  std::uint64_t bit_of(std::uint32_t position, std::uint32_t lane, std::uint32_t index) const {
    return (std::uint64_t{position} * lanes_ + lane) * plan_.routes_per_slice() + index;
  }
  // Calls f(position, vrf, lane, is_expected) for all slices of a PE's bitmap.
  template <class F>
  void for_each_slice(std::uint32_t pe, F&& f) const;
  void note(std::uint32_t pe, std::string_view what, std::uint64_t rd, const std::string& prefix);
  void note_route(std::uint32_t pe, std::string_view what, const Run& run, std::uint32_t index);

  const Plan& plan_;
  const std::uint32_t paths_;  // per prefix that the reflector may send; 1 = no ADD-PATH
  const bool has_add_path_;
  const std::uint32_t lanes_;
  std::vector<Counters> counters_;  // per thread
  std::vector<Peer> peers_;
  std::vector<bool> present_, announcing_;
  std::vector<std::uint32_t> best_;  // multihoming without ADD-PATH: best owner per slice at the last refresh
  std::mutex samples_mutex_;
  std::atomic<bool> samples_are_full_ = false;
  std::vector<std::string> samples_;
  RouteObserver* observer_ = nullptr;
  std::atomic<std::uint32_t> reflector_id_ = 0;
  std::atomic<std::uint32_t> cluster_id_ = 0;  // learned from the first reflected route
  bool has_versions_ = false;
  bool is_lenient_ = false;
  bool is_simple_ = false;  // linear prefixes, one label per VRF, one owner, one attribute set
};

}  // namespace helio::pe
