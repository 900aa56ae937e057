// RefusalLog: which announced prefixes were lately not taken into the RIB, and why, for explain. A ring of one shard, its
// thread only: 4096 entries (96 KiB, once something was refused). A hash stands for the prefix.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "rr/base/bytes.hpp"
#include "rr/base/ids.hpp"
#include "rr/wire/vpn_nlri.hpp"
#include "rr/wire/types.hpp"

namespace helio::reflector {

// The first five are those of Exclusion, in its order.
enum class Refusal : std::uint8_t {
  originator_loop,      // RFC 4456 §8
  cluster_loop,         // RFC 4456 §8
  as_loop,              // RFC 4271 §9.1.2
  too_long,             // its attributes fit no message
  other_plane,          // [partition]
  attribute_size,       // limits.max-attribute-size
  prefix_limit,         // discard-new
  rd_quota,             // limits.max-paths-per-rd
  rt_set_quota,         // limits.max-prefixes-per-rt-set
  treated_as_withdraw,  // RFC 7606 §2
  label_stacks,         // more distinct ones than paths can name
  count_
};
// A stable word, and a sentence that goes on from "its announcement".
std::string_view refusal_name(Refusal refusal);
std::string_view refusal_text(Refusal refusal);

class RefusalLog {
 public:
  struct Entry {
    std::uint64_t prefix = 0;  // hash_prefix
    PeerId peer;
    std::uint32_t seconds = 0; // since start
    Refusal refusal = Refusal::count_;
  };
  // `address`: left-aligned, bits beyond the length are zero.
  static std::uint64_t hash_prefix(std::uint64_t rd, bool is_v6, unsigned __int128 address, unsigned length);
  static std::uint64_t hash_prefix(const wire::VpnPrefix& prefix);

  void note(PeerId peer, Refusal refusal, std::uint64_t prefix, std::uint32_t seconds);
  // Every prefix of announced NLRIs.
  void note_all(PeerId peer, Refusal refusal, wire::Family family, Bytes nlri, bool has_path_id, std::uint32_t seconds);
  // The last entry of each peer for the prefix.
  std::vector<Entry> find(std::uint64_t prefix) const;

 private:
  static constexpr std::size_t kEntries = 4096;
  std::vector<Entry> ring_;
  std::size_t next_ = 0;
};

}  // namespace helio::reflector
