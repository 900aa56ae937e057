#include "rr/policy/patterns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "rr/wire/attributes.hpp"

namespace helio::policy {
namespace {

constexpr std::uint64_t kNumberOfTwoOctetAs = 0xffffffff, kNumberOfOthers = 0xffff;

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// What parse() makes of the text; with "X:*" of "X:0", the number masked out. `numbers` tells how wide it is.
template <class Parse>
std::optional<ExtendedPattern> parse_with_star(std::string_view text, Parse&& parse) {
  if (!text.ends_with(":*")) {
    std::optional<std::uint64_t> value = parse(text);
    if (!value) return std::nullopt;
    return ExtendedPattern{*value, ~std::uint64_t{0}};
  }
  std::optional<std::uint64_t> value = parse(std::string(text.substr(0, text.size() - 1)) + "0");
  if (!value) return std::nullopt;
  bool two_octet_as = (*value >> 56 & 0x3f) == 0;
  return ExtendedPattern{*value, ~(two_octet_as ? kNumberOfTwoOctetAs : kNumberOfOthers)};
}

std::optional<std::uint64_t> route_target(std::string_view text) {
  auto rt = wire::parse_rt(text);
  return rt ? std::optional(rt->value) : std::nullopt;
}

}  // namespace

std::optional<CommunityPattern> parse_community_pattern(std::string_view text) {
  static constexpr std::pair<std::string_view, std::uint32_t> kNames[] = {
      {"graceful-shutdown", wire::community::graceful_shutdown}, {"accept-own", wire::community::accept_own},
      {"llgr-stale", wire::community::llgr_stale},               {"no-llgr", wire::community::no_llgr},
      {"blackhole", wire::community::blackhole},                 {"no-export", wire::community::no_export},
      {"no-advertise", wire::community::no_advertise},           {"no-export-subconfed", wire::community::no_export_subconfed}};
  for (auto& [name, value] : kNames)
    if (text == name) return CommunityPattern{value, 0xffffffff};
  std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  CommunityPattern out;
  for (std::size_t i = 0; i < 2; ++i) {
    unsigned shift = i == 0 ? 16 : 0;
    if (parts[i] == "*") continue;
    auto number = parse_number<std::uint16_t>(parts[i]);
    if (!number) return std::nullopt;
    out.value |= std::uint32_t{*number} << shift;
    out.mask |= 0xffffu << shift;
  }
  return out;
}

std::vector<ExtendedPattern> parse_route_target_pattern(std::string_view text) {
  constexpr std::uint64_t kTypes = 0xffff000000000000;
  if (text == "*") return {{std::uint64_t{0x0002} << 48, kTypes}, {std::uint64_t{0x0102} << 48, kTypes}, {std::uint64_t{0x0202} << 48, kTypes}};
  auto pattern = parse_with_star(text, route_target);
  return pattern ? std::vector{*pattern} : std::vector<ExtendedPattern>();
}

std::vector<ExtendedPattern> parse_extended_pattern(std::string_view text) {
  if (text.starts_with("rt:")) return parse_route_target_pattern(text.substr(3));
  if (text.starts_with("soo:")) {  // RFC 4360 §5: subtype 3 in place of 2
    std::vector<ExtendedPattern> out = parse_route_target_pattern(text.substr(4));
    for (ExtendedPattern& p : out) p.value ^= std::uint64_t{1} << 48;
    return out;
  }
  if (!text.starts_with("0x") || text.size() != 18) return {};
  std::uint64_t value = 0;
  auto [end, code] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (code != std::errc() || end != text.data() + text.size()) return {};
  return {{value, ~std::uint64_t{0}}};
}

std::optional<LargePattern> parse_large_pattern(std::string_view text) {
  std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() != 3) return std::nullopt;
  LargePattern out;
  out.mask = ~(~static_cast<unsigned __int128>(0) >> 32);  // the unused high bits are always zero
  for (std::size_t i = 0; i < 3; ++i) {
    unsigned shift = 64 - 32 * static_cast<unsigned>(i);
    if (parts[i] == "*") continue;
    auto number = parse_number<std::uint32_t>(parts[i]);
    if (!number) return std::nullopt;
    out.value |= static_cast<unsigned __int128>(*number) << shift;
    out.mask |= static_cast<unsigned __int128>(0xffffffff) << shift;
  }
  return out;
}

