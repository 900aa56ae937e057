#include "bench/pe/lib/prefix_list.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace helio::pe {

PrefixList::PrefixList(const std::vector<Prefix4>& prefixes) {
  prefixes_.reserve(prefixes.size());
  index_.reserve(prefixes.size());
  for (Prefix4 p : prefixes) {
    if (index_.emplace(key(p), size()).second) prefixes_.push_back(p);
  }
}

std::vector<Prefix4> decode_mrt_prefixes(Bytes dump) {
  constexpr std::uint16_t kTableDumpV2 = 13, kRibIpv4Unicast = 2, kRibIpv4UnicastAddPath = 8;
  std::vector<Prefix4> prefixes;
  ByteReader file(dump);
  while (!file.empty()) {
    file.u32();  // time
    std::uint16_t type = file.u16(), subtype = file.u16();
    ByteReader record(file.take(file.u32()));
    if (!file.ok()) throw std::runtime_error("not an MRT file, or cut off");
    if (type != kTableDumpV2 || (subtype != kRibIpv4Unicast && subtype != kRibIpv4UnicastAddPath)) continue;
    record.u32();  // sequence number
    std::uint8_t length = record.u8();
    Bytes bytes = record.take((length + 7u) / 8);
    if (!record.ok() || length > 32) throw std::runtime_error("malformed RIB entry in the MRT file");
    std::uint8_t padded[4] = {};
    std::copy(bytes.begin(), bytes.end(), padded);
    std::uint32_t mask = length == 0 ? 0 : 0xffffffffu << (32 - length);
    prefixes.push_back({load_be32(padded) & mask, length});
  }
  if (prefixes.empty())
    throw std::runtime_error("no IPv4 unicast RIB entries (TABLE_DUMP_V2) in the MRT file");
  return prefixes;
}

std::shared_ptr<const PrefixList> load_mrt(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(in)), {});
  return std::make_shared<const PrefixList>(decode_mrt_prefixes(bytes));
}

}  // namespace helio::pe
