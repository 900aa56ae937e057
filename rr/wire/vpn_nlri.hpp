// VPN NLRI (RFC 4364 §4.3.4, RFC 8277): the hot loop of the decoder and of the packer. Inline on purpose.
//
// One entry: [path id 4, ADD-PATH only][length in bits, 1][labels, 3 octets each][RD, 8][prefix, 0..16].
// Labels: one with the S bit set is what nearly everybody sends. In a withdrawal the field is to be ignored (RFC 8277
// §2.4) and is met as 0x800000, 0x000000, 0x000001 or the announced stack (wire 2.4, 3.1). A first label without the
// S bit starts a stack or is one label of a speaker that leaves the bit clear (RFC 8277 §2.2: ignored on reception):
// count_labels tells them apart by what would then be the RD.
#pragma once
#include "rr/wire/types.hpp"

namespace helio::wire {

inline constexpr std::size_t kMaxLabels = 8;

// A decoded entry; pointers refer into the message.
struct VpnNlri {
  std::uint32_t path_id = 0;
  RouteDistinguisher rd;
  const std::uint8_t* labels = nullptr;  // label_count * 3 octets, as received
  std::uint8_t label_count = 0;
  std::uint8_t length = 0;               // bits of the inner prefix
  const std::uint8_t* prefix = nullptr;  // (length + 7) / 8 octets; host bits may be set, mask before use
};

// The number of labels in front of the RD when the first one has no S bit; 0: no reading fits. `p` is at the first
// label, `bits` (at least 88) is the entry's length octet and its octets are all there.
unsigned count_labels(const std::uint8_t* p, unsigned bits, unsigned max_prefix, bool is_withdrawal);

enum class NlriStatus : std::uint8_t { ok, end, malformed };

// Walks the entries of one MP_REACH or MP_UNREACH of a VPN family.
class VpnNlriReader {
 public:
  VpnNlriReader(Bytes nlri, bool is_v6, bool is_withdrawal, bool has_path_id)
      : p_(nlri.data()), end_(nlri.data() + nlri.size()), max_prefix_(is_v6 ? 128 : 32), withdrawal_(is_withdrawal), path_id_(has_path_id) {}

  // ok: `out` filled; end: nothing left; malformed: the rest cannot be located (RFC 7606 §5.3).
  NlriStatus next(VpnNlri& out) {
    if (p_ == end_) return NlriStatus::end;
    if (path_id_) {
      if (end_ - p_ < 5) return NlriStatus::malformed;
      out.path_id = load_be32(p_);
      p_ += 4;
    }
    unsigned bits = *p_++;
    unsigned octets = (bits + 7) / 8;
    if (static_cast<std::size_t>(end_ - p_) < octets || bits < 88) return NlriStatus::malformed;
    unsigned labels = 1;
    if ((p_[2] & 1) == 0 && !(withdrawal_ && load_be24(p_) == 0x800000 && bits - 88 <= max_prefix_)) {
      labels = count_labels(p_, bits, max_prefix_, withdrawal_);
      if (labels == 0) return NlriStatus::malformed;
    }
    unsigned inner = bits - labels * 24 - 64;
    if (inner > max_prefix_) return NlriStatus::malformed;
    out.labels = p_;
    out.label_count = static_cast<std::uint8_t>(labels);
    out.rd.value = load_be64(p_ + labels * 3);
    out.length = static_cast<std::uint8_t>(inner);
    out.prefix = p_ + labels * 3 + 8;
    p_ += octets;
    return NlriStatus::ok;
  }

 private:
  const std::uint8_t* p_;
  const std::uint8_t* end_;
  unsigned max_prefix_;
  bool withdrawal_;
  bool path_id_;
};

}  // namespace helio::wire
