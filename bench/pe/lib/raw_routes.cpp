#include "bench/pe/lib/raw_routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace helio::pe {
namespace {

std::string text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Community lists are sets: their order may change on the way.
std::string sorted_values(Bytes bytes, std::size_t size) {
  if (bytes.size() % size != 0) return text(bytes);
  std::vector<std::string> values;
  for (std::size_t at = 0; at < bytes.size(); at += size) values.push_back(text(bytes.subspan(at, size)));
  std::sort(values.begin(), values.end());
  std::string out;
  for (const std::string& v : values) out += v;
  return out;
}

bool read_nlris(Bytes nlris, std::uint8_t afi, bool withdrawn, std::vector<RawUpdate::Route>& out) {
  constexpr std::size_t kRd = 8, kLabel = 3;
  ByteReader r(nlris);
  while (!r.empty()) {
    unsigned bits = r.u8();
    Bytes value = r.take((bits + 7) / 8);
    if (!r.ok()) return false;
    // RFC 8277 §2: labels up to the one with the bottom of stack bit; a withdrawal has one field that says
    // nothing.
    std::size_t labels = kLabel;
    while (!withdrawn && labels <= value.size() && (value[labels - 1] & 1) == 0) labels += kLabel;
    if (value.size() < labels + kRd) return false;
    RawUpdate::Route& route = out.emplace_back();
    route.key = fmt::format("{}/{} ", afi, bits - 8 * (labels + kRd)) + text(value.subspan(labels));
    if (!withdrawn) route.labels = text(value.first(labels));
  }
  return true;
}

bool read_mp(Bytes value, bool withdrawn, RawUpdate& update, std::string& next_hop) {
  ByteReader r(value);
  std::uint16_t afi = r.u16();
  std::uint8_t safi = r.u8();
  if (!withdrawn) {
    next_hop = text(r.take(r.u8()));
    r.u8();
  }
  if (!r.ok()) return false;
  if (safi != 128 || (afi != 1 && afi != 2)) return true;
  update.has_v6 = afi == 2;
  return read_nlris(r.rest(), static_cast<std::uint8_t>(afi), withdrawn,
                    withdrawn ? update.withdrawn : update.announced);
}

}  // namespace

bool read_raw_update(Bytes body, RawUpdate& update) {
  update = {};
  ByteReader r(body);
  r.take(r.u16());  // withdrawn IPv4 unicast routes
  ByteReader attributes(r.take(r.u16()));
  if (!r.ok()) return false;
  std::map<std::uint8_t, std::string> kept;
  while (!attributes.empty()) {
    std::uint8_t flags = attributes.u8(), type = attributes.u8();
    Bytes value = attributes.take(flags & 0x10 ? attributes.u16() : attributes.u8());
    if (!attributes.ok()) return false;
    if (type == 9 && value.size() == 4) update.originator = load_be32(value.data());
    if (type == 9 || type == 10) continue;
    if (type == 14 || type == 15) {
      std::string next_hop;
      if (!read_mp(value, type == 15, update, next_hop)) return false;
      if (type == 14) kept[type] = next_hop;
      continue;
    }
    if (type == 16) {
      for (std::size_t at = 0; at + 8 <= value.size(); at += 8) {
        if (value[at] <= 2 && value[at + 1] == 2)
          update.route_targets.push_back(load_be64(value.data() + at));
      }
    }
    kept[type] = type == 8    ? sorted_values(value, 4)
                 : type == 16 ? sorted_values(value, 8)
                 : type == 32 ? sorted_values(value, 12)
                              : text(value);
  }
  for (const auto& [type, value] : kept)
    update.attributes += fmt::format("{}:{}:", type, value.size()) + value;
  return true;
}

RawRoutes::RawRoutes(ByteVector bytes) : bytes_(std::move(bytes)) {
  boost::unordered_flat_map<std::string, std::uint32_t> sets;
  std::map<std::string, Route> routes;
  RawUpdate update;
  for (std::size_t at = 0; at < bytes_.size();) {
    std::size_t left = bytes_.size() - at, size = left < 19 ? 0 : load_be16(bytes_.data() + at + 16);
    bool has_marker =
        left >= 19 && load_be64(bytes_.data() + at) == ~0ull && load_be64(bytes_.data() + at + 8) == ~0ull;
    if (!has_marker || size < 19 || size > 4096 || size > left)
      throw std::runtime_error(fmt::format("no BGP message at octet {} of the raw file", at));
    if (bytes_[at + 18] != 2) throw std::runtime_error("the raw file holds another message than an UPDATE");
    if (!read_raw_update(Bytes(bytes_).subspan(at + 19, size - 19), update))
      throw std::runtime_error(fmt::format("malformed UPDATE at octet {} of the raw file", at));
    at += size;
    for (const RawUpdate::Route& r : update.withdrawn) routes.erase(r.key);
    auto [set, is_new] = sets.emplace(update.attributes, static_cast<std::uint32_t>(sets.size()));
    if (is_new) attributes_.push_back(update.attributes);
    for (const RawUpdate::Route& r : update.announced)
      routes[r.key] = {r.key, r.labels, set->second, update.originator};
    if (!update.announced.empty()) (update.has_v6 ? has_v6_ : has_v4_) = true;
    route_targets_.insert(route_targets_.end(), update.route_targets.begin(), update.route_targets.end());
    std::sort(route_targets_.begin(), route_targets_.end());
    route_targets_.erase(std::unique(route_targets_.begin(), route_targets_.end()), route_targets_.end());
  }
  if (routes.empty()) throw std::runtime_error("the raw file leaves no VPN route announced");
  for (auto& [key, route] : routes) {
    index_.emplace(key, size());
    routes_.push_back(std::move(route));
  }
}

RawRoutes RawRoutes::load(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  return RawRoutes(ByteVector((std::istreambuf_iterator<char>(in)), {}));
}

std::uint32_t RawRoutes::find(const std::string& key) const {
  auto at = index_.find(key);
  return at == index_.end() ? kNone : at->second;
}

}  // namespace helio::pe
