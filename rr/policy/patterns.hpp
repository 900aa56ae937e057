// What the sets of a policy are made of: texts for communities, prefixes and addresses, parsed once, then matched
// against wire values. A star stands for any number.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::policy {

// Values of `Value` bits with a mask: matches when (v & mask) == value.
template <class Value>
struct Masked {
  Value value{};
  Value mask{};
  bool matches(Value v) const { return (v & mask) == value; }
  bool is_exact() const { return mask == static_cast<Value>(~Value{}); }
  auto operator<=>(const Masked&) const = default;
};
using CommunityPattern = Masked<std::uint32_t>;
using ExtendedPattern = Masked<std::uint64_t>;
using LargePattern = Masked<unsigned __int128>;  // the low 96 bits

// "65000:1", "65000:*", "*:1", or a well-known name such as "no-export".
std::optional<CommunityPattern> parse_community_pattern(std::string_view text);
// "65000:1", "192.0.2.1:1", "4200000000:1", "65000L:1", each also with "*" as number, and "*" for every route target.
std::vector<ExtendedPattern> parse_route_target_pattern(std::string_view text);
// "rt:…" and "soo:…" in the forms above, or the eight octets in hexadecimal: "0x4004fde80000000a".
std::vector<ExtendedPattern> parse_extended_pattern(std::string_view text);
// "65000:1:2", a star for any of the three numbers.
std::optional<LargePattern> parse_large_pattern(std::string_view text);
// An RD as "65000:1" (and the other forms), with "*" as number, or "*".
std::vector<ExtendedPattern> parse_rd_pattern(std::string_view text);

// Patterns of one kind: exact ones are looked up, the others are gone through.
template <class Value>
class PatternList {
 public:
  void add(const Masked<Value>& pattern) { (pattern.is_exact() ? exact_ : masked_).push_back(pattern); }
  void finish();
  bool matches(Value value) const;
  bool empty() const { return exact_.empty() && masked_.empty(); }
  // Is every value that has these leading bits in the list by one pattern?
  bool covers(Value value, Value mask) const;
  const std::vector<Masked<Value>>& exact() const { return exact_; }
  const std::vector<Masked<Value>>& masked() const { return masked_; }

 private:
  std::vector<Masked<Value>> exact_, masked_;
};
extern template class PatternList<std::uint32_t>;
extern template class PatternList<std::uint64_t>;
extern template class PatternList<unsigned __int128>;

// Addresses are left-aligned in 128 bits.
unsigned __int128 aligned(const wire::IpAddress& address);

// "10.0.0.0/8", with " ge N" and " le N" for longer ones, as the field writes prefix lists. IPv4 and IPv6 apart.
class PrefixList {
 public:
  // False when the text is not an entry.
  bool add(std::string_view text);
  bool matches(bool is_v6, unsigned __int128 address, unsigned length) const;

 private:
  struct Key {
    unsigned __int128 address;
    std::uint8_t length;
    bool is_v6;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& k) const {
      auto mixed = (static_cast<std::uint64_t>(k.address >> 64) ^ static_cast<std::uint64_t>(k.address) * 0x9e3779b97f4a7c15u) + k.length + k.is_v6 * 512u;
      return static_cast<std::size_t>(mixed * 0xbf58476d1ce4e5b9u ^ mixed >> 29);
    }
  };
  using Lengths = std::array<std::uint64_t, 3>;  // a bit per length that is allowed
  boost::unordered_flat_map<Key, Lengths, Hash> entries_;
  std::vector<std::uint8_t> lengths_[2];         // of entries, sorted
};

// Addresses and address/length, for peers and next hops.
class AddressList {
 public:
  bool add(std::string_view text);
  bool matches(const wire::IpAddress& address) const { return list_.matches(address.is_v6, aligned(address), address.is_v6 ? 128 : 32); }

 private:
  PrefixList list_;
};

}  // namespace helio::policy
