#include "rr/policy/working_route.hpp"

#include <algorithm>

#include "rib/encoding_class.hpp"
#include "rr/wire/as_path.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::policy {

namespace attr = wire::attr;

void WorkingRoute::open(Bytes next_hop, Bytes canonical) {
  attributes_.clear();
  made_.clear();
  as_path_text_.reset();
  changed_ = false;
  next_hop_ = next_hop;
  for (Bytes rest = canonical; !rest.empty();) {
    rib::StoredAttribute a = rib::take_attribute(rest);
    attributes_.push_back({a.type, static_cast<std::uint8_t>(a.flags & 0xe0), a.value});
  }
}

Bytes WorkingRoute::value(std::uint8_t type) const {
  for (const Attribute& a : attributes_)
    if (a.type == type) return a.value;
  return {};
}

const std::string& WorkingRoute::as_path_text() {
  if (!as_path_text_) as_path_text_ = wire::format_as_path(value(attr::as_path));
  return *as_path_text_;
}

void WorkingRoute::close(std::vector<std::uint8_t>& next_hop, std::vector<std::uint8_t>& canonical) const {
  next_hop.assign(next_hop_.begin(), next_hop_.end());
  canonical.clear();
  for (const Attribute& a : attributes_) wire::encode_attribute(canonical, a.flags, a.type, a.value);
}

void WorkingRoute::put(std::uint8_t type, std::uint8_t flags, std::vector<std::uint8_t> value) {
  auto at = std::find_if(attributes_.begin(), attributes_.end(), [&](const Attribute& a) { return a.type >= type; });
  bool present = at != attributes_.end() && at->type == type;
  if (present && std::ranges::equal(at->value, value)) return;
  const std::vector<std::uint8_t>& kept = made_.emplace_back(std::move(value));
  if (present) at->value = kept;
  else attributes_.insert(at, Attribute{type, flags, kept});
  changed_ = true;
}

void WorkingRoute::erase(std::uint8_t type) {
  if (std::erase_if(attributes_, [&](const Attribute& a) { return a.type == type; }) != 0) changed_ = true;
}

void WorkingRoute::set_u32(std::uint8_t type, std::uint8_t flags, std::uint32_t value) {
  std::vector<std::uint8_t> octets(4);
  store_be32(octets.data(), value);
  put(type, flags, std::move(octets));
}

// RFC 7311 §3: one TLV of type 1, length 11.
void WorkingRoute::set_aigp(std::uint64_t metric) {
  std::vector<std::uint8_t> octets = {1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0};
  store_be64(octets.data() + 3, metric);
  put(attr::aigp, wire::attr_flag::optional, std::move(octets));
}

void WorkingRoute::set_next_hop(wire::Family family, const wire::IpAddress& address) {
  std::vector<std::uint8_t> octets;
  wire::encode_next_hop(octets, family, address);
  if (std::ranges::equal(octets, next_hop_)) return;
  next_hop_ = made_.emplace_back(std::move(octets));
  changed_ = true;
}

void WorkingRoute::prepend(Asn as, std::uint32_t repeat) {
  if (repeat == 0) return;
  std::vector<std::uint8_t> path;
  wire::prepend_as(path, value(attr::as_path), as, repeat);
  put(attr::as_path, wire::attr_flag::transitive, std::move(path));
  as_path_text_.reset();
}

template <class Value>
void WorkingRoute::edit_list(std::uint8_t type, std::size_t size, const PatternList<Value>& removed, const std::vector<Value>& added) {
  Bytes before = value(type);
  std::vector<std::uint8_t> after;
  std::vector<Value> held;
  for (std::size_t at = 0; at + size <= before.size(); at += size) {
    auto member = load_member<Value>(before.data() + at, size);
    if (removed.matches(member)) continue;
    held.push_back(member);
    after.insert(after.end(), before.begin() + static_cast<std::ptrdiff_t>(at), before.begin() + static_cast<std::ptrdiff_t>(at + size));
  }
  for (Value member : added) {
    if (std::find(held.begin(), held.end(), member) != held.end()) continue;
    for (std::size_t i = 0; i < size; ++i) after.push_back(static_cast<std::uint8_t>(member >> (8 * (size - 1 - i))));
  }
  if (after.size() == before.size() && std::ranges::equal(after, before)) return;
  if (after.empty()) erase(type);
  else put(type, wire::attr_flag::optional | wire::attr_flag::transitive, std::move(after));
}

template void WorkingRoute::edit_list(std::uint8_t, std::size_t, const PatternList<std::uint32_t>&, const std::vector<std::uint32_t>&);
template void WorkingRoute::edit_list(std::uint8_t, std::size_t, const PatternList<std::uint64_t>&, const std::vector<std::uint64_t>&);
template void WorkingRoute::edit_list(std::uint8_t, std::size_t, const PatternList<unsigned __int128>&, const std::vector<unsigned __int128>&);

}  // namespace helio::policy
