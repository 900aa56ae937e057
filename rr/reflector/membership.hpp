// Membership: the RT membership routes one peer has sent (its RTC Adj-RIB-In) and the filter that follows from them
// (RFC 4684 §6). Kept by NLRI, so that several origin ASes for one RT, or a default beside specifics, count apart
// (pitfalls 1.2, 1.13); the origin AS plays no part in the match (pitfall 1.3). 16 octets per membership.
#pragma once
#include <span>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::reflector {

class Membership {
 public:
  // False when the NLRI was already there / was not there.
  bool add(const wire::RtMembership& nlri);
  bool remove(const wire::RtMembership& nlri);
  void clear();

  bool matches_everything() const { return everything_ > 0; }
  bool has_target(std::uint64_t target) const;  // a full-length NLRI with this RT, of any origin AS
  bool has_partial() const { return !partial_.empty(); }
  bool matches(std::span<const std::uint64_t> targets) const;
  bool contains(const wire::RtMembership& nlri) const;
  std::size_t size() const { return full_.size() + partial_.size() + everything_list_.size(); }
  // Distinct targets of full length.
  std::vector<std::uint64_t> targets() const;
  std::vector<wire::RtMembership> all() const;

 private:
  bool matches_partial(std::uint64_t target) const;

  struct Full {
    std::uint64_t target;
    Asn origin_as;
    auto operator<=>(const Full&) const = default;
  };
  std::vector<Full> full_;                           // sorted
  std::vector<wire::RtMembership> partial_;          // 33..95 bits; by length, then target: a route's target is looked up once for each length
  std::uint64_t partial_lengths_ = 0;                // bit n: some may have 32 + n bits
  std::vector<wire::RtMembership> everything_list_;  // length 0 or 32
  std::size_t everything_ = 0;
};

}  // namespace helio::reflector
