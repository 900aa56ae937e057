#include "bench/pe/lib/raw_routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include "bench/synthetic/updates.hpp"

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
  return synthetic::each_vpn_nlri(
      nlris, withdrawn, false, [&](std::uint32_t, Bytes labels, Bytes rest, std::size_t bits) {
        RawUpdate::Route& route = out.emplace_back();
        route.key = fmt::format("{}/{} ", afi, bits) + text(rest);
        if (!withdrawn) route.labels = text(labels);
      });
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
  auto parts = synthetic::split_update(body);
  if (!parts) return false;
  std::map<std::uint8_t, std::string> kept;
  bool is_right = synthetic::each_attribute(parts->attributes, [&](std::uint8_t type, Bytes value) {
    if (type == 9 && value.size() == 4) update.originator = load_be32(value.data());
    if (type == 9 || type == 10) return true;
    if (type == 14 || type == 15) {
      std::string next_hop;
      if (!read_mp(value, type == 15, update, next_hop)) return false;
      if (type == 14) kept[type] = next_hop;
      return true;
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
    return true;
  });
  if (!is_right) return false;
  for (const auto& [type, value] : kept)
    update.attributes += fmt::format("{}:{}:", type, value.size()) + value;
  return true;
}

RawRoutes::RawRoutes(ByteVector bytes) : bytes_(std::move(bytes)) {
  boost::unordered_flat_map<std::string, std::uint32_t> sets;
  std::map<std::string, Route> routes;
  RawUpdate update;
  for (std::size_t at = 0; at < bytes_.size();) {
    std::size_t size = synthetic::message_size(bytes_.data() + at, bytes_.size() - at).value_or(0);
    if (size == 0) throw std::runtime_error(fmt::format("no BGP message at octet {} of the raw file", at));
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
