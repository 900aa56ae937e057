// AS_PATH (RFC 4271 §4.3, RFC 5065, RFC 6793): reading, the facts the decision needs, prepending, and the change
// between the two-octet form of old neighbours and the four-octet form that everything inside Heliograph uses.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "rr/wire/update.hpp"

namespace helio::wire {

inline constexpr Asn kAsTrans = 23456;

namespace segment_type {
inline constexpr std::uint8_t as_set = 1, as_sequence = 2, confed_sequence = 3, confed_set = 4;
}

struct AsPathSegment {
  std::uint8_t type = 0;
  std::uint8_t count = 0;
  bool four_octet = true;
  const std::uint8_t* ases = nullptr;

  bool is_confederation() const { return type == segment_type::confed_sequence || type == segment_type::confed_set; }
  bool is_set() const { return type == segment_type::as_set || type == segment_type::confed_set; }
  Asn as(unsigned i) const { return four_octet ? load_be32(ases + i * 4) : load_be16(ases + i * 2); }
  // What the segment counts in the decision: a set 1, a confederation segment 0 (RFC 4271 §9.1.2.2, RFC 5065 §5.3).
  unsigned decision_length() const { return is_confederation() ? 0 : is_set() ? 1 : count; }
};

// Walks the segments of an AS_PATH value. next() is false at the end and at the first segment that is malformed
// (RFC 7606 §7.2: unknown type, no AS, or beyond the attribute); malformed() tells which.
class AsPathReader {
 public:
  AsPathReader(Bytes value, bool four_octet) : p_(value.data()), end_(value.data() + value.size()), four_octet_(four_octet) {}
  bool next(AsPathSegment& segment) {
    if (p_ == end_) return false;
    std::size_t left = static_cast<std::size_t>(end_ - p_);
    if (left < 2 || p_[0] == 0 || p_[0] > 4 || p_[1] == 0 || left - 2 < std::size_t{p_[1]} * (four_octet_ ? 4 : 2)) {
      malformed_ = true;
      return false;
    }
    segment = {p_[0], p_[1], four_octet_, p_ + 2};
    p_ += 2 + segment.count * (four_octet_ ? 4 : 2);
    return true;
  }
  bool malformed() const { return malformed_; }

 private:
  const std::uint8_t* p_;
  const std::uint8_t* end_;
  bool four_octet_;
  bool malformed_ = false;
};

struct AsPathInfo {
  unsigned length_for_decision = 0;  // AS_SET counts 1, confederation segments 0
  Asn neighbor_as = 0;               // leftmost AS outside confederation segments; 0 when empty or when it is a set
  Bytes value;                       // the path looked at
  bool four_octet = true;
  bool contains(Asn as) const;       // in any segment: loop detection
};
// `value` as decode_update accepted it.
AsPathInfo inspect_as_path(Bytes value, bool four_octet);

// Appends the path of the UPDATE as a four-octet AS_PATH value; from a two-octet neighbour merged with AS4_PATH
// (RFC 6793 §4.2.3). Nothing is appended when there is no AS_PATH.
void normalise_as_path(std::vector<std::uint8_t>& out, const UpdateView& update, bool four_octet);
// The same for AGGREGATOR: eight octets, or nothing.
void normalise_aggregator(std::vector<std::uint8_t>& out, const UpdateView& update, bool four_octet);

// A four-octet path for a two-octet neighbour: AS_TRANS for what does not fit (RFC 6793 §4.2.2). `as4_path` is left
// empty when everything fits; otherwise it is the AS4_PATH value, without confederation segments.
void split_as_path(std::vector<std::uint8_t>& as_path, std::vector<std::uint8_t>& as4_path, Bytes as_path4);
// The same for an eight-octet AGGREGATOR value: six octets, and AS4_AGGREGATOR when the AS does not fit.
void split_aggregator(std::vector<std::uint8_t>& aggregator, std::vector<std::uint8_t>& as4_aggregator, Bytes aggregator4);

// Appends `as_path4` with `as` in front `count` times (RFC 4271 §5.1.2). A segment that would exceed 255 ASes is left
// alone and a new one is put before it.
void prepend_as(std::vector<std::uint8_t>& out, Bytes as_path4, Asn as, unsigned count);

// "65001 65002 {65003,65004} (65010 65011) [65012,65013]": sequence, set, confederation sequence, confederation set.
std::string format_as_path(Bytes value, bool four_octet = true);

}  // namespace helio::wire