std::vector<ExtendedPattern> parse_rd_pattern(std::string_view text) {
  if (text == "*") return {{0, 0}};
  std::optional<ExtendedPattern> pattern = parse_with_star(text, [](std::string_view t) -> std::optional<std::uint64_t> {
    auto rd = wire::parse_rd(t);
    return rd ? std::optional(rd->value) : std::nullopt;
  });
  if (!pattern) return {};
  // The type is two octets here: only type 0 has a four-octet number.
  if (!pattern->is_exact()) pattern->mask = ~(pattern->value >> 48 == 0 ? kNumberOfTwoOctetAs : kNumberOfOthers);
  return {*pattern};
}

template <class Value>
void PatternList<Value>::finish() {
  std::sort(exact_.begin(), exact_.end());
  exact_.erase(std::unique(exact_.begin(), exact_.end()), exact_.end());
}

template <class Value>
bool PatternList<Value>::matches(Value value) const {
  auto at = std::lower_bound(exact_.begin(), exact_.end(), value, [](const Masked<Value>& p, Value v) { return p.value < v; });
  if (at != exact_.end() && at->value == value) return true;
  return std::any_of(masked_.begin(), masked_.end(), [&](const Masked<Value>& p) { return p.matches(value); });
}

template <class Value>
bool PatternList<Value>::covers(Value value, Value mask) const {
  if (mask == static_cast<Value>(~Value{})) return matches(value);
  return std::any_of(masked_.begin(), masked_.end(), [&](const Masked<Value>& p) { return (p.mask & ~mask) == 0 && p.matches(value); });
}

template class PatternList<std::uint32_t>;
template class PatternList<std::uint64_t>;
template class PatternList<unsigned __int128>;

unsigned __int128 aligned(const wire::IpAddress& address) {
  unsigned __int128 out = 0;
  for (std::uint8_t octet : address.bytes) out = out << 8 | octet;
  return out;
}

bool PrefixList::add(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::string_view word : split(text, ' '))
    if (!word.empty()) words.push_back(word);
  if (words.empty() || words.size() % 2 == 0 || words.size() > 5) return false;
  auto prefix = wire::parse_prefix(words[0]);
  if (!prefix) return false;
  unsigned max = prefix->is_v6 ? 128 : 32;
  std::optional<unsigned> ge, le;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    auto number = parse_number<unsigned>(words[i + 1]);
    std::optional<unsigned>& bound = words[i] == "ge" ? ge : le;
    if ((words[i] != "ge" && words[i] != "le") || bound || !number || *number < prefix->length || *number > max) return false;
    bound = number;
  }
  unsigned from = ge.value_or(prefix->length), to = le.value_or(ge ? max : prefix->length);
  if (from > to) return false;
  Key key{aligned(wire::IpAddress{prefix->address, prefix->is_v6}), prefix->length, prefix->is_v6};
  Lengths& lengths = entries_[key];
  for (unsigned length = from; length <= to; ++length) lengths[length / 64] |= std::uint64_t{1} << length % 64;
  auto& used = lengths_[prefix->is_v6 ? 1 : 0];
  auto at = std::lower_bound(used.begin(), used.end(), prefix->length);
  if (at == used.end() || *at != prefix->length) used.insert(at, prefix->length);
  return true;
}

bool PrefixList::matches(bool is_v6, unsigned __int128 address, unsigned length) const {
  for (std::uint8_t covering : lengths_[is_v6 ? 1 : 0]) {
    if (covering > length) return false;
    unsigned __int128 masked = covering == 0 ? 0 : address >> (128 - covering) << (128 - covering);
    auto at = entries_.find(Key{masked, covering, is_v6});
    if (at != entries_.end() && (at->second[length / 64] >> length % 64 & 1) != 0) return true;
  }
  return false;
}

bool AddressList::add(std::string_view text) {
  if (auto address = wire::parse_ip(text)) return list_.add(fmt::format("{}/{}", text, address->is_v6 ? 128 : 32));
  auto prefix = wire::parse_prefix(text);
  return prefix && list_.add(fmt::format("{} le {}", text, prefix->is_v6 ? 128 : 32));
}

}  // namespace helio::policy
