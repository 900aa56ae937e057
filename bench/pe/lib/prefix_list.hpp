// Prefixes read from a file, e.g. the Internet's from an MRT table dump: the one prefix plan that needs a
// table.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rr/base/bytes.hpp"

namespace helio::pe {

struct Prefix4 {
  std::uint32_t address = 0;  // host order
  std::uint8_t length = 0;
};

class PrefixList {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // Repeated prefixes count once; order is kept.
  explicit PrefixList(const std::vector<Prefix4>& prefixes);

  std::uint32_t size() const { return static_cast<std::uint32_t>(prefixes_.size()); }
  Prefix4 at(std::uint32_t n) const { return prefixes_[n]; }
  std::uint32_t index_of(std::uint32_t address, std::uint8_t length) const {
    auto found = index_.find(key({address, length}));
    return found == index_.end() ? kNone : found->second;
  }

 private:
  static std::uint64_t key(Prefix4 p) { return std::uint64_t{p.address} << 8 | p.length; }
  std::vector<Prefix4> prefixes_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> index_;
};

// The IPv4 unicast prefixes of a TABLE_DUMP_V2 dump (RFC 6396 §4.3.2), uncompressed; other records are
// skipped. Throws std::runtime_error when the bytes are no such dump.
std::vector<Prefix4> decode_mrt_prefixes(Bytes dump);
std::shared_ptr<const PrefixList> load_mrt(const std::string& file);

}  // namespace helio::pe
