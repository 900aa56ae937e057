// RtSlice: the route targets that one reflector of several behind the same PEs holds ("plane"; README, Beyond one machine). Either plane
// `index` of `count`, where a hash says which plane a route target is of, or ranges of route targets.
//
//   plane(rt) = 1 + jump_hash(mix64(rt), count)      rt: the 8 octets of the extended community, big endian
//
// mix64 is the finaliser of MurmurHash3, jump_hash that of Lamping and Veach ("A Fast, Minimal Memory, Consistent Hash
// Algorithm"): with one plane more, 1/count of the route targets move, all of them to the new plane. The assignment is part of
// the configuration's meaning and never changes between versions.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/wire/types.hpp"

namespace helio::wire {

// 1..count.
std::uint32_t plane_of(RouteTarget rt, std::uint32_t count);

// First and last, of one administrator.
struct RtRange {
  std::uint64_t first = 0, last = 0;
  auto operator<=>(const RtRange&) const = default;
};
// "65000:7", "65000:1-33333" (local administrators), "65000:*". The error is text for the operator.
Result<RtRange, std::string> parse_rt_range(std::string_view text);
std::string format_rt_range(const RtRange& range);

class RtSlice {
 public:
  // Everything.
  RtSlice() = default;
  // index: 1..count. Routes without route targets are of plane 1 unless said otherwise.
  static RtSlice plane(std::uint32_t index, std::uint32_t count, std::optional<bool> holds_untargeted = {});
  // holds_untargeted: also routes without route targets.
  static RtSlice ranges(std::vector<RtRange> ranges, bool holds_untargeted);

  bool is_everything() const { return count_ <= 1 && ranges_.empty(); }
  bool holds(std::uint64_t target) const;
  // A route with these; one of them is enough.
  bool holds_route(std::span<const std::uint64_t> targets) const;
  // May a route that matches the membership be held?
  bool may_hold(const RtMembership& membership) const;
  // What to ask PEs for so as to be sent all of it: with ranges the shortest prefixes that make them up, else the default.
  std::vector<RtMembership> wanted(Asn origin_as) const;

  std::uint32_t index() const { return index_; }
  std::uint32_t count() const { return count_; }  // 0 with ranges
  // "plane 2 of 3", "route targets 65000:1-33333, 65001:*"; empty: everything.
  std::string text() const;
  bool operator==(const RtSlice&) const = default;

 private:
  std::uint32_t index_ = 0, count_ = 0;
  std::vector<RtRange> ranges_;  // sorted, joined
  bool holds_untargeted_ = true;
};

}  // namespace helio::wire
