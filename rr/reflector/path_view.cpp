#include "rr/reflector/path_view.hpp"

#include <fmt/format.h>

#include "rr/wire/attributes.hpp"

namespace helio::reflector {

namespace attr = wire::attr;

namespace {

std::string community_text(std::uint32_t c) {
  switch (c) {
    case wire::community::no_export: return "no-export";
    case wire::community::no_advertise: return "no-advertise";
    case wire::community::no_export_subconfed: return "no-export-subconfed";
    case wire::community::graceful_shutdown: return "graceful-shutdown";
    case wire::community::llgr_stale: return "llgr-stale";
    case wire::community::no_llgr: return "no-llgr";
    case wire::community::accept_own: return "accept-own";
    case wire::community::blackhole: return "blackhole";
    default: return fmt::format("{}:{}", c >> 16, c & 0xffff);
  }
}

}  // namespace

PathView view_of_attributes(wire::Family family, Bytes canonical, Bytes next_hop, bool is_external) {
  PathView view;
  if (auto address = wire::next_hop_address(family, next_hop)) view.next_hop = *address;
  ByteReader rest(canonical);
  while (!rest.empty() && rest.ok()) {
    std::uint8_t flags = rest.u8(), type = rest.u8();
    std::size_t length = (flags & wire::attr_flag::extended_length) != 0 ? rest.u16() : rest.u8();
    Bytes value = rest.take(length);
    if (!rest.ok()) break;
    switch (type) {
      case attr::origin: view.origin = value[0] == 0 ? 'i' : value[0] == 1 ? 'e' : '?'; break;
      case attr::as_path: view.as_path = wire::format_as_path(value); break;
      case attr::med: view.med = load_be32(value.data()); break;
      case attr::local_pref: view.local_pref = load_be32(value.data()); break;
      case attr::originator_id: view.originator_id = load_be32(value.data()); break;
      case attr::cluster_list:
        for (std::size_t i = is_external ? 0 : 4; i + 4 <= value.size(); i += 4) view.cluster_list.push_back(load_be32(value.data() + i));
        break;
      case attr::communities:
        for (std::size_t i = 0; i + 4 <= value.size(); i += 4) view.communities.push_back(community_text(load_be32(value.data() + i)));
        break;
      case attr::large_communities:
        for (std::size_t i = 0; i + 12 <= value.size(); i += 12)
          view.communities.push_back(
              fmt::format("{}:{}:{}", load_be32(value.data() + i), load_be32(value.data() + i + 4), load_be32(value.data() + i + 8)));
        break;
      case attr::extended_communities: wire::collect_route_targets(value, view.route_targets); break;
      default: break;
    }
  }
  return view;
}

}  // namespace helio::reflector
